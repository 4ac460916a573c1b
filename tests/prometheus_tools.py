"""Prometheus' own tools, promtool and amtool: from the packages `prometheus` and `prometheus-alertmanager`, or wherever PATH has them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def tool(name: str) -> str:
    """Path of the tool. Skips the test where it is not installed, but never where a pull request is judged."""
    found = shutil.which(name)
    if found is None and os.environ.get("CI") != "true":
        pytest.skip(f"{name} is not installed")
    return found or name


def run(name: str, *arguments: str | Path) -> str:
    """What the tool prints; fails the test where it does not accept what it is given."""
    done = subprocess.run([tool(name), *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"[-12000:]
    return done.stdout
