"""Findings about the models' Deployments and PodDisruptionBudgets: missing, different from the plan, or blocked."""

from __future__ import annotations

from collections.abc import Iterator

from components.naming import model_namespace
from tools.doctor import admission
from tools.doctor.findings import Cause, Finding, fault
from tools.doctor.objects import Object, condition, name, namespace, status
from tools.doctor.snapshot import Case, Replicas

_UP = "run `pulumi up`"


def deployment_findings(case: Case, replicas: Replicas) -> Iterator[Finding]:
    deployment = replicas.deployment
    if deployment is None:
        yield _missing(case, replicas)
        return
    failure = condition(deployment, "ReplicaFailure")
    if failure.get("status") == "True":
        yield admission.refusal(replicas.about, failure.get("message", ""), name(deployment))
    if deployment["spec"].get("paused"):
        message = f"Deployment {name(deployment)} is paused: changes do not reach its pods"
        yield fault(replicas.about, Cause.REPLICAS_CHANGED, message, f"`kubectl -n {namespace(deployment)} rollout resume`, or {_UP}")
    found = deployment["spec"].get("replicas", 1)
    if replicas.is_floor and found != replicas.model.floor:
        message = f"the floor was changed by hand: Deployment {name(deployment)} has {found} replicas, planned are {replicas.model.floor}"
        yield fault(replicas.about, Cause.REPLICAS_CHANGED, message, f"{_UP} --refresh, or set scaling.floor to what you want")


def _missing(case: Case, replicas: Replicas) -> Finding:
    space = model_namespace(replicas.model.name)
    what = f"Deployment {replicas.model.replicas_name}-{replicas.tier.name}" if space in case.snapshot.namespaces else f"namespace {space}"
    return fault(replicas.about, Cause.NOT_DEPLOYED, f"{what} does not exist", f"{_UP}, or look at the right cluster: CONTEXT=<context>")


def rollout_findings(replicas: Replicas) -> Iterator[Finding]:
    """Rollout conditions of a Deployment that no other finding explains."""
    deployment = replicas.deployment
    if deployment and condition(deployment, "Progressing").get("reason") == "ProgressDeadlineExceeded":
        limit = replicas.model.startup.progress_deadline
        message = f"Deployment {name(deployment)} made no progress within the {limit} s that were planned for a replica"
        yield fault(replicas.about, Cause.ROLLOUT_STUCK, message, "see `kubectl describe` of the Deployment and its newest ReplicaSet")


def disruption_budget_findings(case: Case) -> Iterator[Finding]:
    """A PodDisruptionBudget that blocks evictions even with all pods ready; one that waits for a replica is working as intended."""
    spaces = {model_namespace(model): model for model in case.plan.models}
    for budget in case.snapshot.disruption_budgets:
        if namespace(budget) in spaces and _never_allows(status(budget)):
            message = (
                f"PodDisruptionBudget {name(budget)} never allows an eviction: a drain of its nodes, and their upgrade, waits for ever"
            )
            advice = f"{_UP}, whose budgets allow one eviction at a time; delete it if the platform did not create it"
            yield fault(f"model {spaces[namespace(budget)]}", Cause.DRAIN_BLOCKED, message, advice, name(budget))


def _never_allows(counts: Object) -> bool:
    return 0 < counts.get("expectedPods", 0) <= counts.get("desiredHealthy", 0)
