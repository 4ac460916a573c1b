"""Valid stacks that are scaled in every way, each similar to a wrong one, as changes to a valid stack. All must be accepted."""

from tests.unit.wrong_models import EXISTING, MODEL
from tests.unit.wrong_scaling import CHEAP, HOURS

SCALING = f"{MODEL}.scaling"

RIGHT = {
    "spot preferred, one on-demand node more than the floor": {"nodePools.l4.onDemand": {"max": 2}, f"{SCALING}.burst": "spot-preferred"},
    "spot preferred, and nothing above the floor": {
        "platform.autoscaler.enabled": False,
        SCALING: {"floor": 1, "ceiling": 1, "burst": "spot-preferred"},
    },
    "hours in a zone with a slash": {f"{SCALING}.schedule": [HOURS | {"timeZone": "America/Argentina/Buenos_Aires"}]},
    "hours by names of days": {f"{SCALING}.schedule": [HOURS | {"start": "*/30 7-9 * JAN-MAR MON,TUE"}]},
    "all triggers": {f"{SCALING}.triggers": {"cpuPercent": 80, "memoryPercent": 90, "gpuPercent": 95}},
    "scaled by hand, scraped seldom": {"platform.autoscaler.enabled": False, "platform.monitoring.scrapeIntervalSeconds": 60},
    "nothing to scale, scraped seldom": {SCALING: {"floor": 1, "ceiling": 1}, "platform.monitoring.scrapeIntervalSeconds": 60},
    "metrics server where there is none": EXISTING | {"platform.metricsServer": True},
    "hour that just pays the ceiling": CHEAP | {"budget.hourlyUsd": 2.1},
    "hour that cuts the ceiling": CHEAP | {"budget.hourlyUsd": 1.7, "budget.onExceed": "warn"},
    "no burst at all is paid": CHEAP | {"budget.hourlyUsd": 1.2, "budget.onExceed": "warn"},
}
