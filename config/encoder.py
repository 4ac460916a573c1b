"""A multimodal model's vision or audio encoder: the keys that memory planning needs."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from config.section import Positive


class Encoder(BaseModel):
    """`vision_config` or `audio_config`, in the summary that `make describe-model` prints."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model_type: str = Field(default="", description="qwen2_5_vl, siglip_vision_model, whisper, ...")
    num_hidden_layers: Positive = Field(description="Layers.")
    hidden_size: Positive = Field(description="Width.")
    intermediate_size: Positive = Field(description="Width of the MLP.")
    patch_size: Positive | None = Field(default=None, description="Pixels of a patch's side.")
    patches_per_token: Positive = Field(default=1, description="Patches (or frames) that become one token of the language model.")
    max_tokens: Positive | None = Field(
        default=None, description="Tokens of the largest image or recording in a prompt. Default: maxNumBatchedTokens."
    )
    parameters: Positive | None = Field(
        default=None, description="Parameters, the projector to the language model included. Default: counted from the layers."
    )
