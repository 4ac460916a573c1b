"""Pulls the archives of the pinned charts into a folder: `python -m tests.charts.pull <folder>`. Needs helm and a network."""

from __future__ import annotations

import subprocess
import sys

from config import catalog
from tests.charts.archives import CHARTS


def main(folder: str) -> int:
    for name in CHARTS:
        chart = catalog.chart(name)
        subprocess.run(["helm", "pull", name, "--repo", chart.repository, "--version", chart.version, "--destination", folder], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
