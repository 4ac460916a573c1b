"""`budget`: what a month may cost, and what the catalogue's prices do not know."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from config.errors import rule
from config.section import Section

NonNegativeUsd = Annotated[float, Field(ge=0)]


class Price(Section):
    """What one node costs, for the machine type it is keyed by."""

    on_demand_usd_per_hour: float | None = Field(default=None, ge=0, description="On demand.")
    spot_usd_per_hour: float | None = Field(default=None, ge=0, description="As spot capacity, which changes up to once a month.")
    spot_range_usd_per_hour: Annotated[list[NonNegativeUsd], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="Least and most that it is expected to be. Default: no doubt about it."
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
    """What a month may cost."""

    monthly_usd: float | None = Field(
        default=None,
        gt=0,
        description="Most that a month's expected cost may be, with spot prices as last seen; their upper end only warns. Default: none.",
    )
    on_exceed: Literal["fail", "warn"] = Field(default="fail", description="What the preview does above it.")
    expected_burst: float = Field(
        default=0.25, ge=0, le=1, description="Share of the time that the burst replicas are assumed to run, for the expected cost."
    )
    prices: dict[str, Price] = Field(
        default={},
        description="Prices by machine type (or node pool, for `hardware`) that replace the catalogue's: a discount, a region it lacks.",
    )
