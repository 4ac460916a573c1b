"""The commands that README and docs/ tell people to run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tools.stacks import ROOT

PAGES = {
    str(path.relative_to(ROOT)): path
    for path in (
        *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
        ROOT / "examples" / "README.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    )
}
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_SHELL = ("sh", "bash", "shell", "console")
_ENDS = {"|", "||", "&", "&&", ";", "(", ")", "$"}


@dataclass(frozen=True)
class Command:
    """One command of a line: `words` without variables before it, which are in `environment`."""

    page: str
    line: str
    words: tuple[str, ...]
    environment: tuple[str, ...] = ()


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """Language and text of each block that has commands: those of a shell, and others with lines that begin with a prompt."""
    for _, language, text in _BLOCK.findall(PAGES[page].read_text()):
        if language in _SHELL or re.search(r"^\$ ", text, re.MULTILINE):
            yield language, text


@cache
def commands(page: str) -> tuple[Command, ...]:
    """Of the page's blocks, and of its tables' cells that begin with `make` or `pulumi`."""
    text = PAGES[page].read_text()
    lines = [line for language, block in blocks(page) for line in _lines(language, block)]
    lines += re.findall(r"^\|.*?\| `((?:make|pulumi) [^`]+)`", text, re.MULTILINE)
    return tuple(command for line in lines for command in _commands(page, line))


def _lines(language: str, block: str) -> Iterator[str]:
    for line in re.sub(r"\\\n\s*", "", block).splitlines():
        if language in _SHELL:
            yield line
        elif line.startswith("$ "):
            yield line.removeprefix("$ ")


def _commands(page: str, line: str) -> Iterator[Command]:
    # A placeholder is a word, not a redirection: `<your-project>`, `<a kubeconfig's context>`.
    line = re.sub(r"<([^<>]+)>", lambda found: "<" + re.sub(r"[^\w.-]", "-", found[1]) + ">", line)
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;()")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word not in _ENDS:
            words.append(word)
            continue
        if words:
            before = next((index for index, one in enumerate(words) if not re.match(r"[A-Z][A-Z0-9_]*=", one)), len(words))
            yield Command(page, line, tuple(words[before:]), tuple(words[:before]))
        words = []
