"""How much one replica serves: requests in flight, and tokens per second from the GPU's bandwidth and arithmetic.

A roofline, not a benchmark: a decoding step reads the weights it touches and the KV cache of every sequence, a prompt is bound by
arithmetic. What is assumed is named below; measure before you promise.
"""

from __future__ import annotations

from dataclasses import dataclass

from config.architecture import Architecture
from config.models import Model
from planning.batches import EngineLimits
from planning.kv_cache import KvCache
from planning.machines import Machine
from planning.memory import GIB, MemoryPlan
from planning.parameters import active_parameters, count_parameters
from planning.weight_size import bytes_per_weight

# Shares of the datasheet's bandwidth and arithmetic that a well-fed vLLM reaches. Assumed.
BANDWIDTH_EFFICIENCY = 0.6
ARITHMETIC_EFFICIENCY = 0.4
# Requests in flight to plan with, of those that fit: room for longer ones than the mean.
TARGET_UTILIZATION = 0.75
# Requests that may wait, as a share of those that run: what would wait longer than one whole run is better tried elsewhere.
QUEUE_SHARE = 1.0


@dataclass(frozen=True)
class CapacityPlan:
    """Of one replica, over all its data parallel ranks."""

    requests_in_flight: int
    """Typical requests whose KV cache fits, at most max_num_seqs."""
    most_in_flight: int
    """Requests, running and waiting, above which it refuses more."""
    target_in_flight: int
    """Requests in flight per replica that autoscaling should aim for."""
    output_tokens_per_second: float | None
    """At the target; None on CPU nodes, whose speed the catalogue does not know."""


def plan_capacity(
    model: Model, architecture: Architecture, memory: MemoryPlan, cache: KvCache, limits: EngineLimits, machine: Machine
) -> CapacityPlan:
    traffic = model.traffic
    typical = min(memory.max_model_len, traffic.prompt_tokens + traffic.output_tokens)
    sequence = cache.bytes_per_sequence(typical) / GIB
    ranks = model.parallelism.data  # each with a scheduler and a KV cache of its own
    fit = int(max(0.0, memory.kv_cache) / sequence) if sequence else limits.max_num_seqs  # encoders have no KV cache
    in_flight = ranks * min(limits.max_num_seqs, fit)
    target = max(1, int(in_flight * TARGET_UTILIZATION))
    most = model.engine.max_queued_requests or max(1, int(in_flight * (1 + QUEUE_SHARE)))
    return CapacityPlan(in_flight, most, target, _output_tokens_per_second(model, architecture, cache, target, machine))


def _output_tokens_per_second(model: Model, architecture: Architecture, cache: KvCache, batch: int, machine: Machine) -> float | None:
    if machine.accelerator is None:
        return None
    gpus = model.parallelism.gpus
    bandwidth = machine.accelerator.memory_bandwidth_gb_per_second * 1e9 * BANDWIDTH_EFFICIENCY * gpus
    arithmetic = machine.accelerator.bf16_tflops * 1e12 * ARITHMETIC_EFFICIENCY * gpus
    flops_per_token = 2 * active_parameters(architecture)
    context = model.traffic.prompt_tokens + model.traffic.output_tokens / 2
    read = _weights_read(architecture, batch, model.parallelism.data)
    read += batch * context * cache.bytes_per_token * model.parallelism.gpus_per_rank
    step = max(read / bandwidth, batch * flops_per_token / arithmetic)
    prompt = model.traffic.prompt_tokens * flops_per_token / arithmetic
    return model.traffic.output_tokens / (model.traffic.output_tokens * step / batch + prompt)


def _weights_read(architecture: Architecture, batch: int, ranks: int) -> float:
    """Bytes of weights that one decoding step touches: of routed experts those that at least one sequence visits, all else a rank."""
    count = count_parameters(architecture)
    experts = architecture.num_experts or 1
    visited = 1 - (1 - architecture.num_experts_per_tok / experts) ** batch if architecture.is_moe else 0.0
    each = bytes_per_weight(architecture)
    dense = sum(getattr(count, module) * each[module] for module in ("attention", "mixer", "mlp", "shared_experts"))
    dense += count.replicated * each["attention"] + architecture.vocab_size * architecture.hidden_size * each["lm_head"]
    return ranks * dense + count.experts * visited * each["experts"]
