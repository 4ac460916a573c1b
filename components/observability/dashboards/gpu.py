"""GPUs: are they used, are they healthy, and which are paid for and idle?"""

from __future__ import annotations

from typing import Any

from components.observability.dashboards.panels import Panel, Query, choice, figure, framed, graph
from components.observability.dashboards.parts import Parts

UID = "vllm-gpu"
_OF_POOL = 'pool=~"$pool"'
_EACH = "{{Hostname}} GPU {{gpu}}, {{pod}}"
_BY_GPU = "max by (Hostname, gpu, pod)"


def gpus(parts: Parts) -> dict[str, Any]:
    rows = {"Now": _now(), "Use": _use(), "Health": _health(), "Paid for": _paid_for()}
    answers = "Every GPU as its driver sees it, and the GPUs of each pool. Without the GPU Operator's exporter it is empty."
    return framed(UID, "vLLM: GPUs", answers, [choice("pool", "Pool", "pool:gpus:sum")], rows, parts.runbooks)


def _of_gpu(metric: str, scale: str = "") -> Query:
    return Query(f"{_BY_GPU} ({metric}){scale}", _EACH)


def _now() -> list[Panel]:
    there, asked = f"sum(pool:gpus:sum{{{_OF_POOL}}})", f"sum(pool:gpus_requested:sum{{{_OF_POOL}}})"
    return [
        figure("GPUs", there, "none", "Of nodes that are there.", alerts=["GpuMetricsMissing"]),
        figure("Requested", asked, "none", "By pods that run or wait to start."),
        figure("Not requested", f"sum(pool:gpus_unrequested:sum{{{_OF_POOL}}})", "none", "Paid for, and no pod asks for them."),
        figure(
            "Idle in a pod",
            "sum(model:gpus_idle:count)",
            "none",
            "A model has them and ran nothing for half an hour.",
            limits=(1, 4),
            alerts=["GpuAllocatedButIdle"],
        ),
        figure("Hottest", "max(DCGM_FI_DEV_GPU_TEMP)", "celsius", "Hardware slows down from about 85 degrees on.", limits=(80, 87)),
        figure(
            "Row remap failures",
            "sum(DCGM_FI_DEV_ROW_REMAP_FAILURE)",
            "none",
            "GPUs whose memory cannot mend itself any more.",
            limits=(1, 1),
            alerts=["GpuRowRemapFailure"],
        ),
    ]


def _use() -> list[Panel]:
    used, free = f"{_BY_GPU} (DCGM_FI_DEV_FB_USED)", f"{_BY_GPU} (DCGM_FI_DEV_FB_FREE)"
    return [
        graph(
            "Busy",
            _of_gpu("DCGM_FI_DEV_GPU_UTIL", " / 100"),
            "percentunit",
            "Time in which a kernel ran; it says nothing of how well.",
            most=1,
        ),
        graph("Tensor cores", _of_gpu("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"), "percentunit", "High while prompts are read.", most=1),
        graph(
            "Memory traffic",
            _of_gpu("DCGM_FI_PROF_DRAM_ACTIVE"),
            "percentunit",
            "High while tokens are written: the limit of decoding.",
            most=1,
        ),
        graph(
            "Memory used",
            Query(f"{used} / ({used} + {free})", _EACH),
            "percentunit",
            "vLLM takes its share at the start and keeps it.",
            most=1,
        ),
        graph("Power", _of_gpu("DCGM_FI_DEV_POWER_USAGE"), "watt", "Drawn by each GPU."),
        graph("Engines of the GPU", _of_gpu("DCGM_FI_PROF_GR_ENGINE_ACTIVE"), "percentunit", "Time in which any part computed.", most=1),
    ]


def _health() -> list[Panel]:
    remapped = Query(
        f"{_BY_GPU} (DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS) + {_BY_GPU} (DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS)",
        _EACH,
    )
    xid = Query(f"{_BY_GPU} (DCGM_FI_DEV_XID_ERRORS)", _EACH)
    return [
        graph("Temperature", _of_gpu("DCGM_FI_DEV_GPU_TEMP"), "celsius", "Of the chip.", limits=(80, 87), alerts=["GpuTooHot"]),
        graph(
            "Memory's temperature", _of_gpu("DCGM_FI_DEV_MEMORY_TEMP"), "celsius", "0 where the board does not tell it.", limits=(90, 95)
        ),
        graph(
            "Last XID",
            xid,
            "none",
            "Number of the driver's last error; 0: none. NVIDIA's list of XIDs says what each means.",
            alerts=["GpuXidError"],
        ),
        graph(
            "Rows remapped",
            remapped,
            "none",
            "Rows of memory that were replaced by spare ones. A step is a fault that was mended.",
            width=12,
        ),
        graph(
            "PCIe replays",
            Query(f"{_BY_GPU} (rate(DCGM_FI_DEV_PCIE_REPLAY_COUNTER[5m]))", _EACH),
            "suffix:/s",
            "Transfers sent again: a bad slot or riser.",
            width=12,
        ),
    ]


def _paid_for() -> list[Panel]:
    by_pool = [
        Query(f"sum by (pool, capacity) (pool:gpus_requested:sum{{{_OF_POOL}}})", "{{pool}} {{capacity}}, requested"),
        Query(f"sum by (pool, capacity) (pool:gpus:sum{{{_OF_POOL}}})", "{{pool}} {{capacity}}, there", dashed=True),
    ]
    nodes = Query(f"sum by (pool, capacity) (pool:nodes:count{{{_OF_POOL}}})", "{{pool}} {{capacity}}")
    return [
        graph("GPUs of a pool", by_pool, "none", "Requested by pods, beside what is there."),
        graph("Nodes of a pool", nodes, "none", "On demand and spot.", alerts=["SpotReclaimStorm"]),
        graph(
            "Idle GPU hours, a day",
            Query("cluster:gpu_idle_hours:sum1d", "last 24 hours"),
            "h",
            "Not requested, or in a pod that runs nothing.",
        ),
    ]
