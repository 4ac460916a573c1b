"""`models.<name>.engine`: settings of `vllm serve`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from config import catalog, engine_flags
from config.chat_template import ChatTemplate
from config.environment import VariableName, VariableValue
from config.section import OneOf, Positive, Section
from config.speculative import Speculative

OFF = "none"
ToolCallParser = Annotated[str, OneOf(lambda: (OFF, *catalog.parsers().tool_call), "a parser of tool calls in the pinned vLLM")]
ReasoningParser = Annotated[str, OneOf(lambda: (OFF, *catalog.parsers().reasoning), "a parser of reasoning in the pinned vLLM")]


class RopeScaling(Section):
    """RoPE scaling: extends the context beyond the length that the model was trained for."""

    rope_type: Literal["yarn", "linear", "dynamic"] = Field(default="yarn", description="Scaling method, as the model card gives it.")
    factor: float = Field(gt=1, le=64, description="Multiple of the original context length.")
    original_max_position_embeddings: Positive | None = Field(
        default=None, description="yarn: original context length, tokens. Default: the model's own limit."
    )


class Engine(Section):
    """Settings of `vllm serve`; each becomes a flag."""

    max_model_len: Positive | None = Field(
        default=None, description="Longest prompt plus completion, tokens. Default: the model's own limit."
    )
    rope_scaling: RopeScaling | None = Field(
        default=None, description="A longer context than the model's own limit. Default: none, or the checkpoint's."
    )
    gpu_memory_utilization: float = Field(default=0.92, gt=0, le=0.98, description="Share of the GPU's memory that vLLM may take.")
    max_num_seqs: Positive | None = Field(default=None, description="Most sequences in one batch. Default: vLLM's, by GPU.")
    max_num_batched_tokens: Positive | None = Field(default=None, description="Most tokens in one step. Default: vLLM's, by GPU.")
    max_queued_requests: Positive | None = Field(
        default=None,
        description="Running and waiting requests above which a replica answers 503, so that the gateway tries another replica. "
        "Default: twice the requests whose KV cache fits, at least 128. Each prompt of a request counts.",
    )
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(default="auto", description="Type of weights and activations.")
    kv_cache_dtype: Literal["auto", "bfloat16", "float16", "fp8", "fp8_e4m3", "fp8_e5m2"] = Field(
        default="auto", description="Type of the KV cache; fp8 halves it."
    )
    enforce_eager: bool = Field(default=False, description="No torch.compile and no CUDA graphs: starts sooner, serves slower.")
    enable_prefix_caching: bool = Field(default=True, description="Reuse the KV cache of shared prefixes.")
    trust_remote_code: bool = Field(default=False, description="Run Python code from the model's repository.")
    tool_call_parser: ToolCallParser | None = Field(
        default=None, description="How the model writes tool calls; `none`: requests with tools are refused. Default: the catalogue's."
    )
    reasoning_parser: ReasoningParser | None = Field(
        default=None, description="How the model marks its reasoning; `none`: reasoning stays in the answer. Default: the catalogue's."
    )
    chat_template: ChatTemplate | None = Field(
        default=None,
        description="Text of a Jinja template that turns messages into a prompt. Default: the template in the model's repository.",
    )
    environment: dict[VariableName, VariableValue] = Field(
        default={}, description="Variables of the model server's container, such as VLLM_LOGGING_LEVEL or NCCL_DEBUG. Never a secret."
    )
    speculative: Speculative | None = Field(default=None, description="Speculative decoding. Default: none.")
    extra_args: list[Annotated[str, AfterValidator(engine_flags.checked)]] = Field(
        default=[], description="Further `vllm serve` flags, each `--flag` or `--flag=value`."
    )
