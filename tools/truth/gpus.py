"""Finds the catalogue's accelerator for a GPU name in a report: `A100-80`, `H100-SXM-80GB`, `B200 (HGX)`."""

from __future__ import annotations

import re
from functools import cache

from config import catalog
from config.catalog import Accelerator

# Words that do not distinguish GPUs.
_DROPPED = re.compile(r"nvidia|tesla|geforce|rtx|gpu|hgx|dgx|sxm\d?|hbm\d\w?|blackwell|server|workstation|edition")
_MEMORY = re.compile(r"(\d+)(?:gb|gib|g)?")
_MOST_MEMORY = 300
# Largest difference between the marketing figure of memory and the driver's, confusion of GB and GiB included.
_MEMORY_TOLERANCE = 0.15


def find(name: str) -> tuple[str, Accelerator] | None:
    """The accelerator and its name; None if the catalogue has none, or several with different memory."""
    model, memory = _parse(name)
    found = [(key, row) for key, row, other in _rows() if other == model and (memory is None or _agrees(row, memory))]
    if not found or len({row.memory_gib for _, row in found}) > 1:
        return None
    return found[0]


@cache
def _rows() -> tuple[tuple[str, Accelerator, str], ...]:
    return tuple((key, row, _parse(row.display_name)[0]) for key, row in catalog.accelerators().items())


def _parse(name: str) -> tuple[str, int | None]:
    """The GPU's model without common words, and its memory in GB if the name has it."""
    text = re.sub(r"\(.*?\)", " ", name.lower())
    text = re.sub(r"^\s*\d+\s*[x\u00d7]\s*|(?<=\d)\s*[x\u00d7]\s*\d{1,2}\s*$", "", text)
    words, memory = [], None
    for word in re.split(r"[^a-z0-9]+", text):
        size = _MEMORY.fullmatch(word)
        if size and int(size.group(1)) <= _MOST_MEMORY:
            memory = int(size.group(1))
        else:
            words.append(_DROPPED.sub("", word))
    return "".join(words), memory


def _agrees(row: Accelerator, memory: int) -> bool:
    return any(abs(size / memory - 1) <= _MEMORY_TOLERANCE for size in (row.memory_gib, row.memory_gib * 1024**3 / 1e9))
