"""`models.<name>.weights`: where the weights come from, and the formats of ids, URIs and paths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from config.errors import rule
from config.names import Endpoint, ObjectName
from config.ranges import Cidr
from config.section import Form, Positive, Section

_WORD = "[A-Za-z0-9][A-Za-z0-9._-]*"
HuggingFaceId = Annotated[str, Form(f"{_WORD}/{_WORD}", "a Hugging Face id", "write owner/model, as in Qwen/Qwen3-8B")]
Revision = Annotated[
    str, Form("[A-Za-z0-9][A-Za-z0-9._/-]*", "a revision of a repository", "give the 40 hexadecimal digits of a commit, a branch or a tag")
]
# config/rules.py checks the length of a bucket's name, so that other problems of the entry are reported too.
BucketUri = Annotated[
    str,
    Form(
        "(gs|s3)://[a-z0-9]([a-z0-9._-]*[a-z0-9])?(/[A-Za-z0-9_./=+-]+)?",
        "a folder in Google Cloud Storage or S3",
        "write gs://bucket/folder or s3://bucket/folder",
    ),
]
Region = Annotated[str, Form("[a-z0-9-]{1,40}", "a region", "write it as in eu-central-1")]
FolderPath = Annotated[
    str,
    Form(
        r"(?!\.)[A-Za-z0-9_.=+-]+(/(?!\.)[A-Za-z0-9_.=+-]+)*",
        "a folder of the claim",
        "write it as in llama/3.3-70b, without / first and last",
    ),
]
Source = Literal["hugging-face", "google-cloud-storage", "s3", "claim"]


class Weights(Section):
    """Where the weights come from, and the volume that a download is written to."""

    uri: BucketUri | None = Field(
        default=None,
        description="gs://bucket/folder or s3://bucket/folder streamed with the Run:ai streamer. Default: download from Hugging Face.",
    )
    endpoint: Endpoint | None = Field(
        default=None, description="S3-compatible server for an s3:// address, such as MinIO. Default: Amazon S3."
    )
    endpoint_range: Cidr | None = Field(
        default=None, description="Range of `endpoint` if its addresses are private, so that the NetworkPolicy lets pods reach it."
    )
    path_style: bool = Field(default=True, description="`endpoint` takes the bucket in the URL's path, not in the host name.")
    region: Region | None = Field(default=None, description="Region of an s3:// address. Required without `endpoint`.")
    claim: ObjectName | None = Field(
        default=None,
        description="An existing PersistentVolumeClaim, in the model's namespace, that holds the weights: nothing is downloaded.",
    )
    path: FolderPath | None = Field(default=None, description="Folder of the claim that holds the weights. Default: its root.")
    cache: Literal["empty-dir", "persistent-volume-claim"] = Field(default="empty-dir", description="Volume that a download is written to.")
    storage_gib: Positive | None = Field(default=None, description="Size of that volume. Default: 1.2 times the weights and a margin.")
    storage_class: ObjectName | None = Field(default=None, description="StorageClass of the claim. Default: the cluster's.")
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany"] = Field(default="ReadWriteMany", description="Access mode of the claim.")
    compile_cache: bool = Field(
        default=False,
        description="Keep on the claim what a replica compiles, for those that start later with the same image, model, GPU and flags. "
        "For cache persistent-volume-claim.",
    )
    mib_per_second: float | None = Field(default=None, ge=1, description="Bandwidth to plan with, MiB/s. Default: by source.")

    @property
    def source(self) -> Source:
        if self.claim:
            return "claim"
        if self.uri:
            return "s3" if self.uri.startswith("s3:") else "google-cloud-storage"
        return "hugging-face"

    @property
    def bucket(self) -> str | None:
        return urlsplit(self.uri).netloc if self.uri else None

    @model_validator(mode="after")
    def _keys_belong_to_the_source(self) -> Weights:
        for message, fix in self._contradictions():
            raise rule(message, fix)
        return self

    def _contradictions(self) -> Iterator[tuple[str, str]]:
        if self.uri and self.claim:
            yield "uri and claim are two sources of the same weights", "give one of them"
        if self.source != "hugging-face" and (self.cache != "empty-dir" or self.storage_gib or self.storage_class):
            yield "cache, storageGiB and storageClass are for a download, and nothing is downloaded", "remove them, or uri and claim"
        if self.compile_cache and self.cache != "persistent-volume-claim":
            yield "compileCache keeps compiled graphs on the claim of a download, and there is none", "set cache: persistent-volume-claim"
        if self.source != "s3" and (self.endpoint or self.region or self.endpoint_range):
            yield "endpoint, endpointRange and region are for an s3:// uri", "remove them, or give an s3:// uri"
        if self.source == "s3" and not self.endpoint and not self.region:
            yield "Amazon S3 answers in the bucket's region only, and none is given", "give region, or endpoint for another server"
        if self.endpoint_range and not self.endpoint:
            yield "endpointRange needs endpoint, and none is given", "remove it, or give endpoint"
        if self.path and not self.claim:
            yield "path needs claim, and none is given", "give claim"
