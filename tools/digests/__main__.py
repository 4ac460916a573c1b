"""`make digests`: asks registries and chart repositories what the pinned tags and versions mean, and pins that, too.

Writes `digest` into config/catalog/releases.yaml; with --check only compares, so that a tag that was moved is seen. What cannot be
asked keeps what it has: without a digest it is deployed by its tag alone.

Exit codes: 0 everything was asked (and agrees), 1 not.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from config.catalog import FOLDER, Chart, Image, Loader
from tools.digests.registry import RegistryError, chart_digest, image_digest

RELEASES = FOLDER / "releases.yaml"


def main(arguments: list[str] | None = None, path: Path = RELEASES) -> int:
    parser = argparse.ArgumentParser(prog="digests", description="Pin what the tags of charts and images mean.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a tag means something else than is pinned")
    check = parser.parse_args(arguments).check
    text = path.read_text()
    failed = False
    for section, name, row, ask in _rows(text):
        label = f"{name} {row.tag}" if isinstance(row, Image) else f"{name} {row.version}"
        try:
            found = ask()
        except RegistryError as error:
            failed = True
            print(f"{label}: {error}; it stays {row.digest or 'without a digest'}")
            continue
        moved = row.digest is not None and row.digest != found
        failed |= check and row.digest != found
        print(f"{label}: {found}" + (f", where {row.digest} is pinned" if moved else ""))
        text = text if check else with_digest(text, section, name, found)
    if not check:
        path.write_text(text)
    return int(failed)


def _rows(text: str) -> Iterator[tuple]:
    content = yaml.load(text, Loader)  # noqa: S506 - CSafeLoader is the safe loader in C
    for name, row in content["charts"].items():
        chart = Chart.model_validate(row)
        yield "charts", name, chart, lambda name=name, chart=chart: chart_digest(name, chart)
    for name, row in content["images"].items():
        image = Image.model_validate(row)
        yield "images", name, image, lambda image=image: image_digest(image)


def with_digest(text: str, section: str, name: str, digest: str) -> str:
    """The file with the digest of one row: after its version or tag, everything else as it was."""
    block = re.search(rf"^{section}:\n(?:(?:[ #].*)?\n)*?  {re.escape(name)}:\n((?:    .*\n)+)", text, re.MULTILINE)
    if block is None:
        raise ValueError(f"no row {section}.{name}")
    lines = re.sub(r"    digest: .*\n", "", block[1])
    lines = re.sub(r"(    (?:tag|version): .*\n)", rf"\1    digest: {digest}\n", lines, count=1)
    return text[: block.start(1)] + lines + text[block.end(1) :]


if __name__ == "__main__":
    sys.exit(main())
