"""What a new stack is asked for: from the command line, and from a terminal what is missing there."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from config import catalog, places
from config.errors import Problem
from tools.stacks import stack_file

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_OFFERED = "Qwen/Qwen3-8B"


@dataclass(frozen=True)
class Answers:
    name: str
    project: str
    region: str
    models: tuple[str, ...]
    """Hugging Face ids."""
    context: int
    """Longest sequence that each model must take, prompt and completion together."""
    floor: int
    ceiling: int
    clients: tuple[str, ...]
    """Names of the clients with keys; none: whoever is in the cluster may call without a key."""


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="new-stack", description="Write Pulumi.<name>.yaml for a platform on GKE, and check it.")
    parser.add_argument("name", nargs="?", default="", help="name of the stack")
    parser.add_argument("--project", default="", help="id of the Google Cloud project")
    parser.add_argument("--region", default="", help="such as us-central1")
    parser.add_argument("--models", default="", help="Hugging Face ids, with spaces between them")
    parser.add_argument("--context", default="", help="tokens of prompt and completion that each model must take (default: 8192)")
    parser.add_argument("--floor", default="", help="replicas that always run (default: 1)")
    parser.add_argument("--ceiling", default="", help="most replicas (default: one more than the floor)")
    parser.add_argument("--clients", default="", help="names of clients with keys, with spaces between them (default: no keys)")
    return parser


def completed(given: argparse.Namespace, ask: Callable[[str], str] | None) -> argparse.Namespace:
    """Asks for what is not given; without a terminal (`ask` is None) the defaults are taken."""
    questions = (
        ("name", "Name of the stack", "dev2"),
        ("project", "Id of the Google Cloud project", ""),
        ("region", "Region", "us-central1"),
        ("models", "Models (Hugging Face ids)", _OFFERED),
        ("context", "Tokens of prompt and completion", "8192"),
        ("floor", "Replicas that always run", "1"),
        ("ceiling", "Most replicas", ""),
        ("clients", "Clients with keys (empty: calls from inside the cluster need none)", ""),
    )
    for key, question, default in questions:
        if ask and not getattr(given, key):
            setattr(given, key, ask(f"{question}{f' [{default}]' if default else ''}: ").strip() or default)
    return given


def read(given: argparse.Namespace) -> tuple[Answers | None, list[Problem]]:
    """The answers, or every problem that they have."""
    problems: list[Problem] = []
    floor = _number("--floor", given.floor or "1", problems)
    answers = Answers(
        name=given.name,
        project=given.project,
        region=given.region,
        models=tuple(given.models.split()),
        context=_number("--context", given.context or "8192", problems),
        floor=floor,
        ceiling=_number("--ceiling", given.ceiling or str(floor + 1), problems),
        clients=tuple(given.clients.split()),
    )
    problems += _problems(answers)
    return (None if problems else answers), problems


def _number(option: str, text: str, problems: list[Problem]) -> int:
    if text.isascii() and text.isdigit() and int(text):
        return int(text)
    problems.append(Problem(option, f"'{text}' is no number", "write a positive whole number"))
    return 0


def _problems(answers: Answers) -> Iterator[Problem]:
    if not _NAME.fullmatch(answers.name):
        yield Problem("name", f"'{answers.name}' is no name of a stack", "use letters, digits, dashes and underscores")
    elif stack_file(answers.name).exists():
        yield Problem("name", f"Pulumi.{answers.name}.yaml is there already", "choose another name, or edit that file")
    if not _PROJECT.fullmatch(answers.project):
        yield Problem("--project", f"'{answers.project}' is no project id", "write it as `gcloud projects list` shows it")
    if answers.region not in places.regions():
        yield Problem("--region", f"'{answers.region}' is no region that is known here", f"choose one of {', '.join(places.regions())}")
    if not answers.models:
        yield Problem("--models", "none is given", f"give Hugging Face ids, such as {_OFFERED}")
    if 0 < answers.ceiling < answers.floor:
        yield Problem("--ceiling", f"{answers.ceiling} is below the floor of {answers.floor}", "raise it, or lower --floor")
    yield from _unknown(answers.models)


def _unknown(models: Sequence[str]) -> Iterator[Problem]:
    for model in models:
        if catalog.model(model) is None:
            near = [one for one in catalog.model_ids() if model.rpartition("/")[2].lower() in one.lower()][:5]
            meant = f"did you mean {', '.join(near)}? " if near else ""
            yield Problem("--models", f"the catalogue has no {model}", f"{meant}`make describe-model MODEL={model}` prints its row")
