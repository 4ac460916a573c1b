"""vLLM's log as text, whichever `platform.logFormat` it was written with. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator


def as_text(log: str) -> str:
    """Entries of JSON as vLLM writes them in text: level, day, time and message, and below it what was raised. Other lines as they are."""
    return "\n".join(line for one in log.splitlines() for line in _lines(one))


def _lines(line: str) -> Iterator[str]:
    entry = _entry(line[max(0, line.find("{")) :])
    if entry is None:
        yield line
        return
    # 2026-11-28 19:10:04,163: text has neither the year nor the milliseconds.
    yield f"{entry['levelname']} {entry.get('asctime', '')[5:19]} {entry['message']}"
    yield from entry.get("exc_info", "").splitlines()


def _entry(text: str) -> dict[str, str] | None:
    if not text.startswith('{"'):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if found.keys() >= {"levelname", "message"} else None
