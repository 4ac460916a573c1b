"""The plan refuses and accepts the same engine arguments as the pinned vLLM's `create_engine_config`.

vLLM's answers are data. A case whose arguments have changed since its answer is skipped until it has a new one: see
`tests/engine_arguments.py`.
"""

import pytest

from config import catalog
from tests.engine_arguments import question, recorded, refusals
from tests.unit.engine_cases import CASES

VERDICTS = recorded()


def test_the_verdicts_are_those_of_the_pinned_image():
    assert catalog.image("vllm").tag == f"v{VERDICTS['vllm']}"
    assert set(VERDICTS["cases"]) == set(CASES)


def is_answered(name: str) -> bool:
    kept = VERDICTS["cases"][name]
    return "answer" in kept and kept["question"] == question(CASES[name])


def test_vllm_has_answered_most_cases_as_they_are_now():
    assert sum(map(is_answered, CASES)) > 0.8 * len(CASES), "ask it again: tests/engine_arguments.py"


@pytest.mark.parametrize("name", CASES)
def test_the_plan_says_what_vllm_says(name):
    case, kept = CASES[name], VERDICTS["cases"][name]
    if not is_answered(name):
        pytest.skip("vLLM is to be asked again: tests/engine_arguments.py")
    found = refusals(case)
    accepted = kept["answer"]["accepted"] and not case.later
    assert bool(found) is not accepted, found or kept["answer"]["message"]
