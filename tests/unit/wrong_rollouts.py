"""Wrong stacks with a model that changes its colour: changes to a valid stack and the expected problem."""

from tests.stacks import REVISION
from tests.unit.wrong_models import MODEL

ROLLOUT = f"{MODEL}.rollout"
CANDIDATE = f"{ROLLOUT}.candidate"
OTHER = {"source": "Qwen/Qwen3-0.6B", "revision": REVISION, "nodePool": "l4", "engine": {"maxModelLen": 2048}}


def candidate(model=None, **more):
    """A candidate that differs from the stack's model."""
    return {ROLLOUT: {"strategy": "blue-green", "candidate": {"model": model or {}, **more}}}


# name: (changes to a stack that works, path of the problem, words of the reason, words of the fix)
WRONG = {
    "a way to roll out that there is not": ({f"{ROLLOUT}.strategy": "recreate"}, f"{ROLLOUT}.strategy", "'recreate'", "blue-green"),
    "a candidate of a rolling update": ({ROLLOUT: {"candidate": {}}}, ROLLOUT, "replaces replicas in place", "set strategy to blue-green"),
    "a colour that there is not": ({f"{ROLLOUT}.live": "red"}, f"{ROLLOUT}.live", "'red'", "'blue' or 'green'"),
    "a weight without a candidate": (
        {ROLLOUT: {"strategy": "blue-green", "weight": 10}}, f"{ROLLOUT}.weight", "unknown key", "known here",
    ),
    "more than all requests": (candidate(weight=101), f"{CANDIDATE}.weight", "101", "less than or equal to 100"),
    "a weight without a gateway": (
        candidate(weight=10) | {"gateway": None}, f"{CANDIDATE}.weight", "no gateway", "add a `gateway` section, or set it to 0",
    ),
    "a weight that nobody measures": (
        candidate(weight=50) | {"platform.monitoring.enabled": False, "platform.autoscaler.enabled": False},
        f"{CANDIDATE}.weight", "judged by Prometheus", "set gate.canaryWeight to 50",
    ),
    "a candidate with a misspelt key": (
        candidate({"engine": {"maxModelLenn": 4096}}), f"{CANDIDATE}.model.engine.maxModelLenn", "unknown key", "maxModelLen",
    ),
    "a candidate that does not fit its GPU": (
        candidate({"engine": {"maxModelLen": 40960}}),
        f"{CANDIDATE}.model.engine.maxModelLen", "one sequence of 40960 tokens", "at most",
    ),
    "a candidate on a pool that there is not": (candidate({"nodePool": "h100"}), f"{CANDIDATE}.model.nodePool", "no node pool", "l4"),
    "a candidate whose weights nobody pinned": (
        candidate({"source": "microsoft/DialoGPT-medium"}), f"{CANDIDATE}.model.revision", "no revision is given", "40 hexadecimal digits",
    ),
    "a candidate with names of its own": (
        candidate({"servedNames": ["b"]}), f"{CANDIDATE}.model.servedNames", "clients know both colours", "change the model's own",
    ),
    "a candidate with objectives of its own": (candidate({"slo": {}}), f"{CANDIDATE}.model.slo", "both colours together", "remove it here"),
    "a candidate with affinity of its own": (
        candidate({"affinity": {"by": "session"}}), f"{CANDIDATE}.model.affinity", "in the same way for both", "remove it here",
    ),
    "a candidate with a candidate": (candidate({"rollout": {}}), f"{CANDIDATE}.model.rollout", "one rollout", "remove it here"),
    "a candidate without an adapter that clients ask for": (
        {f"{MODEL}.loraAdapters": {"sql": {"source": "acme/sql", "revision": REVISION}}} | candidate({"loraAdapters": None}),
        f"{CANDIDATE}.model.loraAdapters", "clients ask for adapters", "keep the names",
    ),
    "a candidate of which nothing runs": (
        candidate({"scaling": {"floor": 0}}), f"{CANDIDATE}.model.scaling.floor", "nothing of it runs", "1 or more",
    ),
    "a candidate with weights in another bucket": (
        {f"{MODEL}.weights": {"uri": "gs://acme/one"}} | candidate({"weights": {"uri": "gs://other/two"}}),
        f"{CANDIDATE}.model.weights", "one kind of source, bucket and endpoint", "another folder",
    ),
    "another model from the same folder": (
        {f"{MODEL}.weights": {"uri": "gs://acme/one"}} | candidate(OTHER), f"{CANDIDATE}.model.weights", "would be read", "its own uri",
    ),
    "no GPUs for two colours": (
        candidate() | {"nodePools.l4.onDemand": {"max": 1}},
        "nodePools.l4.onDemand.max", "cannot hold the floors of qwen3-8b, qwen3-8b-candidate, which need 2", "raise it to 2",
    ),
    "another model with the name of green replicas": (
        candidate() | {"models.qwen3-8b-green": OTHER}, ROLLOUT, "a model is called 'qwen3-8b-green'", "rename that model",
    ),
    "another model with the name of the candidate's series": (
        {ROLLOUT: {"strategy": "blue-green"}, "models.qwen3-8b-candidate": OTHER},
        ROLLOUT, "a model is called 'qwen3-8b-candidate'", "rename that model",
    ),
    "a golden prompt without an answer": (
        candidate(smokeTest={"goldenPrompts": [{"prompt": "2+2"}]}),
        f"{CANDIDATE}.smokeTest.goldenPrompts[0].contains", "required", "add it",
    ),
    "a first token that comes before it is asked for": (
        candidate(smokeTest={"firstTokenSeconds": 0}), f"{CANDIDATE}.smokeTest.firstTokenSeconds", "0", "greater than 0",
    ),
    "a gate that no request passes": (candidate(gate={"minRequests": 0}), f"{CANDIDATE}.gate.minRequests", "0", "greater than 0"),
    "a gate that fails every request": (candidate(gate={"maxErrorRatio": 1}), f"{CANDIDATE}.gate.maxErrorRatio", "1", "less than 1"),
}  # fmt: skip
