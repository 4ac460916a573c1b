"""The lines that a demonstration prints work as they are pasted into a shell."""

import json
import sys

import pytest

from tests.model_servers import one_server
from tests.pasted import needs_curl, pasted
from tools.demo import client_lines

MODEL, KEY = "it's a $MODEL", 'key-"$HOME"-`id`'


@pytest.fixture
def server():
    with one_server(served_model_name=(MODEL,)) as (server, _):
        yield server


def arrived(server):
    received = server.received[-1]
    return received.headers["Authorization"], json.loads(received.body)["model"]


@needs_curl
def test_curl_shows_the_answer_or_its_stream(server):
    assert json.loads(pasted(client_lines.curl(f"{server.url}/v1", KEY, MODEL)))["model"] == MODEL
    assert arrived(server) == (f"Bearer {KEY}", MODEL)
    assert pasted(client_lines.curl(f"{server.url}/v1", KEY, MODEL, stream=True)).endswith("data: [DONE]\n\n")


def test_the_openai_client_prints_the_text_of_the_answer(server):
    line = client_lines.openai_client(f"{server.url}/v1", KEY, MODEL, python=sys.executable)
    assert pasted(line).startswith(f"{server.settings.replica} read ")
    assert arrived(server) == (f"Bearer {KEY}", MODEL)
