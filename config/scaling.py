"""`models.<model>.scaling`: the number of a model's replicas, and what changes it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from config.errors import rule
from config.node_pools import Capacity
from config.section import Form, NonNegative, Positive, Section

Burst = Literal["spot", "spot-preferred", "on-demand"]
# What KEDA's cron scaler takes: minute, hour, day of the month, month, day of the week.
_FIELD = r"[0-9A-Za-z*/,-]+"
CronTime = Annotated[
    str, Form(rf"{_FIELD}( {_FIELD}){{4}}", "a time of cron", "write five fields, minute first: `0 8 * * 1-5` is 8:00 on weekdays")
]
TimeZone = Annotated[str, Form(r"[A-Za-z]+([/_+-][A-Za-z0-9]+)*", "a time zone", "write a name of the tz database: Europe/Berlin")]
Utilization = Annotated[int, Field(ge=10, le=100)]


class Schedule(Section):
    """Hours in which a model has more replicas than its floor, whatever arrives."""

    start: CronTime = Field(description="When they begin, in cron's five fields: `0 8 * * 1-5`.")
    end: CronTime = Field(description="When they end: `0 18 * * 1-5`.")
    time_zone: TimeZone = Field(default="Etc/UTC", description="Time zone of both, by its name in the tz database: Europe/Berlin.")
    replicas: Positive = Field(description="Least replicas in these hours, floor and burst together.")


class Triggers(Section):
    """Utilization as a further reason to scale up. None of them says how much work there is: docs/autoscale-a-model.md has their price."""

    cpu_percent: Utilization | None = Field(
        default=None, description="Mean CPU of the burst's replicas, of what they request. Needs the metrics server."
    )
    memory_percent: Utilization | None = Field(
        default=None, description="Mean memory of the burst's replicas, of what they request: rises and hardly falls."
    )
    gpu_percent: Utilization | None = Field(
        default=None, description="Mean utilization of the model's GPUs: near 100 in any busy replica, so it scales to the ceiling."
    )


class Scaling(Section):
    """Number of replicas, the capacity type of their nodes, and what changes the number."""

    floor: NonNegative = Field(default=1, description="Replicas that are always on, on on-demand nodes.")
    ceiling: Positive = Field(default=1, description="Most replicas, floor and burst together.")
    scale_to_zero: bool = Field(
        default=False,
        description="With floor 0: no replica while nobody asks. The first request gets 503 with Retry-After, and wakes the model.",
    )
    sleep_after_seconds: int = Field(
        default=900, ge=60, le=86_400, description="Time without a request after which a model with scaleToZero has no replica."
    )
    burst: Burst = Field(
        default="spot",
        description="Nodes of the replicas above the floor. spot-preferred: on-demand nodes while spot nodes cannot be had.",
    )
    priority: NonNegative = Field(
        default=100, description="Where budget.hourlyUsd cannot pay all bursts, models with a higher number get theirs first."
    )
    schedule: list[Schedule] = Field(default=[], description="Hours with a higher minimum.")
    triggers: Triggers = Field(default=Triggers(), description="Utilization as a further reason to scale up.")

    @property
    def burst_capacity(self) -> Capacity:
        """Capacity type of the nodes that the burst asks for first."""
        return "on-demand" if self.burst == "on-demand" else "spot"

    @property
    def has_stand_ins(self) -> bool:
        """Whether on-demand replicas stand in for spot replicas that find no node."""
        return self.burst == "spot-preferred" and self.ceiling > self.floor

    @model_validator(mode="after")
    def _floor_within_ceiling(self) -> Scaling:
        if self.floor > self.ceiling:
            raise rule(f"floor {self.floor} is above ceiling {self.ceiling}", "raise scaling.ceiling or lower scaling.floor")
        return self

    @model_validator(mode="after")
    def _sleeps_without_a_floor(self) -> Scaling:
        if self.scale_to_zero and self.floor:
            raise rule(f"scaleToZero, but the floor of {self.floor} never ends", "set scaling.floor to 0, or remove scaleToZero")
        if not self.scale_to_zero and self.sleep_after_seconds != type(self).model_fields["sleep_after_seconds"].default:
            raise rule("sleepAfterSeconds, but the model never sleeps", "set scaleToZero to true, or remove it")
        return self

    @model_validator(mode="after")
    def _schedule_within_ceiling(self) -> Scaling:
        for index, one in enumerate(self.schedule):
            if one.replicas > self.ceiling:
                raise rule(
                    f"schedule[{index}] asks for {one.replicas} replicas, above ceiling {self.ceiling}",
                    "raise scaling.ceiling or lower schedule.replicas",
                )
            if one.replicas <= self.floor:
                raise rule(
                    f"schedule[{index}] asks for {one.replicas} replicas, which the floor of {self.floor} always has",
                    "raise schedule.replicas or remove the entry",
                )
        return self
