"""Recording rules of what runs where: nodes of each pool, replicas of each model on them, and the GPUs that nothing uses.

They join kube-state-metrics' series: a node is in a pool by the labels that pods select it by, a pod is a model's by its label.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from components.naming import BURST, FLOOR, MODEL_LABEL, STAND_IN, TIER_LABEL
from components.observability.metrics import state_metrics_label
from components.observability.rules import Group, Recording, joined
from planning.machines import CAPACITY_LABEL, POOL_LABEL, NodeGroup
from planning.placement import PoolPlan
from planning.plan import ModelPlan

# Labels that are not allowed are missing from kube_node_labels and kube_pod_labels.
_NODE_LABELS = (
    POOL_LABEL,
    CAPACITY_LABEL,
    "cloud.google.com/gke-nodepool",
    "cloud.google.com/gke-accelerator",
    "cloud.google.com/gke-spot",
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/zone",
)
POD_LABELS = (MODEL_LABEL, TIER_LABEL, *(f"app.kubernetes.io/{key}" for key in ("name", "instance", "component", "part-of")))
_PLACE = ("pool", "capacity")
_REPLICA = ("model", "tier")
# How kube-state-metrics spells nvidia.com/gpu.
_GPU = 'resource="nvidia_com_gpu"'
_MODEL_NAMESPACE = 'namespace=~"model-.+"'


def node_groups(pools: Mapping[str, PoolPlan]) -> list[tuple[str, NodeGroup]]:
    return [(name, group) for name, plan in pools.items() for group in (plan.pool.on_demand, plan.pool.spot) if group]


def node_labels(pools: Mapping[str, PoolPlan]) -> list[str]:
    """What kube-state-metrics tells of nodes: also the labels that the stack selects nodes by where the cluster is not ours."""
    return list(dict.fromkeys([*_NODE_LABELS, *(label for _, group in node_groups(pools) for label in group.node_selector)]))


def pool_capacity(pools: Mapping[str, PoolPlan]) -> Group:
    groups = node_groups(pools)
    requested = f"sum by (node) (kube_pod_container_resource_requests{{{_GPU}}} and on (namespace, pod) {_ALIVE})"
    return Group(
        "pool-capacity",
        [
            *(_in_pool(name, group) for name, group in groups),
            *(_nodes(name, group) for name, group in groups),
            Recording("pool:gpus:sum", _by_place(f"kube_node_status_allocatable{{{_GPU}}}"), _PLACE),
            Recording(
                "pool:gpus_requested:sum",
                joined(_by_place(requested), "or 0 * pool:gpus:sum"),
                _PLACE,
            ),
            Recording("pool:gpus_unrequested:sum", "pool:gpus:sum - pool:gpus_requested:sum", _PLACE),
        ],
    )


def _in_pool(pool: str, group: NodeGroup) -> Recording:
    selector = ",".join(f'{state_metrics_label(label)}="{value}"' for label, value in group.node_selector.items())
    return Recording(
        "node:in_pool:group",
        f"group by (node) (kube_node_labels{{{selector}}})",
        ("node", *_PLACE),
        {"pool": pool, "capacity": group.capacity},
    )


def _nodes(pool: str, group: NodeGroup) -> Recording:
    """0 where there is none; nothing where kube-state-metrics says nothing."""
    nodes = f'count(node:in_pool:group{{pool="{pool}",capacity="{group.capacity}"}})'
    expr = f"{nodes} or 0 * count(kube_node_info)"
    return Recording("pool:nodes:count", expr, _PLACE, {"pool": pool, "capacity": group.capacity})


# Where selectors overlap on a cluster that is not ours a node would be in two pools, and no join could be made.
_PLACE_OF_NODE = "topk by (node) (1, node:in_pool:group)"
POD_IS_READY = 'kube_pod_status_ready{condition="true"} == 1'
_ALIVE = 'kube_pod_status_phase{phase=~"Pending|Running"} == 1'


def _by_place(of_node: str) -> str:
    return f"sum by (pool, capacity) ({of_node} * on (node) group_left (pool, capacity) {_PLACE_OF_NODE})"


def pods_of(plan: ModelPlan) -> str:
    """A regular expression of the names of one colour's pods."""
    return f"{plan.replicas_name}-({'|'.join((FLOOR, BURST, STAND_IN))})-.+"


def model_replicas(candidates: Iterable[ModelPlan] = ()) -> Group:
    """`candidates`: their pods count by themselves, as their series do."""
    model, tier = state_metrics_label(MODEL_LABEL), state_metrics_label(TIER_LABEL)
    labelled = f'label_replace(kube_pod_labels{{{model}!=""}}, "model", "$1", "{model}", "(.*)")'
    labelled = f'label_replace({labelled}, "tier", "$1", "{tier}", "(.*)")'
    for one in candidates:
        labelled = f'label_replace({labelled}, "model", "{one.key}", "pod", "{pods_of(one)}")'
    return Group(
        "model-replicas",
        [
            Recording(
                "pod:of_model:group",
                joined(f"group by (namespace, pod, model, tier) ({labelled})", f"and on (namespace, pod) ({_ALIVE})"),
                ("namespace", "pod", *_REPLICA),
            ),
            Recording(
                "pod:place:group",
                joined(
                    "pod:of_model:group",
                    '* on (namespace, pod) group_left (node) (group by (namespace, pod, node) (kube_pod_info{node!=""}))',
                    f"* on (node) group_left (pool, capacity) {_PLACE_OF_NODE}",
                ),
                ("namespace", "pod", *_REPLICA, "node", *_PLACE),
            ),
            Recording("model:replicas:count", f"count by ({', '.join((*_REPLICA, *_PLACE))}) (pod:place:group)", (*_REPLICA, *_PLACE)),
            Recording(
                "model:replicas_ready:count",
                f"count by (model) (pod:of_model:group and on (namespace, pod) ({POD_IS_READY}))",
                ("model",),
            ),
            Recording("model:targets_up:sum", 'sum by (model) (up{model!=""})', ("model",)),
            Recording(
                "model:spot_replicas:ratio",
                joined(
                    '(sum by (model) (model:replicas:count{capacity="spot"}) or 0 * sum by (model) (model:replicas:count))',
                    "/ sum by (model) (model:replicas:count)",
                ),
                ("model",),
            ),
            Recording("model:created:max", _model_of(f"kube_namespace_created{{{_MODEL_NAMESPACE}}}", "max"), ("model",)),
        ],
    )


def gpu_use() -> Group:
    """Of GPUs that a model has, as the driver counts them."""
    idle = f"avg_over_time(DCGM_FI_DEV_GPU_UTIL{{{_MODEL_NAMESPACE}}}[30m]) < 1"
    return Group(
        "gpu-use",
        [
            Recording("model:gpu_utilization:avg", _model_of(f"DCGM_FI_DEV_GPU_UTIL{{{_MODEL_NAMESPACE}}} / 100", "avg"), ("model",)),
            Recording("model:gpus_idle:count", f"{_model_of(idle, 'count')} or 0 * model:gpu_utilization:avg", ("model",)),
            Recording("cluster:gpus_idle:count", "sum(pool:gpus_unrequested:sum) + sum(model:gpus_idle:count)"),
            # Over less than a day where Prometheus knows no more of it.
            Recording("cluster:gpu_idle_hours:sum1d", "24 * avg_over_time(cluster:gpus_idle:count[1d])"),
        ],
    )


def _model_of(expr: str, operation: str) -> str:
    """The model's name is in its namespace's."""
    return f'{operation} by (model) (label_replace({expr}, "model", "$1", "namespace", "model-(.+)"))'


def groups(pools: Mapping[str, PoolPlan], candidates: Iterable[ModelPlan], *, gpus: bool) -> Iterable[Group]:
    """`gpus`: an exporter says something of them."""
    return [pool_capacity(pools), model_replicas(candidates), *([gpu_use()] if gpus else [])]


def has_gpus(pools: Mapping[str, PoolPlan]) -> bool:
    return any(not plan.pool.machine.is_cpu for plan in pools.values())
