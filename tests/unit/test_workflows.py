"""What linters do not check about the workflows: how they fit this repository."""

from __future__ import annotations

import re

import yaml

from tools.stacks import ROOT

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in FOLDER.glob("*.yml")}
GITLAB = yaml.safe_load((ROOT / "examples" / "gitlab-ci.yml").read_text())
WHEN = True  # YAML 1.1 reads the key `on` as a boolean


def scripts(job):
    return "\n".join(step.get("run", "") for step in job.get("steps", ()))


def test_an_action_has_one_version_in_all_workflows():
    used = {tuple(found.split("@")) for path in FOLDER.glob("*.yml") for found in re.findall(r"uses: (\S+@\S+)", path.read_text())}
    assert len({action for action, _ in used}) == len(used)


def test_pulumis_version_is_one_in_all_pipelines():
    texts = [path.read_text() for path in (*FOLDER.glob("*.yml"), ROOT / "examples" / "gitlab-ci.yml")]
    assert len({version for text in texts for version in re.findall(r"(?:pulumi-version: |--version )(\d+\.\d+\.\d+)", text)}) == 1


def test_only_main_is_deployed_and_only_where_stacks_are_named():
    assert WORKFLOWS["deploy.yml"][WHEN] == {"push": {"branches": ["main"]}}
    callers = [job for workflow in WORKFLOWS.values() for job in workflow["jobs"].values() if "uses" in job]
    assert len(callers) == 3
    assert all("vars.PULUMI_STACKS != ''" in job["if"] for job in callers)


def test_a_pull_request_runs_in_an_environment_that_is_not_the_deployments():
    environment = WORKFLOWS["stack.yml"]["jobs"]["pulumi"]["environment"]
    assert environment == "${{ inputs.command == 'up' && inputs.stack || format('{0}-preview', inputs.stack) }}"
    assert WORKFLOWS["preview.yml"]["jobs"]["pulumi"]["with"]["command"] == "preview"


def test_make_targets_stacks_and_levels_that_pipelines_name_are_there():
    made = set(re.findall(r"^([\w.$()/-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = [scripts(job) for workflow in WORKFLOWS.values() for job in workflow["jobs"].values()]
    lines += ["\n".join(job["script"]) for job in GITLAB.values() if isinstance(job, dict) and "script" in job]
    wanted = {word for text in lines for line in re.findall(r"^make (.*)$", text, re.MULTILINE) for word in line.split() if "=" not in word}
    assert wanted - {".venv/.program"} <= made
    for text in lines:
        for stacks in re.findall(r"-m tools\.review ([a-z ]+) --base", text):
            assert all((ROOT / f"Pulumi.{stack}.yaml").is_file() for stack in stacks.split())
    for stack in ("dev", "prod"):
        assert (ROOT / "policy" / "levels" / f"{stack}.json").is_file()
