"""The gateway's certificate as a secret (SDS) in a watched file, because Envoy reloads only those when they are renewed."""

from __future__ import annotations

from components.gateway.envoy.messages import Message, discovery, extension, typed, watched

FILE = "certificate.json"
_NAME = "certificate"


def certificate(tls_folder: str) -> Message:
    """The file's content. `tls_folder`: folder of the mounted Secret of type kubernetes.io/tls."""
    pair = {
        "certificate_chain": {"filename": f"{tls_folder}/tls.crt"},
        "private_key": {"filename": f"{tls_folder}/tls.key"},
        "watched_directory": {"path": tls_folder},
    }
    return discovery(typed("envoy.extensions.transport_sockets.tls.v3.Secret", name=_NAME, tls_certificate=pair))


def tls(folder: str) -> Message:
    """`transport_socket` of a listener. `folder`: the file's folder."""
    return extension(
        "envoy.transport_sockets.tls",
        "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        common_tls_context={
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            "tls_certificate_sds_secret_configs": [{"name": _NAME, "sds_config": watched(folder, FILE)}],
        },
    )
