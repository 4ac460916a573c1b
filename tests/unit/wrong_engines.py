"""Wrong stacks that fit the GPU, but that vLLM 0.33 refuses at start-up (or is OOM-killed)."""

from __future__ import annotations

from typing import Any

from tests.stacks import REVISION
from tests.unit.wrong_models import H100, LLAMA_70B, MODEL, T4

ENGINE = f"{MODEL}.engine"
FIRST = f"{ENGINE}.extraArgs[0]"
A100 = {"nodePools.l4.machineType": "a2-highgpu-1g"}
ON_H100 = {"nodePools.l4.machineType": "a3-highgpu-1g", "nodePools.l4.reservation": "h100"}
ADAPTER = {f"{MODEL}.loraAdapters": {"sql": {"source": "acme/sql", "revision": REVISION}}}
BGE_M3 = {
    f"{MODEL}.source": "BAAI/bge-m3",
    f"{ENGINE}.maxModelLen": None,
    f"{MODEL}.architecture": {
        "model_type": "xlm-roberta",
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "vocab_size": 250002,
        "max_position_embeddings": 8194,
    },
}
LLAMA = {
    "model_type": "llama",
    "hidden_size": 2048,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 8192,
    "vocab_size": 32000,
    "max_position_embeddings": 8192,
}


def inline(**changes: Any) -> dict[str, Any]:
    """A small inline architecture."""
    return {f"{MODEL}.source": "acme/small", f"{MODEL}.architecture": LLAMA | changes}


def quantized(method: str, **more: Any) -> dict[str, Any]:
    return inline(quantization_config={"quant_method": method, **more})


def _args(*arguments: str) -> dict[str, Any]:
    return {f"{ENGINE}.extraArgs": list(arguments)}


# name: (changes to a stack that works, path of the problem, words of the reason, words of the fix)
WRONG = {
    "more sequences than tokens": (
        {f"{ENGINE}.maxNumSeqs": 512, f"{ENGINE}.maxNumBatchedTokens": 256},
        f"{ENGINE}.maxNumSeqs",
        "512 sequences",
        "lower it to 256",
    ),
    "more sequences than blocks of states": (
        ON_H100 | {f"{MODEL}.source": "Qwen/Qwen3.5-27B", f"{ENGINE}.maxModelLen": 32768, f"{ENGINE}.maxNumSeqs": 1024},
        f"{ENGINE}.maxNumSeqs",
        "block of the state cache",
        "lower it to at most",
    ),
    "whole prompts in small steps": (
        {f"{ENGINE}.maxNumBatchedTokens": 4096} | _args("--no-enable-chunked-prefill"),
        f"{ENGINE}.maxNumBatchedTokens",
        "cannot hold a prompt of 8192",
        "raise it to 8192",
    ),
    "encoder with small steps": (
        BGE_M3 | {f"{ENGINE}.maxNumBatchedTokens": 2048},
        f"{ENGINE}.maxNumBatchedTokens",
        "cannot hold a prompt of 8192",
        "raise it to 8192",
    ),
    "encoder that is to write": (BGE_M3 | _args("--runner=generate"), FIRST, "generates no text", "--runner=pooling"),
    "encoder longer than its positions": (
        BGE_M3 | {f"{ENGINE}.maxModelLen": 8194},
        f"{ENGINE}.maxModelLen",
        "8192 positions",
        "at most 8192",
    ),
    "more active sequences than sequences": (_args("--max-num-active-seqs=300"), FIRST, "more than the 256", "lower it to 256"),
    "threshold beyond the longest prompt": (_args("--long-prefill-token-threshold=9000"), FIRST, "8192", "lower it to 8192"),
    "sampling shared out by one GPU": (_args("--enable-batch-sharded-sampling"), FIRST, "there is one", "parallelism.tensor"),
    "GGUF by the repository's name": (
        inline() | {f"{MODEL}.source": "acme/Small-7B-GGUF"},
        f"{MODEL}.source",
        "cannot load gguf weights",
        "FP8, AWQ or GPTQ",
    ),
    "bitsandbytes by the repository's name": (
        inline() | {f"{MODEL}.source": "acme/small-7b-bnb-4bit"},
        f"{MODEL}.source",
        "cannot load bitsandbytes weights",
        "FP8, AWQ or GPTQ",
    ),
    "blocks of a strange size": (_args("--block-size=20"), FIRST, "multiple of 16", "use 16"),
    "KV cache in float16 of a bfloat16 model": (
        {f"{ENGINE}.kvCacheDtype": "float16"},
        f"{ENGINE}.kvCacheDtype",
        "computes in bfloat16",
        "use auto or bfloat16",
    ),
    "KV cache in bfloat16 of a float16 model": (
        {f"{ENGINE}.kvCacheDtype": "bfloat16", f"{ENGINE}.dtype": "float16"},
        f"{ENGINE}.kvCacheDtype",
        "computes in float16",
        "use auto or float16",
    ),
    "fp8_e5m2 with an FP8 checkpoint": (
        ON_H100 | {f"{MODEL}.source": "Qwen/Qwen3-32B-FP8", f"{ENGINE}.kvCacheDtype": "fp8_e5m2"},
        f"{ENGINE}.kvCacheDtype",
        "does not go with an FP8 checkpoint",
        "use fp8",
    ),
    "fp8 cache of a model with sinks on Ampere": (
        A100 | {f"{MODEL}.source": "openai/gpt-oss-20b", f"{ENGINE}.kvCacheDtype": "fp8"},
        f"{ENGINE}.kvCacheDtype",
        "no attention kernel",
        "8.9",
    ),
    "Gemma in float16 on a new GPU": (
        H100 | inline(model_type="gemma2") | {f"{ENGINE}.dtype": "float16"},
        f"{ENGINE}.dtype",
        "overflows in float16",
        "bfloat16",
    ),
    "FP8 weights in float32": (
        ON_H100 | {f"{MODEL}.source": "Qwen/Qwen3-8B-FP8", f"{ENGINE}.dtype": "float32"},
        f"{ENGINE}.dtype",
        "not multiplied in float32",
        "auto",
    ),
    "mxfp4 weights in float16": (
        ON_H100 | {f"{MODEL}.source": "openai/gpt-oss-20b", f"{ENGINE}.dtype": "float16"},
        f"{ENGINE}.dtype",
        "bfloat16 only",
        "auto",
    ),
    "bitsandbytes checkpoint": (quantized("bitsandbytes", bits=4), f"{MODEL}.source", "cannot load bitsandbytes", "FP8"),
    "gguf checkpoint": (quantized("gguf"), f"{MODEL}.source", "cannot load gguf", "FP8"),
    "deprecated method": (
        quantized("fbgemm_fp8"),
        f"{MODEL}.source",
        "will soon drop",
        "--allow-deprecated-quantization",
    ),
    "modelopt FP8 on a T4": (T4 | quantized("modelopt", quant_algo="FP8"), f"{MODEL}.nodePool", "cannot run modelopt", "8.0"),
    "fbgemm on a T4": (
        T4 | quantized("fbgemm_fp8") | _args("--allow-deprecated-quantization"),
        f"{MODEL}.nodePool",
        "cannot run fbgemm_fp8",
        "8.0",
    ),
    "fp_quant on an L4": (
        quantized("fp_quant") | _args("--allow-deprecated-quantization"),
        f"{MODEL}.nodePool",
        "cannot run fp_quant",
        "10.0",
    ),
    "AWQ of a checkpoint that is not": (_args("--quantization=awq"), FIRST, "needs a checkpoint", "fp8"),
    "fp8 of an AWQ checkpoint": (quantized("awq", bits=4) | _args("--quantization=fp8"), FIRST, "quantized by awq", "remove it"),
    "quantized experts of a model without any": (_args("--quantization=experts_int8"), FIRST, "has none", "fp8"),
    "adapters of a class without LoRA": (
        {f"{MODEL}.source": "microsoft/DialoGPT-medium", f"{ENGINE}.maxModelLen": 1024} | ADAPTER,
        f"{MODEL}.loraAdapters",
        "no LoRA for gpt2",
        "merged into the model",
    ),
    "stages of a class without pipeline": (
        H100 | inline(model_type="gemma3n_text") | {f"{MODEL}.parallelism.pipeline": 2},
        f"{MODEL}.parallelism.pipeline",
        "no pipeline parallelism",
        "parallelism.tensor",
    ),
    "experts balanced on one GPU": (
        ON_H100 | {f"{MODEL}.source": "openai/gpt-oss-20b", f"{MODEL}.parallelism.expert": True} | _args("--enable-eplb"),
        FIRST,
        "a replica has one",
        "parallelism.data",
    ),
    "redundant experts": (_args('--eplb-config={"num_redundant_experts": 8}'), FIRST, "does not count", "num_redundant_experts"),
    "budget below the start": ({f"{MODEL}.startupBudgetSeconds": 60}, f"{MODEL}.startupBudgetSeconds", "loading and compiling", "raise it"),
    "memory too small for the engine": (
        {f"{MODEL}.resources": {"memoryGiB": 1}},
        f"{MODEL}.resources.memoryGiB",
        "too small for the engine",
        "raise it to 3",
    ),
    "more KV cache outside than the pod has": (
        _args("--kv-offloading-size=64"),
        f"{ENGINE}.extraArgs",
        "64.0 for KV cache",
        "offload less",
    ),
    "more weights outside than the pod has": (
        LLAMA_70B | {f"{ENGINE}.maxModelLen": 1024} | _args("--cpu-offload-gb=120"),
        f"{ENGINE}.extraArgs",
        "for weights",
        "offload less",
    ),
    "KV cache of a fixed size below one sequence": (
        _args("--kv-cache-memory-bytes=500M"),
        f"{ENGINE}.maxModelLen",
        "8192 tokens",
        "at most",
    ),
    "KV cache of a fixed size beyond the GPU": (_args("--kv-cache-memory-bytes=40G"), FIRST, "exceed the GPU's", "lower it"),
}
