"""What the embedded cluster answers beyond its objects: logs, exec, kubelet statistics, metrics and
health.

Rules are the scenario's own mappings; each carries `at`, the moment that its relative times count
from. Later rules win.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Rule = dict[str, Any]


@dataclass(slots=True)
class Surroundings:
    """logs, stats, metrics: lists of rules with a `pods` or `nodes` selection. connect: outcomes of
    connections. commands: answers of exec. health: readyz checks and API server metrics. faults:
    rules in force at the start."""

    logs: list[tuple[datetime, Rule]] = field(default_factory=list)
    stats: list[tuple[datetime, Rule]] = field(default_factory=list)
    metrics: list[tuple[datetime, Rule]] = field(default_factory=list)
    connect: list[Rule] = field(default_factory=list)
    commands: list[Rule] = field(default_factory=list)
    names: list[Rule] = field(default_factory=list)
    health: Rule = field(default_factory=dict)
    configz: list[Rule] = field(default_factory=list)
    faults: list[Rule] = field(default_factory=list)
