"""Runs the real program in process, without engine, providers, cloud account or cluster, and records what it registers.

Stands on Pulumi's own test runtime. It knows no state, so every resource is a create; what only a deployment can know stays
unknown, as in a first `pulumi preview`.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import runpy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

gc.set_threshold(1_000_000)  # the SDKs define so many classes that garbage collection takes most of their import time
import pulumi  # noqa: E402
from google.protobuf import json_format  # noqa: E402
from google.protobuf.empty_pb2 import Empty  # noqa: E402  # ty: ignore[missing-module-member]
from pulumi.runtime import mocks, rpc, stack  # noqa: E402
from pulumi.runtime.config import set_all_config  # noqa: E402
from pulumi.runtime.proto import resource_pb2  # noqa: E402
from pulumi.runtime.settings import SETTINGS, configure, set_root_resource  # noqa: E402

from config.secrets import is_encrypted  # noqa: E402
from config.settings import PROJECT  # noqa: E402
from tools.stacks import ROOT  # noqa: E402

UNKNOWN = "<known after deployment>"
_SIGNATURE = rpc._special_sig_key
# Results of the providers' functions (invokes), which a real preview gets from Google.
_INVOKES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "gcp:organizations/getProject:getProject": lambda _: {"number": "123456789012", "projectId": "offline"},
    "gcp:secretmanager/getSecretVersion:getSecretVersion": lambda arguments: {"secretData": placeholder(arguments["secret"])},
}


@dataclass(frozen=True)
class Resource:
    """A registered resource. `inputs`: the provider's inputs; `secrets`: the dotted paths of the secret ones."""

    urn: str
    type: str
    name: str
    parent: str
    custom: bool
    inputs: dict[str, Any]
    secrets: frozenset[str] = frozenset()
    depends_on: tuple[str, ...] = ()
    provider: str = ""
    protect: bool = False
    delete_before_replace: bool = False
    deleted_with: str = ""
    ignore_changes: tuple[str, ...] = ()
    timeouts: tuple[tuple[str, str], ...] = ()
    """How long Pulumi waits, by what it does: `create`, `update`."""


@dataclass
class Recording:
    """Resources that a run of the program registered, in order of registration, and its stack outputs."""

    resources: list[Resource] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    secret_outputs: frozenset[str] = frozenset()
    warnings: list[str] = field(default_factory=list)


class _Monitor(mocks.MockMonitor):
    """Pulumi's mock resource monitor, which also records parents, dependencies, secrets and unknown values."""

    def __init__(self, *, known: bool) -> None:
        super().__init__(_NoMocks())
        self.recording = Recording()
        self.known = known

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the name of the RPC
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == "pulumi:pulumi:Stack":
            return resource_pb2.RegisterResourceResponse(urn=urn)
        raw = json_format.MessageToDict(request.object)
        inputs, secrets = _plain(raw)
        self.recording.resources.append(
            Resource(
                urn=urn,
                type=request.type,
                name=request.name,
                parent=request.parent,
                custom=request.custom,
                inputs=inputs,
                secrets=secrets,
                depends_on=tuple(sorted(request.dependencies)),
                provider=request.provider,
                protect=request.protect,
                delete_before_replace=request.deleteBeforeReplace,
                deleted_with=request.deletedWith,
                ignore_changes=tuple(request.ignoreChanges),
                timeouts=tuple((what.name, time) for what, time in request.customTimeouts.ListFields()),
            )
        )
        outputs = request.object
        if request.custom:
            computed = _computed(request.type, request.name, raw, known=self.known)
            outputs = json_format.ParseDict(raw | computed, type(request.object)())
        return resource_pb2.RegisterResourceResponse(urn=urn, id=request.name if self.known else "", object=outputs)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the name of the RPC
        if request.urn.split("::")[2] == "pulumi:pulumi:Stack":
            self.recording.outputs, secret = _plain(json_format.MessageToDict(request.outputs))
            self.recording.secret_outputs = frozenset(path.partition(".")[0] for path in secret)
        return super().RegisterResourceOutputs(request)

    def Invoke(self, request: Any) -> Any:  # noqa: N802 - the name of the RPC
        answer = resource_pb2.ResourceInvokeResponse()
        arguments, _ = _plain(json_format.MessageToDict(request.args))
        json_format.ParseDict(_INVOKES[request.tok](arguments), getattr(answer, "return"))
        return answer


class _NoMocks(mocks.Mocks):
    def call(self, args: mocks.MockCallArgs) -> Any:
        raise NotImplementedError

    def new_resource(self, args: mocks.MockResourceArgs) -> Any:
        raise NotImplementedError


class _Log:
    """Collects the program's log messages instead of printing them."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def warning(self, message: str) -> None:
        self._recording.warnings.append(message)

    error = warning

    def debug(self, message: str) -> None: ...

    info = debug


def _computed(type_: str, name: str, inputs: Mapping[str, Any], *, known: bool) -> dict[str, Any]:
    """Provider-computed outputs that the program uses: plausible values if `known`, else unknown."""

    def value(plausible: str) -> str:
        return plausible if known else rpc.UNKNOWN

    if type_ == "gcp:container/cluster:Cluster":
        endpoints = inputs["controlPlaneEndpointsConfig"]
        dns = {**endpoints["dnsEndpointConfig"], "endpoint": value(f"gke-{name}.us-central1.gke.goog")}
        return {"controlPlaneEndpointsConfig": {**endpoints, "dnsEndpointConfig": dns}}
    if type_ == "gcp:serviceaccount/account:Account":
        email = f"{inputs['accountId']}@offline.iam.gserviceaccount.com"
        return {"email": value(email), "member": value(f"serviceAccount:{email}")}
    if type_ == "kubernetes:core/v1:Service" and inputs["spec"].get("type") == "LoadBalancer":
        return {"status": {"loadBalancer": {"ingress": [{"ip": value("192.0.2.1")}]}}}
    if type_.startswith("gcp:") and "name" not in inputs:
        return {"name": value(f"{name}-1234567")}
    return {}


def _plain(value: dict[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """Properties as plain values, and the paths of those that were marked secret."""
    secrets: set[str] = set()
    return _unwrapped(value, "", secrets), frozenset(secrets)


def _unwrapped(value: Any, path: str, secrets: set[str]) -> Any:
    if isinstance(value, dict):
        if _SIGNATURE in value:
            secrets.add(path)
            return _unwrapped(value.get("value"), path, secrets)
        return {key: _unwrapped(value[key], f"{path}.{key}" if path else key, secrets) for key in sorted(value)}
    if isinstance(value, list):
        return [_unwrapped(item, f"{path}[{index}]", secrets) for index, item in enumerate(value)]
    if value == rpc.UNKNOWN:
        return UNKNOWN
    return int(value) if isinstance(value, float) and value.is_integer() else value


def from_file(path: Path) -> Callable[[], None]:
    """The program in this file."""

    def program() -> None:
        runpy.run_path(str(path), run_name="__main__")

    return program


OWN_PROGRAM = from_file(ROOT / "__main__.py")


def run(
    config: Mapping[str, Any],
    stack_name: str,
    *,
    known: bool = False,
    program: Callable[[], None] = OWN_PROGRAM,
    project: str = PROJECT,
) -> Recording:
    """Runs a program with the `config:` of a stack file.

    `known`: resources answer with their computed outputs, as after a deployment; else those stay unknown, as in a first preview.

    Raises:
        pulumi.RunError: the stack is wrong; the message lists every problem.
    """
    set_all_config(
        {key: _encoded(value) for key, value in config.items()}, [key for key, value in config.items() if _holds_encrypted(value)]
    )
    monitor = _Monitor(known=known)
    log = _Log(monitor.recording)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        _configure(monitor, project, stack_name, log)
        loop.run_until_complete(stack.run_in_stack(program))
    finally:
        _abandon(loop)
        asyncio.set_event_loop(None)
        loop.close()
    return monitor.recording


def _abandon(loop: asyncio.AbstractEventLoop) -> None:
    """Cancels the unfinished tasks of a failed program, so that the next run starts clean."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    SETTINGS.outputs.clear()
    SETTINGS.rpc_manager.clear()


def _configure(monitor: _Monitor, project: str, stack_name: str, log: _Log) -> None:
    """Like `pulumi.runtime.set_mocks`, but without registering a root stack: `run_in_stack` registers one."""
    features = set(monitor.GetDeploymentInfo(Empty()).supportedFeatures)
    engine = mocks.MockEngine(log)  # ty: ignore[invalid-argument-type]
    configure(
        mocks.MockSettings(
            monitor=monitor,
            monitor_features=features,
            engine=engine,
            project=project,
            stack=stack_name,
            root_directory=None,  # says to the program that no engine runs it
            dry_run=not monitor.known,
            organization=None,
            callbacks=None,
        )
    )
    set_root_resource(None)  # ty: ignore[invalid-argument-type]


def _encoded(value: Any) -> str:
    """A value as Pulumi passes it to the program: structured values as JSON, secrets decrypted."""
    if isinstance(value, (dict, list)):
        return json.dumps(_decrypted(value, ""))
    return str(value)


def _holds_encrypted(value: Any) -> bool:
    """Whether any value in it is encrypted, in which case Pulumi treats the whole key as secret."""
    if isinstance(value, dict):
        return is_encrypted(value) or any(_holds_encrypted(entry) for entry in value.values())
    return isinstance(value, list) and any(_holds_encrypted(entry) for entry in value)


def _decrypted(value: Any, name: str) -> Any:
    """The value with placeholders for encrypted values: nothing is decrypted here."""
    if isinstance(value, dict):
        return placeholder(name) if is_encrypted(value) else {key: _decrypted(item, key) for key, item in value.items()}
    return [_decrypted(item, name) for item in value] if isinstance(value, list) else value


def placeholder(name: str) -> str:
    """A placeholder for the value of a secret, different for each secret, that does not reveal its name."""
    return f"[secret:{hashlib.sha256(name.encode()).hexdigest()[:16]}]"


def kubernetes_objects(recording: Recording) -> Iterator[tuple[Resource, dict[str, Any]]]:
    """Resources that are Kubernetes objects, as manifests."""
    for resource in recording.resources:
        if "kind" in resource.inputs and "apiVersion" in resource.inputs and resource.type.startswith("kubernetes:"):
            yield resource, resource.inputs


__all__ = ["UNKNOWN", "Recording", "Resource", "kubernetes_objects", "pulumi", "run"]
