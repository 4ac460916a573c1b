"""What others make is pinned, and something watches every pin."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from config import catalog

ROOT = Path(__file__).parent.parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
RELEASES = (catalog.FOLDER / "releases.yaml").read_text()
DIGEST = "sha256:" + "0123456789abcdef" * 4


def managers(file: str) -> list[dict]:
    """Renovate's managers of a file; its patterns stand between slashes."""
    found = json.loads((ROOT / "renovate.json").read_text())["customManagers"]
    return [one for one in found if any(re.search(pattern.strip("/"), file) for pattern in one["managerFilePatterns"])]


def matches(manager: dict, text: str) -> list[dict]:
    pattern = manager["matchStrings"][0].replace("(?<", "(?P<")
    return [match.groupdict() for match in re.finditer(pattern, text)]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_an_action_is_pinned_to_a_commit_and_names_its_release(path):
    used = [one for one in re.findall(r"uses: (.+)", path.read_text()) if not one.startswith("./")]
    assert [one for one in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_only_read_comment_and_say_who_it_is(path):
    content = yaml.safe_load(path.read_text())
    contents = "write" if path.name == "release.yml" else "read"  # a release is written to the repository
    may = {"contents": contents, "pull-requests": "write", "id-token": "write"}
    given = [content["permissions"], *(job.get("permissions", {}) for job in content["jobs"].values())]
    assert all(one.items() <= may.items() for one in given)
    assert content["permissions"] in ({}, {"contents": "read"})


def test_the_workflow_runs_the_tests_on_every_python_that_is_supported():
    content = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert content["jobs"]["python"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]


def test_the_workflows_provider_is_the_one_that_the_program_is_written_for():
    wanted = re.findall(r"pulumi-kubernetes==(\S+)", (ROOT / "requirements.in").read_text())
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert set(re.findall(r"kubernetes (\d+\.\d+\.\d+)|kubernetes-v(\d+\.\d+\.\d+)", text)) == {(*wanted, ""), ("", *wanted)}


def test_dependabot_watches_every_folder_with_packages_or_modules():
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    by_kind = {one["package-ecosystem"]: set(one.get("directories", [one.get("directory")])) for one in updates}
    modules = {f"/{path.parent.relative_to(ROOT)}" for path in (ROOT / "tests").rglob("go.mod")}
    assert by_kind == {"pip": {"/", "/policy"}, "github-actions": {"/"}, "gomod": modules}


def test_renovate_reads_every_chart_and_image_with_and_without_its_digest():
    rows = yaml.safe_load(RELEASES)
    charts, images = managers("config/catalog/releases.yaml")
    assert {one["depName"]: one["currentValue"] for one in matches(charts, RELEASES)} == {
        name: row["version"] for name, row in rows["charts"].items()
    }
    wanted = {row["repository"]: row["tag"] for row in rows["images"].values()}
    assert {one["depName"]: one["currentValue"] for one in matches(images, RELEASES)} == wanted
    pinned = re.sub(r"    digest: .*\n", "", RELEASES)
    pinned = re.sub(r"(    tag: .*\n)", rf"\1    digest: {DIGEST}\n", pinned)
    assert {one["currentDigest"] for one in matches(images, pinned)} == {DIGEST}


def test_renovate_reads_the_workflows_pulumi():
    (manager,) = managers(".github/workflows/ci.yml")
    assert len(matches(manager, (ROOT / ".github" / "workflows" / "ci.yml").read_text())) == 1
