"""The program of the Job that fills a claim, run against a stand-in for the Hugging Face Hub."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from planning.plan import make_plan
from tests.hugging_face_hub import Hub, serving
from tests.program.test_model_settings import MODEL, named, objects
from tests.stacks import REVISION, settings, stack
from tools.preview import offline

FILES = {"config.json": b'{"model_type": "qwen3"}', "model.safetensors": b"\0weights" * 4096, "original/model.pth": b"twice"}
SHARED = {f"{MODEL}.weights": {"cache": "persistent-volume-claim", "storageClass": "filestore"}}


@pytest.fixture
def hub():
    with serving(Hub("Qwen/Qwen3-8B", REVISION, dict(FILES))) as hub:
        yield hub


ADAPTER = {f"{MODEL}.loraAdapters": {"sql": {"source": "acme/sql", "revision": "1" * 40}}}
SPECULATIVE = {"method": "draft_model", "model": "Qwen/Qwen3-0.6B", "numSpeculativeTokens": 3, "revision": "2" * 40}
DRAFT = {f"{MODEL}.engine": {"maxModelLen": 4096, "speculative": SPECULATIVE}}


def container():
    [job] = [one for one in objects(SHARED) if one["kind"] == "Job"]
    return job["spec"]["template"]["spec"]["containers"][0]


def run(hub, folder):
    """Runs the container's command with its volume in `folder`."""
    found = container()
    [asked] = found["args"]
    command = [sys.executable, *found["command"][1:], asked.replace('"/models', f'"{folder}')]
    environment = {"PATH": os.environ["PATH"], "HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "home"), "HF_HUB_DISABLE_XET": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_it_downloads_the_revision_and_verifies_it_once(hub, tmp_path):
    first = run(hub, tmp_path)
    assert first.returncode == 0, first.stderr
    assert "2 files verified" in first.stdout
    assert (tmp_path / REVISION / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert sorted(hub.downloads) == ["config.json", "model.safetensors"], "what vLLM does not read is not downloaded"
    again = run(hub, tmp_path)
    assert (again.returncode, len(hub.downloads)) == (0, 2)


@pytest.mark.parametrize("damaged", ["config.json", "model.safetensors"])
def test_a_damaged_file_fails_the_job_and_the_next_try_downloads_it_again(hub, tmp_path, damaged):
    hub.served[damaged] = FILES[damaged][:-1] + b"X"
    first = run(hub, tmp_path)
    assert first.returncode == 1, first.stderr
    assert damaged in first.stdout
    assert not (tmp_path / REVISION / damaged).exists()
    hub.served.clear()
    assert run(hub, tmp_path).returncode == 0
    assert hub.downloads.count(damaged) == 2
    assert (tmp_path / REVISION / damaged).read_bytes() == FILES[damaged]


def test_a_job_that_was_interrupted_goes_on_where_it_was(hub, tmp_path):
    (tmp_path / REVISION).mkdir()
    run(hub, tmp_path)
    (tmp_path / REVISION / ".verified").unlink()
    (tmp_path / REVISION / "config.json").unlink()
    assert run(hub, tmp_path).returncode == 0
    assert hub.downloads.count("config.json") == 2
    assert hub.downloads.count("model.safetensors") == 1


def names(changes):
    return {one["metadata"]["name"] for one in objects(SHARED | changes) if one["kind"] in ("Job", "PersistentVolumeClaim")}


@pytest.mark.parametrize(
    ("changes", "other"),
    [
        ({f"{MODEL}.revision": "9" * 40}, True),
        (ADAPTER, True),
        (DRAFT, True),
        ({f"{MODEL}.weights.storageClass": "nfs"}, True),
        ({f"{MODEL}.image": "ghcr.io/acme/vllm:1"}, False),
        ({f"{MODEL}.scaling.floor": 2}, False),
        ({f"{MODEL}.engine.maxModelLen": 4096}, False),
        ({f"{MODEL}.weights.storageGiB": 500}, False),
    ],
    ids=["revision", "adapter", "draft", "class", "image", "floor", "length", "size"],
)
def test_another_content_gets_another_claim_and_job_and_no_volume_in_use_is_written(changes, other):
    before, after = names({}), names(changes)
    assert len(before) == len(after) == 1, "claim and Job have one name"
    assert before.isdisjoint(after) is other


def test_replicas_wait_for_the_job_and_download_nothing_and_have_no_way_out():
    recording = offline.run(stack(SHARED), "test")
    [job] = [one for one in recording.resources if one.type == "kubernetes:batch/v1:Job"]
    servers = [one for one in recording.resources if one.type.endswith(":Deployment") and one.name.startswith("qwen3-8b-")]
    assert len(servers) == 2
    assert all(job.urn in one.depends_on for one in servers)
    assert all(not one.inputs["spec"]["template"]["spec"].get("initContainers") for one in servers)
    policy = named(objects(SHARED), "NetworkPolicy", "allow-weights")["spec"]
    labels = job.inputs["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert not any(
        policy["podSelector"]["matchLabels"].items() <= one.inputs["spec"]["template"]["metadata"]["labels"].items() for one in servers
    )


def test_the_job_may_take_twice_the_download_and_its_verification():
    """Qwen3-8B: 15.3 GiB of weights, at 100 MiB/s 156 s, and read again at 300 MiB/s 52 s."""
    changes = SHARED | {f"{MODEL}.weights.mibPerSecond": 100, "nodePools.l4.imageStreaming": False}
    recording = offline.run(stack(changes), "test")
    [job] = [one for one in recording.resources if one.type == "kubernetes:batch/v1:Job"]
    limit = job.inputs["spec"]["activeDeadlineSeconds"]
    assert 240 + 214 + 2 * (150 + 50) < limit < 240 + 214 + 2 * (165 + 60)
    assert dict(job.timeouts)["create"] == f"{limit}s"


def test_a_disk_is_made_where_its_replica_will_run_and_the_plan_says_that_it_is_in_one_zone():
    changes = {
        f"{MODEL}.weights": {"cache": "persistent-volume-claim", "accessMode": "ReadWriteOnce"},
        f"{MODEL}.scaling": {"floor": 1, "ceiling": 1},
    }
    found = objects(changes)
    [job] = [one for one in found if one["kind"] == "Job"]
    server = named(found, "Deployment", "qwen3-8b-floor")["spec"]["template"]["spec"]
    filler = job["spec"]["template"]["spec"]
    assert (filler["nodeSelector"], filler["tolerations"]) == (server["nodeSelector"], server["tolerations"])
    assert [one for one in make_plan(settings(changes)).warnings if one.path == f"{MODEL}.weights.accessMode"]
    assert not [one for one in make_plan(settings(SHARED)).warnings if "weights" in one.path]
