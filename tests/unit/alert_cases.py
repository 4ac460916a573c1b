"""What each alert fires on, and what it must not be mistaken for: a table."""

from __future__ import annotations

from tests.unit.alert_series import (
    EVER,
    MODEL,
    NAMESPACE,
    OLD,
    SYSTEM_NODE,
    Case,
    container,
    deployment,
    engine,
    envoy,
    gpu,
    node,
    replica,
    requests,
)
from tests.unit.estimate_cases import ESTIMATES
from tests.unit.scaling_cases import SCALING

OF_MODEL = {"model": MODEL}
_WAITING = "vllm:num_requests_waiting_by_reason"
_UPSTREAM = {"envoy_cluster_name": f"{MODEL}/blue"}
_RUNNING = engine("vllm:num_requests_running", f"10{EVER}")
_FINISHED = engine("vllm:request_success_total", f"0+60{EVER}", finished_reason="stop")
# The time that the plan gives a first start on this stack is below this.
_LIMIT_MINUTES = 60


MODELS = {
    "ModelDown": Case(
        OLD | replica("a", ready="1x5 0x30 1x60") | replica("b", ready="1x5 0x30 1x60"), replica("b"), "15m", "60m", OF_MODEL
    ),
    "ModelBelowFloor": Case(
        replica("a") | replica("b", ready="1x5 0x40 1x60"), replica("b", ready="1x5 0x15 1x80"), "35m", "70m", OF_MODEL
    ),
    "EngineStuck": Case(
        engine("vllm:num_requests_running", f"3{EVER}")
        | engine("vllm:generation_tokens_total", "500x30 500+9x60")
        | engine("vllm:prompt_tokens_total", f"70{EVER}"),
        engine("vllm:generation_tokens_total", "500+1x90"),
        "12m",
        "60m",
        OF_MODEL | {"pod": "a"},
    ),
    "ErrorRatioHigh": Case(
        requests("200", f"0+54{EVER}") | requests("503", f"0+6x40 240{EVER}"), requests("503", f"0+2{EVER}"), "25m", "80m", OF_MODEL
    ),
    "ModelMetricsMissing": Case(replica("a") | replica("b", up="1x5 0x30 1x60"), replica("b"), "25m", "60m", OF_MODEL),
    # What waits for an adapter or a transfer waits for no room.
    "QueueBacklog": Case(
        _RUNNING | engine(_WAITING, "8x30 0x60", reason="capacity"),
        engine(_WAITING, "2x90", reason="capacity") | engine(_WAITING, "8x90", reason="deferred"),
        "20m",
        "70m",
        OF_MODEL,
    ),
    # A full cache with nobody waiting is a prefix cache that works.
    "KvCacheSaturated": Case(
        engine("vllm:kv_cache_usage_perc", "0.99x30 0.5x60") | engine(_WAITING, "2x90", reason="capacity"),
        engine(_WAITING, "0x90", reason="capacity"),
        "20m",
        "70m",
        OF_MODEL,
    ),
    "PreemptionsHigh": Case(
        _FINISHED | engine("vllm:num_preemptions_total", f"0+12x40 480{EVER}"),
        engine("vllm:num_preemptions_total", f"0+4{EVER}"),
        "30m",
        "70m",
        OF_MODEL,
    ),
    "AdmissionRejections": Case(
        _FINISHED | engine("vllm:admission_rejections_total", f"0+6x40 240{EVER}", reason="max_num_queued_reqs"),
        engine("vllm:admission_rejections_total", f"0x10 1{EVER}", reason="max_num_queued_reqs"),
        "25m",
        "70m",
        OF_MODEL,
    ),
    "ModelAtMaxReplicas": Case(
        replica("a") | replica("b") | replica("c", tier="burst", ready="1x40 0x60") | engine(_WAITING, "2x90", reason="capacity"),
        replica("c", tier="burst", ready="0x90"),
        "35m",
        "70m",
        OF_MODEL,
    ),
    # A burst replica may wait: spot capacity may not exist today.
    "PodPendingTooLong": Case(
        replica("a") | {f'kube_pod_status_scheduled{{namespace="{NAMESPACE}",pod="a",uid="a",condition="false"}}': "1x30 0x60"},
        dict.fromkeys(replica("a"), "_x90") | replica("a", tier="burst"),
        "20m",
        "60m",
        OF_MODEL | {"pod": "a"},
    ),
    # A replica that has been ready and restarts is PodCrashLooping's business.
    "StartupOverBudget": Case(
        replica("a", ready=f"0x{_LIMIT_MINUTES + 60} 1x60", start="0x300"),
        replica("a", ready=f"0x10 1x2 0x{_LIMIT_MINUTES + 100}", start="0x300"),
        f"{_LIMIT_MINUTES + 40}m",
        f"{_LIMIT_MINUTES + 90}m",
        OF_MODEL | {"pod": "a"},
    ),
    "PodCrashLooping": Case(
        container("restarts_total", f"0x5 1x5 2x5 3x5 4{EVER}"),
        container("restarts_total", f"0x5 1x5 2{EVER}"),
        "25m",
        "100m",
        {"pod": "a"},
    ),
    "PodOutOfMemory": Case(
        container("restarts_total", f"0x5 1{EVER}") | container("last_terminated_reason", f"1{EVER}", reason="OOMKilled"),
        container("restarts_total", f"1{EVER}"),
        "15m",
        "90m",
        {"pod": "a"},
    ),
}
GPUS = {
    # 79: the GPU has fallen off the bus. 31: an application touched memory that is not its own.
    "GpuXidError": Case(gpu("XID_ERRORS", f"0x5 79{EVER}"), gpu("XID_ERRORS", f"0x5 31{EVER}"), "10m", "80m", {"gpu": "0", "pod": "a"}),
    "GpuRowRemapFailure": Case(gpu("ROW_REMAP_FAILURE", "0x5 1x20 0x30"), gpu("ROW_REMAP_FAILURE", "0x60"), "15m", "50m", {"gpu": "0"}),
    "GpuTooHot": Case(gpu("GPU_TEMP", "60x5 90x30 60x30"), gpu("GPU_TEMP", "60x5 86x60"), "25m", "60m", {"gpu": "0"}),
    "GpuAllocatedButIdle": Case(
        gpu("GPU_UTIL", "0x200 90x60"), engine("vllm:request_success_total", f"0+1{EVER}", finished_reason="stop"), "150m", "240m", OF_MODEL
    ),
    "GpuMetricsMissing": Case(
        node()
        | {'kube_node_status_allocatable{node="n1",resource="nvidia_com_gpu",unit="integer"}': f"1{EVER}"}
        | gpu("GPU_TEMP", "_x40 50x60"),
        gpu("GPU_TEMP", "50x90"),
        "25m",
        "70m",
    ),
    # The autoscaler takes nodes that nobody needs, too.
    "SpotReclaimStorm": Case(
        node() | node("s", "spot") | deployment("4x200", "4x40 1x200")
        | {name: values for one in "xyz" for name, values in node(one, "spot", "1x40 stale").items()},
        deployment("1x200", "1x200"),
        "60m",
        "100m",
        {"pool": "l4"},
    ),
}  # fmt: skip
GATEWAY = {
    "GatewayDown": Case(
        {'up{namespace="gateway",pod="g"}': "1x5 0x20 1x60", 'up{namespace="gateway",pod="h"}': "1x5 0x20 1x60"},
        {'up{namespace="gateway",pod="h"}': f"1{EVER}"},
        "15m",
        "50m",
        {"namespace": "gateway"},
    ),
    "GatewayErrorRatioHigh": Case(
        requests("200", f"0+90{EVER}") | requests("502", f"0+10x30 300{EVER}"), requests("502", f"0+3{EVER}"), "20m", "60m"
    ),
    # A gateway pod that has just started knows no replica yet.
    "NoHealthyUpstream": Case(
        replica() | envoy("cluster_membership_healthy", "1x5 0x20 1x60", **_UPSTREAM),
        envoy("cluster_membership_healthy", f"1{EVER}", pod="h", **_UPSTREAM),
        "15m",
        "50m",
        OF_MODEL,
    ),
    "GatewayShedsLoad": Case(
        envoy("cluster_upstream_rq_pending_overflow", f"0+10x30 300{EVER}", **_UPSTREAM),
        envoy("cluster_upstream_rq_pending_overflow", f"0x5 2{EVER}", **_UPSTREAM),
        "25m",
        "60m",
        _UPSTREAM,
    ),
    "GatewayOutOfMemory": Case(
        envoy("overload_envoy_resource_monitors_fixed_heap_pressure", "95x20 40x40"),
        envoy("overload_envoy_resource_monitors_fixed_heap_pressure", "85x60"),
        "15m",
        "40m",
        {"pod": "g"},
    ),
    "ClientOverLimit": Case(
        requests("200", f"0+60{EVER}") | requests("429", f"0+30x40 1200{EVER}"),
        requests("429", f"0+10{EVER}"),
        "30m",
        "70m",
        {"client": "team-a"},
    ),
    # One call that went wrong, such as of a pod that was replaced.
    "RateLimitServiceAway": Case(
        envoy("cluster_ratelimit_error", f"0+60x30 1800{EVER}", **_UPSTREAM),
        envoy("cluster_ratelimit_error", f"0x5 3{EVER}", **_UPSTREAM),
        "20m",
        "60m",
        {"namespace": "rate-limits"},
    ),
    "CertificateExpiresSoon": Case(
        envoy("server_days_until_first_cert_expiring", "20x100 80x60"),
        envoy("server_days_until_first_cert_expiring", "22x200"),
        "90m",
        "130m",
    ),
    # Envoy's word for "no certificate".
    "CertificateExpires": Case(
        envoy("server_days_until_first_cert_expiring", "2x30 80x60"),
        envoy("server_days_until_first_cert_expiring", "4294967295x90"),
        "20m",
        "60m",
    ),
}
SERVICE_LEVELS = {
    "ErrorBudgetBurnsFast": Case(
        requests("200", f"0+42{EVER}") | requests("503", f"0+18x70 1260{EVER}"),
        requests("503", f"0+1{EVER}"),
        "65m",
        "150m",
        OF_MODEL | {"slo": "availability"},
    ),
    # One request that fails at night, of the two that came.
    "ErrorBudgetBurnsFast on hardly any request": Case(
        requests("200", f"0+42{EVER}") | requests("503", f"0+18x70 1260{EVER}"),
        requests("200", f"0x10 1{EVER}") | requests("503", f"0x10 1{EVER}"),
        "65m",
        "150m",
        OF_MODEL | {"slo": "availability"},
    ),
    "ErrorBudgetBurnsSlowly": Case(
        engine("vllm:time_to_first_token_seconds_count", f"0+60{EVER}")
        | engine("vllm:time_to_first_token_seconds_bucket", "0+48x400 19200+60x600", le="2.5"),
        engine("vllm:time_to_first_token_seconds_bucket", f"0+58{EVER}", le="2.5"),
        "390m",
        "900m",
        OF_MODEL | {"slo": "ttft"},
    ),
}
_NODES = node() | node("n2") | SYSTEM_NODE
# Two nodes at 100 $ an hour, a budget of 10,000: spent after 50 hours. In hours.
BUDGET = {
    "BudgetSpent": Case(_NODES, node("n2", values="1x10 stale"), "60h", "750h", step="1h"),
    "BudgetForecastExceeded": Case(
        node("n1", values="1x20 stale") | SYSTEM_NODE | node("x", "spot", "_x1000"),
        node("n1", values="1x1 stale"),
        "15h",
        "60h",
        step="1h",
    ),
    "BudgetBurn": Case(node("n1", values="1x20 stale") | SYSTEM_NODE, node("n1", values="1x1 stale"), "10h", "30h", step="1h"),
}
_PROMETHEUS = 'namespace="monitoring",pod="p"'
_ALERTMANAGER = 'namespace="monitoring",pod="m",integration="slack"'
MONITORING = {
    "RuleEvaluationFails": Case(
        {f'prometheus_rule_evaluation_failures_total{{{_PROMETHEUS},rule_group="x"}}': f"0+1x40 40{EVER}"},
        {f'prometheus_rule_evaluation_failures_total{{{_PROMETHEUS},rule_group="x"}}': f"0x5 1{EVER}"},
        "30m",
        "70m",
        {"rule_group": "x"},
    ),
    "AlertmanagerUnreachable": Case(
        {f"prometheus_notifications_alertmanagers_discovered{{{_PROMETHEUS}}}": "0x30 1x30"},
        {f"prometheus_notifications_alertmanagers_discovered{{{_PROMETHEUS}}}": "1x60"},
        "20m",
        "50m",
    ),
    "AlertDeliveryFails": Case(
        {
            f"alertmanager_notifications_total{{{_ALERTMANAGER}}}": f"0+10{EVER}",
            f"alertmanager_notifications_failed_total{{{_ALERTMANAGER}}}": f"0+5x30 150{EVER}",
        },
        {f"alertmanager_notifications_failed_total{{{_ALERTMANAGER}}}": f"0{EVER}"},
        "20m",
        "60m",
        {"integration": "slack"},
    ),
    "MonitoringConfigurationRefused": Case(
        {f"prometheus_config_last_reload_successful{{{_PROMETHEUS}}}": "1x5 0x30 1x30"},
        {f"prometheus_config_last_reload_successful{{{_PROMETHEUS}}}": "1x5 0x5 1x60"},
        "25m",
        "60m",
        {"pod": "p"},
    ),
    "KubeStateMetricsMissing": Case(node(values="_x30 1x60"), node(), "20m", "60m"),
    "MetricsTargetDown": Case(
        {'up{namespace="gateway",pod="g"}': "1x5 0x30 1x30"},
        {'up{namespace="gateway",pod="g"}': "1x5 0x6 1x60"},
        "25m",
        "60m",
        {"pod": "g"},
    ),
}
CASES = MODELS | SCALING | ESTIMATES | GPUS | GATEWAY | SERVICE_LEVELS | BUDGET | MONITORING
