"""A GPU that is described in the stack is planned as if the catalogue had it."""

from config import catalog
from planning.plan import make_plan
from tests.stacks import settings
from tests.unit.wrong_models import EXISTING

ACCELERATOR = "nodePools.l4.hardware.accelerator"


def plan(accelerator):
    return make_plan(settings(EXISTING | {ACCELERATOR: accelerator})).models["qwen3-8b"]


def test_the_figures_of_an_l40s_make_the_plan_of_an_l40s():
    row = catalog.accelerators()["nvidia-l40s"].model_dump(by_alias=True, exclude_none=True)
    figures = {
        key: row[key] for key in ("memoryGiB", "computeCapability", "memoryBandwidthGBps", "bf16Tflops", "fp8Tflops", "interconnect")
    }
    described, named = plan({"name": "our-gpu", **figures}), plan("nvidia-l40s")
    assert described.memory == named.memory
    assert described.capacity == named.capacity
    assert (described.limits, described.shape) == (named.limits, named.shape)


def test_links_are_assumed_where_they_are_not_given_and_taken_where_they_are():
    figures = {"name": "x", "memoryGiB": 80, "computeCapability": 9, "memoryBandwidthGBps": 2000, "bf16Tflops": 500}
    for given, link in (
        ({}, ("pcie", 32)),
        ({"interconnect": "nvlink"}, ("nvlink", 300)),
        ({"interconnect": "nvlink", "interconnectGBps": 450}, ("nvlink", 450)),
    ):
        accelerator = plan(figures | given).pool.machine.accelerator
        assert accelerator is not None
        assert (accelerator.interconnect, accelerator.interconnect_gb_per_second) == link


def test_vllms_defaults_for_an_a100_follow_its_name():
    figures = {"memoryGiB": 79.1, "computeCapability": 8.0, "memoryBandwidthGBps": 1935, "bf16Tflops": 312}
    limits = plan({"name": "NVIDIA A100 80GB PCIe", **figures}).limits
    assert (limits.max_num_batched_tokens, limits.max_num_seqs) == (2048, 256)
