"""What the sections of the report say, held to the plan, to settings that change it, and to facts stated by hand."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from config.parsing import parse
from config.stack_config import without_secret_values
from planning.plan import make_plan
from policy.rules import RULES, Violation
from tests.program.conftest import STACKS, configuration
from tests.pull_requests import PULL_REQUESTS, reviewed
from tests.stacks import changed, settings
from tests.unit.wrong_gateways import CLIENT
from tools import stacks
from tools.policies import levels
from tools.preview import __main__ as preview
from tools.preview import offline
from tools.preview.report.memory import parts_of
from tools.preview.report.money import money
from tools.preview.report.resources import masked
from tools.preview.report.rollout import model_updates, pool_updates
from tools.preview.report.security import controls, judgements
from tools.preview.report.startup import stages, starts
from tools.preview.report.topology import topology
from tools.review import __main__ as review_command
from tools.review.page import changes as changes_of

KEY = "projects/acme-keys/locations/us-central1/keyRings/llm/cryptoKeys/any"
L4 = "models.qwen3-8b"


def planned(config):
    found = parse(without_secret_values(config))
    return found, make_plan(found)


@pytest.mark.parametrize("stack", [*STACKS, "generated-50"])
def test_the_parts_of_every_bar_add_up_to_the_plans_figure(stack):
    found, plan = planned(configuration(stack))
    for one in plan.deployed.values():
        parts = parts_of(one.memory)
        assert sum(part.value for part in parts) == pytest.approx(one.memory.device)
        assert min(part.value for part in parts) >= -1e-9
        assert sum(part.value for part in stages(one.startup)) == pytest.approx(one.startup.expected)
    cases = {case.name: case for case in money(plan.cost, found.budget).cases}
    total = plan.cost.total
    for name, usd in (("At the floors", total.floor), ("Expected", total.expected), ("At the ceilings", total.ceiling)):
        assert cases[name].usd == usd
        assert sum(part.value for part in cases[name].parts) == pytest.approx(usd)


def update_of(changes):
    found = settings(changes)
    return dict(zip(("how", "meanwhile", "besides", "takes"), model_updates(found, make_plan(found)).rows[0][1:], strict=True))


def test_an_update_says_what_serves_meanwhile_and_which_gpus_it_needs():
    surge = update_of({})
    assert (surge["meanwhile"], surge["besides"]) == ("all of it serves", "1 GPU of pool l4")
    # 2 of 2 nodes hold the floor: no room for a third replica.
    full = update_of({"nodePools.l4.onDemand": {"min": 1, "max": 2}, f"{L4}.scaling": {"floor": 2, "ceiling": 2}})
    assert (full["meanwhile"], full["besides"]) == ("50% of its floor serve", "nothing")
    alone = update_of({"nodePools.l4.onDemand": {"min": 1, "max": 1}, f"{L4}.scaling": {"floor": 1, "ceiling": 1}})
    assert (alone["meanwhile"], alone["besides"]) == ("it is not served", "nothing")
    blue_green = update_of({f"{L4}.rollout": {"strategy": "blue-green"}, f"{L4}.scaling": {"floor": 2, "ceiling": 2}})
    assert (blue_green["meanwhile"], blue_green["besides"]) == ("all of it serves", "2 GPUs of pool l4")
    asleep = update_of({f"{L4}.scaling": {"floor": 0, "ceiling": 1}})
    assert (asleep["besides"], asleep["takes"]) == ("nothing", "-")


def test_an_update_of_nodes_says_what_is_there_twice_and_is_left_out_where_nodes_are_not_the_stacks():
    found = settings({"nodePools.l4.onDemand": {"min": 2, "max": 4}})
    table = pool_updates(found, make_plan(found))
    assert table
    assert table.rows == (("l4", "new nodes come first: 2 nodes twice (2 GPUs more)", "1 node missing at a time"),)
    found = settings({"nodePools.l4.replacement": "delete-first"})
    table = pool_updates(found, make_plan(found))
    assert table
    assert table.rows[0][1].startswith("old nodes go first")
    assert pool_updates(*planned(configuration("local"))) is None


def test_the_way_of_a_request_names_clients_models_machines_and_gpus():
    found, plan = planned(configuration("prod"))
    way = topology(found, plan)
    assert all(client in way.clients[0] for client in found.gateway.clients)
    assert "llm.acme.example" in way.gateway[0]
    pools = {pool.name: pool for pool in way.pools}
    assert pools["a100-80"].hardware.startswith("4 x NVIDIA A100")
    (llama,) = pools["a100-80"].models
    assert (llama.names, llama.takes) == ("llama-3.3-70b and llama-70b", "4 GPUs")
    assert llama.replicas == "1 to 2 replicas, up to 1 of them on spot nodes"
    lone = settings()
    assert topology(replace(lone, gateway=None), make_plan(replace(lone, gateway=None))).gateway == ("None.",)


def test_a_start_says_what_is_in_use_and_what_could_be_saved():
    found = settings({f"{L4}.weights": {"cache": "persistent-volume-claim", "compileCache": True, "storageClass": "filestore"}})
    (start,) = starts(make_plan(found))
    assert "shared claim (saves " in start.used
    assert "compile cache (saves " in start.used
    assert start.before.startswith("Once, before the first replica, a Job fills the shared claim in ")
    assert "image streaming" in start.unused


def state(changes, stack="dev"):
    config = changed(configuration(stack), changes)
    return {one.name: one.state for one in controls(planned(config)[0], offline.run(config, stack))}


def test_each_control_follows_its_setting():
    before, after = (
        state({}),
        state(
            {
                "cluster.deletionProtection": True,
                "cluster.externalDnsEndpoint": False,
                "cluster.security": {
                    "secretsKmsKey": KEY,
                    "diskKmsKey": KEY,
                    "binaryAuthorization": "PROJECT_SINGLETON_POLICY_ENFORCE",
                    "controlPlaneLogs": ["APISERVER"],
                    "networkPolicyLogging": "DENIED",
                },
                **CLIENT,
                "gateway.tls": {"secretName": "gateway-tls"},
                "models.qwen3-8b.weights": {"uri": "gs://acme-weights/qwen3-8b"},
                "models.qwen3-8b.engine.trustRemoteCode": True,
            }
        ),
    )
    turned_on = {
        "Deletion protection",
        "Control plane inside the VPC only",
        "A key of yours for Secrets",
        "A key of yours for disks",
        "Binary Authorization",
        "Logs of the control plane",
        "Logs of NetworkPolicies",
        "Keys of clients",
        "TLS to the gateway",
    }
    assert {name for name in after if (before[name], after[name]) == ("off", "on")} == turned_on
    assert (before["Model servers without internet"], after["Model servers without internet"]) == ("off", "partly")
    assert (before["No code from models' repositories"], after["No code from models' repositories"]) == ("on", "off")
    always = {"NetworkPolicies", "Private nodes", "Shielded nodes", "Workload Identity"}
    assert {before[name] for name in always} == {"on"} == {after[name] for name in always}
    assert before["Restricted pods"] == "partly", "the node exporter and the drivers work on the host"


def test_a_cluster_that_exists_is_not_judged_by_what_the_stack_does_not_make():
    assert "Private nodes" not in state({}, "local")


def test_every_policy_has_its_level_and_result():
    violation = Violation("floor-of-two", "mandatory", "Deployment qwen3-8b-floor", "its floor is 1", "raise it")
    found = {one.rule: one for one in judgements({**levels("prod"), "gpu-limit": "disabled"}, [violation])}
    assert found.keys() == {rule.id for rule in RULES}
    assert (found["floor-of-two"].result, found["floor-of-two"].colour) == ("violated by Deployment qwen3-8b-floor", "bad")
    assert found["gpu-limit"].result == "not asked"
    assert found["network-policy"].result == "kept"


def test_secrets_and_what_looks_like_a_credential_are_masked():
    token = "hf_AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
    inputs = {"kind": "Secret", "stringData": {"a": "plain"}, "args": ["--x", f"Bearer {token}"], "deep": {"key": ["value"]}}
    text = repr(masked(offline.Resource("urn", "t", "n", "", True, inputs, frozenset({"deep.key[0]"}))))
    assert [said for said in ("plain", token, "value") if said in text] == []


@pytest.mark.parametrize("name", [name for name, one in PULL_REQUESTS.items() if not one.refused][:8])
def test_the_section_about_a_change_has_what_the_comment_has(name):
    review = reviewed(name)
    section = changes_of(review, "main")
    tables = {table.caption: table for table in section.tables}
    for caption, differences in (("Models", review.models), ("Pools", review.pools)):
        assert [row[0] for row in tables[caption].rows] == [one.name for one in differences] if differences else caption not in tables
    assert [one.name for one in section.resources] == [one.name for one in review.resources]
    assert all(len(row) == len(table.headings) for table in section.tables for row in table.rows)


def test_a_stack_that_cannot_work_leaves_the_report_of_before(tmp_path, monkeypatch, capsys):
    (tmp_path / "build" / "dev").mkdir(parents=True)
    (tmp_path / "build" / "dev" / "report.html").write_text("before")
    text = (stacks.ROOT / "Pulumi.dev.yaml").read_text().replace("maxModelLen: 8192", "maxModelLen: 32768")
    (tmp_path / "Pulumi.dev.yaml").write_text(text)
    monkeypatch.setattr(stacks, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["preview", "dev"])
    assert preview.main() == 2
    assert "models.qwen3-8b.engine.maxModelLen" in capsys.readouterr().out
    assert (tmp_path / "build" / "dev" / "report.html").read_text() == "before"


def test_a_preview_with_a_base_says_in_its_report_what_changes(tmp_path, monkeypatch, capsys):
    review = reviewed("a longer context")
    text = (stacks.ROOT / "Pulumi.dev.yaml").read_text().replace("maxModelLen: 8192", "maxModelLen: 16384")
    (tmp_path / "Pulumi.dev.yaml").write_text(text)
    monkeypatch.setattr(stacks, "ROOT", tmp_path)
    monkeypatch.setattr(review_command, "base_commit", lambda _: "base")
    monkeypatch.setattr(review_command, "review", lambda stack, _: review)
    monkeypatch.setattr(sys, "argv", ["diff", "dev", "--base", "main", "--format", "html"])
    assert review_command.main() == 0
    assert "report.html" in capsys.readouterr().out
    html = (tmp_path / "build" / "dev" / "report.html").read_text()
    assert "What changes against main?" in html
    assert "8,192 → 16,384" in html
