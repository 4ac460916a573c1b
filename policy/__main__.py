"""The policy pack, as `pulumi preview --policy-pack policy --policy-pack-config policy/levels/<stack>.json` runs it."""

from __future__ import annotations

from typing import Any

import pulumi_policy as pulumi  # ty: ignore[import-not-found]  # in an environment of its own
from rules import RULES, Resource, Rule, judged  # ty: ignore[import-not-found]  # its folder is on the path

_SCHEMAS = {int: {"type": "integer", "minimum": 0}, list: {"type": "array", "items": {"type": "string"}}}
_EXCEPT = {"type": "object", "additionalProperties": {"type": "string"}, "description": "Names of resources, each with a reason."}


def _policy(rule: Rule) -> pulumi.Policy:
    """A rule about single resources is asked before each is created; one about all of them after the last."""

    def of_resource(args: pulumi.ResourceValidationArgs, report: pulumi.ReportViolation) -> None:
        for _, message in judged(rule, [Resource(args.resource_type, args.name, args.props)], args.get_config()):
            report(_said(rule, message))

    def of_stack(args: pulumi.StackValidationArgs, report: pulumi.ReportViolation) -> None:
        resources = [Resource(one.resource_type, one.name, one.props) for one in args.resources]
        urns = dict(zip(map(id, resources), (one.urn for one in args.resources), strict=True))
        for resource, message in judged(rule, resources, args.get_config()):
            report(_said(rule, message), urns[id(resource)])

    common: dict[str, Any] = {
        "name": rule.id,
        "description": rule.reason,
        "enforcement_level": pulumi.EnforcementLevel(rule.level),
        "config_schema": pulumi.PolicyConfigSchema(
            properties={"except": _EXCEPT, **{name: _SCHEMAS[type(default)] for name, default in rule.options.items()}}
        ),
    }
    if rule.each:
        return pulumi.ResourceValidationPolicy(validate=of_resource, **common)
    return pulumi.StackValidationPolicy(validate=of_stack, **common)


def _said(rule: Rule, message: str) -> str:
    return f"{message}; {rule.fix}"


pulumi.PolicyPack("vllm-platform", [_policy(rule) for rule in RULES])
