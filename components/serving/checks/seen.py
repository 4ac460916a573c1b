"""Waits until every gateway pod has taken a configuration: run as a whole by `python3 -c`, with a JSON argument.

Standard library only. The kubelet takes up to a minute and a half to give a pod its changed files; until then the pod would send requests
to a colour that it does not know, or to one that is gone. A gateway without ready pods sends none, and a new pod begins with the new files.
"""

import contextlib
import http.client
import json
import re
import socket
import sys
import time
from typing import Any

_POLL_SECONDS = 2


def addresses(host: str, port: int) -> list[str]:
    """Of all pods of a headless Service that are ready; none where there is none."""
    try:
        return sorted({str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
    except socket.gaierror as error:
        if error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)):
            return []
        raise


def stats(address: str, port: int) -> str:
    with contextlib.closing(http.client.HTTPConnection(address, port, timeout=10)) as connection:
        connection.request("GET", "/stats/prometheus")
        return connection.getresponse().read().decode()


def main(given: dict[str, Any]) -> int:
    until, line = time.monotonic() + given["time_limit_seconds"], re.compile(given["line"], re.MULTILINE)
    while True:
        try:
            pods = addresses(given["host"], given["port"])
            behind = [address for address in pods if not line.search(stats(address, given["port"]))]
        except (OSError, http.client.HTTPException) as error:
            pods, behind = [], [repr(error)]
        if not behind:
            print(f"{len(pods)} gateway pods have {given['what']}", flush=True)
            return 0
        if time.monotonic() >= until:
            print(f"gateway pods without {given['what']}: {', '.join(behind)}", file=sys.stderr)
            return 1
        time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
