"""docs/reference.md is generated from the settings models, and documents name only existing make targets and files."""

import re
from pathlib import Path

import pytest

from tools.reference.__main__ import FILE, reference_markdown

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs/decisions").glob("*.md")]


def test_the_reference_is_up_to_date():
    assert reference_markdown() == FILE.read_text(), "run `make reference`"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documents_name_targets_and_files_that_exist(path):
    text = path.read_text()
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z][a-z-]+)", text)) <= targets
    links = re.findall(r"\]\((?!http)([^)#]+)", text)
    assert [link for link in links if not (path.parent / link).exists()] == []
