"""The stand-in answers what a real vLLM has answered to the same questions: `tests/data/vllm_answers.json`, a row a question.

`python -m tools.pinned_vllm answers` asks a real one again. What is compared is said in `tools.pinned_vllm.answers`: statuses, headers,
keys and types, the values and words that clients read, the kinds of chunks of a stream in their order, and what is counted.
"""

import json
from pathlib import Path

import pytest

from tests.model_servers import one_server
from tools.pinned_vllm.answers.asking import ask
from tools.pinned_vllm.answers.questions import ADAPTER, MAX_MODEL_LEN, MAX_NUM_QUEUED_REQS, MAX_NUM_SEQS, NAMES, QUESTIONS
from tools.pinned_vllm.answers.tiny_model import VOCABULARY

ANSWERS = json.loads((Path(__file__).parents[1] / "data" / "vllm_answers.json").read_text())
ROWS = [(kind, name) for kind, questions in QUESTIONS.items() for name in questions]
SERVER = {
    "served_model_name": NAMES,
    "lora_modules": (ADAPTER,),
    "max_model_len": MAX_MODEL_LEN,
    "max_num_seqs": MAX_NUM_SEQS,
    "max_num_queued_reqs": MAX_NUM_QUEUED_REQS,
    "vocab_size": VOCABULARY,
    "embeds": False,
    "seconds_per_token": 0.002,
    "answer_tokens": 1000,
}
DEPLOYED = {"enable_force_include_usage": True, "enable_auto_tool_choice": True}


@pytest.fixture(scope="module")
def servers():
    with one_server(**SERVER) as (bare, _), one_server(**SERVER, **DEPLOYED) as (deployed, _):
        yield {"bare": bare, "deployed": deployed}


def test_every_question_has_an_answer_of_a_real_server_and_no_other_is_kept():
    assert [(kind, name) for kind in QUESTIONS for name in ANSWERS[kind]] == ROWS


@pytest.mark.parametrize(("kind", "name"), ROWS, ids=[f"{kind}: {name}" for kind, name in ROWS])
def test_the_stand_in_answers_as_vllm_has_answered(servers, kind, name):
    server = servers[kind]
    found, real = ask(server.settings.host, server.port, QUESTIONS[kind][name], settled_seconds=0.01), ANSWERS[kind][name]
    if "error" in real.get("body", {}) and real["body"]["error"].get("message") == "<several validation errors>":
        # One for each way in which vLLM's models of the request could have read it; they are not copied here.
        found["body"]["error"]["message"] = real["body"]["error"]["message"]
    assert found == real
