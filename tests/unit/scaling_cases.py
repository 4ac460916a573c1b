"""What each alert on scaling fires on, and what it must not be mistaken for: a table."""

from __future__ import annotations

from tests.unit.alert_series import EVER, MODEL, NAMESPACE, SYSTEM_NODE, Case, Series, deployment, node, replica
from tests.unit.scaling_series import Load, breaks, burst, cluster

_OF_MODEL = {"model": MODEL}
_SCALER = f'exported_namespace="{NAMESPACE}",scaledObject="{MODEL}-burst",metric="s0",scaler="prometheus",type="scaledobject"'
_ERRORS = f"keda_scaler_detail_errors_total{{{_SCALER}}}"
_STARVED = burst("x", scheduled="1x40 0x60", ready="0x40 1x60")
_FIRST = 'model:burst_replicas:wanted{model="first"}'


def _labels(series: Series) -> Series:
    return {one: values for one, values in series.items() if one.startswith("kube_pod_labels")}


SCALING = {
    # Prometheus has been restarted.
    "ScalerErrors": Case({_ERRORS: f"0+4x40 160{EVER}"}, {_ERRORS: f"0x5 2{EVER}"}, "30m", "70m", {"scaledObject": f"{MODEL}-burst"}),
    # While the gateway alone is not seen the engines tell.
    "ScalingMetricsMissing": Case(
        breaks(Load(1).series(), 80, 100, "vllm:", "envoy_"), Load(1).engines(), "40m", "70m", _OF_MODEL, step="15s",
    ),
    # Up and down twice an hour is a load that breathes.
    "ScalingFlaps": Case(
        deployment("1x3 2x3 1x3 2x3 1x3 2x3 1x3 2x3 1x3 2x3 1x120", f"1{EVER}"),
        deployment("1x3 2x20 1x20 2x20 1x120", f"1{EVER}"),
        "58m", "110m", _OF_MODEL,
    ),
    # A replica of the floor without a node is another alert's.
    "SpotStarved": Case(
        node() | SYSTEM_NODE | _STARVED, dict.fromkeys(_labels(_STARVED), "_x90") | _labels(replica("x")), "25m", "60m", _OF_MODEL,
    ),
    "BurstCappedByBudget": Case(
        cluster("a", "b") | Load(4, running=30).series() | {_FIRST: "1x200 0x200"},
        {_FIRST: f"0{EVER}"}, "40m", "60m", _OF_MODEL, step="15s",
    ),
}  # fmt: skip
