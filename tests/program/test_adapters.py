"""LoRA adapters of a model: downloaded beside it, served under their names, and counted in its memory."""

from __future__ import annotations

import json

from planning.plan import make_plan
from tests.stacks import REVISION, settings, stack
from tools.preview import offline
from tools.preview.manifests import manifests

ADAPTERS = {
    "models.qwen3-8b.engine.maxModelLen": 4096,
    "models.qwen3-8b.loraAdapters": {
        "sql": {"source": "acme/sql-lora", "revision": REVISION, "rank": 16},
        "legal": {"source": "acme/legal-lora", "revision": REVISION, "rank": 32},
    },
}


def test_adapters_are_downloaded_and_served_under_their_names():
    objects = manifests(offline.run(stack(ADAPTERS), "test"))
    pod = next(one for one in objects if one["metadata"]["name"] == "qwen3-8b-floor" and one["kind"] == "Deployment")
    spec = pod["spec"]["template"]["spec"]
    fetched = {container["command"][-1]: container["args"] for container in spec["initContainers"]}
    assert fetched.keys() == {"Qwen/Qwen3-8B", "acme/sql-lora", "acme/legal-lora"}
    folder = next(argument.partition("=")[2] for argument in fetched["acme/sql-lora"] if argument.startswith("--local-dir="))
    arguments = spec["containers"][0]["args"]
    modules = arguments[arguments.index("--lora-modules") + 1 :]
    assert f"sql={folder}" in modules
    assert {"--enable-lora", "--max-loras=2", "--max-lora-rank=32"} <= set(arguments)


def test_the_gateway_routes_adapters_to_their_model():
    objects = manifests(offline.run(stack(ADAPTERS), "test"))
    routes = next(one for one in objects if one["metadata"]["name"] == "gateway-models")["stringData"]["models.json"]
    for name in ("qwen3-8b", "sql", "legal"):
        assert json.dumps(name) in routes


def test_adapters_take_memory_by_number_and_rank():
    plain = make_plan(settings({"models.qwen3-8b.engine.maxModelLen": 4096})).models["qwen3-8b"].memory
    adapted = make_plan(settings(ADAPTERS)).models["qwen3-8b"].memory
    # Qwen3-8B: 36 layers of q and o (4096 + 4096 each), k and v (4096 + 1024 each), gate, up and down (4096 + 12288 each).
    widths = 36 * (2 * 8192 + 2 * 5120 + 3 * 16384)
    assert round(adapted.adapters * 1024**3) == 2 * 32 * widths * 2
    assert adapted.kv_cache == plain.kv_cache - adapted.adapters
