"""Mistakes in the program that only the cluster tier catches.

Each is made in a copy of this repository, in which the in-process tests pass and the cluster tier fails.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
BEFORE = [folder for folder in ("tests/unit", "tests/program", "tests/dataplane") if (ROOT / folder).is_dir()]
_NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", ".*_cache", ".hypothesis")


@dataclass(frozen=True)
class Mutation:
    file: str
    before: str
    after: str
    caught_by: str
    because: str


CHANGES, STACKS = "tests/cluster/test_changes.py", "tests/cluster/test_stacks.py"
MUTATIONS = {
    "a taint and a toleration of a name that agree with each other, but not with the taint that GKE adds": Mutation(
        "planning/machines.py",
        'GPU_TAINT = Taint("nvidia.com/gpu", "present")',
        'GPU_TAINT = Taint("nvidia.com/gpus", "present")',
        f"{CHANGES}::test_two_replicas_are_in_two_zones",
        "untolerated taint",
    ),
    "spot nodes without their taint": Mutation(
        "planning/machines.py",
        '((SPOT_TAINT,) if capacity == "spot" else ())',
        "()",
        f"{STACKS}::test_strangers_stay_off_the_expensive_nodes[dev]",
        "'cloud.google.com/gke-spot' not in",
    ),
    "a PodDisruptionBudget that blocks a drain for ever": Mutation(
        "components/serving/rollout.py",
        '"max_unavailable": 1,\n        "unhealthy',
        '"min_available": 1,\n        "unhealthy',
        f"{CHANGES}::test_a_drain_ends_even_when_there_is_nowhere_to_go[1]",
        "drained",
    ),
    "a rollout that may neither add nor take a replica": Mutation(
        "components/serving/rollout.py",
        '"max_unavailable": 1 if burst',
        '"max_unavailable": 0 if burst',
        f"{CHANGES}::test_two_replicas_are_in_two_zones",
        "may not be 0 when",
    ),
    "no quota for the GPU Operator's critical pods": Mutation(
        "components/platform/gpu_operator.py",
        "needed.append(self._critical_pods_quota(args, needed))",
        "needed.append(needed[0])",
        f"{STACKS}::test_the_gpu_operators_critical_pods_run_on_every_gpu_node[dev]",
        "operands on every GPU node",
    ),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT, tmp_path / "copy", ignore=_NOT_COPIED))


def run(folder: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", MUTATIONS)
def test_only_the_cluster_tier_catches(name, copy):
    mutation = MUTATIONS[name]
    source = copy / mutation.file
    text = source.read_text()
    assert text.count(mutation.before) == 1
    source.write_text(text.replace(mutation.before, mutation.after))

    caught = run(copy, mutation.caught_by)
    assert caught.returncode == pytest.ExitCode.TESTS_FAILED, caught.stdout + caught.stderr
    assert mutation.because in caught.stdout
    in_process = run(copy, *BEFORE)
    assert in_process.returncode == pytest.ExitCode.OK, in_process.stdout


def test_without_a_mutation_the_same_tests_of_the_cluster_tier_pass(copy):
    done = run(copy, *sorted({mutation.caught_by for mutation in MUTATIONS.values()}))
    assert done.returncode == pytest.ExitCode.OK, done.stdout
    assert re.search(r"\b4 passed", done.stdout)
