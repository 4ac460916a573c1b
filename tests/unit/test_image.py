"""The plan warns of an image whose tag does not name the pinned vLLM version."""

import pytest

from planning.plan import make_plan
from tests.stacks import settings

IMAGE = "models.qwen3-8b.image"


@pytest.mark.parametrize(
    ("image", "doubted"),
    [
        ("vllm/vllm-openai:v0.33.0", False),
        ("registry:5000/vllm:0.33.0-acme1", False),
        ("acme/vllm:v0.33.0@sha256:" + "0" * 64, False),
        ("acme/vllm:v0.33.01", True),
        ("acme/vllm:v0.32.0", True),
        ("acme/vllm:2026-11-28", True),
        ("acme/vllm@sha256:" + "0" * 64, True),
    ],
)
def test_an_image_that_may_hold_another_version_is_doubted(image, doubted):
    assert (IMAGE in {one.path for one in make_plan(settings({IMAGE: image})).warnings}) is doubted
