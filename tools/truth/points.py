"""Reads tables of measured points: CSV files with a header."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

Row = dict[str, str]


class CannotRead(Exception):  # noqa: N818 - reads as what happened
    """Why a file cannot be used."""


def read(path: Path, columns: tuple[str, ...]) -> list[Row]:
    """The rows of a CSV file that has at least `columns`; empty fields are empty strings.

    Raises:
        CannotRead: the file is missing, is no text, or lacks columns.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            rows = [{key: (value or "").strip() for key, value in row.items() if key is not None} for row in reader]
            found = reader.fieldnames or ()
    except OSError as error:
        raise CannotRead(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise CannotRead(f"{path} is not a CSV file: {error}") from None
    if missing := [name for name in columns if name not in found]:
        raise CannotRead(f"{path} lacks the columns {', '.join(missing)}")
    if not rows:
        raise CannotRead(f"{path} has no rows")
    return rows


_EMPTY = frozenset({"", "-", "n/a", "na", "none", "default", "?"})


def number(row: Row, column: str, path: Path) -> float | None:
    """A field as a number; None if it is empty or a word for missing.

    Raises:
        CannotRead: it is neither a number nor missing.
    """
    text = row.get(column, "").replace(",", "").lstrip("~ ")
    if text.lower() in _EMPTY:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise CannotRead(f"{path}: {column} of {row.get('id') or row.get('source') or 'a row'} is {text!r}, not a number")
    return value


def version(text: str) -> tuple[int, ...]:
    """`~0.31` and `vllm 0.10.1.1` as tuples of numbers to compare; an open part (`0.1x`, `?`) ends the tuple."""
    match = re.search(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in match.group().split(".")) if match else ()
