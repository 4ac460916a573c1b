"""Pull requests as reviewers get them: an edit of a shipped stack, what a reviewer must learn from it, and the comment.

`python -m tests.pull_requests` writes the comments to tests/data/pull_requests, for a reviewer to read. What must be learnt is stated by
hand, so that no comment is wrong unnoticed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from config.stack_config import read_stack_file
from tests.stacks import changed
from tools.review import snapshot
from tools.review.changes import Review
from tools.review.markdown import comment
from tools.review.trees import compare_planned
from tools.stacks import stack_file

FOLDER = Path(__file__).parent / "data" / "pull_requests"


@dataclass(frozen=True)
class PullRequest:
    """`changes` as `tests.stacks.changed` takes them. What is not said of models, pools and resources must not happen to them."""

    stack: str
    changes: dict[str, Any]
    before: dict[str, Any] = field(default_factory=dict)
    """Changes that are merged already."""
    dollars: int = 0
    """Sign of the change of the month's expected cost."""
    models: dict[str, str] = field(default_factory=dict)
    """By model, a part of what happens to it."""
    pools: dict[str, str] = field(default_factory=dict)
    replaced: tuple[str, ...] = ()
    """Kind and name of each replaced resource outside the cluster, or some of them where the cluster itself is replaced."""
    updated: tuple[str, ...] = ()
    """Some of the updated ones."""
    says: tuple[str, ...] = ()
    """Parts of the comment."""
    refused: tuple[str, ...] = ()
    """Paths of the problems, where the stack cannot work after the change."""


_SMALL = {"source": "Qwen/Qwen3-0.6B", "nodePool": "l4", "engine": {"maxModelLen": 8192}, "scaling": {"floor": 1, "ceiling": 1}}
_BLUE_GREEN: dict[str, Any] = {"models.qwen3-8b.rollout": {"strategy": "blue-green"}}
_LONGER: dict[str, Any] = {"model": {"engine": {"maxModelLen": 16384}}}
_SURGES = "the whole floor serves"

PULL_REQUESTS: dict[str, PullRequest] = {
    "a new model": PullRequest("dev", {"models.another": _SMALL}, dollars=1, models={"another": "new"}, pools={"l4": ""}),
    "a candidate of a blue-green model": PullRequest(
        "dev",
        {"models.qwen3-8b.rollout.candidate": _LONGER},
        before=_BLUE_GREEN,
        dollars=1,
        models={"qwen3-8b": "no restart", "qwen3-8b-candidate": "new"},
        pools={"l4": ""},
    ),
    "a candidate gets requests": PullRequest(
        "dev",
        {"models.qwen3-8b.rollout.candidate.weight": 10},
        before={"models.qwen3-8b.rollout": {"strategy": "blue-green", "candidate": _LONGER}},
        models={
            "qwen3-8b": "gets 90 % of the model's requests (was 100 %)",
            "qwen3-8b-candidate": "gets 10 % of the model's requests (was 0 %)",
        },
    ),
    "a candidate promoted": PullRequest(
        "dev",
        {
            "models.qwen3-8b.engine.maxModelLen": 16384,
            "models.qwen3-8b.rollout": {"strategy": "blue-green", "live": "green"},
        },
        before={"models.qwen3-8b.rollout": {"strategy": "blue-green", "candidate": {"weight": 100, **_LONGER}}},
        dollars=-1,
        models={"qwen3-8b": "its green replicas are live, which run already", "qwen3-8b-candidate": "promoted: live now"},
        pools={"l4": ""},
    ),
    "a candidate given up": PullRequest(
        "dev",
        {"models.qwen3-8b.rollout.candidate": None},
        before={"models.qwen3-8b.rollout": {"strategy": "blue-green", "candidate": _LONGER}},
        dollars=-1,
        models={"qwen3-8b": "no restart", "qwen3-8b-candidate": "candidate given up"},
        pools={"l4": ""},
    ),
    "a model removed": PullRequest("prod", {"models.gpt-oss-20b": None}, refused=("gateway.clients.batch.models[1]",)),
    "a model removed everywhere": PullRequest(
        "prod",
        {"models.gpt-oss-20b": None, "gateway.clients.batch.models": ["qwen3-8b"]},
        dollars=-1,
        models={"gpt-oss-20b": "no longer served"},
        pools={"l4": ""},
        says=("**gpt-oss-20b is no longer served**",),
    ),
    "a model renamed": PullRequest(
        "dev",
        {
            "models.qwen3-0-6b": None,
            "models.qwen-small": {**_SMALL, "engine": {"maxModelLen": 16384}, "scaling": {"floor": 1, "ceiling": 2}},
        },
        models={"qwen3-0-6b": "no longer served", "qwen-small": "new"},
        says=("qwen3-0-6b is renamed to qwen-small",),
    ),
    "a longer context": PullRequest(
        "dev", {"models.qwen3-8b.engine.maxModelLen": 16384}, models={"qwen3-8b": _SURGES}, says=("8,192 → 16,384",)
    ),
    "a context that does not fit": PullRequest(
        "dev", {"models.qwen3-8b.engine.maxModelLen": 32768}, refused=("models.qwen3-8b.engine.maxModelLen",), says=("22624",)
    ),
    "a larger GPU, above the budget": PullRequest("prod", {"models.qwen3-8b.nodePool": "a100-80"}, refused=("budget.monthlyUsd",)),
    "a pool of another GPU": PullRequest(
        "dev",
        {"nodePools.a100": {"machineType": "a2-highgpu-1g", "onDemand": {"min": 1, "max": 2}}, "models.qwen3-8b.nodePool": "a100"},
        refused=("budget.monthlyUsd", "models.qwen3-8b.scaling.burst"),
    ),
    "a pool of another GPU with its budget": PullRequest(
        "dev",
        {
            "nodePools.a100": {"machineType": "a2-highgpu-1g", "onDemand": {"min": 1, "max": 2}, "spot": {"max": 4}},
            "models.qwen3-8b.nodePool": "a100",
            "budget.monthlyUsd": 6000,
        },
        dollars=1,
        models={"qwen3-8b": "restarts"},
        pools={"a100": "new", "l4": ""},
        says=("l4 → a100", "was $3,500"),
    ),
    "a higher price": PullRequest(
        "dev",
        {"budget.prices": {"g2-standard-8": {"onDemandUsdPerHour": 1.2}}},
        dollars=1,
        models={"qwen3-8b": "", "qwen3-0-6b": ""},
        pools={"l4": ""},
    ),
    "another machine type": PullRequest(
        "dev",
        {"nodePools.l4.machineType": "g2-standard-12"},
        dollars=1,
        models={"qwen3-8b": "its nodes are replaced", "qwen3-0-6b": "its nodes are replaced"},
        pools={"l4": "on-demand nodes made anew by GKE"},
    ),
    "fewer pods on a node replace every pool": PullRequest(
        "dev",
        {"cluster.maxPodsPerNode": 48},
        models={"qwen3-8b": "its nodes are replaced", "qwen3-0-6b": "its nodes are replaced"},
        pools={"l4": "nodes replaced"},
        replaced=("NodePool l4-on-demand", "NodePool l4-spot"),
    ),
    "a token pasted as text": PullRequest(
        "dev", {"secrets.huggingFaceToken": "hf_AbCdEfGhIjKlMnOpQrStUvWxYz01234567"}, refused=("secrets.huggingFaceToken",)
    ),
    "a token pasted into a flag": PullRequest(
        "dev",
        {"models.qwen3-8b.env": {"HF_TOKEN": "hf_AbCdEfGhIjKlMnOpQrStUvWxYz01234567"}},
        refused=("models.qwen3-8b.env", "models.qwen3-8b.env.HF_TOKEN"),
    ),
    "an encrypted token": PullRequest(
        "dev", {"secrets.huggingFaceToken": {"secure": "v1:9Yzk0Uw5bS1ncXo="}}, models={"qwen3-8b": _SURGES, "qwen3-0-6b": _SURGES}
    ),
    # It costs more: the pool's minimum of three nodes stays, and the ceiling's replica is a burst replica now, for a quarter of the time.
    "a lower floor in production": PullRequest(
        "prod",
        {"models.qwen3-8b.scaling.floor": 1},
        dollars=1,
        models={"qwen3-8b": "scales"},
        pools={"l4": ""},
        says=("2-6 → 1-6", "forbidden by policies: floor-of-two"),
    ),
    "a higher ceiling": PullRequest(
        "dev",
        {"models.qwen3-0-6b.scaling.ceiling": 3},
        models={"qwen3-0-6b": "scales"},
        pools={"l4": ""},
        says=("New warnings (1)", "1-2 → 1-3"),
    ),
    "spot nodes added": PullRequest(
        "dev",
        {"nodePools.l4.spot.max": 4},
        before={"nodePools.l4.spot": None, "models.qwen3-8b.scaling.burst": "on-demand", "models.qwen3-0-6b.scaling.burst": "on-demand"},
        pools={"l4": "spot nodes added"},
    ),
    "more replicas than nodes": PullRequest("dev", {"models.qwen3-8b.scaling.floor": 4}, refused=("nodePools.l4.onDemand.max",)),
    "a lower budget": PullRequest("dev", {"budget.monthlyUsd": 2000}, says=("within the budget of $2,000",)),
    "another image": PullRequest(
        "dev", {"models.qwen3-8b.image": "registry.acme.example/vllm-openai:v0.33.0"}, models={"qwen3-8b": "restarts"}
    ),
    "a maintenance window": PullRequest(
        "dev",
        {
            "cluster.maintenance": {
                "startTime": "2026-01-03T02:00:00Z",
                "endTime": "2026-01-03T08:00:00Z",
                "recurrence": "FREQ=WEEKLY;BYDAY=SA,SU",
            }
        },
        updated=("Cluster llm-dev",),
    ),
    "a public gateway without TLS": PullRequest(
        "dev", {"gateway": {"exposure": "load-balancer"}}, refused=("gateway.clients", "gateway.tls")
    ),
    "a client": PullRequest(
        "prod",
        {"gateway.clients.search": {"requestsPerMinute": 60}, "secrets.clientKeys.search": "llm-client-search"},
        updated=("Secret gateway-clients",),
    ),
    "weights from a bucket": PullRequest(
        "dev",
        {"models.qwen3-8b.weights": {"uri": "gs://acme-weights/qwen3-8b"}},
        models={"qwen3-8b": "restarts"},
    ),
    "a flag of the engine": PullRequest(
        "prod",
        {"models.qwen3-8b.engine.extraArgs": ["--seed=7"]},
        models={"qwen3-8b": "restarts"},
    ),
    "another region": PullRequest(
        "dev",
        {"gcp:region": "us-east4", "cluster.zones": ["us-east4-a", "us-east4-c"]},
        dollars=-1,
        models={"qwen3-8b": "not served", "qwen3-0-6b": "not served"},
        pools={"l4": "Cluster llm-dev is replaced"},
        replaced=("Cluster llm-dev", "Subnetwork llm-dev", "Router llm-dev", "RouterNat llm-dev", "NodePool system", "kubernetes llm-dev"),
    ),
    "a protected cluster renamed": PullRequest(
        "prod",
        {"cluster.name": "llm-prod-2"},
        models=dict.fromkeys(("qwen3-8b", "gpt-oss-20b", "llama-3-3-70b", "gemma-3-27b", "qwen3-32b-fp8", "gpt-oss-120b"), "not served"),
        pools={"l4": "nodes replaced", "a100-80": "nodes replaced", "h100": "nodes replaced"},
        replaced=("NodePool l4-on-demand",),
        says=("`pulumi up` will refuse: protected and to be deleted or replaced: llm-prod",),
    ),
    "deletion protection off": PullRequest("prod", {"cluster.deletionProtection": False}, updated=("Cluster llm-prod",)),
    "the revision pinned that is served": PullRequest(
        "dev", {"models.qwen3-0-6b.revision": "c1899de289a04d12100db370d81485cdf75e47ca"}, says=("nothing changes",)
    ),
}


@cache
def _merged(name: str) -> dict[str, Any]:
    pull_request = PULL_REQUESTS[name]
    return changed(read_stack_file(stack_file(pull_request.stack)), pull_request.before)


@cache
def reviewed(name: str) -> Review:
    pull_request, before = PULL_REQUESTS[name], _merged(name)
    return compare_planned(pull_request.stack, snapshot.plan(before), snapshot.plan(changed(before, pull_request.changes)))


def file_of(name: str) -> Path:
    return FOLDER / f"{name.replace(',', '').replace(' ', '-')}.md"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for kept in FOLDER.glob("*.md"):
        kept.unlink()
    for name in PULL_REQUESTS:
        file_of(name).write_text(comment(reviewed(name)))


if __name__ == "__main__":
    main()
