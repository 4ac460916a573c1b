"""Tests every replica of a candidate before it gets any request of a client: run as a whole by `python3 -c`, with a JSON argument.

Standard library only. Prints one line a check; the last lines of a failure become the pod's termination message.
"""

import contextlib
import http.client
import json
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

Answer = tuple[int, Any]
_HI = "Answer with one word: hello"
_POLL_SECONDS = 2


class CheckError(Exception):
    """A check did not pass."""


class Replica:
    """One replica of the candidate."""

    def __init__(self, address: str, port: int, timeout: float) -> None:
        self.address, self.port, self.timeout = address, port, timeout
        self.has_chat = True

    def get(self, path: str) -> Answer:
        return self._asked("GET", path, None)

    def complete(self, model: str, prompt: str, max_tokens: int) -> Any:
        """The answer to a prompt at temperature 0; by /v1/completions where the model has no chat template."""
        status, answer = self._asked("POST", *self._question(model, prompt, max_tokens))
        if self.has_chat and status == 400 and "chat template" in json.dumps(answer):
            self.has_chat = False
            status, answer = self._asked("POST", *self._question(model, prompt, max_tokens))
        _check(status == 200, f"a completion is answered with {status}: {json.dumps(answer)[:300]}")
        return answer

    def stream(self, model: str, prompt: str, max_tokens: int) -> Iterator[Any]:
        """The events of a stream, the last one `[DONE]`."""
        path, body = self._question(model, prompt, max_tokens)
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        with contextlib.closing(self._connection()) as connection:
            connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
            response = connection.getresponse()
            if response.status != 200:
                raise CheckError(f"a stream is answered with {response.status}: {response.read(300)!r}")
            for line in response:
                if line.startswith(b"data:"):
                    data = line[5:].strip().decode()
                    yield data if data == "[DONE]" else json.loads(data)

    def _question(self, model: str, prompt: str, max_tokens: int) -> tuple[str, dict[str, Any]]:
        body: dict[str, Any] = {"model": model, "max_tokens": max_tokens, "temperature": 0}
        if self.has_chat:
            return "/v1/chat/completions", body | {"messages": [{"role": "user", "content": prompt}]}
        return "/v1/completions", body | {"prompt": prompt}

    def _asked(self, method: str, path: str, body: Any) -> Answer:
        with contextlib.closing(self._connection()) as connection:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"content-type": "application/json"})
            response = connection.getresponse()
            content = response.read()
            try:
                return response.status, json.loads(content or b"null")
            except ValueError:
                return response.status, content.decode(errors="replace")

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.address, self.port, timeout=self.timeout)


def _check(condition: bool, failure: str) -> None:
    if not condition:
        raise CheckError(failure)


def check_health(replica: Replica, until: float) -> None:
    """Waits for it: a NetworkPolicy takes a moment to let a new pod through."""
    while True:
        try:
            status, _ = replica.get("/health")
            failure = f"/health answers {status}"
        except OSError as error:
            status, failure = 0, f"/health: {error}"
        if status == 200:
            return
        _check(time.monotonic() < until, failure)
        time.sleep(_POLL_SECONDS)


def check_models(replica: Replica, names: list[str]) -> None:
    status, answer = replica.get("/v1/models")
    _check(status == 200, f"/v1/models answers {status}")
    served = {one["id"] for one in answer["data"]}
    missing = [name for name in names if name not in served]
    _check(not missing, f"/v1/models does not list {', '.join(missing)}, only {', '.join(sorted(served))}")


def check_completion(replica: Replica, model: str) -> None:
    answer = replica.complete(model, _HI, 16)
    _check(answer["choices"][0].get("finish_reason") in ("stop", "length"), f"a completion ends by {answer['choices'][0]}")
    _check_usage(answer.get("usage"), "a completion")


def check_stream(replica: Replica, model: str, first_token_seconds: float) -> None:
    begin, first, reasons, usage, event = time.monotonic(), None, [], None, None
    for event in replica.stream(model, _HI, 16):
        if event == "[DONE]":
            break
        usage = event.get("usage") or usage
        for choice in event.get("choices", ()):
            reasons += [choice["finish_reason"]] if choice.get("finish_reason") else []
            if first is None and _has_text(choice):
                first = time.monotonic() - begin
    _check(event == "[DONE]", "a stream ends without [DONE]")
    _check(reasons in (["stop"], ["length"]), f"a stream has the finish reasons {reasons}")
    if first is None:
        raise CheckError("a stream has no token")
    _check(first <= first_token_seconds, f"the first token of a stream takes {first:.1f} s, and smokeTest allows {first_token_seconds:g} s")
    _check_usage(usage, "a stream")


def _has_text(choice: dict[str, Any]) -> bool:
    """Reasoning models begin with what they think."""
    delta = choice.get("delta") or {}
    return bool(choice.get("text") or any(delta.get(key) for key in ("content", "reasoning", "reasoning_content", "tool_calls")))


def _check_usage(usage: Any, what: str) -> None:
    counted = isinstance(usage, dict) and usage.get("prompt_tokens", 0) > 0 and usage.get("completion_tokens", 0) > 0
    _check(counted, f"{what} has the usage {json.dumps(usage)}")


def check_golden(replica: Replica, model: str, prompt: str, contains: str, max_tokens: int) -> None:
    choice = replica.complete(model, prompt, max_tokens)["choices"][0]
    text = (choice.get("message") or {}).get("content") or choice.get("text") or ""
    _check(contains.casefold() in text.casefold(), f"the answer to {prompt!r} has no {contains!r}: {text[:200]!r}")


def addresses(host: str, port: int) -> list[str]:
    """Of all pods of a headless Service that are ready."""
    return sorted({str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})


def check_replica(replica: Replica, given: dict[str, Any], until: float) -> None:
    names, model = given["names"], given["names"][0]
    check_health(replica, until)
    check_models(replica, names)
    check_completion(replica, model)
    check_stream(replica, model, given["first_token_seconds"])
    for one in given["golden_prompts"]:
        check_golden(replica, model, one["prompt"], one["contains"], one["max_tokens"])


def main(given: dict[str, Any]) -> int:
    until = time.monotonic() + given["time_limit_seconds"]
    try:
        try:
            replicas = addresses(given["host"], given["port"])
        except socket.gaierror as error:
            raise CheckError(f"{given['host']} has no ready replica: {error}") from error
        for address in replicas:
            try:
                check_replica(Replica(address, given["port"], given["time_limit_seconds"]), given, until)
            except (CheckError, OSError, ValueError, KeyError, IndexError, TypeError, http.client.HTTPException) as error:
                raise CheckError(f"replica {address}: {error if isinstance(error, CheckError) else repr(error)}") from error
            print(f"replica {address} passes", flush=True)
    except CheckError as failure:
        print(f"the smoke test failed: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
