"""`make describe-model`: a catalogue row for a model, from the Hugging Face hub or from a `config.json` on disk.

Exit codes: 0, or 2 with one line that says what is missing.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from config.architecture import Architecture
from config.catalog import ModelRow
from planning.memory import GIB
from planning.parameters import count_parameters
from planning.weight_size import weight_bytes
from tools.catalogue.hugging_face.config import CannotTranslate, architecture_from_config, as_row
from tools.catalogue.hugging_face.keys import odd_values

_QUANTIZATION_FILE = "hf_quant_config.json"


class CannotDescribe(Exception):  # noqa: N818 - reads as what happened
    """Why there is no row."""


def catalogue_row(architecture: Architecture, *, parameters: int | None, source: str, **facts: Any) -> dict[str, Any]:
    """A row as `config/catalog/models.yaml` holds it. Without `parameters` they are counted from the architecture."""
    row = {
        "architecture": as_row(architecture),
        "parameters": parameters or count_parameters(architecture).total,
        **{key: value for key, value in facts.items() if value},
        "source": source,
        "date": datetime.now(UTC).date().isoformat(),
        **({} if parameters else {"assumed": True}),
    }
    ModelRow.model_validate(row)
    return row


def from_file(path: Path) -> tuple[str, dict[str, Any]]:
    file = path / "config.json" if path.is_dir() else path
    config = _read(file)
    beside = file.with_name(file.name.replace("config.json", "hf_quant_config.json"))
    architecture = _architecture(config, _read(beside) if beside != file and beside.exists() else None)
    return config.get("_name_or_path") or file.parent.name or "model", catalogue_row(architecture, parameters=None, source=file.name)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text())
    except OSError as error:
        raise CannotDescribe(f"{file} cannot be read: {error.strerror}") from None
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CannotDescribe(f"{file} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise CannotDescribe(f"{file} is not a mapping of keys to values")
    return content


def from_hub(source: str) -> tuple[str, dict[str, Any]]:
    """Reads config.json, what lies beside it, and the parameter count at the newest commit; $HF_TOKEN opens gated models."""
    from httpx2 import TransportError
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    try:
        info = HfApi().model_info(source)
        names = {file.rfilename for file in info.siblings or ()}
        refuse_formats(source, names)
        config = _read(Path(hf_hub_download(source, "config.json", revision=info.sha)))
        quantization = None
        if _QUANTIZATION_FILE in names and not config.get("quantization_config"):
            quantization = _read(Path(hf_hub_download(source, _QUANTIZATION_FILE, revision=info.sha)))
    except GatedRepoError:
        raise CannotDescribe(f"{source} is gated: accept its terms on the hub and set HF_TOKEN") from None
    except RepositoryNotFoundError:
        raise CannotDescribe(f"the hub has no model {source}, or it is private: check the id, or set HF_TOKEN") from None
    except HFValidationError:
        raise CannotDescribe(f"{source!r} is neither a Hugging Face id, such as Qwen/Qwen3-8B, nor a file") from None
    except (HfHubHTTPError, TransportError, OSError) as error:
        raise CannotDescribe(f"the hub did not answer ({type(error).__name__}): give the path of a config.json instead") from None
    architecture = _architecture(config, quantization)
    parameters = info.safetensors.total if info.safetensors and architecture.quantization_config is None else None
    facts = {"revision": info.sha, "gated": bool(info.gated)}
    return source, catalogue_row(architecture, parameters=parameters, source="config.json of the hub", **facts)


def refuse_formats(source: str, names: set[str]) -> None:
    """Repositories without the weights that are downloaded: safetensors, or PyTorch's own."""
    if any(name.endswith((".safetensors", ".bin", ".pt", ".pth")) for name in names) and "config.json" in names:
        return
    if any(name.endswith(".gguf") for name in names):
        raise CannotDescribe(
            f"{source} holds GGUF files, which vLLM 0.33 reads by a plugin only: take the repository that they were made of"
        )
    if "params.json" in names:
        raise CannotDescribe(f"{source} has Mistral's params.json and no config.json: take a repository in Hugging Face's format")


def _architecture(config: dict[str, Any], quantization: dict[str, Any] | None = None) -> Architecture:
    try:
        return architecture_from_config(config, quantization)
    except CannotTranslate as error:
        raise CannotDescribe(f"this config.json does not describe a transformer that planning knows: {error}") from None
    except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError) as error:
        if not isinstance(error, ValidationError):
            reason = f"a value in it has another form than in other files ({', '.join(odd_values(config)) or error})"
            raise CannotDescribe(f"this config.json does not describe a transformer that planning knows: {reason}") from None
        missing = ", ".join(str(detail["loc"][0]) for detail in error.errors() if detail["type"] == "missing")
        first = error.errors()[0]
        reason = f"it lacks {missing}" if missing else ": ".join([*map(str, first["loc"]), str(first["msg"])])
        raise CannotDescribe(f"this config.json does not describe a transformer that planning knows: {reason}") from None


def main() -> int:
    parser = argparse.ArgumentParser(prog="describe-model", description="Print a model's catalogue row.")
    parser.add_argument("model", nargs="?", help="Hugging Face id, or path of a config.json or its folder")
    arguments = parser.parse_args()
    try:
        if not arguments.model:
            raise CannotDescribe("say which model: make describe-model MODEL=<Hugging Face id or path of a config.json>")
        path = Path(arguments.model)
        name, row = from_file(path) if path.exists() or path.suffix == ".json" else from_hub(arguments.model)
    except CannotDescribe as error:
        print(error, file=sys.stderr)
        return 2
    architecture = Architecture.model_validate(row["architecture"])
    size = weight_bytes(architecture, row["parameters"]) / GIB
    print(f"# {size:,.1f} GiB of weights, {architecture.context_length:,} positions. For config/catalog/models.yaml;")
    print("# or put `architecture:` under the model in the stack file.")
    if architecture.quantization_config and not architecture.quantization_config.understood:
        print(f"# How many bits {architecture.quantization_config.quant_method} leaves of a weight is not known: counted as unquantized.")
    print(yaml.safe_dump({name: row}, sort_keys=False, default_flow_style=False, width=120), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
