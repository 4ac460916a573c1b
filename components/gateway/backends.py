"""Where a model's requests go: its live colour and, of a blue-green model, the other one with its weight."""

from __future__ import annotations

from components.gateway.envoy.clusters import Backend
from components.naming import API_PORT, model_host
from config.rollout import Colour
from config.settings import replicas_name
from planning.gateway import RoutedModel


def backends(model: RoutedModel) -> list[Backend]:
    other = model.other
    if other is None:
        return [Backend(model.colour, [_address(model.name, model.colour)])]
    return [
        Backend(model.colour, [_address(model.name, model.colour)], 100 - other.weight),
        Backend(other.colour, [_address(model.name, other.colour)], other.weight, other.max_requests),
    ]


def _address(model: str, colour: Colour) -> tuple[str, int]:
    return model_host(model, replicas_name(model, colour)), API_PORT
