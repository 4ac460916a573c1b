"""How long an engine's steps take: the plan's functions (planning/performance.py) in tables, since a simulated day asks them millions of
times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from planning.performance import Performance

Seconds = Callable[[float], float]
# Width of a cell of the tables, tokens; between its edges times are lines.
_CELL = 64


class Table:
    """A function of a number of tokens, evaluated once an edge."""

    def __init__(self, function: Seconds) -> None:
        self._function = function
        self._edges: list[float] = []

    def __call__(self, tokens: float) -> float:
        index = int(tokens) // _CELL
        edges = self._edges
        while len(edges) < index + 2:
            edges.append(self._function(len(edges) * _CELL))
        low = edges[index]
        return low + (edges[index + 1] - low) * (tokens / _CELL - index)


@dataclass(frozen=True)
class StepTimes:
    """Seconds of a step are decode(sequences) + sequences * context(mean tokens of context), and, where prompts are read in it,
    prompt_step + prompt(last token read) - prompt(first token)."""

    decode: Seconds
    context: Seconds
    prompt: Seconds
    prompt_step: float
    request: float = 0.0
    """Before the engine sees a request: HTTP, tokenizer. It keeps no GPU busy."""


def planned_times(performance: Performance, sequences: float, slower: float = 1.0) -> StepTimes:
    """Of a replica. `sequences`: at about which the prompts are read. `slower`: how many times longer everything takes than planned."""
    ranks, scale = performance.work.data * performance.work.pipeline, slower / performance.scale
    none, base = performance.step(0, 0), performance.constants.prompt_layer * performance.work.layers
    alone = performance.step(1, 0)
    return StepTimes(
        decode=_by_number(lambda n: performance.step(n / ranks, 0) * scale if n else none * scale),
        context=Table(lambda tokens: (performance.step(1, tokens) - alone) * scale / ranks),
        prompt=Table(lambda tokens: (performance.prompt(tokens, sequences / ranks) - base) * scale / ranks),
        prompt_step=base * scale / ranks,
        request=performance.constants.prompt,
    )


def linear_times(step: float, sequence: float, context: float, prompt_token: float) -> StepTimes:
    return StepTimes(lambda n: step + n * sequence, lambda tokens: tokens * context, lambda tokens: tokens * prompt_token, 0.0)


def _by_number(function: Seconds) -> Seconds:
    known: dict[float, float] = {}

    def decode(sequences: float) -> float:
        if sequences not in known:
            known[sequences] = function(sequences)
        return known[sequences]

    return decode
