"""The catalogues are complete and consistent, and each row has its source."""

import re

import pytest

from config import catalog

NEEDED = {"nvidia-tesla-t4", "nvidia-l4", "nvidia-rtx-pro-6000", "nvidia-tesla-a100", "nvidia-a100-80gb", "nvidia-h100-80gb"}
NEEDED |= {"nvidia-h200-141gb", "nvidia-b200"}


def test_every_accelerator_that_is_sold_has_a_machine_and_every_machine_its_accelerator():
    used = {row.accelerator for row in catalog.machine_types().values() if row.accelerator}
    assert NEEDED <= used <= set(catalog.accelerators())
    assert {name for name, row in catalog.accelerators().items() if row.zones or row.regions} <= used


@pytest.mark.parametrize(
    "name", ["nvidia-l40s", "nvidia-a10g", "nvidia-a40", "nvidia-h100-pcie", "nvidia-h100-nvl", "nvidia-h20", "nvidia-b300",
             "nvidia-gh200-96gb", "nvidia-tesla-v100", "nvidia-geforce-rtx-4090", "nvidia-geforce-rtx-5090", "nvidia-rtx-a6000"]
)  # fmt: skip
def test_gpus_of_existing_clusters_are_known(name):
    assert name in catalog.accelerators()


@pytest.mark.parametrize(("name", "row"), catalog.accelerators().items(), ids=lambda value: value if isinstance(value, str) else "")
def test_narrower_numbers_are_computed_faster_and_only_where_the_gpu_has_them(name, row):
    assert (row.fp8_tflops is not None) == (row.compute_capability >= 8.9)
    assert (row.fp4_tflops is not None) == (row.compute_capability >= 10)
    assert row.fp8_tflops is None or row.fp8_tflops == pytest.approx(2 * row.bf16_tflops, rel=0.02)
    assert row.fp4_tflops is None or row.fp4_tflops > 1.9 * (row.fp8_tflops or 0)
    assert row.interconnect_gb_per_second <= 64 or row.interconnect == "nvlink"


@pytest.mark.parametrize(("name", "row"), catalog.machine_types().items(), ids=lambda value: value if isinstance(value, str) else "")
def test_spot_costs_less_than_on_demand(name, row):
    for region, price in row.prices.items():
        if price.on_demand_usd_per_hour and price.spot_usd_per_hour:
            assert price.spot_usd_per_hour < price.on_demand_usd_per_hour, (name, region)


def test_prices_are_known_in_several_regions():
    regions = {region for row in catalog.machine_types().values() if row.gpus for region in row.prices}
    assert len(regions) >= 5


@pytest.mark.parametrize("source", catalog.model_ids())
def test_every_model_is_pinned_or_unpinned_but_never_half(source):
    row = catalog.model(source)
    assert row is not None
    assert row.revision is None or re.fullmatch(r"[0-9a-f]{40}", row.revision)
    assert (row.revision is None) == (row.revision_source is None)
    assert row.architecture.head_size * row.architecture.num_attention_heads > 0


def test_quantized_variants_inherit_the_architecture_but_not_the_revision():
    plain, quantized = catalog.model("Qwen/Qwen3-8B"), catalog.model("Qwen/Qwen3-8B-FP8")
    assert plain is not None
    assert quantized is not None
    assert plain.architecture.hidden_size == quantized.architecture.hidden_size
    assert quantized.architecture.quantization_config is not None
    assert quantized.revision != plain.revision or plain.revision is None


def test_the_parsers_are_those_of_the_pinned_image_and_every_models_is_one_of_them():
    known = catalog.parsers()
    assert catalog.image("vllm").tag == f"v{known.version}"
    for source in catalog.model_ids():
        row = catalog.model(source)
        assert row is not None
        assert row.tool_call_parser in (None, *known.tool_call)
        assert row.reasoning_parser in (None, *known.reasoning)


def test_the_variables_are_those_of_the_pinned_image():
    known = catalog.environment()
    assert catalog.image("vllm").tag == f"v{known.version}"
    own = {name for name in [*known.refused, *known.replaced] if name.startswith("VLLM_")}
    exact = {name for name in own - known.replaced.keys() if not name.endswith("_")}
    assert exact <= known.vllm, "a refused variable is one that exists"
    assert not known.vllm & {*known.removed, *known.replaced}
    assert all(any(name.startswith(prefix) for name in [*known.vllm, *known.removed]) for prefix in own - exact - known.replaced.keys())
