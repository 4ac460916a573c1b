"""Every wrong stack is refused with the path of what is wrong and with what to do about it, and all of it at once."""

import pytest

from config.errors import Problem, StackError
from config.settings import Settings
from planning.plan import make_plan
from tests.stacks import REVISION, settings, stack

MODEL = "models.qwen3-8b"
LLAMA_70B = {f"{MODEL}.source": "meta-llama/Llama-3.3-70B-Instruct", "secrets.huggingFaceToken": {"secure": "v1:x"}}
H100 = {"nodePools.l4.machineType": "a3-highgpu-8g"}
T4 = {"nodePools.l4.machineType": "n1-standard-8"}
EXISTING = {
    "cluster": {"provider": "existing", "name": "lab"},
    "nodePools.l4": {
        "hardware": {"vcpus": 16, "memoryGiB": 64, "accelerator": "nvidia-l4", "gpus": 1},
        "onDemand": {"max": 4},
        "spot": {"max": 2},
    },
    "gcp:project": None,
    "gcp:region": None,
}

# name: (changes to a stack that works, path of the problem, words of the reason, words of the fix)
WRONG = {
    "typo in a key": ({f"{MODEL}.engine": {"maxModelen": 8192}}, f"{MODEL}.engine.maxModelen", "unknown key", "maxModelLen"),
    "typo in a section": ({"nodePols.l4": {}}, "nodePols", "unknown section", "nodePools"),
    "typo in a nested section": ({"cluster.systemPol": {"min": 1}}, "cluster.systemPol", "unknown key", "systemPool"),
    "wrong unit": ({"platform.monitoring": {"storageGiB": "50Gi"}}, "platform.monitoring.storageGiB", "'50Gi'", "integer"),
    "unit in the key": ({"nodePools.l4.bootDiskGb": 100}, "nodePools.l4.bootDiskGb", "unknown key", "bootDiskGiB"),
    "utilization above one": (
        {f"{MODEL}.engine.gpuMemoryUtilization": 1.5},
        f"{MODEL}.engine.gpuMemoryUtilization",
        "1.5",
        "less than or equal",
    ),
    "more GPU nodes than the quota of critical pods allows": (
        {"nodePools.l4.spot": {"max": 121}},
        "platform.gpuOperator.podQuota",
        "1000 critical pods may run, but the GPU Operator has up to 1004 on 125 GPU nodes",
        "raise it to 1004",
    ),
    "negative context": ({f"{MODEL}.engine.maxModelLen": -1}, f"{MODEL}.engine.maxModelLen", "-1", "greater than 0"),
    "unknown dtype": ({f"{MODEL}.engine.dtype": "bf16"}, f"{MODEL}.engine.dtype", "'bf16'", "bfloat16"),
    "tensor size that does not divide the heads": (
        H100 | {f"{MODEL}.parallelism.tensor": 3},
        f"{MODEL}.parallelism.tensor",
        "32 attention heads",
        "1, 2, 4",
    ),
    "phi-4 on four GPUs": (
        H100 | {f"{MODEL}.source": "microsoft/phi-4", f"{MODEL}.parallelism.tensor": 4},
        f"{MODEL}.parallelism.tensor",
        "10 KV heads",
        "1, 2, 5, 10",
    ),
    "more GPUs than a node has": ({f"{MODEL}.parallelism.tensor": 2}, f"{MODEL}.parallelism", "needs 2 GPUs", "more GPUs"),
    "fp8 blocks cut by tensor parallelism": (
        H100 | {f"{MODEL}.source": "Qwen/Qwen3-235B-A22B-FP8", f"{MODEL}.parallelism.tensor": 8},
        f"{MODEL}.parallelism.tensor",
        "128-wide",
        "expert",
    ),
    "experts of a model without any": ({f"{MODEL}.parallelism.expert": True}, f"{MODEL}.parallelism.expert", "no experts", "remove"),
    "more stages than layers": (H100 | {f"{MODEL}.parallelism.pipeline": 37}, f"{MODEL}.parallelism.pipeline", "36 layers", "fewer"),
    "context beyond the model's positions": (
        {f"{MODEL}.source": "microsoft/DialoGPT-medium", f"{MODEL}.engine.maxModelLen": 2048},
        f"{MODEL}.engine.maxModelLen",
        "1024 positions",
        "1024",
    ),
    "context beyond the GPU's memory": ({f"{MODEL}.engine.maxModelLen": 40960}, f"{MODEL}.engine.maxModelLen", "KV cache", "at most 12768"),
    "70B on one H100": (
        LLAMA_70B | H100 | {f"{MODEL}.engine.maxModelLen": 8192},
        f"{MODEL}.nodePool",
        "does not fit",
        "parallelism.tensor to 2",
    ),
    "model too large for the pool": (LLAMA_70B, f"{MODEL}.nodePool", "does not fit", "more memory"),
    "dtype that the GPU lacks": (T4 | {f"{MODEL}.engine.dtype": "bfloat16"}, f"{MODEL}.engine.dtype", "no bfloat16", "float16"),
    "fp8 cache on an old GPU": (T4 | {f"{MODEL}.engine.kvCacheDtype": "fp8"}, f"{MODEL}.engine.kvCacheDtype", "no fp8", "8.9"),
    "mxfp4 on an old GPU": (T4 | {f"{MODEL}.source": "openai/gpt-oss-20b"}, f"{MODEL}.nodePool", "cannot run mxfp4", "8.0"),
    "Gemma in float16": (
        T4 | {f"{MODEL}.source": "google/gemma-3-27b-it", "secrets.huggingFaceToken": "x"},
        f"{MODEL}.nodePool",
        "overflows",
        "newer GPU",
    ),
    "removed flag": (
        {f"{MODEL}.engine.extraArgs": ["--swap-space=4"]},
        f"{MODEL}.engine.extraArgs[0]",
        "removed --swap-space",
        "--kv-offloading-size",
    ),
    "misspelt flag": ({f"{MODEL}.engine.extraArgs": ["--enable-lorra"]}, f"{MODEL}.engine.extraArgs[0]", "no flag", "--enable-lora"),
    "flag with a value it does not take": (
        {f"{MODEL}.engine.extraArgs": ["--enable-lora=true"]},
        f"{MODEL}.engine.extraArgs[0]",
        "no value",
        "--enable-lora",
    ),
    "flag without its value": (
        {f"{MODEL}.engine.extraArgs": ["--max-loras"]},
        f"{MODEL}.engine.extraArgs[0]",
        "needs a value",
        "--max-loras=<value>",
    ),
    "flag and value in two words": (
        {f"{MODEL}.engine.extraArgs": ["--max-loras 2"]},
        f"{MODEL}.engine.extraArgs[0]",
        "not a flag",
        "--flag=value",
    ),
    "flag that a setting owns": (
        {f"{MODEL}.engine.extraArgs": ["--max-model-len=4096"]},
        f"{MODEL}.engine.extraArgs[0]",
        "set by this program",
        "engine.maxModelLen",
    ),
    "short spelling of an owned flag": (
        {f"{MODEL}.engine.extraArgs": ["--device-memory-utilization=0.5"]},
        f"{MODEL}.engine.extraArgs[0]",
        "set by",
        "gpuMemoryUtilization",
    ),
    "api key on the command line": (
        {f"{MODEL}.engine.extraArgs": ["--api-key=secret"]},
        f"{MODEL}.engine.extraArgs[0]",
        "may not be set",
        "remove",
    ),
    "model named vllm": ({"models.vllm": {"source": "Qwen/Qwen3-0.6B", "nodePool": "l4"}}, "models.vllm", "VLLM_PORT", "another name"),
    "name that is no Kubernetes name": (
        {"models.Qwen_3": {"source": "Qwen/Qwen3-0.6B", "nodePool": "l4"}},
        "models.Qwen_3",
        "not a Kubernetes name",
        "lower-case",
    ),
    "duplicate served names": (
        {"models.other": {"source": "Qwen/Qwen3-0.6B", "nodePool": "l4", "servedNames": ["qwen3-8b"]}},
        "models.other.servedNames",
        "already served",
        "one model",
    ),
    "branch as revision": ({f"{MODEL}.revision": "main"}, f"{MODEL}.revision", "branch or tag", "40 hexadecimal"),
    "no revision anywhere": (
        {f"{MODEL}.source": "microsoft/phi-4", f"{MODEL}.revision": None} | H100,
        f"{MODEL}.revision",
        "no revision",
        "40 hexadecimal",
    ),
    "unknown model": ({f"{MODEL}.source": "Qwen/Qwen3-8"}, f"{MODEL}.source", "not in the catalogue", "Qwen/Qwen3-8B"),
    "unknown model, nothing near": (
        {f"{MODEL}.source": "acme/private-7b"},
        f"{MODEL}.source",
        "not in the catalogue",
        "make describe-model",
    ),
    "malformed source": ({f"{MODEL}.source": "Qwen3-8B"}, f"{MODEL}.source", "'Qwen3-8B'", "pattern"),
    "gated model without a token": ({f"{MODEL}.source": "meta-llama/Llama-3.1-8B"}, f"{MODEL}.source", "gated", "--secret --path"),
    "unknown node pool": ({f"{MODEL}.nodePool": "l5"}, f"{MODEL}.nodePool", "no node pool 'l5'", "l4"),
    "floor above ceiling": (
        {f"{MODEL}.scaling": {"floor": 4, "ceiling": 2}},
        f"{MODEL}.scaling",
        "floor 4 is above ceiling 2",
        "raise scaling.ceiling",
    ),
    "floor above the pool's capacity": (
        {f"{MODEL}.scaling": {"floor": 5, "ceiling": 5}},
        "nodePools.l4.onDemand.max",
        "which need 5",
        "raise it to 5",
    ),
    "ceiling above the pool's capacity": ({f"{MODEL}.scaling.ceiling": 12}, f"{MODEL}.scaling.ceiling", "11 spot nodes", "lower it to 9"),
    "burst without spot nodes": ({"nodePools.l4.spot": None}, f"{MODEL}.scaling.burst", "has none", "spot.max"),
    "floor without on-demand nodes": ({"nodePools.l4.onDemand": None}, f"{MODEL}.scaling.floor", "has none", "onDemand.max"),
    "pool without nodes": (
        {"nodePools.l4.onDemand": {"max": 0}, "nodePools.l4.spot": {"max": 0}},
        "nodePools.l4",
        "never have a node",
        "above 0",
    ),
    "minimum above maximum": (
        {"nodePools.l4.onDemand": {"min": 5, "max": 2}},
        "nodePools.l4.onDemand",
        "min 5 is above max 2",
        "raise max",
    ),
    "unknown machine type": (
        {"nodePools.l4.machineType": "g2-standard-11"},
        "nodePools.l4.machineType",
        "not in the catalogue",
        "g2-standard-1",
    ),
    "machine described twice": ({"nodePools.l4.hardware": {"vcpus": 4, "memoryGiB": 16}}, "nodePools.l4", "one thing", "exactly one"),
    "hardware on GKE": (
        {"nodePools.l4.machineType": None, "nodePools.l4.hardware": {"vcpus": 4, "memoryGiB": 16}},
        "nodePools.l4.hardware",
        "creates its nodes",
        "machineType",
    ),
    "selector on GKE": (
        {"nodePools.l4.spot.nodeSelector": {"a": "b"}},
        "nodePools.l4.spot.nodeSelector",
        "labels from this program",
        "remove",
    ),
    "accelerator not sold in the zone": (
        {"nodePools.l4.machineType": "a2-ultragpu-1g"},
        "nodePools.l4.machineType",
        "not offered in us-central1-b",
        "us-central1-a, us-central1-c",
    ),
    "zone of another region": ({"cluster.zones": ["us-east1-b"]}, "cluster.zones[0]", "not a zone of region us-central1", "us-central1-a"),
    "pool in a zone that the cluster lacks": (
        {"nodePools.l4.zones": ["us-central1-c"]},
        "nodePools.l4.zones[0]",
        "not a zone of the cluster",
        "cluster.zones",
    ),
    "zone twice": ({"cluster.zones": ["us-central1-a", "us-central1-a"]}, "cluster.zones", "twice", "once"),
    "shared GPU taken twice": (
        {"nodePools.l4.gpuSharing": {"strategy": "MPS", "maxClientsPerGpu": 2}},
        f"{MODEL}.engine.gpuMemoryUtilization",
        "share a GPU",
        "at most 0.5",
    ),
    "unknown MIG profile": ({"nodePools.l4.gpuPartitionSize": "1g.5gb"}, "nodePools.l4.gpuPartitionSize", "no profile", "none"),
    "budget exceeded": ({"budget.monthlyUsd": 100}, "budget.monthlyUsd", "the budget is $100", "lower a floor"),
    "price unknown under a budget": (
        {"budget.monthlyUsd": 90000, "nodePools.l4.machineType": "a4-highgpu-8g"},
        "nodePools.l4",
        "no price",
        "budget.prices",
    ),
    "price for nothing": (
        {"budget.prices": {"g2-standard-4": {"spotUsdPerHour": 1}}},
        "budget.prices.g2-standard-4",
        "no node pool",
        "did you mean",
    ),
    "overlapping ranges": (
        {"cluster.ranges": {"nodes": "10.0.0.0/16", "pods": "10.0.0.0/14"}},
        "cluster.ranges",
        "overlap",
        "share no address",
    ),
    "range that is none": ({"cluster.ranges": {"nodes": "10.0.0.1/20"}}, "cluster.ranges.nodes", "not an IPv4 range", "10.0.0.0/20"),
    "too few addresses for pods": ({"cluster.ranges": {"pods": "10.16.0.0/24"}}, "cluster.ranges.pods", "too small", "larger range"),
    "unknown provider": ({"cluster.provider": "eks"}, "cluster.provider", "'eks'", "gke, existing"),
    "GKE without a project": ({"gcp:project": None}, "gcp:project", "required", "pulumi config set gcp:project"),
    "GPU as the system pool": (
        {"cluster.systemPool": {"machineType": "g2-standard-4"}},
        "cluster.systemPool.machineType",
        "not a CPU machine",
        "-standard-",
    ),
    "installer without operator": (
        {"cluster.gpuStack": "driver-installer", "platform.gpuOperator": {"enabled": False}},
        "platform.gpuOperator.enabled",
        "advertises",
        "gke-default",
    ),
    "volume for one node, replicas on many": (
        {f"{MODEL}.weights": {"cache": "persistent-volume-claim", "accessMode": "ReadWriteOnce"}},
        f"{MODEL}.weights.accessMode",
        "attached to one node",
        "ReadWriteMany",
    ),
    "disk too small for the weights": ({"nodePools.l4.bootDiskGiB": 60}, f"{MODEL}.weights", "GiB of disk", "bootDiskGiB"),
    "requests above the node": ({f"{MODEL}.resources": {"memoryGiB": 500}}, f"{MODEL}.resources", "500", "larger machine"),
    "bucket on an existing cluster": (
        EXISTING | {f"{MODEL}.weights": {"uri": "gs://bucket/model"}},
        f"{MODEL}.weights.uri",
        "Workload Identity",
        "Hugging Face",
    ),
    "Secret Manager on an existing cluster": (
        EXISTING | {"secrets.source": "secret-manager"},
        "secrets.source",
        "Workload Identity",
        "pulumi",
    ),
    "Artifact Registry on an existing cluster": (
        EXISTING | {"platform.imageMirror": "artifact-registry"},
        "platform.imageMirror",
        "provider gke",
        "prefix",
    ),
    "reservation on an existing cluster": (EXISTING | {"nodePools.l4.reservation": "r"}, "nodePools.l4.reservation", "creates", "remove"),
    "architecture with impossible counts": (
        {
            f"{MODEL}.source": "acme/tiny",
            f"{MODEL}.architecture": {
                "model_type": "llama",
                "hidden_size": 0,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "vocab_size": 10,
                "max_position_embeddings": 10,
            },
        },
        f"{MODEL}.architecture",
        "hidden_size is 0",
        "config.json",
    ),
    "typo in an architecture": (
        {f"{MODEL}.source": "acme/tiny", f"{MODEL}.architecture": {"hiden_size": 8}},
        f"{MODEL}.architecture.hiden_size",
        "unknown key",
        "hidden_size",
    ),
}


def problems(changes) -> tuple[Problem, ...]:
    with pytest.raises(StackError) as caught:
        make_plan(settings(changes))
    return caught.value.problems


def test_the_stack_that_they_are_made_from_works():
    assert make_plan(settings()).models["qwen3-8b"].floor == 1
    assert make_plan(settings(EXISTING)).models["qwen3-8b"].floor == 1


def test_the_table_is_large():
    assert len(WRONG) >= 40


@pytest.mark.parametrize(("changes", "path", "reason", "fix"), WRONG.values(), ids=WRONG)
def test_a_wrong_stack_is_refused_with_path_reason_and_fix(changes, path, reason, fix):
    found = problems(changes)
    matching = [problem for problem in found if problem.path == path]
    assert matching, f"nothing said at {path}, only: {[str(problem) for problem in found]}"
    assert any(reason in problem.message and fix in problem.fix for problem in matching), [str(problem) for problem in matching]


def test_all_problems_of_a_stack_are_reported_at_once():
    changes = {
        "cluster.systemPol": {},
        "platform.monitoring": {"storageGiB": "50Gi"},
        f"{MODEL}.parallelism.tensor": 2,
        "models.a": {"source": "Qwen/Qwen3-0.6B", "nodePool": "nowhere", "engine": {"extraArgs": ["--task=x", "--nonsense"]}},
        "models.vllm": {"source": "Qwen/Qwen3-0.6B", "nodePool": "l4"},
        "models.b": {"source": "microsoft/DialoGPT-medium", "revision": REVISION, "nodePool": "l4", "engine": {"maxModelLen": 2048}},
        "budget": {"monthlyUsd": 10},
    }
    paths = {problem.path for problem in problems(changes)}
    expected = {"cluster.systemPol", "platform.monitoring.storageGiB", f"{MODEL}.parallelism", "models.vllm"}
    expected |= {"models.a.engine.extraArgs[0]", "models.a.engine.extraArgs[1]", "models.b.engine.maxModelLen", "budget.monthlyUsd"}
    assert expected <= paths


def test_a_typo_in_a_model_does_not_hide_what_else_is_wrong_with_it():
    changes = {f"{MODEL}.engine": {"maxModelen": 8192, "dtype": "bfloat16"}, f"{MODEL}.parallelism.tensor": 3} | T4
    found = {problem.path for problem in problems(changes)}
    assert found == {f"{MODEL}.engine.maxModelen", f"{MODEL}.engine.dtype", f"{MODEL}.parallelism", f"{MODEL}.parallelism.tensor"}


def test_a_pool_that_cannot_be_read_says_nothing_about_the_models_on_it():
    assert {problem.path for problem in problems({"nodePools.l4.spot": {"maxx": 4}})} == {"nodePools.l4.spot.maxx"}


@pytest.mark.parametrize("value", [None, 7, "text", [1, 2], True], ids=str)
@pytest.mark.parametrize("section", ["cluster", "nodePools", "models", "platform", "budget", "secrets"])
def test_a_section_of_the_wrong_shape_is_a_problem_and_never_a_traceback(section, value):
    config = stack() | {f"vllm-platform:{section}": value}
    if value is None:
        del config[f"vllm-platform:{section}"]
    if value is None and section not in ("cluster", "nodePools"):
        make_plan(Settings.parse(config))
        return
    with pytest.raises(StackError) as caught:
        make_plan(Settings.parse(config))
    assert all(problem.path and problem.message and problem.fix for problem in caught.value.problems)
