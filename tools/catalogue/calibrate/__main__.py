"""`make calibrate`: prints the `measured` row of a start-up log of vLLM.

Exit codes: 0, or 2 with one line that says what is missing.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

import yaml

from tools.catalogue.calibrate.row import gpu_of, measured_row
from tools.catalogue.calibrate.startup_log import Incomplete, read


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="calibrate", description="Print what a start-up log of vLLM measured, for the plan to use.")
    parser.add_argument("log", help="start-up log of vLLM, or - for standard input")
    parser.add_argument("--gpu", default="", help="GPU by the catalogue's name, where its memory does not tell")
    given = parser.parse_args(arguments)
    try:
        log = read(_text(given.log))
        row = measured_row(log, gpu_of(log, given.gpu), datetime.now(UTC).date())
    except Incomplete as error:
        print(error, file=sys.stderr)
        return 2
    print("# Under the model in the stack file, or in its row of config/catalog/models.yaml.")
    written = row.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    print(yaml.safe_dump({"measured": [written]}, sort_keys=False, default_flow_style=False, width=120), end="")
    return 0


def _text(path: str) -> str:
    if path in ("", "."):
        raise Incomplete("say which log: make calibrate LOG=<start-up log of vLLM>")
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Incomplete(f"{path} cannot be read: {error.strerror}") from None


if __name__ == "__main__":
    sys.exit(main())
