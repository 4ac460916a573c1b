"""Regions and zones of Google Cloud, and which machine series a zone does not sell. Data: `catalog/places.yaml`."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml

from config.catalog import FOLDER, Loader


@cache
def _places() -> dict[str, Any]:
    with (FOLDER / "places.yaml").open() as file:
        return yaml.load(file, Loader)  # noqa: S506 - a safe loader


def as_of() -> str:
    return _places()["date"]


def regions() -> dict[str, list[str]]:
    """Zones by region."""
    return _places()["regions"]


def sells(zone: str, machine_type: str) -> bool:
    """Whether the zone offers the machine type's series. For GPU machines see also `Accelerator.sold_in`."""
    without = _places()["withoutMachines"].get(machine_type.partition("-")[0], ())
    return zone not in without and zone.rpartition("-")[0] not in without
