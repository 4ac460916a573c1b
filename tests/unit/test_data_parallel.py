"""Data parallel ranks: each has all non-expert weights, a KV cache and a scheduler; experts are distributed over all ranks."""

import pytest

from planning.plan import make_plan
from tests.stacks import settings
from tests.unit.wrong_models import H100, MODEL

GIB = 1024**3
# Qwen3-30B-A3B: 48 layers of 128 experts of three 2048 x 768 matrices, of 30,532,122,624 parameters in all.
EXPERTS = 48 * 128 * 3 * 2048 * 768
REST = 30_532_122_624 - EXPERTS


def plan(parallelism, source="Qwen/Qwen3-30B-A3B", **changes):
    engine = {"maxModelLen": 32768, "maxNumSeqs": 64}
    found = make_plan(
        settings(H100 | {f"{MODEL}.source": source, f"{MODEL}.parallelism": parallelism, f"{MODEL}.engine": engine} | changes)
    )
    return found.models["qwen3-8b"]


@pytest.mark.parametrize("expert", [False, True])
def test_experts_are_spread_over_the_ranks_and_the_rest_is_copied(expert):
    weights = plan({"data": 4, "expert": expert}).memory.weights
    assert weights == pytest.approx((EXPERTS / 4 + REST) * 2 / GIB, rel=0.001)


def test_whole_experts_that_do_not_divide_make_one_gpu_fuller():
    weights = plan({"data": 6, "expert": True}).memory.weights
    assert weights == pytest.approx((EXPERTS * 22 / 128 + REST) * 2 / GIB, rel=0.001)


def test_a_replica_has_the_gpus_of_all_ranks():
    found = plan({"tensor": 2, "data": 4, "expert": True})
    assert (found.shape.gpus, found.shape.slots) == (8, 8)
    assert found.cost.monthly.floor == plan({"tensor": 8}).cost.monthly.floor


def test_each_rank_holds_sequences_of_its_own():
    ranks, one = plan({"data": 4, "expert": True}), plan({"tensor": 4})
    assert ranks.limits.max_num_seqs == one.limits.max_num_seqs == 64
    assert ranks.capacity.requests_in_flight == 4 * 64
    assert ranks.capacity.most_in_flight == 4 * one.capacity.most_in_flight
    assert ranks.memory.kv_bytes_per_token == 4 * one.memory.kv_bytes_per_token


def test_ranks_without_experts_exchange_nothing():
    one, two = (plan({"data": data}, "Qwen/Qwen3-8B").memory for data in (1, 2))
    assert one == two


def test_whole_copies_in_one_pod_are_doubted():
    found = make_plan(settings(H100 | {f"{MODEL}.parallelism": {"data": 2}}))
    assert [one.path for one in found.warnings if one.path.startswith(MODEL)] == [f"{MODEL}.parallelism.data"]
