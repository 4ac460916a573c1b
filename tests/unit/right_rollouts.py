"""Valid stacks that change a model's colour, as changes to a valid stack. All must be accepted."""

from tests.stacks import REVISION
from tests.unit.wrong_models import MODEL
from tests.unit.wrong_rollouts import OTHER, ROLLOUT, candidate

RIGHT = {
    "blue-green, without a candidate": {ROLLOUT: {"strategy": "blue-green"}},
    "green replicas under rolling updates": {ROLLOUT: {"live": "green"}},
    "a candidate that differs in nothing": candidate(),
    "a candidate of another model": candidate(OTHER),
    "two colours that just fit": candidate() | {"nodePools.l4.onDemand": {"max": 2}},
    "a candidate on another pool": candidate({"nodePool": "other"}) | {
        "nodePools.l4.onDemand": {"max": 1},
        "nodePools.other": {"machineType": "g2-standard-12", "onDemand": {"max": 1}, "spot": {"max": 4}},
    },
    "a candidate that takes everything": candidate(weight=100),
    "a candidate that nobody measures, by choice": candidate(weight=50, gate={"canaryWeight": 50}) | {
        "platform.monitoring.enabled": False, "platform.autoscaler.enabled": False,
    },
    "a candidate of a model that sleeps": {
        f"{MODEL}.scaling": {"floor": 0, "ceiling": 3, "scaleToZero": True},
        **candidate({"scaling": {"floor": 1, "scaleToZero": False}}),
    },
    "a candidate with another revision of an adapter": {
        f"{MODEL}.loraAdapters": {"sql": {"source": "acme/sql", "revision": REVISION}},
        **candidate({"loraAdapters": {"sql": {"revision": REVISION[::-1]}}}),
    },
    "another folder of the same bucket": {
        f"{MODEL}.weights": {"uri": "gs://acme/one"}, **candidate({**OTHER, "weights": {"uri": "gs://acme/two"}}),
    },
    "a model named like a candidate, of a model without one": {"models.qwen3-8b-candidate": OTHER, "models.qwen3-8b-green": OTHER},
}  # fmt: skip
