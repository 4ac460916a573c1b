"""Stand-in model servers for tests: a server, an OpenAI client, and the server's metrics."""

import contextlib
import json
import time
import urllib.error
import urllib.request

import openai
from prometheus_client.parser import text_string_to_metric_families

from tools.demo.model_server import ServerSettings, fleet

HELLO = [{"role": "user", "content": "A secret that no answer repeats."}]
DEADLINE_SECONDS = 20


@contextlib.contextmanager
def one_server(served_model_name=("qwen3-8b", "chat"), replica="qwen3-8b-0", **settings):
    with fleet([ServerSettings(served_model_name, replica, **settings)]) as servers:
        yield servers[0], servers


@contextlib.contextmanager
def client_of(server, timeout=DEADLINE_SECONDS):
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="unused", max_retries=0, timeout=timeout) as client:
        yield client


def get(server, path):
    with urllib.request.urlopen(server.url + path, timeout=DEADLINE_SECONDS) as answer:
        return answer.read()


def counted(server, sample, **labels):
    """The value of a sample of /metrics."""
    for family in text_string_to_metric_families(get(server, "/metrics").decode()):
        for found in family.samples:
            if found.name == sample and labels.items() <= found.labels.items():
                return found.value
    raise AssertionError(f"{sample} {labels} is not exposed")


def post(server, path, body, content_type="application/json"):
    """Status and JSON of the answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(server.url + path, data=data, headers={"Content-Type": content_type})
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def wait_for(condition, seconds=DEADLINE_SECONDS):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)
