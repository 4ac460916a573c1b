"""`make pictures`: draws the pictures of the documentation from a watched demonstration of the stack `prod` under load.

Exit codes: 0 drawn, 1 it broke; why is printed.
"""

from __future__ import annotations

import argparse
import io
import secrets
import sys
import time
from pathlib import Path

from PIL import Image

from components.gateway.envoy.clusters import Backend
from components.gateway.envoy.routes import ModelRoute
from components.observability.dashboards.panels import MODEL_DASHBOARD
from components.observability.dashboards.stack import dashboards
from config.stack_config import load_stack_file
from planning.plan import make_plan
from tools.demo.local_gateway import LocalGateway
from tools.demo.metrics.drawing import drawn
from tools.demo.metrics.load import load
from tools.demo.metrics.scraped import watching
from tools.demo.models import stand_ins
from tools.stacks import ROOT, stack_file

STACK, MODEL = "prod", "qwen3-8b"
FOLDER = ROOT / "docs" / "images"
_COLOURS = 256
# Dashboard and headings of the rows that are shown, by the picture's name.
PICTURES: dict[str, tuple[str, tuple[str, ...]]] = {
    "overview": ("vllm-overview", ("Now", "Traffic", "Latency")),
    "overview-saturation": ("vllm-overview", ("Errors", "Saturation", "Cost")),
    "model": (MODEL_DASHBOARD, ("Now", "What users see", "Objectives", "Requests")),
    "model-engines": (MODEL_DASHBOARD, ("Engines", "Replicas: floor, burst and colours")),
    "gateway": ("vllm-gateway", ("Now", "Clients", "Answers")),
    "gpu": ("vllm-gpu", ("Now", "Use", "Paid for")),
    "cost": ("vllm-cost", ("Now", "Models", "Pools")),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="pictures", description=f"Draw {FOLDER.relative_to(ROOT)} from a watched demonstration.")
    parser.add_argument("--seconds", type=int, default=420, help="of load, which the pictures show")
    seconds = parser.parse_args().seconds
    settings = load_stack_file(stack_file(STACK))
    plan = make_plan(settings)
    gateway = plan.gateway
    if gateway is None:
        raise SystemExit(f"Stack {STACK} has no gateway.")
    keys = {client: secrets.token_hex(24) for client in gateway.clients}
    with stand_ins(plan) as servers:
        routes = [ModelRoute(model, [Backend(model.colour, servers[name].addresses)]) for name, model in gateway.models.items()]
        with (
            LocalGateway(gateway, routes, keys, log_line=lambda _: None) as envoy,
            watching(settings, plan, servers, envoy.operations_port) as prometheus,
        ):
            with load(gateway, keys, f"{envoy.url}/v1"):
                print(f"Under load for {seconds} s...", flush=True)
                time.sleep(seconds)
                prometheus.until = time.time()
            made = dashboards(settings, plan)
            for name, (uid, rows) in PICTURES.items():
                chosen = {"model": MODEL} if uid == MODEL_DASHBOARD else {}
                _write(FOLDER / f"{name}.png", drawn(made[uid], prometheus, seconds, chosen, rows))
    return 0


def _write(file: Path, content: bytes) -> None:
    """With a palette, which halves it."""
    file.parent.mkdir(exist_ok=True)
    Image.open(io.BytesIO(content)).convert("RGB").quantize(_COLOURS).save(file, optimize=True)
    print(f"{file.relative_to(ROOT)}: {file.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
