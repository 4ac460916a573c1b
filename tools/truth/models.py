"""Which model a report means, by name: a row of the catalogue, or a `config.json` in a folder. Never a guess.

A name matches by its words, without the owner and what changes no shape (`Instruct`, `it`), and with the quantization told apart:
`Llama-3.3-70B-Instruct FP8` is the catalogue's model with 8-bit weights.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from config import catalog
from config.architecture import Architecture, QuantizationConfig
from tools.catalogue.hugging_face.config import architecture_from_config
from tools.truth.points import CannotRead

# Words of a name that say how the weights are stored.
_QUANTIZATIONS = {
    "fp8": "fp8",
    "w8a8": "int8",
    "int8": "int8",
    "w8a16": "int8",
    "w4a16": "int4",
    "int4": "int4",
    "awq": "awq",
    "gptq": "gptq",
    "nvfp4": "nvfp4",
    "fp4": "nvfp4",
    "mxfp4": "mxfp4",
}
# What stands for the same bits: a point's `fp4` is gpt-oss's own mxfp4.
_BITS = {"fp8": "8", "int8": "8", "int4": "4", "awq": "4", "gptq": "4", "nvfp4": "f4", "mxfp4": "f4"}
_QUANTIZED: dict[str, dict[str, Any]] = {
    "fp8": {"quant_method": "fp8"},
    "int8": {"quant_method": "compressed-tensors", "bits": 8},
    "int4": {"quant_method": "compressed-tensors", "bits": 4, "group_size": 128},
    "awq": {"quant_method": "awq", "bits": 4, "group_size": 128},
    "gptq": {"quant_method": "gptq", "bits": 4, "group_size": 128},
    "nvfp4": {"quant_method": "nvfp4"},
    "mxfp4": {"quant_method": "mxfp4"},
}
_SAME_SHAPE = frozenset({"instruct", "it", "chat", "hf", "base", "meta", "nvidia", "dynamic", "bf16", "fp16"})
# Words of a report's column of quantization that say: none.
_NOT_QUANTIZED = frozenset({"none", "no", "unquantized", "auto", "default", "bf16", "bfloat16", "fp16", "float16", "half"})
_ACTIVE = re.compile(r"a\d+(\.\d+)?b")
_DATE = re.compile(r"2[345]\d\d")
_EXPERTS = re.compile(r"\d+e")
_VERSION = re.compile(r"\d+(\.\d+)?")
_CONFIG_SUFFIX = re.compile(r"[-_.]config$")
_QUANT_FILE = "hf_quant_config.json"
# Models that the shipped points name and the catalogue lacks.
SHIPPED = Path(__file__).parent / "data" / "configs"


@dataclass(frozen=True)
class KnownModel:
    """A model that planning can judge, and where it was found."""

    source: str
    architecture: Architecture
    parameters: int | None
    found_in: str


@dataclass(frozen=True)
class _Name:
    """A name's words, joined, from strict to loose, and its quantization."""

    strict: str
    loose: str
    loosest: str
    versionless: str
    quantization: str | None


class Models:
    """The models that points may name: the catalogue's and, before them, those of a folder."""

    def __init__(self, configs: Path | None = None) -> None:
        if configs is not None and not configs.is_dir():
            raise CannotRead(f"{configs} is not a folder")
        self._folders = (SHIPPED,) if configs is None else (configs, SHIPPED)
        self._unread: dict[str, str] = {}

    def find(self, name: str, quantization: str = "") -> KnownModel | None:
        """The model of that name; None where none is known, or where two that differ could be meant.

        Args:
            name: as a report spells it.
            quantization: as a report says it beside the name; heeded where the name itself says none.
        """
        wanted = _parse(name)
        kind = wanted.quantization or _said(quantization)
        for key, theirs in (("strict",) * 2, ("loose",) * 2, ("loosest",) * 2, ("loosest", "versionless")):
            for layer in self._known:
                named = [(parsed, known) for parsed, known in layer if getattr(parsed, theirs) == getattr(wanted, key)]
                if found := _choose(named, kind):
                    return found
        return None

    @cached_property
    def _known(self) -> list[list[tuple[_Name, KnownModel]]]:
        """Where to look, one after another: the folders, then the catalogue."""
        folders = [[model for name, file in _named_files(folder) if (model := self._from_file(name, file))] for folder in self._folders]
        return [[(_parse(model.source), model) for model in layer] for layer in (*folders, [*_from_catalogue()])]

    def _from_file(self, name: str, file: Path) -> KnownModel | None:
        try:
            architecture = _read(file)
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            self._unread[_parse(name).loosest] = f"{file.name} cannot be read: {' '.join(str(error).split())}"
            return None
        return KnownModel(name, architecture, None, str(file))

    def why_unknown(self, name: str, quantization: str = "") -> str:
        """Why `find` knows no such model, in a few words."""
        if _parse(name).quantization is None and (_said(quantization) or "fp8") not in _BITS:
            return f"its quantization {quantization!r} is not known"
        return self._unread.get(_parse(name).loosest, "neither in the catalogue nor among the config.json files")


def _named_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Its `config.json` files with their models: `<owner>--<name>.json`, `<name>.json`, or `config.json` in a folder of that name, the
    hub's cache included. Between owner and name `__` and `_` stand too."""
    for file in sorted(folder.rglob("*.json")):
        if file.name.endswith(_QUANT_FILE):
            continue
        cached = next((part.removeprefix("models--") for part in file.parts if part.startswith("models--")), None)
        stem = (cached or file.parent.name) if file.name == "config.json" else _CONFIG_SUFFIX.sub("", file.stem)
        name = re.sub("--|__", "/", stem)
        yield name, file
        if "/" not in name and "_" in name:
            yield name.replace("_", "/", 1), file


def _from_catalogue() -> Iterator[KnownModel]:
    for source in catalog.model_ids():
        if row := catalog.model(source):
            yield KnownModel(source, row.architecture, row.parameters, "catalogue")


def _read(file: Path) -> Architecture:
    """The architecture of a `config.json`, with the quantization that a file beside it names."""
    beside = file.with_name(_QUANT_FILE if file.name == "config.json" else f"{_CONFIG_SUFFIX.sub('', file.stem)}_{_QUANT_FILE}")
    return architecture_from_config(json.loads(file.read_text()), json.loads(beside.read_text()) if beside.is_file() else None)


def _said(text: str) -> str | None:
    """What a report's column says: `FP8 dynamic`, `gptq-int4`, `none`; None where it is not quantized, else what no table knows."""
    words = [word for word in re.split(r"[^a-z0-9]+", text.lower()) if word]
    found = next((_QUANTIZATIONS[word] for word in words if word in _QUANTIZATIONS), None)
    return found or (None if all(word in _NOT_QUANTIZED for word in words) else text)


def _choose(named: list[tuple[_Name, KnownModel]], kind: str | None) -> KnownModel | None:
    """The first of `named` with quantization `kind`; failing that, the unquantized one, quantized. Of an unknown kind: none."""
    if kind is not None and kind not in _BITS:
        return None
    if kind is None:
        native = [known for parsed, known in named if parsed.quantization is None]
        return native[0] if native and len({_shape(known) for known in native}) == 1 else None
    for _, known in named:
        if _BITS.get(_kind(known.architecture.quantization_config) or "") == _BITS[kind]:
            return known
    plain = [known for _, known in named if known.architecture.quantization_config is None]
    if not plain or len({_shape(known) for known in plain}) > 1:
        return None
    config = QuantizationConfig.model_validate(_QUANTIZED[kind])
    architecture = plain[0].architecture.model_copy(update={"quantization_config": config})
    return KnownModel(plain[0].source, architecture, plain[0].parameters, f"{plain[0].found_in}, as {kind}")


def _shape(known: KnownModel) -> Architecture:
    """What must agree between rows that one name could mean; a longer context changes no size."""
    return known.architecture.model_copy(update={"max_position_embeddings": 1, "rope_scaling_factor": 1.0, "quantization_config": None})


def _kind(config: QuantizationConfig | None) -> str | None:
    if config is None:
        return None
    if config.quant_method in ("modelopt", "compressed-tensors"):
        return "fp8" if config.bits == 8 else "nvfp4" if config.quant_method == "modelopt" else "int4"
    return {"modelopt_fp4": "nvfp4", "fbgemm_fp8": "fp8"}.get(config.quant_method, config.quant_method)


def _parse(name: str) -> _Name:
    text = re.sub(r"\(.*?\)", " ", name).strip().rpartition("/")[2].lower().replace("quantized.", "")
    words = [re.sub(r"^v(?=\d)", "", word) for word in re.split(r"[^a-z0-9.]+", text) if word]
    quantization = next((_QUANTIZATIONS[word] for word in words if word in _QUANTIZATIONS), None)
    plain = [word for word in words if word not in _QUANTIZATIONS]
    same = [word for word in plain if word not in _SAME_SHAPE]
    few = [word for word in same if not _DATE.fullmatch(word) and not _ACTIVE.fullmatch(word)]
    if any(_EXPERTS.fullmatch(word) for word in few):  # Llama 4: 17B-16E
        few = [word for word in few if not _EXPERTS.fullmatch(word) and word != "17b"]
    versionless = "".join(word for word in few if not _VERSION.fullmatch(word))
    return _Name("".join(plain), "".join(same), "".join(few), versionless, quantization)
