"""Settings of a stand-in server, and the faults that it can simulate. Names as in `vllm serve` if it has them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServerSettings:
    """Settings of one replica. As in vLLM, responses name the first `served_model_name`, whichever of them the request has."""

    served_model_name: tuple[str, ...]
    replica: str = "replica-0"
    lora_modules: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 0  # 0: a free one

    seconds_to_first_token: float = 0.0
    seconds_per_token: float = 0.0
    answer_tokens: int = 16  # unless the request has a lower limit, or `ignore_eos`

    max_model_len: int = 16_384  # tokens
    max_num_seqs: int = 256  # requests that run at once; the others wait
    max_num_queued_reqs: int | None = None  # running and waiting requests; above it 503
    enable_force_include_usage: bool = False
    enable_auto_tool_choice: bool = False  # and a parser; without them a request with tools is refused
    multimodal: bool = False  # takes images
    embeds: bool = True  # besides generating, which no model of vLLM's does; False: as one that only generates
    vocab_size: int = 151_936
    tokens_per_chunk: int = 1  # of a stream: vLLM puts into a chunk what is there when it writes

    recorded_requests: int = 20_000  # the newest ones are kept; 0 for benchmarks


@dataclass(frozen=True)
class Faults:
    """Faults of a replica; by default none."""

    busy: bool = False  # 503, as over --max-num-queued-reqs
    hang: bool = False  # accepts and never answers
    on_health: bool = False  # /health fails or hangs as well
    draining: bool = False  # as after SIGTERM with --shutdown-timeout: /health stays 200, new requests get 500
    die_after_tokens: int | None = None  # resets the connection after so many tokens; 0: after the headers of a stream
    silent_after_tokens: int | None = None  # keeps the connection open without sending, as a stream that outlasts --shutdown-timeout
    malformed_stream: bool = False  # after the first token sends bytes that are neither a server-sent event nor UTF-8
    seconds_to_first_token: float | None = None
    seconds_per_token: float | None = None


HEALTHY = Faults()
