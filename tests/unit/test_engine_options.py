"""Planning reads every counted flag, with the same effect as in vLLM."""

import dataclasses

import pytest

from config.engine_flags import flags_of_class
from planning.engine_options import EngineOptions, engine_options
from planning.plan import make_plan
from tests.stacks import settings
from tests.unit.wrong_engines import ENGINE, ON_H100
from tests.unit.wrong_models import MODEL


def options(*arguments: str) -> EngineOptions:
    return engine_options(settings({f"{ENGINE}.extraArgs": list(arguments)}).models["qwen3-8b"])


def plan(*arguments: str, **changes):
    return make_plan(settings({f"{ENGINE}.extraArgs": list(arguments)} | changes)).models["qwen3-8b"]


def test_every_counted_flag_is_read_and_no_other():
    read = {"--" + field.name.replace("_", "-") for field in dataclasses.fields(EngineOptions)}
    assert read == flags_of_class("counted")


def test_json_and_its_keys_are_read_alike():
    whole = options('--limit-mm-per-prompt={"image": 2, "video": {"count": 0, "num_frames": 8}}')
    assert whole == options("--limit-mm-per-prompt.image=2", "--limit-mm-per-prompt.video=0")
    assert not options("--compilation-config.cudagraph_mode=PIECEWISE").full_cuda_graphs
    assert not options('--compilation-config={"cudagraph_mode": "none"}').full_cuda_graphs
    assert options("--compilation-config.mode=3").full_cuda_graphs


def test_quantized_while_loading_weights_are_half_as_large_but_for_the_embeddings():
    plain, quantized = plan().memory.weights, plan("--quantization=fp8").memory.weights
    embeddings = 2 * 151936 * 4096 * 2 / 1024**3  # Qwen3-8B does not tie them
    assert quantized == pytest.approx((plain - embeddings) / 2 + embeddings, rel=0.01)


def test_offloaded_weights_leave_the_gpu_and_come_to_the_pod():
    plain, offloaded = plan(), plan("--cpu-offload-gb=4")
    assert offloaded.memory.weights == pytest.approx(plain.memory.weights - 4)
    assert offloaded.memory.kv_cache == pytest.approx(plain.memory.kv_cache + 4)


def test_a_kv_cache_of_a_fixed_size_is_that_size():
    assert plan("--kv-cache-memory-bytes=2G").memory.kv_cache == 2.0


def test_kv_cache_outside_the_gpu_is_in_shared_memory():
    assert plan("--kv-offloading-size=8").shape.shared_memory_gib == plan().shape.shared_memory_gib + 8


def test_default_sequences_follow_the_tokens_of_a_step():
    assert plan(**{f"{ENGINE}.maxNumBatchedTokens": 128}).limits.max_num_seqs == 128
    small = {f"{MODEL}.source": "Qwen/Qwen3-0.6B"}
    assert plan(**(small | {f"{ENGINE}.maxNumSeqs": 2100})).limits.max_num_batched_tokens == 2100


def test_a_hybrid_models_default_sequences_follow_the_blocks_of_its_states():
    small = {f"{MODEL}.source": "Qwen/Qwen3.5-27B", f"{ENGINE}.maxModelLen": 8192, f"{ENGINE}.gpuMemoryUtilization": 0.8}
    limits = plan(**(ON_H100 | small)).limits
    assert limits.max_num_seqs < 256


QWEN_VL = {
    f"{MODEL}.source": "Qwen/Qwen2.5-VL-7B-Instruct",
    "nodePools.l4.machineType": "a3-highgpu-8g",
    f"{MODEL}.parallelism": {"tensor": 4},
}


def test_an_encoder_that_is_not_loaded_takes_nothing_and_one_on_every_gpu_is_there_whole():
    plain, text_only, whole = plan(**QWEN_VL), plan("--language-model-only", **QWEN_VL), plan("--mm-encoder-tp-mode=data", **QWEN_VL)
    encoder = 4 * (plain.memory.weights - text_only.memory.weights)
    assert encoder == pytest.approx(0.676e9 * 2 / 1024**3, rel=0.02)  # parameters of its vision tower, by the model card of Qwen2.5-VL
    assert whole.memory.weights - plain.memory.weights == pytest.approx(encoder * 3 / 4, rel=0.01)
    assert text_only == plan('--limit-mm-per-prompt={"image": 0, "video": 0}', **QWEN_VL)


@pytest.mark.parametrize(("arguments", "pools"), [
    ([], False),
    (["--runner=pooling"], True),
    (["--convert=embed"], True),
    (["--convert=classify"], True),
    (["--convert=none"], False),
    (["--runner=generate", "--convert=embed"], False),
], ids=str)  # fmt: skip
def test_a_model_pools_where_it_is_told_to_or_converted(arguments, pools):
    """vllm/config/model.py: runner `auto` takes the pooling runner for a model that is converted."""
    assert options(*arguments).pooling is pools
