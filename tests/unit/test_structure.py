"""The repository keeps the shape that makes it readable."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FILES = [
    ROOT / "__main__.py",
    *(path for room in ("config", "planning", "components", "tools", "tests") for path in (ROOT / room).rglob("*.py")),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short_enough_to_read_whole(path):
    text = path.read_text()
    assert text.count("\n") <= (60 if path == ROOT / "__main__.py" else 300)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            assert node.end_lineno - node.lineno < 60, f"{node.name} is too long"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_say_what_they_own(path):
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text))
