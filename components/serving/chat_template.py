"""A model's custom chat template: a ConfigMap with a hash of the text in its name, so that a change rolls the pods, and its mount."""

from __future__ import annotations

import hashlib

from pulumi_kubernetes.core.v1 import VolumeArgsDict, VolumeMountArgsDict

from config.models import Model

_VOLUME = "chat-template"
_FOLDER = "/etc/vllm"
KEY = "chat-template.jinja"
PATH = f"{_FOLDER}/{KEY}"


def config_map_name(template: str) -> str:
    return f"chat-template-{hashlib.sha256(template.encode()).hexdigest()[:10]}"


def volumes(model: Model) -> list[VolumeArgsDict]:
    template = model.engine.chat_template
    return [{"name": _VOLUME, "config_map": {"name": config_map_name(template)}}] if template else []


def mounts(model: Model) -> list[VolumeMountArgsDict]:
    return [{"name": _VOLUME, "mount_path": _FOLDER, "read_only": True}] if model.engine.chat_template else []
