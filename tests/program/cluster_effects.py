"""What each setting of the cluster, its node pools and the platform changes."""

from __future__ import annotations

from tests.program.effects import Effect
from tests.unit.right_platforms import SMALL
from tests.unit.wrong_gateways import KEY
from tests.unit.wrong_models import EXISTING, MODEL
from tests.unit.wrong_settings import L20

GKE, OTHER, POOL = "cluster(gke)", "cluster(existing)", "nodePools.<name>"
BLACKWELL = L20 | {"name": "acme-fp4", "computeCapability": 12.0, "fp8Tflops": 239.0, "fp4Tflops": 478.0}
NVFP4 = {
    "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
    "intermediate_size": 14336, "vocab_size": 128256, "max_position_embeddings": 8192,
    "quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP4"},
}  # fmt: skip
HARDWARE, ACCELERATOR = f"{POOL}.hardware", f"{POOL}.hardware.accelerator"
MONITORING = "platform.monitoring"
SECURITY, RING = f"{GKE}.security", "projects/acme-keys/locations/us-central1/keyRings/gke/cryptoKeys"
PLANNED = EXISTING | {"nodePools.l4.hardware.accelerator": L20 | {"fp8Tflops": 239.0}}
PAIR = PLANNED | {"nodePools.l4.hardware.gpus": 2, f"{MODEL}.parallelism.tensor": 2}
FP4 = PLANNED | {f"{MODEL}.source": "acme/fp4", f"{MODEL}.architecture": NVFP4, "nodePools.l4.hardware.accelerator": BLACKWELL}
SPEED = ("plan models.qwen3-8b.capacity.speed",)
ZONE_A = {"cluster.zones": ["us-central1-a"]}
SMALLER = {MODEL: SMALL | {"scaling": {"floor": 1, "ceiling": 2}, "revision": "0" * 40}}
SHARED = SMALLER | {f"{MODEL}.engine": {"maxModelLen": 2048, "gpuMemoryUtilization": 0.3}}
PARTS = {
    "nodePools.l4.machineType": "a2-ultragpu-1g",
    "cluster.zones": ["us-central1-a"],
    "nodePools.l4.gpuPartitionSize": "1g.10gb",
} | SMALLER
RELEASE = "Release values"
ALERTING, HOOK = f"{MONITORING}.alerting", "https://alerts.acme.example/hook"
RECEIVERS = f"{RELEASE}.alertmanager.config.receivers"
SLACK = {ALERTING: {"slack": {"channel": "#llm"}}, "secrets.slackWebhookUrl": KEY}
PAGED = {ALERTING: {"pagerDuty": {}}, "secrets.pagerDutyRoutingKey": KEY}
COLLECTOR = "http://otel.acme.example:4318"
TRACED = {"platform.tracing": {"endpoint": "http://otel.tracing.svc:4318"}}
WINDOW = "Cluster maintenancePolicy.recurringWindow"

EFFECTS = {
    f"{GKE}.provider": Effect("existing", ("-Cluster name", "-NodePool cluster"), beside=EXISTING),
    f"{GKE}.name": Effect("llm-2", ("Cluster name=llm-2", "Network name=llm-2", "Account accountId=llm-2-nodes")),
    f"{GKE}.zones": Effect(["us-central1-a", "us-central1-c"], ("Cluster nodeLocations=us-central1-c",
         "NodePool nodeLocations=us-central1-c")),
    f"{GKE}.gpuStack": Effect(
        "driver-installer",
        ("NodePool nodeConfig.guestAccelerators.gpuDriverInstallationConfig.gpuDriverVersion=INSTALLATION_DISABLED",
         "DaemonSet metadata.name", f"{RELEASE}.devicePlugin.enabled=True"),
    ),
    f"{GKE}.releaseChannel": Effect("RAPID", ("Cluster releaseChannel.channel=RAPID",)),
    f"{GKE}.deletionProtection": Effect(False, ("Cluster deletionProtection=False", "Cluster options.protect=False")),
    f"{GKE}.externalDnsEndpoint": Effect(
        False, ("Cluster controlPlaneEndpointsConfig.dnsEndpointConfig.allowExternalTraffic=False",)
    ),
    f"{GKE}.ranges.nodes": Effect("10.1.0.0/20", ("Subnetwork ipCidrRange=10.1.0.0/20",)),
    f"{GKE}.ranges.pods": Effect("10.32.0.0/14", ("Subnetwork secondaryIpRanges.ipCidrRange=10.32.0.0/14",)),
    f"{GKE}.ranges.services": Effect(
        "10.9.0.0/20",
        ("Subnetwork secondaryIpRanges.ipCidrRange=10.9.0.0/20", "NetworkPolicy spec.egress.to.ipBlock.cidr=10.9.0.0/20"),
    ),
    f"{GKE}.maintenance.startTime": Effect("2026-01-03T04:00:00Z", (f"{WINDOW}.startTime=2026-01-03T04:00:00Z",)),
    f"{GKE}.maintenance.endTime": Effect("2026-01-03T12:00:00Z", (f"{WINDOW}.endTime=2026-01-03T12:00:00Z",)),
    f"{GKE}.maintenance.recurrence": Effect("FREQ=DAILY", (f"{WINDOW}.recurrence=FREQ=DAILY",)),
    f"{GKE}.systemPool.min": Effect(3, ("NodePool autoscaling.totalMinNodeCount=3", "plan cost")),
    f"{GKE}.systemPool.max": Effect(9, ("NodePool autoscaling.totalMaxNodeCount=9",)),
    f"{GKE}.systemPool.machineType": Effect("e2-standard-8", ("NodePool nodeConfig.machineType=e2-standard-8", "plan cost")),
    f"{GKE}.maxPodsPerNode": Effect(64, ("NodePool maxPodsPerNode=64",)),
    f"{SECURITY}.secretsKmsKey": Effect(f"{RING}/secrets", ("Cluster databaseEncryption.state=ENCRYPTED",
         f"Cluster databaseEncryption.keyName={RING}/secrets", f"CryptoKeyIAMMember cryptoKeyId={RING}/secrets")),
    f"{SECURITY}.diskKmsKey": Effect(f"{RING}/disks", (f"NodePool nodeConfig.bootDiskKmsKey={RING}/disks",
         f"CryptoKeyIAMMember cryptoKeyId={RING}/disks")),
    f"{SECURITY}.binaryAuthorization": Effect("PROJECT_SINGLETON_POLICY_ENFORCE",
         ("Cluster binaryAuthorization.evaluationMode=PROJECT_SINGLETON_POLICY_ENFORCE",)),
    f"{SECURITY}.authenticatorGroup": Effect("gke-security-groups@acme.example",
         ("Cluster authenticatorGroupsConfig.securityGroup=gke-security-groups@acme.example",)),
    f"{SECURITY}.controlPlaneLogs": Effect(["APISERVER"], ("Cluster loggingConfig.enableComponents=APISERVER",)),
    f"{SECURITY}.networkPolicyLogging": Effect("DENIED", ("NetworkLoggingPatch spec.cluster.deny.log=True",)),
    f"{GKE}.generation": Effect(2, ("kubernetes clusterIdentifier=acme-llm/us-central1/llm/g2",)),
    f"{OTHER}.provider": Effect("gke", ("refused: cluster.",), EXISTING),
    f"{OTHER}.name": Effect("lab-2", ("kubernetes clusterIdentifier=existing/lab-2/g1",), EXISTING),
    f"{OTHER}.context": Effect("kind-lab", ("kubernetes context=kind-lab", "outputs kubeconfigCommand"), EXISTING),
    f"{OTHER}.kubeconfig": Effect("/tmp/lab", ("kubernetes kubeconfig=/tmp/lab", "outputs kubeconfigCommand"), EXISTING),
    f"{OTHER}.serviceRange": Effect("10.200.0.0/16", ("NetworkPolicy spec.egress.to.ipBlock.cidr=10.200.0.0/16",), EXISTING),
    f"{OTHER}.generation": Effect(2, ("kubernetes clusterIdentifier=existing/lab/g2",), EXISTING),
    f"{POOL}.machineType": Effect("g2-standard-16", ("NodePool nodeConfig.machineType=g2-standard-16",)),
    f"{HARDWARE}.vcpus": Effect(8, ("Deployment spec.template.spec.containers.resources.requests.cpu",), EXISTING),
    f"{HARDWARE}.memoryGiB": Effect(48, ("Deployment spec.template.spec.containers.resources.requests.memory",), EXISTING),
    f"{HARDWARE}.gpus": Effect(2, ("Deployment spec.template.spec.containers.resources.requests.memory",), EXISTING),
    f"{ACCELERATOR}.name": Effect("acme-gpu", ("plan pools.l4.pool.machine",), PLANNED),
    f"{ACCELERATOR}.memoryGiB": Effect(40, ("plan models.qwen3-8b.memory.kv_cache",), PLANNED),
    f"{ACCELERATOR}.computeCapability": Effect(7.5, ("plan warnings",), PLANNED),
    f"{ACCELERATOR}.memoryBandwidthGBps": Effect(500, SPEED, PLANNED),
    f"{ACCELERATOR}.bf16Tflops": Effect(60, SPEED, PLANNED),
    f"{ACCELERATOR}.fp8Tflops": Effect(60, SPEED, PLANNED | {f"{MODEL}.source": "Qwen/Qwen3-8B-FP8"}),
    f"{ACCELERATOR}.fp4Tflops": Effect(60, SPEED, FP4),
    f"{ACCELERATOR}.interconnect": Effect("nvlink", SPEED, PAIR),
    f"{ACCELERATOR}.interconnectGBps": Effect(16, SPEED, PAIR),
    f"{POOL}.onDemand.min": Effect(2, ("NodePool autoscaling.totalMinNodeCount=2", "plan cost.total.floor")),
    f"{POOL}.onDemand.max": Effect(5, ("NodePool autoscaling.totalMaxNodeCount=5",)),
    f"{POOL}.onDemand.nodeSelector": Effect({"gpu": "l4"}, ("Deployment spec.template.spec.nodeSelector.gpu=l4",), EXISTING),
    f"{POOL}.spot.min": Effect(1, ("NodePool autoscaling.totalMinNodeCount=1", "plan cost.total.floor")),
    f"{POOL}.spot.max": Effect(7, ("NodePool autoscaling.totalMaxNodeCount=7",)),
    f"{POOL}.spot.nodeSelector": Effect({"gpu": "l4"}, ("Deployment spec.template.spec.nodeSelector.gpu=l4",), EXISTING),
    f"{POOL}.zones": Effect(["us-central1-a"], ("-NodePool nodeLocations=us-central1-b",)),
    f"{POOL}.bootDiskGiB": Effect(300, ("NodePool nodeConfig.bootDisk.sizeGb=300",)),
    f"{POOL}.imageStreaming": Effect(False, ("NodePool nodeConfig.gcfsConfig.enabled=False",)),
    f"{POOL}.upgrade.maxSurge": Effect(2, ("NodePool upgradeSettings.maxSurge=2", "NodePool upgradeSettings.maxUnavailable=0")),
    f"{POOL}.upgrade.maxUnavailable": Effect(2, ("NodePool upgradeSettings.maxUnavailable=2",)),
    f"{POOL}.replacement": Effect(
        "delete-first", ("plan node_changes.l4.replacement=delete-first", "NodePool options.delete_before_replace=True")
    ),
    f"{GKE}.gpuQuota": Effect({"nvidia-l4": 4}, ("plan node_changes.l4.replacement=delete-first",), {f"{MODEL}.scaling.floor": 3}),
    f"{POOL}.imageDisk": Effect(
        "global/images/vllm",
        ("NodePool nodeConfig.secondaryBootDisks.diskImage=global/images/vllm",
         "NodePool nodeConfig.secondaryBootDisks.mode=CONTAINER_IMAGE_CACHE", "plan models.qwen3-8b.startup.image"),
    ),
    f"{POOL}.gpuSharing.strategy": Effect(
        "MPS", ("NodePool nodeConfig.guestAccelerators.gpuSharingConfig.gpuSharingStrategy=MPS",), SHARED,
        {"nodePools.l4.gpuSharing": {"maxClientsPerGpu": 2}},
    ),
    f"{POOL}.gpuSharing.maxClientsPerGpu": Effect(
        3, ("NodePool nodeConfig.guestAccelerators.gpuSharingConfig.maxSharedClientsPerGpu=3",), SHARED,
        {"nodePools.l4.gpuSharing": {"strategy": "TIME_SHARING"}},
    ),
    f"{POOL}.gpuPartitionSize": Effect("2g.20gb", ("NodePool nodeConfig.guestAccelerators.gpuPartitionSize=2g.20gb",), PARTS),
    f"{POOL}.reservation": Effect(
        "l4-2026",
        ("NodePool nodeConfig.reservationAffinity.values=l4-2026",
         "NodePool nodeConfig.reservationAffinity.consumeReservationType=SPECIFIC_RESERVATION",
         "NodePool nodeConfig.reservationAffinity.key=compute.googleapis.com/reservation-name"),
    ),
    "platform.autoscaler.enabled": Effect(
        False, ("-Release name=keda", "-Namespace metadata.name=keda", "-ScaledObject spec.scaleTargetRef.name=qwen3-8b-burst")
    ),
    "platform.metricsServer": Effect(True, ("Release name=metrics-server", "Namespace metadata.name=metrics-server"), EXISTING),
    "platform.gpuOperator.enabled": Effect(False, ("-Release name=gpu-operator", "-Namespace metadata.name=gpu-operator")),
    "platform.gpuOperator.podQuota": Effect(170, ("ResourceQuota spec.hard.pods=170",)),
    f"{ALERTING}.runbooksUrl": Effect(
        "https://git.acme.example/runbooks", ("PrometheusRule spec.groups.rules.annotations.runbook_url", "ConfigMap data.vllm-model.json")
    ),
    f"{ALERTING}.slack.channel": Effect("#other", (f"{RECEIVERS}.slack_configs.channel=#other",), SLACK),
    f"{ALERTING}.slack.severities": Effect(["critical"], (f"-{RECEIVERS}.slack_configs.channel=#llm",), SLACK),
    f"{ALERTING}.pagerDuty.severities": Effect(["critical", "warning"], (f"{RECEIVERS}.pagerduty_configs.routing_key_file",), PAGED),
    f"{ALERTING}.webhook.url": Effect(HOOK, (f"{RECEIVERS}.webhook_configs.url={HOOK}",)),
    f"{ALERTING}.webhook.severities": Effect(
        ["critical"], (f"-{RECEIVERS}.webhook_configs.url={HOOK}",), {ALERTING: {"webhook": {"url": HOOK}}}
    ),
    "platform.tracing.endpoint": Effect(
        "http://otel.tracing.svc:4318", ("Deployment spec.template.spec.containers.args=--otlp-traces-endpoint",
         "Secret stringData.bootstrap.json.static_resources.listeners.filter_chains.filters.typed_config.tracing")
    ),
    "platform.tracing.endpointRange": Effect(
        "10.9.9.0/24", ("NetworkPolicy spec.egress.to.ipBlock.cidr=10.9.9.0/24",),
        {"platform.tracing": {"endpoint": COLLECTOR, "endpointRange": "10.8.8.0/24"}}
    ),
    "platform.tracing.samplingPercent": Effect(
        50, ("Deployment spec.template.spec.containers.env.value=0.5", "plan gateway.tracing.samplingPercent=50.0"), TRACED
    ),
    "platform.logFormat": Effect(
        "json", ('Deployment spec.template.spec.containers.args=--logging-config={"formatter": "json"}',)
    ),
    f"{MONITORING}.enabled": Effect(
        False, ("-Release name=kube-prometheus-stack", "-PodMonitor metadata.name=qwen3-8b",
        f"{RELEASE}.dcgmExporter.serviceMonitor.enabled=False")
    ),
    f"{MONITORING}.retentionDays": Effect(3, (f"{RELEASE}.prometheus.prometheusSpec.retention=3d",)),
    f"{MONITORING}.storageGiB": Effect(
        100, (f"{RELEASE}.prometheus.prometheusSpec.storageSpec.volumeClaimTemplate.spec.resources.requests.storage=100Gi",)
    ),
    f"{MONITORING}.storageClass": Effect(
        "fast", (f"{RELEASE}.prometheus.prometheusSpec.storageSpec.volumeClaimTemplate.spec.storageClassName=fast",
                 f"{RELEASE}.grafana.persistence.storageClassName=fast")
    ),
    f"{MONITORING}.scrapeControlPlane": Effect(True, tuple(f"-{RELEASE}.{part}.enabled=False"
         for part in ("kubeControllerManager", "kubeScheduler", "kubeEtcd", "kubeProxy")), stack=EXISTING),
    f"{MONITORING}.scrapeIntervalSeconds": Effect(
        10, ("PodMonitor spec.podMetricsEndpoints.interval=10s", f"{RELEASE}.prometheus.prometheusSpec.scrapeInterval=10s",
             f"{RELEASE}.dcgmExporter.serviceMonitor.interval=10s")
    ),
    "platform.chartMirror": Effect("oci://mirror.example/charts", ("Release chart=oci://mirror.example/charts/gpu-operator",)),
    "platform.imageMirror": Effect(
        "registry.acme.example/mirror",
        ("Deployment spec.template.spec.containers.image=registry.acme.example/mirror/vllm/vllm-openai:v0.33.0",
         f"{RELEASE}.operator.repository=registry.acme.example/mirror/nvidia",
         f"{RELEASE}.toolkit.repository=registry.acme.example/mirror/nvidia/k8s",
         f"{RELEASE}.grafana.image.registry=registry.acme.example/mirror",
         f"{RELEASE}.prometheus.prometheusSpec.image.registry=registry.acme.example/mirror",
         f"{RELEASE}.kube-state-metrics.image.registry=registry.acme.example/mirror"),
    ),
    "platform.requirePinnedRevisions": Effect(
        False, ("-refused: models.qwen3-8b.revision",), {f"{MODEL}.source": "Qwen/Qwen3-4B-Base", f"{MODEL}.revision": None}
    ),
}  # fmt: skip
