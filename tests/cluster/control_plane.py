"""A Kubernetes control plane for one test: etcd, API server, controller manager, scheduler and kwok on 127.0.0.1.

Admission, scheduling and controllers are real; kwok simulates the kubelets. As on GKE: Pod Security, privileged pods where it allows
them, and pods of the critical priority classes only in namespaces with a quota for them.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.cluster import binaries
from tools.ports import free_ports

KWOK_ANNOTATION = "kwok.x-k8s.io/node"
# Annotation of a pod whose status the test sets instead of kwok.
BY_HAND = "vllm-platform/by-hand"
START_SECONDS = 60
# Without leases the node controller marks nodes as unreachable after a minute.
_LEASES = "--node-lease-duration-seconds=40"
_ADMISSION = {
    "apiVersion": "apiserver.config.k8s.io/v1",
    "kind": "AdmissionConfiguration",
    "plugins": [
        {
            "name": "ResourceQuota",
            "configuration": {
                "apiVersion": "apiserver.config.k8s.io/v1",
                "kind": "ResourceQuotaConfiguration",
                "limitedResources": [
                    {
                        "resource": "pods",
                        "matchScopes": [
                            {
                                "scopeName": "PriorityClass",
                                "operator": "In",
                                "values": ["system-node-critical", "system-cluster-critical"],
                            }
                        ],
                    }
                ],
            },
        }
    ],
}


@dataclass(frozen=True)
class ControlPlane:
    kubeconfig: Path
    address: str
    token: str
    ca: Path
    logs: Path


@contextlib.contextmanager
def kwok(kubeconfig: Path, logs: Path, context: str = "") -> Generator[None]:
    """Runs kwok, which simulates the kubelet of every node with KWOK_ANNOTATION, in any cluster."""
    folder = binaries.build()
    stages = [f"--config={path}" for path in _stages(folder, logs)]
    selector = f"--manage-nodes-with-annotation-selector={KWOK_ANNOTATION}=fake"
    command = [folder / "kwok", f"--kubeconfig={kubeconfig}", "--manage-all-nodes=false", selector, "--server-address=", _LEASES, *stages]
    with process(command, logs / "kwok.log"):
        yield


def _stages(folder: Path, scratch: Path) -> Generator[Path]:
    """kwok's stages, changed to ignore pods with BY_HAND."""
    for path in sorted((folder / "stages").glob("*.yaml")):
        stage = yaml.safe_load(path.read_text())
        if stage["metadata"]["name"] == "pod-ready":
            by_hand = {"key": f'.metadata.annotations["{BY_HAND}"]', "operator": "DoesNotExist"}
            stage["spec"]["selector"]["matchExpressions"].append(by_hand)
        changed = scratch / path.name
        changed.write_text(yaml.safe_dump(stage))
        yield changed


@contextlib.contextmanager
def control_plane(*controller_flags: str) -> Generator[ControlPlane]:
    """Starts everything, the controller manager with further flags if given; yields once the API server is ready, and stops everything.

    Raises:
        RuntimeError: something did not start; the message ends with its log.
    """
    folder = binaries.build()
    with tempfile.TemporaryDirectory(prefix="control-plane-") as scratch, contextlib.ExitStack() as stack:
        home = Path(scratch)
        clients, peers, api_server = free_ports(3)
        etcd = f"http://127.0.0.1:{clients}"
        stack.enter_context(process(_etcd(folder, home, etcd, f"http://127.0.0.1:{peers}"), home / "etcd.log"))
        plane = _describe(home, api_server)
        stack.enter_context(process(_api_server(folder, home, etcd, plane), home / "kube-apiserver.log"))
        _wait_until_ready(plane)
        for name, extra in (
            (
                "kube-controller-manager",
                [
                    f"--service-account-private-key-file={home}/sa.key",
                    "--use-service-account-credentials=true",
                    *controller_flags,
                ],
            ),
            ("kube-scheduler", []),
        ):
            command = [folder / name, f"--kubeconfig={plane.kubeconfig}", "--leader-elect=false", "--secure-port=0", *extra]
            stack.enter_context(process(command, home / f"{name}.log"))
        stack.enter_context(kwok(plane.kubeconfig, home))
        yield plane


def _etcd(folder: Path, home: Path, address: str, peers: str) -> list[str | Path]:
    return [
        folder / "etcd",
        f"--data-dir={home}/etcd",
        "--unsafe-no-fsync",
        f"--listen-client-urls={address}",
        f"--advertise-client-urls={address}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
    ]


def _describe(home: Path, port: int) -> ControlPlane:
    plane = ControlPlane(
        kubeconfig=home / "kubeconfig",
        address=f"127.0.0.1:{port}",
        token=secrets.token_hex(16),
        ca=home / "certificates" / "apiserver.crt",
        logs=home,
    )
    user = {"name": "admin", "user": {"token": plane.token}}
    cluster = {"name": "test", "cluster": {"server": f"https://{plane.address}", "certificate-authority": str(plane.ca)}}
    context = {"name": "test", "context": {"cluster": "test", "user": "admin"}}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "users": [user],
        "clusters": [cluster],
        "contexts": [context],
    }
    plane.kubeconfig.write_text(yaml.safe_dump(config))
    return plane


def _api_server(folder: Path, home: Path, etcd: str, plane: ControlPlane) -> list[str | Path]:
    (home / "tokens.csv").write_text(f"{plane.token},admin,admin,system:masters\n")
    (home / "admission.yaml").write_text(yaml.safe_dump(_ADMISSION))
    subprocess.run(["openssl", "genrsa", "-out", home / "sa.key", "2048"], check=True, capture_output=True)
    return [
        folder / "kube-apiserver",
        f"--etcd-servers={etcd}",
        "--bind-address=127.0.0.1",
        f"--secure-port={plane.address.partition(':')[2]}",
        f"--cert-dir={plane.ca.parent}",
        "--service-account-issuer=https://test",
        f"--service-account-key-file={home}/sa.key",
        f"--service-account-signing-key-file={home}/sa.key",
        f"--token-auth-file={home}/tokens.csv",
        "--authorization-mode=Node,RBAC",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--allow-privileged=true",
        "--enable-admission-plugins=NodeRestriction,ResourceQuota,PodSecurity",
        f"--admission-control-config-file={home}/admission.yaml",
        *_aggregation(home),
    ]


def _aggregation(home: Path) -> list[str]:
    """The API server calls aggregated API servers as the proxy that its own certificate authority names."""
    signed_certificate(home, "front-proxy", "front-proxy-client")
    return [
        f"--requestheader-client-ca-file={home}/ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={home}/front-proxy.crt",
        f"--proxy-client-key-file={home}/front-proxy.key",
    ]


def signed_certificate(folder: Path, name: str, subject: str, *hosts: str) -> None:
    """`<name>.crt` and `<name>.key` in the folder, signed by its ca.crt, which is made if it is missing."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ("req", "-newkey", "rsa:2048", "-nodes")
    if not (folder / "ca.crt").exists():
        openssl(*new, "-x509", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.crt")
    openssl(*new, "-subj", f"/CN={subject}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
    names = f"subjectAltName={','.join(f'DNS:{host}' for host in hosts)}" if hosts else ""
    (folder / f"{name}.ext").write_text(f"extendedKeyUsage=clientAuth,serverAuth\n{names}\n")
    authority = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial")
    openssl("x509", "-req", "-in", f"{name}.csr", *authority, "-extfile", f"{name}.ext", "-out", f"{name}.crt")


def _wait_until_ready(plane: ControlPlane) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(urllib.error.URLError, OSError, ssl.SSLError):
            request = urllib.request.Request(f"https://{plane.address}/readyz", headers={"Authorization": f"Bearer {plane.token}"})
            with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=str(plane.ca)), timeout=2):
                return
        time.sleep(0.1)
    raise RuntimeError(f"The API server was not ready within {START_SECONDS} s:\n" + _tail(plane.logs / "kube-apiserver.log"))


@contextlib.contextmanager
def process(command: list[str | Path], log: Path, environment: Mapping[str, str] | None = None) -> Generator[None]:
    """Runs the command until the end; it must not end before."""
    with log.open("wb") as output:
        process = subprocess.Popen([*_dying_with_its_parent(), *command], stdout=output, stderr=subprocess.STDOUT, env=environment)
    try:
        yield
        if process.poll() is not None:
            raise RuntimeError(f"{log.stem} stopped by itself:\n{_tail(log)}")
    finally:
        # Its data is not kept, so no orderly shutdown is needed.
        process.kill()
        process.wait()


def _dying_with_its_parent() -> list[str]:
    """Before a command: the kernel kills it with its parent. Without setpriv (of util-linux) a killed test run leaves processes."""
    return ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


def _tail(log: Path, lines: int = 20) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
