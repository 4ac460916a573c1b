"""The dashboards of a stack, and the ConfigMaps that Grafana's sidecar finds them in."""

from __future__ import annotations

import json
from typing import Any

from components.observability.dashboards.cost import cost
from components.observability.dashboards.gateway import gateway
from components.observability.dashboards.gpu import gpus
from components.observability.dashboards.model import one_model
from components.observability.dashboards.overview import overview
from components.observability.dashboards.parts import parts_of
from components.observability.dashboards.scaling import scaling
from config.settings import Settings
from planning.plan import Plan

FOLDER = "vLLM"


def dashboards(settings: Settings, plan: Plan) -> dict[str, dict[str, Any]]:
    """By their `uid`: those that can have data."""
    parts = parts_of(settings, plan)
    made = [overview(parts), one_model(parts)]
    if parts.gpus:
        made.append(gpus(parts))
    if parts.gateway:
        made.append(gateway(parts))
    if parts.autoscaled:
        made.append(scaling(parts))
    if parts.prices:
        made.append(cost(parts))
    return {one["uid"]: one for one in made}


def file_content(dashboard: dict[str, Any]) -> dict[str, str]:
    """`data` of a ConfigMap."""
    return {f"{dashboard['uid']}.json": json.dumps(dashboard, separators=(",", ":"), sort_keys=True)}
