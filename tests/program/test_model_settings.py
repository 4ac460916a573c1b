"""A model's settings in its pods: the pinned vLLM has every argument, and files and variables that they need exist."""

from __future__ import annotations

import json

import pytest

from config import catalog
from config.engine_flags import catalogue
from tests.program.conftest import configuration
from tests.stacks import REVISION, stack
from tools.preview import offline
from tools.preview.manifests import manifests

MODEL = "models.qwen3-8b"


def objects(changes):
    return manifests(offline.run(stack(changes), "test"))


def named(found, kind, name):
    return next(one for one in found if (one["kind"], one["metadata"]["name"]) == (kind, name))


def pod(found, deployment="qwen3-8b-floor"):
    return named(found, "Deployment", deployment)["spec"]["template"]["spec"]


def arguments(changes):
    """The model server's arguments; asserts that the pinned vLLM has each flag."""
    given = pod(objects(changes))["containers"][0]["args"]
    rows = catalogue()["flags"]
    spellings = {flag: flag for flag in rows} | {row["negation"]: flag for flag, row in rows.items() if "negation" in row}
    for argument in given:
        flag, has_value, value = argument.partition("=")
        if flag.startswith("--"):
            row = rows[spellings[flag]]
            assert row["boolean"] is not bool(has_value) or "nargs" in row, argument
            assert not row.get("choices") or value in map(str, row["choices"]), argument
    return given


def test_a_model_of_the_catalogue_takes_tools_and_marks_what_it_thinks():
    given = arguments({})
    assert {"--enable-auto-tool-choice", "--tool-call-parser=hermes", "--reasoning-parser=qwen3"} <= set(given)


@pytest.mark.parametrize("source", ["acme/tiny", "Qwen/Qwen3-8B"])
def test_parsers_of_the_stack_come_before_the_catalogues_and_can_be_turned_off(source):
    engine = {"toolCallParser": "none", "reasoningParser": "deepseek_r1", "maxModelLen": 2048}
    architecture = {
        "model_type": "llama",
        "hidden_size": 512,
        "num_hidden_layers": 4,
        "num_attention_heads": 8,
        "vocab_size": 32000,
        "max_position_embeddings": 4096,
    }
    changes = {f"{MODEL}.source": source, f"{MODEL}.engine": engine}
    given = arguments(changes | ({f"{MODEL}.architecture": architecture} if source == "acme/tiny" else {}))
    assert "--reasoning-parser=deepseek_r1" in given
    assert not [one for one in given if "tool" in one]


def test_ranks_and_their_gpus_reach_the_pod():
    changes = {
        "nodePools.l4.machineType": "a3-highgpu-8g",
        f"{MODEL}.source": "Qwen/Qwen3-30B-A3B",
        f"{MODEL}.parallelism": {"data": 4, "expert": True},
    }
    assert {"--data-parallel-size=4", "--tensor-parallel-size=1", "--enable-expert-parallel"} <= set(arguments(changes))
    assert pod(objects(changes))["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "4"


TEMPLATE = "{% for message in messages %}{{ message.content }} costs $(HOME)\n{% endfor %}"


def test_a_chat_template_is_mounted_where_vllm_reads_it():
    found = objects({f"{MODEL}.engine.chatTemplate": TEMPLATE})
    for deployment in ("qwen3-8b-floor", "qwen3-8b-burst"):
        spec = pod(found, deployment)
        path = next(one.partition("=")[2] for one in spec["containers"][0]["args"] if one.startswith("--chat-template="))
        folder, _, file = path.rpartition("/")
        mount = next(one for one in spec["containers"][0]["volumeMounts"] if one["mountPath"] == folder)
        volume = next(one for one in spec["volumes"] if one["name"] == mount["name"])
        config_map = named(found, "ConfigMap", volume["configMap"]["name"])
        assert config_map["metadata"]["namespace"] == "model-qwen3-8b"
        assert config_map["data"] == {file: TEMPLATE}
        assert config_map["immutable"] is True


def test_another_chat_template_is_another_pod():
    one, other = (pod(objects({f"{MODEL}.engine.chatTemplate": template})) for template in (TEMPLATE, TEMPLATE + " "))
    assert one["containers"] == other["containers"]
    assert one["volumes"] != other["volumes"]


def environment(container):
    return {one["name"]: one.get("value") for one in container["env"]}


def test_variables_reach_the_server_and_those_of_hugging_face_the_download_too():
    given = {"NCCL_DEBUG": "INFO", "OMP_NUM_THREADS": 8, "VLLM_LOGGING_PREFIX": "$(HOME)", "HF_HUB_DOWNLOAD_TIMEOUT": "60"}
    spec = pod(objects({f"{MODEL}.engine.environment": given}))
    plain = pod(objects({}))
    server, download = (environment(spec[kind][0]) for kind in ("containers", "initContainers"))
    expected = {"NCCL_DEBUG": "INFO", "OMP_NUM_THREADS": "8", "VLLM_LOGGING_PREFIX": "$$(HOME)", "HF_HUB_DOWNLOAD_TIMEOUT": "60"}
    assert server == environment(plain["containers"][0]) | expected
    assert download == environment(plain["initContainers"][0]) | {"HF_HUB_DOWNLOAD_TIMEOUT": "60"}


@pytest.mark.parametrize("stack_of", ["a GPU", "a CPU"])
def test_no_variable_that_the_program_sets_may_be_set(stack_of):
    spec = pod(objects({})) if stack_of == "a GPU" else pod(manifests(offline.run(configuration("local"), "local")), "qwen3-0-6b-floor")
    refused = catalog.environment().refused
    for container in [*spec["containers"], *spec["initContainers"]]:
        assert environment(container).keys() <= refused.keys()


OWN = "ghcr.io/acme/vllm-openai:v0.33.0-acme1"


@pytest.mark.parametrize(
    ("mirror", "image"),
    [
        (None, OWN),
        ("registry.acme.example/mirror", "registry.acme.example/mirror/acme/vllm-openai:v0.33.0-acme1"),
        ("artifact-registry", f"us-central1-docker.pkg.dev/{stack()['gcp:project']}/llm-ghcr-io/acme/vllm-openai:v0.33.0-acme1"),
    ],
)
def test_an_image_of_ones_own_runs_the_server_and_its_download_and_goes_through_the_mirror(mirror, image):
    spec = pod(objects({f"{MODEL}.image": OWN, "platform": {"imageMirror": mirror} if mirror else {}}))
    assert {one["image"] for one in [*spec["containers"], *spec["initContainers"]]} == {image}


def speculative(**given):
    h100 = {"nodePools.l4.machineType": "a3-highgpu-8g"}
    return h100 | {f"{MODEL}.engine.speculative": {"numSpeculativeTokens": 3, **given}}


def speculative_config(changes):
    return json.loads(next(one.partition("=")[2] for one in arguments(changes) if one.startswith("--speculative-config=")))


def test_a_draft_model_is_downloaded_beside_the_model_and_named_by_its_folder():
    changes = speculative(method="draft_model", model="Qwen/Qwen3-0.6B", revision=REVISION)
    config = speculative_config(changes)
    assert config == {"method": "draft_model", "num_speculative_tokens": 3, "model": config["model"]}
    spec = pod(objects(changes))
    download = next(one for one in spec["initContainers"] if one["command"] == ["hf", "download", "Qwen/Qwen3-0.6B"])
    assert {f"--local-dir={config['model']}", f"--revision={REVISION}"} <= set(download["args"])
    model = next(one for one in spec["initContainers"] if one["command"][-1] == "Qwen/Qwen3-8B")
    assert f"--local-dir={config['model']}" not in model["args"]


def test_n_grams_and_a_models_own_layers_need_no_download():
    ngram = speculative(method="ngram", promptLookupMin=2, promptLookupMax=4)
    assert speculative_config(ngram) == {"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_min": 2, "prompt_lookup_max": 4}
    own = speculative(method="mtp") | {f"{MODEL}.source": "zai-org/GLM-4.5", "nodePools.l4.machineType": "a3-ultragpu-8g",
        f"{MODEL}.parallelism": {"tensor": 8}, "cluster.zones": ["us-central1-b"], "nodePools.l4.spot": {"max": 2},
        f"{MODEL}.weights": {"cache": "persistent-volume-claim", "storageClass": "filestore"}}  # fmt: skip
    assert speculative_config(own) == {"method": "mtp", "num_speculative_tokens": 3}
    found = objects(own)
    assert pod(found)["initContainers"] == []
    (filled,) = [one["spec"]["template"]["spec"]["containers"][0] for one in found if one["kind"] == "Job"]
    assert [one["source"] for one in json.loads(filled["args"][0])] == ["zai-org/GLM-4.5"]


def test_mistrals_own_format_is_downloaded_where_it_is_loaded():
    def downloads(*extra):
        return pod(objects({f"{MODEL}.engine.extraArgs": list(extra)}))["initContainers"][0]["args"]

    assert "--exclude=consolidated*" in downloads()
    assert "--exclude=consolidated*" not in downloads("--load-format=mistral")
    assert "--exclude=model*.safetensors" in downloads("--load-format=mistral")
