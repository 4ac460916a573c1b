"""How long an engine's steps take: the plan's functions (planning/performance.py) in tables, since a simulated day asks them millions of
times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

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


class Numbers:
    """A function of a whole number, evaluated once each."""

    def __init__(self, function: Seconds) -> None:
        self._function = function
        self._known: dict[float, float] = {}

    def __call__(self, number: float) -> float:
        found = self._known.get(number)
        if found is None:
            found = self._known[number] = self._function(number)
        return found


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
    engines, scale = performance.work.data * performance.work.pipeline, slower / performance.scale
    base = performance.constants.prompt_layer * performance.work.layers
    return StepTimes(
        decode=Numbers(partial(_decode, performance, engines, scale)),
        context=Table(partial(_context, performance, scale / engines)),
        prompt=Table(partial(_prompt, performance, sequences / engines, scale / engines)),
        prompt_step=base * scale / engines,
        request=performance.constants.prompt,
    )


def _decode(performance: Performance, engines: int, scale: float, sequences: float) -> float:
    return performance.step(sequences / engines, 0) * scale


def _context(performance: Performance, scale: float, tokens: float) -> float:
    return (performance.step(1, tokens) - performance.step(1, 0)) * scale


def _prompt(performance: Performance, sequences: float, scale: float, tokens: float) -> float:
    return performance.prompt(tokens, sequences) * scale


def linear_times(step: float, sequence: float, context: float, prompt_token: float) -> StepTimes:
    return StepTimes(Numbers(partial(_line, step, sequence)), partial(_line, 0.0, context), partial(_line, 0.0, prompt_token), 0.0)


def _line(base: float, slope: float, number: float) -> float:
    return base + slope * number
