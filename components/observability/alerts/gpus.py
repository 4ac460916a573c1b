"""Alerts on GPUs and the nodes that hold them."""

from __future__ import annotations

from components.observability.rules import Alert, joined

# Faults of the GPU, its memory or its links: drain the node. Codes of NVIDIA's XID catalogue whose action is to reset or replace; those
# that an application causes (13, 31, 43, 45) are left out.
HARDWARE_XIDS = (48, 62, 64, 74, 79, 92, 94, 95, 109, 119, 120, 140)
# Data centre GPUs slow down between 87 and 93 degrees Celsius (nvidia-smi -q: GPU T.Limit, Slowdown Temp). Assumed for all of them.
HOTTEST_CELSIUS = 87
_SPOT_NODES_LOST = 3


def gpus() -> list[Alert]:
    xids = " or ".join(f"DCGM_FI_DEV_XID_ERRORS == {code}" for code in HARDWARE_XIDS)
    return [
        Alert(
            "GpuXidError",
            "critical",
            joined(f"({xids})", "and changes(DCGM_FI_DEV_XID_ERRORS[15m]) > 0"),
            "0m",
            "GPU {{ $labels.gpu }} of {{ $labels.Hostname }} reports XID {{ $value }}",
            "XID {{ $value }} on {{ $labels.modelName }} {{ $labels.UUID }}, used by {{ $labels.namespace }}/{{ $labels.pod }}, is a "
            "fault of the hardware or its driver: the GPU gives wrong results or none until it is reset.",
            keep="30m",
        ),
        Alert(
            "GpuRowRemapFailure",
            "critical",
            "DCGM_FI_DEV_ROW_REMAP_FAILURE > 0",
            "0m",
            "GPU {{ $labels.gpu }} of {{ $labels.Hostname }} has no spare memory rows left",
            "A faulty row of {{ $labels.modelName }} {{ $labels.UUID }} could not be replaced: the GPU must be.",
        ),
        Alert(
            "GpuTooHot",
            "warning",
            f"min_over_time(DCGM_FI_DEV_GPU_TEMP[5m]) >= {HOTTEST_CELSIUS}",
            "5m",
            "GPU {{ $labels.gpu }} of {{ $labels.Hostname }} is at {{ $value }} degrees",
            "{{ $labels.modelName }} {{ $labels.UUID }} slows down to cool: {{ $labels.namespace }}/{{ $labels.pod }} becomes slower.",
        ),
        Alert(
            "GpuAllocatedButIdle",
            "info",
            "model:gpus_idle:count > 0 unless on (model) model:requests:rate5m > 0",
            "1h",
            "{{ $value }} GPUs of {{ $labels.model }} do nothing",
            "{{ $labels.model }} holds {{ $value }} GPUs that have done nothing for an hour and a half, and nobody asks it anything.",
        ),
        Alert(
            "GpuMetricsMissing",
            "warning",
            "sum(pool:gpus:sum) > 0 unless on () count(DCGM_FI_DEV_GPU_TEMP) > 0",
            "15m",
            "No GPU sends metrics",
            "{{ $value }} GPUs are in the cluster and the DCGM exporter says nothing of any: no alert on GPUs can fire.",
        ),
    ]


def spot() -> list[Alert]:
    gone = joined(
        'count by (pool) ((node:in_pool:group{capacity="spot"} offset 30m) unless on (node) node:in_pool:group)',
        f"    >= {_SPOT_NODES_LOST}",
    )
    wanted = "sum by (namespace) (kube_deployment_spec_replicas - kube_deployment_status_replicas_available) > 0"
    missing = f'label_replace({wanted}, "model", "$1", "namespace", "model-(.+)")'
    return [
        Alert(
            "SpotReclaimStorm",
            "warning",
            joined(
                gone,
                "and on (pool) (",
                f"  count by (pool) (model:ceiling_replicas:plan and on (model) {missing})",
                ")",
            ),
            "5m",
            "Spot nodes of pool {{ $labels.pool }} are being taken away",
            "{{ $value }} spot nodes that pool {{ $labels.pool }} had 30 minutes ago are gone, and replicas wait for room.",
        ),
    ]
