"""Ports that are asked for together are different ports."""

from tools.ports import free_ports


def test_ports_that_are_found_together_are_all_different():
    """Of 500 found one after another about four are found twice, among the 28,000 that Linux gives out."""
    ports = free_ports(500)
    assert len(set(ports)) == 500
    assert min(ports) > 1023
