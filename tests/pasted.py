"""Lines as people paste them into a shell."""

import os
import shutil
import subprocess

import pytest

from tests.model_servers import DEADLINE_SECONDS

# Where curl must be there, a test without it is a failure.
needs_curl = pytest.mark.skipif(not shutil.which("curl") and os.environ.get("CI") != "true", reason="curl is not installed")


def pasted(line: str) -> str:
    """What the line prints."""
    return subprocess.run(["/bin/sh", "-c", line], check=True, capture_output=True, text=True, timeout=DEADLINE_SECONDS).stdout
