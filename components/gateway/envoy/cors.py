"""CORS: the filter, and its policy in the virtual host.

The filter is before authentication, because a browser's preflight request has no key.
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
        "allow_headers": "authorization, *",  # `*` does not include authorization
        "expose_headers": _EXPOSED,
        "max_age": str(_MAX_AGE_SECONDS),
    }
    return {"typed_per_filter_config": {"envoy.filters.http.cors": typed("envoy.extensions.filters.http.cors.v3.CorsPolicy", **fields)}}
