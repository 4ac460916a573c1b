"""The whole program: secrets stay secret, providers and releases are right, refusals list every problem."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest
from pulumi.runtime.settings import SETTINGS

from config import catalog, stack_config
from config.parsing import parse
from planning.plan import make_plan
from tests.program.conftest import STACKS, configuration
from tests.stacks import stack
from tools.bench.generated import generated
from tools.preview import offline

TOKEN, PASSWORD = offline.placeholder("huggingFaceToken"), offline.placeholder("grafanaAdminPassword")
ENCRYPTED = {"secure": "v1:aaaa:bbbb"}


def of_type(recording, type_):
    return [one for one in recording.resources if one.type == type_]


def model_servers(recording):
    return [one for one in of_type(recording, "kubernetes:apps/v1:Deployment") if "ModelStack" in one.urn]


@pytest.mark.parametrize("known", [False, True], ids=["unknown outputs", "known outputs"])
def test_every_secret_is_still_secret(known):
    config = stack({"secrets": {"huggingFaceToken": ENCRYPTED, "grafanaAdminPassword": ENCRYPTED}})
    recording = offline.run(config, "test", known=known)
    holders = {one.name: one for one in recording.resources if TOKEN in json.dumps(one.inputs) or PASSWORD in json.dumps(one.inputs)}
    assert holders, "the secrets must arrive somewhere"
    for one in holders.values():
        assert one.type == "kubernetes:core/v1:Secret", f"{one.name} holds a secret's value"
        assert any(path.startswith("stringData") for path in one.secrets)
    assert TOKEN not in json.dumps(recording.outputs)
    assert TOKEN not in "".join(recording.warnings)


def test_a_model_server_gets_the_token_only_where_it_downloads():
    recording = offline.run(stack({"secrets": {"huggingFaceToken": ENCRYPTED}}), "test")
    for one in model_servers(recording):
        spec = one.inputs["spec"]["template"]["spec"]
        assert "HF_TOKEN" in json.dumps(spec["initContainers"])
        assert "HF_TOKEN" not in json.dumps(spec["containers"])


def test_secret_manager_is_read_at_deployment_and_its_value_is_secret():
    config = stack({"secrets": {"source": "secret-manager", "huggingFaceToken": "hugging-face-token"}})
    recording = offline.run(config, "test", known=True)
    secret = next(one for one in of_type(recording, "kubernetes:core/v1:Secret") if one.name == "qwen3-8b-hugging-face")
    assert secret.secrets
    assert "hugging-face-token" not in json.dumps(secret.inputs), "the id is not the value"


@pytest.mark.parametrize("name", STACKS)
def test_everything_in_the_cluster_goes_through_the_clusters_provider(program, name):
    recording = program(name)
    providers = {one.urn for one in recording.resources if one.type == "pulumi:providers:kubernetes"}
    assert len(providers) == 1
    for one in recording.resources:
        if one.type.startswith("kubernetes:"):
            assert one.provider.rpartition("::")[0] in providers, f"{one.name} would use the default provider"


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_provider_is_known_by_configuration_so_that_nothing_shows_as_replaced(program, name):
    provider = of_type(program(name), "pulumi:providers:kubernetes")[0]
    config = configuration(name)
    assert provider.inputs["clusterIdentifier"] == f"{config['gcp:project']}/{config['gcp:region']}/llm-{name}/g1"


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_deletion_protection_is_pulumis_as_well_as_googles(program, name):
    cluster = of_type(program(name), "gcp:container/cluster:Cluster")[0]
    assert cluster.protect == cluster.inputs["deletionProtection"] == (name == "prod")


@pytest.mark.parametrize("name", STACKS)
def test_charts_have_their_exact_version(program, name):
    releases = of_type(program(name), "kubernetes:helm.sh/v3:Release")
    assert releases
    for one in releases:
        pinned = catalog.chart(one.inputs["name"])
        assert (one.inputs["version"], one.inputs["repositoryOpts"]["repo"]) == (pinned.version, pinned.repository)
        assert one.inputs["timeout"] >= 900


@pytest.mark.parametrize(
    ("mirror", "chart", "version"),
    [
        ("oci://mirror.example/charts", "oci://mirror.example/charts/gpu-operator", True),
        ("https://mirror.example/charts", "gpu-operator", True),
        ("./charts", "./charts/gpu-operator-v26.7.1.tgz", False),
    ],
)
def test_a_chart_mirror_replaces_every_repository(mirror, chart, version):
    recording = offline.run(stack({"platform.chartMirror": mirror}), "test")
    releases = {one.inputs["name"]: one.inputs for one in of_type(recording, "kubernetes:helm.sh/v3:Release")}
    assert releases["gpu-operator"]["chart"] == chart
    assert ("version" in releases["gpu-operator"]) is version
    assert all(one.get("repositoryOpts", {}).get("repo") in (None, {}, mirror) for one in releases.values())


def test_what_the_plan_warns_of_is_said_once(program):
    recording = program("local", known=True)
    warnings = make_plan(parse(configuration("local"))).warnings
    assert len(warnings) > 1
    assert len(recording.warnings) == 1
    assert [line.strip() for line in recording.warnings[0].splitlines()[1:]] == [str(warning) for warning in warnings]
    assert "warnings" not in recording.outputs


def test_a_refusal_says_that_nothing_was_changed():
    with pytest.raises(pulumi.RunError, match="nothing was changed"):
        offline.run(stack({"models.qwen3-8b.engine.maxModelLen": 1_000_000}), "test")


@pytest.mark.parametrize("by_engine", [True, False])
def test_what_the_deploying_machine_lacks_is_refused_where_an_engine_runs_the_program(monkeypatch, tmp_path, by_engine):
    configure = offline._configure

    def as_the_engine_does(*arguments: Any) -> None:
        configure(*arguments)
        monkeypatch.setattr(SETTINGS, "root_directory", str(tmp_path) if by_engine else None)

    monkeypatch.setattr(offline, "_configure", as_the_engine_does)
    config = stack({"platform.chartMirror": str(tmp_path / "none"), "models.qwen3-8b.engine.maxModelLen": 1_000_000})
    with pytest.raises(pulumi.RunError) as caught:
        offline.run(config, "test")
    assert "maxModelLen" in str(caught.value)
    assert ("no such folder" in str(caught.value)) is by_engine


def test_weights_in_a_bucket_are_streamed_with_the_pods_own_identity():
    recording = offline.run(stack({"models.qwen3-8b.weights": {"uri": "gs://acme-weights/qwen3-8b"}}), "test", known=True)
    grant = of_type(recording, "gcp:storage/bucketIAMMember:BucketIAMMember")[0].inputs
    assert grant["role"] == "roles/storage.objectViewer"
    assert grant["member"].endswith("workloadIdentityPools/acme-llm.svc.id.goog/subject/ns/model-qwen3-8b/sa/qwen3-8b")
    spec = model_servers(recording)[0].inputs["spec"]["template"]["spec"]
    assert spec.get("initContainers", []) == []
    assert "--load-format=runai_streamer" in spec["containers"][0]["args"]
    assert spec["containers"][0]["args"][0] == "gs://acme-weights/qwen3-8b"


def test_a_shared_volume_is_claimed_once_for_all_replicas():
    recording = offline.run(stack({"models.qwen3-8b.weights": {"cache": "persistent-volume-claim", "storageClass": "filestore"}}), "test")
    claim = of_type(recording, "kubernetes:core/v1:PersistentVolumeClaim")[0].inputs
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for one in model_servers(recording):
        volumes = one.inputs["spec"]["template"]["spec"]["volumes"]
        assert {"name": "weights", "persistentVolumeClaim": {"claimName": claim["metadata"]["name"], "readOnly": True}} in volumes


@pytest.mark.parametrize("shape", ["gke-default", "driver-installer"])
def test_the_driver_the_label_the_plugin_and_the_operator_agree(shape):
    recording = offline.run(stack({"cluster.gpuStack": shape}), "test")
    pool = next(one for one in of_type(recording, "gcp:container/nodePool:NodePool") if one.name == "l4-on-demand").inputs["nodeConfig"]
    values = next(one for one in of_type(recording, "kubernetes:helm.sh/v3:Release") if one.name == "gpu-operator").inputs["values"]
    installer = [one for one in recording.resources if one.type == "kubernetes:apps/v1:DaemonSet"]
    driver = pool["guestAccelerators"][0]["gpuDriverInstallationConfig"]["gpuDriverVersion"]
    own_plugin = shape == "driver-installer"
    assert driver == ("INSTALLATION_DISABLED" if own_plugin else "LATEST")
    assert ("gke-no-default-nvidia-gpu-device-plugin" in pool["labels"]) is own_plugin
    assert values["devicePlugin"]["enabled"] is own_plugin
    assert bool(installer) is own_plugin
    assert values["driver"]["enabled"] is False


def test_a_wrong_stack_creates_nothing_and_says_everything():
    config = stack({"models.qwen3-8b.parallelism.tensor": 2, "models.qwen3-8b.nodePool": "l4", "budget.monthlyUsd": 1})
    with pytest.raises(pulumi.RunError) as caught:
        offline.run(config, "test")
    assert "models.qwen3-8b.parallelism:" in str(caught.value)
    assert "budget.monthlyUsd:" in str(caught.value)


def test_a_model_more_touches_no_other_models_resources():
    before = {one.urn: one.inputs for one in offline.run(generated(3), "test").resources if "ModelStack" in one.urn}
    after = {one.urn: one.inputs for one in offline.run(generated(4), "test").resources if "ModelStack" in one.urn}
    assert before.keys() < after.keys()
    assert {urn: after[urn] for urn in before} == before


@pytest.mark.parametrize("name", STACKS)
def test_no_pod_runs_before_the_policies_that_isolate_it(program, name):
    recording = program(name)
    for one in of_type(recording, "kubernetes:apps/v1:Deployment"):
        policies = {p.urn for p in of_type(recording, "kubernetes:networking.k8s.io/v1:NetworkPolicy") if p.parent == one.parent}
        assert len(policies) >= 4
        assert policies <= set(one.depends_on)


def test_what_only_the_cluster_holds_goes_with_it_and_what_has_disks_outside_is_deleted_first(program):
    recording = program("prod")
    releases = of_type(recording, "kubernetes:helm.sh/v3:Release")
    assert all(one.deleted_with.endswith("::llm-prod") for one in releases)
    namespaces = {one.name: one.deleted_with for one in of_type(recording, "kubernetes:core/v1:Namespace")}
    assert not namespaces["monitoring"], "its volumes are disks of the project, which nobody else deletes"


def test_a_home_directory_in_a_kubeconfigs_path_is_spelt_out(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    recording = offline.run(
        configuration("local") | {"vllm-platform:cluster": {"provider": "existing", "name": "lab", "kubeconfig": "~/k"}}, "test"
    )
    assert of_type(recording, "pulumi:providers:kubernetes")[0].inputs["kubeconfig"] == "/home/someone/k"
    assert recording.outputs["kubeconfigCommand"] == "kubectl --kubeconfig /home/someone/k get nodes"


def test_a_model_without_a_floor_can_be_reached_too():
    recording = offline.run(stack({"models.qwen3-8b.scaling": {"floor": 0, "ceiling": 2}}), "test")
    assert [one.name for one in model_servers(recording)] == ["qwen3-8b-burst"]
    assert recording.outputs["models"]["qwen3-8b"]["portForward"].endswith("port-forward service/qwen3-8b 8000")


def test_outputs_tell_how_to_reach_the_cluster_and_every_model(program):
    outputs = program("prod", True).outputs
    assert outputs["kubeconfigCommand"].startswith("gcloud container clusters get-credentials llm-prod")
    assert outputs["models"].keys() == configuration("prod")["vllm-platform:models"].keys()
    assert outputs["models"]["qwen3-8b"]["url"] == "http://qwen3-8b.model-qwen3-8b.svc.cluster.local:8000"
    assert outputs["usdPerMonth"]["floor"] <= outputs["usdPerMonth"]["expected"] <= outputs["usdPerMonth"]["ceiling"]


def test_a_secret_in_the_clear_is_refused_by_the_program_too():
    with pytest.raises(pulumi.RunError, match=r"secrets\.huggingFaceToken: stands in the clear") as caught:
        offline.run(stack({"secrets": {"huggingFaceToken": "correct horse"}}), "test")
    assert "correct horse" not in str(caught.value)


def test_a_secret_in_the_clear_beside_an_encrypted_one_is_found_by_the_stacks_file(tmp_path, monkeypatch):
    """Pulumi passes the whole mapping as a secret, decrypted."""
    written = stack({"secrets": {"huggingFaceToken": ENCRYPTED, "grafanaAdminPassword": "correct horse"}})
    (tmp_path / "Pulumi.test.yaml").write_text(json.dumps({"config": written}))
    monkeypatch.setattr(stack_config, "_own_stack_file", lambda: tmp_path / "Pulumi.test.yaml")
    with pytest.raises(pulumi.RunError, match=r"secrets\.grafanaAdminPassword: stands in the clear") as caught:
        offline.run(written, "test")
    assert "1 problem" in str(caught.value)
    assert "correct horse" not in str(caught.value)


@pytest.mark.parametrize("key", ["gcp:project", "vllm-platform:budget", "vllm-platform:models"])
def test_an_encrypted_setting_is_refused(key):
    with pytest.raises(pulumi.RunError, match="is encrypted, and the plan prints settings"):
        offline.run(stack() | {key: ENCRYPTED}, "test")
