"""The commands that the pages of the documentation show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.stacks import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "examples/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What a reader puts in: `<model>`, `<dcgm-exporter pod of that node>`.
PLACEHOLDER = re.compile(r"<([a-zA-Z][^<>|&;\n]*)>")
FILLED = {"model": "qwen3-8b", "stack": "dev", "pool": "l4", "dollars": "60", "n": "1", "url": "https://chat.example/hook"}
INLINE = re.compile(r"`((?:make|python -m|pulumi|kubectl|gcloud|\.ci/run)(?: [^`]+)?)`")
OPERATORS = {"|", "||", "&", "&&", ";"}


@dataclass(frozen=True)
class Command:
    """One simple command: a step of a pipeline or a list."""

    page: str
    words: tuple[str, ...]
    shown: str = ""
    """What the page says that it prints."""

    @property
    def program(self) -> str:
        return self.words[0]

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def filled(text: str) -> str:
    return PLACEHOLDER.sub(lambda found: FILLED.get(found[1], "placeholder"), text)


def blocks() -> Iterator[tuple[str, str]]:
    """Page and shell text of each block of commands, with the placeholders filled in."""
    for path in PAGES:
        for kind, text in BLOCK.findall(path.read_text()):
            if kind in ("sh", "bash", "shell", "console"):
                yield _name(path), filled(text)


def sessions() -> Iterator[Command]:
    """Blocks that show a command after `$ `, and what it prints."""
    for path in PAGES:
        for _, text in BLOCK.findall(path.read_text()):
            if text.startswith("$ "):
                line, _, output = text[2:].partition("\n")
                yield from (Command(one.page, one.words, output) for one in split(_name(path), filled(line)))


def commands() -> dict[Command, None]:
    """Each once a page, in the order of the pages."""
    found = [one for page, text in blocks() for one in split(page, text)]
    found += sessions()
    for path in PAGES:
        prose = BLOCK.sub("", path.read_text())
        found += [one for text in INLINE.findall(prose) for one in split(_name(path), filled(" ".join(text.split())))]
    return dict.fromkeys(found)


def split(page: str, text: str) -> Iterator[Command]:
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(re.sub(r"^\$\((.*)\)(\s+#.*)?$", r"\1", line), posix=True, punctuation_chars="|&;")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if word not in OPERATORS:
                words.append(word)
                continue
            while words and ("=" in words[0] or words[0] == "do"):  # variables of the environment
                words = words[1:]
            if words and words[0] not in ("for", "done"):
                yield Command(page, tuple(words))
            words = []


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))
