"""Mistakes that a file can be made to have: an operator, a value or a condition changed, an entry or an argument left out.

Left alone is what is for people or for the type checker: docstrings, annotations, descriptions, the texts of problems and of errors.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

_OPERATORS: dict[type, Any] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div, ast.Mod: ast.Mult,
}  # fmt: skip
_FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any", "ceil": "floor", "floor": "ceil"}
_FOR_PEOPLE = frozenset({"Problem", "rule", "ValueError", "NotImplementedError", "register_outputs", "dataclass", "field", "TypeVar"})
_TYPES = frozenset({"Annotated", "Callable", "Literal", "Mapping", "dict", "frozenset", "list", "set", "tuple", "type"})


@dataclass(frozen=True)
class Mistake:
    """What is changed in a tree, and where; `make` changes it."""

    line: int
    what: str
    make: Callable[[], object]


def mistakes(tree: ast.Module) -> Iterator[Mistake]:
    """Every mistake that this tree can be made to have, always in the same order."""
    yield from _below(tree)


def _below(node: ast.AST) -> Iterator[Mistake]:
    if _is_left_alone(node):
        return
    for what, make in _of(node):
        yield Mistake(getattr(getattr(node, "target", node), "lineno", 1), what, make)
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _below(child)


def _is_left_alone(node: ast.AST) -> bool:
    match node:
        case ast.Raise() | ast.Import() | ast.ImportFrom() | ast.JoinedStr() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Call():
            return _name(node.func) in _FOR_PEOPLE
        case ast.Subscript():
            return _name(node.value) in _TYPES
    return False


def _name(function: ast.expr) -> str:
    return getattr(function, "id", getattr(function, "attr", ""))


def _of(node: ast.AST) -> Iterator[tuple[str, Callable[[], object]]]:
    match node:
        case ast.Compare(ops=[op]) | ast.BoolOp(op=op) | ast.BinOp(op=op) if type(op) in _OPERATORS:
            other = _OPERATORS[type(op)]()
            change = {"ops": [other]} if isinstance(node, ast.Compare) else {"op": other}
            yield f"{ast.unparse(node)}: {type(op).__name__} -> {type(other).__name__}", _setting(node, **change)
        case ast.UnaryOp(op=ast.Not()):
            yield f"{ast.unparse(node)}: not left out", _setting(node, op=ast.UAdd(), operand=_bool(node.operand))
        case ast.If() | ast.IfExp():
            yield f"if {ast.unparse(node.test)}: negated", _setting(node, test=ast.UnaryOp(ast.Not(), node.test))
        case ast.comprehension(ifs=[_, *_]):
            yield f"if {ast.unparse(node.ifs[0])}: left out", _setting(node, ifs=node.ifs[1:])
        case ast.Constant() if (other := _other(node.value)) is not None:
            yield f"{node.value!r} -> {other!r}", _setting(node, value=other)
        case ast.Call(func=ast.Name() | ast.Attribute()) if other := _FUNCTIONS.get(_name(node.func)):
            attribute = "id" if isinstance(node.func, ast.Name) else "attr"
            yield f"{_name(node.func)} -> {other}", _setting(node.func, **{attribute: other})
    yield from _left_out(node)


def _left_out(node: ast.AST) -> Iterator[tuple[str, Callable[[], object]]]:
    match node:
        case ast.Dict():
            for index, key in enumerate(node.keys):
                what = ast.unparse(key) if key else f"**{ast.unparse(node.values[index])}"
                yield f"{what} left out", _without(index, node.keys, node.values)
        case ast.List() | ast.Tuple(ctx=ast.Load(), elts=[_, _, *_]) | ast.Set():
            for index, element in enumerate(node.elts):
                yield f"{ast.unparse(element)} left out", _without(index, node.elts)
        case ast.Call():
            for index, argument in enumerate(node.keywords):
                yield f"{argument.arg or '**'}= left out", _without(index, node.keywords)


def _setting(node: ast.AST, **changes: Any) -> Callable[[], object]:
    return lambda: [setattr(node, name, value) for name, value in changes.items()]


def _without(index: int, *lists: list[Any]) -> Callable[[], object]:
    return lambda: [entries.pop(index) for entries in lists]


def _bool(node: ast.expr) -> ast.expr:
    return ast.Call(ast.Name("bool", ast.Load()), [node], [])


def _other(value: object) -> object:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 1.5 or 1.0
    return f"{value}x" if isinstance(value, str) else None


def mutated(text: str, number: int) -> ast.Module:
    """The tree of `text` with the mistake of that number in it."""
    tree = ast.parse(text)
    found = list(mistakes(tree))
    found[number].make()
    return ast.fix_missing_locations(tree)
