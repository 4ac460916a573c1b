"""Logs of vLLM in JSON say to `make calibrate` and `make doctor` what those in text say. The form is that of vLLM 0.33 with
`--logging-config={"formatter": "json"}`."""

import json
import re
from pathlib import Path

import pytest

from tools.catalogue.calibrate.startup_log import read
from tools.doctor.endings import engine_ending, last_lines
from tools.engine_log import as_text

LOGS = Path(__file__).parent.parent / "data" / "startup_logs"
_LINE = re.compile(r"\((?P<process>\w+) pid=(?P<pid>\d+)\) (?P<level>[A-Z]+) (?P<time>[\d-]+ [\d:]+) \[[^]]+\] (?P<message>.*)")


def in_json(text: str) -> str:
    """The same entries as vLLM writes them in JSON."""
    entries = []
    for line in text.splitlines():
        found = _LINE.match(line)
        assert found, line
        entry = {"asctime": f"2026-{found['time']},163", "levelname": found["level"], "name": "vllm", "processName": found["process"]}
        entries.append(json.dumps(entry | {"process": int(found["pid"]), "message": found["message"], "vllm_process_name": "x"}))
    return "\n".join(entries)


@pytest.mark.parametrize("before", ["", "2026-10-06T16:59:40.1Z stdout F "], ids=["alone", "behind what the runtime writes"])
def test_a_start_in_json_is_read_as_one_in_text(before):
    text = (LOGS / "llama-3.1-8b-a100-80gb-0.31.0.log").read_text()
    log = "\n".join(before + line for line in in_json(text).splitlines())
    assert read(log) == read(text)


# As vLLM 0.33 wrote it.
FAILED = (
    '{"asctime": "2026-11-28 19:10:04,174", "levelname": "ERROR", "name": "vllm.v1.engine.core", "processName": "EngineCore", '
    '"process": 57, "message": "EngineCore failed to start.", "exc_info": "Traceback (most recent call last):\\n  '
    'File \\"core.py\\", line 8, in <module>\\nValueError: Free memory on device cuda:0 (1.0/22.0 GiB) on startup is less than desired '
    'GPU memory utilization (0.92, 20.2 GiB).", "vllm_process_name": "EngineCore"}'
)


def test_what_was_raised_is_told_below_its_entry():
    text = as_text(f"INFO starting\n{FAILED}")
    assert text.splitlines()[:3] == [
        "INFO starting",
        "ERROR 11-28 19:10:04 EngineCore failed to start.",
        "Traceback (most recent call last):",
    ]
    assert last_lines(text).endswith("(0.92, 20.2 GiB).")
    ending = engine_ending(text)
    assert ending
    assert "something else holds memory" in ending.message


@pytest.mark.parametrize("line", ["", "{", '{"a": 1}', "config: {'model': 'x'}", '{"message": "no level"}', '{"levelname": '])
def test_what_is_no_entry_stays_as_it_is(line):
    assert as_text(line) == line
