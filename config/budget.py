"""`budget`: the limit on the monthly cost, and prices that replace the catalogue's."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from config.errors import rule
from config.section import Section

NonNegativeUsd = Annotated[float, Field(ge=0)]


class Price(Section):
    """Price of one node of the machine type (or node pool) that is its key."""

    on_demand_usd_per_hour: float | None = Field(default=None, ge=0, description="On-demand price.")
    spot_usd_per_hour: float | None = Field(default=None, ge=0, description="Spot price; changes up to once a month.")
    spot_range_usd_per_hour: Annotated[list[NonNegativeUsd], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="Lowest and highest spot price to expect. Default: spotUsdPerHour is exact."
    )

    @model_validator(mode="after")
    def _range_is_one(self) -> Price:
        if self.spot_range_usd_per_hour is None:
            return self
        least, most = self.spot_range_usd_per_hour
        if self.spot_usd_per_hour is None or not least <= self.spot_usd_per_hour <= most:
            raise rule(f"spotUsdPerHour {self.spot_usd_per_hour} is not between {least} and {most}", "give the least first, then the most")
        return self


class Budget(Section):
    """Limit on the monthly cost."""

    monthly_usd: float | None = Field(
        default=None,
        gt=0,
        description="Limit on the expected monthly cost at the last known spot prices; at their upper end it only warns. Default: none.",
    )
    on_exceed: Literal["fail", "warn"] = Field(
        default="fail",
        description="Above monthlyUsd, and where hourlyUsd cannot pay a ceiling: whether the preview fails, or warns (and the ceiling "
        "is cut to what hourlyUsd pays).",
    )
    hourly_usd: float | None = Field(
        default=None,
        gt=0,
        description="Limit on the cost of an hour, which all bursts share: those of models with a lower scaling.priority are kept smaller. "
        "No floor is. Default: none.",
    )
    expected_burst: float = Field(
        default=0.25, ge=0, le=1, description="Share of the time that burst replicas are assumed to run, for the expected cost."
    )
    prices: dict[str, Price] = Field(
        default={},
        description="Prices by machine type (or node pool, for `hardware`) that replace the catalogue's: a discount, a region it lacks.",
    )
