"""docs/decisions: one page each, in the index, and the code that it names exists (tests/unit/test_reference.py follows the links)."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent.parent / "docs" / "decisions"
RECORDS = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_a_record_says_what_why_what_was_turned_down_and_where(record):
    text = record.read_text()
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == ["Decision", "Why", "Turned down", "Where"]
    assert "](../../" in text.partition("## Where")[2] or "](../" in text.partition("## Where")[2]
    assert len(text.splitlines()) <= 60


def test_the_index_lists_every_record_by_its_number_and_title():
    titles = [(path.read_text().splitlines()[0].removeprefix("# "), path.name) for path in RECORDS]
    assert [int(title.partition(".")[0]) for title, _ in titles] == [*range(1, len(RECORDS) + 1)]
    listed = [line for line in (FOLDER / "README.md").read_text().splitlines() if line.startswith("- ")]
    assert listed == [f"- [{title}]({name})" for title, name in titles]
