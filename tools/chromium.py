"""The system's Chromium, driven by Playwright. Shared by the pictures of the report and the tests in a browser."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # needed by few
    from playwright.sync_api import Browser, Playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """Path of the first that is on PATH."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


def launch(playwright: Playwright) -> AbstractContextManager[Browser]:
    """Without its sandbox, as Playwright starts it unless asked: root could not run it otherwise."""
    return playwright.chromium.launch(executable_path=chromium())
