"""The policy pack, run by Pulumi's engine. Needs `make policy-pack`."""

from __future__ import annotations

import shutil

import pytest

from policy.rules import RULES
from tests.engine.engine import ROOT
from tests.program.conftest import configuration
from tools.policies import LEVELS

PACK = ROOT / "policy"
WANTED = next(rule for rule in RULES if rule.id == "floor-of-two")

pytestmark = pytest.mark.skipif(not (PACK / ".venv").exists(), reason="the policy pack needs `make policy-pack`")


@pytest.fixture
def pack(tmp_path):
    """A copy: the engine writes beside a pack."""
    folder = shutil.copytree(PACK, tmp_path / "policy", ignore=shutil.ignore_patterns(".venv", "__pycache__"))
    (folder / ".venv").symlink_to(PACK / ".venv")
    return str(folder)


def test_the_engine_refuses_what_a_rule_forbids_and_lets_the_rest_pass(own_environment, pack):
    """A floor of one: prod's levels forbid it, local's do not."""
    stack = own_environment.stack("local", configuration("local"))
    levels = {name: str(LEVELS / f"{name}.json") for name in ("local", "prod")}

    refused = stack.preview(policy_packs=[pack], policy_pack_configs=[levels["prod"]])
    assert refused.failed
    assert refused.violations == [WANTED.id]
    for said in (WANTED.reason, WANTED.fix, "its floor is 1, below 2"):
        assert said in refused.output

    allowed = stack.preview(policy_packs=[pack], policy_pack_configs=[levels["local"]]).succeeded()
    assert allowed.violations == []
    assert "create" in {kind for kind, _ in allowed.changes}
