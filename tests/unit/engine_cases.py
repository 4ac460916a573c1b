"""Engine arguments for vLLM's verdict: changes to a valid stack, each with an inline architecture (as `describe-model` prints it).

`tests/engine_arguments.py` turns them into questions; the pinned vLLM's answers are in `tests/data/engine_verdicts.json`, and
`test_engine_verdicts.py` compares the plan with them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.unit.wrong_models import MODEL

ENGINE = f"{MODEL}.engine"
# Parts of config.json beside the keys of `architecture`.
LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "torch_dtype": "bfloat16",
    "hidden_size": 1024,
    "num_hidden_layers": 4,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "intermediate_size": 4096,
    "vocab_size": 32000,
    "max_position_embeddings": 8192,
}
GEMMA2 = LLAMA | {"architectures": ["Gemma2ForCausalLM"], "model_type": "gemma2", "head_dim": 64, "sliding_window": 4096}
GPT2 = LLAMA | {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_positions": 8192, "n_embd": 1024, "n_layer": 4, "n_head": 16}
ROBERTA = LLAMA | {
    "architectures": ["XLMRobertaModel"],
    "model_type": "xlm-roberta",
    "pad_token_id": 1,
    "position_embedding_type": "absolute",
    "max_position_embeddings": 8194,
}
MIXTRAL = LLAMA | {
    "architectures": ["MixtralForCausalLM"],
    "model_type": "mixtral",
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
}
YARN = LLAMA | {"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 2048}}
FP8 = {"quantization_config": {"quant_method": "fp8", "activation_scheme": "dynamic"}}
AWQ = {"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"}}


@dataclass(frozen=True)
class Case:
    """`config`: the model's config.json. `machine`: the pool's. `later`: what fails only after vLLM's configuration is created."""

    engine: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=lambda: LLAMA)
    machine: str = "g2-standard-12"
    later: str = ""


def _args(*arguments: str) -> dict[str, Any]:
    return {"extraArgs": list(arguments)}


H100, A100, T4 = "a3-highgpu-8g", "a2-highgpu-1g", "n1-standard-8"
CASES = {
    "plain": Case(),
    "plain on eight H100": Case(more={"parallelism": {"tensor": 8}}, machine=H100),
    "sequences above tokens": Case({"maxNumSeqs": 512, "maxNumBatchedTokens": 256}),
    "tokens below vLLM's default of sequences": Case({"maxNumBatchedTokens": 128}),
    "tokens below it on an H100": Case({"maxNumBatchedTokens": 512}, machine=H100),
    "sequences above vLLM's default of tokens": Case({"maxNumSeqs": 2100}),
    "length beyond the positions": Case({"maxModelLen": 8193}),
    "yarn does not multiply": Case({"maxModelLen": 8193}, config=YARN),
    "yarn within its positions": Case({"maxModelLen": 8192}, config=YARN),
    "no chunked prefill, default tokens": Case(_args("--no-enable-chunked-prefill")),
    "no chunked prefill, few tokens": Case({"maxNumBatchedTokens": 4096} | _args("--no-enable-chunked-prefill")),
    "encoder": Case(config=ROBERTA),
    "encoder, few tokens": Case({"maxNumBatchedTokens": 2048}, config=ROBERTA),
    "encoder that is to write": Case(_args("--runner=generate"), config=ROBERTA),
    "more active sequences than sequences": Case(_args("--max-num-active-seqs=300")),
    "long prefill threshold": Case(_args("--long-prefill-token-threshold=9000")),
    "KV cache in float16": Case({"kvCacheDtype": "float16"}),
    "KV cache in bfloat16": Case({"kvCacheDtype": "bfloat16"}),
    "KV cache in bfloat16 of float16": Case({"kvCacheDtype": "bfloat16", "dtype": "float16"}),
    "KV cache in float16 on a T4": Case({"kvCacheDtype": "float16"}, machine=T4),
    "bfloat16 on a T4": Case({"dtype": "bfloat16"}, machine=T4, later="the worker (check_if_supports_dtype)"),
    "Gemma 2": Case(config=GEMMA2),
    "Gemma 2 in float16": Case({"dtype": "float16"}, config=GEMMA2),
    "Gemma 2 on a T4": Case(config=GEMMA2, machine=T4, later="nothing, but it runs in float32, which nobody asked for and nobody counts"),
    "Gemma 2 on a T4 in float32": Case({"dtype": "float32"}, config=GEMMA2, machine=T4),
    "FP8 weights": Case(config=LLAMA | FP8),
    "FP8 weights in float32": Case({"dtype": "float32"}, config=LLAMA | FP8),
    "AWQ weights": Case(config=LLAMA | AWQ),
    "AWQ weights as FP8": Case(_args("--quantization=fp8"), config=LLAMA | AWQ),
    "AWQ weights by Marlin": Case(_args("--quantization=awq_marlin"), config=LLAMA | AWQ),
    "AWQ of plain weights": Case(_args("--quantization=awq")),
    "fp8 while loading": Case(_args("--quantization=fp8")),
    "fp8 in blocks while loading": Case(_args("--quantization=fp8_per_block")),
    "bitsandbytes": Case(_args("--quantization=bitsandbytes")),
    "deprecated method": Case(config=LLAMA | {"quantization_config": {"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0}}),
    "heads that do not divide": Case(more={"parallelism": {"tensor": 3}}, machine=H100),
    "expert parallel of a dense model": Case(more={"parallelism": {"tensor": 2, "expert": True}}, machine=H100),
    "expert parallel of experts": Case(more={"parallelism": {"tensor": 2, "expert": True}}, config=MIXTRAL, machine=H100),
    "experts balanced": Case(_args("--enable-eplb"), {"parallelism": {"tensor": 2, "expert": True}}, MIXTRAL, H100),
    "experts balanced without expert parallel": Case(_args("--enable-eplb"), {"parallelism": {"tensor": 2}}, MIXTRAL, H100),
    "experts balanced on one GPU": Case(_args("--enable-eplb"), {"parallelism": {"expert": True}}, MIXTRAL, H100),
    "pipeline": Case(more={"parallelism": {"pipeline": 2}}, machine=H100),
    "adapters": Case(more={"loraAdapters": {"sql": {"source": "acme/sql", "revision": "0" * 40}}}),
    "adapters of GPT-2": Case(more={"loraAdapters": {"sql": {"source": "acme/sql", "revision": "0" * 40}}}, config=GPT2),
    "JSON that is none": Case(_args("--compilation-config={bad")),
    "key that does not exist": Case(_args("--compilation-config.modee=3")),
    "key": Case(_args("--compilation-config.mode=3")),
    "flag that does not exist": Case(_args("--no-enable-cascade-attn")),
    "attention backend twice": Case(_args("--attention-backend=FLASHINFER", "--attention-config.backend=FLASH_ATTN")),
    "outputs in the log alone": Case(_args("--enable-log-outputs")),
    "outputs in the log with requests": Case(_args("--enable-log-outputs", "--enable-log-requests")),
    "weights outside the GPU": Case(_args("--cpu-offload-gb=0.2")),
    "KV cache outside the GPU": Case(_args("--kv-offloading-size=4")),
    "KV cache of a fixed size": Case(_args("--kv-cache-memory-bytes=2G")),
    "KV cache size with a fraction of K": Case(_args("--kv-cache-memory-bytes=1.5K")),
    "blocks": Case(_args("--block-size=64")),
    "metrics of a draft that is not there": Case(_args("--per-request-spec-decode-metrics=summary")),
    "Mamba algorithm of another backend": Case(_args("--mamba-ssu-algorithm=simple")),
    "rounding without its type": Case(_args("--enable-mamba-cache-stochastic-rounding")),
    "worker class that is not there": Case(_args("--worker-cls=acme.Worker"), later="the worker, which imports it"),
}
