"""The VPC of a GKE cluster.

Owns one network, one subnet with ranges for pods and Services, and Cloud NAT, because nodes are private and still pull images and
weights; where models stream from Google's buckets, also the names of Google's APIs at addresses that a NetworkPolicy can allow. It
does not own load balancer addresses (the gateway's) nor firewall rules: GKE keeps those of its nodes itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network

import pulumi
from pulumi_gcp import compute, dns

from components.isolation import PRIVATE_GOOGLE_APIS
from config.cluster import NetworkRanges

PODS_RANGE = "pods"
SERVICES_RANGE = "services"


@dataclass(frozen=True)
class NetworkArgs:
    region: str
    ranges: NetworkRanges
    private_google_apis: bool
    """Resolve `*.googleapis.com` to private.googleapis.com."""


class Network(pulumi.ComponentResource):
    """A VPC with one subnet and Cloud NAT."""

    network_id: pulumi.Output[str]
    subnet_id: pulumi.Output[str]

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-platform:cluster:Network", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)

        network = compute.Network(name, name=name, auto_create_subnetworks=False, routing_mode="REGIONAL", opts=here)
        subnet = compute.Subnetwork(
            name,
            network=network.id,
            region=args.region,
            ip_cidr_range=args.ranges.nodes,
            secondary_ip_ranges=[
                {"range_name": PODS_RANGE, "ip_cidr_range": args.ranges.pods},
                {"range_name": SERVICES_RANGE, "ip_cidr_range": args.ranges.services},
            ],
            private_ip_google_access=True,
            log_config={"aggregation_interval": "INTERVAL_10_MIN", "flow_sampling": 0.5, "metadata": "INCLUDE_ALL_METADATA"},
            opts=here,
        )
        router = compute.Router(name, network=network.id, region=args.region, opts=here)
        compute.RouterNat(
            name,
            router=router.name,
            region=args.region,
            nat_ip_allocate_option="AUTO_ONLY",
            source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
            # Pods that download weights share their node's NAT ports; the static 64 ports per VM are too few.
            enable_dynamic_port_allocation=True,
            enable_endpoint_independent_mapping=False,
            log_config={"enable": True, "filter": "ERRORS_ONLY"},
            opts=here,
        )
        if args.private_google_apis:
            _private_google_apis(name, network, here)
        self.network_id = network.id
        self.subnet_id = subnet.id
        self.register_outputs({"network_id": self.network_id, "subnet_id": self.subnet_id})


def _private_google_apis(name: str, network: compute.Network, opts: pulumi.ResourceOptions) -> None:
    """A zone that only this network sees. cloud.google.com/vpc/docs/configure-private-google-access#config-domain"""
    zone = dns.ManagedZone(
        f"{name}-googleapis",
        name=f"{name}-googleapis",
        dns_name="googleapis.com.",
        description="Google APIs at addresses that NetworkPolicies allow",
        visibility="private",
        private_visibility_config={"networks": [{"network_url": network.id}]},
        opts=opts,
    )
    addresses = [str(address) for address in ip_network(PRIVATE_GOOGLE_APIS)]
    records = {"private.googleapis.com.": ("A", addresses), "*.googleapis.com.": ("CNAME", ["private.googleapis.com."])}
    for host, (type_, values) in records.items():
        dns.RecordSet(
            f"{name}-googleapis-{type_.lower()}", managed_zone=zone.name, name=host, type=type_, ttl=300, rrdatas=values, opts=opts
        )
