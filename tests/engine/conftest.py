"""Skips the tests of this tier without Pulumi; their shared fixtures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from tests.engine.environment import Environment, environment

NEEDED = ("pulumi", "pulumi-language-python", "pulumi-resource-kubernetes")
MISSING = [name for name in NEEDED if shutil.which(name) is None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips tests that need Pulumi if it is missing, unless REQUIRE_ENGINE is set."""
    if not MISSING:
        return
    reason = f"the engine tier needs {', '.join(MISSING)} on PATH (https://www.pulumi.com/docs/install)"
    if os.environ.get("REQUIRE_ENGINE"):
        raise pytest.UsageError(reason)
    for item in items:
        if "new_environment" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")
def new_environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], AbstractContextManager[Environment]]:
    return lambda: environment(tmp_path_factory.mktemp("engine"))


@pytest.fixture
def own_environment(new_environment: Callable[[], AbstractContextManager[Environment]]) -> Iterator[Environment]:
    with new_environment() as environment:
        yield environment
