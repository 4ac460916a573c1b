"""Wrong stacks whose problem is in `gateway`: changes to a valid stack and the expected problem."""

from tests.unit.wrong_models import EXISTING, MODEL

KEY = {"secure": "v1:aaaa:bbbb"}
CLIENT = {"gateway.authentication": "api-key", "gateway.clients": {"team-a": {}}, "secrets.clientKeys": {"team-a": KEY}}
BALANCER = CLIENT | {"gateway.exposure": "load-balancer"}
GOOGLE = CLIENT | {"gateway.exposure": "gke-gateway", "gateway.host": "llm.example.com", "gateway.gkeGateway": {"certificateMap": "map"}}
CONTROLLER = {"gateway.ingress": {"className": "nginx", "tlsSecretName": "llm"}}
INGRESS = CLIENT | {"gateway.exposure": "ingress", "gateway.host": "llm.example.com"} | CONTROLLER
WORK = (CLIENT, BALANCER | {"gateway.tls": {"secretName": "llm"}}, BALANCER | {"gateway.insecure": True}, GOOGLE, INGRESS)

# name: (changes to a stack that works, path of the problem, words of the reason, words of the fix)
WRONG = {
    "typo at the gateway": ({"gateway.exposre": "ingress"}, "gateway.exposre", "unknown key", "exposure"),
    "requests too large for the pod": (
        {"gateway.maxBodyMiB": 256},
        "gateway.memoryGiB",
        "2 requests each of 256 MiB",
        "raise it to 1.6 or more, or lower gateway.maxBodyMiB",
    ),
    "many worker threads in little memory": (
        {"gateway.cpu": 8},
        "gateway.memoryGiB",
        "1 GiB are too few for 8 worker threads",
        "raise it to 1.6 or more, or lower gateway.maxBodyMiB",
    ),
    "unknown exposure": ({"gateway.exposure": "nodeport"}, "gateway.exposure", "'nodeport'", "'load-balancer'"),
    "nobody may call": ({"gateway.authentication": "api-key"}, "gateway.clients", "nobody", "authentication to none"),
    "client without a key": (
        CLIENT | {"secrets.clientKeys": {}},
        "secrets.clientKeys.team-a",
        "has no key",
        "pulumi config set --secret --path 'secrets.clientKeys.team-a'",
    ),
    "key of nobody": (
        CLIENT | {"secrets.clientKeys": {"team-a": KEY, "team-aa": KEY}},
        "secrets.clientKeys.team-aa",
        "no such client",
        "did you mean 'team-a'",
    ),
    "keys without a gateway": (CLIENT | {"gateway": None}, "secrets.clientKeys", "no gateway", "add a `gateway` section"),
    "key that is no text": (CLIENT | {"secrets.clientKeys": {"team-a": ["a", "b"]}}, "secrets.clientKeys.team-a", "not valid", "text"),
    "open to the network without keys": (
        {"gateway.exposure": "load-balancer", "gateway.insecure": True},
        "gateway.authentication",
        "admits callers from outside the cluster",
        "api-key",
    ),
    "client where nobody says who they are": (
        {"gateway.clients": {"team-a": {}}},
        "gateway.clients.team-a",
        "cannot identify client 'team-a'",
        "api-key",
    ),
    "client of an unknown model": (
        CLIENT | {"gateway.clients": {"team-a": {"models": ["qwen3-8"]}}},
        "gateway.clients.team-a.models[0]",
        "no model 'qwen3-8'",
        "qwen3-8b",
    ),
    "client of no model": (CLIENT | {"gateway.clients": {"team-a": {"models": []}}}, "gateway.clients.team-a.models", "[]", "at least 1"),
    "unknown default model": (
        CLIENT | {"gateway.clients": {"team-a": {"defaultModel": "x"}}},
        "gateway.clients.team-a.defaultModel",
        "no model 'x'",
        "models of this stack: qwen3-8b",
    ),
    "default model that the client may not use": (
        CLIENT
        | {
            "models.other": {"source": "Qwen/Qwen3-0.6B", "nodePool": "l4"},
            "gateway.clients": {"team-a": {"models": ["other"], "defaultModel": "qwen3-8b"}},
        },
        "gateway.clients.team-a.defaultModel",
        "not among its models",
        "add it to them",
    ),
    "rate of nothing": (
        CLIENT | {"gateway.clients": {"team-a": {"requestsPerMinute": 0}}},
        "gateway.clients.team-a.requestsPerMinute",
        "0",
        "greater than 0",
    ),
    "client's name": (
        CLIENT | {"gateway.clients": {"Team A": {}}, "secrets.clientKeys": {}},
        "gateway.clients.Team A",
        "not a Kubernetes name",
        "lower-case",
    ),
    "load balancer in the clear": (BALANCER, "gateway.tls", "in the clear", "secretName"),
    "Google's gateway in the clear": (
        GOOGLE | {"gateway.gkeGateway": {}},
        "gateway.gkeGateway.certificateMap",
        "in the clear",
        "gateway.insecure: true",
    ),
    "ingress in the clear": (
        INGRESS | {"gateway.ingress": {"className": "nginx"}},
        "gateway.ingress.tlsSecretName",
        "in the clear",
        "certificate's Secret",
    ),
    "internet without saying who": (
        BALANCER | {"gateway.tls": {"secretName": "llm"}, "gateway.loadBalancer": {"scope": "external"}},
        "gateway.loadBalancer.sourceRanges",
        "open to the whole internet",
        "0.0.0.0/0",
    ),
    "Google's gateway elsewhere": (
        EXISTING | GOOGLE,
        "gateway.exposure",
        "needs provider gke",
        "load-balancer or ingress",
    ),
    "no host": (GOOGLE | {"gateway.host": None}, "gateway.host", "required by exposure 'gke-gateway'", "DNS name"),
    "host that is none": (GOOGLE | {"gateway.host": "https://llm"}, "gateway.host", "is not a DNS name", "llm.example.com"),
    "ingress without a class": (INGRESS | {"gateway.ingress": None}, "gateway.ingress", "required by exposure", "className"),
    "section of another exposure": (
        INGRESS | {"gateway.loadBalancer": {"scope": "internal"}},
        "gateway.loadBalancer",
        "is for exposure 'load-balancer'",
        "remove it",
    ),
    "global certificate for a regional class": (
        GOOGLE | {"gateway.gkeGateway": {"className": "gke-l7-rilb", "certificateMap": "map", "proxySubnet": "10.129.0.0/23"}},
        "gateway.gkeGateway",
        "for the global class",
        "regionalCertificate",
    ),
    "regional class without its proxies": (
        GOOGLE | {"gateway.gkeGateway": {"className": "gke-l7-rilb", "regionalCertificate": "llm"}},
        "gateway.gkeGateway.proxySubnet",
        "proxy-only subnet",
        "give its range",
    ),
    "half an OAuth client": (
        GOOGLE | {"gateway.gkeGateway": {"certificateMap": "map", "iap": {"clientId": "x"}}},
        "gateway.gkeGateway.iap",
        "belong together",
        "both, or neither",
    ),
    "fewest replicas above most": (
        {"gateway.replicas": {"min": 3, "max": 2}},
        "gateway.replicas",
        "min 3 is above max 2",
        "raise max",
    ),
    "silence longer than the request": (
        {"gateway.timeouts": {"idleSeconds": 600, "requestSeconds": 60}},
        "gateway.timeouts.idleSeconds",
        "above requestSeconds",
        "lower it",
    ),
    "gateway pod larger than its node": (
        {"gateway.cpu": 8},
        "gateway.cpu",
        "8 CPUs a pod",
        "systemPool.machineType",
    ),
    "affinity header": (
        {f"{MODEL}.affinity": {"by": "session", "header": "X Session"}},
        f"{MODEL}.affinity.header",
        "not a header's name",
        "lower-case",
    ),
    "flag of the gateway": (
        {f"{MODEL}.engine.extraArgs": ["--max-num-queued-reqs=4"]},
        f"{MODEL}.engine.extraArgs[0]",
        "set by this program",
        "engine.maxQueuedRequests",
    ),
}
