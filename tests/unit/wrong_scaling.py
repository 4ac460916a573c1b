"""Wrong stacks whose problem is how models are scaled, or what their bursts may cost."""

from tests.unit.wrong_models import EXISTING, MODEL

SCALING = f"{MODEL}.scaling"
PREFERRED = {"ceiling": 2, "burst": "spot-preferred"}
HOURS = {"start": "0 8 * * 1-5", "end": "0 18 * * 1-5", "replicas": 2}
CHEAP = {
    "budget.prices": {"g2-standard-12": {"onDemandUsdPerHour": 1.0, "spotUsdPerHour": 0.5}, "e2-standard-4": {"onDemandUsdPerHour": 0}}
}


def _hours(**changes):
    return {f"{SCALING}.schedule": [HOURS | changes]}


# name: (changes to a stack that works, path of the problem, words of the reason, words of the fix)
WRONG = {
    "burst on nodes of no kind": ({f"{SCALING}.burst": "preemptible"}, f"{SCALING}.burst", "'preemptible'", "spot-preferred"),
    "spot preferred, without on-demand nodes": (
        {"nodePools.l4": {"machineType": "g2-standard-12", "spot": {"max": 8}}, SCALING: PREFERRED | {"floor": 0}},
        f"{SCALING}.burst", "holds only the floor", "onDemand.max",
    ),
    "spot preferred, on-demand nodes for the floor alone": (
        {"nodePools.l4.onDemand": {"max": 1}, SCALING: PREFERRED}, f"{SCALING}.burst", "holds only the floor", "write spot",
    ),
    "spot preferred, scaled by hand": (
        {"platform.autoscaler.enabled": False, f"{SCALING}.burst": "spot-preferred"},
        f"{SCALING}.burst", "needs the autoscaler", "platform.autoscaler.enabled",
    ),
    "hours without monitoring": (
        {"platform.monitoring.enabled": False, **_hours()}, f"{SCALING}.schedule", "monitoring.enabled is false", "set platform.monitoring",
    ),
    "hours of four fields": (_hours(start="8 * * 1-5"), f"{SCALING}.schedule[0].start", "not a time of cron", "five fields"),
    "hours above the ceiling": (_hours(replicas=4), SCALING, "schedule[0] asks for 4 replicas, above ceiling 3", "raise scaling.ceiling"),
    "hours that the floor has": (_hours(replicas=1), SCALING, "the floor of 1 always has", "raise schedule.replicas"),
    "hours in no zone": (_hours(timeZone="+02:00"), f"{SCALING}.schedule[0].timeZone", "not a time zone", "Europe/Berlin"),
    "trigger above all utilization": ({f"{SCALING}.triggers": {"cpuPercent": 120}}, f"{SCALING}.triggers.cpuPercent", "120", "100"),
    "trigger without a burst": (
        {SCALING: {"floor": 1, "ceiling": 1, "triggers": {"gpuPercent": 80}}}, f"{SCALING}.triggers", "the ceiling is the floor", "ceiling",
    ),
    "trigger on GPUs that nobody watches": (
        {"platform.gpuOperator.enabled": False, f"{SCALING}.triggers": {"gpuPercent": 80}},
        f"{SCALING}.triggers.gpuPercent", "gpuOperator.enabled is false", "remove the trigger",
    ),
    "scraped too seldom to scale": (
        {"platform.monitoring.scrapeIntervalSeconds": 30},
        "platform.monitoring.scrapeIntervalSeconds", "rates over 45 s", "lower it to 15",
    ),
    "metrics server beside GKE's": ({"platform.metricsServer": True}, "platform.metricsServer", "of its own", "remove it"),
    "hour that does not pay the floors": (CHEAP | {"budget.hourlyUsd": 0.5}, "budget.hourlyUsd", "always runs costs $1.10", "more than 2"),
    # 1.10 $ run always; a burst replica costs 0.50 $.
    "hour that does not pay the ceiling": (
        CHEAP | {"budget.hourlyUsd": 1.7}, f"{SCALING}.ceiling", "leaves $0.60", "lower it to 2, or raise budget.hourlyUsd to 3",
    ),
    "hour that does not pay stand-ins": (
        CHEAP | {"budget.hourlyUsd": 2.5, f"{SCALING}.burst": "spot-preferred"}, f"{SCALING}.ceiling", "at $1.00 an hour", "lower it to 2",
    ),
    "existing cluster, scaled by hand, with hours": (
        EXISTING | {"platform.autoscaler.enabled": False, **_hours()}, f"{SCALING}.schedule", "autoscaler.enabled is false", "remove it",
    ),
}  # fmt: skip
