"""Stacks that work with what is in their `extraArgs`."""

from __future__ import annotations

from tests.unit.wrong_models import MODEL

_ARGUMENTS = {
    "a free flag": ["--seed=7"],
    "underscores, as recipes of vLLM spell flags": ["--tokenizer_mode=auto", "--compilation_config.cudagraph_mode=PIECEWISE"],
    "two keys of one JSON": ["--compilation-config.mode=3", "--compilation-config.cudagraph_mode=PIECEWISE"],
    "a list that is appended to twice": [
        "--compilation-config.cudagraph_capture_sizes+=1",
        "--compilation-config.cudagraph_capture_sizes+=2",
    ],
    "outputs in the log with requests": ["--enable-log-outputs", "--enable-log-requests"],
    "what is needed, turned off": ["--no-enable-log-outputs"],
    "a deprecated flag": ["--disable-cascade-attn"],
    "a mode that follows from prefix caching": ["--mamba-cache-mode=align"],
    "an attention backend": ["--attention-backend=FLASHINFER"],
    "sampling of vLLM": ["--generation-config=vllm", '--override-generation-config={"temperature": 0.2}'],
    "template arguments": ['--default-chat-template-kwargs={"enable_thinking": false}'],
}

# name: changes to a stack that works
RIGHT = {name: {f"{MODEL}.engine.extraArgs": arguments} for name, arguments in _ARGUMENTS.items()}
