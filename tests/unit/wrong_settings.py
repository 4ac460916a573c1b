"""Wrong stacks whose problem is in settings of engine, weights, parallelism or hardware."""

from tests.stacks import REVISION
from tests.unit.wrong_models import EXISTING, H100, MODEL

SPEED = {
    "gpu": "nvidia-l4",
    "requestsInFlight": 4,
    "promptTokens": 1155,
    "outputTokens": 211,
    "outputTokensPerSecond": 40,
    "vllm": "0.33.0",
    "date": "2026-11-01",
}
S3 = {"uri": "s3://acme-weights/qwen3-8b", "region": "eu-central-1"}
HARDWARE = "nodePools.l4.hardware"
# NVIDIA's datasheet of the L20.
L20 = {"name": "nvidia-l20", "memoryGiB": 44.5, "computeCapability": 8.9, "memoryBandwidthGBps": 864, "bf16Tflops": 119.5}
ENVIRONMENT = f"{MODEL}.engine.environment"
# A compressed-tensors checkpoint, whose expert blocks vLLM never divides.
EXPERTS_IN_BLOCKS = {
    f"{MODEL}.source": "acme/experts-fp8-block",
    f"{MODEL}.architecture": {
        "model_type": "qwen3_moe",
        "hidden_size": 2048,
        "num_hidden_layers": 48,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 151936,
        "max_position_embeddings": 40960,
        "num_experts": 64,
        "num_experts_per_tok": 8,
        "moe_intermediate_size": 1536,
        "quantization_config": {"quant_method": "compressed-tensors", "bits": 8, "weight_block_size": [128, 128]},
    },
}

# name: (changes to a stack that works, path of the problem, words of the reason, words of the fix)
WRONG = {
    "speed measured on a GPU that nobody knows": (
        {f"{MODEL}.measuredSpeed": [SPEED | {"gpu": "nvidia-l5"}]},
        f"{MODEL}.measuredSpeed[0].gpu",
        "no GPU is called 'nvidia-l5'",
        "nvidia-l4",
    ),
    "weights from a port that does not exist": (
        {f"{MODEL}.weights": S3 | {"endpoint": "http://minio.storage.svc:0"}},
        f"{MODEL}.weights.endpoint",
        "port that no server has",
        "65535",
    ),
    "speed measured without load": (
        {f"{MODEL}.measuredSpeed": [SPEED | {"requestsInFlight": 0}]},
        f"{MODEL}.measuredSpeed[0].requestsInFlight",
        "0",
        "greater than 0",
    ),
    "tool call parser that does not exist": (
        {f"{MODEL}.engine.toolCallParser": "hermess"},
        f"{MODEL}.engine.toolCallParser",
        "'hermess' is not a parser of tool calls",
        "'hermes'",
    ),
    "reasoning parser that does not exist": (
        {f"{MODEL}.engine.reasoningParser": "deepseek-r1"},
        f"{MODEL}.engine.reasoningParser",
        "'deepseek-r1' is not a parser of reasoning",
        "'deepseek_r1'",
    ),
    "chat template that is a path": (
        {f"{MODEL}.engine.chatTemplate": "./templates/tools.jinja"},
        f"{MODEL}.engine.chatTemplate",
        "no Jinja template",
        "template's text",
    ),
    "empty chat template": ({f"{MODEL}.engine.chatTemplate": ""}, f"{MODEL}.engine.chatTemplate", "''", "at least 1 character"),
    "chat template larger than a ConfigMap": (
        {f"{MODEL}.engine.chatTemplate": "{{ messages }}" + "ü" * 600_000},
        f"{MODEL}.engine.chatTemplate",
        "1,200,014 bytes",
        "shorten",
    ),
    "token as a variable": ({ENVIRONMENT: {"HF_TOKEN": "hf_VALUE"}}, f"{ENVIRONMENT}.HF_TOKEN", "looks like a secret", "huggingFaceToken"),
    "password as a variable": ({ENVIRONMENT: {"NCCL_PASSWORD": "x"}}, f"{ENVIRONMENT}.NCCL_PASSWORD", "like a secret", "under `secrets`"),
    "API key as a variable": (
        {ENVIRONMENT: {"VLLM_API_KEY": "x"}},
        f"{ENVIRONMENT}.VLLM_API_KEY",
        "looks like a secret",
        "under `secrets`",
    ),
    "variable that the program sets": ({ENVIRONMENT: {"HOME": "/root"}}, f"{ENVIRONMENT}.HOME", "the program sets it", "remove"),
    "variable that the plan sets": (
        {ENVIRONMENT: {"VLLM_ENGINE_READY_TIMEOUT_S": 60}},
        f"{ENVIRONMENT}.VLLM_ENGINE_READY_TIMEOUT_S",
        "startupBudgetSeconds",
        "remove",
    ),
    "port as a variable": ({ENVIRONMENT: {"VLLM_PORT": 80}}, f"{ENVIRONMENT}.VLLM_PORT", "rely on the port", "remove"),
    "devices as a variable": ({ENVIRONMENT: {"CUDA_VISIBLE_DEVICES": 0}}, f"{ENVIRONMENT}.CUDA_VISIBLE_DEVICES", "device plugin", "remove"),
    "credentials of a bucket as a variable": ({ENVIRONMENT: {"AWS_REGION": "x"}}, f"{ENVIRONMENT}.AWS_REGION", "under secrets", "remove"),
    "variable of another GPU": ({ENVIRONMENT: {"VLLM_ROCM_USE_AITER": 1}}, f"{ENVIRONMENT}.VLLM_ROCM_USE_AITER", "AMD", "remove"),
    "misspelt variable": (
        {ENVIRONMENT: {"VLLM_LOGING_LEVEL": "DEBUG"}},
        f"{ENVIRONMENT}.VLLM_LOGING_LEVEL",
        "no variable",
        "VLLM_LOGGING_LEVEL",
    ),
    "variable that vLLM has removed": (
        {ENVIRONMENT: {"VLLM_ATTENTION_BACKEND": "FLASHINFER"}},
        f"{ENVIRONMENT}.VLLM_ATTENTION_BACKEND",
        "has removed",
        "--attention-backend",
    ),
    "variable of nobody": ({ENVIRONMENT: {"MODEL_NAME": "x"}}, f"{ENVIRONMENT}.MODEL_NAME", "may be set", "NCCL_"),
    "variable that is no text": ({ENVIRONMENT: {"NCCL_DEBUG": True}}, f"{ENVIRONMENT}.NCCL_DEBUG", "not text", "in quotes"),
    "variables as a list": ({ENVIRONMENT: ["A=1"]}, ENVIRONMENT, "['A=1']", "mapping"),
    "image without a tag": ({f"{MODEL}.image": "ghcr.io/acme/vllm"}, f"{MODEL}.image", "neither tag nor digest", ":tag"),
    "image of the port of a registry only": ({f"{MODEL}.image": "registry:5000/vllm"}, f"{MODEL}.image", "neither tag", ":tag"),
    "latest image": ({f"{MODEL}.image": "vllm/vllm-openai:latest"}, f"{MODEL}.image", "another image tomorrow", "sha256"),
    "image with a short digest": ({f"{MODEL}.image": "acme/vllm@sha256:abc"}, f"{MODEL}.image", "not an image", "64 hexadecimal"),
    "image that is an address": (
        {f"{MODEL}.image": "https://ghcr.io/acme/vllm:v1"},
        f"{MODEL}.image",
        "not an image",
        "registry/repository:tag",
    ),
    "image in capitals": ({f"{MODEL}.image": "ghcr.io/Acme/vllm:v1"}, f"{MODEL}.image", "not an image", "registry/repository:tag"),
    "short bucket on an existing cluster": (
        EXISTING | {f"{MODEL}.weights": {"uri": "gs://b/m"}},
        f"{MODEL}.weights.uri",
        "Workload Identity, which a cluster of provider existing does not have",
        "weights.claim",
    ),
    "bucket with a name that none has": ({f"{MODEL}.weights": {"uri": "gs://b/m"}}, f"{MODEL}.weights.uri", "'b': it has 1", "3 to 63"),
    "s3 without an access key": ({f"{MODEL}.weights": S3}, f"{MODEL}.weights.uri", "access key", "secrets.s3AccessKeyId"),
    "s3 without the secret of its key": (
        {f"{MODEL}.weights": S3, "secrets.s3AccessKeyId": {"secure": "v1:x"}},
        f"{MODEL}.weights.uri",
        "access key",
        "secrets.s3SecretAccessKey",
    ),
    "s3 without a region": ({f"{MODEL}.weights": {"uri": S3["uri"]}}, f"{MODEL}.weights", "bucket's region", "endpoint for another"),
    "region of no s3 address": ({f"{MODEL}.weights": {"region": "eu-central-1"}}, f"{MODEL}.weights", "for an s3:// uri", "an s3:// uri"),
    "endpoint of Google's": (
        {f"{MODEL}.weights": {"uri": "gs://bucket/x", "endpoint": "https://x.example"}},
        f"{MODEL}.weights",
        "for an s3:// uri",
        "an s3:// uri",
    ),
    "endpoint with a path": (
        {f"{MODEL}.weights": {"uri": S3["uri"], "endpoint": "https://minio/bucket"}},
        f"{MODEL}.weights.endpoint",
        "not the address of a server",
        "https://host",
    ),
    "addresses of no endpoint": (
        {f"{MODEL}.weights": S3 | {"endpointRange": "10.0.0.0/8"}},
        f"{MODEL}.weights",
        "needs endpoint",
        "give endpoint",
    ),
    "bucket and claim": (
        {f"{MODEL}.weights": {"uri": "gs://bucket/x", "claim": "models"}},
        f"{MODEL}.weights",
        "two sources",
        "one of them",
    ),
    "claim that a download would fill": (
        {f"{MODEL}.weights": {"claim": "models", "cache": "persistent-volume-claim"}},
        f"{MODEL}.weights",
        "nothing is downloaded",
        "remove",
    ),
    "folder of no claim": ({f"{MODEL}.weights": {"path": "llama"}}, f"{MODEL}.weights", "none is given", "give claim"),
    "folder outside the claim": (
        {f"{MODEL}.weights": {"claim": "models", "path": "../etc"}},
        f"{MODEL}.weights.path",
        "not a folder of the claim",
        "without / first",
    ),
    "claim of a name that none has": (
        {f"{MODEL}.weights": {"claim": "My_Claim"}},
        f"{MODEL}.weights.claim",
        "not the name of a Kubernetes object",
        "lower-case",
    ),
    "adapters beside a claim": (
        {f"{MODEL}.weights": {"claim": "models"}, f"{MODEL}.loraAdapters": {"sql": {"source": "acme/sql", "revision": REVISION}}},
        f"{MODEL}.loraAdapters",
        "no volume for them",
        "weights.claim",
    ),
    **{
        f"GPU named {given}": (
            EXISTING | {f"{HARDWARE}.accelerator": given},
            f"{HARDWARE}.accelerator",
            f"'{given}' is not in the catalogue",
            f"did you mean '{meant}'" if meant else "describe it: {name, memoryGiB, computeCapability, memoryBandwidthGBps, bf16Tflops}",
        )
        for given, meant in {
            "L40S": "nvidia-l40s",
            "nvidia-L40S-48GB": "nvidia-l40s",
            "NVIDIA A10G": "nvidia-a10g",
            "gh200": "nvidia-gh200-96gb",
            "nvidia-l20": None,
            "nvidia-h800": None,
            "mi300x": None,
        }.items()
    },
    "GPU with a part of its figures": (
        EXISTING | {f"{HARDWARE}.accelerator": {"name": "nvidia-l20", "memoryGiB": 44.5, "bf16Tflops": 119.5}},
        f"{HARDWARE}.accelerator",
        "needs computeCapability, memoryBandwidthGBps too",
        "datasheet",
    ),
    "figures of a GPU that the catalogue has": (
        EXISTING | {f"{HARDWARE}.accelerator": L20 | {"name": "nvidia-l40s"}},
        f"{HARDWARE}.accelerator",
        "in the catalogue",
        "only the name",
    ),
    "GPU without a name": (
        EXISTING | {f"{HARDWARE}.accelerator": {"memoryGiB": 44}},
        f"{HARDWARE}.accelerator.name",
        "not given",
        "add it",
    ),
    "GPU with a typo in its figures": (
        EXISTING | {f"{HARDWARE}.accelerator": L20 | {"memoryGib": 44}},
        f"{HARDWARE}.accelerator.memoryGib",
        "unknown key",
        "memoryGiB",
    ),
    "GPU that is too old": (
        EXISTING | {f"{HARDWARE}.accelerator": L20 | {"computeCapability": 6.1}},
        f"{HARDWARE}.accelerator.computeCapability",
        "6.1",
        "equal to 7",
    ),
    "described GPU that is too small": (
        EXISTING | {f"{HARDWARE}.accelerator": L20 | {"memoryGiB": 15.7}},
        f"{MODEL}.nodePool",
        "on nvidia-l20 vLLM may take 14.4 of 15.7 GiB",
        "more memory",
    ),
    "ranks that the node has no GPUs for": (
        H100 | {f"{MODEL}.source": "Qwen/Qwen3-30B-A3B", f"{MODEL}.parallelism": {"tensor": 2, "data": 8, "expert": True}},
        f"{MODEL}.parallelism",
        "16 GPUs (tensor 2 x pipeline 1 x data 8)",
        "one node",
    ),
    "no rank at all": ({f"{MODEL}.parallelism.data": 0}, f"{MODEL}.parallelism.data", "0", "greater than 0"),
    "fp8 blocks cut by ranks": (
        H100 | EXPERTS_IN_BLOCKS | {f"{MODEL}.parallelism": {"data": 8}},
        f"{MODEL}.parallelism.tensor",
        "1536 over 8 GPUs",
        "parallelism.expert",
    ),
    "experts spread, the rest too large for each rank": (
        H100 | {f"{MODEL}.source": "deepseek-ai/DeepSeek-R1", f"{MODEL}.parallelism": {"data": 8, "expert": True}},
        f"{MODEL}.nodePool",
        "does not fit",
        "more memory",
    ),
    "tool call parser as a list": ({f"{MODEL}.engine.toolCallParser": ["hermes"]}, f"{MODEL}.engine.toolCallParser", "['hermes']", "text"),
}
