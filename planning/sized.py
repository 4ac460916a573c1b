"""A model on its pool's machine: memory and capacity, before placement beside other models."""

from __future__ import annotations

from dataclasses import dataclass

from config import catalog
from config.architecture import Architecture
from config.models import Model
from planning import long_context
from planning.batches import EngineLimits
from planning.capacity import CapacityPlan, plan_capacity
from planning.engine_options import EngineOptions, engine_options, served
from planning.machines import Pool
from planning.memory import MemoryPlan, kv_cache, plan_limits
from planning.parameters import count_parameters
from planning.placement import ReplicaShape, replica_shape


@dataclass(frozen=True)
class Sized:
    model: Model
    checkpoint: Architecture
    """As stored in the checkpoint."""
    architecture: Architecture
    """As served: online quantization, context length and loaded encoders applied."""
    options: EngineOptions
    row: catalog.ModelRow | None
    pool: Pool
    limits: EngineLimits
    memory: MemoryPlan
    shape: ReplicaShape
    capacity: CapacityPlan

    @property
    def parameters(self) -> int | None:
        return _parameters(self.row, self.checkpoint, self.architecture)


def size(model: Model, pools: dict[str, Pool]) -> Sized | None:
    """None if config.rules has already reported an unknown model or pool."""
    row = catalog.model(model.source)
    checkpoint = model.architecture or (row.architecture if row else None)
    pool = pools.get(model.node_pool)
    if checkpoint is None or pool is None:
        return None
    options = engine_options(model)
    architecture = long_context.stretched(served(checkpoint, options), model.engine.rope_scaling)
    row = row if model.architecture is None else None
    measured = (*model.measured, *(row.measured if row else ()))
    limits, memory = plan_limits(model, architecture, _parameters(row, checkpoint, architecture), pool.machine, measured)
    capacity = plan_capacity(model, architecture, memory, kv_cache(architecture, model, limits), limits, pool.machine)
    return Sized(model, checkpoint, architecture, options, row, pool, limits, memory, replica_shape(model, pool.machine), capacity)


def _parameters(row: catalog.ModelRow | None, checkpoint: Architecture, served: Architecture) -> int | None:
    """The catalogue's parameter count, without encoders that vLLM does not load."""
    if row is None or row.parameters is None:
        return None
    return row.parameters - count_parameters(checkpoint).total + count_parameters(served).total
