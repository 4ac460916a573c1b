"""etcd, Kubernetes' control plane and kwok, and KEDA, built from their Go modules: once for each state of those and way to link.

`python -m tests.cluster.binaries` builds what is missing and prints the folders. Needs `go` on PATH.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

MODULES = Path(__file__).parent / "modules"
CONTROL_PLANE, KEDA = ("etcd", "kubernetes", "kwok"), ("keda",)
_STAGES = ("node/fast", "node/heartbeat-with-lease", "pod/fast")


def folder(modules: Sequence[str] = CONTROL_PLANE) -> Path:
    """Cache folder of the binaries for the current content of these modules and the current link flags."""
    digest = hashlib.sha256()
    for path in sorted(path for module in modules for path in (MODULES / module).rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(MODULES)}\0".encode() + path.read_bytes())
        if path.name == "go.mod":
            digest.update(_link_flags(path.parent.name).encode())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "vllm-platform" / f"{'keda' if modules == KEDA else 'control-plane'}-{digest.hexdigest()[:16]}"


def build(modules: Sequence[str] = CONTROL_PLANE) -> Path:
    """The folder of their binaries, built first if it is missing. Several processes may call it at once.

    Raises:
        RuntimeError: Go is missing, or a build failed; the message is Go's own.
    """
    wanted = folder(modules)
    wanted.parent.mkdir(parents=True, exist_ok=True)
    with wanted.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not wanted.is_dir():
            _build_into(wanted, modules)
    return wanted


def _build_into(wanted: Path, modules: Sequence[str]) -> None:
    """Builds beside `wanted` and renames, so that the folder is complete whenever it exists."""
    if shutil.which("go") is None:
        raise RuntimeError("The cluster tier builds Kubernetes from source: install Go 1.26 or newer (https://go.dev/dl)")
    with tempfile.TemporaryDirectory(dir=wanted.parent, prefix="building-") as scratch:
        target = Path(scratch) / "done"
        target.mkdir()
        for module, packages in _packages(modules).items():
            _go(module, "build", "-trimpath", f"-ldflags={_link_flags(module)}", "-o", f"{target}/", *packages)
        _copy_stages(target) if "kwok" in modules else _copy_definitions(target)
        target.rename(wanted)


def _packages(modules: Sequence[str]) -> dict[str, list[str]]:
    """Main packages by module folder: the tools that its go.mod names, else the folder's own."""
    found = {}
    for module in modules:
        tools = _go(module, "list", "-e", "-f", "{{.ImportPath}}", "tool").split()
        found[module] = tools or ["."]
    return found


def kubernetes_version(module: str = "kubernetes") -> str | None:
    """The release of Kubernetes that a module is built from, such as v1.37.2; None where it requires none."""
    required = re.search(r"^(?:require)?\s+k8s\.io/kubernetes (v\d+\.\d+\.\d+)\b", (MODULES / module / "go.mod").read_text(), re.MULTILINE)
    return required[1] if required else None


def _link_flags(module: str) -> str:
    """Strips symbols, and stamps Kubernetes' version: as v0.0.0, charts that require a newer Kubernetes refuse it."""
    version = kubernetes_version(module)
    if version is None:
        return "-s -w"
    major, minor, _ = version.removeprefix("v").split(".")
    stamp = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return " ".join(["-s -w", *(f"-X k8s.io/component-base/version.{key}={value}" for key, value in stamp.items())])


def _copy_stages(target: Path) -> None:
    """Copies kwok's Stage manifests for nodes and pods, which are beside its code."""
    source = Path(_go("kwok", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok").strip()) / "kustomize" / "stage"
    stages = target / "stages"
    stages.mkdir()
    for stage in _STAGES:
        for path in (source / stage).glob("*.yaml"):
            if path.name != "kustomization.yaml":
                shutil.copyfile(path, stages / f"{stage.replace('/', '-')}-{path.name}")


def _copy_definitions(target: Path) -> None:
    """Copies KEDA's CustomResourceDefinitions: its operator watches all of their kinds."""
    source = Path(_go("keda", "list", "-m", "-f", "{{.Dir}}", "github.com/kedacore/keda/v2").strip()) / "config" / "crd" / "bases"
    definitions = target / "definitions"
    definitions.mkdir()
    for path in source.glob("*.yaml"):
        shutil.copyfile(path, definitions / path.name)


def _go(module: str, *arguments: str) -> str:
    environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
    done = subprocess.run(["go", *arguments], cwd=MODULES / module, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"go {' '.join(arguments)} in {MODULES / module}:\n{done.stderr}")
    return done.stdout


def main() -> None:
    begin = time.perf_counter()
    print(f"The binaries are in {build()} and {build(KEDA)} ({time.perf_counter() - begin:.0f} s)")


if __name__ == "__main__":
    try:
        main()
    except RuntimeError as error:
        sys.exit(str(error))
