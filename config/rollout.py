"""`models.<model>.rollout`: how a model's replicas are replaced, and the candidate that takes over under blue-green.

A candidate is the model itself with some fields changed. `candidate_of` merges them and judges the result by the model's own sections.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from config.errors import rule
from config.merge_patch import merge_patch
from config.section import NonNegative, Positive, Section, Text

Colour = Literal["blue", "green"]
# Keys of a model that describe one checkpoint: they go with the source.
_OF_THE_SOURCE = ("revision", "architecture", "measured", "measuredSpeed")


class GoldenPrompt(Section):
    """A question whose answer is known."""

    prompt: Text = Field(description="The user's message.")
    contains: Text = Field(description="Text that the answer must contain, in upper or lower case.")
    max_tokens: Positive = Field(default=256, description="Longest answer.")


class SmokeTest(Section):
    """What a candidate must pass before it gets any request of a client."""

    golden_prompts: list[GoldenPrompt] = Field(default=[], description="Questions with known answers, asked at temperature 0.")
    first_token_seconds: float = Field(default=10, gt=0, description="Longest time to the first token of a stream.")
    time_limit_seconds: int = Field(default=600, ge=60, le=7200, description="Time for all of it, until the Job counts as failed.")


class Gate(Section):
    """What Prometheus must say of the candidate before it gets more requests than a canary."""

    canary_weight: int = Field(default=10, ge=1, le=100, description="Highest weight that needs no measurement: what is measured.")
    min_requests: Positive = Field(default=100, description="Fewest requests to the candidate that it is judged by.")
    window_minutes: int = Field(default=15, ge=5, le=1440, description="Past time that is looked at.")
    max_error_ratio: float = Field(default=0.01, ge=0, lt=1, description="Highest share of its requests that may have failed.")
    max_ttft_ratio: float = Field(
        default=1.25, gt=0, description="Highest 95th percentile of its time to first token, as a multiple of the live colour's."
    )
    time_limit_seconds: int = Field(default=900, ge=60, le=7200, description="Time to wait for minRequests.")


class Candidate(Section):
    """A second set of replicas that is to replace the live ones."""

    model: dict[str, Any] = Field(
        default={}, description="Keys of the model that differ, merged into it as by RFC 7396: null removes a key, a list replaces a list."
    )
    weight: Annotated[int, Field(ge=0, le=100)] = Field(default=0, description="Percentage of the model's requests that it gets.")
    smoke_test: SmokeTest = Field(default=SmokeTest(), description="Tested before it gets any request.")
    gate: Gate = Field(default=Gate(), description="Measured before its weight rises above gate.canaryWeight.")


class Rollout(Section):
    """How replicas are updated."""

    strategy: Literal["rolling", "blue-green"] = Field(
        default="rolling",
        description="rolling: replace replicas one after another. blue-green: a changed model is deployed as `candidate` beside the live "
        "one, and an update that would change live replicas is refused.",
    )
    max_surge: NonNegative | None = Field(
        default=None,
        description="rolling: replicas that may exist beyond the floor during an update. Default: 1 if the pool has room for it, else 0.",
    )
    max_unavailable: NonNegative | None = Field(
        default=None, description="rolling: replicas of the floor that may be missing meanwhile. Default: 0 with a surge replica, else 1."
    )
    live: Colour = Field(default="blue", description="Colour of the live replicas. The candidate has the other; promoting it swaps them.")
    candidate: Candidate | None = Field(default=None, description="Replicas of the other colour. Only with blue-green.")

    @property
    def candidate_colour(self) -> Colour:
        return "green" if self.live == "blue" else "blue"

    @model_validator(mode="after")
    def _keys_belong_to_the_strategy(self) -> Rollout:
        if self.candidate and self.strategy == "rolling":
            raise rule("a candidate, but strategy 'rolling' replaces replicas in place", "set strategy to blue-green, or remove candidate")
        if self.strategy == "blue-green" and (self.max_surge is not None or self.max_unavailable is not None):
            raise rule("maxSurge and maxUnavailable are for strategy 'rolling': blue-green replaces no replica in place", "remove them")
        if self.max_surge == 0 and self.max_unavailable == 0:
            raise rule("maxSurge 0 and maxUnavailable 0 leave no way to replace a replica", "set one of them to 1, or remove both")
        return self


def candidate_of(model: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The candidate as a model's YAML. Of another source nothing is taken over that describes the live one's checkpoint."""
    live = {key: value for key, value in model.items() if key != "rollout"}
    if changes.get("source", live.get("source")) != live.get("source"):
        live = {key: value for key, value in live.items() if key not in _OF_THE_SOURCE}
    return {**merge_patch(copy.deepcopy(live), changes), "rollout": {"strategy": "blue-green"}}
