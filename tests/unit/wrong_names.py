"""Wrong stacks with names that Kubernetes, Google or a registry refuses, or with reserved annotations."""

from tests.unit.wrong_gateways import BALANCER, GOOGLE, INGRESS
from tests.unit.wrong_models import EXISTING, MODEL

OPEN = BALANCER | {"gateway.insecure": True}
LABEL_64 = "a" * 64
GKE_TYPE = "networking.gke.io/load-balancer-type"
AWS_SCHEME = "service.beta.kubernetes.io/aws-load-balancer-scheme"


def service(annotations, **more):
    return OPEN | {"gateway.loadBalancer": {"annotations": annotations} | more}


def ingress(annotations):
    return INGRESS | {"gateway.ingress": {"className": "nginx", "tlsSecretName": "llm", "annotations": annotations}}


def host(name):
    return GOOGLE | {"gateway.host": name}, "gateway.host", "is not a DNS name", "llm.example.com"


def mirror(address, reason="is not a registry", fix="registry.example.com/mirror"):
    return {"platform.imageMirror": address}, "platform.imageMirror", reason, fix


def project(name):
    return {"gcp:project": name}, "gcp:project", "cannot be a project's id", "6 to 30"


# name: (changes to a stack that works, path of the problem, words of the reason, words of the fix)
WRONG = {
    "project's name": project("Acme LLM"),
    "project of four letters": project("acme"),
    "project of 31 letters": project("a" * 31),
    "project that ends with a dash": project("acme-llm-"),
    "project's number": project("123456789012"),
    "reservation with blanks": (
        {"nodePools.l4.reservation": "my l4"},
        "nodePools.l4.reservation",
        "not a Compute Engine reservation",
        "name",
    ),
    "reservation by its whole address": (
        {"nodePools.l4.reservation": "projects/acme-llm/zones/us-central1-a/reservations/l4"},
        "nodePools.l4.reservation",
        "not a Compute Engine reservation",
        "projects/<owner>/reservations/<name>",
    ),
    "reservation in capitals": ({"nodePools.l4.reservation": "L4"}, "nodePools.l4.reservation", "not a Compute Engine reservation", "name"),
    "storage class with blanks": (
        {"platform.monitoring": {"storageClass": "Premium RWO"}},
        "platform.monitoring.storageClass",
        "not the name of a Kubernetes object",
        "lower-case",
    ),
    "Secret's name of 254 letters": (
        BALANCER | {"gateway.tls": {"secretName": "a" * 254}},
        "gateway.tls.secretName",
        "not the name of a Kubernetes object",
        "253",
    ),
    "Secret's name with two dots": (
        BALANCER | {"gateway.tls": {"secretName": "llm..tls"}},
        "gateway.tls.secretName",
        "not the name of a Kubernetes object",
        "253",
    ),
    "namespace with a dot": ({"gateway.clientNamespaces": ["a.b"]}, "gateway.clientNamespaces[0]", "not the name of a namespace", "63"),
    "policy with an underscore": (
        GOOGLE | {"gateway.gkeGateway": {"certificateMap": "map", "securityPolicy": "llm_edge"}},
        "gateway.gkeGateway.securityPolicy",
        "not a name of Google Cloud",
        "63",
    ),
    "certificate map that starts with a digit": (
        GOOGLE | {"gateway.gkeGateway": {"certificateMap": "1map"}},
        "gateway.gkeGateway.certificateMap",
        "not a name of Certificate Manager",
        "a letter first",
    ),
    "host that is an address": host("10.0.0.1"),
    "host with a label of 64 letters": host(f"{LABEL_64}.example.com"),
    "host of 254 letters": host(".".join(["a" * 62] * 4) + ".ab"),
    "host with a wildcard": host("*.example.com"),
    "host of one label": host("llm"),
    "host with a port": host("llm.example.com:443"),
    "host with a dot at the end": host("llm.example.com."),
    "host with an underscore": host("llm_api.example.com"),
    "mirror with blanks": mirror("registry.example.com/my mirror"),
    "mirror without a host": mirror("mirror/images"),
    "mirror of one word": mirror("mirror"),
    "mirror in capitals": mirror("registry.example.com/Mirror"),
    "mirror with a tag": mirror("registry.example.com/mirror:latest"),
    "mirror with a path only": mirror("/mirror"),
    "charts without a host": ({"platform.chartMirror": "https://"}, "platform.chartMirror", "has no host", "oci://"),
    "charts with blanks": ({"platform.chartMirror": "oci://r.example/my charts"}, "platform.chartMirror", "has no host", "oci://"),
    "charts in a folder of blanks": ({"platform.chartMirror": "  "}, "platform.chartMirror", "is not a folder", "path"),
    "internal balancer made external": (
        service({GKE_TYPE: "External"}, scope="internal"),
        f"gateway.loadBalancer.annotations.{GKE_TYPE}",
        "not yours to set",
        "use gateway.loadBalancer.scope",
    ),
    "internal balancer made external by the old annotation": (
        service({"cloud.google.com/load-balancer-type": "External"}),
        "gateway.loadBalancer.annotations.cloud.google.com/load-balancer-type",
        "not yours to set",
        "gateway.loadBalancer.scope",
    ),
    "balancer of another kind": (
        service({"cloud.google.com/l4-rbs": "enabled"}),
        "gateway.loadBalancer.annotations.cloud.google.com/l4-rbs",
        "not yours to set",
        "gateway.loadBalancer.scope",
    ),
    "internal balancer made external on another cloud": (
        EXISTING | service({AWS_SCHEME: "internet-facing"}),
        f"gateway.loadBalancer.annotations.{AWS_SCHEME}",
        "contradicts gateway.loadBalancer.scope, which is internal",
        "scope to external",
    ),
    "external balancer made internal on another cloud": (
        EXISTING
        | service({"service.beta.kubernetes.io/azure-load-balancer-internal": "true"}, scope="external", sourceRanges=["198.51.100.0/24"]),
        "gateway.loadBalancer.annotations.service.beta.kubernetes.io/azure-load-balancer-internal",
        "contradicts",
        "scope to internal",
    ),
    "sources by an annotation": (
        EXISTING | service({"service.beta.kubernetes.io/load-balancer-source-ranges": "0.0.0.0/0"}),
        "gateway.loadBalancer.annotations.service.beta.kubernetes.io/load-balancer-source-ranges",
        "not yours to set",
        "gateway.loadBalancer.sourceRanges",
    ),
    "Pulumi's annotation": (
        service({"pulumi.com/skipAwait": "true"}),
        "gateway.loadBalancer.annotations.pulumi.com/skipAwait",
        "not yours to set",
        "the program decides",
    ),
    "the program's annotation": (
        ingress({"vllm-platform/bootstrap": "x"}),
        "gateway.ingress.annotations.vllm-platform/bootstrap",
        "not yours to set",
        "the program writes them itself",
    ),
    "class by an annotation": (
        ingress({"kubernetes.io/ingress.class": "traefik"}),
        "gateway.ingress.annotations.kubernetes.io/ingress.class",
        "not yours to set",
        "gateway.ingress.className",
    ),
    "host by an annotation": (
        ingress({"nginx.ingress.kubernetes.io/server-alias": "other.example.com"}),
        "gateway.ingress.annotations.nginx.ingress.kubernetes.io/server-alias",
        "not yours to set",
        "gateway.host",
    ),
    "no redirect to TLS": (
        ingress({"nginx.ingress.kubernetes.io/ssl-redirect": "false"}),
        "gateway.ingress.annotations.nginx.ingress.kubernetes.io/ssl-redirect",
        "without TLS",
        "gateway.insecure: true",
    ),
    "annotation without a name": (
        service({"acme.example/": "x"}),
        "gateway.loadBalancer.annotations",
        "not the key of an annotation",
        "acme.example/owner",
    ),
    "annotation's name of 64 letters": (
        service({f"acme.example/{LABEL_64}": "x"}),
        "gateway.loadBalancer.annotations",
        "not the key of an annotation",
        "at most 63",
    ),
    "annotations beyond what an object holds": (
        ingress({"acme.example/notes": "x" * 256 * 1024}),
        "gateway.ingress.annotations",
        "256 KiB",
        "shorten",
    ),
    "annotation that is no text": (service({"acme.example/a": 1}), "gateway.loadBalancer.annotations.acme.example/a", "1", "give text"),
    "claim that never binds": (
        {f"{MODEL}.weights": {"cache": "persistent-volume-claim"}},
        f"{MODEL}.weights.storageClass",
        "never binds",
        "Filestore",
    ),
    "claim of a disk that never binds": (
        {f"{MODEL}.weights": {"cache": "persistent-volume-claim", "storageClass": "premium-rwo"}},
        f"{MODEL}.weights.storageClass",
        "'premium-rwo' provisions disks",
        "Filestore",
    ),
}
