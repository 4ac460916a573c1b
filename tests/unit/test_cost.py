"""Cost of a month and of a million tokens, with its error."""

import pytest

from config import catalog
from planning.cost import HOURS_PER_MONTH
from planning.plan import make_plan
from tests.stacks import settings

MODEL = "models.qwen3-8b"
PRICE = {"onDemandUsdPerHour": 1.0, "spotUsdPerHour": 0.5, "spotRangeUsdPerHour": [0.3, 0.9]}


def plan(changes=None):
    return make_plan(settings(changes))


def test_a_spot_price_in_doubt_makes_the_expected_month_a_range():
    found = plan({"budget.prices": {"g2-standard-12": PRICE}, "budget.expectedBurst": 0.5}).cost.pools["l4"]
    assert found.expected == HOURS_PER_MONTH * (1 + 0.5 * 2 * 0.5)
    assert found.expected_range.least == pytest.approx(HOURS_PER_MONTH * (1 + 0.5 * 2 * 0.3))
    assert found.expected_range.most == pytest.approx(HOURS_PER_MONTH * (1 + 0.5 * 2 * 0.9))


def test_a_price_of_ones_own_is_not_doubted():
    found = plan({"budget.prices": {"g2-standard-12": {"onDemandUsdPerHour": 1.0, "spotUsdPerHour": 0.5}}}).cost.pools["l4"]
    assert found.expected_range.least == pytest.approx(found.expected) == pytest.approx(found.expected_range.most)


def test_a_budget_that_only_the_highest_spot_price_exceeds_is_a_warning():
    prices = {"g2-standard-12": PRICE}
    total = plan({"budget.prices": prices}).cost.total
    between = round((total.expected + total.expected_range.most) / 2)
    warnings = plan({"budget": {"monthlyUsd": between, "prices": prices}}).warnings
    assert [one.message for one in warnings if one.path == "budget.monthlyUsd" and "at the highest" in one.message]


def test_a_million_tokens_cost_a_range_as_wide_as_the_speed_is_doubtful():
    found = plan().models["qwen3-8b"]
    speed, cost = found.capacity.speed, found.cost.usd_per_million_output_tokens
    assert speed is not None
    assert cost is not None
    assert cost.most / cost.least == pytest.approx((1 + speed.error.share) / (1 - speed.error.share))


@pytest.mark.parametrize(("name", "row"), catalog.machine_types().items(), ids=lambda value: value if isinstance(value, str) else "")
def test_spot_prices_of_the_catalogue_have_a_range_below_on_demand(name, row):
    for region, price in row.prices.items():
        if price.spot_usd_per_hour is not None:
            assert price.spot_range_usd_per_hour is not None, region
            least, most = price.spot_range_usd_per_hour
            assert least <= price.spot_usd_per_hour <= most < (price.on_demand_usd_per_hour or 1e9), region


# The catalogue has Google's prices from cloudpilot-ai/karpenter-provider-gcp; the A3 Mega's from SkyPilot.
@pytest.mark.parametrize(
    ("name", "region", "on_demand"),
    [("g2-standard-12", "europe-west6", 1.3604), ("a3-highgpu-8g", "europe-west9", 102.6484), ("a3-megagpu-8g", "us-central1", 92.21)],
)
def test_machines_are_priced_in_regions_that_sell_them(name, region, on_demand):
    assert catalog.machine_types()[name].prices[region].on_demand_usd_per_hour == pytest.approx(on_demand)


def test_every_region_that_sells_a_gpu_has_its_price_but_for_those_that_the_sources_lack():
    missing = {}
    for name, row in catalog.machine_types().items():
        gpu = catalog.accelerators().get(row.accelerator or "")
        sold = {zone.rpartition("-")[0] for zone in gpu.zones} | set(gpu.regions) if gpu else set()
        if lacking := sold - row.prices.keys():
            missing[name] = lacking
    # The sources list zones by GPU, not by machine type: these types may have no price where only another type with the GPU is sold.
    assert missing.keys() <= {"a2-megagpu-16g", "a3-megagpu-8g", "a3-ultragpu-8g", "a4-highgpu-8g"} | {
        name for name, row in catalog.machine_types().items() if row.attachable
    }
