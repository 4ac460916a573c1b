"""Lines for a terminal that talk to an OpenAI-compatible address, and work as pasted."""

from __future__ import annotations

import json
import shlex

QUESTION = "What is a gateway for?"


def curl(base_url: str, key: str, model: str, *, stream: bool = False) -> str:
    """A chat by curl; `base_url` ends in /v1. Streamed, tokens show as they come."""
    body = {"model": model, "messages": [{"role": "user", "content": QUESTION}]} | ({"stream": True} if stream else {})
    headers = [f"Authorization: Bearer {key}", "Content-Type: application/json"]
    command = ["curl", "-sN" if stream else "-s", f"{base_url}/chat/completions"]
    return shlex.join([*command, *(word for header in headers for word in ("-H", header)), "-d", json.dumps(body)])


def openai_client(base_url: str, key: str, model: str, *, python: str = "python3") -> str:
    """The same by OpenAI's client; `python` is an interpreter that has it."""
    program = (
        f"import openai; client = openai.OpenAI(base_url={base_url!r}, api_key={key!r}); "
        f"print(client.chat.completions.create(model={model!r}, messages=[{{'role': 'user', 'content': {QUESTION!r}}}])"
        ".choices[0].message.content)"
    )
    return shlex.join([python, "-c", program])
