"""How the memory of each model's GPU is used: the parts of a bar that add up to the device."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from config.models import Model
from config.settings import Settings
from planning.memory import ESTIMATE_ERROR, MemoryPlan
from planning.plan import ModelPlan, Plan
from tools.preview.report.bars import Part, bar
from tools.preview.report.table import Table

# Name, and class in the style sheet, in the order of the bar.
WEIGHTS, KV_CACHE, ACTIVATIONS, RESERVE, FREE = (
    ("weights", "first"),
    ("KV cache", "second"),
    ("activations", "third"),
    ("reserve", "fourth"),
    ("free", "rest"),
)


@dataclass(frozen=True)
class Fit:
    """A model on one of its GPUs."""

    key: str
    source: str
    device: str
    device_gib: str
    parts: tuple[Part, ...]
    svg: Markup
    room: str
    speed: str
    """Empty where it is not planned."""


def parts_of(memory: MemoryPlan) -> tuple[Part, ...]:
    """They add up to `memory.device`, as shown and exactly: what vLLM may not take is free."""
    named = (
        (*WEIGHTS, memory.weights),
        (*KV_CACHE, memory.kv_cache),
        (*ACTIVATIONS, memory.activation),
        (*RESERVE, memory.cuda_graphs + memory.non_torch + memory.adapters),
    )
    taken = [Part(name, value, f"{value:.1f} GiB", colour) for name, colour, value in named]
    rest = memory.device - sum(value for _, _, value in named)
    shown = round(memory.device, 1) - sum(round(value, 1) for _, _, value in named)
    return (*taken, Part(FREE[0], rest, f"{abs(shown):.1f} GiB", FREE[1]))


def fits(settings: Settings, plan: Plan) -> list[Fit]:
    return [_fit(model, settings.deployed[key]) for key, model in plan.deployed.items()]


def _fit(planned: ModelPlan, model: Model) -> Fit:
    memory, parts = planned.memory, parts_of(planned.memory)
    said = ", ".join(f"{part.name} {part.text}" for part in parts)
    return Fit(
        planned.key,
        model.source,
        _device(planned),
        f"{memory.device:.1f} GiB",
        parts,
        bar(f"Memory of {planned.key}: {said}", parts, memory.device),
        _room(memory),
        _speed(planned),
    )


def _room(memory: MemoryPlan) -> str:
    source = f"measured, {memory.measured}" if memory.measured else f"estimated within {ESTIMATE_ERROR:.0%}"
    if not memory.sequence:
        return f"It needs no KV cache: requests of up to {memory.max_model_len:,} tokens."
    return (
        f"Room for {memory.concurrent_sequences:,.1f} requests of {memory.max_model_len:,} tokens at once ({source}); "
        f"one alone could have {memory.longest_model_len:,}."
    )


def _device(planned: ModelPlan) -> str:
    """`each of 4 GPUs, NVIDIA A100 80GB`."""
    machine, gpus = planned.pool.machine, planned.shape.gpus
    if machine.accelerator is None:
        return "memory of its pod, on CPUs"
    name = machine.accelerator.display_name
    if machine.slots > machine.gpus * machine.clients_per_gpu:
        name = f"partition of an {name}"
    elif machine.clients_per_gpu > 1:
        name += f", shared by up to {machine.clients_per_gpu} replicas"
    return f"each of {gpus} GPUs, {name}" if gpus > 1 else f"1 GPU, {name}"


def _speed(planned: ModelPlan) -> str:
    speed = planned.capacity.speed
    if speed is None:
        return ""
    served = speed.served
    return (
        f"With {planned.capacity.target_in_flight} typical requests at once it writes {served.output_tokens_per_second:,.0f} tokens/s "
        f"(± {speed.error.share:.0%}), the first after {served.ttft:.1f} s."
    )


def fit_table(plan: Plan) -> Table:
    """The figures of the bars, with the limits that follow from them."""
    names = [name for name, _ in (WEIGHTS, KV_CACHE, ACTIVATIONS, RESERVE, FREE)]
    rows = []
    for model in plan.deployed.values():
        memory = model.memory
        sizes = [part.text.removesuffix(" GiB") for part in parts_of(memory)]
        rows.append((model.key, *sizes, f"{memory.device:.1f}", f"{memory.max_model_len:,}", f"{memory.longest_model_len:,}"))
    headings = (*names, "device", "context, tokens", "longest that fits")
    return Table("Memory of one GPU, GiB", ("model", *headings), tuple(rows), frozenset(headings))
