"""Alerts on the gateway: whether requests get in, and whether they find a replica."""

from __future__ import annotations

from components.observability.rules import Alert, joined

# Envoy's own word for "no certificate": the largest number of 32 bits.
_NO_CERTIFICATE = 2**32 - 1


def gateway() -> list[Alert]:
    return [*_requests(), *_limits()]


def _requests() -> list[Alert]:
    return [
        Alert(
            "GatewayDown",
            "critical",
            'absent(up{namespace="gateway"} == 1)',
            "3m",
            "No gateway pod answers",
            "Prometheus has reached no pod of the gateway for 3 minutes: no client reaches any model.",
            labels={"namespace": "gateway"},
        ),
        Alert(
            "GatewayErrorRatioHigh",
            "critical",
            'gateway:failed_requests:ratio_rate5m > 0.05 and sum(gateway:requests:rate5m{status=~"5.."}) > 0.05',
            "5m",
            "{{ $value | humanizePercentage }} of all requests at the gateway fail",
            "More than 5 % of all requests, over all models, have ended with a status of 500 or above for 5 minutes.",
            labels={"namespace": "gateway"},
        ),
        Alert(
            "NoHealthyUpstream",
            "critical",
            joined(
                "model:gateway_healthy_replicas:max == 0",
                "and on (model) (model:floor_replicas:plan > 0)",
                "and on (model) (model:replicas_ready:count > 0)",
            ),
            "3m",
            "The gateway sends nothing to {{ $labels.model }}",
            "Replicas of {{ $labels.model }} are ready for Kubernetes, but the gateway finds none that is healthy: every request gets 503.",
        ),
    ]


def _limits() -> list[Alert]:
    return [
        Alert(
            "GatewayShedsLoad",
            "warning",
            'sum by (envoy_cluster_name) (rate(envoy_cluster_upstream_rq_pending_overflow{envoy_cluster_name=~".+/.+"}[5m])) > 0.05',
            "10m",
            "The gateway refuses requests to {{ $labels.envoy_cluster_name }}",
            "{{ $value | humanize }} requests a second exceed what all replicas of {{ $labels.envoy_cluster_name }} take together: they "
            "get 503.",
        ),
        Alert(
            "GatewayOutOfMemory",
            "warning",
            "max by (pod) (envoy_overload_envoy_resource_monitors_fixed_heap_pressure) > 90",
            "5m",
            "{{ $labels.pod }} is near the memory at which it refuses requests",
            "The heap of {{ $labels.pod }} is at {{ $value }} % of what the gateway may take.",
        ),
        Alert(
            "ClientOverLimit",
            "info",
            joined(
                "client:requests_refused:rate5m",
                "> on (client) 0.2 * sum by (client) (client:requests:rate5m)",
            ),
            "15m",
            "{{ $labels.client }} asks for more than it may",
            "More than a fifth of the requests of {{ $labels.client }} have been refused with 429 for 15 minutes.",
        ),
    ]


def client_budgets(*, requests_pass: bool) -> list[Alert]:
    """`requests_pass`: whether clients with a budget are served while the rate limit service is away."""
    what = "are served and not counted" if requests_pass else "get 503"
    return [
        Alert(
            "RateLimitServiceAway",
            "warning" if requests_pass else "critical",
            "sum(rate(envoy_cluster_ratelimit_error[5m])) > 0",
            "5m",
            f"Budgets of clients cannot be read: their requests {what}",
            f"For 5 minutes the gateway has got no answer of the rate limit service for {{{{ $value | humanize }}}} requests a second of "
            f"clients with a budget: they {what}. The service or its Redis is away.",
            labels={"namespace": "rate-limits"},
        )
    ]


def certificates() -> list[Alert]:
    days = f"min(envoy_server_days_until_first_cert_expiring < {_NO_CERTIFICATE})"
    of_gateway = {"namespace": "gateway"}
    return [
        Alert(
            "CertificateExpiresSoon",
            "warning",
            f"{days} < 21",
            "1h",
            "The gateway's certificate ends in {{ $value }} days",
            "It should have been renewed by now: cert-manager does it a month before the end.",
            labels=of_gateway,
        ),
        Alert(
            "CertificateExpires",
            "critical",
            f"{days} < 3",
            "10m",
            "The gateway's certificate ends in {{ $value }} days",
            "After that no client can connect.",
            labels=of_gateway,
        ),
    ]
