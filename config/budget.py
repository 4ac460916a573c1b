"""`budget`: what a month may cost, and what the catalogue's prices do not know."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from config.section import Section


class Price(Section):
    """What one node costs, for the machine type it is keyed by."""

    on_demand_usd_per_hour: float | None = Field(default=None, ge=0, description="On demand.")
    spot_usd_per_hour: float | None = Field(default=None, ge=0, description="As spot capacity.")


class Budget(Section):
    """What a month may cost."""

    monthly_usd: float | None = Field(default=None, gt=0, description="Most that a month's expected cost may be. Default: no limit.")
    on_exceed: Literal["fail", "warn"] = Field(default="fail", description="What the preview does above it.")
    expected_burst: float = Field(
        default=0.25, ge=0, le=1, description="Share of the time that the burst replicas are assumed to run, for the expected cost."
    )
    prices: dict[str, Price] = Field(
        default={},
        description="Prices by machine type (or node pool, for `hardware`) that replace the catalogue's: a discount, a region it lacks.",
    )
