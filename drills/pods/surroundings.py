"""What the embedded cluster answers besides its objects: logs, exec, kubelet statistics, metrics
and health."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from drills.api.patch import merge_patch

ScenarioRule = dict[str, Any]
TimedRule = tuple[datetime, ScenarioRule]
"""A rule, and the time from which its relative times count."""
SECTIONS = ("logs", "stats", "metrics", "configz", "faults")
"""Sections of a scenario whose rows are added as they are; `exec` and `health` are beside them."""


@dataclass(slots=True)
class PodEnvironment:
    """Rules are the scenario's own mappings; later rules win, of `exec` the first.

    logs, stats, metrics: rules with a `pods` or `node` selection. connect, commands, names: the
    outcomes of connections, answers of exec and look-ups of names. health: readyz checks and
    metrics of the API server. configz: of kubelets. faults: rules in force at the start."""

    logs: list[TimedRule] = field(default_factory=list)
    stats: list[TimedRule] = field(default_factory=list)
    metrics: list[TimedRule] = field(default_factory=list)
    connect: list[ScenarioRule] = field(default_factory=list)
    commands: list[ScenarioRule] = field(default_factory=list)
    names: list[ScenarioRule] = field(default_factory=list)
    health: ScenarioRule = field(default_factory=dict)
    configz: list[ScenarioRule] = field(default_factory=list)
    faults: list[ScenarioRule] = field(default_factory=list)

    def add(self, data: dict[str, Any], now: datetime) -> None:
        """Add the sections of a scenario or of a step of its script."""
        for section in SECTIONS:
            timed = section in {"logs", "stats", "metrics"}
            rows = data.get(section, [])
            getattr(self, section).extend([(now, row) for row in rows] if timed else rows)
        for section in ("connect", "commands", "names"):
            getattr(self, section)[:0] = data.get("exec", {}).get(section, [])
        self.health = merge_patch(self.health, data.get("health", {}))

    def rename(self, renamed: Callable[[Any], Any]) -> None:
        """Apply a renaming to every rule but those of health, which name no object."""
        for each in fields(self):
            if each.name != "health":
                setattr(self, each.name, renamed(getattr(self, each.name)))
