"""From a scenario's data to whole Kubernetes objects, the same every time.

`objects(scenario, now)` is what a real API server can be loaded with; `expand(scenario, now)` adds
what surrounds the objects (logs, exec answers, kubelet statistics, health) for the embedded
cluster.
"""

from __future__ import annotations

from datetime import datetime

from drills.expand.impose import expand
from drills.objects import Obj
from drills.scenario import Scenario

__all__ = ["expand", "objects"]


def objects(scenario: Scenario, now: datetime) -> list[Obj]:
    """Every object of the scenario at `now`, with uid, creationTimestamp, managedFields and status,
    sorted by kind, namespace and name. `now` is an aware datetime. Raises ScenarioError when the
    data does not fit."""
    return expand(scenario, now).sorted_objects()
