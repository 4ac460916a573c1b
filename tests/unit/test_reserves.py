"""Reserves (memory beside weights and KV cache), compared with start-up logs of vLLM."""

import pytest

from config import catalog
from config.architecture import Architecture
from config.errors import StackError
from config.models import Model
from planning.encoders import encoder_peak
from planning.memory import FEWER_SEQS
from planning.plan import make_plan
from planning.reserves import GIB, capture_sizes, forward_peak, reserves, sampler_peak
from tests.stacks import settings
from tests.unit import right_memory
from tests.unit.right_memory import H100_1, MODEL


def architecture(source: str) -> Architecture:
    row = catalog.model(source)
    assert row is not None
    return row.architecture


def model(**engine) -> Model:
    return Model.model_validate({"source": "a/b", "nodePool": "p", "engine": engine})


# The tower of Qwen3.5-4B: 24 layers, patches of 16 pixels, four of them a token, images of up to 16,384 tokens.
VISION = {"num_hidden_layers": 24, "hidden_size": 1024, "intermediate_size": 4096, "patches_per_token": 4, "max_tokens": 16384}


def with_vision(source: str = "Qwen/Qwen3-4B") -> Architecture:
    return Architecture.model_validate(architecture(source).model_dump() | {"vision_config": VISION})


def test_gpt_oss_120b_does_not_fit_one_h100_with_vllms_defaults():
    with pytest.raises(StackError, match="KV cache"):
        make_plan(settings(H100_1 | {f"{MODEL}.source": "openai/gpt-oss-120b", f"{MODEL}.engine": {}}))


def test_a_layers_peak_is_that_of_a_log_in_which_nothing_else_peaked():
    assert forward_peak(architecture("meta-llama/Llama-3.1-8B"), 2048, 1) / GIB == pytest.approx(0.22, rel=0.15), "vLLM 0.8 on an A10G"


# H100 with vLLM's default of 1,024 sequences, 0.10.1 and 0.11.0: overhead of the log less what lies outside PyTorch, 0.27 GiB.
@pytest.mark.parametrize(
    ("source", "gib"),
    [
        ("openai/gpt-oss-20b", 7.17),
        ("openai/gpt-oss-120b", 7.09),
        ("meta-llama/Llama-3.1-8B", 4.55),
        ("Qwen/Qwen3-32B", 5.44),
    ],
)
def test_the_sampler_peaked_with_sequences_times_vocabulary(source, gib):
    assert sampler_peak(architecture(source), 1024, (0, 11)) / GIB == pytest.approx(gib, rel=0.07)


@pytest.mark.parametrize(("seqs", "sizes"), [(1024, 51), (256, 51), (128, 35), (32, 11)])
def test_graphs_are_captured_for_as_many_sizes_as_vllm_logs(seqs, sizes):
    assert capture_sizes(seqs) == sizes


def test_reserves_shrink_with_the_batch_and_the_sequences_and_grow_with_them():
    found = [
        reserves(model(), architecture("Qwen/Qwen3-8B"), tokens, seqs).activation
        for tokens, seqs in ((512, 32), (2048, 256), (16384, 1024))
    ]
    assert found[0] < 0.25 * GIB < found[1] < found[2]


def test_without_cuda_graphs_nothing_is_reserved_for_them():
    assert reserves(model(enforceEager=True), architecture("Qwen/Qwen3-8B"), 2048, 256).cuda_graphs == 0
    assert 0 < reserves(model(), architecture("Qwen/Qwen3-8B"), 2048, 256).cuda_graphs < GIB


def test_tensor_parallelism_splits_the_layers_and_brings_nccl():
    alone = reserves(model(), architecture("Qwen/Qwen3-32B"), 8192, 64)
    two = Model.model_validate({"source": "a/b", "nodePool": "p", "parallelism": {"tensor": 2}})
    shared = reserves(two, architecture("Qwen/Qwen3-32B"), 8192, 64)
    assert shared.activation < 0.7 * alone.activation
    assert shared.non_torch > alone.non_torch + 0.3 * GIB


# vLLM 0.22.0, Qwen3.5-4B: 1.84 GiB beside graphs on two GPUs, with 2,048 and with 8,192 batched tokens; 0.15 of it outside PyTorch.
@pytest.mark.parametrize("batched", [2048, 8192])
def test_the_largest_image_sets_the_peak_of_a_model_that_sees(batched):
    assert encoder_peak(model(), with_vision(), batched) / GIB == pytest.approx(1.69, rel=0.1)


@pytest.mark.parametrize(
    "argument",
    [
        '--limit-mm-per-prompt={"image": 0, "video": 0}',
        '--limit-mm-per-prompt={"image": {"count": 0}, "video": 0}',
        "--language-model-only",
        "--skip-mm-profiling",
    ],
)
def test_an_encoder_that_no_prompt_reaches_takes_nothing(argument):
    assert encoder_peak(model(extraArgs=[argument]), with_vision(), 2048) == 0


def test_a_model_that_fits_only_with_fewer_sequences_gets_fewer_unless_it_asks_for_more():
    tight = right_memory.RIGHT["a 32B with 32,768 tokens on one H100, as in Google's sample"]
    assert make_plan(settings(tight)).models["qwen3-8b"].limits.max_num_seqs == FEWER_SEQS
    with pytest.raises(StackError, match=r"or set engine\.maxNumSeqs to 256"):
        make_plan(settings(tight | {f"{MODEL}.engine.maxNumSeqs": 1024}))
