"""Rules of `gateway` that need only the YAML: clients and keys, exposure, annotations, and TLS outside the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from config.annotations import ingress_annotation_problems, service_annotation_problems
from config.cluster import ExistingCluster, GkeCluster
from config.errors import Problem, suggestion
from config.gateway import ANONYMOUS, Client, Exposure, Gateway
from config.ranges import overlap
from config.settings import Settings

BODY_COPIES = 2
LONGEST_PROXY_PREFIX = 26  # cloud.google.com/load-balancing/docs/proxy-only-subnets
# Sections of one exposure only.
_SECTIONS: dict[str, Exposure] = {"load_balancer": "load-balancer", "gke_gateway": "gke-gateway", "ingress": "ingress"}


def gateway_rules(settings: Settings) -> Iterator[Problem]:
    gateway = settings.gateway
    if gateway is None:
        if settings.secrets.client_keys:
            yield Problem("secrets.clientKeys", "there is no gateway that would check them", "add a `gateway` section, or remove them")
        return
    yield from _authentication(settings, gateway)
    for name, client in gateway.clients.items():
        yield from _client(settings, f"gateway.clients.{name}", client)
    yield from _budgets(settings, gateway)
    yield from _exposure(settings, gateway)
    yield from _encryption(gateway)
    yield from _annotations(settings, gateway)
    yield from _bodies(gateway)
    yield from _proxies(settings, gateway)
    if gateway.timeouts.idle_seconds > gateway.timeouts.request_seconds:
        message = f"{gateway.timeouts.idle_seconds} is above requestSeconds {gateway.timeouts.request_seconds}"
        yield Problem("gateway.timeouts.idleSeconds", message, "lower it, or raise requestSeconds")


def _authentication(settings: Settings, gateway: Gateway) -> Iterator[Problem]:
    keys = settings.secrets.client_keys
    if gateway.authentication == "none":
        if gateway.exposure != "cluster-ip":
            message = f"none, but exposure '{gateway.exposure}' admits callers from outside the cluster"
            yield Problem("gateway.authentication", message, "set it to api-key, or the exposure to cluster-ip")
        for name in sorted((gateway.clients.keys() | keys.keys()) - {ANONYMOUS}):
            message = f"without authentication the gateway cannot identify client '{name}'"
            yield Problem(f"gateway.clients.{name}", message, f"remove it, name it '{ANONYMOUS}', or set authentication to api-key")
        return
    if not gateway.clients:
        yield Problem("gateway.clients", "nobody may call", "name the clients, or set gateway.authentication to none")
    for name in gateway.clients.keys() - keys.keys():
        advice = f"pulumi config set --secret --path 'secrets.clientKeys.{name}' \"$(openssl rand -hex 24)\""
        yield Problem(f"secrets.clientKeys.{name}", f"client '{name}' of the gateway has no key", advice)
    for name in keys.keys() - gateway.clients.keys():
        advice = suggestion(name, gateway.clients, otherwise="add it to gateway.clients, or remove its key")
        yield Problem(f"secrets.clientKeys.{name}", "the gateway has no such client", advice)


def _client(settings: Settings, path: str, client: Client) -> Iterator[Problem]:
    for index, name in enumerate(client.models or []):
        yield from _known_model(settings, f"{path}.models[{index}]", name)
    if client.default_model is None:
        return
    yield from _known_model(settings, f"{path}.defaultModel", client.default_model)
    if client.models is not None and client.default_model not in client.models:
        yield Problem(f"{path}.defaultModel", f"'{client.default_model}' is not among its models", "add it to them, or choose one of them")


def _budgets(settings: Settings, gateway: Gateway) -> Iterator[Problem]:
    for name in gateway.token_prices:
        yield from _known_model(settings, f"gateway.tokenPrices.{name}", name)
    for name, client in gateway.clients.items():
        if client.tokens_per_minute and client.monthly_tokens and client.tokens_per_minute > client.monthly_tokens:
            message = f"{client.tokens_per_minute} is above the client's monthlyTokens {client.monthly_tokens}, so it limits nothing"
            yield Problem(f"gateway.clients.{name}.tokensPerMinute", message, "lower it, or remove it")
    limited = [name for name, client in gateway.clients.items() if client.has_budget]
    if limited and not gateway.count_streamed_tokens:
        message = f"false, so that most streams would cost nothing of the budget of {', '.join(limited)}"
        yield Problem("gateway.countStreamedTokens", message, "remove it, or the clients' budgets")
    if not limited and "budgets" in gateway.model_fields_set:
        yield Problem("gateway.budgets", "no client has a budget", "give one tokensPerMinute, monthlyTokens or monthlyUsd, or remove it")


def _known_model(settings: Settings, path: str, name: str) -> Iterator[Problem]:
    if name not in settings.models and f"models.{name}" not in settings.doubtful:
        advice = suggestion(name, settings.models, otherwise="models of this stack: " + (", ".join(settings.models) or "none"))
        yield Problem(path, f"there is no model '{name}'", advice)


def _exposure(settings: Settings, gateway: Gateway) -> Iterator[Problem]:
    for field, exposure in _SECTIONS.items():
        if field in gateway.model_fields_set and gateway.exposure != exposure:
            key = type(gateway).model_fields[field].alias
            yield Problem(
                f"gateway.{key}", f"is for exposure '{exposure}', but it is '{gateway.exposure}'", "remove it, or change the exposure"
            )
    if gateway.exposure == "gke-gateway" and isinstance(settings.cluster, ExistingCluster):
        yield Problem("gateway.exposure", "'gke-gateway' needs provider gke", "use load-balancer or ingress")
    if gateway.exposure in ("gke-gateway", "ingress") and gateway.host is None:
        yield Problem("gateway.host", f"required by exposure '{gateway.exposure}', but not given", "give the DNS name of the gateway")
    if gateway.exposure == "ingress" and gateway.ingress is None:
        yield Problem("gateway.ingress", "required by exposure 'ingress', but not given", "give at least className")
    balancer = gateway.load_balancer
    if gateway.exposure == "load-balancer" and balancer.scope == "external" and not balancer.source_ranges:
        message = "an external load balancer without them would be open to the whole internet"
        yield Problem("gateway.loadBalancer.sourceRanges", message, "list the ranges that may connect; [0.0.0.0/0] allows all explicitly")
    google = gateway.gke_gateway
    if gateway.exposure == "gke-gateway" and google.regional and google.proxy_subnet is None:
        message = f"class {google.class_name} sends requests from the region's proxy-only subnet, which the network policy must let in"
        yield Problem("gateway.gkeGateway.proxySubnet", message, "give its range; the VPC needs one such subnet in the region")


def _annotations(settings: Settings, gateway: Gateway) -> Iterator[Problem]:
    balancer, gke = gateway.load_balancer, isinstance(settings.cluster, GkeCluster)
    path = "gateway.loadBalancer.annotations"
    yield from service_annotation_problems(path, balancer.annotations, gke=gke, scope=balancer.scope)
    if gateway.ingress:
        path = "gateway.ingress.annotations"
        yield from ingress_annotation_problems(path, gateway.ingress.annotations, insecure=gateway.insecure)


def _bodies(gateway: Gateway) -> Iterator[Problem]:
    """The gateway buffers a whole request before it routes: once as received, once as parsed."""
    most = int(gateway.memory_gib * 1024 / BODY_COPIES)
    if gateway.max_body_mib > most:
        message = f"a request of {gateway.max_body_mib} MiB does not fit twice into a pod's {gateway.memory_gib:g} GiB"
        yield Problem("gateway.maxBodyMiB", message, f"lower it to at most {most}, or raise gateway.memoryGiB")


def _proxies(settings: Settings, gateway: Gateway) -> Iterator[Problem]:
    subnet, path = gateway.gke_gateway.proxy_subnet, "gateway.gkeGateway.proxySubnet"
    if subnet is None or not isinstance(settings.cluster, GkeCluster):
        return
    for name, other in settings.cluster.ranges.by_name.items():
        if overlap(subnet, other):
            message = f"{subnet} overlaps cluster.ranges.{name} {other}, and the proxies have a subnet of their own"
            yield Problem(path, message, "give the range of the region's proxy-only subnet")
    if IPv4Network(subnet).prefixlen > LONGEST_PROXY_PREFIX:
        yield Problem(
            path, f"{subnet} is smaller than a proxy-only subnet can be", f"make it /{LONGEST_PROXY_PREFIX} or larger; Google advises /23"
        )


def _encryption(gateway: Gateway) -> Iterator[Problem]:
    """Every exposure outside the cluster requires TLS."""
    wanted = {
        "load-balancer": (gateway.tls, "gateway.tls", "give secretName of a certificate"),
        "gke-gateway": (gateway.gke_gateway.certificate, "gateway.gkeGateway.certificateMap", "name the certificate map, or a certificate"),
        "ingress": (gateway.ingress and gateway.ingress.tls_secret_name, "gateway.ingress.tlsSecretName", "name the certificate's Secret"),
    }
    if gateway.exposure not in wanted or gateway.insecure:
        return
    given, path, advice = wanted[gateway.exposure]
    if given is None:
        message = f"exposure '{gateway.exposure}' without TLS would send keys and prompts in the clear"
        yield Problem(path, message, f"{advice}; or say gateway.insecure: true")
