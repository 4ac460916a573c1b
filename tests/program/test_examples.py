"""The second program of examples/: it runs on the project's components, alone and installed as a package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Any

import pulumi
import pytest
import yaml

from tests.stacks import changed
from tools.preview import offline
from tools.stacks import ROOT

FOLDER = ROOT / "examples" / "two-models"
PACKAGED = ("config", "planning", "components", "pyproject.toml", "requirements.in")


def stack_file() -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "Pulumi.lab.yaml").read_text())["config"]


def run(config: dict[str, Any]) -> offline.Recording:
    return offline.run(config, "lab", program=offline.from_file(FOLDER / "__main__.py"), project="two-models")


def container(recording: offline.Recording, name: str) -> dict[str, Any]:
    deployment = next(one for one in recording.resources if one.name == name and one.type == "kubernetes:apps/v1:Deployment")
    return deployment.inputs["spec"]["template"]["spec"]["containers"][0]


def test_the_second_program_deploys_its_two_models_and_a_resource_of_its_own():
    recording = run(stack_file())
    assert {one.name for one in recording.resources if one.type == "vllm-platform:serving:ModelStack"} == {"qwen3-8b", "gpt-oss-20b"}
    facts = next(one for one in recording.resources if one.type == "kubernetes:core/v1:ConfigMap")
    assert facts.inputs["data"] == {
        "OPENAI_BASE_URL": "http://gateway.gateway.svc.cluster.local/v1",
        "qwen3-8b.max-model-len": "8192",
        "gpt-oss-20b.max-model-len": "16384",
    }
    assert {one.urn.split("::")[1] for one in recording.resources} == {"two-models"}
    assert recording.outputs == {"gateway": facts.inputs["data"]["OPENAI_BASE_URL"]}


def test_the_stack_file_is_laid_over_what_the_program_writes():
    recording = run(stack_file())
    assert "--max-model-len=8192" in container(recording, "qwen3-8b-floor")["args"]
    assert "--max-model-len=16384" in container(recording, "gpt-oss-20b-floor")["args"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"models.gpt-oss-20b.engine.maxModelLen": 10_000_000}, "models.gpt-oss-20b.engine.maxModelLen"),
        ({"models.qwen3-8b.engine": None, "models.qwen3-8b.sourcce": "x"}, "did you mean 'source'?"),
        ({"two-models:replicas": "3"}, "nodePools.l4"),
    ],
)
def test_what_cannot_work_is_refused_in_the_second_program_too(changes, said):
    with pytest.raises(pulumi.RunError) as refused:
        run(changed(stack_file(), changes))
    assert said in str(refused.value)


def test_secrets_are_not_written_in_a_program(tmp_path):
    program = tmp_path / "__main__.py"
    program.write_text("from config.stack_config import load_settings\nload_settings({'secrets': {'huggingFaceToken': 'hf_x'}})\n")
    with pytest.raises(Exception, match="secrets: written in the program") as refused:
        offline.run({}, "lab", program=offline.from_file(program), project="other")
    assert "hf_x" not in str(refused.value)


def test_the_program_is_a_package_that_others_install(tmp_path):
    """Without its requirements, which are these tests' own."""
    source, site = tmp_path / "source", tmp_path / "site"
    source.mkdir()
    for name in PACKAGED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site)]
    subprocess.run([*pip, str(source)], check=True, cwd=tmp_path)
    assert files(site) == files(source)

    imported = "import components.stack, config.catalog, sys; config.catalog.machine_types(); print(components.stack.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", imported],
        check=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(site)},
    )
    assert found.stdout.strip() == str(site / "components" / "stack.py")


def files(folder) -> set[str]:
    """Of the three packages, without what Python compiles."""
    return {
        str(path.relative_to(folder))
        for package in PACKAGED[:3]
        for path in (folder / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
