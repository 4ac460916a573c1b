"""Stacks that work: what is changed in a stack that works already."""

from tests.unit.wrong_models import H100, MODEL

H200 = {"nodePools.l4.machineType": "a3-ultragpu-8g", "cluster.zones": ["us-central1-b"]}

# name: changes to a stack that works
RIGHT = {
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
    "fp8 blocks cut by tensor parallelism, but not with the experts whole": H100
    | {f"{MODEL}.source": "Qwen/Qwen3-235B-A22B-FP8", f"{MODEL}.parallelism": {"tensor": 4, "data": 2, "expert": True}},
    "ranks of a model without experts": H100 | {f"{MODEL}.parallelism": {"data": 2}},
    "parsers of another family": {f"{MODEL}.engine.toolCallParser": "qwen3_xml", f"{MODEL}.engine.reasoningParser": "none"},
}
