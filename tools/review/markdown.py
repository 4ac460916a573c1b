"""A review as a comment on a pull request: a table of models, one of pools, details folded."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from tools.review import rows
from tools.review.changes import ResourceChange, Review
from tools.review.snapshot import Triple

_SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "-"}
_MOST_FIELDS = 20
# GitHub takes comments of 65,536 characters; two stacks fit into one.
_MOST_CHARACTERS = 25_000


def comment(review: Review) -> str:
    if review.problems:
        return "\n".join([f"## {review.stack}: cannot work", "", *_problems(review.problems)]) + "\n"
    if review.is_empty:
        return f"## {review.stack}: nothing changes\n\n{rows.money(review)}.\n"
    lines = [f"## {review.stack}: {rows.money(review)}", ""]
    lines += [f"- **{_cell(one)}**" for one in rows.verdict(review)]
    if review.base_problems:
        lines += ["", "Not planned before the change, so everything counts as added:", "", *_problems(review.base_problems)]
    lines += _table(rows.MODEL_HEADINGS, map(rows.model_row, review.models))
    lines += _table(rows.POOL_HEADINGS, map(rows.pool_row, review.pools))
    if review.forbidden:
        lines += ["", f"Forbidden by policies ({len(review.forbidden)}):", "", *_problems(review.forbidden)]
    if review.advised:
        lines += ["", f"Policies advise against it ({len(review.advised)}):", "", *_problems(review.advised)]
    if review.new_warnings:
        lines += ["", f"New warnings ({len(review.new_warnings)}):", "", *_problems(review.new_warnings)]
    if review.other_figures:
        lines += _folded(f"Warnings with other figures ({len(review.other_figures)})", _problems(review.other_figures))
    if review.gone_warnings:
        lines += _folded(f"Warnings that are gone ({len(review.gone_warnings)})", _problems(review.gone_warnings))
    lines += _folded("Cost, US dollars a month", _table(("", "before", "after", "difference"), rows.cost_rows(review)))
    if review.resources:
        lines += _folded(f"Resources: {rows.counts(review)}", _resources(review.resources))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def _problems(problems: Iterable[Triple]) -> list[str]:
    return ["- `" + path.replace("`", "'") + f"`: {_cell(message)}; {_cell(fix)}" for path, message, fix in problems]


def _table(headings: Sequence[str], found: Iterable[Sequence[str]]) -> list[str]:
    body = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in found]
    return ["", f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}", *body] if body else []


def _folded(summary: str, lines: Sequence[str]) -> list[str]:
    return ["", "<details>", f"<summary>{_cell(summary)}</summary>", "", *lines, "", "</details>"]


def _resources(resources: Sequence[ResourceChange]) -> list[str]:
    """As many as there is room for; the first one always."""
    room = _MOST_CHARACTERS
    lines = []
    for shown, one in enumerate(resources):
        of_one = _resource(one)
        room -= sum(map(len, of_one))
        if shown and room < 0:
            lines.append(f"... and {len(resources) - shown} more resources")
            break
        lines += of_one
    return ["```diff", *(line.replace("```", "'''") for line in lines), "```"]


def _resource(one: ResourceChange) -> list[str]:
    because = f" (because of {', '.join(one.because)})" if one.because else ""
    lines = [f"{_SIGNS[one.kind]} {one.type} {one.name}{because}"]
    for field in one.fields[:_MOST_FIELDS]:
        lines += [f"-   {field.path}: {field.before}"] if field.before is not None else []
        lines += [f"+   {field.path}: {field.after}"] if field.after is not None else []
    return lines + ([f"    ... and {len(one.fields) - _MOST_FIELDS} more fields"] if len(one.fields) > _MOST_FIELDS else [])


def _cell(text: str) -> str:
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|")
