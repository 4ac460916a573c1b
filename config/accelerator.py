"""`nodePools.<name>.hardware.accelerator`: the name of a GPU in the catalogue, or the datasheet figures of any other GPU."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from config import catalog
from config.errors import Problem, rule
from config.section import Form, Section

AcceleratorName = Annotated[
    str, Form("[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}", "the name of an accelerator", "use at most 63 letters, digits, spaces and . _ -")
]
_FIGURES = ("memoryGiB", "computeCapability", "memoryBandwidthGBps", "bf16Tflops")
# Default of interconnectGBps, in one direction: PCIe 4.0 x16, and the NVLink of an A100, the slowest in the catalogue. Assumed.
_LINK_GB_PER_SECOND = {"pcie": 32.0, "nvlink": 300.0}


class GivenAccelerator(Section):
    """A GPU: only its name if the catalogue has it, otherwise a name and datasheet figures."""

    name: AcceleratorName = Field(description="Name in the catalogue, or any other name together with the figures below.")
    memory_gib: float | None = Field(default=None, ge=1, le=2048, description="Total memory as nvidia-smi reports it.")
    compute_capability: float | None = Field(default=None, ge=7, lt=20, description="Such as 8.9: `nvidia-smi --query-gpu=compute_cap`.")
    memory_bandwidth_gb_per_second: float | None = Field(
        default=None, alias="memoryBandwidthGBps", ge=10, le=100_000, description="Memory bandwidth, GB/s, from the datasheet."
    )
    bf16_tflops: float | None = Field(
        default=None, ge=1, le=100_000, description="Dense bf16 TFLOPS, without sparsity, from the datasheet."
    )
    fp8_tflops: float | None = Field(default=None, ge=1, le=100_000, description="Dense fp8 TFLOPS. Default: the GPU has no fp8.")
    fp4_tflops: float | None = Field(default=None, ge=1, le=100_000, description="Dense fp4 TFLOPS. Default: the GPU has no fp4.")
    interconnect: Literal["pcie", "nvlink"] = Field(default="pcie", description="Link between the GPUs of a node.")
    interconnect_gb_per_second: float | None = Field(
        default=None,
        alias="interconnectGBps",
        ge=1,
        le=10_000,
        description="Bandwidth of that link in one direction, GB/s. Default: 32 (PCIe 4.0) or 300 (NVLink).",
    )

    @property
    def is_described(self) -> bool:
        return self.memory_gib is not None

    @model_validator(mode="after")
    def _figures_are_complete(self) -> GivenAccelerator:
        given = self.model_dump(by_alias=True, exclude_unset=True)
        missing = [figure for figure in _FIGURES if given.get(figure) is None]
        if missing and given.keys() - {"name"}:
            raise rule(f"planning needs {', '.join(missing)} too", "add them from the datasheet, or give only a name of the catalogue")
        return self

    def row(self) -> catalog.Accelerator | None:
        """This GPU as a catalogue row; None if it has only a name and the catalogue lacks it."""
        if not self.is_described:
            return catalog.accelerators().get(self.name)
        figures = self.model_dump(by_alias=True, exclude={"name"}, exclude_none=True)
        link = {"interconnectGBps": self.interconnect_gb_per_second or _LINK_GB_PER_SECOND[self.interconnect]}
        return catalog.Accelerator.model_validate(
            figures | link | {"displayName": self.name, "source": "the stack", "date": "", "assumed": True}
        )


def _by_name(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


GivenOrNamed = Annotated[GivenAccelerator, BeforeValidator(_by_name, json_schema_input_type=AcceleratorName | GivenAccelerator)]


def accelerator_problems(path: str, accelerator: GivenAccelerator) -> Iterator[Problem]:
    known = catalog.accelerators()
    if accelerator.is_described and accelerator.name in known:
        message = f"'{accelerator.name}' is in the catalogue, with figures of its own"
        yield Problem(path, message, "give only the name, or give these figures another name")
    if accelerator.row() is None:
        figures = ", ".join(["name", *_FIGURES])
        near = _near(accelerator.name)
        advice = f"did you mean '{near}'? Otherwise describe it" if near else "describe it"
        yield Problem(
            path, f"'{accelerator.name}' is not in the catalogue", f"{advice}: {{{figures}}}; the catalogue has {', '.join(known)}"
        )


def _near(name: str) -> str | None:
    """The nearest name of the same model: an L20 is no L4, however alike they are spelt."""
    model = _model(name)
    alike = [known for known in catalog.accelerators() if _model(known) == model]
    return next(iter(difflib.get_close_matches(name.casefold(), alike, n=1, cutoff=0)), None)


def _model(name: str) -> str:
    """The first letters followed by digits: l40 in NVIDIA-L40S-48GB."""
    found = re.search(r"[a-z]*\d+", name.casefold())
    return found[0] if found else ""
