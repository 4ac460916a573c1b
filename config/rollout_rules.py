"""Rules on blue-green rollouts that need only the YAML, and the wording of problems that candidates have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from config.errors import Problem
from config.models import Model
from config.rollout import Candidate
from config.settings import Settings, candidate_key, replicas_name

# What clients, the gateway, alerts and the model's namespace know of the model as a whole.
_SHARED = {
    "servedNames": "clients know both colours by the same names",
    "affinity": "the gateway chooses a replica in the same way for both colours",
    "slo": "alerts watch the objectives of both colours together",
    "rollout": "both colours belong to one rollout",
}


def rollout_rules(settings: Settings) -> Iterator[Problem]:
    for name, model in settings.models.items():
        candidate = model.rollout.candidate
        yield from _names(settings, name, model)
        if candidate is not None:
            path = f"models.{name}.rollout.candidate"
            yield from _weight_rules(settings, path, candidate)
            yield from _shared(f"{path}.model", candidate)
            if merged := settings.candidates.get(candidate_key(name)):
                yield from _candidate_rules(f"{path}.model", model, merged)


def _names(settings: Settings, name: str, model: Model) -> Iterator[Problem]:
    """Names of replicas and series that another model of the stack would have too."""
    taken = [replicas_name(name, "green")] if model.rollout.strategy == "blue-green" or model.rollout.live == "green" else []
    taken += [candidate_key(name)] if model.rollout.strategy == "blue-green" else []
    for other in taken:
        if other in settings.models:
            message = f"replicas or series of the other colour have this name, and a model is called '{other}'"
            yield Problem(f"models.{name}.rollout", message, "rename that model")


def _weight_rules(settings: Settings, path: str, candidate: Candidate) -> Iterator[Problem]:
    if candidate.weight and settings.gateway is None:
        message = f"{candidate.weight} % of the requests, and there is no gateway that would divide them"
        yield Problem(f"{path}.weight", message, "add a `gateway` section, or set it to 0")
    if candidate.weight > candidate.gate.canary_weight and settings.gateway and not settings.platform.monitoring.enabled:
        message = "above gate.canaryWeight the candidate is judged by Prometheus, and platform.monitoring.enabled is false"
        yield Problem(f"{path}.weight", message, f"enable monitoring, or set gate.canaryWeight to {candidate.weight} to go without")


def _shared(path: str, candidate: Candidate) -> Iterator[Problem]:
    for key, why in _SHARED.items():
        if key in candidate.model:
            yield Problem(f"{path}.{key}", f"a candidate cannot change it: {why}", "remove it here, and change the model's own")


def _candidate_rules(path: str, model: Model, candidate: Model) -> Iterator[Problem]:
    if candidate.scaling.floor == 0:
        message = "without a floor nothing of it runs that could be tested"
        yield Problem(f"{path}.scaling.floor", message, "set it to 1 or more")
    if candidate.lora_adapters.keys() != model.lora_adapters.keys():
        message = "clients ask for adapters by these names, at whichever colour their request arrives"
        yield Problem(f"{path}.loraAdapters", message, "keep the names of the model's own adapters; sources and revisions may differ")
    if _origin(candidate) != _origin(model):
        message = "the namespace has the permissions, keys and NetworkPolicy for one kind of source, bucket and endpoint"
        yield Problem(f"{path}.weights", message, "keep those of the model; another folder may be given")
    if candidate.source != model.source and _location(candidate) is not None and _location(candidate) == _location(model):
        message = f"the weights of {candidate.source} would be read where those of {model.source} are"
        yield Problem(f"{path}.weights", message, "give its own uri, or its own claim or path")


def _origin(model: Model) -> tuple[object, ...]:
    weights = model.weights
    return weights.source, weights.bucket, weights.endpoint, weights.endpoint_range, weights.region


def _location(model: Model) -> tuple[str | None, str | None] | None:
    weights = model.weights
    return None if weights.source == "hugging-face" else (weights.uri or weights.claim, weights.path)


def as_written(settings: Settings, problems: Iterable[Problem]) -> Iterator[Problem]:
    """Problems of candidates under the path where their keys are written, without those that the model has already."""
    found = dict.fromkeys(problems)
    for problem in found:
        for name in settings.models:
            within = f"models.{candidate_key(name)}"
            if problem.path == within or problem.path.startswith(f"{within}."):
                key = problem.path.removeprefix(within)
                if replace(problem, path=f"models.{name}{key}") not in found:
                    yield replace(problem, path=f"models.{name}.rollout.candidate.model{key}")
                break
        else:
            yield problem
