"""Wrong stacks whose problem is in regions, zones, addresses, nodeSelectors or maintenance windows."""

from tests.unit.wrong_gateways import BALANCER, GOOGLE
from tests.unit.wrong_models import EXISTING

BALANCED = BALANCER | {"gateway.insecure": True}
RILB = {"className": "gke-l7-rilb", "regionalCertificate": "llm"}
TWO_TIERS = EXISTING | {"nodePools.l4.onDemand": {"max": 4, "nodeSelector": {"gpu": "l4"}}}


def place(region, *zones, **changes):
    return {"gcp:region": region, "cluster.zones": [f"{region}-{zone}" for zone in zones]} | changes


def prohibited(network, purpose):
    return {"cluster.ranges": {"nodes": network}}, "cluster.ranges.nodes", purpose, "private range"


def window(start, end, recurrence, reason, fix):
    given = {"startTime": start, "endTime": end, "recurrence": recurrence}
    return {"cluster.maintenance": given}, "cluster.maintenance", reason, fix


def recurrence(text):
    return {"cluster.maintenance.recurrence": text}, "cluster.maintenance.recurrence", "recurrence rule", "BYDAY=SA,SU"


# name: (changes to a stack that works, path of the problem, words of the reason, words of the fix)
WRONG = {
    "zone that does not exist": (
        {"cluster.zones": ["us-central1-z"]},
        "cluster.zones[0]",
        "not a zone of region us-central1",
        "us-central1-f",
    ),
    "zone that its region lacks": (place("us-east1", "a"), "cluster.zones[0]", "not a zone of region us-east1", "us-east1-b"),
    "zone without its region": ({"cluster.zones": ["a"]}, "cluster.zones[0]", "not a zone", "us-central1-a"),
    "zone for AI accelerators": (place("us-south1", "ai1b"), "cluster.zones[0]", "not a zone of region us-south1", "us-south1-a"),
    "region that does not exist": (place("us-middle9", "a"), "gcp:region", "'us-middle9' is not a region", "config/catalog/places.yaml"),
    "region as a zone": ({"gcp:region": "us-central1-a"}, "gcp:region", "is not a region", "did you mean 'us-central1'"),
    "zone without an L4": (place("us-east4", "a", "b"), "nodePools.l4.machineType", "not offered in us-east4-b", "us-east4-a, us-east4-c"),
    "zone of the pool without an L4": (
        place("us-west4", "a", "b", **{"nodePools.l4.zones": ["us-west4-b"]}),
        "nodePools.l4.zones",
        "not offered in us-west4-b",
        "us-west4-a, us-west4-c (us-west4-c: in cluster.zones, too)",
    ),
    "region without an L4": (place("us-south1", "a"), "nodePools.l4.machineType", "not offered", "another region"),
    "zone without a T4": (
        place("us-west2", "a", **{"nodePools.l4.machineType": "n1-standard-8"}),
        "nodePools.l4.machineType",
        "T4 is not offered in us-west2-a",
        "us-west2-b",
    ),
    "region without N1": (
        place("us-east5", "a", **{"nodePools.l4.machineType": "n1-standard-8"}),
        "nodePools.l4.machineType",
        "n1-standard-8 is not offered in us-east5-a",
        "another machine type",
    ),
    "zone of the system pool alone that does not exist": (
        {"cluster.zones": ["us-central1-a", "us-central1-z"], "nodePools.l4.zones": ["us-central1-a"]},
        "cluster.zones[1]",
        "not a zone of region us-central1",
        "its zones",
    ),
    "zone without the system pool's machines": (
        place("northamerica-northeast2", "a", **{"cluster.systemPool": {"machineType": "n4-standard-4"}}),
        "cluster.systemPool.machineType",
        "n4-standard-4 is not offered in northamerica-northeast2-a",
        "other zones",
    ),
    "loopback": prohibited("127.0.0.0/16", "loopback"),
    "link-local": prohibited("169.254.0.0/20", "link-local"),
    "multicast": prohibited("224.0.0.0/8", "multicast"),
    "this network": prohibited("0.0.0.0/8", "this network"),
    "everything": prohibited("0.0.0.0/0", "this network"),
    "Google's own": prohibited("199.36.153.8/30", "private access"),
    "Services at loopback": ({"cluster.ranges": {"services": "127.0.0.0/20"}}, "cluster.ranges.services", "loopback", "private range"),
    "existing Services at multicast": (EXISTING | {"cluster.serviceRange": "224.0.0.0/12"}, "cluster.serviceRange", "multicast", "private"),
    "network mask": ({"cluster.ranges": {"nodes": "10.0.0.0/255.255.240.0"}}, "cluster.ranges.nodes", "with its length", "10.0.0.0/20"),
    "range without a length": ({"cluster.ranges": {"nodes": "10.0.0.0"}}, "cluster.ranges.nodes", "with its length", "10.0.0.0/32"),
    "range of IPv6": ({"cluster.ranges": {"nodes": "fd00::/64"}}, "cluster.ranges.nodes", "not an IPv4 range", "10.0.0.0/20"),
    "range with host bits": ({"cluster.ranges": {"nodes": "10.0.8.1/20"}}, "cluster.ranges.nodes", "lies inside it", "write 10.0.0.0/20"),
    "source without a length": (
        BALANCED | {"gateway.loadBalancer": {"sourceRanges": ["203.0.113.7"]}},
        "gateway.loadBalancer.sourceRanges[0]",
        "with its length",
        "203.0.113.7/32",
    ),
    "source at loopback": (
        BALANCED | {"gateway.loadBalancer": {"sourceRanges": ["127.0.0.1/32"]}},
        "gateway.loadBalancer.sourceRanges[0]",
        "loopback",
        "private",
    ),
    "too few Services": ({"cluster.ranges": {"services": "10.8.0.0/28"}}, "cluster.ranges.services", "at most /27", "/20"),
    "too many Services": ({"cluster.ranges": {"services": "10.8.0.0/13"}}, "cluster.ranges.services", "at least /16", "/20"),
    "nodes in a subnet of four": ({"cluster.ranges": {"nodes": "10.0.0.0/30"}}, "cluster.ranges.nodes", "/29", "/20"),
    "proxies among the nodes": (
        GOOGLE | {"gateway.gkeGateway": RILB | {"proxySubnet": "10.0.2.0/23"}},
        "gateway.gkeGateway.proxySubnet",
        "overlaps cluster.ranges.nodes 10.0.0.0/20",
        "proxy-only subnet",
    ),
    "proxies among the pods": (
        GOOGLE | {"gateway.gkeGateway": RILB | {"proxySubnet": "10.16.2.0/23"}},
        "gateway.gkeGateway.proxySubnet",
        "overlaps cluster.ranges.pods",
        "proxy-only subnet",
    ),
    "too few proxies": (
        GOOGLE | {"gateway.gkeGateway": RILB | {"proxySubnet": "10.129.0.0/27"}},
        "gateway.gkeGateway.proxySubnet",
        "smaller than a proxy-only subnet",
        "/26",
    ),
    "fewer pods than DaemonSets": ({"cluster.maxPodsPerNode": 8}, "cluster.maxPodsPerNode", "8 pods", "raise it"),
    "more replicas than pods": (
        {
            "nodePools.l4": {
                "machineType": "g2-standard-96",
                "gpuSharing": {"strategy": "TIME_SHARING", "maxClientsPerGpu": 4},
                "onDemand": {"max": 1},
            },
            "models.qwen3-8b": {
                "source": "Qwen/Qwen3-0.6B",
                "nodePool": "l4",
                "engine": {"maxModelLen": 2048, "gpuMemoryUtilization": 0.25},
                "scaling": {"floor": 30, "ceiling": 30},
            },
        },
        "cluster.maxPodsPerNode",
        "30 replicas",
        "raise it",
    ),
    "windows of half an hour": window(
        "2026-01-03T03:00:00Z", "2026-01-03T03:30:00Z", "FREQ=DAILY", "a window of 0.5 hours does not count", "4 hours"
    ),
    "one window a month": window(
        "2026-01-03T03:00:00Z", "2026-01-03T11:00:00Z", "FREQ=WEEKLY;BYDAY=SA;INTERVAL=4", "it asks for 48", "longer windows"
    ),
    "windows too short for a month": window(
        "2026-01-03T03:00:00Z", "2026-01-03T08:00:00Z", "FREQ=WEEKLY;BYDAY=SA,SU", "leaves Google 40 hours", "longer windows"
    ),
    "windows that overlap": window(
        "2026-01-03T03:00:00Z", "2026-01-04T15:00:00Z", "FREQ=DAILY", "lasts into the next one", "end it before"
    ),
    "day that is none": recurrence("FREQ=WEEKLY;BYDAY=XX"),
    "day of the month": recurrence("FREQ=WEEKLY;BYDAY=1SA"),
    "no day": recurrence("FREQ=WEEKLY"),
    "windows that end": recurrence("FREQ=WEEKLY;BYDAY=SA,SU;COUNT=4"),
    "windows that end in time": recurrence("FREQ=WEEKLY;BYDAY=SA,SU;UNTIL=20270101T000000Z"),
    "windows by the hour": recurrence("FREQ=HOURLY"),
    "two tiers on the same nodes": (
        TWO_TIERS | {"nodePools.l4.spot": {"max": 2, "nodeSelector": {"gpu": "l4"}}},
        "nodePools.l4.spot.nodeSelector",
        "selects nodes that nodePools.l4.onDemand.nodeSelector selects too",
        "distinguish them",
    ),
    "a tier within another": (
        TWO_TIERS | {"nodePools.l4.spot": {"max": 2, "nodeSelector": {"gpu": "l4", "spot": "true"}}},
        "nodePools.l4.spot.nodeSelector",
        "counted twice",
        "by a label",
    ),
    "a pool of every node": (
        TWO_TIERS
        | {"nodePools.l4.spot": {"max": 0}}
        | {"nodePools.cpu": {"hardware": {"vcpus": 8, "memoryGiB": 32}, "onDemand": {"max": 1, "nodeSelector": {}}}},
        "nodePools.cpu.onDemand.nodeSelector",
        "counted twice",
        "by a label",
    ),
    "on demand what is sold as spot only": (
        {"nodePools.l4.machineType": "a3-highgpu-1g"},
        "nodePools.l4.onDemand",
        "spot or flex-start capacity only",
        "use a reservation",
    ),
    "request larger than the gateway": (
        {"gateway.maxBodyMiB": 1024},
        "gateway.maxBodyMiB",
        "does not fit twice into a pod's 1 GiB",
        "at most 512",
    ),
    "body beyond what is allowed": ({"gateway.maxBodyMiB": 1025}, "gateway.maxBodyMiB", "1025", "less than or equal to 1024"),
    "silence of a day": (
        {"gateway.timeouts": {"idleSeconds": 86400, "requestSeconds": 86400}},
        "gateway.timeouts.idleSeconds",
        "86400",
        "3600",
    ),
    "request of two days": ({"gateway.timeouts": {"requestSeconds": 172800}}, "gateway.timeouts.requestSeconds", "172800", "86400"),
    "unknown MIG profile of an H200": (
        {"nodePools.l4.machineType": "a3-ultragpu-8g", "nodePools.l4.gpuPartitionSize": "1g.10gb"},
        "nodePools.l4.gpuPartitionSize",
        "no profile '1g.10gb'",
        "1g.18gb",
    ),
}
