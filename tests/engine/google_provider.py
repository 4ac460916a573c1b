"""A strict stand-in for the Google provider, as a plugin that Pulumi's engine starts.

Accepts only the types and properties of the installed SDK. Ids and computed outputs exist only after a create: in a preview they are
unknown. Changes of properties that Google cannot update in place replace the resource.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from concurrent import futures
from importlib.metadata import version
from pathlib import Path
from threading import Event
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.empty_pb2 import Empty  # ty: ignore[missing-module-member]
from google.protobuf.struct_pb2 import Struct  # ty: ignore[missing-module-member]
from pulumi.runtime import rpc
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from tests.engine import google_schema
from tests.engine.google import CLUSTER, Google, RefusedError, answer, computed
from tools.review.replacements import google_replace_only

HOME_VARIABLE = "GOOGLE_STAND_IN"


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """Pulumi's ResourceProvider service; methods are named as its RPCs."""

    def __init__(self, google: Google) -> None:
        self._google = google
        self._configuration: dict[str, Any] = {}

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=version("pulumi-gcp"))

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._configuration = _plain(request.args)
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        token, old, new = _token(request.urn), _plain(request.olds), _plain(request.news)
        with _refusals(context):
            problems = google_schema.problems(token, new)
        if not problems and google_schema.is_named(token) and "name" not in new:
            new["name"] = old.get("name") or f"{_name(request.urn)}-{secrets.token_hex(4)[:7]}"
        failures = [provider_pb2.CheckFailure(property=path, reason=reason) for path, reason in problems]
        return provider_pb2.CheckResponse(inputs=_struct(new), failures=failures)

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        old, new = _plain(request.old_inputs), _plain(request.news)
        changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
        kinds = provider_pb2.DiffResponse
        return kinds(
            changes=kinds.DIFF_SOME if changed else kinds.DIFF_NONE,
            diffs=changed,
            replaces=google_replace_only(_token(request.urn), old, new),
        )

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        token, inputs = _token(request.urn), _plain(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(id="", properties=_struct(_foreseen(token, inputs)))
        inputs.setdefault("project", self._configuration.get("project", "default"))
        with _refusals(context):
            id_, outputs = self._google.create(token, _name(request.urn), inputs)
            return provider_pb2.CreateResponse(id=id_, properties=_struct(outputs))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Of an import, which knows the id alone."""
        found = self._google.read(_token(request.urn), request.id)
        if found is None:
            return provider_pb2.ReadResponse()
        inputs, outputs = found
        return provider_pb2.ReadResponse(id=request.id, inputs=_struct(inputs), properties=_struct(outputs))

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        token, outputs, inputs = _token(request.urn), _plain(request.olds), _plain(request.news)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=_struct({**outputs, **inputs, **_unknown(token, inputs)}))
        inputs.setdefault("project", self._configuration.get("project", "default"))
        with _refusals(context):
            outputs = self._google.update(token, request.id, inputs, outputs)
            return provider_pb2.UpdateResponse(properties=_struct(outputs))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        with _refusals(context):
            self._google.delete(_token(request.urn), request.id)
        return Empty()

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        with _refusals(context):
            reply = provider_pb2.InvokeResponse()
            getattr(reply, "return").CopyFrom(_struct(answer(self._google, request.tok, _plain(request.args))))
            return reply

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        return Empty()


def _foreseen(token: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Outputs of a create in a preview."""
    unknown = dict.fromkeys(google_schema.outputs(token) - inputs.keys(), rpc.UNKNOWN)
    return {**unknown, **inputs, **_unknown(token, inputs)}


def _unknown(token: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Computed outputs that are unknown in a preview, also of an existing cluster: its address."""
    return computed(token, inputs, rpc.UNKNOWN) if token == CLUSTER else {}


class _refusals:  # noqa: N801 - used like a function
    """Context manager that turns RefusedError into an error of the RPC."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, (RefusedError, google_schema.UnknownTokenError)):
            self._context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))


def _token(urn: str) -> str:
    return urn.split("::")[2].rpartition("$")[2]


def _name(urn: str) -> str:
    return urn.split("::", 3)[3]


def _plain(struct: Any) -> dict[str, Any]:
    return _integers(json_format.MessageToDict(struct))


def _integers(value: Any) -> Any:
    """Turns whole floating point numbers into int: a protobuf Struct has only floating point numbers."""
    if isinstance(value, dict):
        return {key: _integers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_integers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _struct(values: Mapping[str, Any]) -> Any:
    return json_format.ParseDict(dict(values), Struct())


def main() -> None:
    # One call at a time: the SDK's modules load when they are first touched, which threads must not do together.
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(StandIn(Google(Path(os.environ[HOME_VARIABLE]))), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    Event().wait()


if __name__ == "__main__":
    main()
