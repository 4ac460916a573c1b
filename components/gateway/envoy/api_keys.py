"""Who a key belongs to: the configuration of Envoy's `api_key_auth`, in a file of its own that it reads again when keys change.

Secret, all of it. Envoy takes the key off the request and passes the client's name on, so that no key reaches a model server or a log.
"""

from __future__ import annotations

from collections.abc import Mapping

from components.gateway.envoy.messages import Message, discovery, typed

FILE = "api-keys.json"
FILTER = "api-keys"
FILTER_TYPE = "envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth"
CLIENT_HEADER = "x-gateway-client"
# OpenAI's clients send their key in the first, Anthropic's in the second, Azure's in the third. None of them goes on.
KEY_HEADERS = ("authorization", "x-api-key", "api-key")
LEAST_CHARACTERS = 16
# Envoy takes `Bearer ` off a key and compares letter by letter; the name of a scheme has no case (RFC 9110, 11.1).
_SCHEMES = ("", "bearer ", "BEARER ")


def api_keys(keys: Mapping[str, str]) -> Message:
    """The file's content. `keys`: by client, its key, or several that are all valid, with white space between them.

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
