"""Models on one shared GPU may take unequal shares, as long as no placement of their replicas overfills a GPU."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import StackError
from planning.plan import make_plan
from planning.sharing import Share, is_overfull, overfull_by_one_more
from tests.stacks import REVISION, settings

MODEL = "models.qwen3-8b"
# An A100 of 80 GB, shared by two or three pods.
SHARED = {
    "nodePools.l4.machineType": "a2-ultragpu-1g",
    "cluster.zones": ["us-central1-a"],
    "nodePools.l4.gpuSharing": {"strategy": "MPS", "maxClientsPerGpu": 2},
}


def model(share, **given):
    return {"source": "Qwen/Qwen3-0.6B", "revision": REVISION, "nodePool": "l4", "engine": {"gpuMemoryUtilization": share}, **given}


def plan(*shares, floors=1, clients=2, nodes=4):
    models = {f"models.m{i}": model(share, scaling={"floor": floors, "ceiling": floors}) for i, share in enumerate(shares)}
    pool = {"nodePools.l4.gpuSharing.maxClientsPerGpu": clients, "nodePools.l4.onDemand": {"max": nodes}}
    return make_plan(settings(SHARED | {MODEL: None} | pool | models))


def test_a_large_and_a_small_model_share_a_gpu():
    found = plan(0.6, 0.3, nodes=1)
    assert found.pools["l4"].floor_nodes == 1
    assert [one.memory.requested for one in found.models.values()] == pytest.approx([79.2 * 0.6, 79.2 * 0.3], rel=0.005)


def test_two_replicas_that_may_meet_must_fit_together():
    with pytest.raises(StackError) as caught:
        plan(0.6, 0.3, floors=2)
    (problem,) = caught.value.problems
    assert problem.path == "models.m0.engine.gpuMemoryUtilization"
    assert "2 of m0 with 60% each" in problem.message
    assert problem.fix == "set it to at most 0.5"


def test_each_model_that_takes_part_is_named_with_what_the_others_leave():
    with pytest.raises(StackError) as caught:
        plan(0.7, 0.5)
    assert {(one.path, one.fix) for one in caught.value.problems} == {
        ("models.m0.engine.gpuMemoryUtilization", "set it to at most 0.5"),
        ("models.m1.engine.gpuMemoryUtilization", "set it to at most 0.3"),
    }


def test_spot_and_on_demand_replicas_never_meet():
    scaling = {"floor": 1, "ceiling": 2, "burst": "spot"}
    found = make_plan(settings(SHARED | {MODEL: None, "models.a": model(0.9, scaling=scaling)}))
    assert found.models["a"].burst == 1


@pytest.mark.parametrize(("share", "surge"), [(0.6, 0), (0.5, 1)])
def test_a_replica_whose_successor_could_land_beside_it_goes_first(share, surge):
    found = plan(share, 0.3)
    assert found.models["m0"].rollout.max_surge == surge
    assert ("models.m0.rollout" in {one.path for one in found.warnings}) is (surge == 0)


def placements(pods, gpus, clients):
    """Every assignment of pods to GPUs that a device plugin can make."""
    for where in itertools.product(range(gpus), repeat=len(pods)):
        if all(where.count(gpu) <= clients for gpu in range(gpus)):
            yield [sum(share for share, on in zip(pods, where, strict=True) if on == gpu) for gpu in range(gpus)]


SHARES = st.dictionaries(
    st.sampled_from("abc"), st.tuples(st.integers(1, 10).map(lambda tenths: tenths / 10), st.integers(0, 2)), min_size=1, max_size=3
)


@given(SHARES, st.integers(2, 3))
def test_the_rule_refuses_exactly_what_some_placement_overfills(given_shares, clients):
    shares = {name: Share(share, replicas) for name, (share, replicas) in given_shares.items()}
    pods = [share.utilization for share in shares.values() for _ in range(share.replicas)]
    possible = any(max(used) > 1 + 1e-9 for used in placements(pods, 3, clients))
    assert is_overfull(shares, clients) is possible


@given(SHARES, st.integers(2, 3))
def test_no_surge_overfills_a_gpu(given_shares, clients):
    shares = {name: Share(share, replicas) for name, (share, replicas) in given_shares.items()}
    crowded = overfull_by_one_more(shares, clients)
    for name, share in shares.items():
        surged = [one.utilization for one in shares.values() for _ in range(one.replicas)] + [share.utilization]
        if name not in crowded:
            assert all(max(used) <= 1 + 1e-9 for used in placements(surged, 3, clients))
