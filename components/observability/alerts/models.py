"""Alerts on models: whether they serve, whether they keep up, and whether their pods live."""

from __future__ import annotations

from components.observability.rules import Alert, joined

# A model is new until its first start could have ended.
_NOT_NEW = "(time() - model:created:max) > on (model) model:startup_limit_seconds:plan"


def serving() -> list[Alert]:
    return [
        Alert(
            "ModelDown",
            "critical",
            joined(
                "model:floor_replicas:plan > 0",
                "unless on (model) model:replicas_ready:count > 0",
                f"and on (model) ({_NOT_NEW})",
            ),
            "5m",
            "No replica of {{ $labels.model }} is ready",
            "{{ $labels.model }} should always have {{ $value }} replicas on pool {{ $labels.pool }}. None has been ready for 5 minutes: "
            "every request to it fails.",
        ),
        Alert(
            "ModelBelowFloor",
            "warning",
            "model:floor_replicas:plan > on (model) group_left () (model:replicas_ready:count or on (model) 0 * model:floor_replicas:plan)",
            "20m",
            "{{ $labels.model }} has fewer replicas than its floor",
            "Of the {{ $value }} replicas that {{ $labels.model }} should always have, some have not been ready for 20 minutes.",
        ),
        Alert(
            "EngineStuck",
            "critical",
            joined(
                "sum by (model, namespace, pod) (vllm:num_requests_running) > 0",
                "unless on (model, namespace, pod)",
                "  (sum by (model, namespace, pod) (rate(vllm:generation_tokens_total[5m]) + rate(vllm:prompt_tokens_total[5m])) > 0)",
            ),
            "5m",
            "A replica of {{ $labels.model }} holds requests and makes no tokens",
            "{{ $labels.pod }} has {{ $value }} requests running and has neither read nor written a token for 10 minutes. /health may "
            "still answer.",
        ),
        Alert(
            "ErrorRatioHigh",
            "warning",
            "model:failed_requests:ratio_rate5m > 0.05",
            "10m",
            "{{ $value | humanizePercentage }} of the requests to {{ $labels.model }} fail",
            "More than 5 % of the requests to {{ $labels.model }} have ended with a status of 500 or above for 10 minutes.",
        ),
        Alert(
            "ModelMetricsMissing",
            "warning",
            "model:replicas_ready:count > on (model) (model:targets_up:sum or on (model) 0 * model:replicas_ready:count)",
            "10m",
            "Prometheus does not see all replicas of {{ $labels.model }}",
            "{{ $value }} replicas of {{ $labels.model }} are ready, but not all of them have been scraped for 10 minutes: what is shown "
            "and alerted on is of the others only.",
        ),
    ]


def load() -> list[Alert]:
    waiting = "min_over_time(model:requests_waiting_for_capacity:sum[10m])"
    return [
        Alert(
            "QueueBacklog",
            "warning",
            f"{waiting} > 4 and {waiting} > on (model) 0.5 * model:requests_running:sum",
            "5m",
            "Requests queue up at {{ $labels.model }}",
            "For 15 minutes at least {{ $value }} requests have waited for room at {{ $labels.model }}, more than half of what runs.",
        ),
        Alert(
            "KvCacheSaturated",
            "warning",
            joined(
                "min_over_time(model:kv_cache_usage:max[10m]) > 0.95",
                f"and on (model) {waiting} > 0",
            ),
            "5m",
            "The KV cache of {{ $labels.model }} is full and requests wait for it",
            "A replica of {{ $labels.model }} has had {{ $value | humanizePercentage }} of its KV cache in use for 15 minutes while "
            "requests wait.",
        ),
        Alert(
            "PreemptionsHigh",
            "warning",
            "model:preemptions:rate5m > on (model) 0.1 * model:requests:rate5m and on (model) model:preemptions:rate5m > 0.01",
            "15m",
            "{{ $labels.model }} starts requests that it must put off again",
            "{{ $value | humanize }} requests a second are preempted: their KV cache did not fit, and what was computed is computed again.",
        ),
        Alert(
            "AdmissionRejections",
            "warning",
            joined(
                "model:admission_rejections:rate5m > on (model) 0.01 * model:requests:rate5m",
                "and on (model) model:admission_rejections:rate5m > 0.01",
            ),
            "10m",
            "{{ $labels.model }} refuses requests because its queue is full",
            "{{ $value | humanize }} requests a second have been refused with 503 for 10 minutes.",
        ),
        Alert(
            "ModelAtMaxReplicas",
            "warning",
            joined(
                f"model:replicas_ready:count >= on (model) group_right () model:ceiling_replicas:plan and on (model) {waiting} > 0",
            ),
            "15m",
            "{{ $labels.model }} has all the replicas it may have, and requests wait",
            "All {{ $value }} replicas that scaling.ceiling allows are ready, and still requests have waited for 15 minutes.",
        ),
    ]


def pods() -> list[Alert]:
    unscheduled = 'kube_pod_status_scheduled{condition="false"} == 1'
    restarts = 'increase(kube_pod_container_status_restarts_total{namespace=~"model-.+|gateway"}[30m])'
    killed = 'kube_pod_container_status_last_terminated_reason{reason="OOMKilled"} == 1'
    return [
        Alert(
            "PodPendingTooLong",
            "warning",
            f'pod:of_model:group{{tier="floor"}} and on (namespace, pod) ({unscheduled})',
            "15m",
            "A replica of {{ $labels.model }} finds no node",
            "{{ $labels.pod }} belongs to the floor of {{ $labels.model }} and has had no node for 15 minutes.",
        ),
        Alert(
            "StartupOverBudget",
            "warning",
            joined(
                "pod:of_model:group * on (namespace, pod) group_left () (time() - max by (namespace, pod) (kube_pod_start_time))",
                "  > on (model) group_left () model:startup_limit_seconds:plan",
                'unless on (namespace, pod) max_over_time(kube_pod_status_ready{condition="true"}[1d]) == 1',
            ),
            "1m",
            "A replica of {{ $labels.model }} takes longer to start than planned",
            "{{ $labels.pod }} has been on a node for {{ $value | humanizeDuration }} and was never ready: longer than image, download "
            "and the start-up budget may take together.",
        ),
        Alert(
            "PodCrashLooping",
            "warning",
            f"{restarts} >= 3",
            "0m",
            "{{ $labels.pod }} starts again and again",
            "{{ $labels.container }} of {{ $labels.namespace }}/{{ $labels.pod }} has ended {{ $value | humanize }} times in 30 minutes.",
            keep="15m",
        ),
        Alert(
            "PodOutOfMemory",
            "warning",
            f"({killed}) and on (namespace, pod, container) {restarts} > 0",
            "0m",
            "{{ $labels.pod }} was killed for its memory",
            "{{ $labels.container }} of {{ $labels.namespace }}/{{ $labels.pod }} used more memory than its limit (OOMKilled).",
            keep="15m",
        ),
    ]
