"""What follows from a stack: placement, rollouts, time budgets and cost, and that they move the way they should."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.architecture import Architecture
from config.catalog import model, model_ids
from planning.cost import HOURS_PER_MONTH
from planning.placement import nodes_for, nodes_in_any_order
from planning.plan import Plan, make_plan
from tests.stacks import REVISION, settings
from tests.unit.wrong_architectures import TINY
from tools.preview.manifests import plan_as_json

MODEL = "models.qwen3-8b"
LLAMA_70B = {
    f"{MODEL}.source": "meta-llama/Llama-3.3-70B-Instruct",
    "secrets.huggingFaceToken": {"secure": "v1:x"},
    "nodePools.l4.machineType": "a3-highgpu-8g",
}


def plan(changes=None) -> Plan:
    return make_plan(settings(changes))


def paths(found: Plan) -> set[str]:
    return {warning.path for warning in found.warnings}


def test_llama_70b_in_bfloat16_is_accepted_on_four_h100():
    found = plan(LLAMA_70B | {f"{MODEL}.parallelism.tensor": 4, f"{MODEL}.engine.maxModelLen": 131072}).models["qwen3-8b"]
    assert found.memory.fits
    assert found.shape.gpus == 4
    assert found.memory.weights == pytest.approx(131.4 / 4, rel=0.01)


def test_the_minimum_of_a_pool_is_raised_to_what_the_floors_need():
    pool = plan({f"{MODEL}.scaling": {"floor": 3, "ceiling": 3}}).pools["l4"].pool.on_demand
    assert pool is not None
    assert (pool.min_nodes, pool.max_nodes) == (3, 4)


@pytest.mark.parametrize(
    ("floor", "nodes", "surge", "unavailable", "share"), [(1, 4, 1, 0, 1.0), (3, 4, 1, 0, 1.0), (4, 4, 0, 1, 0.75), (1, 1, 0, 1, 0.0)]
)
def test_a_rollout_surges_only_where_a_node_can_exist_for_it(floor, nodes, surge, unavailable, share):
    found = plan({f"{MODEL}.scaling": {"floor": floor, "ceiling": floor}, "nodePools.l4.onDemand": {"max": nodes}})
    rollout = found.models["qwen3-8b"].rollout
    assert (rollout.max_surge, rollout.max_unavailable, rollout.capacity_share) == (surge, unavailable, share)
    assert (f"{MODEL}.rollout" in paths(found)) is (surge == 0)


def test_replicas_share_a_node_of_many_gpus():
    changes = LLAMA_70B | {f"{MODEL}.parallelism.tensor": 4, f"{MODEL}.scaling": {"floor": 2, "ceiling": 2}}
    found = plan(changes | {"nodePools.l4.onDemand": {"max": 1}}).pools["l4"]
    assert (found.floor_nodes, found.free_slots) == (1, 0)


def test_two_models_that_share_a_gpu_are_counted_as_slots():
    found = plan(
        {"nodePools.l4.gpuSharing": {"strategy": "TIME_SHARING", "maxClientsPerGpu": 2}, f"{MODEL}.source": "Qwen/Qwen3-0.6B",
         f"{MODEL}.engine": {"gpuMemoryUtilization": 0.45, "maxModelLen": 4096}, f"{MODEL}.scaling": {"floor": 4, "ceiling": 4}}
    )  # fmt: skip
    assert found.pools["l4"].floor_nodes == 2


def test_a_partition_has_its_share_of_the_memory():
    found = plan(
        {"nodePools.l4.machineType": "a2-ultragpu-1g", "cluster.zones": ["us-central1-a"], "nodePools.l4.gpuPartitionSize": "3g.40gb"}
    )
    assert found.models["qwen3-8b"].memory.device == pytest.approx(39.625)
    assert found.pools["l4"].pool.machine.slots == 2


def test_time_budgets_contain_one_another():
    startup = plan().models["qwen3-8b"].startup
    assert startup.engine < startup.budget < startup.progress_deadline <= startup.update_timeout
    assert startup.budget == startup.failure_threshold * 10 >= 600


def test_a_startup_budget_can_be_set():
    assert plan({f"{MODEL}.startupBudgetSeconds": 1200}).models["qwen3-8b"].startup.budget == 1200


@pytest.mark.parametrize(("provider", "grace"), [("gke", 105), ("existing", 15)])
def test_replicas_on_spot_nodes_leave_within_the_notice(provider, grace):
    changes = {} if provider == "gke" else {
        "cluster": {"provider": "existing", "name": "lab"},
        "nodePools.l4.machineType": None,
        "nodePools.l4.hardware": {"vcpus": 16, "memoryGiB": 64, "accelerator": "nvidia-l4", "gpus": 1},
    }  # fmt: skip
    drain = plan(changes).models["qwen3-8b"].burst_drain
    assert drain.grace_period == grace
    assert drain.pre_stop + drain.shutdown_timeout == grace - 2, "what is longer is silence for a stream that has not ended"


def test_a_floor_of_nodes_costs_its_price_and_the_clusters():
    found = plan(
        {"budget.prices": {"g2-standard-12": {"onDemandUsdPerHour": 1.0, "spotUsdPerHour": 0.5}}, "budget.expectedBurst": 0.5}
    ).cost
    assert found.pools["l4"].floor == HOURS_PER_MONTH
    assert found.pools["l4"].ceiling == HOURS_PER_MONTH * (1 + 2 * 0.5)
    assert found.pools["l4"].expected == HOURS_PER_MONTH * (1 + 0.5 * 2 * 0.5)
    assert found.total.floor == found.pools["l4"].floor + found.cluster.floor


def test_a_budget_can_warn_instead_of_failing():
    assert "budget.monthlyUsd" in paths(plan({"budget": {"monthlyUsd": 10, "onExceed": "warn"}}))


def test_bfloat16_weights_on_an_old_gpu_are_doubted():
    found = plan({"nodePools.l4.machineType": "n1-standard-8", f"{MODEL}.source": "Qwen/Qwen3-0.6B"})
    assert f"{MODEL}.engine.dtype" in paths(found)


@given(st.integers(1, 4), st.integers(0, 8), st.integers(0, 3), st.integers(0, 8))
def test_cost_never_falls_with_replicas_and_never_is_negative(floor, burst, more_floor, more_burst):
    def total(floor: int, burst: int):
        nodes = {"nodePools.l4.onDemand": {"max": 16}, "nodePools.l4.spot": {"max": 32}}
        return plan(nodes | {f"{MODEL}.scaling": {"floor": floor, "ceiling": floor + burst}}).cost.total

    less, more = total(floor, burst), total(floor + more_floor, burst + more_burst)
    assert 0 <= less.floor <= less.expected <= less.ceiling
    assert (less.floor, less.expected, less.ceiling) <= (more.floor, more.expected, more.ceiling)


@given(st.integers(1, 12768), st.integers(0, 4000))
def test_fewer_sequences_fit_the_longer_they_are(tokens, more):
    short = plan({f"{MODEL}.engine.maxModelLen": tokens}).models["qwen3-8b"].memory
    long = plan({f"{MODEL}.engine.maxModelLen": min(12768, tokens + more)}).models["qwen3-8b"].memory
    assert short.concurrent_sequences >= long.concurrent_sequences >= 1


@given(st.dictionaries(st.sampled_from([1, 2, 4, 8]), st.integers(0, 20), max_size=4), st.sampled_from([8, 16]))
def test_nodes_hold_all_replicas_and_none_is_wasted_on_powers_of_two(replicas, slots):
    used = sum(size * count for size, count in replicas.items())
    assert nodes_for(Counter(replicas), slots) == -(-used // slots)


@given(
    st.dictionaries(st.sampled_from([1, 2, 3, 4, 8]), st.integers(1, 6), min_size=1, max_size=3),
    st.sampled_from([8, 16]),
    st.randoms(use_true_random=False),
)
def test_every_replica_finds_room_however_the_others_were_placed(replicas, slots, random):
    sizes = [size for size, count in replicas.items() for _ in range(count)]
    random.shuffle(sizes)
    free = [slots] * nodes_in_any_order(replicas, slots)
    for size in sizes:
        node = random.choice([index for index, left in enumerate(free) if left >= size])
        free[node] -= size


def test_nodes_for_millions_of_replicas_are_counted_at_once():
    assert nodes_for({1: 2**31 - 1, 3: 10**9}, 8) == -(-(2**31 - 1 + 3 * 10**9) // 8)


def test_replicas_of_one_size_need_no_node_more_than_packed():
    for size, count in ((1, 9), (3, 7), (4, 5), (8, 3)):
        assert nodes_in_any_order({size: count}, 8) == nodes_for({size: count}, 8)


def test_a_pool_of_mixed_sizes_keeps_nodes_for_the_worst_order_and_says_so():
    changes = {
        "nodePools.h100": {"machineType": "a3-highgpu-8g", "onDemand": {"max": 4}},
        "models.small": {"source": "Qwen/Qwen3-8B", "revision": REVISION, "nodePool": "h100", "scaling": {"floor": 12, "ceiling": 12}},
        "models.large": {
            "source": "meta-llama/Llama-3.3-70B-Instruct",
            "revision": REVISION,
            "nodePool": "h100",
            "engine": {"maxModelLen": 8192},
            "parallelism": {"tensor": 4},
            "scaling": {"floor": 1, "ceiling": 1},
        },
        "secrets.huggingFaceToken": {"secure": "v1:x"},
    }
    found = plan(changes)
    pool = found.pools["h100"]
    assert (pool.packed_floor_nodes, pool.floor_nodes) == (2, 3)
    assert pool.pool.on_demand is not None
    assert pool.pool.on_demand.min_nodes == 3
    assert [one.fix for one in found.warnings if one.path == "nodePools.h100"] == ["give each size a pool of its own"]


def test_weights_of_an_unknown_quantization_are_counted_whole_and_doubted():
    found = plan({f"{MODEL}.source": "acme/tiny", f"{MODEL}.architecture": TINY | {"quantization_config": {"quant_method": "new"}}})
    assert f"{MODEL}.source" in paths(found)
    assert (
        found.models["qwen3-8b"].memory.weights_bytes
        == plan({f"{MODEL}.source": "acme/tiny", f"{MODEL}.architecture": TINY}).models["qwen3-8b"].memory.weights_bytes
    )


def test_a_plan_survives_the_way_through_json():
    written = plan_as_json(plan())
    assert json.loads(json.dumps(written)) == written
    assert written["models"]["qwen3-8b"]["memory"]["max_model_len"] == 8192


@pytest.mark.parametrize("source", model_ids())
def test_an_architecture_survives_the_way_through_json(source):
    row = model(source)
    assert row is not None
    assert Architecture.model_validate_json(row.architecture.model_dump_json(by_alias=True)) == row.architecture


def test_settings_survive_the_way_through_json():
    models = settings().models
    assert {name: type(one).model_validate_json(one.model_dump_json(by_alias=True)) for name, one in models.items()} == models
