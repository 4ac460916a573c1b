"""Read access to the catalogues in `config/catalog/`: accelerators, machine types, models, charts and images. Data, not code."""

from __future__ import annotations

import csv
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from config.architecture import Architecture
from config.budget import Price
from config.measured import Measured
from config.section import camel

FOLDER = Path(__file__).parent / "catalog"
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Row(BaseModel):
    """A catalogue row, with its source and the date on which it was read."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=camel, protected_namespaces=())

    source: str
    date: str
    assumed: bool = False


class Accelerator(Row):
    """A GPU, by the name that GKE gives it; TFLOPS without sparsity."""

    display_name: str
    memory_gib: float = Field(description="Total memory as the driver reports it.")
    compute_capability: float
    memory_bandwidth_gb_per_second: float = Field(alias="memoryBandwidthGBps")
    bf16_tflops: float = Field(description="Dense bf16 (fp16 where there is no bf16).")
    fp8_tflops: float | None = Field(default=None, description="Dense fp8, where the tensor cores have it.")
    fp4_tflops: float | None = Field(default=None, description="Dense fp4, where the tensor cores have it.")
    interconnect: Literal["pcie", "nvlink"]
    interconnect_gb_per_second: float = Field(
        alias="interconnectGBps", description="From one GPU to another of its node, in one direction."
    )
    zones: tuple[str, ...] = ()
    regions: tuple[str, ...] = Field(default=(), description="Regions where it is sold but whose zones the source does not name.")

    mig_profiles: dict[str, tuple[int, float]] = Field(default={}, description="By MIG profile: partitions per GPU, share of its memory.")

    def partition(self, profile: str) -> tuple[int, float]:
        """Partitions per GPU and each one's share of its memory; (1, 1.0) for a profile that the GPU does not have."""
        return self.mig_profiles.get(profile, (1, 1.0))

    def sold_in(self, zone: str) -> bool:
        return zone in self.zones or zone.rpartition("-")[0] in self.regions


class MachineType(Row):
    """A Compute Engine machine type."""

    vcpus: float
    memory_gib: float
    accelerator: str | None = None
    gpus: int = 0
    boot_disk_type: Literal["pd-balanced", "hyperdisk-balanced"] = "pd-balanced"
    local_ssds: int = Field(default=0, description="375 GB disks that come with the machine.")
    spot_only: bool = Field(default=False, description="Sold as spot or flex-start capacity only.")
    attachable: bool = Field(default=False, description="The GPU is attached to the machine, not part of it.")
    prices: dict[str, Price] = Field(default={}, description="By region; from prices.csv.")


class ModelRow(Row):
    """A model of the Hugging Face hub."""

    architecture: Architecture
    parameters: int | None = None
    revision: str | None = None
    revision_source: str | None = None
    gated: bool = False
    tool_call_parser: str | None = None
    reasoning_parser: str | None = None
    measured: tuple[Measured, ...] = ()


class Parsers(BaseModel):
    """Names of the parsers that the pinned vLLM registers."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=camel)

    version: str
    source: str
    date: str
    tool_call: tuple[str, ...]
    reasoning: tuple[str, ...]


class ModelClasses(BaseModel):
    """Model types whose class in the pinned vLLM lacks an interface."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=camel)

    version: str
    source: str
    date: str
    without_lora: frozenset[str]
    without_pipeline: frozenset[str]


class EnvironmentVariables(BaseModel):
    """Environment variables that a stack may set on a model server, and those that it may not, with the reason."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=camel)

    version: str
    source: str
    date: str
    prefixes: dict[str, str]
    refused: dict[str, str]
    removed: tuple[str, ...]
    replaced: dict[str, str]
    vllm: frozenset[str]


class ReleaseChannel(Row):
    """A release channel of GKE."""

    version: str = Field(description="Of a new cluster's control plane, such as 1.35.0-gke.1171000.")

    def has(self, version: str) -> bool:
        """Whether new clusters have at least this version."""
        return _version(self.version) >= _version(version)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text))


Digest = Annotated[str, Field(pattern="^sha256:[0-9a-f]{64}$")]


class Chart(Row):
    repository: str
    version: str
    digest: Digest | None = Field(default=None, description="Of the archive, by the repository's index. None: not asked yet.")


class Image(Row):
    repository: str
    tag: str
    digest: Digest | None = Field(default=None, description="Of the index of all platforms, by the registry. None: not asked yet.")
    size_gib: float | None = None

    @property
    def reference(self) -> str:
        """By tag and, where it is known, by digest, which is then what counts."""
        return f"{self.repository}:{self.tag}" + (f"@{self.digest}" if self.digest else "")


@cache
def _read(name: str) -> Any:
    with (FOLDER / f"{name}.yaml").open() as file:
        return yaml.load(file, Loader)  # noqa: S506 - CSafeLoader is the safe loader in C


@cache
def accelerators() -> dict[str, Accelerator]:
    return {name: Accelerator.model_validate(row) for name, row in _read("accelerators").items()}


@cache
def machine_types() -> dict[str, MachineType]:
    return {name: MachineType.model_validate({**row, "prices": _prices().get(name, {})}) for name, row in _read("machine_types").items()}


@cache
def _prices() -> dict[str, dict[str, Price]]:
    """By machine type and region."""
    found: dict[str, dict[str, Price]] = {}
    with (FOLDER / "prices.csv").open() as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            known = {key: row[key] for key in ("onDemandUsdPerHour", "spotUsdPerHour") if row[key]}
            if row["spotLeast"]:
                known["spotRangeUsdPerHour"] = [row["spotLeast"], row["spotMost"]]
            found.setdefault(row["machineType"], {})[row["region"]] = Price.model_validate(known)
    return found


@cache
def _models() -> dict[str, str]:
    """YAML text of each model's row. `_model` parses a row only when it is used, because the file is long."""
    rows = re.split(r"^(?=[^\s#])", (FOLDER / "models.yaml").read_text(), flags=re.MULTILINE)
    return {row.partition(":")[0]: row for row in rows[1:]}


@cache
def _model(source: str) -> dict[str, Any]:
    return yaml.load(_models()[source], Loader)[source]  # noqa: S506 - CSafeLoader is the safe loader in C


@cache
def model_ids() -> tuple[str, ...]:
    return tuple(_models())


@cache
def model(source: str) -> ModelRow | None:
    """The row of a Hugging Face id, with inherited keys filled in; None if the catalogue lacks it."""
    return ModelRow.model_validate(_inherited(_model(source))) if source in _models() else None


def _inherited(row: dict[str, Any]) -> dict[str, Any]:
    base = _inherited(_model(row["inherits"])) if "inherits" in row else {}
    merged = base | {key: value for key, value in row.items() if key not in ("inherits", "architecture", "quantization")}
    if base and "revision" not in row:
        merged = {key: value for key, value in merged.items() if key not in ("revision", "revisionSource")}
    merged["architecture"] = base.get("architecture", {}) | row.get("architecture", {})
    if "quantization" in row:
        merged["architecture"] = merged["architecture"] | {"quantization_config": row["quantization"]}
    return merged


@cache
def parsers() -> Parsers:
    return Parsers.model_validate(_read("vllm_parsers"))


@cache
def model_classes() -> ModelClasses:
    return ModelClasses.model_validate(_read("vllm_models"))


@cache
def environment() -> EnvironmentVariables:
    return EnvironmentVariables.model_validate(_read("vllm_environment"))


@cache
def release_channel(name: str) -> ReleaseChannel:
    return ReleaseChannel.model_validate(_read("gke_channels")[name])


@cache
def chart(name: str) -> Chart:
    return Chart.model_validate(_read("releases")["charts"][name])


def archive(name: str) -> str:
    """The file name of a chart's archive, as `helm pull` makes it."""
    return f"{name}-{chart(name).version}.tgz"


@cache
def image(name: str) -> Image:
    return Image.model_validate(_read("releases")["images"][name])
