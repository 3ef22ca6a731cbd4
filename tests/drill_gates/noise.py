"""Failing pods that have nothing to do with the story: crash loops, images that cannot be pulled,
pods that fit nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from math import ceil
from typing import Any

from drills.scenario.expand import objects
from drills.scenario.model import parse
from tests.drill_gates.ground import NOW, Raw

SHARE = 0.2
PODS = 4
_TEAMS = ("atlas", "birch", "comet", "delta", "ember", "fjord", "gale", "heron", "iris")
_FITS_NOWHERE = (
    "0/15 nodes are available: 15 node(s) didn't match Pod's node affinity/selector. preemption: "
    "0/15 nodes are available"
)


def noise(pods: int, *, young: bool = False) -> list[Raw]:
    """As many whole namespaces of failing workloads as give at least a fifth of `pods`; `young`:
    none older than six minutes."""
    teams = _TEAMS[: ceil(pods * SHARE / (2 * PODS))]
    assert len(teams) * 2 * PODS >= pods * SHARE, "the pool is too small for this drill"
    return [raw for team in teams for raw in _pool(young)[team]]


@cache
def _pool(young: bool) -> dict[str, list[Raw]]:
    """Objects by namespace. Each team has two workloads of `PODS` pods, none of which works, since
    another time each."""
    age = "6m" if young else "20d"
    workloads: list[dict[str, Any]] = []
    states: list[dict[str, Any]] = []
    for number, team in enumerate(_TEAMS):
        begun = "5m" if young else ("7h", "95m", "26m", "9m", "3d")[number % 5]
        for place in range(2):
            name = f"{team}-{('api', 'worker')[place]}"
            image = f"registry.example.com/{team}/{name}:1.{number}.0"
            workloads.append(
                {
                    "namespace": team,
                    "name": name,
                    "replicas": PODS,
                    "image": image,
                    "age": age,
                    "rollout": age if young else begun,
                    "port": 8080,
                    "cpu": "50m",
                    "memory": "64Mi",
                }
            )
            state = ("crashLoop", "imagePull", "pending")[(number + place) % 3]
            states.append(
                {
                    "select": {"namespace": team, "app": name},
                    "state": state,
                    "since": begun,
                    **({"message": _FITS_NOWHERE} if state == "pending" else {}),
                }
            )
    raw = {
        "id": "noise",
        "title": "-",
        "story": {"file": "-"},
        "description": "-",
        "answer": {"runbook": ""},
        "namespaces": [{"name": team, "age": age} for team in _TEAMS],
        "workloads": workloads,
        "podStates": states,
    }
    found = objects(parse(raw, "noise"), NOW)
    return {team: [one for one in found if _home(one) == team] for team in _TEAMS}


def _home(raw: Raw) -> str:
    return str(
        raw["metadata"]["name"]
        if raw["kind"] == "Namespace"
        else raw["metadata"].get("namespace", "")
    )


def failing(rows: Iterable[Raw]) -> int:
    """Pods that are not ready and not done."""
    pods = [raw for raw in rows if raw["kind"] == "Pod" and raw["status"]["phase"] != "Succeeded"]
    return sum(not _ready(pod) for pod in pods)


def _ready(pod: Raw) -> bool:
    return any(
        one["type"] == "Ready" and one["status"] == "True"
        for one in pod["status"].get("conditions", [])
    )
