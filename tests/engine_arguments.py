"""Questions for vLLM: the engine arguments that the program writes for a case, even if the plan refuses it; and the plan's verdict.

`python -m tests.engine_arguments` updates the questions in `tests/data/engine_verdicts.json` and keeps the answers to unchanged ones;
`python -m tools.pinned_vllm verdicts`, with vLLM installed, answers the others.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from components.serving.engine import engine_arguments
from config.errors import StackError
from config.models import Model
from config.settings import Settings
from planning.drain import drain
from planning.long_context import hf_overrides
from planning.machines import read_pool
from planning.parsers import plan_parsers
from planning.plan import make_plan
from planning.sized import size
from planning.weights import plan_weights
from tests.stacks import settings
from tests.unit.engine_cases import CASES, Case
from tools.catalogue.hugging_face.config import architecture_from_config, as_row

VERDICTS = Path(__file__).parent / "data" / "engine_verdicts.json"
FOLDER = "/model"


def case_settings(case: Case) -> Settings:
    """The stack of a case."""
    model = {"source": "acme/case", "revision": "0" * 40, "nodePool": "l4", "engine": case.engine} | case.more
    model["architecture"] = as_row(architecture_from_config(case.config))
    return settings({"nodePools.l4.machineType": case.machine, "models.qwen3-8b": model})


def refusals(case: Case) -> list[str]:
    """The plan's problems with a case; empty if it is accepted."""
    try:
        make_plan(case_settings(case))
    except StackError as error:
        return [str(problem) for problem in error.problems]
    return []


def question(case: Case) -> dict[str, Any]:
    """The question for vLLM: config.json, the GPU, and the program's arguments of `vllm serve`, refused ones included."""
    read = case_settings(case)
    model: Model = read.models["qwen3-8b"]
    refused = case.engine.get("extraArgs", [])[len(model.engine.extra_args) :]
    pool = read_pool(read, "l4")
    assert pool is not None
    assert pool.machine.accelerator is not None
    sized = size(model, {"l4": pool})
    assert sized is not None
    plan: Any = SimpleNamespace(
        served_names=("case",),
        pool=pool,
        limits=sized.limits,
        memory=sized.memory,
        capacity=sized.capacity,
        shape=sized.shape,
        weights=plan_weights(model, sized.memory.weights_bytes),
        parsers=plan_parsers(model),
        hf_overrides=hf_overrides(sized.checkpoint, model.engine.rope_scaling),
        force_include_usage=False,
        log_format=read.platform.log_format,
        tracing=read.platform.tracing,
    )
    arguments = engine_arguments(model, plan, drain(read.cluster, "on-demand"), FOLDER)
    accelerator = pool.machine.accelerator
    gpu = {"name": accelerator.display_name, "capability": accelerator.compute_capability, "memory_gib": accelerator.memory_gib}
    return {
        "config": case.config,
        "gpu": gpu | {"count": pool.machine.gpus},
        "arguments": [*arguments, *refused],
    }


def recorded() -> dict[str, Any]:
    return json.loads(VERDICTS.read_text())


def main() -> None:
    kept = recorded() if VERDICTS.exists() else {"cases": {}}
    asked = {name: question(case) for name, case in CASES.items()}
    answers = {name: old["answer"] for name, old in kept["cases"].items() if old.get("answer") and old["question"] == asked.get(name)}
    kept["cases"] = {name: {"question": one} | ({"answer": answers[name]} if name in answers else {}) for name, one in asked.items()}
    VERDICTS.write_text(json.dumps(kept, indent=1) + "\n")
    print(f"{len(asked) - len(answers)} of {len(asked)} cases are to be answered")


if __name__ == "__main__":
    main()
