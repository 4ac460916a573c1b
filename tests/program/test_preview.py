"""`make preview` as a user runs it: its files, and that it never leaves a partial preview."""

from __future__ import annotations

import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from config.parsing import parse
from config.stack_config import without_secret_values
from planning.plan import make_plan
from tests.program.conftest import configuration
from tools import stacks
from tools.preview import __main__ as preview
from tools.preview import manifests, offline


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The project's stack files in a folder of their own."""
    for file in stacks.ROOT.glob("Pulumi.*.yaml"):
        shutil.copy(file, tmp_path)
    monkeypatch.setattr(stacks, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["preview", "local"])
    return tmp_path


def test_a_preview_writes_every_manifest_plan_resources_and_report(project, capsys):
    assert preview.main() == 0
    folder = project / "build" / "local"
    assert {path.name for path in folder.iterdir()} == {"manifests", "plan.json", "resources.json", "report.html"}
    count = len(list((folder / "manifests").iterdir()))
    assert f"{count} manifests" in capsys.readouterr().out
    assert "<title>local: Can work" in (folder / "report.html").read_text()


def test_a_preview_that_cannot_be_written_says_so_and_keeps_the_one_before(project, capsys, monkeypatch):
    (project / "build").write_text("a file")
    assert preview.main() == 2
    assert "build/local: cannot be written: File exists" in capsys.readouterr().out

    (project / "build").unlink()
    assert preview.main() == 0
    before = (project / "build" / "local" / "plan.json").read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(manifests, "_write_json", full_disk)
    assert preview.main() == 2
    assert "No space left on device" in capsys.readouterr().out
    assert (project / "build" / "local" / "plan.json").read_bytes() == before
    assert [path.name for path in (project / "build").iterdir()] == ["local"], "nothing half-written stays"


def test_previews_of_a_stack_at_the_same_time_leave_one_whole_preview(tmp_path):
    config = configuration("local")
    plan, recording = make_plan(parse(without_secret_values(config))), offline.run(config, "local")
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: manifests.write(tmp_path / "local", plan, recording, "report"), range(12)))
    assert len(set(counts)) == 1
    assert len(list((tmp_path / "local" / "manifests").iterdir())) == counts[0]
    assert json.loads((tmp_path / "local" / "plan.json").read_text())["models"]
    assert [path.name for path in tmp_path.iterdir()] == ["local"]
