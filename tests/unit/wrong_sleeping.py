"""Wrong stacks with a model that should sleep: changes to a valid stack and the expected problem."""

from tests.unit.wrong_models import MODEL

SCALING = f"{MODEL}.scaling"
SLEEPER = {SCALING: {"floor": 0, "ceiling": 3, "scaleToZero": True}}

# name: (changes to a stack that works, path of the problem, words of the reason, words of the fix)
WRONG = {
    "sleep with a floor": (
        {SCALING: {"floor": 1, "ceiling": 3, "scaleToZero": True}}, SCALING, "the floor of 1 never ends", "set scaling.floor to 0"
    ),
    "when to sleep, of a model that never does": (
        {SCALING: {"floor": 0, "ceiling": 3, "sleepAfterSeconds": 600}}, SCALING, "never sleeps", "set scaleToZero to true"
    ),
    "sleep sooner than rates show": (
        {SCALING: {"floor": 0, "ceiling": 3, "scaleToZero": True, "sleepAfterSeconds": 10}},
        f"{SCALING}.sleepAfterSeconds", "10", "greater than or equal to 60",
    ),
    "sleep without a gateway": (SLEEPER | {"gateway": None}, f"{SCALING}.scaleToZero", "there is no gateway", "add a `gateway` section"),
    "sleep without an autoscaler": (
        SLEEPER | {"platform.autoscaler.enabled": False}, f"{SCALING}.scaleToZero", "the autoscaler", "set platform.autoscaler.enabled"
    ),
    "sleep without Prometheus": (
        SLEEPER | {"platform.monitoring.enabled": False}, f"{SCALING}.scaleToZero", "the autoscaler", "set platform.monitoring.enabled"
    ),
}  # fmt: skip
