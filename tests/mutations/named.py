"""Mistakes that were made by hand, and that no test in process noticed: each must be noticed now."""

from __future__ import annotations

# name: (file, what is there, what stands there instead)
NAMED: dict[str, tuple[str, str, str]] = {
    "trust in remote code is always on": (
        "components/serving/engine.py",
        '"--trust-remote-code": engine.trust_remote_code',
        '"--trust-remote-code": True',
    ),
}
