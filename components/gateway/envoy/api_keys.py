"""API keys of clients: the configuration of Envoy's `api_key_auth`, in its own file, which Envoy watches for changed keys.

The whole file is secret. Envoy removes the key from the request and adds the client's name, so that no key reaches a model server or a log.
"""

from __future__ import annotations

from collections.abc import Mapping

from components.gateway.envoy.messages import Message, discovery, typed

FILE = "api-keys.json"
FILTER = "api-keys"
FILTER_TYPE = "envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth"
CLIENT_HEADER = "x-gateway-client"
# Headers with the key of OpenAI's, Anthropic's and Azure's clients. Envoy removes all of them.
KEY_HEADERS = ("authorization", "x-api-key", "api-key")
LEAST_CHARACTERS = 16
# Envoy strips `Bearer ` from a key, case-sensitively, but the name of a scheme is case-insensitive (RFC 9110, 11.1).
_SCHEMES = ("", "bearer ", "BEARER ")


def api_keys(keys: Mapping[str, str]) -> Message:
    """The file's content. `keys`: by client, its key, or several valid keys separated by white space.

    Raises:
        ValueError: a key is too short or malformed, or two clients share one. Names clients, never a key.
    """
    owners: dict[str, str] = {}
    for client, given in keys.items():
        for key in given.split() or [""]:
            _check(client, key)
            if owners.setdefault(key, client) != client:
                raise ValueError(f"secrets.clientKeys.{client}: has a key of '{owners[key]}'; give each client keys of its own")
    credentials = [{"key": scheme + key, "client": client} for key, client in owners.items() for scheme in _SCHEMES]
    return discovery(
        typed(
            "envoy.config.core.v3.TypedExtensionConfig",
            name=FILTER,
            typed_config=typed(
                FILTER_TYPE,
                credentials=credentials,
                key_sources=[{"header": header} for header in KEY_HEADERS],
                forwarding={"header": CLIENT_HEADER, "hide_credentials": True},
            ),
        )
    )


def _check(client: str, key: str) -> None:
    if len(key) < LEAST_CHARACTERS or not key.isascii() or not key.isprintable():
        raise ValueError(
            f"secrets.clientKeys.{client}: a key needs at least {LEAST_CHARACTERS} printable ASCII characters; "
            "make one with `openssl rand -hex 24`"
        )
