"""Runs one stand-in until it is interrupted: `python -m tools.demo.model_server --name qwen3-8b --port 8000`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal

from tools.demo.model_server import ModelServer, ServerSettings


def settings() -> ServerSettings:
    default = ServerSettings(served_model_name=())
    parser = argparse.ArgumentParser(prog="model_server", formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--name", nargs="+", required=True, help="names it serves; it answers by the first")
    parser.add_argument("--lora", nargs="*", default=[], help="names of LoRA adapters")
    parser.add_argument("--replica", default=default.replica, help="what it calls itself in x-replica and system_fingerprint")
    parser.add_argument("--host", default=default.host)
    parser.add_argument("--port", type=int, default=default.port, help="0: a free one")
    parser.add_argument("--seconds-to-first-token", type=float, default=default.seconds_to_first_token)
    parser.add_argument("--seconds-per-token", type=float, default=default.seconds_per_token)
    parser.add_argument("--answer-tokens", type=int, default=default.answer_tokens)
    parser.add_argument("--max-model-len", type=int, default=default.max_model_len)
    parser.add_argument("--max-num-seqs", type=int, default=default.max_num_seqs)
    parser.add_argument("--max-num-queued-reqs", type=int, default=default.max_num_queued_reqs)
    parser.add_argument("--enable-force-include-usage", action="store_true")
    arguments = vars(parser.parse_args())
    names, adapters = tuple(arguments.pop("name")), tuple(arguments.pop("lora"))
    return ServerSettings(served_model_name=names, lora_modules=adapters, recorded_requests=0, **arguments)


async def serve(chosen: ServerSettings) -> None:
    """Until SIGINT or SIGTERM."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows knows no handlers
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with ModelServer(chosen) as server:
        print(f"{chosen.served_model_name[0]} at {server.url}/v1", flush=True)
        await ended.wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(settings()))
