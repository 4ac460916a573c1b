"""What shortens a start, and by how much: measured by others, and shown by the preview."""

import re

import pytest
from rich.console import Console

from planning.plan import make_plan
from tests.stacks import settings
from tools.preview.tables import startup_table

MODEL = "models.qwen3-8b"
MIRROR = {"platform.imageMirror": "artifact-registry"}
SHARED = {f"{MODEL}.weights": {"cache": "persistent-volume-claim", "storageClass": "filestore"}}
# Qwen3-8B: 15.26 GiB in 36 layers.
MIB = 15.26 * 1024


def plan(changes):
    return make_plan(settings(changes)).models["qwen3-8b"]


def saved(changes, measure):
    [one] = [one for one in plan(changes).savings if one.measure == measure]
    return one


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({}, 214),
        (MIRROR, 10),
        ({"platform.imageMirror": "europe-docker.pkg.dev/acme/mirror"}, 10),
        ({"platform.imageMirror": "registry.acme.example"}, 214),
        ({f"{MODEL}.image": "us-docker.pkg.dev/acme/images/vllm:1"}, 10),
        (MIRROR | {"nodePools.l4.imageStreaming": False}, 214),
        (MIRROR | {"nodePools.l4.imageDisk": "global/images/vllm"}, 214 / 29),
    ],
)
def test_an_image_is_streamed_from_artifact_registry_alone(changes, seconds):
    """llm-d, pull request 1902: 214 s of pull, 199 s for the whole start instead of 409 s with streaming."""
    assert plan(changes).startup.image == pytest.approx(seconds)


def test_the_parts_of_a_start_add_up():
    startup = plan({}).startup
    assert startup.download == pytest.approx(MIB / 200, rel=0.01)
    assert startup.load == pytest.approx(MIB / 300, rel=0.01)
    assert startup.compile == pytest.approx(36 * 130 / 80)
    assert startup.expected == pytest.approx(240 + 214 + startup.download + 38 + startup.load + startup.compile)


def test_replicas_of_a_filled_claim_download_nothing():
    startup, alone = plan(SHARED).startup, plan({}).startup
    assert (startup.download, alone.fill) == (0, 0)
    assert startup.fill == pytest.approx(MIB / 200 + MIB / 300, rel=0.01)
    assert alone.expected - startup.expected == pytest.approx(saved({}, "shared claim").seconds)


def test_a_compile_cache_saves_what_llm_d_measured_and_no_limit_counts_on_it():
    """Qwen3-32B: 135 s without, 100 s with it."""
    large = {"nodePools.l4.machineType": "a3-highgpu-8g", f"{MODEL}.source": "Qwen/Qwen3-32B", "cluster.zones": ["us-central1-a"]}
    assert saved(large, "compile cache").seconds == pytest.approx(35)
    with_it = plan(SHARED | {f"{MODEL}.weights.compileCache": True})
    assert next(one.used for one in with_it.savings if one.measure == "compile cache")
    assert with_it.startup == plan(SHARED).startup, "the first replica finds nothing"


@pytest.mark.parametrize(
    ("changes", "measure"),
    [
        ({f"{MODEL}.engine.enforceEager": True}, "compile cache"),
        ({f"{MODEL}.weights": {"uri": "gs://acme/qwen3"}}, "shared claim"),
        (MIRROR, "image disk"),
    ],
)
def test_what_cannot_save_anything_is_not_offered(changes, measure):
    assert measure not in {one.measure for one in plan(changes).savings}


def test_the_preview_shows_what_is_in_use_and_what_could_be():
    console = Console(width=200, record=True)
    console.print(startup_table(make_plan(settings(MIRROR | SHARED))))
    text = console.export_text()
    assert re.search(r"image streaming -204", text)
    assert re.search(r"shared claim -78; a Job fills it in 130", text)
    assert re.search(r"compile cache -20", text)
