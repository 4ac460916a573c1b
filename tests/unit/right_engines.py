"""Stacks that vLLM 0.33 starts, and that a too strict rule would refuse."""

from __future__ import annotations

from tests.stacks import REVISION
from tests.unit.wrong_engines import A100, BGE_M3, ENGINE, ON_H100, _args, inline, quantized
from tests.unit.wrong_models import MODEL, T4

# name: changes to a stack that works
RIGHT = {
    "few tokens in a step, sequences left to vLLM": {f"{ENGINE}.maxNumBatchedTokens": 128},
    "many sequences, tokens left to vLLM": {f"{ENGINE}.maxNumSeqs": 512},
    "hybrid model with default sequences": ON_H100 | {f"{MODEL}.source": "Qwen/Qwen3.5-27B", f"{ENGINE}.maxModelLen": 32768},
    "hybrid model without whole CUDA graphs": ON_H100
    | {f"{MODEL}.source": "Qwen/Qwen3.5-27B", f"{ENGINE}.maxModelLen": 32768, f"{ENGINE}.maxNumSeqs": 1024}
    | _args("--compilation-config.cudagraph_mode=PIECEWISE"),
    "whole prompts in default steps": _args("--no-enable-chunked-prefill"),
    "encoder": BGE_M3,
    "encoder as such": BGE_M3 | _args("--runner=pooling"),
    "fp8 cache on Ampere": A100 | {f"{ENGINE}.kvCacheDtype": "fp8"},
    "fp8_e5m2 cache of a plain model": {f"{ENGINE}.kvCacheDtype": "fp8_e5m2"},
    "KV cache in the model's own type": {f"{ENGINE}.kvCacheDtype": "bfloat16"},
    "KV cache in the T4's type": T4 | inline() | {f"{ENGINE}.kvCacheDtype": "float16"},
    "14B in fp8 on an L4": {f"{MODEL}.source": "Qwen/Qwen3-14B"} | _args("--quantization=fp8"),
    "14B with weights outside an L4": {f"{MODEL}.source": "Qwen/Qwen3-14B"} | _args("--cpu-offload-gb=16"),
    "fp8 said of an FP8 checkpoint": {f"{MODEL}.source": "Qwen/Qwen3-8B-FP8"} | _args("--quantization=fp8"),
    "AWQ by another kernel": quantized("awq", bits=4, group_size=128) | _args("--quantization=awq_marlin"),
    "deprecated method, on purpose": quantized("fbgemm_fp8") | _args("--allow-deprecated-quantization"),
    "KV cache outside the GPU": _args("--kv-offloading-size=8"),
    "KV cache of a fixed size": _args("--kv-cache-memory-bytes=2G"),
    "larger blocks": _args("--block-size=64"),
    "Mistral's own format": _args("--load-format=mistral", "--config-format=mistral", "--tokenizer-mode=mistral"),
    "budget above the start": {f"{MODEL}.startupBudgetSeconds": 1200},
    "adapters of a class with LoRA": {f"{MODEL}.loraAdapters": {"sql": {"source": "acme/sql", "revision": REVISION}}},
}
