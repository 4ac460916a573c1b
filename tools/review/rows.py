"""The figures of a review as words, shared by the terminal's tables and the comment's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from tools.review.changes import Difference, Review
from tools.review.effects import NO_LONGER_SERVED

MODEL_HEADINGS = (
    "model",
    "change",
    "what runs",
    "pool",
    "KV cache GiB",
    "sequences",
    "context",
    "replicas",
    "ready in",
    "tokens/s",
    "first token",
    "$ a month",
)
POOL_HEADINGS = ("pool", "change", "what runs", "machine", "on demand", "spot", "for the floors", "$ a month")
ARROW = " → "
VERBS = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}


def model_row(one: Difference) -> list[str]:
    return [
        one.name,
        one.change,
        one.effect,
        _moved(one, lambda plan: plan["pool"]),
        _moved(one, lambda plan: f"{plan['kvCacheGib']:.1f}"),
        _moved(one, lambda plan: f"{plan['sequences']:.1f}"),
        _moved(one, lambda plan: f"{plan['maxModelLen']:,}"),
        _moved(one, lambda plan: f"{plan['floor']}-{plan['floor'] + plan['burst']}"),
        _moved(one, lambda plan: f"{plan['readySeconds'] / 60:.0f} min"),
        _moved(one, lambda plan: f"{plan['tokensPerSecond']:,.0f}"),
        _moved(one, lambda plan: f"{plan['firstTokenSeconds']:.2f} s"),
        _moved(one, lambda plan: f"{plan['usdExpected']:,.0f}"),
    ]


def pool_row(one: Difference) -> list[str]:
    return [
        one.name,
        one.change,
        one.effect,
        _moved(one, lambda plan: plan["machine"]),
        _moved(one, lambda plan: f"{plan['onDemandMin']}-{plan['onDemandMax']}" if plan["onDemandMax"] else "-"),
        _moved(one, lambda plan: f"{plan['spotMin']}-{plan['spotMax']}" if plan["spotMax"] else "-"),
        _moved(one, lambda plan: str(plan["floorNodes"])),
        _moved(one, lambda plan: f"{plan['usdExpected']:,.0f}"),
    ]


def _moved(one: Difference, text: Callable[[dict[str, Any]], str]) -> str:
    """`before → after`, once where they are the same; "-" for a figure that is not planned."""
    texts = [_text(plan, text) for plan in (one.before, one.after) if plan is not None]
    return texts[0] if len(set(texts)) == 1 else ARROW.join(texts)


def _text(plan: dict[str, Any], text: Callable[[dict[str, Any]], str]) -> str:
    try:
        return text(plan)
    except (TypeError, KeyError):  # None: not planned, or not by the base's program
        return "-"


def cost_rows(review: Review) -> list[list[str]]:
    """Floor, expected and ceiling: before, after and the difference."""
    rows = []
    for key, name in (("usdFloor", "at the floors"), ("usdExpected", "expected"), ("usdCeiling", "at the ceilings")):
        before, after = (review.cost_before or {}).get(key), (review.cost_after or {}).get(key)
        rows.append([name, _usd(before), _usd(after), delta(before, after)])
    rows.append(["budget", _usd(review.budget_before), _usd(review.budget_after), delta(review.budget_before, review.budget_after)])
    return rows


def _usd(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def delta(before: float | None, after: float | None) -> str:
    if before is None or after is None:
        return ""
    rounded = round(after) - round(before)
    return f"{rounded:+,}" if rounded else "0"


def money(review: Review) -> str:
    """One line: what a month is expected to cost, and how that stands to the budget."""
    before, after = (review.cost_before or {}).get("usdExpected"), (review.cost_after or {}).get("usdExpected")
    change = delta(before, after)
    if after is None:
        return ""
    line = f"${after:,.0f} a month expected" + (f" ({change})" if change not in ("", "0") else ", as before" if change else "")
    if review.budget_after is None:
        return f"{line}, no budget"
    kept = "within" if after <= review.budget_after else "ABOVE"
    moved = f" (was ${review.budget_before:,.0f})" if review.budget_before not in (None, review.budget_after) else ""
    return f"{line}, {kept} the budget of ${review.budget_after:,.0f}{moved}"


def counts(review: Review) -> str:
    """`2 resources updated, 1 replaced`."""
    found = Counter[str](one.kind for one in review.resources)
    return ", ".join(f"{found[kind]} {verb}" for kind, verb in VERBS.items() if found[kind]) or "none"


def verdict(review: Review) -> list[str]:
    """What a reviewer must not miss, most severe first."""
    said = []
    if review.forbidden:
        said.append(f"forbidden by policies: {', '.join(dict.fromkeys(rule for rule, _, _ in review.forbidden))}")
    if protected := [one.name for one in review.resources if one.protected]:
        said.append(f"`pulumi up` will refuse: protected and to be deleted or replaced: {', '.join(protected)}")
    replaced = [one for one in review.resources if one.kind == "replace"]
    causes = [one for one in replaced if one.type.startswith("gcp:") and not any(why.endswith("is replaced") for why in one.because)]
    said += [f"{one.type.rpartition(':')[2]} {one.name} is replaced: {', '.join(one.because)}" for one in causes]
    # A Job is replaced whenever there is something else for it to do.
    if inside := [one for one in replaced if one.type.startswith("kubernetes:") and one.type != "kubernetes:batch/v1:Job"]:
        named = ", ".join(sorted(one.name for one in inside)[:5])
        said.append(f"{len(inside)} Kubernetes objects are replaced: {named}{', ...' if len(inside) > 5 else ''}")
    said += [f"{one.name} is renamed to {new}: {_RENAMED}" for one, new in _renamed(review)]
    gone = {one.name for one, _ in _renamed(review)}
    said += [f"{one.name} is no longer served" for one in review.models if one.effect == NO_LONGER_SERVED and one.name not in gone]
    lost: dict[str, list[str]] = {}
    for one in review.models:
        if "not served" in one.effect:
            lost.setdefault(one.effect, []).append(one.name)
    said += [f"{', '.join(names)}: {effect}" for effect, names in lost.items()]
    return said


_RENAMED = "deleted and made anew, not served until it is ready"


def _renamed(review: Review) -> list[tuple[Difference, str]]:
    """Models that went, with a model of the same source and pool that came."""
    came = {(one.after["source"], one.after["pool"]): one.name for one in review.models if one.before is None and one.after}
    went = [one for one in review.models if one.effect == NO_LONGER_SERVED]
    return [(one, came[key]) for one in went if one.before and (key := (one.before["source"], one.before["pool"])) in came]
