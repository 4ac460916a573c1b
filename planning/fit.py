"""Problems of a model that does not fit its GPU: the missing memory, and the smallest change that makes it fit."""

from __future__ import annotations

from collections.abc import Iterator

from config import catalog
from config.architecture import Architecture
from config.errors import Problem, suggestion
from config.models import Model, Parallelism
from planning.compatibility import splits_heads, unsplittable_block
from planning.machines import Machine
from planning.memory import ESTIMATE_ERROR, FEWER_SEQS, MemoryPlan, plan_limits

# Drivers' figures for the memory of the same GPU differ by up to this factor.
_SAME_DEVICE = 1.03


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
    fixes = [
        f"set engine.maxModelLen to at most {memory.longest_model_len}",
        _fewer_seqs(model, architecture, parameters, machine),
        parallel,
    ]
    yield Problem(f"{path}.engine.maxModelLen", message, ", or ".join(fix for fix in fixes if fix))


def measured_problems(path: str, model: Model, machine: Machine) -> Iterator[Problem]:
    """Rows of `measured` and `measuredSpeed` of unknown GPUs, and rows of `measured` with more memory than vLLM had."""
    known = {**catalog.accelerators(), **({machine.accelerator_type: machine.accelerator} if machine.accelerator_type else {})}
    for key, rows in (("measured", model.measured), ("measuredSpeed", model.measured_speed)):
        for index, row in enumerate(rows):
            if row.gpu not in known:
                fix = suggestion(row.gpu, known, otherwise="use a GPU's name in config/catalog/accelerators.yaml")
                yield Problem(f"{path}.{key}[{index}].gpu", f"no GPU is called '{row.gpu}'", fix)
    for index, row in enumerate(model.measured):
        gpu = known.get(row.gpu)
        if gpu is None:
            continue
        share = gpu.memory_gib * row.gpu_memory_utilization
        if row.weights_gib + row.kv_cache_gib > share * _SAME_DEVICE:
            message = (
                f"weights of {row.weights_gib} and a KV cache of {row.kv_cache_gib} GiB are more than the {share:.1f} GiB that vLLM had"
            )
            yield Problem(f"{path}.measured[{index}]", message, "copy the row that `make calibrate` prints")


def _fewer_seqs(model: Model, architecture: Architecture, parameters: int | None, machine: Machine) -> str | None:
    """A fix if the model fits with a lower maxNumSeqs than the stack sets."""
    if (model.engine.max_num_seqs or 0) <= FEWER_SEQS:
        return None
    fewer = model.model_copy(update={"engine": model.engine.model_copy(update={"max_num_seqs": FEWER_SEQS})})
    fits = plan_limits(fewer, architecture, parameters, machine, model.measured)[1].fits
    return f"set engine.maxNumSeqs to {FEWER_SEQS}" if fits else None


def _basis(memory: MemoryPlan, machine: Machine) -> str:
    """Source of the KV cache figure, for the message."""
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
