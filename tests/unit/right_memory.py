"""Stacks that fit their GPU according to vLLM or the GPU's vendor, as changes to a valid stack."""

from tests.unit.wrong_models import H100, MODEL

A100_80 = {"nodePools.l4.machineType": "a2-ultragpu-1g", "cluster.zones": ["us-central1-a"]}
H100_1 = {"nodePools.l4": {"machineType": "a3-highgpu-1g", "spot": {"max": 2}}, f"{MODEL}.scaling": {"floor": 0, "ceiling": 1}}
LLAMA_8B = {f"{MODEL}.source": "meta-llama/Llama-3.1-8B-Instruct", "secrets.huggingFaceToken": {"secure": "v1:x"}}

# name: changes to a stack that works
RIGHT = {
    "an 8B with 16,384 tokens on a GPU of 24 GB": {f"{MODEL}.engine.maxModelLen": 16384},
    "a Llama of 8B with 24,576 tokens on a GPU of 24 GB": LLAMA_8B | {f"{MODEL}.engine.maxModelLen": 24576},
    "experts of 30B with all their context on 80 GB": A100_80
    | {
        f"{MODEL}.source": "Qwen/Qwen3-30B-A3B-Instruct-2507",
        f"{MODEL}.engine": {"maxModelLen": 131072, "gpuMemoryUtilization": 0.9},
    },
    "a 32B with 32,768 tokens on one H100, as in Google's sample": H100_1
    | {f"{MODEL}.source": "Qwen/Qwen3-32B", f"{MODEL}.engine": {"maxModelLen": 32768, "gpuMemoryUtilization": 0.9}},
    "a 4B in half of a shared GPU": {
        "nodePools.l4.gpuSharing": {"strategy": "TIME_SHARING", "maxClientsPerGpu": 2},
        f"{MODEL}.source": "Qwen/Qwen3-4B",
        f"{MODEL}.engine": {"maxModelLen": 8192, "gpuMemoryUtilization": 0.5},
    },
    "a 70B of 8 bits on two H100": H100
    | {
        f"{MODEL}.source": "meta-llama/Llama-3.3-70B-Instruct",
        "secrets.huggingFaceToken": {"secure": "v1:x"},
        f"{MODEL}.parallelism.tensor": 4,
        f"{MODEL}.engine.maxModelLen": 16000,
    },
}
