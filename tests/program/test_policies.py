"""Each rule of the policy pack fires on what it is for, and is silent on the shipped stacks."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from policy.rules import RULES, LevelsError, read_levels
from tests.policies import DEPLOYMENT, EDITS, edited
from tests.program.conftest import ROOT, STACKS, configuration
from tests.stacks import changed
from tools import policies
from tools.preview import __main__ as preview
from tools.preview import offline


@pytest.mark.parametrize("stack", STACKS)
def test_a_shipped_stack_violates_none(program, stack):
    assert policies.violated(program(stack).resources, stack) == []


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: f"{edit.rule} {edit.resource} {edit.path}")
def test_a_rule_fires_and_names_the_resource(program, edit):
    resources = program("prod", known=True).resources
    (touched,) = [one for one in resources if (one.type, one.name) == (edit.type, edit.resource)]
    changed_to = [replace(touched, inputs=edited(touched.inputs, edit.path, edit.value))] if edit.path else []
    found = policies.violated([one for one in resources if one is not touched] + changed_to, "prod")
    assert {one.rule for one in found} == {edit.rule}
    assert {one.resource.split()[1] for one in found} == {edit.blamed or edit.resource}
    assert all(edit.said in one.message for one in found)
    assert all(one.level == "mandatory" for one in found)


def test_every_rule_is_shown_to_fire():
    assert {edit.rule for edit in EDITS} == {rule.id for rule in RULES}


def test_an_image_by_digest_is_pinned_whatever_its_tag(program):
    resources = program("prod", known=True).resources
    (gateway,) = [one for one in resources if (one.type, one.name) == (DEPLOYMENT, "gateway")]
    image = f"envoyproxy/envoy:latest@sha256:{'a' * 64}"
    pinned = replace(gateway, inputs=edited(gateway.inputs, "spec.template.spec.containers.0.image", image))
    assert policies.violated([pinned if one is gateway else one for one in resources], "prod") == []


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"models.qwen3-8b.scaling.floor": 1}, {"floor-of-two"}),
        ({"cluster.deletionProtection": False}, {"deletion-protection"}),
        ({"nodePools.l4.spot.max": 9}, {"gpu-limit"}),
        ({"models.qwen3-8b.revision": "main", "platform.requirePinnedRevisions": False}, {"pinned-revisions"}),
        ({"models.qwen3-8b.image": "vllm/vllm-openai:nightly"}, {"pinned-images"}),
    ],
)
def test_an_edit_of_the_stack_is_forbidden(changes, rules):
    recording = offline.run(changed(configuration("prod"), changes), "prod", known=True)
    assert {one.rule for one in policies.violated(recording.resources, "prod")} == rules


@pytest.fixture
def levels(tmp_path, monkeypatch):
    """Writes a file of levels for a stack."""
    monkeypatch.setattr(policies, "LEVELS", tmp_path)
    return lambda stack, content: (tmp_path / f"{stack}.json").write_text(content if isinstance(content, str) else json.dumps(content))


def test_without_a_file_the_rules_have_their_own_levels(program, levels):
    found = policies.violated(program("dev").resources, "dev")
    assert {(one.rule, one.level) for one in found} == {("deletion-protection", "advisory"), ("floor-of-two", "advisory")}


def test_a_level_for_all_holds_for_the_rules_that_are_not_named(program, levels):
    levels("dev", {"all": "disabled", "floor-of-two": {"replicas": 3, "except": {"qwen3-8b-floor": "a reason"}}})
    (found,) = policies.violated(program("dev").resources, "dev")
    assert (found.rule, found.level, found.resource) == ("floor-of-two", "advisory", "Deployment qwen3-0-6b-floor")


WRONG_LEVELS = {
    "{": ["prod.json: "],
    '{"florr-of-two": "mandatory", "gpu-taint": "must"}': [
        "prod.json: florr-of-two: there is no such rule; the rules are public-endpoint,",
        "prod.json: gpu-taint: 'must' is no level; write one of mandatory, advisory, disabled",
    ],
    '{"gpu-limit": {"gpu": 3}, "allowed-regions": {"regions": "us-central1"}}': [
        "prod.json: gpu-limit.gpu: there is no such option; there are gpus",
        "prod.json: allowed-regions.regions: 'us-central1' is no list; write it as in []",
    ],
    '{"floor-of-two": {"except": {"a-floor": " "}}}': ["prod.json: floor-of-two.except: an exception has no reason"],
}


@pytest.mark.parametrize(("content", "said"), WRONG_LEVELS.items())
def test_all_problems_of_a_file_of_levels_are_said(tmp_path, content, said):
    file = tmp_path / "prod.json"
    file.write_text(content)
    with pytest.raises(LevelsError) as error:
        read_levels(file, RULES)
    lines = str(error.value).splitlines()
    assert len(lines) == len(said)
    assert all(line.startswith(begins) for line, begins in zip(lines, said, strict=True))


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        ({"floor-of-two": "mandatory"}, 3, "Forbidden by policies (2)"),
        ({"floor-of-two": "advisory"}, 0, "Policies advise against it (2)"),
        ("[", 2, "dev.json: "),
    ],
)
def test_the_preview_says_what_policies_forbid(levels, monkeypatch, tmp_path, capsys, content, code, said):
    levels("dev", {"deletion-protection": "disabled", **content} if isinstance(content, dict) else content)
    monkeypatch.setattr(preview, "preview_folder", lambda stack: tmp_path / stack)
    monkeypatch.setattr("sys.argv", ["preview", "dev"])
    assert preview.main() == code
    out = capsys.readouterr().out
    assert said in out
    assert code == 2 or "floor-of-two: Deployment qwen3-8b-floor: its floor is 1, below 2" in out


def test_the_document_lists_every_rule_with_its_level_and_options():
    lines = [line.split(" | ") for line in (ROOT / "docs" / "policies.md").read_text().splitlines() if line.startswith("| `")]
    documented = {
        cells[0].strip("| `"): (cells[2], set(re.findall(r"`(\w+)`", cells[3])) - {"nvidia"}) for cells in lines if len(cells) == 4
    }
    assert documented == {rule.id: (rule.level, set(rule.options)) for rule in RULES}
