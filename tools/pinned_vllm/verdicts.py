"""vLLM's own verdicts on engine arguments: its parser, its checks of them, and `EngineArgs.create_engine_config`.

Adds the missing verdicts in `tests/data/engine_verdicts.json`, whose questions `tests/engine_arguments.py` writes. No weights are loaded
and no kernel runs: see `stand_in.py`.
"""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import vllm
import vllm.model_executor.models.registry as registry
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.common.cli_args import make_arg_parser, validate_api_server_args, validate_parsed_serve_args
from vllm.usage.usage_lib import UsageContext
from vllm.utils.argparse_utils import FlexibleArgumentParser

from tools.pinned_vllm.stand_in import Gpu, StandIn

VERDICTS = Path(__file__).parents[2] / "tests" / "data" / "engine_verdicts.json"
SOURCE = "vLLM's parser, validate_parsed_serve_args and create_engine_config, on a CUDA platform whose driver is a table"
_LONGEST_MESSAGE = 300
# Inspect model classes in this process, which has the stand-in platform, not in a subprocess.
registry._run_in_subprocess = lambda look: look()


def rewrite() -> str:
    verdicts = json.loads(VERDICTS.read_text())
    asked = {name: case for name, case in verdicts["cases"].items() if "answer" not in case}
    for case in asked.values():
        case["answer"] = _in_a_process_of_its_own(case["question"])
    verdicts = {"vllm": vllm.__version__, "date": datetime.now(UTC).date().isoformat(), "source": SOURCE, "cases": verdicts["cases"]}
    VERDICTS.write_text(json.dumps(verdicts, indent=1) + "\n")
    refused = sum(not case["answer"]["accepted"] for case in asked.values())
    return f"{len(asked)} cases answered, {refused} of them refused"


def _in_a_process_of_its_own(question: dict[str, Any]) -> dict[str, Any]:
    """Runs in a new process, because vLLM caches platform and configuration per process."""
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    process = context.Process(target=lambda: answers.put(_answer(question)))
    process.start()
    answer = answers.get(timeout=300)
    process.join()
    return answer


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    StandIn.gpu = Gpu(**question["gpu"])
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(question["config"]))
        said = io.StringIO()
        try:
            with contextlib.redirect_stderr(said):
                _start(folder, question["arguments"][1:])
        except SystemExit:
            lines = [line for line in said.getvalue().splitlines() if "error:" in line]
            message = lines[-1] if lines else "the parser refuses it"
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
        else:
            return {"accepted": True}
        return {"accepted": False, "message": " ".join(message.replace(folder, "/model").split())[:_LONGEST_MESSAGE]}


def _start(folder: str, arguments: list[str]) -> None:
    """The steps of `vllm serve` before it starts processes."""
    args = make_arg_parser(FlexibleArgumentParser()).parse_args(["--model", folder, *arguments])
    validate_parsed_serve_args(args)
    AsyncEngineArgs.from_cli_args(args).create_engine_config(usage_context=UsageContext.OPENAI_API_SERVER)
    validate_api_server_args(args)
