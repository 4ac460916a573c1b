"""What a PromQL expression selects and which labels its result carries: the rules are checked as a compiler checks types."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping, Set
from typing import Any

import pytest

# Skipped where it is not installed, but never where a pull request is judged.
promql_parser: Any = (
    importlib.import_module("promql_parser")
    if os.environ.get("CI") == "true"
    else pytest.importorskip("promql_parser", reason="promql-parser of requirements-dev.txt is not installed")
)

Series = Mapping[str, frozenset[str]]
NOTHING: frozenset[str] = frozenset()
_TO_SCALARS = {"scalar", "time", "vector", "month", "hour", "minute", "day_of_month", "days_in_month", "pi"}


class QueryError(Exception):
    """A query that names what does not exist."""


def labels_of(expression: str, known: Series) -> frozenset[str]:
    """The labels of what the expression results in.

    Raises:
        QueryError: it selects a metric that is not known, or asks for a label that is not there.
    """
    return _labels(promql_parser.parse(expression), known)


def selected(expression: str) -> set[str]:
    """The names of the series that the expression selects."""
    return {name for name, _ in _selections(promql_parser.parse(expression), ())}


def aggregated(expression: str) -> set[tuple[str, str]]:
    """(operation, series) wherever the expression makes one value of several: over series or over time."""
    return {(operation, name) for name, operations in _selections(promql_parser.parse(expression), ()) for operation in operations}


def _selections(node: Any, operations: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every selected series, with the operations around it."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node.name, operations
    if isinstance(node, promql_parser.AggregateExpr):
        operations = (*operations, str(node.op))
    if isinstance(node, promql_parser.Call) and node.func.name.endswith("_over_time"):
        operations = (*operations, node.func.name)
    children = [getattr(node, name, None) for name in ("expr", "lhs", "rhs", "vector_selector", "param")]
    for child in [*children, *(getattr(node, "args", None) or ())]:
        if child is not None:
            yield from _selections(child, operations)


def _labels(node: Any, known: Series) -> frozenset[str]:
    match node:
        case promql_parser.VectorSelector():
            return _selector(node, known)
        case promql_parser.MatrixSelector():
            return _selector(node.vector_selector, known)
        case promql_parser.AggregateExpr():
            return _aggregate(node, known)
        case promql_parser.BinaryExpr():
            return _binary(node, known)
        case promql_parser.Call():
            return _call(node, known)
        case promql_parser.ParenExpr() | promql_parser.SubqueryExpr() | promql_parser.UnaryExpr():
            return _labels(node.expr, known)
    return NOTHING


def _selector(node: Any, known: Series) -> frozenset[str]:
    if node.name not in known:
        raise QueryError(f"no metric is called {node.name!r}")
    labels = known[node.name]
    _need({matcher.name for matcher in node.matchers.matchers} - {"__name__"}, labels, node.name)
    return labels


def _need(wanted: Set[str], labels: frozenset[str], of: Any) -> None:
    if missing := wanted - labels:
        raise QueryError(f"{of} carries no {', '.join(sorted(missing))}, only {', '.join(sorted(labels)) or 'nothing'}")


def _aggregate(node: Any, known: Series) -> frozenset[str]:
    labels = _labels(node.expr, known)
    listed = set(node.modifier.labels) if node.modifier else set()
    _need(listed, labels, node.expr)
    if str(node.op) in ("topk", "bottomk"):
        return labels
    if node.modifier and node.modifier.type == promql_parser.AggModifierType.Without:
        return labels - listed
    return frozenset(listed)


def _call(node: Any, known: Series) -> frozenset[str]:
    of_arguments = [_labels(argument, known) for argument in node.args]
    if node.func.name == "label_replace":
        target, source = node.args[1].val, node.args[3].val
        _need({source}, of_arguments[0], node.args[0])
        return of_arguments[0] | {target}
    if node.func.name in _TO_SCALARS:
        return NOTHING
    labels = next((labels for labels in of_arguments if labels), NOTHING)
    return labels - {"le"} if node.func.name == "histogram_quantile" else labels


def _is_scalar(node: Any) -> bool:
    if isinstance(node, promql_parser.NumberLiteral):
        return True
    if isinstance(node, promql_parser.Call):
        return node.func.name in ("time", "scalar", "pi")
    if isinstance(node, promql_parser.ParenExpr | promql_parser.UnaryExpr):
        return _is_scalar(node.expr)
    return isinstance(node, promql_parser.BinaryExpr) and _is_scalar(node.lhs) and _is_scalar(node.rhs)


def _binary(node: Any, known: Series) -> frozenset[str]:
    left, right = _labels(node.lhs, known), _labels(node.rhs, known)
    if _is_scalar(node.lhs) or _is_scalar(node.rhs):
        return left | right
    modifier = node.modifier
    matching = modifier.matching if modifier else None
    if matching is None:
        if left != right and str(node.op) != "or":
            raise QueryError(f"{sorted(left)} never match {sorted(right)} without on(): {node}")
        if str(node.op) == "or" and left != right:
            raise QueryError(f"both sides of `or` must carry the same labels, not {sorted(left)} and {sorted(right)}")
        return left
    if matching.type == promql_parser.LabelModifierType.Exclude:
        raise QueryError("say on(), not ignoring()")
    on = set(matching.labels)
    _need(on, left, node.lhs)
    _need(on, right, node.rhs)
    if str(node.op) in ("and", "unless", "or"):
        return left
    if modifier.card == promql_parser.VectorMatchCardinality.OneToOne:
        return frozenset(on)
    many, one = (left, right) if modifier.card == promql_parser.VectorMatchCardinality.ManyToOne else (right, left)
    taken: set[str] = set(modifier.group_labels or ())
    _need(taken, one, "the side of one")
    return many | taken
