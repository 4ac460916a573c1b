"""Findings for people: those about the same things together, worst first, each as `cause: what is wrong; what to do`."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from tools.doctor.diagnosis import diagnose
from tools.doctor.findings import Finding
from tools.doctor.snapshot import Case

_MOST_SUBJECTS = 3


def report(console: Console, stack: str, context: str, case: Case) -> int:
    """Prints the findings, those about the same things together; returns the exit code."""
    findings = diagnose(case)
    faults = sum(finding.is_fault for finding in findings)
    pods = sum(len(one.pods) for one in case.replicas())
    seen = f"{len(case.snapshot.nodes)} nodes, {len(case.plan.models)} models, {pods} pods"
    verdict = (f"{faults} fault{'s' if faults > 1 else ''}", "bold red") if faults else ("healthy", "bold green")
    console.print(Text.assemble(f"Stack {stack} in context {context}: ", verdict, f" ({seen})"), soft_wrap=True)
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.about, []).append(finding)
    for about, group in groups.items():
        console.print(Text(_listed(about), style="bold"))
        for finding in group:
            _print(console, finding)
    if faults:
        console.print("What each cause means and what to do: docs/troubleshooting.md")
    return 1 if faults else 0


def _print(console: Console, finding: Finding) -> None:
    style = "red" if finding.is_fault else "cyan"
    subjects = f" [{_listed(finding.subjects)}]" if finding.subjects else ""
    text = Text.assemble("  ", (finding.cause, style), f": {finding.message}; {finding.advice}", (subjects, "dim"))
    console.print(text, soft_wrap=True)
    if finding.is_fault and finding.runbook:
        console.print(Text(f"    step by step: {finding.runbook}", style="dim"), soft_wrap=True)


def _listed(words: tuple[str, ...]) -> str:
    more = len(words) - _MOST_SUBJECTS
    return ", ".join(words[:_MOST_SUBJECTS]) + (f" and {more} more" if more > 0 else "")
