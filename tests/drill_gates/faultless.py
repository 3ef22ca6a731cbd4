"""The drills with their fault taken out: the same stage, the same decoys, nothing wrong.

What goes wrong stands in sections of its own, and those go: states of nodes and pods, other builds,
changes, removals, events, health. What is on the stage stays (old kernels, agents without limits,
an emptyDir under a database, anti-affinity that is only preferred). Some stories have their fault
on the stage itself: a CronJob that floods, a Service that is open to the world. `_ON_STAGE` says
for each of them what is put right, as little as can be. etcd-data-deleted is all fault: it gets the
ordinary background instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from drills.scenario.model import Scenario

Data = dict[str, Any]
_FAULTS = (
    "nodeStates",
    "podStates",
    "images",
    "patch",
    "delete",
    "events",
    "health",
    "faults",
    "script",
)


def faultless(scenario: Scenario) -> Scenario:
    data = {section: rows for section, rows in scenario.data.items() if section not in _FAULTS}
    put_right = _ON_STAGE.get(scenario.id)
    return replace(scenario, data=put_right(data) if put_right else data)


def _row(data: Data, name: str, without: tuple[str, ...] = (), **fields: Any) -> Data:
    """The same with other fields of one workload."""
    assert any(row["name"] == name for row in data["workloads"]), (
        f"the scenario has no workload {name} any more"
    )
    rows = [
        {**{key: value for key, value in row.items() if key not in without}, **fields}
        if row["name"] == name
        else row
        for row in data["workloads"]
    ]
    return {**data, "workloads": rows}


def _without(*sections: str) -> Callable[[Data], Data]:
    return lambda data: {section: rows for section, rows in data.items() if section not in sections}


_ON_STAGE: dict[str, Callable[[Data], Data]] = {
    # one run at a time, and a quota that is not full
    "cronjob-pod-flood": lambda data: _without("objects")(
        _row(data, "fx-rates", ("active",), concurrencyPolicy="Forbid")
    ),
    "cryptomining-exposed-dashboard": lambda data: _row(
        data, "topology", ("serviceType", "externalIP", "nodePort")
    ),
    "errors-during-rollout": lambda data: _row(
        data, "checkout", ("revisions", "current", "podAges"), rollout="6d"
    ),
    "etcd-data-deleted": _without("background", "nodes", "namespaces", "workloads", "objects"),
    "replicas-packed-on-one-node": lambda data: _row(
        data, "accounts-api", nodes=["node-a6", "node-b6", "node-c6", "node-b6"]
    ),
    "stateful-operator-data-loss": lambda data: _row(
        data, "rfr-sessions-store", ("podAges",), rollout="49d"
    ),
}
