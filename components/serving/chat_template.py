"""A model's custom chat template: a ConfigMap with a hash of the text in its name, so that a change rolls the pods, and its mount."""

from __future__ import annotations

import hashlib

from pulumi_kubernetes.core.v1 import VolumeArgsDict, VolumeMountArgsDict

from config.models import Model
from config.rollout import Colour

_VOLUME = "chat-template"
_FOLDER = "/etc/vllm"
KEY = "chat-template.jinja"
PATH = f"{_FOLDER}/{KEY}"


def config_map_name(template: str, colour: Colour) -> str:
    owner = "" if colour == "blue" else f"{colour}-"
    return f"{owner}chat-template-{hashlib.sha256(template.encode()).hexdigest()[:10]}"


def volumes(model: Model, colour: Colour) -> list[VolumeArgsDict]:
    template = model.engine.chat_template
    return [{"name": _VOLUME, "config_map": {"name": config_map_name(template, colour)}}] if template else []


def mounts(model: Model) -> list[VolumeMountArgsDict]:
    return [{"name": _VOLUME, "mount_path": _FOLDER, "read_only": True}] if model.engine.chat_template else []
