"""Memory planning, compared with counts of instantiated models and vLLM's own KV cache planner."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import catalog
from config.architecture import Architecture, QuantizationConfig
from config.models import Parallelism
from planning.compatibility import splits_heads
from planning.kv_cache import KvCache
from planning.memory import GIB
from planning.parameters import active_parameters, count_parameters
from planning.weight_size import weight_bytes, weights_per_gpu
from tests.unit.wrong_architectures import TINY

REFERENCE = json.loads((Path(__file__).parent.parent / "data" / "reference_models.json").read_text())
MODELS = REFERENCE["models"]
PUBLISHED = json.loads((Path(__file__).parent.parent / "data" / "published_parameters.json").read_text())["parameters"]
KV_PLANNER = json.loads((Path(__file__).parent.parent / "data" / "kv_planner.json").read_text())["rows"]
CASES = REFERENCE["kv_planner"]["cases"]
# Multimodal rows of the reference count the text model only; Maverick's is a round figure.
EXACT = [row for row in MODELS if row["id"] != "meta-llama/Llama-4-Maverick-17B-128E"]


def row(source: str) -> catalog.ModelRow:
    found = catalog.model(source)
    assert found is not None, f"{source} is missing from the catalogue"
    return found


def architecture(source: str) -> Architecture:
    return row(source).architecture


@pytest.mark.parametrize("reference", EXACT, ids=lambda r: r["id"])
def test_parameters_counted_from_the_architecture_are_those_of_the_instantiated_model(reference):
    count = count_parameters(architecture(reference["id"]))
    assert count.total - count.encoder == reference["text_parameters"]


@pytest.mark.parametrize(("source", "parameters"), PUBLISHED.items(), ids=PUBLISHED)
def test_parameters_are_those_that_are_published(source, parameters):
    # Encoders are counted without their norms and biases.
    assert count_parameters(architecture(source)).total == pytest.approx(parameters, rel=1e-3 if architecture(source).encoders else 2e-6)


@pytest.mark.parametrize("reference", MODELS, ids=lambda r: r["id"])
def test_weights_are_within_one_percent_of_the_reference(reference):
    found = row(reference["id"])
    encoder = 2 * count_parameters(found.architecture).encoder if reference["id"] == "Qwen/Qwen3.5-27B" else 0  # its text model alone
    assert (weight_bytes(found.architecture, found.parameters) - encoder) / 1e9 == pytest.approx(
        reference["weights_gb"], rel=0.01, abs=0.05
    )


@pytest.mark.parametrize("reference", MODELS, ids=lambda r: r["id"])
def test_kv_bytes_per_token_are_exact(reference):
    assert KvCache(architecture(reference["id"])).bytes_per_token == reference["kv_bytes_per_token"]


@pytest.mark.parametrize("reference", MODELS, ids=lambda r: r["id"])
def test_positions_and_tensor_parallel_sizes_are_those_of_the_reference(reference):
    found = architecture(reference["id"])
    assert found.context_length == reference["max_positions"]
    assert [size for size in (1, 2, 4, 8, 16) if splits_heads(found, size)] == reference["tensor_parallel_sizes"]


@pytest.mark.parametrize(("source", "tokens", "gib"), CASES)
def test_one_batch_in_flight_gives_the_figure_of_vllms_own_planner(source, tokens, gib):
    cache = KvCache(architecture(source), batches_in_flight=1)
    assert cache.bytes_per_sequence(tokens) / GIB == pytest.approx(gib, abs=0.03)


@pytest.mark.parametrize(("source", "tokens", "gib"), CASES)
def test_the_planned_kv_cache_is_never_below_vllms_and_at_most_a_third_above(source, tokens, gib):
    planned = KvCache(architecture(source)).bytes_per_sequence(tokens) / GIB
    assert planned >= gib - 0.006  # the reference is rounded to two decimals
    assert planned <= 1.35 * gib


@pytest.mark.parametrize(("source", "tokens", "sequence", "block"), KV_PLANNER, ids=str)
def test_a_sequence_takes_what_vllms_own_planner_gives_it(source, tokens, sequence, block):
    cache = KvCache(architecture(source))
    assert (cache.bytes_per_sequence(tokens), cache.bytes_per_block) == (sequence, block)


def test_a_linear_hybrid_keeps_its_states_in_blocks_as_large_as_those_of_attention():
    cache = KvCache(architecture("Qwen/Qwen3-Next-80B-A3B-Instruct"), prefix_caching=False)
    assert cache.block_size == 544, "vLLM says: Setting attention block size to 544 tokens"
    assert cache.bytes_per_sequence(0) == 36 * 544 * cache.bytes_per_token_and_layer
    assert cache.bytes_per_sequence(1) - cache.bytes_per_sequence(0) == 12 * 544 * cache.bytes_per_token_and_layer


# (architecture, prefix caching, max_model_len, KV cache in GiB, blocks and tokens that vLLM reported): start-up logs of
# Qwen3.5-4B on an L4 (0.29.0) and of a Qwen3.x-27B-FP8 on an L40S (0.26.0: max_num_seqs 256 refused for 184 blocks).
HYBRID_LOGS = [
    ({"num_hidden_layers": 32, "linear_num_value_heads": 32}, True, 32768, 9.10, None, 267842),
    ({"num_hidden_layers": 64, "linear_num_value_heads": 48}, False, 131072, 8.82, 184, 141036),
]


@pytest.mark.parametrize(("changes", "prefix_caching", "longest", "gib", "blocks", "tokens"), HYBRID_LOGS)
def test_blocks_and_tokens_of_a_linear_hybrid_are_those_of_vllms_log(changes, prefix_caching, longest, gib, blocks, tokens):
    cache = KvCache(architecture("Qwen/Qwen3.5-27B").model_copy(update=changes), prefix_caching=prefix_caching)
    assert blocks is None or cache.blocks(gib * GIB) == blocks
    assert gib * GIB / cache.bytes_per_sequence(longest) * longest == pytest.approx(tokens, rel=0.005)


ALL_ALIKE = [
    ({"sliding_window": 4096}, 32 * (-(-(4095 + 16384) // 16) + 1)),
    ({"attention_chunk_size": 2048}, 32 * -(-(2048 + 16384) // 16)),
    ({"sliding_window": 4096, "sliding_window_pattern": 40}, 32 * (-(-(4095 + 16384) // 16) + 1)),
]


@pytest.mark.parametrize(("keys", "pages"), ALL_ALIKE)
def test_a_model_whose_layers_all_slide_or_chunk_holds_its_window_and_what_is_in_flight(keys, pages):
    mistral = {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8}
    cache = KvCache(Architecture.model_validate(TINY | mistral | {"max_position_embeddings": 131072} | keys))
    assert cache.bytes_per_sequence(131072) == pages * 16 * 4096
    assert cache.bytes_per_token == 0


def test_an_encoder_has_no_kv_cache():
    cache = KvCache(Architecture.model_validate(TINY | {"model_type": "xlm-roberta"}))
    assert cache.bytes_per_sequence(8192) == cache.bytes_per_token == cache.blocks(1e9) == 0


@pytest.mark.parametrize(("full", "sliding", "group", "groups"), [(5, 6, 6, 2), (4, 6, 4, 3)])
def test_groups_are_filled_up_where_the_kinds_of_layers_are_nearly_equal_in_number(full, sliding, group, groups):
    kinds = ["full_attention"] * full + ["sliding_attention"] * sliding
    cache = KvCache(Architecture.model_validate(TINY | {"num_hidden_layers": len(kinds), "layer_types": kinds, "sliding_window": 100_000}))
    blocks = 512 * groups + (groups - 1)  # a group of sliding-window layers needs one more block
    assert cache.bytes_per_sequence(8192) == blocks * group * cache.block_size * cache.bytes_per_token_and_layer


# GiB of weights per GPU in start-up logs of vLLM (sources: the data of make truth); the model's quantization.
LOGGED = [
    ("meta-llama/Llama-3.1-8B", 1, 14.99),
    ("Qwen/Qwen3.5-4B", 1, 8.68),
    ("Qwen/Qwen3-32B", 1, 61.03),
    ("Qwen/Qwen3-32B", 2, 30.59),
    ("openai/gpt-oss-20b", 1, 13.47),
    ("openai/gpt-oss-120b", 1, 65.97),
    ("openai/gpt-oss-120b", 4, 17.2),
    ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", 1, 67.72),
    ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", 2, 33.88),
    ("RedHatAI/Meta-Llama-3.1-70B-Instruct-quantized.w8a8", 1, 67.72),
    ("meta-llama/Llama-3.1-405B-Instruct-FP8", 8, 57.75),
    ("mistralai/Mistral-Small-3.2-24B-Instruct-2506", 1, 44.76),
    ("Qwen/Qwen2-7B-Instruct", 1, 14.25),
    ("Qwen/Qwen2.5-VL-72B-Instruct", 4, 34.43),
    ("Qwen/Qwen2.5-32B-Instruct", 1, 61.04),
    ("Qwen/Qwen3-Coder-30B-A3B-Instruct", 1, 56.93),
    ("Qwen/Qwen3-8B", 1, 15.27),
    ("llava-hf/llava-v1.6-mistral-7b-hf", 1, 14.08),
]


@pytest.mark.parametrize(("source", "tensor", "gib"), LOGGED)
def test_weights_on_a_gpu_are_those_of_vllms_log(source, tensor, gib):
    found = row(source)
    total = weight_bytes(found.architecture, found.parameters)
    assert weights_per_gpu(found.architecture, total, Parallelism(tensor=tensor)) / GIB == pytest.approx(gib, rel=0.025)


def test_scales_of_whole_rows_take_next_to_nothing():
    plain = architecture("Qwen/Qwen3-8B")
    per_row, per_group = (
        weight_bytes(plain.model_copy(update={"quantization_config": QuantizationConfig(quant_method="gptq", bits=4, group_size=size)}))
        for size in (-1, 128)
    )
    assert 0.95 < per_row / per_group < 1


def test_mla_is_not_split_by_tensor_parallelism():
    assert (
        KvCache(architecture("deepseek-ai/DeepSeek-V3"), 8).bytes_per_token
        == KvCache(architecture("deepseek-ai/DeepSeek-V3")).bytes_per_token
    )


def test_kv_heads_are_copied_once_there_are_more_gpus_than_heads():
    sizes = [KvCache(architecture("Qwen/Qwen3-235B-A22B"), tensor).bytes_per_token for tensor in (1, 2, 4, 8)]
    assert sizes == [192512, 96256, 48128, 48128]


def test_a_mixture_of_experts_works_with_the_experts_a_token_visits():
    active = active_parameters(architecture("Qwen/Qwen3-30B-A3B"))
    assert 2.5e9 < active < 3.5e9, "A3B: about three billion active parameters"


SOURCES = st.sampled_from([entry["id"] for entry in MODELS])


@given(SOURCES, st.integers(1, 200_000), st.integers(0, 50_000), st.sampled_from([1, 2, 4, 8]))
def test_kv_cache_never_shrinks_with_the_context_and_never_is_negative(source, tokens, more, tensor):
    cache = KvCache(architecture(source), tensor)
    assert 0 < cache.bytes_per_sequence(tokens) <= cache.bytes_per_sequence(tokens + more)


@given(SOURCES, st.integers(1, 200_000))
def test_kv_cache_per_gpu_never_grows_with_tensor_parallelism(source, tokens):
    sizes = [KvCache(architecture(source), tensor).bytes_per_sequence(tokens) for tensor in (1, 2, 4, 8)]
    if "linear" not in architecture(source).layers():  # the block grows with the ratio of state to token
        assert sizes == sorted(sizes, reverse=True)


@given(SOURCES, st.sampled_from([1, 2, 4]))
def test_weights_per_gpu_shrink_with_parallelism_and_add_up_to_at_least_the_whole(source, pipeline):
    found = row(source)
    total = weight_bytes(found.architecture, found.parameters)
    per_gpu = [weights_per_gpu(found.architecture, total, Parallelism(tensor=tensor, pipeline=pipeline)) for tensor in (1, 2, 4, 8, 16)]
    assert per_gpu == sorted(per_gpu, reverse=True)
    assert all(size * tensor * pipeline >= total * 0.999 for size, tensor in zip(per_gpu, (1, 2, 4, 8, 16), strict=True))


@given(SOURCES, st.floats(0, 700e9), st.sampled_from([1, 2, 4, 8]))
def test_the_longest_sequence_is_the_longest_that_fits(source, available, tensor):
    cache = KvCache(architecture(source), tensor)
    limit = architecture(source).context_length
    longest = cache.longest_sequence(available, limit)
    assert longest == 0 or cache.bytes_per_sequence(longest) <= available
    assert longest == limit or cache.bytes_per_sequence(longest + 1) > available
