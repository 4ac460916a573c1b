"""What each setting of a blue-green rollout changes."""

from __future__ import annotations

from tests.program.effects import Effect
from tests.unit.wrong_rollouts import candidate

ROLLOUT = "models.<name>.rollout"
CANDIDATE, SMOKE, GATE = (f"{ROLLOUT}.candidate{key}" for key in ("", ".smokeTest", ".gate"))
JOB = "Job spec.template.spec.containers.command"
ONE, HALF = candidate({"engine": {"maxModelLen": 4096}}), candidate({"engine": {"maxModelLen": 4096}}, weight=50)

EFFECTS = {
    f"{ROLLOUT}.strategy": Effect(
        "blue-green",
        ("NetworkPolicy metadata.name=allow-checks", "NetworkPolicy metadata.name=allow-checked",
         "NetworkPolicy spec.ingress.from.podSelector.matchLabels.app.kubernetes.io/name=rollout-check"),
    ),
    f"{ROLLOUT}.live": Effect(
        "green", ("Deployment metadata.name=qwen3-8b-green-floor", "-Deployment metadata.name=qwen3-8b-floor",
                  "Secret stringData.models.json.resources.virtual_hosts"),
    ),
    f"{CANDIDATE}.model": Effect(
        {"engine": {"maxModelLen": 2048}},
        ("Deployment spec.template.spec.containers.args=--max-model-len=2048", "Job metadata.name", "-Job metadata.name"), ONE,
    ),
    f"{CANDIDATE}.weight": Effect(
        50, ("Job spec.template.spec.containers.name=gate", "plan gateway.models.qwen3-8b.other.weight=50"), ONE,
    ),
    f"{SMOKE}.goldenPrompts": Effect(
        [{"prompt": "2+2?", "contains": "4"}], (f"{JOB}.golden_prompts.prompt=2+2?", "Job metadata.name"), ONE
    ),
    f"{SMOKE}.firstTokenSeconds": Effect(3, (f"{JOB}.first_token_seconds=3", "Job metadata.name"), ONE),
    f"{SMOKE}.timeLimitSeconds": Effect(300, ("Job spec.activeDeadlineSeconds=360", "Job options.timeouts.create=600s"), ONE),
    f"{GATE}.canaryWeight": Effect(50, ("-Job spec.template.spec.containers.name=gate",), HALF),
    f"{GATE}.minRequests": Effect(7, (f"{JOB}.min_requests=7", "Job metadata.name"), HALF),
    f"{GATE}.windowMinutes": Effect(60, (f"{JOB}.queries.requests",), HALF),
    f"{GATE}.maxErrorRatio": Effect(0.2, (f"{JOB}.max_error_ratio=0.2",), HALF),
    f"{GATE}.maxTtftRatio": Effect(2, (f"{JOB}.max_ttft_ratio=2",), HALF),
    f"{GATE}.timeLimitSeconds": Effect(300, ("Job spec.activeDeadlineSeconds=360",), HALF),
}  # fmt: skip
