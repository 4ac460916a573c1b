"""The plan as rich tables: memory and speed of each model, pools, monthly cost, warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from config.settings import Settings
from planning.cost import HOURS_PER_MONTH, Usd
from planning.memory import ESTIMATE_ERROR
from planning.plan import ModelPlan, Plan
from planning.startup import FIXED_SECONDS
from tools.stacks import print_problems

if TYPE_CHECKING:  # offline.py imports Pulumi, which `make check` must not
    from tools.preview.offline import Recording, Resource


def print_plan(console: Console, settings: Settings, plan: Plan) -> None:
    console.print(fit_table(plan), speed_table(plan), pool_table(plan))
    console.print(startup_table(plan))
    console.print(cost_table(plan, settings.budget.monthly_usd))
    if sleeping := [name for name, model in settings.models.items() if model.scaling.scale_to_zero]:
        console.print(sleep_table(plan, sleeping))
    print_problems(console, "Warnings", plan.warnings, "yellow")


def fit_table(plan: Plan) -> Table:
    title = f"Fit: GiB per GPU, tokens, replicas. KV cache: estimated within {ESTIMATE_ERROR:.0%}, unless measured (*)"
    table = Table(title=title, title_justify="left")
    for heading in (
        "model",
        "pool",
        "GPUs",
        "weights",
        "reserves",
        "KV cache",
        "max len",
        "at most",
        "seqs",
        "floor",
        "ceiling",
        "ready in",
    ):
        table.add_column(heading, justify="left" if heading in ("model", "pool") else "right")
    for model in plan.deployed.values():
        table.add_row(*_fit(model))
    return table


def _fit(model: ModelPlan) -> list[str]:
    memory = model.memory
    return [
        model.key,
        model.pool.name,
        str(model.shape.gpus or "CPU"),
        f"{memory.weights:.1f}",
        f"{memory.reserves:.1f}",
        f"{'*' if memory.measured else ''}{memory.kv_cache:.1f} of {memory.device:.1f}",
        f"{memory.max_model_len:,}",
        f"{memory.longest_model_len:,}",
        f"{memory.concurrent_sequences:.1f}",
        str(model.floor),
        str(model.floor + model.burst),
        f"{model.startup.expected / 60:.0f} min",
    ]


def speed_table(plan: Plan) -> Table:
    table = Table(title="Speed: one replica at its target, typical requests", title_justify="left")
    for heading in ("model", "at once", "limited by", "tokens/s", "to first token", "per token", "alone", ""):
        table.add_column(heading, justify="left" if heading in ("model", "limited by", "") else "right")
    for model in plan.deployed.values():
        speed = model.capacity.speed
        if speed is None:
            table.add_row(model.key, str(model.capacity.target_in_flight), "memory", "not planned", "-", "-", "-", "")
            continue
        table.add_row(
            model.key,
            str(model.capacity.target_in_flight),
            speed.limited_by,
            f"{speed.served.output_tokens_per_second:,.0f} +-{speed.error.share:.0%}",
            f"{speed.served.ttft:.2f} s",
            f"{speed.served.tpot * 1000:.0f} ms",
            f"{speed.alone.ttft:.2f} s, {speed.alone.tpot * 1000:.0f} ms",
            "extrapolated" if speed.error.extrapolated else "",
        )
    return table


def startup_table(plan: Plan) -> Table:
    table = Table(title="Start-up: estimated seconds on a new node, and what shortens it", title_justify="left")
    left = ("model", "in use", "could save")
    for heading in ("model", "node", "image", "download", "processes", "load", "compile", "ready in", "in use", "could save"):
        table.add_column(heading, justify="left" if heading in left else "right")
    for model in plan.models.values():
        one = model.startup
        parts = (one.node, one.image, one.download, FIXED_SECONDS, one.load, one.compile, one.expected)
        remarks = {"shared claim": f"; a Job fills it in {one.fill:.0f}", "compile cache": " from the second start on"}
        used = [f"{saving.measure} -{saving.seconds:.0f}{remarks.get(saving.measure, '')}" for saving in model.savings if saving.used]
        unused = [f"{saving.measure} -{saving.seconds:.0f}" for saving in model.savings if not saving.used]
        table.add_row(model.name, *(f"{part:.0f}" for part in parts), "\n".join(used) or "-", "\n".join(unused) or "-")
    return table


def pool_table(plan: Plan) -> Table:
    table = Table(title="Pools: nodes over all zones", title_justify="left")
    for heading in ("pool", "machine", "on demand", "spot", "for the floors", "idle slots", "at all ceilings", "replaced", "upgraded"):
        table.add_column(heading, justify="left" if heading in ("pool", "machine") else "right")
    for name, one in plan.pools.items():
        groups = [f"{group.min_nodes}-{group.max_nodes}" if group else "-" for group in (one.pool.on_demand, one.pool.spot)]
        ceiling = f"{one.ceiling_on_demand_nodes} + {one.ceiling_spot_nodes} spot"
        changes = plan.node_changes[name]
        upgraded = f"+{changes.max_surge} -{changes.max_unavailable}"
        table.add_row(
            name, one.pool.machine.name, *groups, str(one.floor_nodes), str(one.free_slots), ceiling, changes.replacement, upgraded
        )
    return table


def cost_table(plan: Plan, budget: float | None) -> Table:
    dated = f", prices of {plan.cost.prices_of}" if plan.cost.prices_of else ""
    table = Table(title=f"Cost: US dollars a month{dated}", title_justify="left")
    for heading in ("", "floor", "expected", "ceiling", "per million output tokens"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, model in plan.cost.models.items():
        per_million = model.usd_per_million_output_tokens
        table.add_row(
            f"model {name}", *_dollars(model.monthly), f"{per_million.least:,.2f}-{per_million.most:,.2f}" if per_million else "-"
        )
    table.add_section()
    for name, usd in plan.cost.pools.items():
        table.add_row(f"nodes of pool {name}", *_dollars(usd), "price unknown" if name in plan.cost.unpriced else "")
    table.add_row("cluster and system pool", *_dollars(plan.cost.cluster), "")
    table.add_section()
    limit = f"budget {budget:,.0f}" if budget is not None else "no budget"
    table.add_row(Text("total: nodes and cluster", style="bold"), *_dollars(plan.cost.total), limit)
    return table


def sleep_table(plan: Plan, sleeping: list[str]) -> Table:
    """What sleep costs the first client, and what it saves against a replica that is always on."""
    table = Table(title="Sleep: models without a replica while nobody asks", title_justify="left")
    for heading in ("model", "the first request waits", "saves at most a month", "and each hour asleep"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for name in sleeping:
        model = plan.models[name]
        monthly = (model.cost.monthly.ceiling - model.cost.monthly.floor) / max(1, model.burst)
        table.add_row(name, f"{model.startup.expected:,.0f} s", f"${monthly:,.0f}", f"${monthly / HOURS_PER_MONTH:,.2f}")
    return table


def _dollars(usd: Usd) -> list[str]:
    least, most = f"{usd.expected_range.least:,.0f}", f"{usd.expected_range.most:,.0f}"
    expected = f"{usd.expected:,.0f}" if least == most else f"{usd.expected:,.0f} ({least}-{most})"
    return [f"{usd.floor:,.0f}", expected, f"{usd.ceiling:,.0f}"]


def resource_tree(recording: Recording, most: int) -> Tree:
    """The resources below their parents; beyond the first `most` on the top level they are only counted."""
    children: dict[str, list[Resource]] = {}
    for resource in recording.resources:
        children.setdefault(resource.parent, []).append(resource)
    urns = {resource.urn for resource in recording.resources}
    root = Tree(Text(f"{len(recording.resources)} resources to create", style="bold"))
    shown = 0
    for parent in [urn for urn in children if urn not in urns]:
        for resource in children[parent]:
            shown += 1
            if shown <= most:
                _grow(root, resource, children)
    if shown > most:
        root.add(f"... and {shown - most} more, in resources.json")
    return root


def _grow(tree: Tree, resource: Resource, children: dict[str, list[Resource]]) -> None:
    kind = resource.type.rpartition(":")[2]
    branch = tree.add(Text.assemble(("+ ", "green"), (kind, "cyan"), " ", resource.name))
    for child in children.get(resource.urn, []):
        _grow(branch, child, children)
