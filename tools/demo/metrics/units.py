"""Values in the units that dashboards name, as Grafana would write them."""

from __future__ import annotations

_SUFFIXES = {"reqps": " req/s", "celsius": " °C", "watt": " W", "ms": " ms", "d": " d", "h": " h"}
_MIB = 1024**2


def written(value: float, unit: str) -> str:
    """With three digits at most."""
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit == "currencyUSD":
        return f"${value:,.0f}" if abs(value) >= 100 else f"${value:,.2f}"
    if unit == "s":
        return f"{1000 * value:.3g} ms" if abs(value) < 1 else f"{value:.3g} s"
    if unit == "bytes":
        return f"{value / _MIB:,.0f} MiB"
    number = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return number + (f" {unit.removeprefix('suffix:')}" if unit.startswith("suffix:") else _SUFFIXES.get(unit, ""))
