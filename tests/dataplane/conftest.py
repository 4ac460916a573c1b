"""One gateway shared by all tests that do not change it; other files start their own."""

import os
from pathlib import Path

import pytest

from tests.dataplane.gateway_under_test import Served, running
from tools.demo.local_gateway import NO_ENVOY, envoy_binary

MODELS = {
    "qwen3-8b": Served(names=("qwen3-8b", "chat", "sql-adapter"), replicas=2),
    "llama": Served(names=("meta/llama",)),
    "embedder": Served(),
    "private": Served(),
}
CLIENTS = {
    "team-a": {"models": ["qwen3-8b", "llama", "embedder"]},
    "team-b": {"models": ["llama", "private"], "defaultModel": "llama"},
    "team-c": {},
}
MAX_BODY_MIB = 3  # unlike the size of any other buffer


def pytest_collection_modifyitems(items):
    """Skips these tests without an Envoy binary, or fails if they are required."""
    if envoy_binary() is None and os.environ.get("CI") != "true":
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=NO_ENVOY))


@pytest.fixture(scope="session")
def own_platform():
    """Overridden by files that need another gateway."""
    with running(MODELS, CLIENTS, maxBodyMiB=MAX_BODY_MIB) as platform:
        yield platform


@pytest.fixture
def platform(own_platform):
    yield own_platform
    own_platform.heal()
