"""`nodePools.<name>.hardware.accelerator`: a GPU by its name in the catalogue, or one that the catalogue does not have, by its figures."""

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
# In one direction, GB/s: PCIe 4.0 x16, and NVLink of an A100, the slowest that the catalogue has. Assumed where nothing is given.
_LINK_GB_PER_SECOND = {"pcie": 32.0, "nvlink": 300.0}


class GivenAccelerator(Section):
    """An accelerator: its name alone where the catalogue has it, with its figures where not."""

    name: AcceleratorName = Field(description="Name in the catalogue, or a name of yours where figures follow.")
    memory_gib: float | None = Field(default=None, ge=1, le=2048, description="Total memory as nvidia-smi reports it.")
    compute_capability: float | None = Field(default=None, ge=7, lt=20, description="Such as 8.9: `nvidia-smi --query-gpu=compute_cap`.")
    memory_bandwidth_gb_per_second: float | None = Field(
        default=None, alias="memoryBandwidthGBps", ge=10, le=100_000, description="Of its memory, GB/s, by the datasheet."
    )
    bf16_tflops: float | None = Field(default=None, ge=1, le=100_000, description="Dense, without sparsity, by the datasheet.")
    fp8_tflops: float | None = Field(default=None, ge=1, le=100_000, description="Likewise. Default: it has no fp8.")
    fp4_tflops: float | None = Field(default=None, ge=1, le=100_000, description="Likewise. Default: it has no fp4.")
    interconnect: Literal["pcie", "nvlink"] = Field(default="pcie", description="Between the GPUs of a node.")
    interconnect_gb_per_second: float | None = Field(
        default=None,
        alias="interconnectGBps",
        ge=1,
        le=10_000,
        description="Of that, in one direction, GB/s. Default: 32 (PCIe 4.0) or 300 (NVLink).",
    )

    @property
    def is_described(self) -> bool:
        return self.memory_gib is not None

    @model_validator(mode="after")
    def _figures_are_complete(self) -> GivenAccelerator:
        given = self.model_dump(by_alias=True, exclude_unset=True)
        missing = [figure for figure in _FIGURES if given.get(figure) is None]
        if missing and given.keys() - {"name"}:
            raise rule(f"planning needs {', '.join(missing)} too", "add them from the datasheet, or give the name of the catalogue alone")
        return self

    def row(self) -> catalog.Accelerator | None:
        """As a row of the catalogue; None where it names one that does not exist."""
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
        yield Problem(path, message, "give the name alone, or another name to these figures")
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
    """The first letters and digits that stand together: l40 of NVIDIA-L40S-48GB."""
    found = re.search(r"[a-z]*\d+", name.casefold())
    return found[0] if found else ""
