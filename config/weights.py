"""`models.<name>.weights`: where the weights come from, and the forms of what names them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from config.section import Form, Positive, Section, Text

_WORD = "[A-Za-z0-9][A-Za-z0-9._-]*"
HuggingFaceId = Annotated[str, Form(f"{_WORD}/{_WORD}", "a Hugging Face id", "write owner/model, as in Qwen/Qwen3-8B")]
Revision = Annotated[
    str, Form("[A-Za-z0-9][A-Za-z0-9._/-]*", "a revision of a repository", "give the 40 hexadecimal digits of a commit, a branch or a tag")
]
BucketUri = Annotated[
    str,
    Form("gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/[A-Za-z0-9_./=+-]+)?", "a folder in Google Cloud Storage", "write gs://bucket/folder"),
]


class Weights(Section):
    """Where the weights come from and where they are kept on their way to the GPU."""

    uri: BucketUri | None = Field(
        default=None, description="gs://bucket/path to stream from with the Run:ai streamer. Default: download from Hugging Face."
    )
    cache: Literal["empty-dir", "persistent-volume-claim"] = Field(default="empty-dir", description="Volume that a download lands on.")
    storage_gib: Positive | None = Field(default=None, description="Size of that volume. Default: 1.2 times the weights and a margin.")
    storage_class: Text | None = Field(default=None, description="StorageClass of the claim. Default: the cluster's.")
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany"] = Field(default="ReadWriteMany", description="Access mode of the claim.")
    mib_per_second: float | None = Field(default=None, ge=1, description="Bandwidth to plan with, MiB/s. Default: by source.")
