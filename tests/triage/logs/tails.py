"""Clusters in which one workload crashes, each with the tail of its log (`tails.yaml`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec
import yaml

from drills.scenario.model import Scenario, parse
from triage.facts.finding import Finding, Severity

_CONFIGURATION = {"crash-configuration"}
_AWAY = {
    "crash-dependency-unreachable",
    "reference-to-missing-service",
    "service-endpoints-not-ready",
}
PAGES: Mapping[str, Collection[str]] = {
    "credentials-refused": {"crash-credentials-refused"},
    "unreachable": _AWAY,
    "name-not-found": _AWAY,
    "too-many-connections": {"database-connections-used-up"},
    "read-only": {"crash-permission"},
    "permission-denied": {"crash-permission"},
    "api-forbidden": {"forbidden-by-rbac", "crash-credentials-refused"},
    "file-missing": _CONFIGURATION,
    "variable-missing": _CONFIGURATION,
    "config-invalid": _CONFIGURATION,
    "port-in-use": _CONFIGURATION,
    "migration-failed": _CONFIGURATION,
    "out-of-memory": {"memory-limit-reached"},
    "panic": {"crash-looping"},
    "none": {"crash-looping"},
}
"""Class -> the pages that fit it."""


class Tail(msgspec.Struct, frozen=True):
    """`says`: a part of the sentence that decides, "" where none does."""

    class_: str = msgspec.field(name="class")
    program: str = msgspec.field(name="of")
    log: str
    says: str = ""

    def is_told_by(self, finding: Finding) -> bool:
        """Whether a finding quotes the sentence with its class; where no sentence decides, whether
        the crash is told without one."""
        loud = finding.severity is not Severity.INFO
        if self.class_ == "none":
            return loud and finding.rule == "pod-crash-looping"
        return (
            loud
            and finding.rule == "pod-last-words"
            and finding.facts["class"] == self.class_
            and self.says in finding.claim
        )


def tails() -> list[Tail]:
    path = Path(__file__).with_suffix(".yaml")
    return msgspec.convert(yaml.safe_load(path.read_text("utf-8")), list[Tail])


def scenario(tail: Tail, number: int) -> Scenario:
    """A workload whose containers end with this log. Of every third one the present run has not
    said anything yet: the log of the previous one decides."""
    at = {"namespace": "shop", "app": "api" if number % 2 else "web"}
    lines = tail.log.splitlines()
    written = [{"last": len(lines) - place, "text": text} for place, text in enumerate(lines)]
    logs: list[dict[str, object]] = [{"pods": at, "lines": written}]
    if number % 3 == 0:
        logs = [
            {"pods": at, "previous": True, "lines": written},
            {"pods": at, "previous": False, "lines": []},
        ]
    crash = {"select": at, "state": "crashLoop", "since": "14m", "restarts": 7, "runs": 90}
    return parse(
        {
            "id": f"tail-{number}",
            "title": "-",
            "story": {"file": "-"},
            "description": "-",
            "background": "small",
            "podStates": [crash],
            "logs": logs,
            "answer": {"runbook": "crash-looping"},
        },
        "tails.yaml",
    )
