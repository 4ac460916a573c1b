"""Runs a line as if pasted into a shell."""

import os
import shutil
import subprocess

import pytest

from tests.model_servers import DEADLINE_SECONDS

# In CI a missing curl is a failure, not a skip.
needs_curl = pytest.mark.skipif(not shutil.which("curl") and os.environ.get("CI") != "true", reason="curl is not installed")


def pasted(line: str) -> str:
    """Standard output of the line."""
    return subprocess.run(["/bin/sh", "-c", line], check=True, capture_output=True, text=True, timeout=DEADLINE_SECONDS).stdout
