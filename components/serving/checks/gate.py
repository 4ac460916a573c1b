"""Asks Prometheus whether a candidate may get more requests: run as a whole by `python3 -c`, with a JSON argument.

Standard library only. It waits until the candidate has had enough requests, and then judges it once.
"""

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

_POLL_SECONDS = 10


def value(prometheus: str, query: str) -> float | None:
    """The value of a query with one element; None where it has none, or no number."""
    url = f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(url, timeout=30) as response:  # noqa: S310 - the address is the stack's Prometheus
        result = json.load(response)["data"]["result"]
    number = float(result[0]["value"][1]) if result else float("nan")
    return None if number != number else number


def waited_for(prometheus: str, query: str, least: float, until: float) -> str | None:
    """Why there are too few requests; None once there are enough."""
    while True:
        try:
            count = value(prometheus, query) or 0.0
            failure = f"{count:.0f} requests are too few to judge it by: gate.minRequests is {least:g}"
        except (OSError, ValueError, KeyError) as error:
            count, failure = -1.0, f"Prometheus does not answer: {error}"
        if count >= least:
            return None
        if time.monotonic() >= until:
            return failure
        time.sleep(min(_POLL_SECONDS, max(0.1, until - time.monotonic())))


def judged(given: dict[str, Any]) -> list[str]:
    """What speaks against the candidate."""
    errors, candidate, live = (value(given["prometheus"], given["queries"][name]) for name in ("errors", "ttft", "live_ttft"))
    print(json.dumps({"errors": errors, "ttft_p95": candidate, "live_ttft_p95": live}), flush=True)
    found = []
    if errors is None or errors > given["max_error_ratio"]:
        found.append(
            f"{'an unknown share' if errors is None else f'{errors:.2%}'} of its requests failed: {given['max_error_ratio']:.2%} may"
        )
    if candidate is None or live is None:
        missing = "the candidate" if candidate is None else "the live colour"
        found.append(f"no time to first token of {missing} was measured, so they cannot be compared")
    elif candidate > live * given["max_ttft_ratio"]:
        more = f"{given['max_ttft_ratio']:g} times the live colour's {live:.2f} s"
        found.append(f"95 % of its first tokens come within {candidate:.2f} s, more than {more}")
    return found


def main(given: dict[str, Any]) -> int:
    until = time.monotonic() + given["time_limit_seconds"]
    few = waited_for(given["prometheus"], given["queries"]["requests"], given["min_requests"], until)
    try:
        failures = [few] if few else judged(given)
    except (OSError, ValueError, KeyError) as error:
        failures = [f"Prometheus does not answer: {error}"]
    for failure in failures:
        print(f"the candidate gets no more requests: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
