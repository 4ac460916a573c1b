"""Mistakes that were made by hand, most of which no test in process noticed once: each must be noticed now."""

from __future__ import annotations

_CLUSTER, _POOLS, _NODES = (f"components/cluster/{name}.py" for name in ("gke", "node_pools", "nodes"))
_ENGINE, _POD, _ISOLATION = (f"components/serving/{name}.py" for name in ("engine", "pod", "isolation"))
_MONITORING, _OPERATOR = (f"components/platform/{name}.py" for name in ("monitoring", "gpu_operator"))

# name: (file, what is there, what stands there instead)
NAMED = {
    "public nodes": (_POOLS, '{"enable_private_nodes": True}', '{"enable_private_nodes": False}'),
    "tokens open the control plane": (_CLUSTER, '"enable_k8s_tokens_via_dns": False', '"enable_k8s_tokens_via_dns": True'),
    "pods can take the node's credentials": (_NODES, '"GKE_METADATA"', '"GCE_METADATA"'),
    "nodes without secure boot": (_NODES, '"enable_secure_boot": True', '"enable_secure_boot": False'),
    "nodes may do everything": (_CLUSTER, "roles/artifactregistry.reader", "roles/editor"),
    "static ports": ("components/cluster/network.py", "enable_dynamic_port_allocation=True", "enable_dynamic_port_allocation=False"),
    "GPU pools wait for a node more": ("planning/node_changes.py", "surge = 1 if pool.machine.is_cpu and", "surge = 1 if True and"),
    "pools without a minimum": (_POOLS, '"total_min_node_count": group.min_nodes', '"total_min_node_count": 0'),
    "reservation ignored": (_POOLS, '"values": [settings.reservation]', '"values": []'),
    "every pod reaches the model servers": (_ISOLATION, '"ingress": [{"from_": sources, ', '"ingress": [{'),
    "pods may write the bucket": ("components/cluster/workload_identity.py", "storage.objectViewer", "storage.objectAdmin"),
    "monitors are not picked up": (_MONITORING, 'SelectorNilUsesHelmValues": False', 'SelectorNilUsesHelmValues": True'),
    "Prometheus without a volume": (_MONITORING, '"storageSpec": ', '"storageSpecs": '),
    "daemons off spot nodes": (_OPERATOR, "for taint in (GPU_TAINT, SPOT_TAINT)", "for taint in (GPU_TAINT,)"),
    "containerd's configuration from its command line": (_OPERATOR, '"RUNTIME_CONFIG_SOURCE"', '"RUNTIME_CONFIG_SOURCES"'),
    "one slow answer restarts the engine": (_POD, "_probe(period=10, failures=6)", "_probe(period=10, failures=1)"),
    "no topology spread": (_POD, '[_spread(key, labels) for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")]', "[]"),
    "memory that the plan did not count with": (_ENGINE, "if not plan.pool.machine.is_cpu:", "if plan.pool.machine.is_cpu:"),
    "remote code is always trusted": (_ENGINE, '"--trust-remote-code": engine.trust_remote_code', '"--trust-remote-code": True'),
    "prefix caching is always on": (_ENGINE, '"--no-enable-prefix-caching": not engine.enable_prefix_caching,', ""),
    "other mirrors ignored": ("components/images.py", 'return mirror.rstrip("/")', "return host"),
    "source ranges not judged": ("components/gateway/exposure.py", 'traffic_policy": "Local"', 'traffic_policy": "Cluster"'),
    "a sliding window of one more": ("planning/kv_cache.py", "(a.sliding_window or 0) - 1)", "(a.sliding_window or 0))"),
    "fp8 cache of two bytes": ("planning/kv_cache.py", "return 1 if model.engine", "return 2 if model.engine"),
    "Pulumi waits for one replica": ("planning/startup.py", "waves = max(1, model.scaling.floor)", "waves = 1"),
    "deadline without the download": ("planning/startup.py", "image + SAFETY * download + budget)\n", "image + budget)\n"),
    "more in flight than sequences": (
        "planning/capacity.py",
        "min(limits.max_num_seqs, int(max(0.0, memory.kv_cache) / sequence))",
        "int(max(0.0, memory.kv_cache) / sequence)",
    ),
    "limit of a client dropped": ("planning/gateway.py", "concurrent_requests=client.concurrent_requests", "concurrent_requests=None"),
    "surge where there is no room": ("planning/rollout.py", "surge = 1 if _room(plan, one) else 0", "surge = 1"),
    "layers of a stage rounded down": (
        "planning/kv_cache.py",
        "{kind: math.ceil(count / self.pipeline_parallel_size)",
        "{kind: math.floor(count / self.pipeline_parallel_size)",
    ),
    "burst priced on demand": ("planning/cost.py", '"spot": price.spot or 0.0}', '"spot": price.on_demand or 0.0}'),
}  # fmt: skip
