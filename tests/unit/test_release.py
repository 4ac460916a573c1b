"""`make release` and the workflow that turns its tag into a release, on a copy of what they read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
FILES = ("pyproject.toml", "CHANGELOG.md", "policy/PulumiPolicy.yaml")
STEPS = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]["release"]["steps"]


@pytest.fixture
def released(tmp_path):
    """A repository in which version 3.1.4 has been released, after two entries were written."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    changelog = tmp_path / "CHANGELOG.md"
    entries = "## [Unreleased]\n\n### Added\n\n- Something new.\n\n## [3.1.3] - 2026-01-02\n\n### Fixed\n\n- Something old.\n"
    changelog.write_text(changelog.read_text().partition("## [Unreleased]")[0] + entries)
    identity = {f"GIT_{who}_{what}": "releaser@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull}
    release = [Path(sys.executable).parent / "bump-my-version", "bump", "--new-version", "3.1.4"]
    for command in (["git", "init", "-q"], ["git", "add", "."], ["git", "commit", "-qm", "Before"], release):
        subprocess.run(command, cwd=tmp_path, check=True, env=environment, capture_output=True)
    return tmp_path


def notes(folder: Path, tag: str) -> subprocess.CompletedProcess[str]:
    script = next(step["run"] for step in STEPS if "CHANGELOG.md" in step.get("run", ""))
    environment = {**os.environ, "GITHUB_REF_NAME": tag}
    return subprocess.run(["bash", "-e", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_release_is_one_commit_and_a_tag_with_the_version_everywhere(released):
    tags = subprocess.run(["git", "tag", "--points-at", "HEAD"], cwd=released, check=True, capture_output=True, text=True).stdout
    assert tags == "v3.1.4\n"
    assert subprocess.run(["git", "status", "--porcelain"], cwd=released, check=True, capture_output=True).stdout == b""
    assert tomllib.loads((released / "pyproject.toml").read_text())["project"]["version"] == "3.1.4"
    assert yaml.safe_load((released / "policy/PulumiPolicy.yaml").read_text())["version"] == "3.1.4"


def test_a_release_has_the_changelogs_entries_since_the_one_before(released):
    assert re.search(r"## \[Unreleased\]\n\n## \[3\.1\.4\] - 20\d\d-\d\d-\d\d\n\n### Added\n", (released / "CHANGELOG.md").read_text())
    assert notes(released, "v3.1.4").returncode == 0
    assert (released / "notes.md").read_text().split() == ["###", "Added", "-", "Something", "new."]


def test_a_tag_that_is_not_the_version_is_no_release(released):
    assert notes(released, "v3.1.5").returncode != 0


def test_the_version_is_the_same_in_every_file_that_names_it():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    policy = yaml.safe_load((ROOT / "policy/PulumiPolicy.yaml").read_text())
    assert pyproject["project"]["version"] == pyproject["tool"]["bumpversion"]["current_version"] == policy["version"]
