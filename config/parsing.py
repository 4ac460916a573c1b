"""Reads a stack's configuration into `Settings`, and judges it by the rules.

A malformed value becomes a problem and is left out, so that planning can still judge the rest and the user sees all problems at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, TypeAdapter, ValidationError

from config import rules
from config.budget import Budget
from config.cluster import Cluster, ExistingCluster, GkeCluster
from config.errors import Problem, StackError, problems_of, shown, suggestion, without_what_is_wrong
from config.gateway import Gateway
from config.models import Model, check_name
from config.node_pools import NodePool
from config.platform import Platform
from config.rollout import candidate_of
from config.secrets import Secrets
from config.section import Name
from config.settings import PROJECT, SECTIONS, Settings, candidate_key, is_read
from config.tokens import without_tokens

ModelName = Annotated[Name, AfterValidator(check_name)]
M = TypeVar("M", bound=BaseModel)


def parse(config: Mapping[str, Any]) -> Settings:
    """Reads the `config:` of a stack file, keys in full (`vllm-platform:models`, `gcp:region`).

    Raises:
        StackError: nothing can be planned, because `cluster` cannot be read.
    """
    config, tokens = _without_tokens(config)
    reader = _Reader({key.partition(":")[2]: value for key, value in config.items() if key.startswith(f"{PROJECT}:")})
    reader.problems += tokens
    reader.refuse_unknown_namespaces(config)
    reader.refuse_unknown_sections()
    project, region = (reader.text(config, key) for key in ("gcp:project", "gcp:region"))
    cluster = reader.cluster()
    models = reader.entries("models", Model, ModelName)
    settings = Settings(
        gcp_project=project,
        gcp_region=region,
        cluster=cluster,
        node_pools=reader.entries("nodePools", NodePool, Name),
        platform=reader.section("platform", Platform),
        models=models,
        candidates=reader.candidates(models),
        gateway=reader.section("gateway", Gateway) if reader.sections.get("gateway") else None,
        budget=reader.section("budget", Budget),
        secrets=reader.section("secrets", Secrets),
        problems=tuple(reader.problems),
        doubtful=frozenset(reader.doubtful),
    )
    return rules.checked(settings)


def _without_tokens(config: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """The configuration without the credentials found outside `secrets`, and a problem for each."""
    problems: list[Problem] = []
    cleaned = dict(config)
    for key, value in config.items():
        if not is_read(key):
            continue
        cleaned[key], found = without_tokens(value, key.removeprefix(f"{PROJECT}:"))
        problems += found
    return cleaned, problems


class _Reader:
    """Reads one section after another and collects problems."""

    def __init__(self, sections: dict[str, Any]) -> None:
        self.sections = sections
        self.problems: list[Problem] = []
        self.doubtful: set[str] = set()

    def refuse_unknown_sections(self) -> None:
        for name in self.sections.keys() - set(SECTIONS):
            advice = suggestion(name, SECTIONS, otherwise="known sections: " + ", ".join(SECTIONS))
            self.problems.append(Problem(name, "unknown section", advice))

    def refuse_unknown_namespaces(self, config: Mapping[str, Any]) -> None:
        """Keys of other namespaces belong to other programs, unless the namespace looks like a misspelt `vllm-platform`."""
        for key in config:
            namespace, colon, name = key.partition(":")
            if not colon:
                self.problems.append(Problem(key, "has no namespace", f"write {PROJECT}:{key}"))
            elif namespace != PROJECT and difflib.get_close_matches(namespace, [PROJECT], cutoff=0.8):
                self.problems.append(Problem(key, f"nothing reads the namespace '{namespace}'", f"did you mean '{PROJECT}:{name}'?"))

    def text(self, config: Mapping[str, Any], key: str) -> str | None:
        value = config.get(key)
        if isinstance(value, (dict, list)):
            self.problems.append(Problem(key, f"{shown(value)} is not text", f"pulumi config set {key} <value>"))
            return None
        return None if value is None else str(value)

    def cluster(self) -> Cluster:
        value = self.sections.get("cluster")
        if not isinstance(value, dict):
            message = "required, but not given" if value is None else f"{shown(value)} is not a mapping"
            self.problems.append(Problem("cluster", message, "give provider, name and, for GKE, zones"))
            raise StackError(self.problems)
        kinds: dict[str, type[Cluster]] = {"gke": GkeCluster, "existing": ExistingCluster}
        model = kinds.get(str(value.get("provider")))
        if model is None:
            message = f"{shown(value.get('provider'))} is not a provider"
            self.problems.append(Problem("cluster.provider", message, "one of: gke, existing"))
            raise StackError(self.problems)
        cluster = self._validated("cluster", model, value)
        if cluster is None:
            raise StackError(self.problems)
        return cluster

    def section(self, name: str, model: type[M]) -> M:
        return self._validated(name, model, self._section(name)) or model()

    def entries(self, name: str, model: type[M], key_type: Any) -> dict[str, M]:
        """The entries of a section keyed by name, each read by itself; those that cannot be read are left out."""
        value = self._section(name)
        if not isinstance(value, dict):
            self.problems.append(Problem(name, f"{shown(value)} is not a mapping", "key each entry by its name"))
            return {}
        read = {key: self._entry(f"{name}.{key}", str(key), entry, model, key_type) for key, entry in value.items()}
        return {str(key): entry for key, entry in read.items() if entry is not None}

    def candidates(self, models: Mapping[str, Model]) -> dict[str, Model]:
        """The candidates of models that have one, each read as the model that it would become."""
        found = {}
        for name, written in {str(key): value for key, value in self._section("models").items()}.items() if models else ():
            if name in models and (candidate := models[name].rollout.candidate) is not None:
                merged = candidate_of(written, candidate.model)
                found[candidate_key(name)] = self._entry(f"models.{candidate_key(name)}", name, merged, Model, ModelName)
        return {key: entry for key, entry in found.items() if entry is not None}

    def _section(self, name: str) -> Any:
        """The value of a section; a key without a value counts as an empty mapping."""
        value = self.sections.get(name)
        return {} if value is None else value

    def _entry(self, path: str, key: str, value: Any, model: type[M], key_type: Any) -> M | None:
        before = len(self.problems)
        entry = self._validated(path, model, value)
        try:
            TypeAdapter(key_type).validate_python(key)
        except ValidationError as error:
            self.problems += problems_of(error, path, None)
        if len(self.problems) > before:
            self.doubtful.add(path)
        return entry

    def _validated(self, path: str, model: type[M], value: Any) -> M | None:
        """Reads a mapping; if some keys are wrong, reads it again without them so that planning can judge the rest."""
        try:
            return model.model_validate(value)
        except ValidationError as error:
            self.problems += problems_of(error, path, model)
            try:
                return model.model_validate(without_what_is_wrong(value, error))
            except ValidationError:
                return None
