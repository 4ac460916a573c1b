"""`make screenshots`: the report of a stack as the README shows it, in light, in dark and on a phone.

Exit codes: 0 written; 1 there is no browser, or no report: `make preview` writes it.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tools.chromium import chromium, launch
from tools.stacks import ROOT, preview_folder

FOLDER = ROOT / "docs" / "images"
_COLOURS = 128
_DESKTOP, _PHONE = {"width": 1120, "height": 1480}, {"width": 390, "height": 844}
# What a browser's context is asked for, and which section is at the top, by the picture's name.
PICTURES: dict[str, tuple[dict[str, Any], str]] = {
    "report": ({"viewport": _DESKTOP}, ""),
    "report-dark": ({"viewport": _DESKTOP, "color_scheme": "dark"}, "cost"),
    "report-phone": ({"viewport": _PHONE, "device_scale_factor": 1.5}, "fit"),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="screenshots", description="Draw a stack's report, which `make preview` has written.")
    parser.add_argument("stack", help="name of the stack")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the pictures go")
    arguments = parser.parse_args()
    report = preview_folder(arguments.stack) / "report.html"
    if chromium() is None:
        print("There is no Chromium or Chrome; Debian's package is chromium", file=sys.stderr)
        return 1
    if not report.is_file():
        print(f"There is no build/{arguments.stack}/report.html; write it with `make preview STACK={arguments.stack}`", file=sys.stderr)
        return 1
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, launch(playwright) as browser:
        for name in PICTURES:
            print(f"wrote {_draw(browser, report, arguments.folder / f'{name}.png')}")
    return 0


def _draw(browser: Browser, report: Path, file: Path) -> Path:
    options, section = PICTURES[file.stem]
    context = browser.new_context(reduced_motion="reduce", **options)
    page = context.new_page()
    page.goto(f"{report.as_uri()}{f'#{section}' if section else ''}")
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.quantize(_COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    context.close()
    return file


if __name__ == "__main__":
    sys.exit(main())
