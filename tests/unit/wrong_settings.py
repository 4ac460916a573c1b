"""Wrong stacks whose problem is in a typed setting of the engine, in where weights come from, or in what a replica is made of."""

from tests.unit.wrong_models import H100, MODEL

ENVIRONMENT = f"{MODEL}.engine.environment"

# name: (changes to a stack that works, path of the problem, words of the reason, words of the fix)
WRONG = {
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
    "password as a variable": ({ENVIRONMENT: {"NCCL_PASSWORD": "x"}}, f"{ENVIRONMENT}.NCCL_PASSWORD", "like a secret", "under secrets"),
    "API key as a variable": ({ENVIRONMENT: {"VLLM_API_KEY": "x"}}, f"{ENVIRONMENT}.VLLM_API_KEY", "looks like a secret", "under secrets"),
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
    "ranks that the node has no GPUs for": (
        H100 | {f"{MODEL}.source": "Qwen/Qwen3-30B-A3B", f"{MODEL}.parallelism": {"tensor": 2, "data": 8, "expert": True}},
        f"{MODEL}.parallelism",
        "16 GPUs (tensor 2 x pipeline 1 x data 8)",
        "one node",
    ),
    "no rank at all": ({f"{MODEL}.parallelism.data": 0}, f"{MODEL}.parallelism.data", "0", "greater than 0"),
    "fp8 blocks cut by ranks": (
        H100 | {f"{MODEL}.source": "Qwen/Qwen3-235B-A22B-FP8", f"{MODEL}.parallelism": {"data": 8}},
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
