"""What `make diff` says of pull requests: held to facts stated by hand, and to comments that somebody has read."""

from __future__ import annotations

import json
import subprocess
from shutil import copy, copytree, ignore_patterns

import pytest

from config import catalog
from tests.program.conftest import ROOT, configuration
from tests.pull_requests import PULL_REQUESTS, file_of, reviewed
from tests.stacks import changed
from tools.preview import offline
from tools.review import __main__ as review_command
from tools.review import snapshot, trees
from tools.review.comparison import compare
from tools.review.fields import FieldChange, changed_fields
from tools.review.markdown import comment
from tools.review.unchanged import Unchanged, program, unchanged_parts

WORKING = {name: one for name, one in PULL_REQUESTS.items() if not one.refused}
_KINDS_OUTSIDE = ("gcp:", "pulumi:")
_CODE = ("config", "planning", "components", "policy", "tools")


@pytest.mark.parametrize("name", PULL_REQUESTS)
def test_the_comment_is_the_one_in_the_repository(name):
    assert comment(reviewed(name)) == file_of(name).read_text(), "read the difference, then run `python -m tests.pull_requests`"


@pytest.mark.parametrize("name", PULL_REQUESTS)
def test_the_reviewer_learns_what_was_stated_by_hand(name):
    expected, found = PULL_REQUESTS[name], reviewed(name)
    assert {path for path, _, _ in found.problems} == set(expected.refused)
    text = comment(found)
    assert [part for part in expected.says if part not in text] == []
    for token in ("hf_AbC", "v1:9Yz", "placeholder", "[secret:"):
        assert token not in text


@pytest.mark.parametrize("name", WORKING)
def test_models_pools_dollars_and_replacements_are_those_stated_by_hand(name):
    expected, found = WORKING[name], reviewed(name)
    for said, differences in ((expected.models, found.models), (expected.pools, found.pools)):
        assert {one.name for one in differences} == set(said)
        assert [one for one in differences if said[one.name] not in one.effect] == []
    assert found.cost_before
    assert found.cost_after
    change = round(found.cost_after["usdExpected"]) - round(found.cost_before["usdExpected"])
    assert (change > 0) - (change < 0) == expected.dollars
    named = {
        kind: {f"{one.type.rpartition(':')[2]} {one.name}" for one in found.resources if one.kind == kind} for kind in ("replace", "update")
    }
    outside = {one.name for one in found.resources if one.kind == "replace" and one.type.startswith(_KINDS_OUTSIDE)}
    assert set(expected.replaced) <= named["replace"]
    assert set(expected.updated) <= named["update"]
    assert expected.replaced or not outside


@pytest.mark.parametrize(
    "name", ["a new model", "a longer context", "a higher price", "a client", "another machine type", "weights from a bucket"]
)
def test_what_is_left_out_of_the_run_would_not_have_shown_a_difference(name):
    pull_request = PULL_REQUESTS[name]
    before = changed(configuration(pull_request.stack), pull_request.before)
    sides = [snapshot.snapshot(snapshot.plan(one), pull_request.stack) for one in (before, changed(before, pull_request.changes))]
    assert compare(pull_request.stack, *sides) == reviewed(name)


def spared(stack, changes):
    """The parts that a change leaves alone, and the resources that a run without them registers."""
    before = configuration(stack)
    planned = [snapshot.plan(one) for one in (before, changed(before, changes))]
    unchanged = unchanged_parts(*planned)
    return unchanged, offline.run(planned[1].config, stack, known=True, program=program(planned[1], unchanged)).resources


def test_only_the_model_that_changes_is_made():
    unchanged, resources = spared("dev", {"models.qwen3-8b.engine.maxModelLen": 16384})
    assert unchanged == Unchanged(frozenset({"qwen3-0-6b"}), cluster=True)
    assert {one.name for one in resources if one.name in ("qwen3-8b-floor", "qwen3-0-6b-floor")} == {"qwen3-8b-floor"}
    assert not [one for one in resources if one.type.startswith("gcp:")]


@pytest.mark.parametrize(
    "changes",
    [
        {"nodePools.l4.spot.max": 5},
        {"nodePools.l4.machineType": "g2-standard-12"},
        {"cluster.maxPodsPerNode": 48},
        {"models.qwen3-8b.weights": {"uri": "gs://acme-weights/qwen3-8b"}},
    ],
)
def test_a_change_that_reaches_the_cluster_makes_the_cluster(changes):
    unchanged, resources = spared("dev", changes)
    assert not unchanged.cluster
    assert [one for one in resources if one.type == "gcp:container/cluster:Cluster"]


def test_the_model_whose_job_awaits_the_routes_is_made_when_another_one_comes():
    before = changed(configuration("dev"), {"models.qwen3-8b.rollout": {"strategy": "blue-green"}})
    after = changed(before, {"models.another": PULL_REQUESTS["a new model"].changes["models.another"]})
    found = trees.compare_configurations("dev", before, after)
    assert "qwen3-8b-routed" in {one.name for one in found.resources}


def test_many_changed_models_are_compared_in_two_processes(monkeypatch):
    before = configuration("dev")
    after = changed(before, {"models.qwen3-8b.engine.maxModelLen": 16384})
    alone = trees.compare_configurations("dev", before, after)
    monkeypatch.setattr(trees, "_WORTH_A_PROCESS", 0)
    assert trees.compare_configurations("dev", before, after) == alone


def test_a_stack_that_is_new_counts_as_added():
    found = trees.compare_planned("local", trees._absent("local"), snapshot.plan(configuration("local")))
    assert [one.change for one in (*found.models, *found.pools)] == ["added", "added"]
    assert {one.kind for one in found.resources} == {"create"}
    assert "is not there before the change" in comment(found)


def test_fields_are_compared_by_name_by_line_and_within_json():
    old = {"args": ["--a=1", "--b"], "env": [{"name": "A", "value": "1"}], "json": '{"x": {"y": 1}}', "text": "one\ntwo", "gone": True}
    new = {"args": ["--a=2", "--b"], "env": [{"name": "A", "value": "2"}], "json": '{"x": {"y": 2}}', "text": "one\n2", "come": 1}
    assert list(changed_fields(old, new)) == [
        FieldChange("args[]", "--a=1", "--a=2"),
        FieldChange("come", None, "1"),
        FieldChange("env[A].value", "1", "2"),
        FieldChange("gone", "true", None),
        FieldChange("json.x.y", "1", "2"),
        FieldChange("text[]", "two", "2"),
    ]


def test_long_fields_are_shown_where_they_differ():
    query = 'sum by (model) (rate(vllm:request_success_total{namespace=~"models-.*"}[5m])) * on (model) group_left () max by (model) (x) > '
    (found,) = changed_fields({"expr": f"{query}17"}, {"expr": f"{query}23"})
    before, after = str(found.before), str(found.after)
    assert (before[-4:], after[-4:]) == ("> 17", "> 23")
    assert max(len(before), len(after)) < len(query)


def test_a_warning_with_another_figure_is_neither_new_nor_gone():
    found = reviewed("a lower floor in production")
    assert [(path, "$131,124" in message) for path, message, _ in found.other_figures] == [("budget.monthlyUsd", True)]
    assert "budget.monthlyUsd" not in {path for path, _, _ in (*found.new_warnings, *found.gone_warnings)}
    assert reviewed("a model renamed").other_figures == ()


def test_no_credential_is_shown_whatever_field_it_stands_in():
    token = "hf_AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
    shown = list(changed_fields({"a": "x", "b": "[secret:01]"}, {"a": f"Bearer {token}", "b": "[secret:02]"}))
    assert shown == [FieldChange("a", "x", "[not shown]"), FieldChange("b", "[secret]", "[secret]")]


@pytest.fixture
def repository(tmp_path):
    """The program in a git repository of its own."""
    for folder in _CODE:
        copytree(ROOT / folder, tmp_path / folder, ignore=ignore_patterns("__pycache__", ".venv"))
    for file in ("__main__.py", "Pulumi.yaml", "Pulumi.local.yaml", "requirements.txt"):
        copy(ROOT / file, tmp_path)
    (tmp_path / ".gitignore").write_text("__pycache__/\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--message", "base")
    return tmp_path


def git(folder, *arguments):
    subprocess.run(["git", *arguments], cwd=folder, check=True)


def edit(file, old, new):
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_a_changed_program_is_compared_with_the_one_before(repository):
    """A new version of a chart is in no stack's file."""
    releases = repository / "config" / "catalog" / "releases.yaml"
    version = catalog.chart("kube-prometheus-stack").version
    edit(releases, f"version: {version}", "version: 99.9.9")
    found = trees.review("local", trees.base_commit("HEAD", repository), repository)
    (release,) = [one for one in found.resources if one.type.endswith(":Release")]
    assert (release.kind, release.name) == ("update", "kube-prometheus-stack")
    assert FieldChange("version", version, "99.9.9") in release.fields
    assert found.models == ()


def test_a_policy_that_becomes_stricter_is_violated_by_the_change(repository):
    copy(repository / "policy" / "levels" / "prod.json", repository / "policy" / "levels" / "local.json")
    found = trees.review("local", trees.base_commit("HEAD", repository), repository)
    assert "floor-of-two" in {rule for rule, _, _ in found.forbidden}
    assert found.resources == ()


def test_a_changed_stack_file_is_compared_in_process(repository, monkeypatch):
    edit(repository / "Pulumi.local.yaml", "maxModelLen: 2048", "maxModelLen: 1024")
    monkeypatch.setattr(trees, "_in_own_code", None)
    found = trees.review("local", trees.base_commit("HEAD", repository), repository)
    assert [(one.name, one.change) for one in found.models] == [("qwen3-0-6b", "changed")]


def test_a_reference_that_is_not_there_is_said(repository):
    with pytest.raises(trees.BaseError, match="nowhere"):
        trees.base_commit("nowhere", repository)


@pytest.mark.parametrize(("how", "begins"), [("markdown", "## dev: cannot work"), ("json", "["), ("text", "Stack dev cannot work")])
def test_a_stack_that_cannot_work_exits_with_2_in_every_form(how, begins, monkeypatch, capsys):
    monkeypatch.setattr(review_command, "base_commit", lambda _: "base")
    monkeypatch.setattr(review_command, "review", lambda stack, _: reviewed("a context that does not fit"))
    monkeypatch.setattr("sys.argv", ["diff", "dev", "--base", "main", "--format", how])
    assert review_command.main() == 2
    out = capsys.readouterr().out
    assert out.startswith(begins)
    assert "22624" in out


@pytest.mark.parametrize("how", ["markdown", "json", "text"])
def test_a_change_that_a_policy_forbids_exits_with_3_in_every_form(how, monkeypatch, capsys):
    monkeypatch.setattr(review_command, "base_commit", lambda _: "base")
    monkeypatch.setattr(review_command, "review", lambda stack, _: reviewed("a lower floor in production"))
    monkeypatch.setattr("sys.argv", ["diff", "prod", "--base", "main", "--format", how])
    assert review_command.main() == 3
    assert "qwen3-8b-floor: its floor is 1, below 2" in capsys.readouterr().out


@pytest.mark.parametrize("how", ["json", "text"])
def test_a_change_that_works_exits_with_0(how, monkeypatch, capsys):
    monkeypatch.setattr(review_command, "base_commit", lambda _: "base")
    monkeypatch.setattr(review_command, "review", lambda stack, _: reviewed("a longer context"))
    monkeypatch.setattr("sys.argv", ["diff", "dev", "--base", "main", "--format", how])
    assert review_command.main() == 0
    out = capsys.readouterr().out
    if how == "json":
        (found,) = json.loads(out)
        assert found["models"][0]["after"]["maxModelLen"] == 16384
    else:
        assert "8,192 → 16,384" in out
