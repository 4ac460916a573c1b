"""Rules on scaling that need only the YAML."""

from __future__ import annotations

from collections.abc import Iterator

from config.cluster import GkeCluster
from config.errors import Problem
from config.models import Model
from config.settings import Settings

# Rates over 45 s and a spread of such rates: with fewer samples there are none.
SLOWEST_SCRAPING = 15


def scaling_rules(settings: Settings) -> Iterator[Problem]:
    platform = settings.platform
    if platform.metrics_server and isinstance(settings.cluster, GkeCluster):
        yield Problem("platform.metricsServer", "true, but GKE runs a metrics server of its own", "remove it")
    scaled = platform.autoscaler.enabled and platform.monitoring.enabled
    bursts = {name: model for name, model in settings.deployed.items() if model.scaling.ceiling > model.scaling.floor}
    if scaled and bursts and platform.monitoring.scrape_interval_seconds > SLOWEST_SCRAPING:
        yield Problem(
            "platform.monitoring.scrapeIntervalSeconds",
            f"{platform.monitoring.scrape_interval_seconds} s, and replicas are scaled by rates over 45 s",
            f"lower it to {SLOWEST_SCRAPING}, or set platform.autoscaler.enabled to false",
        )
    for name, model in settings.deployed.items():
        yield from _model_rules(settings, f"models.{name}.scaling", model, scaled=scaled, has_burst=name in bursts)


def _model_rules(settings: Settings, path: str, model: Model, *, scaled: bool, has_burst: bool) -> Iterator[Problem]:
    scaling, triggers = model.scaling, model.scaling.triggers
    asked = {
        "burst": scaling.burst == "spot-preferred" and has_burst,
        "schedule": bool(scaling.schedule),
        "triggers": triggers != type(triggers)(),
        "scaleToZero": scaling.scale_to_zero,
    }
    for key in [key for key, given in asked.items() if given and not scaled]:
        off = "platform.monitoring.enabled" if settings.platform.autoscaler.enabled else "platform.autoscaler.enabled"
        yield Problem(f"{path}.{key}", f"needs the autoscaler, and {off} is false", f"set {off} to true, or remove it")
    if scaling.scale_to_zero and settings.gateway is None:
        message = "the first request wakes the model, and there is no gateway that would see it"
        yield Problem(f"{path}.scaleToZero", message, "add a `gateway` section, or remove it")
    if asked["triggers"] and not has_burst:
        yield Problem(f"{path}.triggers", "they scale the burst, and the ceiling is the floor", "raise scaling.ceiling, or remove them")
    if triggers.gpu_percent is not None and not settings.platform.gpu_operator.enabled:
        message = "the GPU Operator's exporter tells how busy GPUs are, and platform.gpuOperator.enabled is false"
        yield Problem(f"{path}.triggers.gpuPercent", message, "set it to true, or remove the trigger")
