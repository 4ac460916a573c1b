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
from tools.hugging_face_config import architecture_from_config, as_row


class CannotDescribe(Exception):  # noqa: N818 - reads as what happened
    """Why there is no row."""


def catalogue_row(architecture: Architecture, *, parameters: int | None, source: str, **facts: Any) -> dict[str, Any]:
    """A row as `config/catalog/models.yaml` holds it. Without `parameters` they are counted from the architecture."""
    row = {
        "architecture": as_row(architecture),
        "parameters": parameters or count_parameters(architecture).total,
        "family": "moe" if architecture.is_moe else "dense",
        **{key: value for key, value in facts.items() if value},
        "source": source,
        "date": datetime.now(UTC).date().isoformat(),
        **({} if parameters else {"assumed": True}),
    }
    ModelRow.model_validate(row)
    return row


def from_file(path: Path) -> tuple[str, dict[str, Any]]:
    file = path / "config.json" if path.is_dir() else path
    try:
        config = json.loads(file.read_text())
    except OSError as error:
        raise CannotDescribe(f"{file} cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise CannotDescribe(f"{file} is not JSON: {error}") from None
    return config.get("_name_or_path") or file.parent.name or "model", catalogue_row(
        _architecture(config), parameters=None, source=file.name
    )


def from_hub(source: str) -> tuple[str, dict[str, Any]]:
    """Reads config.json and the parameter count at the newest commit; $HF_TOKEN opens gated models."""
    from httpx2 import TransportError
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    try:
        info = HfApi().model_info(source)
        config = json.loads(Path(hf_hub_download(source, "config.json", revision=info.sha)).read_text())
    except GatedRepoError:
        raise CannotDescribe(f"{source} is gated: accept its terms on the hub and set HF_TOKEN") from None
    except RepositoryNotFoundError:
        raise CannotDescribe(f"the hub has no model {source}, or it is private: check the id, or set HF_TOKEN") from None
    except HFValidationError:
        raise CannotDescribe(f"{source!r} is neither a Hugging Face id, such as Qwen/Qwen3-8B, nor a file") from None
    except (HfHubHTTPError, TransportError, OSError) as error:
        raise CannotDescribe(f"the hub did not answer ({type(error).__name__}): give the path of a config.json instead") from None
    parameters = info.safetensors.total if info.safetensors and not config.get("quantization_config") else None
    facts = {"revision": info.sha, "gated": bool(info.gated)}
    return source, catalogue_row(_architecture(config), parameters=parameters, source="config.json of the hub", **facts)


def _architecture(config: dict[str, Any]) -> Architecture:
    try:
        return architecture_from_config(config)
    except ValidationError as error:
        missing = ", ".join(str(detail["loc"][0]) for detail in error.errors() if detail["type"] == "missing")
        reason = f"it lacks {missing}" if missing else str(error.errors()[0]["msg"])
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
    print(yaml.safe_dump({name: row}, sort_keys=False, default_flow_style=False, width=120), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
