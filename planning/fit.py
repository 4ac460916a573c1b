"""What to say when a model does not fit its GPU: how much is missing, and the nearest change that makes it fit."""

from __future__ import annotations

from collections.abc import Iterator

from config.architecture import Architecture
from config.errors import Problem
from config.models import Model, Parallelism
from planning.compatibility import splits_heads, unsplittable_block
from planning.machines import Machine
from planning.memory import ESTIMATE_ERROR, MemoryPlan, plan_limits


def memory_problems(
    path: str, model: Model, architecture: Architecture, parameters: int | None, machine: Machine, memory: MemoryPlan
) -> Iterator[Problem]:
    if memory.fits:
        return
    device = machine.accelerator.display_name if machine.accelerator else f"a pod on {machine.name}"
    needs = (
        f"on {device} vLLM may take {memory.requested:.1f} of {memory.device:.1f} GiB, "
        f"weights need {memory.weights:.1f} and reserves {memory.reserves:.1f}"
    )
    parallel = _larger_tensor_parallel(model, architecture, parameters, machine)
    if memory.longest_model_len == 0:
        larger = "choose a GPU with more memory, a quantized checkpoint, or a larger parallelism.tensor on a machine with more GPUs"
        fix = "choose a larger machine" if machine.is_cpu else parallel or larger
        yield Problem(f"{path}.nodePool", f"the model does not fit: {needs}, which leaves {memory.kv_cache:.1f} GiB for the KV cache", fix)
        return
    message = (
        f"one sequence of {memory.max_model_len} tokens needs {memory.sequence:.1f} GiB of KV cache, "
        f"but {max(0.0, memory.kv_cache):.1f} GiB are left ({_basis(memory, machine)}): {needs}"
    )
    fix = f"set engine.maxModelLen to at most {memory.longest_model_len}"
    yield Problem(f"{path}.engine.maxModelLen", message, f"{fix}, or {parallel}" if parallel else fix)


def _basis(memory: MemoryPlan, machine: Machine) -> str:
    """Where the figure comes from, in a few words."""
    if machine.is_cpu:
        return "assumed"
    if memory.measured:
        return f"measured: {memory.measured}"
    return f"estimated within {ESTIMATE_ERROR:.0%}"


def _larger_tensor_parallel(model: Model, architecture: Architecture, parameters: int | None, machine: Machine) -> str | None:
    """The smallest tensor parallel size, on the same node, with which the model fits."""
    size = model.parallelism.tensor * 2
    parallelism = model.parallelism
    while size * parallelism.data <= machine.gpus:
        wider = model.model_copy(update={"parallelism": Parallelism(tensor=size, data=parallelism.data, expert=parallelism.expert)})
        possible = splits_heads(architecture, size) and not unsplittable_block(wider, architecture, size)
        if possible and plan_limits(wider, architecture, parameters, machine)[1].fits:
            return f"set parallelism.tensor to {size}"
        size *= 2
    return None
