"""One gateway for all tests that change nothing about it; files that need another one start their own."""

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
MAX_BODY_MIB = 3  # no number that another buffer has


def pytest_collection_modifyitems(items):
    """Without an Envoy nothing here can run; where it must run, that is a failure."""
    if envoy_binary() is None and os.environ.get("CI") != "true":
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=NO_ENVOY))


@pytest.fixture(scope="session")
def own_platform():
    """A file that needs another one has a fixture of this name itself."""
    with running(MODELS, CLIENTS, maxBodyMiB=MAX_BODY_MIB) as platform:
        yield platform


@pytest.fixture
def platform(own_platform):
    yield own_platform
    own_platform.heal()
