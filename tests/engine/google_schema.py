"""Schema of the Google provider, read from the installed SDK: types, properties, required properties.

The properties that Google cannot change in place are not in the SDK: tools.review.replacements has them.
"""

from __future__ import annotations

import collections.abc
import importlib
import inspect
import re
import types
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pulumi
from pulumi import _types
from pulumi.runtime import rpc


class UnknownTokenError(Exception):
    """A resource type or function that the SDK does not have."""


@cache
def resource_type(token: str) -> type:
    """The SDK's class of `gcp:<module>/<file>:<Name>`.

    Raises:
        UnknownTokenError: there is none.
    """
    path, _, name = token.removeprefix("gcp:").partition(":")
    found = getattr(_module(path.partition("/")[0]), name, None)
    if not (inspect.isclass(found) and issubclass(found, pulumi.CustomResource)):
        raise UnknownTokenError(f"the Google provider has no resource type {token}")
    return found


def outputs(token: str) -> set[str]:
    """Every output of the type, inputs included."""
    return set(_types.resource_types(resource_type(token)))


def is_named(token: str) -> bool:
    """Whether the type has a name, which Pulumi generates if the program does not set it."""
    return "name" in _types.input_type_types(_arguments(token))


def problems(token: str, inputs: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(path, reason) for each unknown or missing property and each value of the wrong type."""
    return list(_of_object(inputs, _arguments(token), ""))


def function_problems(token: str, arguments: Mapping[str, Any]) -> list[str]:
    """The same for a call of `gcp:<module>/<function>:<function>`.

    Raises:
        UnknownTokenError: the SDK has no such function.
    """
    path, _, name = token.removeprefix("gcp:").partition(":")
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    function = getattr(_module(path.partition("/")[0]), snake, None)
    if function is None:
        raise UnknownTokenError(f"the Google provider has no function {token}")
    known = {_camel(parameter) for parameter in inspect.signature(function).parameters}
    return [f"{key}: unknown property" for key in arguments if key not in known]


def deprecated(token: str, inputs: Mapping[str, Any]) -> list[str]:
    """Properties among the inputs that the provider's documentation calls deprecated, by their paths."""
    return list(_deprecated(inputs, _arguments(token), ""))


def _deprecated(values: Any, arguments: type, path: str) -> Iterator[str]:
    known, names = _types.input_type_types(arguments), _types.input_type_py_to_pulumi_names(arguments)
    for python_name, name in names.items():
        if name not in values:
            continue
        if _is_deprecated(inspect.getattr_static(arguments, python_name, None)):
            yield f"{path}{name}"
        wanted = _types.unwrap_type(known[name])
        items = values[name] if _is_list(wanted) else [values[name]]
        wanted = _types.unwrap_type(typing.get_args(wanted)[0]) if _is_list(wanted) else wanted
        for item in items if _types.is_input_type(wanted) else ():
            if isinstance(item, Mapping):
                yield from _deprecated(item, wanted, f"{path}{name}.")


def _module(name: str) -> types.ModuleType:
    try:
        return importlib.import_module(f"pulumi_gcp.{name}")
    except ModuleNotFoundError:
        raise UnknownTokenError(f"the Google provider has no module {name}") from None


def _arguments(token: str) -> type:
    resource = resource_type(token)
    return getattr(importlib.import_module(resource.__module__), f"{resource.__name__}Args")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _is_deprecated(getter: Any) -> bool:
    """Either the SDK marks it, or its documentation begins with the word."""
    marked = "_pulumi_deprecated_callable" in vars(getattr(getter, "fget", None) or object)
    return marked or re.match(r"\W*deprecated", getter.__doc__ or "", re.IGNORECASE) is not None


def _of_object(values: Mapping[str, Any], arguments: type, path: str) -> Iterator[tuple[str, str]]:
    known, names = _types.input_type_types(arguments), _types.input_type_py_to_pulumi_names(arguments)
    parameters = inspect.signature(arguments.__init__).parameters.values()
    required = [names[one.name] for one in parameters if one.default is inspect.Parameter.empty and one.name in names]
    yield from ((f"{path}{name}", "missing required property") for name in required if name not in values)
    for name, value in values.items():
        if name.startswith("__"):
            continue
        if name not in known:
            yield f"{path}{name}", "unknown property"
        else:
            yield from _of_value(value, known[name], f"{path}{name}")


def _of_value(value: Any, wanted: Any, path: str) -> Iterator[tuple[str, str]]:
    if value == rpc.UNKNOWN or value is None:
        return
    wanted = _types.unwrap_type(wanted)
    if _types.is_input_type(wanted):
        if isinstance(value, Mapping):
            yield from _of_object(value, wanted, f"{path}.")
        else:
            yield path, "expected an object"
    elif _is_list(wanted):
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from _of_value(item, typing.get_args(wanted)[0], f"{path}[{index}]")
        else:
            yield path, "expected a list"
    elif not _is_plain(value, wanted):
        yield path, f"expected {getattr(wanted, '__name__', wanted)}, got {value!r}"


def _is_plain(value: Any, wanted: Any) -> bool:
    if wanted is bool:
        return isinstance(value, bool)
    if wanted in (int, float):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if wanted is str:
        return isinstance(value, str)
    return not _is_mapping(wanted) or isinstance(value, Mapping)


def _is_list(wanted: Any) -> bool:
    return typing.get_origin(wanted) in (list, collections.abc.Sequence)


def _is_mapping(wanted: Any) -> bool:
    return typing.get_origin(wanted) in (dict, collections.abc.Mapping)
