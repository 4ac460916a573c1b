"""The page: sections, style sheet and script in one file, that may load nothing and run nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from config.cluster import GkeCluster
from config.errors import Problem
from config.settings import Settings
from planning.plan import Plan
from policy.rules import Level, Violation
from tools.preview.offline import Recording
from tools.preview.report.changes import Changes
from tools.preview.report.memory import fit_table, fits
from tools.preview.report.money import money
from tools.preview.report.resources import groups
from tools.preview.report.rollout import model_updates, pool_updates
from tools.preview.report.security import controls, judgements
from tools.preview.report.startup import starts
from tools.preview.report.topology import topology
from tools.preview.report.verdict import verdict

_HERE = Path(__file__).parent
_SECTIONS = (
    ("way", "Topology"),
    ("fit", "Fit"),
    ("cost", "Cost"),
    ("start-up", "Start-up"),
    ("rollout", "Rollout"),
    ("security", "Security"),
    ("resources", "Resources"),
)


@dataclass(frozen=True)
class Previewed:
    """All that the report is made of."""

    stack: str
    settings: Settings
    plan: Plan
    recording: Recording
    levels: Mapping[str, Level]
    """Of each policy."""
    violations: Sequence[Violation] = ()
    local: Sequence[Problem] = ()
    """What `pulumi up` would miss on this machine."""
    changes: Changes | None = None
    """Where there is a base to compare with."""


def render(previewed: Previewed) -> str:
    settings, plan, recording = previewed.settings, previewed.plan, previewed.recording
    style, script = (_text(name) for name in ("style.css", "search.js"))
    return (
        _environment()
        .get_template("page.html")
        .render(
            stack=previewed.stack,
            where=_where(settings),
            policy=f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'",
            style=Markup(style),  # noqa: S704 - files of this folder
            script=Markup(script),  # noqa: S704 - likewise
            verdict=verdict(settings, plan, len(recording.resources), previewed.violations, previewed.local),
            changes=previewed.changes,
            sections=((("changes", "Changes"),) if previewed.changes else ()) + _SECTIONS,
            fits=fits(settings, plan),
            fit_table=fit_table(plan),
            money=money(plan.cost, settings.budget),
            topology=topology(settings, plan),
            starts=starts(plan),
            model_updates=model_updates(settings, plan),
            pool_updates=pool_updates(settings, plan),
            controls=controls(settings, recording),
            judgements=judgements(previewed.levels, previewed.violations),
            groups=groups(recording),
        )
    )


def _where(settings: Settings) -> str:
    cluster = settings.cluster
    if isinstance(cluster, GkeCluster):
        return f"GKE cluster {cluster.name} in {settings.gcp_region}, project {settings.gcp_project}"
    return f"the existing cluster {cluster.name}"


@cache
def _environment() -> Environment:
    folder = FileSystemLoader(_HERE / "templates")
    return Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _text(name: str) -> str:
    return (_HERE / name).read_text()


def _digest(text: str) -> str:
    """As a Content-Security-Policy names the one style sheet and the one script that it allows."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
