"""Which web pages may call from a browser: the filter, and the policy that it takes from the virtual host.

It stands before authentication: a browser asks without a key whether it may send one.
"""

from __future__ import annotations

from collections.abc import Sequence

from components.gateway.envoy.messages import Message, http_filter, typed

_EXPOSED = "x-request-id, retry-after, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset"
_MAX_AGE_SECONDS = 600


def cors() -> Message:
    return http_filter("cors", "Cors")


def policy(origins: Sequence[str]) -> Message:
    """`typed_per_filter_config` of a virtual host."""
    if not origins:
        return {}
    matches = [{"safe_regex": {"regex": ".*"}} if origin == "*" else {"exact": origin} for origin in origins]
    fields = {
        "allow_origin_string_match": matches,
        "allow_methods": "GET, POST",
        "allow_headers": "authorization, *",  # the asterisk does not stand for the first
        "expose_headers": _EXPOSED,
        "max_age": str(_MAX_AGE_SECONDS),
    }
    return {"typed_per_filter_config": {"envoy.filters.http.cors": typed("envoy.extensions.filters.http.cors.v3.CorsPolicy", **fields)}}
