"""Valid stacks, each similar to a wrong one, as changes to a valid stack. All must be accepted."""

from tests.unit.wrong_gateways import BALANCER, GOOGLE, INGRESS
from tests.unit.wrong_models import EXISTING, MODEL

OPEN = BALANCER | {"gateway.insecure": True}
LABEL_63 = "a" * 63
SUBDOMAIN_253 = ".".join(["a" * 49] * 5) + ".abc"
SMALL = {"source": "Qwen/Qwen3-0.6B", "nodePool": "l4", "engine": {"maxModelLen": 2048}}
RILB = {"className": "gke-l7-rilb", "regionalCertificate": "llm_cert", "proxySubnet": "10.129.0.0/23"}


def place(region, *zones, **changes):
    return {"gcp:region": region, "cluster.zones": [f"{region}-{zone}" for zone in zones]} | changes


RIGHT = {
    "Secret's name with dots, 253 letters": BALANCER | {"gateway.tls": {"secretName": SUBDOMAIN_253}},
    "IngressClass with dots": INGRESS | {"gateway.ingress": {"className": "nginx.acme.example", "tlsSecretName": "llm.example.com"}},
    "names that start with a digit": INGRESS | {"gateway.ingress": {"className": "1nginx", "tlsSecretName": "0tls", "namespace": "2nd"}},
    "namespaces of 63 letters": {"gateway.clientNamespaces": [LABEL_63, "0team"]},
    "storage class with dots": {"platform.monitoring": {"storageClass": "fast.acme.example"}},
    "host with labels of 63 letters": GOOGLE | {"gateway.host": f"{LABEL_63}.example.com"},
    "host of two labels": GOOGLE | {"gateway.host": "acme.ai"},
    "host with a number in front": GOOGLE | {"gateway.host": "1.llm.example.com"},
    "international host": GOOGLE | {"gateway.host": "xn--bcher-kva.xn--p1ai"},
    "certificate map with underscores": GOOGLE | {"gateway.gkeGateway": {"certificateMap": "LLM_map-1"}},
    "internal gateway of Google's": GOOGLE | {"gateway.gkeGateway": RILB},
    "traces to a Service": {"platform.tracing": {"endpoint": "http://otel.tracing.svc.cluster.local:4318"}},
    "traces to a server of the company": {"platform.tracing": {"endpoint": "http://otel.acme.example:4318", "endpointRange": "10.0.0.0/8"}},
    "traces to the internet": {"platform.tracing": {"endpoint": "https://otlp.example.com", "samplingPercent": 0.1}},
    "project of six letters": {"gcp:project": "acme-1"},
    "project of a domain": {"gcp:project": "example.com:acme-llm"},
    "reservation": {"nodePools.l4.reservation": "l4-2026"},
    "reservation of another project": {"nodePools.l4.reservation": "projects/acme-gpus/reservations/l4"},
    "block of a reservation": {"nodePools.l4.reservation": "projects/acme-gpus/reservations/l4/reservationBlocks/b1"},
    "machine sold as spot only, reserved": {"nodePools.l4.machineType": "a3-highgpu-1g", "nodePools.l4.reservation": "h100"},
    "machine sold as spot only, as spot": {
        "nodePools.l4": {"machineType": "a3-highgpu-1g", "spot": {"max": 2}},
        f"{MODEL}.scaling": {"floor": 0, "ceiling": 1},
    },
    "mirror with a port": {"platform.imageMirror": "registry:5000/mirror"},
    "mirror on this machine": {"platform.imageMirror": "localhost/mirror"},
    "mirror with a slash at the end": {"platform.imageMirror": "europe-docker.pkg.dev/acme-llm/mirror/"},
    "mirror with dots and underscores": {"platform.imageMirror": "registry.acme.example/a__b/c.d-e"},
    "mirror by address": {"platform.imageMirror": "10.0.0.5:5000"},
    "charts by OCI with a port": {"platform.chartMirror": "oci://registry.acme.example:5000/charts"},
    "charts in a folder": {"platform.chartMirror": "../charts of ours"},
    "annotations of the user's": OPEN
    | {
        "gateway.loadBalancer": {
            "annotations": {
                "acme.example/owner": "platform",
                "networking.gke.io/internal-load-balancer-allow-global-access": "true",
                "external-dns.alpha.kubernetes.io/hostname": "llm.acme.example",
                "owner": "",
            }
        }
    },
    "internal on another cloud": EXISTING
    | OPEN
    | {"gateway.loadBalancer": {"annotations": {"service.beta.kubernetes.io/aws-load-balancer-internal": "true"}}},
    "timeouts of a controller": INGRESS
    | {
        "gateway.ingress": {
            "className": "nginx",
            "tlsSecretName": "llm",
            "annotations": {"nginx.ingress.kubernetes.io/proxy-read-timeout": "3600", "nginx.ingress.kubernetes.io/ssl-redirect": "true"},
        }
    },
    "everybody may connect": OPEN | {"gateway.loadBalancer": {"scope": "external", "sourceRanges": ["0.0.0.0/0"]}},
    "fraction as Pulumi writes it": {f"{MODEL}.engine.gpuMemoryUtilization": "0.9"},
    "number as text": {f"{MODEL}.scaling.ceiling": "3"},
    "L4 in Europe": place("europe-west1", "b", "c"),
    "L4 in Canada": place("northamerica-northeast1", "b", "c"),
    "L4 in a region of three": place("us-west1", "a", "b", "c"),
    "T4 in a zone": place("us-west2", "b", **{"nodePools.l4.machineType": "n1-standard-8", MODEL: SMALL}),
    "zone of the system pool alone": {"cluster.zones": ["us-central1-a", "us-central1-f"], "nodePools.l4.zones": ["us-central1-a"]},
    "N4 for the system pool": {"cluster.systemPool": {"machineType": "n4-standard-4"}},
    "addresses of class E": {"cluster.ranges": {"pods": "240.16.0.0/14"}},
    "addresses of carriers": {"cluster.ranges": {"pods": "100.64.0.0/14", "services": "100.68.0.0/20"}},
    "Services of a small stack": {"cluster.ranges": {"services": "10.8.0.0/26"}},
    "maintenance every night": {
        "cluster.maintenance": {"startTime": "2026-01-03T01:00:00Z", "endTime": "2026-01-03T05:00:00Z", "recurrence": "FREQ=DAILY"}
    },
    "maintenance on weekdays": {"cluster.maintenance": {"recurrence": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH"}},
    "maintenance at night in Berlin": {
        "cluster.maintenance": {"startTime": "2026-01-03T22:00:00+01:00", "endTime": "2026-01-04T06:00:00+01:00"}
    },
    "two tiers by label": EXISTING
    | {
        "nodePools.l4.onDemand": {"max": 4, "nodeSelector": {"gpu": "l4", "spot": "false"}},
        "nodePools.l4.spot": {"max": 2, "nodeSelector": {"gpu": "l4", "spot": "true"}},
    },
    "claim of a class of one's own": {f"{MODEL}.weights": {"cache": "persistent-volume-claim", "storageClass": "filestore"}},
    "claim of one replica": {
        f"{MODEL}.weights": {"cache": "persistent-volume-claim", "accessMode": "ReadWriteOnce"},
        f"{MODEL}.scaling": {"floor": 1, "ceiling": 1},
    },
    "parts of an H200": {
        **place("us-central1", "b"),
        "nodePools.l4.machineType": "a3-ultragpu-8g",
        "nodePools.l4.gpuPartitionSize": "1g.18gb",
        MODEL: SMALL,
    },
    "parts of an RTX PRO 6000": {
        **place("us-central1", "b"),
        "nodePools.l4.machineType": "g4-standard-48",
        "nodePools.l4.gpuPartitionSize": "1g.24gb",
        MODEL: SMALL,
    },
    "large requests in a large gateway": {"gateway.maxBodyMiB": 1024, "gateway.memoryGiB": 6},
}
