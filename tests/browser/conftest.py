"""A Chromium of the system for the tests of this tier, which are skipped without one, and the reports that it opens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from config.parsing import parse
from config.stack_config import without_secret_values
from planning.plan import make_plan
from tests.program.conftest import configuration
from tests.pull_requests import PULL_REQUESTS, reviewed
from tools.chromium import chromium, launch
from tools.policies import levels, violated
from tools.preview import offline
from tools.preview.report.page import Previewed, render
from tools.review.page import changes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips tests that need a browser if there is none, unless REQUIRE_BROWSER is set, as .ci/run does."""
    if chromium():
        return
    reason = "the browser tier needs Chromium (Debian: package chromium)"
    if os.environ.get("REQUIRE_BROWSER"):
        raise pytest.UsageError(reason)
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason=reason))


@dataclass
class Opened:
    """A report in a tab, and what the browser complained of or asked for meanwhile."""

    page: Page
    previewed: Previewed
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Closed after the last test of the tier: while it is open, this thread cannot run the program."""
    with sync_playwright() as playwright, launch(playwright) as one:
        yield one


@cache
def previewed(name: str) -> Previewed:
    """Of a shipped or generated stack."""
    return _elsewhere(_preview, name)


@cache
def changed_by(pull_request: str) -> Previewed:
    """A preview of a stack beside what a pull request of tests/pull_requests.py changes."""
    return replace(previewed(PULL_REQUESTS[pull_request].stack), changes=changes(_elsewhere(reviewed, pull_request), "main"))


def _elsewhere(function: Callable, *arguments: Any) -> Any:
    """In a thread of its own: Playwright's event loop has this one, and the program needs one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(function, *arguments).result()


def _preview(name: str) -> Previewed:
    config = configuration(name)
    settings = parse(without_secret_values(config))
    recording = offline.run(config, name)
    return Previewed(name, settings, make_plan(settings), recording, levels(name), violated(recording.resources, name))


@pytest.fixture
def open_report(browser: Browser, tmp_path: Path) -> Iterator:
    """`open_report("prod", color_scheme="dark", viewport=...)`: further arguments are those of a browser's context."""
    contexts = []

    def opened(report: Previewed | str, **options) -> Opened:
        report = previewed(report) if isinstance(report, str) else report
        file = tmp_path / "report.html"
        file.write_text(render(report))
        context = browser.new_context(**options)
        contexts.append(context)
        one = Opened(context.new_page(), report)
        one.page.on("console", lambda message: one.complaints.append(message.text))
        one.page.on("pageerror", lambda error: one.complaints.append(str(error)))
        one.page.on("request", lambda request: one.requests.append(request.url))
        one.page.goto(file.as_uri())
        return one

    yield opened
    for context in contexts:
        context.close()
