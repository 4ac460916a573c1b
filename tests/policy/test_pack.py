"""The policy pack on Pulumi's policy SDK, as a process of its own that is asked as the engine asks it. Needs `make policy-pack`."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import grpc
import pytest
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from config.stack_config import read_stack_file
from policy.rules import RULES
from tests.policies import EDITS, edited
from tools import policies
from tools.preview import offline
from tools.stacks import ROOT, stack_file

PACK = ROOT / "policy"
LEVELS = {"advisory": analyzer_pb2.ADVISORY, "mandatory": analyzer_pb2.MANDATORY, "disabled": analyzer_pb2.DISABLED}


@pytest.fixture(scope="module")
def engine():
    """The pack, asked over its own connection."""
    command = [PACK / ".venv" / "bin" / "python", "-u", PACK, "127.0.0.1:1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            port = int(process.stdout.readline())
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                stub = analyzer_pb2_grpc.AnalyzerStub(channel)
                stub.Configure(_configuration(json.loads((policies.LEVELS / "prod.json").read_text())))
                yield stub
        finally:
            process.kill()


@pytest.fixture(scope="module")
def prod():
    recording = offline.run(read_stack_file(stack_file("prod")), "prod", known=True)
    return [one for one in recording.resources if one.custom]


def _configuration(levels):
    """As the engine reads `--policy-pack-config`."""
    request = analyzer_pb2.ConfigureAnalyzerRequest()
    for name, given in levels.items():
        options = dict(given) if isinstance(given, dict) else {"enforcementLevel": given}
        request.policyConfig[name].enforcementLevel = LEVELS[options.pop("enforcementLevel")]
        json_format.ParseDict(options, request.policyConfig[name].properties)
    return request


def _about_each(engine, resources):
    """Diagnostics of the rules about single resources."""
    requests = [analyzer_pb2.AnalyzeRequest(type=one.type, urn=one.urn, name=one.name, properties=_properties(one)) for one in resources]
    return [diagnostic for request in requests for diagnostic in engine.Analyze(request).diagnostics]


def _about_all(engine, resources):
    """Diagnostics of the rules about all resources together."""
    every = [analyzer_pb2.AnalyzerResource(type=one.type, urn=one.urn, name=one.name, properties=_properties(one)) for one in resources]
    return list(engine.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=every)).diagnostics)


def _properties(resource):
    return json_format.ParseDict(resource.inputs, struct_pb2.Struct())  # ty: ignore[missing-attribute]


def test_the_pack_has_every_rule_with_its_reason(engine):
    found = engine.GetAnalyzerInfo(empty_pb2.Empty())  # ty: ignore[missing-attribute]
    assert {one.name: one.description for one in found.policies} == {rule.id: rule.reason for rule in RULES}


def test_a_shipped_stack_violates_none(engine, prod):
    assert _about_each(engine, prod) + _about_all(engine, prod) == []


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: f"{edit.rule} {edit.resource} {edit.path}")
def test_a_rule_fires_as_in_the_offline_preview(engine, prod, edit):
    (touched,) = [one for one in prod if (one.type, one.name) == (edit.type, edit.resource)]
    changed = [replace(touched, inputs=edited(touched.inputs, edit.path, edit.value))] if edit.path else []
    is_about_each = any(rule.id == edit.rule and rule.each for rule in RULES)
    found = _about_each(engine, changed) if is_about_each else _about_all(engine, [one for one in prod if one is not touched] + changed)
    assert {one.policyName for one in found} == {edit.rule}
    assert {one.enforcementLevel for one in found} == {analyzer_pb2.MANDATORY}
    assert all(edit.said in one.message for one in found)
    assert all(one.urn.rpartition("::")[2] == edit.blamed for one in found if edit.blamed)
