"""Malformed requests by name of their fault: bodies, and whole HTTP/1.1 messages with the key of team-a.

Smuggled requests have no key, and ask for the model `private`, which team-a may not use.
"""

from __future__ import annotations

import json
from typing import Any

from tests.dataplane.wire import chat, request

_CHAT = json.dumps(chat()).encode()


def _with(text: str) -> bytes:
    """A chat completion body with this additional member."""
    return _CHAT[:-1] + b", " + text.encode("utf-8", "surrogatepass") + b"}"


BODIES = {
    "deep lists": _with('"a": ' + "[" * 50_000 + "]" * 50_000),
    "deep objects": _with('"a": ' + '{"a":' * 50_000 + "1" + "}" * 50_000),
    "deep before the model": b'{"a": ' + b"[" * 5_000 + b"]" * 5_000 + b", " + _CHAT[1:],
    "deep and unclosed": b"[" * 200_000,
    "nothing but a deep list": b"[" * 50_000 + b"]" * 50_000,
    "models given twice": b'{"model": "private", "messages": [], "model": "qwen3-8b"}',
    "models given twice, the other way": b'{"model": "qwen3-8b", "messages": [], "model": "private"}',
    "models given twice, one escaped": b'{"model": "qwen3-8b", "messages": [], "mod\\u0065l": "private"}',
    "a model given a hundred times": b'{"messages": [], ' + b", ".join([b'"model": "private"'] * 100) + b', "model": "qwen3-8b"}',
    "a huge integer": _with('"seed": ' + "9" * 10_000),
    "a huge exponent": _with('"temperature": 1e400'),
    "a tiny exponent": _with('"temperature": -1e-400'),
    "an integer of 65 bits": _with('"seed": 36893488147419103232'),
    "a long fraction": _with('"temperature": 0.' + "1" * 10_000),
    "not a number": _with('"temperature": NaN'),
    "infinity": _with('"temperature": -Infinity'),
    "a hexadecimal number": _with('"seed": 0x10'),
    "a leading zero": _with('"seed": 010'),
    "no UTF-8": _CHAT.replace(b"Hello", b"\xff\xfe\x80"),
    "an overlong NUL": _CHAT.replace(b"Hello", b"\xc0\x80"),
    "a surrogate in UTF-8": _CHAT.replace(b"Hello", b"\xed\xa0\x80"),
    "a lone surrogate": _CHAT.replace(b"Hello", b"\\ud800"),
    "no UTF-8 in the model": _CHAT.replace(b"qwen3-8b", b"qwen3-8b\xff"),
    "a lone surrogate in the model": _CHAT.replace(b"qwen3-8b", b"qwen3-8b\\ud800"),
    "a NUL in the model": _CHAT.replace(b"qwen3-8b", b"qwen3-8b\\u0000"),
    "lines in the model": _CHAT.replace(b"qwen3-8b", b"qwen3-8b\\r\\nx-gateway-client: team-c"),
    "a byte order mark": b"\xef\xbb\xbf" + _CHAT,
    "UTF-16": _CHAT.decode().encode("utf-16"),
    "UTF-32": _CHAT.decode().encode("utf-32-be"),
    "a NUL": _CHAT + b"\0",
    "a control character": _CHAT.replace(b"Hello", b"Hel\x01lo"),
    "a comment": b"/* */" + _CHAT,
    "a trailing comma": _CHAT[:-1] + b",}",
    "single quotes": _CHAT.replace(b'"', b"'"),
    "two values": _CHAT + _CHAT,
    "a bracket too many": _CHAT + b"}",
    "a bracket missing": _CHAT[:-1],
    "white space": b" " * 10_000,
    "an empty key": _with('"": 1'),
    "keys of Python's and JavaScript's": _with('"__proto__": {"model": "private"}, "__class__": "private", "constructor": 1'),
    "ten thousand keys": _with(", ".join(f'"key-{number}": 1' for number in range(10_000))),
    "a long key": _with('"' + "k" * 100_000 + '": 1'),
    "a long string": _with('"user": "' + "u" * 500_000 + '"'),
    "escapes only": _with('"user": "' + "\\u0041" * 50_000 + '"'),
    "a bad escape": _with('"user": "\\x41"'),
    "a stream of values": b"\x1e" + _CHAT + b"\n",
    "a form": b"model=qwen3-8b&messages=[]",
    "XML": b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
}

_PRIVATE = json.dumps(chat("private")).encode()
_SMUGGLED = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-gateway-client: team-c\r\ncontent-type: application/json\r\n"
_SMUGGLED += b"content-length: %d\r\n\r\n%s" % (len(_PRIVATE), _PRIVATE)
_CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(_CHAT), _CHAT)


def _message(body: bytes = _CHAT, path: str = "/v1/chat/completions", **headers: str) -> bytes:
    """An HTTP message with no other headers than `headers`."""
    fields: dict[str, Any] = {"content_length": None, **headers}
    return request(path, b"", **fields) + body


def _replaced(old: bytes, new: bytes) -> bytes:
    whole = request("/v1/chat/completions", _CHAT)
    assert old in whole
    return whole.replace(old, new, 1)


_LENGTH, _HOST = b"content-length: %d" % len(_CHAT), b"host: gateway"
MESSAGES = {
    "a body that ends early": _message(_CHAT, content_length=str(len(_CHAT) + 100)),
    "a body that goes on": _message(_CHAT + _SMUGGLED, content_length=str(len(_CHAT))),
    "a chunked body that ends early": _message(_CHUNKED[:-7], transfer_encoding="chunked"),
    "a chunk that ends early": _message(b"ff\r\n" + _CHAT, transfer_encoding="chunked"),
    "a chunk of no size": _message(b"\r\n" + _CHUNKED, transfer_encoding="chunked"),
    "a chunk of negative size": _message(b"-1\r\n" + _CHUNKED, transfer_encoding="chunked"),
    "a chunk larger than memory": _message(b"ffffffffffffffff\r\n" + _CHAT, transfer_encoding="chunked"),
    "a chunk larger than a number": _message(b"f" * 40 + b"\r\n" + _CHAT, transfer_encoding="chunked"),
    "a chunk with a long extension": _message(_CHUNKED.replace(b"\r\n", b";" + b"x" * 100_000 + b"\r\n", 1), transfer_encoding="chunked"),
    "no length at all": _message(_SMUGGLED),
    "length and chunks": _message(b"0\r\n\r\n" + _SMUGGLED, content_length=str(len(_SMUGGLED) + 5), transfer_encoding="chunked"),
    "chunks and length": _message(b"0\r\n\r\n" + _SMUGGLED, transfer_encoding="chunked", content_length="5"),
    "two lengths": _replaced(_LENGTH, _LENGTH + b"\r\ncontent-length: 0") + _SMUGGLED,
    "two lengths in one": _message(_CHAT + _SMUGGLED, content_length=f"{len(_CHAT)}, 0"),
    "the same length twice": _replaced(_LENGTH, _LENGTH + b"\r\n" + _LENGTH) + _SMUGGLED,
    "a negative length": _message(_CHAT, content_length="-1"),
    "a length with a sign": _message(_CHAT + _SMUGGLED, content_length=f"+{len(_CHAT)}"),
    "a hexadecimal length": _message(_CHAT + _SMUGGLED, content_length=hex(len(_CHAT))),
    "a length larger than a number": _message(_CHAT, content_length="9" * 40),
    "a length with white space in it": _message(_CHAT + _SMUGGLED, content_length="0 0"),
    "chunked, spelt wrong": _message(_CHUNKED + _SMUGGLED, transfer_encoding="xchunked"),
    "chunked and more": _message(_CHUNKED + _SMUGGLED, transfer_encoding="chunked, identity"),
    "chunked after gzip": _message(_CHUNKED + _SMUGGLED, transfer_encoding="gzip, chunked"),
    "chunked in quotes": _message(_CHUNKED + _SMUGGLED, transfer_encoding='"chunked"'),
    "chunked after a tab": _message(_CHUNKED, transfer_encoding="\tchunked"),
    "chunked after a vertical tab": _message(_CHUNKED + _SMUGGLED, transfer_encoding="\x0bchunked"),
    "white space before a colon": _replaced(_LENGTH, b"content-length : %d" % len(_CHAT)) + _SMUGGLED,
    "white space before chunked's colon": _replaced(_LENGTH, b"transfer-encoding : chunked\r\n" + _LENGTH) + _SMUGGLED,
    "a folded header": _replaced(_HOST, _HOST + b"\r\nx-note: a\r\n x-gateway-client: team-c"),
    "a folded key": _replaced(b"authorization: ", b"authorization:\r\n "),
    "a header without a name": _replaced(_HOST, _HOST + b"\r\n: x"),
    "a header without a colon": _replaced(_HOST, _HOST + b"\r\nx-gateway-client"),
    "a NUL in a header": _replaced(_HOST, _HOST + b"\r\nx-note: a\0b"),
    "a NUL in a name": _replaced(_HOST, _HOST + b"\r\nx-gateway\0-client: team-c"),
    "a bare CR": _replaced(_HOST, _HOST + b"\r\nx-note: a\rx-gateway-client: team-c"),
    "a bare LF": _replaced(_HOST, _HOST + b"\r\nx-note: a\nx-gateway-client: team-c"),
    "bare LFs everywhere": request("/v1/chat/completions", _CHAT).replace(b"\r\n", b"\n"),
    "an underscore in a name": _replaced(_HOST, _HOST + b"\r\nx_gateway_client: team-c"),
    "an injected header": _message(
        _CHAT, path="/v1/chat/completions HTTP/1.1\r\nx-gateway-client: team-c\r\nx:", content_length=str(len(_CHAT))
    ),
    "a header of a pseudo name": _replaced(_HOST, _HOST + b"\r\n:path: /metrics"),
    "no host": _replaced(_HOST + b"\r\n", b""),
    "two hosts": _replaced(_HOST, _HOST + b"\r\nhost: other"),
    "a host that is none": _replaced(_HOST, b"host: a b@c/d?e#f"),
    "an oversized header": _replaced(_HOST, _HOST + b"\r\nx-note: " + b"n" * 100_000),
    "many headers": _replaced(_HOST, _HOST + b"".join(b"\r\nx-note-%d: n" % number for number in range(300))),
    "a long path": _message(_CHAT, path="/v1/" + "p" * 100_000),
    "white space in a path": _message(_CHAT, path="/v1/chat completions", content_length=str(len(_CHAT))),
    "no ASCII in a path": _message(_CHAT, path="/v1/chat\xff\xfe", content_length=str(len(_CHAT))),
    "a path without its slash": _message(_CHAT, path="v1/chat/completions", content_length=str(len(_CHAT))),
    "a file's address": _message(_CHAT, path="file:///etc/passwd", content_length=str(len(_CHAT))),
    "HTTP/1.0": _replaced(b"HTTP/1.1", b"HTTP/1.0"),
    "HTTP/0.9": b"GET /v1/models\r\n",
    "HTTP/3.7": _replaced(b"HTTP/1.1", b"HTTP/3.7"),
    "no protocol": _replaced(b"HTTP/1.1", b"NONE/1.1"),
    "a method that is none": _replaced(b"POST", b"P\x01ST"),
    "CONNECT": _replaced(b"POST /v1/chat/completions", b"CONNECT gateway:443"),
    "the beginning of HTTP/2 and no more": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 40,
    "the beginning of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 100,
    "empty lines first": b"\r\n\r\n" + request("/v1/chat/completions", _CHAT),
}
