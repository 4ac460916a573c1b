"""GPU memory of speculative decoding, compared with published sizes of draft models and heads."""

import pytest

from config import catalog
from config.architecture import Architecture
from config.models import Parallelism
from planning.plan import make_plan
from planning.speculative import Draft, draft_of, draft_weights
from tests.stacks import REVISION, settings
from tests.unit.wrong_models import H100, MODEL

GIB = 1024**3
ONE = Parallelism()


def plan(source="Qwen/Qwen3-32B", speculative=None, **changes):
    engine = {"maxModelLen": 8192} | ({"speculative": speculative} if speculative else {})
    found = make_plan(
        settings(H100 | {f"{MODEL}.source": source, f"{MODEL}.engine": engine, f"{MODEL}.parallelism": {"tensor": 4}} | changes)
    )
    return found.models["qwen3-8b"]


def row(source):
    found = catalog.model(source)
    assert found is not None
    return found


def test_the_layer_for_multi_token_prediction_of_deepseek_v3_has_its_published_size():
    # deepseek-ai/DeepSeek-V3, README_WEIGHTS.md: 11.5B unique parameters, without the shared embedding and output head; in fp8.
    target = row("deepseek-ai/DeepSeek-V3").architecture
    model = settings({f"{MODEL}.engine.speculative": {"method": "mtp", "numSpeculativeTokens": 1}}).models["qwen3-8b"]
    draft = draft_of(model, target)
    assert draft is not None
    total, per_gpu = draft_weights(draft, target, ONE, "auto")
    assert total == pytest.approx(11.5e9, rel=0.03)
    assert per_gpu == pytest.approx(total, rel=0.001)


def test_an_eagle_3_head_has_its_published_size():
    # yuhuili/EAGLE3-LLaMA3.1-Instruct-8B: one layer, 32,000 tokens of its own, three hidden states in; 0.85 GB in 16 bits.
    head = Architecture.model_validate(
        {
            "model_type": "llama",
            "hidden_size": 4096,
            "num_hidden_layers": 1,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "intermediate_size": 14336,
            "vocab_size": 32000,
            "max_position_embeddings": 2048,
        }
    )
    total, _ = draft_weights(Draft("eagle3", head), row("meta-llama/Llama-3.1-8B").architecture, ONE, "auto")
    assert total == pytest.approx(0.85e9, rel=0.07)


def test_a_draft_model_counts_whole_in_weights_disk_and_kv_cache():
    draft = {"method": "draft_model", "model": "Qwen/Qwen3-0.6B", "revision": REVISION, "numSpeculativeTokens": 3}
    alone, drafted = plan(), plan(speculative=draft)
    assert drafted.memory.weights_bytes - alone.memory.weights_bytes == 596_049_920 * 2
    assert drafted.memory.weights - alone.memory.weights == pytest.approx(596_049_920 * 2 / 4 / GIB, rel=0.01)
    # 28 layers, keys and values of 8 heads over 4 GPUs, 128 wide, 2 bytes.
    assert drafted.memory.kv_bytes_per_token - alone.memory.kv_bytes_per_token == 28 * 2 * 2 * 128 * 2
    assert drafted.memory.sequence > alone.memory.sequence
    assert drafted.memory.longest_model_len <= alone.memory.longest_model_len
    assert drafted.weights.storage_gib > alone.weights.storage_gib
    assert drafted.draft_revision == REVISION


def test_a_draft_of_the_catalogue_has_its_revision():
    draft = {"method": "draft_model", "model": "Qwen/Qwen3-0.6B", "numSpeculativeTokens": 3}
    assert plan(speculative=draft).draft_revision == row("Qwen/Qwen3-0.6B").revision


def test_n_grams_take_nothing():
    assert plan(speculative={"method": "ngram", "numSpeculativeTokens": 3}).memory == plan().memory


def test_a_head_that_nobody_knows_counts_as_a_layer_and_is_doubted():
    head = {"method": "eagle3", "model": "acme/Qwen3-32B_eagle3", "revision": REVISION, "numSpeculativeTokens": 3}
    drafted, alone = plan(speculative=head), plan()
    assert drafted.memory.weights_bytes > alone.memory.weights_bytes
    # One more of 64 layers: keys and values of 8 heads over 4 GPUs, 128 wide, 2 bytes.
    assert drafted.memory.kv_bytes_per_token - alone.memory.kv_bytes_per_token == 2 * 2 * 128 * 2
    stack = settings(H100 | {f"{MODEL}.engine.speculative": head})
    assert f"{MODEL}.engine.speculative.model" in {one.path for one in make_plan(stack).warnings}


@pytest.mark.parametrize("source", ["Qwen/Qwen3-Next-80B-A3B-Instruct", "zai-org/GLM-4.5", "Qwen/Qwen3.5-27B"])
def test_a_models_own_layer_is_one_of_full_attention(source):
    model = settings({f"{MODEL}.engine.speculative": {"method": "mtp", "numSpeculativeTokens": 1}}).models["qwen3-8b"]
    draft = draft_of(model, row(source).architecture)
    assert draft is not None
    assert draft.architecture.layers() == {"full": 1}
    assert draft.architecture.is_moe is row(source).architecture.is_moe


def test_a_report_of_a_start_without_a_draft_says_nothing_of_one_with_it():
    report = {
        "gpu": "nvidia-h100-80gb", "tensorParallelSize": 4, "gpuMemoryUtilization": 0.92, "maxNumBatchedTokens": 8192,
        "weightsGiB": 15.4, "kvCacheGiB": 52.0, "vllm": "0.33.0", "date": "2026-11-28",
    }  # fmt: skip
    draft = {"method": "draft_model", "model": "Qwen/Qwen3-0.6B", "revision": REVISION, "numSpeculativeTokens": 3}
    measured = {f"{MODEL}.measured": [report]}
    assert plan(**measured).memory.measured
    assert plan(speculative=draft, **measured).memory == plan(speculative=draft).memory
    assert plan(speculative={"method": "ngram", "numSpeculativeTokens": 3}, **measured).memory.measured
