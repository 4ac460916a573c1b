"""Figures of vLLM runs: memory from a start-up log (`make calibrate`), speed from `make load` or `make reconcile`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from config.section import Form, Positive, Section

Day = Annotated[str, Form(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "a day", "write YYYY-MM-DD")]


class Measured(Section):
    """Figures of one vLLM start-up log. The plan uses them instead of its estimate for the same GPU and parallel sizes."""

    gpu: str = Field(description="GPU by the catalogue's name, such as nvidia-l4.")
    tensor_parallel_size: Positive = Field(default=1, description="Tensor parallel size.")
    pipeline_parallel_size: Positive = Field(default=1, description="Pipeline parallel size.")
    gpu_memory_utilization: float = Field(gt=0, le=1, description="Share of the GPU's memory that vLLM was given.")
    max_model_len: Positive | None = Field(default=None, description="Longest sequence, tokens.")
    max_num_batched_tokens: Positive = Field(description="Most tokens in one step.")
    max_num_seqs: Positive | None = Field(default=None, description="Most sequences in one step. Default: 256.")
    kv_cache_dtype: str = Field(default="auto", description="Type of the KV cache.")
    enforce_eager: bool = Field(default=False, description="vLLM ran without CUDA graphs.")
    weights_gib: float = Field(gt=0, description="Weights per GPU, GiB.")
    kv_cache_gib: float = Field(ge=0, description="KV cache per GPU, GiB.")
    kv_cache_tokens: Positive | None = Field(default=None, description="KV cache in tokens.")
    vllm: str = Field(description="Version of vLLM.")
    date: Day = Field(description="Day of the start, YYYY-MM-DD.")


class MeasuredSpeed(Section):
    """What one replica answered under one load. The plan scales its figures by it, for the same GPU and parallel sizes."""

    gpu: str = Field(description="GPU by the catalogue's name, such as nvidia-l4.")
    tensor_parallel_size: Positive = Field(default=1, description="GPUs that shared every layer.")
    pipeline_parallel_size: Positive = Field(default=1, description="GPUs that followed one another.")
    data_parallel_size: Positive = Field(default=1, description="Ranks of the replica.")
    requests_in_flight: float = Field(gt=0, description="At the replica, waiting ones among them; a mean.")
    prompt_tokens: float = Field(gt=0, description="Of a request; a mean.")
    output_tokens: float = Field(gt=0, description="Of a request; a mean.")
    output_tokens_per_second: float = Field(gt=0, description="Of the replica.")
    ttft_seconds: float | None = Field(default=None, gt=0, description="Mean time to first token.")
    tpot_seconds: float | None = Field(default=None, gt=0, description="Mean time per output token.")
    vllm: str = Field(description="Version of vLLM.")
    date: Day = Field(description="Day, YYYY-MM-DD.")
