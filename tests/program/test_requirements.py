"""What is installed for which target: a preview needs the program's packages, and nothing that only tests and other tools need."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from tests.program.conftest import ROOT

_IMPORTED = """
import json, runpy, sys
from importlib.metadata import packages_distributions
import tools.preview.__main__, tools.preview.manifests, tools.preview.offline, tools.truth.__main__, tools.truth.fit
import tools.catalogue.calibrate.__main__, tools.reference.__main__, tools.reference.schema, tools.bench.__main__
from config.stack_config import read_stack_file
from tools.stacks import stack_file
tools.preview.offline.run(read_stack_file(stack_file(sys.argv[1])), sys.argv[1])
known = packages_distributions()
print(json.dumps(sorted({name for module in sys.modules for name in known.get(module.partition(".")[0], [])})))
"""
_OF_VENV = {"pip", "setuptools"}


def pins(name: str) -> dict[str, str]:
    """Package and version, with hashes, as `make lock` writes them."""
    entries = re.split(r"\n(?=[a-z])", (ROOT / name).read_text())
    return {entry.partition("==")[0]: entry.strip() for entry in entries if "==" in entry}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("stack", ["dev", "local"])
def test_a_preview_imports_only_what_requirements_txt_pins(stack):
    done = subprocess.run([sys.executable, "-c", _IMPORTED, stack], cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {normalized(name) for name in json.loads(done.stdout.splitlines()[-1])}
    assert "pulumi" in imported
    assert imported - pins("requirements.txt").keys() - _OF_VENV == set()


def test_both_locks_agree():
    program, everything = pins("requirements.txt"), pins("requirements-dev.txt")
    assert len(program) > 20
    assert {name: everything.get(name) for name in program} == program


@pytest.mark.parametrize(
    ("target", "installed"),
    [
        ("preview", ["requirements.txt"]),
        ("check", ["requirements.txt"]),
        ("truth", ["requirements.txt"]),
        ("test", ["requirements.txt", "requirements-dev.txt"]),
        ("demo", ["requirements.txt", "requirements-dev.txt"]),
    ],
)
def test_a_target_installs_what_it_needs(target, installed, tmp_path):
    command = ["make", "--dry-run", target, f"VENV={tmp_path}/venv"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.findall(r"-r (requirements\S*)", done.stdout) == installed


def test_no_pin_asks_for_the_kernels_release():
    """pip before 25 takes it for a version, and ends with a traceback on a kernel whose release is none."""
    assert "platform_release" not in (ROOT / "requirements-dev.txt").read_text()
