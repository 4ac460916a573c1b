"""`make demo`: a stack's request path on this machine, from a client's key through the gateway to a model server.

A real Envoy with the stack's own gateway configuration, in front of stand-ins for its model servers or of vLLM for CPU. The stack's API
keys are secret, so every client gets a key generated for the run. With METRICS=1, Prometheus scrapes it under a generated load, and a page
shows the dashboards. Ctrl-C ends the demo and removes its processes and files.

Exit codes: 0 interrupted, 1 failed while running, 2 could not start; the reason is printed.
"""

from __future__ import annotations

import argparse
import contextlib
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from components.gateway.envoy.clusters import Backend
from components.gateway.envoy.routes import ModelRoute
from config.errors import StackError
from config.settings import Settings
from config.stack_config import load_stack_file
from planning.gateway import GatewayPlan
from planning.plan import Plan, make_plan
from tools.demo import client_lines
from tools.demo.local_gateway import NO_ENVOY, LocalGateway, envoy_binary
from tools.demo.metrics.prometheus import NO_PROMETHEUS
from tools.demo.models import HOST, Served, stand_ins, vllm
from tools.stacks import print_problems, stack_file

NO_GATEWAY = "has no gateway; give it a section, `vllm-platform:gateway: {authentication: none}` is enough"
_PORTS_TRIED = 100


@dataclass(frozen=True)
class Stack:
    settings: Settings
    plan: Plan
    gateway: GatewayPlan


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo", description="Run a stack's gateway on this machine until Ctrl-C.")
    parser.add_argument("stack", help="name of the stack: Pulumi.<stack>.yaml")
    parser.add_argument("--port", type=int, default=8080, help="port of the gateway; if it is taken, the next free one")
    parser.add_argument("--models", choices=["stand-in", "vllm"], default="stand-in", help="what answers")
    parser.add_argument("--metrics", action="store_true", help="generate load, scrape it with Prometheus and show the dashboards")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        settings = load_stack_file(stack_file(arguments.stack))
        plan = make_plan(settings)
        if plan.gateway is None:
            return _refuse(console, f"Stack {arguments.stack} {NO_GATEWAY}")
        if envoy_binary() is None:
            return _refuse(console, NO_ENVOY)
        if arguments.metrics and shutil.which("prometheus") is None:
            return _refuse(console, NO_PROMETHEUS)
        with (vllm if arguments.models == "vllm" else stand_ins)(plan) as served:
            _serve(console, Stack(settings, plan, plan.gateway), served, arguments.port, metrics=arguments.metrics)
    except StackError as error:
        print_problems(console, f"Stack {arguments.stack} cannot work", error.problems, "red")
        return 2
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 1


def _refuse(console: Console, why: str) -> int:
    console.print(why, style="red", markup=False, soft_wrap=True)
    return 2


def _serve(console: Console, stack: Stack, served: Mapping[str, Served], wanted: int, *, metrics: bool) -> None:
    """Until it is interrupted.

    Raises:
        RuntimeError: Envoy or Prometheus did not start, or Envoy has ended.
    """
    gateway = stack.gateway
    routes = [ModelRoute(model, [Backend(model.colour, served[name].addresses)]) for name, model in gateway.models.items()]
    keys = {client: secrets.token_hex(24) for client in gateway.clients}
    port = _free_port_from(wanted)
    log_line = _not_printed if metrics else _print_now
    with LocalGateway(gateway, routes, keys, port=port, log_line=log_line) as envoy, contextlib.ExitStack() as also:
        try:
            if port != wanted:
                console.print(f"Port {wanted} is taken; this is on {port}.", style="yellow")
            console.print(_models(gateway, served), _clients(gateway, keys))
            if gateway.budgets:
                console.print(
                    "Clients' budgets of tokens and dollars are not counted here: there is no rate limit service.", style="yellow"
                )
            _print_now("\n".join(_examples(gateway, keys, f"{envoy.url}/v1")))
            if metrics:
                page = also.enter_context(_watched(stack, served, envoy))
                _print_now(f"\nAll clients ask all the time, so the audit log is not shown. The dashboards: {page}")
            _print_now(f"\n{'' if metrics else 'The audit log follows, a line a request. '}Ctrl-C ends it.")
            envoy.process.wait()
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not interrupt the clean-up
        raise RuntimeError(f"Envoy has ended:\n{envoy.log[-4000:]}")


@contextlib.contextmanager
def _watched(stack: Stack, served: Mapping[str, Served], envoy: LocalGateway) -> Generator[str]:
    """Runs Prometheus, a load generator and a page of the dashboards; yields the page's address."""
    from components.observability.dashboards.stack import dashboards
    from tools.demo.metrics.load import load
    from tools.demo.metrics.page import page  # imports matplotlib, which takes long
    from tools.demo.metrics.scraped import watching

    with (
        watching(stack.settings, stack.plan, served, envoy.operations_port) as prometheus,
        load(stack.gateway, envoy.keys, f"{envoy.url}/v1"),
        page(dashboards(stack.settings, stack.plan), list(stack.plan.models), prometheus) as address,
    ):
        yield address


def _not_printed(line: str) -> None:
    """Drops a line of the audit log."""


def _print_now(line: str) -> None:
    print(line.rstrip("\n"), flush=True)


def _free_port_from(wanted: int) -> int:
    """The first free port from `wanted`. Envoy itself would share (SO_REUSEPORT) the port of another Envoy.

    Raises:
        RuntimeError: none is free.
    """
    for port in range(wanted, min(wanted + _PORTS_TRIED, 2**16)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"ports {wanted} to {wanted + _PORTS_TRIED - 1} are taken; give another with PORT=")


def _models(gateway: GatewayPlan, served: Mapping[str, Served]) -> Table:
    table = Table(title="Models", title_justify="left")
    for heading in ("requests name it", "context", "in flight at most", "replicas"):
        table.add_column(heading)
    for name, model in gateway.models.items():
        where = " ".join(f"{host}:{port}" for host, port in served[name].addresses)
        table.add_row(" or ".join(model.names), f"{served[name].max_model_len:,}", f"{model.max_requests:,}", where)
    return table


def _clients(gateway: GatewayPlan, keys: Mapping[str, str]) -> Table:
    table = Table(title="Clients", title_justify="left")
    for heading in ("client", "key, for this run", "models", "a minute", "in flight"):
        table.add_column(heading)
    for name, client in gateway.clients.items():
        key = keys[name] if gateway.settings.authentication == "api-key" else "none is needed"
        models = "all" if set(client.models) == set(gateway.models) else " ".join(client.models)
        table.add_row(name, key, models, f"{client.requests_per_minute or 'no limit'}", f"{client.concurrent_requests or 'no limit'}")
    return table


def _examples(gateway: GatewayPlan, keys: Mapping[str, str], base_url: str) -> Iterator[str]:
    """Command lines for each client, each with a different model of that client."""
    for index, (name, client) in enumerate(gateway.clients.items()):
        model = gateway.models[client.models[index % len(client.models)]].names[0]
        yield f"\n# {name}: {model} by curl, streamed, and by OpenAI's client"
        yield client_lines.curl(base_url, keys[name], model)
        yield client_lines.curl(base_url, keys[name], model, stream=True)
        yield client_lines.openai_client(base_url, keys[name], model, python=sys.executable)


if __name__ == "__main__":
    sys.exit(main())
