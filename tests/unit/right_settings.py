"""Stacks that work: what is changed in a stack that works already."""

from tests.unit.wrong_drafts import DRAFT
from tests.unit.wrong_models import EXISTING, H100, MODEL
from tests.unit.wrong_settings import L20

H200 = {"nodePools.l4.machineType": "a3-ultragpu-8g", "cluster.zones": ["us-central1-b"]}

# name: changes to a stack that works
KEYS = {"secrets.s3AccessKeyId": {"secure": "v1:x"}, "secrets.s3SecretAccessKey": {"secure": "v1:y"}}

RIGHT = {
    "alerts to everybody": {
        "platform.monitoring.alerting": {
            "slack": {"channel": "#llm-alerts", "severities": ["warning"]},
            "pagerDuty": {},
            "webhook": {"url": "https://alerts.acme.example/hook"},
        },
        "secrets.slackWebhookUrl": {"secure": "v1:x"},
        "secrets.pagerDutyRoutingKey": {"secure": "v1:x"},
        "secrets.alertWebhookToken": {"secure": "v1:x"},
    },
    "an objective between two edges of vLLM's buckets that no alert watches": {
        f"{MODEL}.slo.ttftSeconds": 3,
        "platform.monitoring.enabled": False,
    },
    "an objective at an edge that the stack gives vLLM": {
        f"{MODEL}.slo.ttftSeconds": 3,
        f"{MODEL}.engine.extraArgs": ['--custom-histogram-buckets={"time_to_first_token": [1, 2, 3]}'],
    },
    "n-grams of the prompt": {f"{MODEL}.engine.speculative": {"method": "ngram", "numSpeculativeTokens": 4, "promptLookupMax": 4}},
    "small model of the family": H100 | {f"{MODEL}.engine.speculative": DRAFT},
    "head that nobody knows": H100 | {f"{MODEL}.engine.speculative": DRAFT | {"method": "eagle3", "model": "AngelSlim/Qwen3-8B_eagle3"}},
    "multi-token prediction by a model's own layers": H200
    | {
        f"{MODEL}.source": "deepseek-ai/DeepSeek-R1",
        f"{MODEL}.parallelism": {"data": 8, "expert": True},
        f"{MODEL}.engine": {"maxModelLen": 8192, "speculative": {"method": "mtp", "numSpeculativeTokens": 1}},
    },
    "multi-token prediction, weights of a bucket": H200
    | {
        f"{MODEL}.source": "zai-org/GLM-4.5",
        f"{MODEL}.parallelism": {"tensor": 8},
        f"{MODEL}.weights": {"uri": "gs://bucket/glm"},
        f"{MODEL}.engine": {"maxModelLen": 8192, "speculative": {"method": "mtp", "numSpeculativeTokens": 1}},
    },
    "GPU that the catalogue does not have": EXISTING | {"nodePools.l4.hardware.accelerator": L20},
    "GPU of the catalogue, by a mapping": EXISTING | {"nodePools.l4.hardware.accelerator": {"name": "nvidia-l40s"}},
    "GPUs of the catalogue that Google does not sell": EXISTING | {"nodePools.l4.hardware.accelerator": "nvidia-a10g"},
    "weights of Amazon S3 on GKE": KEYS | {f"{MODEL}.weights": {"uri": "s3://acme-weights/qwen3", "region": "eu-central-1"}},
    "weights of MinIO on an existing cluster": EXISTING
    | KEYS
    | {f"{MODEL}.weights": {"uri": "s3://acme/qwen3", "endpoint": "http://minio.minio.svc:9000"}},
    "Google's buckets on an existing cluster": EXISTING
    | KEYS
    | {f"{MODEL}.weights": {"uri": "s3://acme/qwen3", "endpoint": "https://storage.googleapis.com"}},
    "gated weights of a claim, unpinned and without a token": EXISTING
    | {
        f"{MODEL}.source": "meta-llama/Llama-3.1-8B-Instruct",
        f"{MODEL}.revision": None,
        f"{MODEL}.weights": {"claim": "models", "path": "llama-3.1/8b"},
    },
    "weights of a claim that no disk of a node holds": {f"{MODEL}.weights": {"claim": "models"}, "nodePools.l4.bootDiskGiB": 95},
    "image of a registry with a port": {f"{MODEL}.image": "registry.acme.example:5000/llm/vllm-openai:v0.33.0-acme1"},
    "image by its digest": {f"{MODEL}.image": "acme/vllm@sha256:" + "0123456789abcdef" * 4},
    "image by tag and digest": {f"{MODEL}.image": "localhost/vllm:latest@sha256:" + "0123456789abcdef" * 4},
    "variables of vLLM, PyTorch and NCCL": {
        f"{MODEL}.engine.environment": {
            "VLLM_LOGGING_LEVEL": "DEBUG",
            "VLLM_USE_DEEP_GEMM": 0,
            "VLLM_MAX_TOKENS_PER_EXPERT_FP4_MOE": "1024",
            "NCCL_DEBUG": "INFO",
            "OMP_NUM_THREADS": 8,
            "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
            "HF_HUB_DOWNLOAD_TIMEOUT": "60",
        }
    },
    "data parallel with expert parallel on one node": H200
    | {
        f"{MODEL}.source": "deepseek-ai/DeepSeek-R1",
        f"{MODEL}.parallelism": {"data": 8, "expert": True},
        f"{MODEL}.engine": {"maxModelLen": 32768},
    },
    "fp8 blocks of experts that vLLM cuts smaller": H100
    | {f"{MODEL}.source": "Qwen/Qwen3-235B-A22B-FP8", f"{MODEL}.parallelism.tensor": 8},
    "fp8 blocks of experts, cut by ranks": H100 | {f"{MODEL}.source": "Qwen/Qwen3-30B-A3B-FP8", f"{MODEL}.parallelism": {"data": 8}},
    "fp8 blocks cut by tensor parallelism, but not with the experts whole": H100
    | {f"{MODEL}.source": "Qwen/Qwen3-235B-A22B-FP8", f"{MODEL}.parallelism": {"tensor": 4, "data": 2, "expert": True}},
    "ranks of a model without experts": H100 | {f"{MODEL}.parallelism": {"data": 2}},
    "parsers of another family": {f"{MODEL}.engine.toolCallParser": "qwen3_xml", f"{MODEL}.engine.reasoningParser": "none"},
}
