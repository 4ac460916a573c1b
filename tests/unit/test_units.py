"""Values on the demonstration's page are written as Grafana writes them."""

import pytest

from tools.demo.metrics.units import written


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.123, "percentunit", "12.3 %"),
        (5.204, "currencyUSD", "$5.20"),
        (12345.6, "currencyUSD", "$12,346"),
        (0.15, "s", "150 ms"),
        (12.5, "s", "12.5 s"),
        (3.14159, "reqps", "3.14 req/s"),
        (1234.5, "suffix:tok/s", "1,234 tok/s"),
        (3 * 1024**2, "bytes", "3 MiB"),
        (64, "celsius", "64 °C"),
        (7, "none", "7"),
    ],
)
def test_a_value_has_its_unit_and_three_digits(value, unit, text):
    assert written(value, unit) == text
