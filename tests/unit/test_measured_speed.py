"""`measuredSpeed`: what replicas answered under load comes before what the plan estimates, on that GPU and with those parallel sizes."""

import pytest

from planning.plan import make_plan
from tests.stacks import settings
from tests.unit.wrong_settings import SPEED

ROW = "models.qwen3-8b.measuredSpeed"


def speed(*rows, **changes):
    found = make_plan(settings({ROW: list(rows)} | changes)).models["qwen3-8b"].capacity.speed
    assert found
    return found


def test_a_replica_is_as_fast_as_was_measured_and_so_at_other_loads():
    estimated, row = speed(), SPEED | {"requestsInFlight": 1}
    factor = 0.8
    measured = speed(row | {"outputTokensPerSecond": estimated.alone.output_tokens_per_second * factor})
    assert measured.alone.output_tokens_per_second == pytest.approx(estimated.alone.output_tokens_per_second * factor)
    assert measured.alone.tpot == pytest.approx(estimated.alone.tpot / factor)
    assert measured.served.output_tokens_per_second == pytest.approx(estimated.served.output_tokens_per_second * factor)


def test_it_may_be_off_by_less_and_is_no_longer_extrapolated():
    """19 %: what four of five points are within where another point of the same model and GPU scales the plan."""
    estimated, measured = speed().error, speed(SPEED).error
    assert (estimated.extrapolated, measured.extrapolated) == (True, False)
    assert measured.share == 0.19 < estimated.share


@pytest.mark.parametrize("other", [{"gpu": "nvidia-h100-80gb"}, {"tensorParallelSize": 2}, {"dataParallelSize": 2}])
def test_what_was_measured_elsewhere_says_nothing_here(other):
    assert speed(SPEED | other) == speed()


def test_the_newest_row_counts():
    newest = SPEED | {"date": "2026-11-20", "outputTokensPerSecond": 50}
    assert speed(newest, SPEED) == speed(SPEED, newest) == speed(newest)
    assert speed(newest) != speed(SPEED)


def test_cost_follows():
    def per_million(*rows):
        return make_plan(settings({ROW: list(rows)})).cost.models["qwen3-8b"].usd_per_million_output_tokens

    slow = SPEED | {"requestsInFlight": 1, "outputTokensPerSecond": 5}
    assert per_million(slow).least > per_million().most
