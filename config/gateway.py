"""`gateway`: the one OpenAI-compatible address of all models, who may use it, and how it is reached."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from config.annotations import Annotations
from config.errors import rule
from config.names import CertificateName, GoogleName, HostName, NamespaceName, ObjectName
from config.ranges import Cidr, SourceCidr
from config.section import Bounds, Form, MemoryGib, Name, Positive, Section, Text, distinct

Origin = Annotated[
    str, Form(r"(\*|https?://[a-z0-9.-]+(:[0-9]+)?)", "an origin", 'write it as in https://chat.example.com, without a path, or "*"')
]
# Envoy's rate limit service counts in 32 bits (requests_per_unit is a uint32), dollars in this unit: a hundredth of a cent.
MOST_UNITS = 2**32 - 1
USD_UNIT = 1e-4
Tokens = Annotated[int, Field(gt=0, le=MOST_UNITS)]
Exposure = Literal["cluster-ip", "load-balancer", "gke-gateway", "ingress"]
ANONYMOUS = "anonymous"


class Client(Section):
    """A caller, such as a team or an application. Its keys are under `secrets.clientKeys`."""

    requests_per_minute: Positive | None = Field(
        default=None, description="Most requests in a minute, over all gateway replicas together. Default: no limit."
    )
    concurrent_requests: Positive | None = Field(
        default=None, description="Most requests in flight at one time, at each gateway replica. Default: no limit."
    )
    tokens_per_minute: Tokens | None = Field(
        default=None, description="Tokens of prompts and answers in a minute, over all gateway replicas together. Default: no limit."
    )
    monthly_tokens: Tokens | None = Field(default=None, description="The same in a month of 30 days. Default: no limit.")
    monthly_usd: float | None = Field(
        default=None,
        ge=USD_UNIT,
        le=int(MOST_UNITS * USD_UNIT),
        description="What the client's tokens may cost in a month of 30 days, at the plan's prices or `tokenPrices`. Default: no limit.",
    )
    models: Annotated[list[Text], Field(min_length=1), AfterValidator(distinct)] | None = Field(
        default=None, description="Keys under `models` that the client may use. Default: all."
    )
    default_model: Text | None = Field(default=None, description="Key under `models` for requests without a `model` field.")

    @property
    def has_budget(self) -> bool:
        return (self.tokens_per_minute or self.monthly_tokens or self.monthly_usd) is not None


class TokenPrice(Section):
    """What a million tokens of a model cost a client, instead of what the plan says."""

    prompt_usd_per_million: float = Field(ge=0, le=100_000, description="US dollars per million tokens of prompts.")
    completion_usd_per_million: float = Field(ge=0, le=100_000, description="US dollars per million tokens of answers.")


class Budgets(Section):
    """The count of clients' tokens: Envoy's rate limit service with Redis, deployed if a client has a budget."""

    when_unavailable: Literal["allow", "deny"] = Field(
        default="allow",
        description="Requests of clients with a budget while the count cannot be reached. allow: they pass, uncounted. deny: 503.",
    )
    storage_class: ObjectName | None = Field(default=None, description="StorageClass of Redis' volume. Default: the cluster's.")


class Replicas(Bounds):
    """Gateway pods. They run on nodes without GPUs."""

    min: Positive = Field(default=2, description="Fewest pods; below 2, every drained node is an outage.")
    max: Positive = Field(default=6, description="Most pods of the HorizontalPodAutoscaler, which scales on CPU.")


class Tls(Section):
    """A certificate for Envoy itself. Not needed if a load balancer or ingress controller terminates TLS."""

    secret_name: ObjectName = Field(
        description="Secret of type kubernetes.io/tls in the gateway's namespace, as cert-manager makes it. Renewals need no restart."
    )


class LoadBalancer(Section):
    """`exposure: load-balancer`: a Service of type LoadBalancer, TLS in Envoy."""

    scope: Literal["internal", "external"] = Field(default="internal", description="Reached from the VPC, or from the internet.")
    source_ranges: Annotated[list[SourceCidr], AfterValidator(distinct)] = Field(
        default=[], description="CIDR ranges that may connect. Default for scope internal: private ranges. Required for scope external."
    )
    annotations: Annotations = Field(default={}, description="Further annotations of the Service, as other clouds need them.")


class Iap(Section):
    """Identity-Aware Proxy in front of a gke-gateway: users sign in before the gateway checks their key."""

    enabled: bool = Field(default=True, description="Turn it on, with the Google-managed OAuth client unless clientId is given.")
    client_id: Text | None = Field(default=None, description="OAuth client id.")
    client_secret_name: ObjectName | None = Field(
        default=None, description="Secret in the gateway's namespace whose entry `key` is the OAuth client's secret."
    )

    @model_validator(mode="after")
    def _client_is_whole(self) -> Iap:
        if (self.client_id is None) != (self.client_secret_name is None):
            raise rule("clientId and clientSecretName belong together", "give both, or neither for the client that Google manages")
        return self


class GkeGateway(Section):
    """`exposure: gke-gateway`: Google's application load balancer, which terminates TLS."""

    class_name: Literal["gke-l7-global-external-managed", "gke-l7-regional-external-managed", "gke-l7-rilb"] = Field(
        default="gke-l7-global-external-managed", description="GatewayClass."
    )
    certificate_map: CertificateName | None = Field(
        default=None, description="Certificate Manager map with the host's certificate, for the global class."
    )
    regional_certificate: CertificateName | None = Field(
        default=None, description="Certificate Manager certificate of the region, for the regional classes."
    )
    static_address: GoogleName | None = Field(default=None, description="Name of a reserved IP address. Default: an ephemeral one.")
    security_policy: GoogleName | None = Field(default=None, description="Cloud Armor policy.")
    proxy_subnet: Cidr | None = Field(
        default=None,
        description="Range of the region's proxy-only subnet, from which regional classes send requests: the NetworkPolicy admits it.",
    )
    iap: Iap | None = Field(default=None, description="Identity-Aware Proxy. Default: off.")

    @model_validator(mode="after")
    def _certificate_fits_the_class(self) -> GkeGateway:
        if self.regional and self.certificate_map:
            raise rule(f"certificateMap is for the global class, not for {self.class_name}", "give regionalCertificate instead")
        if not self.regional and self.regional_certificate:
            raise rule(f"regionalCertificate is for regional classes, not for {self.class_name}", "give certificateMap instead")
        return self

    @property
    def regional(self) -> bool:
        return self.class_name != "gke-l7-global-external-managed"

    @property
    def certificate(self) -> str | None:
        return self.certificate_map or self.regional_certificate


class Ingress(Section):
    """`exposure: ingress`: an Ingress for an installed ingress controller, which terminates TLS."""

    class_name: ObjectName = Field(description="IngressClass.")
    namespace: NamespaceName | None = Field(default=None, description="Namespace of the controller's pods. Default: any may connect.")
    tls_secret_name: ObjectName | None = Field(default=None, description="Certificate for `host`, in the gateway's namespace.")
    annotations: Annotations = Field(default={}, description="Annotations of the Ingress, such as the controller's timeouts and body size.")


class Cors(Section):
    """Web pages that may call the gateway from a browser; their users supply the API key."""

    origins: Annotated[list[Origin], AfterValidator(distinct)] = Field(
        default=[], description='Scheme and host of the pages, such as https://chat.example.com; "*" for any. Default: none.'
    )


class Timeouts(Section):
    """Time limits of a request."""

    idle_seconds: Positive = Field(
        default=300,
        le=3600,
        description="Longest time without a byte within a request. An answer that is not streamed sends none before its end.",
    )
    request_seconds: Positive = Field(default=3600, le=86400, description="Longest request, streams included.")


class Gateway(Section):
    """The OpenAI-compatible address of all models."""

    exposure: Exposure = Field(default="cluster-ip", description="How clients reach the gateway. Only cluster-ip stays inside the cluster.")
    host: HostName | None = Field(default=None, description="DNS name of the gateway. Required by gke-gateway and ingress.")
    authentication: Literal["api-key", "none"] = Field(
        default="api-key", description="none: every caller is the client `anonymous`; for exposure cluster-ip only."
    )
    clients: dict[Name, Client] = Field(default={}, description="Callers, by name.")
    budgets: Budgets = Field(default=Budgets(), description="How clients' budgets are counted.")
    token_prices: dict[Text, TokenPrice] = Field(
        default={}, description="Prices of tokens by key under `models`, for clients with `monthlyUsd`. Default: the plan's."
    )
    client_namespaces: Annotated[list[NamespaceName], AfterValidator(distinct)] = Field(
        default=[], description='Namespaces whose pods may connect. Default: namespaces labelled vllm-platform/client: "true".'
    )
    insecure: bool = Field(default=False, description="Let requests and keys leave the cluster without TLS.")
    tls: Tls | None = Field(default=None, description="Terminate TLS in Envoy.")
    load_balancer: LoadBalancer = Field(default=LoadBalancer(), description="For exposure load-balancer.")
    gke_gateway: GkeGateway = Field(default=GkeGateway(), description="For exposure gke-gateway.")
    ingress: Ingress | None = Field(default=None, description="For exposure ingress.")
    replicas: Replicas = Field(default=Replicas(), description="Gateway pods.")
    cpu: Annotated[int, Field(ge=1, le=64)] = Field(default=1, description="CPUs of a gateway pod; Envoy runs as many worker threads.")
    memory_gib: MemoryGib = Field(default=1, description="Memory of a gateway pod.")
    max_body_mib: Positive = Field(default=32, le=1024, description="Largest request body; images count in base64.")
    count_streamed_tokens: bool = Field(
        default=True,
        description="Count the tokens of every stream in the audit log: streams then end with a chunk of usage and no choices, "
        "as with stream_options.include_usage. False: only of streams whose client asks for it.",
    )
    cors: Cors = Field(default=Cors(), description="Calls from web pages.")
    timeouts: Timeouts = Field(default=Timeouts(), description="Time limits.")
    drain_seconds: int = Field(default=300, ge=10, le=3600, description="Time that a terminating gateway pod gives its open streams.")
