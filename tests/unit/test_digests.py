"""Tags are pinned by what they mean: digests are read from a registry as registries answer, and are what the program deploys."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from components.images import image_reference
from config import catalog
from config.local_files import local_file_problems
from tests.stacks import settings
from tools.digests import __main__ as digests
from tools.digests import registry
from tools.digests.registry import RegistryError, image_digest

INDEX = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}).encode()
DIGEST = f"sha256:{hashlib.sha256(INDEX).hexdigest()}"
ARCHIVE = b"an archive"
OF_ARCHIVE = hashlib.sha256(ARCHIVE).hexdigest()
CHARTS = {"entries": {"gpu-operator": [{"version": "v1.0.0", "digest": "0" * 64}, {"version": "v2.0.0", "digest": OF_ARCHIVE}]}}


class Registry(http.server.BaseHTTPRequestHandler):
    """Answers as Docker Hub does: a token first, then the index where the client takes one. /lying says another digest than it sends."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        host = self.headers["Host"]
        if path == "/token":
            assert "scope=repository%3Aacme%2F" in self.path
            self.answer(200, json.dumps({"token": "for-everybody"}).encode())
        elif path == "/charts/index.yaml":
            self.answer(200, yaml.safe_dump(CHARTS).encode())
        elif path == "/elsewhere":
            self.answer(200 if self.headers["Authorization"] is None else 400, INDEX)
        elif self.headers["Authorization"] != "Bearer for-everybody":
            repository = path.removeprefix("/v2/").partition("/manifests/")[0]
            challenge = f'Bearer realm="http://{host}/token",service="registry",scope="repository:{repository}:pull"'
            self.answer(401, b"{}", {"WWW-Authenticate": challenge})
        elif path == "/v2/acme/moved/manifests/v1":
            self.answer(307, b"", {"Location": f"http://{host}/elsewhere"})
        elif path in ("/v2/acme/vllm/manifests/v1", "/v2/acme/lying/manifests/v1") and "image.index" in self.headers["Accept"]:
            said = DIGEST if "vllm" in path else "sha256:" + "0" * 64
            self.answer(200, INDEX, {"Docker-Content-Digest": said})
        else:
            self.answer(404, b"{}")

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        pass


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def image(repository: str, tag: str = "v1", **more: str) -> catalog.Image:
    return catalog.Image.model_validate({"repository": repository, "tag": tag, "source": "test", "date": "2026-11-28"} | more)


def test_a_tags_digest_is_that_of_the_index_of_all_platforms(host):
    assert image_digest(image(f"{host}/acme/vllm")) == DIGEST


@pytest.mark.parametrize(
    ("repository", "address"),
    [
        ("docker.io/busybox", "https://registry-1.docker.io/v2/library/busybox/manifests/v1"),
        ("docker.io/vllm/vllm-openai", "https://registry-1.docker.io/v2/vllm/vllm-openai/manifests/v1"),
        ("nvcr.io/nvidia/gpu-operator", "https://nvcr.io/v2/nvidia/gpu-operator/manifests/v1"),
        ("quay.io/prometheus/prometheus", "https://quay.io/v2/prometheus/prometheus/manifests/v1"),
        ("registry.k8s.io/nfd/node-feature-discovery", "https://registry.k8s.io/v2/nfd/node-feature-discovery/manifests/v1"),
    ],
)
def test_a_registry_is_asked_where_docker_would_ask_it(monkeypatch, repository, address):
    asked = []
    monkeypatch.setattr(registry, "_get", lambda address, _: (asked.append(address) or INDEX, {}))
    assert image_digest(image(repository)) == DIGEST
    assert asked == [address]


def test_a_token_does_not_follow_a_redirection(host):
    assert image_digest(image(f"{host}/acme/moved")) == DIGEST


@pytest.mark.parametrize(("name", "tag", "reason"), [("vllm", "v2", "answers 404"), ("lying", "v1", "but what it sends has")])
def test_what_a_registry_does_not_hold_or_says_wrongly_is_no_digest(host, name, tag, reason):
    with pytest.raises(RegistryError, match=reason):
        image_digest(image(f"{host}/acme/{name}", tag))


def test_a_registry_that_cannot_be_reached_is_named():
    with pytest.raises(RegistryError, match=r"127\.0\.0\.1:9 cannot be reached"):
        image_digest(image("127.0.0.1:9/acme/vllm"))


@pytest.fixture
def releases(host, tmp_path):
    path = tmp_path / "releases.yaml"
    row = "    source: test  # of the row\n    date: '2026-11-28'\n"
    path.write_text(
        f"# the file's\ncharts:\n  gpu-operator:\n    repository: http://{host}/charts\n    version: v2.0.0\n{row}"
        f"images:\n  vllm-cpu:\n    repository: {host}/acme/vllm\n    tag: v1\n{row}"
        f"  vllm:\n    repository: 127.0.0.1:9/acme/vllm\n    tag: v1\n{row}"
    )
    return path


def test_digests_are_written_beside_their_tags_and_what_is_unknown_stays_a_tag(releases, capsys):
    before = releases.read_text()
    assert digests.main([], releases) == 1
    after = releases.read_text()
    content = yaml.safe_load(after)
    assert content["charts"]["gpu-operator"]["digest"] == f"sha256:{OF_ARCHIVE}"
    assert content["images"]["vllm-cpu"]["digest"] == DIGEST
    assert "digest" not in content["images"]["vllm"]
    assert "vllm v1: 127.0.0.1:9 cannot be reached" in capsys.readouterr().out
    assert [line for line in after.splitlines() if "digest:" not in line] == before.splitlines()
    digests.main([], releases)
    assert releases.read_text() == after


def test_a_tag_that_was_moved_fails_the_check_which_writes_nothing(releases, capsys):
    digests.main([], releases)
    pinned = releases.read_text().replace(DIGEST, "sha256:" + "1" * 64)
    releases.write_text(pinned)
    assert digests.main(["--check"], releases) == 1
    assert f"vllm-cpu v1: {DIGEST}, where sha256:1111" in capsys.readouterr().out
    assert releases.read_text() == pinned


def test_the_shipped_rows_have_a_place_for_a_digest():
    text = digests.RELEASES.read_text()
    for section, rows in yaml.safe_load(text).items():
        for name in rows:
            text = digests.with_digest(text, section, name, DIGEST)
    assert all(row["digest"] == DIGEST for rows in yaml.safe_load(text).values() for row in rows.values())


def test_an_image_is_deployed_by_tag_and_digest_through_a_mirror_too():
    reference = image("docker.io/acme/vllm", digest=DIGEST).reference
    assert reference == f"docker.io/acme/vllm:v1@{DIGEST}"
    assert image_reference(settings(), reference) == reference
    mirrored = settings({"platform.imageMirror": "registry.example/mirror"})
    assert image_reference(mirrored, reference) == f"registry.example/mirror/acme/vllm:v1@{DIGEST}"
    assert image("docker.io/acme/vllm").reference == "docker.io/acme/vllm:v1"


def test_an_archive_that_is_not_the_published_one_is_refused(tmp_path, monkeypatch):
    pinned = catalog.chart("kube-prometheus-stack").model_copy(update={"digest": f"sha256:{OF_ARCHIVE}"})
    monkeypatch.setattr(catalog, "chart", lambda _: pinned)
    changes = {"platform.chartMirror": str(tmp_path), "platform.gpuOperator.enabled": False, "platform.autoscaler.enabled": False}
    archive = tmp_path / catalog.archive("kube-prometheus-stack")
    archive.write_bytes(ARCHIVE)
    assert local_file_problems(settings(changes), {}) == []
    archive.write_bytes(b"another")
    assert "is pinned" in str(local_file_problems(settings(changes), {})[0])
