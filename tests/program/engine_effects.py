"""What each engine setting becomes on the command line of `vllm serve`, by the flags of vLLM 0.33.0: exactly what is new and gone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.stacks import REVISION
from tests.unit.wrong_drafts import DRAFT, SHORT_DRAFT
from tests.unit.wrong_models import EXISTING, H100, MODEL


@dataclass(frozen=True)
class Arguments:
    """A setting's value, and the arguments that it adds and takes away."""

    value: Any
    new: set[str]
    gone: set[str] = field(default_factory=set)
    stack: dict[str, Any] = field(default_factory=dict)
    beside: dict[str, Any] = field(default_factory=dict)


ENGINE = "models.<name>.engine"
PARALLELISM = "models.<name>.parallelism"
SPECULATIVE = f"{ENGINE}.speculative"
EXPERTS = {"nodePools.l4.machineType": "a3-highgpu-8g", f"{MODEL}.source": "Qwen/Qwen3-30B-A3B"}
NGRAM = {f"{MODEL}.engine.speculative": {"method": "ngram", "numSpeculativeTokens": 3}}
DRAFTED = H100 | {f"{MODEL}.engine.speculative": DRAFT}
FOLDER = f"/models/drafts/Qwen/Qwen3-0.6B/{REVISION}"
OTHER = "fedcba9876543210fedcba9876543210fedcba98"


def config(flag, **keys):
    return f"--{flag}={json.dumps(keys)}"


def drafted(**changed):
    keys = {"method": "draft_model", "num_speculative_tokens": 3, "model": FOLDER} | changed
    return config("speculative-config", **keys)


def rope(positions, **changed):
    parameters = {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 40960} | changed
    return config("hf-overrides", rope_parameters=parameters, max_position_embeddings=positions)


STRETCHED = H100 | {f"{MODEL}.engine": {"maxModelLen": 65536, "ropeScaling": {"factor": 2}}}

ARGUMENTS = {
    f"{ENGINE}.maxModelLen": Arguments(4096, {"--max-model-len=4096"}, {"--max-model-len=8192"}),
    f"{ENGINE}.gpuMemoryUtilization": Arguments(0.95, {"--gpu-memory-utilization=0.95"}, {"--gpu-memory-utilization=0.92"}),
    f"{ENGINE}.maxNumSeqs": Arguments(64, {"--max-num-seqs=64"}, {"--max-num-seqs=256"}),
    f"{ENGINE}.maxNumBatchedTokens": Arguments(4096, {"--max-num-batched-tokens=4096"}, {"--max-num-batched-tokens=2048"}),
    f"{ENGINE}.maxQueuedRequests": Arguments(300, {"--max-num-queued-reqs=300"}, {"--max-num-queued-reqs=128"}),
    f"{ENGINE}.dtype": Arguments("float16", {"--dtype=float16"}, {"--dtype=auto"}),
    f"{ENGINE}.kvCacheDtype": Arguments("fp8", {"--kv-cache-dtype=fp8"}, {"--kv-cache-dtype=auto"}),
    f"{ENGINE}.enforceEager": Arguments(True, {"--enforce-eager"}),
    f"{ENGINE}.enablePrefixCaching": Arguments(False, {"--no-enable-prefix-caching"}),
    f"{ENGINE}.trustRemoteCode": Arguments(True, {"--trust-remote-code"}),
    f"{ENGINE}.toolCallParser": Arguments("none", set(), {"--enable-auto-tool-choice", "--tool-call-parser=hermes"}),
    f"{ENGINE}.reasoningParser": Arguments("deepseek_r1", {"--reasoning-parser=deepseek_r1"}, {"--reasoning-parser=qwen3"}),
    f"{ENGINE}.chatTemplate": Arguments("{{ messages }}", {"--chat-template=/etc/vllm/chat-template.jinja"}),
    f"{ENGINE}.environment": Arguments({"NCCL_DEBUG": "INFO"}, set()),  # no argument; the container's variable is in the other table
    f"{ENGINE}.extraArgs": Arguments(
        ["--seed=7", '--additional-config={"home": "$(HOME)"}'], {"--seed=7", '--additional-config={"home": "$$(HOME)"}'}
    ),
    f"{ENGINE}.ropeScaling.factor": Arguments(3, {rope(122880, factor=3.0)}, {rope(81920)}, STRETCHED),
    f"{ENGINE}.ropeScaling.ropeType": Arguments(
        "linear", {config("hf-overrides", rope_parameters={"rope_type": "linear", "factor": 2.0})}, {rope(81920)}, STRETCHED
    ),
    f"{ENGINE}.ropeScaling.originalMaxPositionEmbeddings": Arguments(
        32768, {rope(65536, original_max_position_embeddings=32768)}, {rope(81920)}, STRETCHED
    ),
    f"{SPECULATIVE}.method": Arguments(
        "eagle3", {drafted(method="eagle3", model=FOLDER.replace("Qwen3-0.6B", "Qwen3-8B_head"))}, {drafted()}, DRAFTED,
        {f"{MODEL}.engine.speculative.model": "Qwen/Qwen3-8B_head"},
    ),
    f"{SPECULATIVE}.numSpeculativeTokens": Arguments(5, {drafted(num_speculative_tokens=5)}, {drafted()}, DRAFTED),
    f"{SPECULATIVE}.model": Arguments(
        "Qwen/Qwen3-1.7B", {drafted(model=FOLDER.replace("0.6B", "1.7B"))}, {drafted()}, DRAFTED
    ),
    f"{SPECULATIVE}.revision": Arguments(OTHER, {drafted(model=FOLDER.replace(REVISION, OTHER))}, {drafted()}, DRAFTED),
    f"{SPECULATIVE}.architecture": Arguments(
        SHORT_DRAFT | {"max_position_embeddings": 8192}, {drafted(model=FOLDER.replace("Qwen/Qwen3-0.6B", "acme/draft"))},
        {drafted()}, DRAFTED,
        {f"{MODEL}.engine.speculative.model": "acme/draft"},
    ),
    f"{SPECULATIVE}.promptLookupMin": Arguments(
        2, {config("speculative-config", method="ngram", num_speculative_tokens=3, prompt_lookup_min=2)},
        {config("speculative-config", method="ngram", num_speculative_tokens=3)}, NGRAM,
    ),
    f"{SPECULATIVE}.promptLookupMax": Arguments(
        7, {config("speculative-config", method="ngram", num_speculative_tokens=3, prompt_lookup_max=7)},
        {config("speculative-config", method="ngram", num_speculative_tokens=3)}, NGRAM,
    ),
    f"{PARALLELISM}.tensor": Arguments(2, {"--tensor-parallel-size=2"}, {"--tensor-parallel-size=1"}, EXPERTS),
    f"{PARALLELISM}.pipeline": Arguments(2, {"--pipeline-parallel-size=2"}, {"--pipeline-parallel-size=1"}, EXPERTS),
    f"{PARALLELISM}.data": Arguments(2, {"--data-parallel-size=2"}, {"--data-parallel-size=1"}, EXPERTS),
    f"{PARALLELISM}.expert": Arguments(True, {"--enable-expert-parallel"}, set(), EXPERTS | {f"{MODEL}.parallelism": {"data": 2}}),
    "models.<name>.servedNames": Arguments(["a", "b"], {"a", "b"}, {"qwen3-8b"}),
    "models.<name>.loraAdapters": Arguments(
        {"sql": {"source": "acme/sql", "revision": REVISION, "rank": 64}, "law": {"source": "acme/law", "revision": OTHER, "rank": 8}},
        {"--enable-lora", "--max-loras=2", "--max-lora-rank=64", "--lora-modules", f"sql=/models/adapters/acme/sql/{REVISION}",
         f"law=/models/adapters/acme/law/{OTHER}"},
    ),
    "models.<name>.weights.uri": Arguments(
        "gs://acme/qwen3", {"gs://acme/qwen3", "--load-format=runai_streamer", "--model-loader-extra-config"}, {f"/models/{REVISION}"},
    ),
    "models.<name>.revision": Arguments(OTHER, {f"/models/{OTHER}"}, {f"/models/{REVISION}"}),
    "models.<name>.weights.path": Arguments("a/b", {"/models/a/b"}, {"/models"}, EXISTING | {f"{MODEL}.weights": {"claim": "models"}}),
    "models.<name>.weights.claim": Arguments("models", {"/models"}, {f"/models/{REVISION}"}, EXISTING),
    "gateway.countStreamedTokens": Arguments(False, set(), {"--enable-force-include-usage"}),
}  # fmt: skip
