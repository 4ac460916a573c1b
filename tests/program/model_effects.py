"""What each setting of a model changes, beside its arguments (`engine_effects.py`)."""

from __future__ import annotations

from tests.program.effects import Effect
from tests.stacks import REVISION
from tests.unit.right_settings import KEYS
from tests.unit.wrong_models import EXISTING, MODEL
from tests.unit.wrong_settings import SPEED

S3 = EXISTING | KEYS | {f"{MODEL}.weights": {"uri": "s3://acme/qwen3", "endpoint": "http://minio.minio.svc:9000"}}
CLAIMED = {f"{MODEL}.weights": {"cache": "persistent-volume-claim", "storageClass": "filestore"}}
SERVER = "Deployment spec.template.spec.containers"
WEIGHTS, SCALING = "models.<name>.weights", "models.<name>.scaling"
OTHER = {"source": "Qwen/Qwen3-0.6B", "revision": REVISION, "nodePool": "l4", "engine": {"maxModelLen": 2048}}
LLAMA = {
    "model_type": "llama", "hidden_size": 512, "num_hidden_layers": 4, "num_attention_heads": 8, "vocab_size": 32000,
    "max_position_embeddings": 8192,
}  # fmt: skip
START = {
    "gpu": "nvidia-l4", "gpuMemoryUtilization": 0.92, "maxNumBatchedTokens": 2048, "weightsGiB": 15.27, "kvCacheGiB": 2.0,
    "vllm": "0.33.0", "date": "2026-11-20",
}  # fmt: skip

EFFECTS = {
    "models.<name>.source": Effect(
        "Qwen/Qwen3-4B", ("Deployment spec.template.spec.initContainers.command=Qwen/Qwen3-4B", "plan models.qwen3-8b.memory.weights")
    ),
    "models.<name>.architecture": Effect(
        LLAMA, ("plan models.qwen3-8b.memory.weights",), beside={f"{MODEL}.source": "acme/tiny"}
    ),
    "models.<name>.measured": Effect([START], ("plan models.qwen3-8b.memory.kv_cache",)),
    "models.<name>.measuredSpeed": Effect([SPEED], ("plan models.qwen3-8b.capacity.speed",)),
    "models.<name>.nodePool": Effect(
        "other", ("Deployment spec.template.spec.nodeSelector.vllm-platform/node-pool=other", "outputs models.qwen3-8b.pool=other"),
        {"nodePools.other": {"machineType": "g2-standard-12", "onDemand": {"max": 4}, "spot": {"max": 4}}},
    ),
    "models.<name>.image": Effect("ghcr.io/acme/vllm:1", (f"{SERVER}.image=ghcr.io/acme/vllm:1", f"-{SERVER}.image")),
    "models.<name>.engine.environment": Effect(
        {"HF_HUB_DOWNLOAD_TIMEOUT": "60"},
        (f"{SERVER}.env.name=HF_HUB_DOWNLOAD_TIMEOUT", f"{SERVER}.env.value=60",
         "Deployment spec.template.spec.initContainers.env.value=60"),
    ),
    "models.<name>.engine.chatTemplate": Effect(
        "{{ messages }}", ("ConfigMap data.chat-template.jinja={{ messages }}", f"{SERVER}.volumeMounts.mountPath=/etc/vllm")
    ),
    f"{SCALING}.floor": Effect(
        2, ("Deployment spec.replicas=2", "NodePool autoscaling.totalMinNodeCount=2", "outputs models.qwen3-8b.replicas.floor=2")
    ),
    f"{SCALING}.ceiling": Effect(4, ("outputs models.qwen3-8b.replicas.ceiling=4", "plan cost.total.ceiling")),
    f"{SCALING}.priority": Effect(
        50, ("PrometheusRule spec.groups.rules.expr",),
        {"budget.hourlyUsd": 40, "budget.onExceed": "warn", "models.a": OTHER | {"scaling": {"floor": 0, "ceiling": 2}}},
    ),
    f"{SCALING}.schedule": Effect(
        [{"start": "0 8 * * 1-5", "end": "0 18 * * 1-5", "replicas": 3}],
        ("ScaledObject spec.triggers.type=cron", "ScaledObject spec.triggers.metadata.desiredReplicas=2"),
    ),
    f"{SCALING}.triggers.cpuPercent": Effect(70, ("ScaledObject spec.triggers.type=cpu", "ScaledObject spec.triggers.metadata.value=70")),
    f"{SCALING}.triggers.memoryPercent": Effect(
        80, ("ScaledObject spec.triggers.type=memory", "ScaledObject spec.triggers.metadata.value=80")
    ),
    f"{SCALING}.triggers.gpuPercent": Effect(90, ("PrometheusRule spec.groups.rules.labels.reason=gpu",)),
    f"{SCALING}.scaleToZero": Effect(
        True, ("ScaledObject spec.minReplicaCount=0", "plan gateway.models.qwen3-8b.wakes_in_seconds", "Secret stringData.models.json"),
        {"models.qwen3-8b.scaling": {"floor": 0, "ceiling": 3}},
    ),
    f"{SCALING}.sleepAfterSeconds": Effect(
        1800, ("PrometheusRule spec.groups.rules.expr",), {"models.qwen3-8b.scaling": {"floor": 0, "ceiling": 3, "scaleToZero": True}}
    ),
    f"{SCALING}.burst": Effect(
        "on-demand", ("-Deployment spec.template.spec.tolerations.key=cloud.google.com/gke-spot", "plan cost.total.ceiling")
    ),
    "models.<name>.rollout.maxSurge": Effect(
        2, ("Deployment spec.strategy.rollingUpdate.maxSurge=2", "plan models.qwen3-8b.rollout.max_surge=2"), {f"{MODEL}.scaling.floor": 2}
    ),
    "models.<name>.rollout.maxUnavailable": Effect(
        1, ("Deployment spec.strategy.rollingUpdate.maxUnavailable=1", "plan models.qwen3-8b.rollout.max_unavailable=1"),
        {f"{MODEL}.scaling.floor": 2},
    ),
    f"{WEIGHTS}.uri": Effect(
        "gs://acme/qwen3",
        ("BucketIAMMember bucket=acme", "BucketIAMMember role=roles/storage.objectViewer", "-Deployment spec.template.spec.initContainers",
         "NetworkPolicy spec.egress.to.ipBlock.cidr=169.254.169.252/32"),
    ),
    f"{WEIGHTS}.endpoint": Effect("http://other.minio.svc:9000", (f"{SERVER}.env.value=http://other.minio.svc:9000",), S3),
    f"{WEIGHTS}.endpointRange": Effect(
        "10.20.0.0/16", ("NetworkPolicy spec.egress.to.ipBlock.cidr=10.20.0.0/16",), S3,
        {f"{MODEL}.weights.endpoint": "https://s3.acme.example"},
    ),
    f"{WEIGHTS}.pathStyle": Effect(False, (f"{SERVER}.env.value=1", f"-{SERVER}.env.value=0"), S3),
    f"{WEIGHTS}.region": Effect("eu-central-1", (f"{SERVER}.env.value=eu-central-1", f"-{SERVER}.env.value=us-east-1"), S3),
    f"{WEIGHTS}.claim": Effect(
        "models", ("Deployment spec.template.spec.volumes.persistentVolumeClaim.claimName=models",
         "-NetworkPolicy metadata.name=allow-weights"),
    ),
    f"{WEIGHTS}.path": Effect("qwen3", (f"{SERVER}.args=/models/qwen3",), {f"{MODEL}.weights": {"claim": "models"}}),
    f"{WEIGHTS}.cache": Effect(
        "persistent-volume-claim",
        ("PersistentVolumeClaim spec.accessModes=ReadWriteMany", "Deployment spec.template.spec.volumes.persistentVolumeClaim"),
        beside={f"{MODEL}.weights.storageClass": "filestore"},
    ),
    f"{WEIGHTS}.storageGiB": Effect(77, ("PersistentVolumeClaim spec.resources.requests.storage=77Gi",), CLAIMED),
    f"{WEIGHTS}.storageClass": Effect("fast", ("PersistentVolumeClaim spec.storageClassName=fast",), CLAIMED),
    f"{WEIGHTS}.compileCache": Effect(
        True, ("Deployment spec.template.spec.containers.name=keep-compiled",
         "Deployment spec.template.spec.initContainers.name=restore-compiled"), CLAIMED
    ),
    f"{WEIGHTS}.accessMode": Effect(
        "ReadWriteOnce", ("PersistentVolumeClaim spec.accessModes=ReadWriteOnce",),
        CLAIMED | {f"{MODEL}.scaling": {"floor": 1, "ceiling": 1}}
    ),
    f"{WEIGHTS}.mibPerSecond": Effect(
        10, ("Deployment spec.progressDeadlineSeconds", "Deployment options.timeouts.create", "plan models.qwen3-8b.startup.download")
    ),
    "models.<name>.resources.cpu": Effect(5, (f"{SERVER}.resources.requests.cpu=5000m",)),
    "models.<name>.resources.memoryGiB": Effect(
        24, (f"{SERVER}.resources.requests.memory=24576Mi", f"{SERVER}.resources.limits.memory=24576Mi")
    ),
    "models.<name>.traffic.promptTokens": Effect(4000, ("plan models.qwen3-8b.capacity.target_in_flight",)),
    "models.<name>.traffic.outputTokens": Effect(4000, ("plan models.qwen3-8b.capacity.target_in_flight",)),
    "models.<name>.affinity.by": Effect("prefix", ("Secret stringData.clusters.json", "Secret stringData.models.json")),
    "models.<name>.affinity.header": Effect("x-user", ("Secret stringData.models.json",), {f"{MODEL}.affinity": {"by": "session"}}),
    "models.<name>.slo.ttftSeconds": Effect(0.25, ("plan models.qwen3-8b.capacity.target_in_flight",)),
    "models.<name>.slo.tpotSeconds": Effect(0.05, ("plan models.qwen3-8b.capacity.target_in_flight",)),
    "models.<name>.slo.latencyShare": Effect(
        0.9, ("PrometheusRule spec.groups.rules.expr=vector(0.9)",), {f"{MODEL}.slo": {"ttftSeconds": 0.5}}
    ),
    "models.<name>.slo.availability": Effect(0.999, ("PrometheusRule spec.groups.rules.expr=vector(0.999)",)),
    "models.<name>.startupBudgetSeconds": Effect(
        900, (f"{SERVER}.startupProbe.failureThreshold=90", f"{SERVER}.env.value=900"),
    ),
}  # fmt: skip
