"""The command line of `vllm serve`, from a model's settings and plan. Pure.

Every engine setting becomes a flag: vLLM does not read settings from VLLM_* variables. Values that the plan uses (lengths, batch limits,
parallel sizes) are always set, so that vLLM's defaults for the device cannot differ from the plan.
"""

from __future__ import annotations

import json

from components.naming import API_PORT, literal
from components.serving import chat_template
from components.serving.weights import adapter_location, draft_location
from config.models import Model
from config.speculative import Speculative
from planning.adapters import max_lora_rank, max_loras
from planning.drain import Drain
from planning.memory import GIB
from planning.plan import ModelPlan


def engine_arguments(model: Model, plan: ModelPlan, drain: Drain, weights: str) -> list[str]:
    """Arguments after `vllm serve`. `weights`: a path, or the URI that the weights are streamed from."""
    engine, parallelism = model.engine, model.parallelism
    arguments = [
        weights,
        "--served-model-name",
        *plan.served_names,
        f"--port={API_PORT}",
        f"--max-model-len={plan.memory.max_model_len}",
        f"--max-num-seqs={plan.limits.max_num_seqs}",
        f"--max-num-batched-tokens={plan.limits.max_num_batched_tokens}",
        f"--max-num-queued-reqs={plan.capacity.most_in_flight}",
        f"--tensor-parallel-size={parallelism.tensor}",
        f"--pipeline-parallel-size={parallelism.pipeline}",
        f"--data-parallel-size={parallelism.data}",
        f"--dtype={engine.dtype}",
        f"--kv-cache-dtype={engine.kv_cache_dtype}",
        f"--shutdown-timeout={drain.shutdown_timeout}",
        "--disable-access-log-for-endpoints=/health,/metrics",
    ]
    if not plan.pool.machine.is_cpu:
        arguments.append(f"--gpu-memory-utilization={engine.gpu_memory_utilization}")
    if model.lora_adapters:
        modules = [f"{name}={adapter_location(adapter)}" for name, adapter in model.lora_adapters.items()]
        arguments += [
            "--enable-lora",
            f"--max-loras={max_loras(model)}",
            f"--max-lora-rank={max_lora_rank(model)}",
            "--lora-modules",
            *modules,
        ]
    if plan.parsers.tool_call:
        arguments += ["--enable-auto-tool-choice", f"--tool-call-parser={plan.parsers.tool_call}"]
    if plan.parsers.reasoning:
        arguments.append(f"--reasoning-parser={plan.parsers.reasoning}")
    if engine.speculative:
        arguments.append(f"--speculative-config={json.dumps(_speculative_config(engine.speculative, plan))}")
    if engine.chat_template:
        arguments.append(f"--chat-template={chat_template.PATH}")
    if plan.hf_overrides:
        arguments.append(f"--hf-overrides={json.dumps(plan.hf_overrides)}")
    switches = {
        "--enable-expert-parallel": parallelism.expert,
        "--enforce-eager": engine.enforce_eager,
        "--no-enable-prefix-caching": not engine.enable_prefix_caching,
        "--trust-remote-code": engine.trust_remote_code,
        "--enable-force-include-usage": plan.force_include_usage,
    }
    arguments += [flag for flag, on in switches.items() if on]
    if plan.log_format == "json":
        arguments.append(f"--logging-config={json.dumps({'formatter': 'json'})}")
    if plan.tracing:
        arguments.append(f"--otlp-traces-endpoint={plan.tracing.traces_url}")
    arguments += _streaming_arguments(model, plan)
    return arguments + [literal(argument) for argument in engine.extra_args]


def _speculative_config(speculative: Speculative, plan: ModelPlan) -> dict[str, object]:
    """Keys of vLLM's SpeculativeConfig; keys that are not set keep vLLM's defaults."""
    config = {
        "method": speculative.method,
        "num_speculative_tokens": speculative.num_speculative_tokens,
        "model": draft_location(speculative.model, plan) if speculative.model else None,
        "prompt_lookup_min": speculative.prompt_lookup_min,
        "prompt_lookup_max": speculative.prompt_lookup_max,
    }
    return {key: value for key, value in config.items() if value is not None}


def _streaming_arguments(model: Model, plan: ModelPlan) -> list[str]:
    """Limits the streamer's buffer, by default up to 40 GiB of the pod's memory, to half of the pod's memory request."""
    if not plan.weights.streamed:
        return []
    config: dict[str, object] = {"memory_limit": int(plan.shape.memory_gib / 2 * GIB)}
    if model.parallelism.tensor > 1:
        config["distributed"] = True
    return ["--load-format=runai_streamer", f"--model-loader-extra-config={json.dumps(config)}"]
