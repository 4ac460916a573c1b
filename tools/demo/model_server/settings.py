"""What a stand-in server is like, and what can go wrong with it while it runs. Names as in `vllm serve`, where it has them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServerSettings:
    """One replica. Its answers name the first of `served_model_name`, whichever of them a request names, as vLLM's do."""

    served_model_name: tuple[str, ...]
    replica: str = "replica-0"
    lora_modules: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 0  # 0: a free one

    seconds_to_first_token: float = 0.0
    seconds_per_token: float = 0.0
    answer_tokens: int = 16  # unless a request's limit is lower, or it says `ignore_eos`

    max_model_len: int = 16_384  # tokens
    max_num_seqs: int = 256  # requests that run at once; the rest waits
    max_num_queued_reqs: int | None = None  # running and waiting together; over it 503
    enable_force_include_usage: bool = False

    recorded_requests: int = 20_000  # the newest ones are kept; 0 for benchmarks


@dataclass(frozen=True)
class Faults:
    """What is wrong with a replica; the default is nothing."""

    busy: bool = False  # 503, as over --max-num-queued-reqs
    hang: bool = False  # accepts and never answers
    on_health: bool = False  # /health fails or hangs as well
    draining: bool = False  # as after SIGTERM with --shutdown-timeout: /health stays 200, new requests get 500
    die_after_tokens: int | None = None  # the connection is reset after so many tokens; 0: after the headers of a stream
    silent_after_tokens: int | None = None  # says nothing more and keeps the connection, as a stream that outlasts --shutdown-timeout
    malformed_stream: bool = False  # what follows the first token is no server-sent event, nor UTF-8
    seconds_to_first_token: float | None = None
    seconds_per_token: float | None = None


HEALTHY = Faults()
