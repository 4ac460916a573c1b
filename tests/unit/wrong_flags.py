"""Wrong stacks whose problem is an entry of `extraArgs`."""

from __future__ import annotations

from typing import Any

from tests.unit.wrong_models import MODEL

FIRST = f"{MODEL}.engine.extraArgs[0]"
SECOND = f"{MODEL}.engine.extraArgs[1]"


def _given(*arguments: str) -> dict[str, Any]:
    return {f"{MODEL}.engine.extraArgs": list(arguments)}


# Refused flags: words of the reason, words of the fix.
_REFUSED = {
    "--data-parallel-size=4": ("set by this program", "parallelism.data"),
    "--max_model_len=4096": ("set by this program", "engine.maxModelLen"),
    "-tp=2": ("set by this program", "parallelism.tensor"),
    "--data-parallel-rank=1": ("lives on one node", "parallelism.data"),
    "--data-parallel-size-local=1": ("lives on one node", "parallelism.data"),
    "--node-rank=1": ("lives on one node", "parallelism"),
    "--master-addr=10.0.0.1": ("lives on one node", "parallelism"),
    "--headless": ("lives on one node", "parallelism"),
    "--prefill-context-parallel-size=2": ("context parallelism", "parallelism.tensor"),
    "--decode-context-parallel-size=2": ("context parallelism", "parallelism.tensor"),
    "--device-ids=0,1": ("gives a pod its GPUs", "remove"),
    "--grpc": ("plain HTTP", "gateway serves TLS"),
    "--grpc-port=50051": ("plain HTTP", "gateway serves TLS"),
    "--ssl-certfile=/tls/tls.crt": ("plain HTTP", "gateway serves TLS"),
    "--root-path=/llm": ("port and paths", "remove"),
    "--uds=/tmp/socket": ("port and paths", "remove"),
    "--tokenizer=acme/tokenizer": ("works offline", "model's own repository"),
    "--hf-config-path=acme/config": ("works offline", "model's own repository"),
    "--code-revision=main": ("one revision", "use revision"),
    "--speculative-config={}": ("set by this program", "engine.speculative"),
    "--spec-model=acme/draft": ("set by this program", "engine.speculative"),
    "--chat-template=/etc/x.jinja": ("set by this program", "engine.chatTemplate"),
    "--enable-auto-tool-choice": ("set by this program", "engine.toolCallParser"),
    "--tool-call-parser=nope": ("set by this program", "engine.toolCallParser"),
    "--reasoning-parser=nope": ("set by this program", "engine.reasoningParser"),
    "--hf-overrides={}": ("planning cannot see", "architecture"),
    "--disable-sliding-window": ("planning cannot see", "architecture"),
    "--num-gpu-blocks-override=100": ("KV cache", "--kv-cache-memory-bytes"),
    "--kv-cache-dtype-skip-layers=0": ("KV cache", "remove"),
    "--disable-hybrid-kv-cache-manager": ("KV cache", "remove"),
    "--offload-group-size=2": ("--cpu-offload-gb alone", "use --cpu-offload-gb"),
    "--quantization-config={}": ("which layers", "--quantization"),
    "--kv-transfer-config={}": ("NetworkPolicy", "remove"),
    "--kv-transfer-config.kv_connector=NixlConnector": ("NetworkPolicy", "remove"),
    "--otlp-traces-endpoint=http://otel:4317": ("set by this program", "platform.tracing"),
    "--collect-detailed-traces=all": ("may slow every request", "platform.tracing"),
    '--logging-config={"formatter": "json"}': ("set by this program", "platform.logFormat"),
    "--logging-config.formatter=json": ("set by this program", "platform.logFormat"),
    "--disable-log-stats": ("metrics", "remove"),
    "--allowed-local-media-path=/": ("clients could read", "remove"),
    "--numa-bind": ("privilege", "remove"),
    "--tokens-only": ("text", "remove"),
    "--disable-access-log-for-endpoints=/v1": ("log", "remove"),
    "--enable-elastic-ep": ("more GPUs than the plan", "scaling.ceiling"),
    "--mm-encoder-only": ("does all of the work", "remove"),
    "--quantization=bitsandbytes": ("bitsandbytes and gguf have left it", "fp8"),
    "--quantization=gguf": ("bitsandbytes and gguf have left it", "fp8"),
    "--load-format=dummy": ("no weights at all", "mistral"),
    "--load-format=tensorizer": ("not in the image", "safetensors"),
    "--generation-config=/etc/generation": ("a folder is not in the pod", "vllm"),
    "--runner=draft": ("another one's engine", "pooling"),
    "--distributed-executor-backend=ray": ("processes of the pod", "mp"),
    "--kv-offloading-backend=lmcache": ("no LMCache", "native"),
    "--mm-processor-cache-type=shm": ("/dev/shm", "lru"),
    "--mm-processor-device=cuda": ("not count", "cpu"),
    "--compilation-config={bad": ("cannot be '{bad'", "mapping in JSON"),
    "--compilation-config=[3]": ("cannot be '[3]'", "mapping in JSON"),
    "--compilation-config.modee=3": ("no key 'modee'", "'mode'"),
    '--compilation-config={"modee": 3}': ("no key 'modee'", "'mode'"),
    "--compilation-config.mode": ("needs a value", "mode=<value>"),
    "--override-generation-config=temperature": ("cannot be 'temperature'", "JSON"),
    "--limit-mm-per-prompt={image: 1}": ("cannot be '{image: 1}'", "JSON"),
    "--additional-config={bad": ("cannot be '{bad'", "JSON"),
    "--limit-mm-per-prompt=5": ("cannot be '5'", "JSON"),
    "--cpu-offload-gb=-1": ("cannot be '-1'", "at least 0"),
    "--cpu-offload-gb=inf": ("cannot be 'inf'", "a number"),
    "--kv-offloading-size=nan": ("cannot be 'nan'", "a number"),
    "--kv-cache-memory-bytes=" + "9" * 400: ("--kv-cache-memory-bytes cannot be", "an integer"),
    "--api-server-count=0": ("cannot be '0'", "at least 1"),
    "--seed=abc": ("cannot be 'abc'", "integer"),
    "--seed.x=3": ("has no keys", "--seed=<value>"),
    "--watermark=low": ("cannot be 'low'", "number"),
    "--no-enable-cascade-attn": ("no flag --no-enable-cascade-attn", "--"),
    "--scheduling-policy=priorities": ("cannot be 'priorities'", "'priority'"),
    "--middleware=acme.Auth": ("not in vLLM's image", "image"),
    "--worker-cls=acme.Worker": ("not in vLLM's image", "image"),
    "--tool-parser-plugin=/opt/parser.py": ("not in vLLM's image", "image"),
    "--log-config-file=/etc/log.json": ("not in vLLM's image", "image"),
    "--enable-log-outputs": ("vLLM refuses one without the other", "--enable-log-requests"),
    "--enable-eplb": ("balances experts", "parallelism.expert"),
    "--per-request-spec-decode-metrics=summary": ("nothing to measure", "engine.speculative"),
    "--mamba-ssu-algorithm=simple": ("only that backend", "--mamba-backend=flashinfer"),
}

# name: (changes to a stack that works, path of the problem, words of the reason, words of the fix)
WRONG = {argument: (_given(argument), FIRST, reason, fix) for argument, (reason, fix) in _REFUSED.items()} | {
    "flag given twice": (_given("--seed=1", "--seed=2"), SECOND, "given twice", "remove one"),
    "flag with its opposite": (
        _given("--enable-chunked-prefill", "--no-enable-chunked-prefill"),
        SECOND,
        "with its opposite",
        "remove one",
    ),
    "flag with the other spelling of its opposite": (
        _given("--disable-custom-all-reduce", "--enable-custom-all-reduce"),
        SECOND,
        "with its opposite",
        "remove one",
    ),
    "JSON beside a key of it": (
        _given('--compilation-config={"mode": 3}', "--compilation-config.cudagraph_mode=NONE"),
        SECOND,
        "given twice",
        "remove one",
    ),
    "key given twice": (_given("--compilation-config.mode=3", "--compilation-config.mode=0"), SECOND, "given twice", "remove one"),
    "flag beside the key that says the same": (
        _given("--attention-backend=FLASHINFER", "--attention-config.backend=FLASH_ATTN"),
        SECOND,
        "say the same thing",
        "remove one",
    ),
    "JSON that says the same as a flag": (
        _given('--compilation-config={"max_cudagraph_capture_size": 64}', "--max-cudagraph-capture-size=64"),
        SECOND,
        "say the same thing",
        "remove one",
    ),
    "load format of weights that are streamed": (
        _given("--load-format=safetensors") | {f"{MODEL}.weights": {"uri": "gs://bucket/model"}},
        FIRST,
        "--load-format=runai_streamer",
        "remove it",
    ),
}
