"""Where pods of a scenario run: a deterministic stand-in for the scheduler."""

from __future__ import annotations

from typing import Any

from drills.api.objects import Obj, dig, digest
from drills.api.world import World


def place(world: World, data: dict[str, Any], count: int, salt: str = "") -> list[str]:
    """`count` node names. `nodes:` fixes them (cycled), `zone:` narrows them; otherwise workers are
    taken so that a workload spreads over zones and no node carries much more than another. Fresh
    nodes take only what names them."""
    fixed = data.get("nodes")
    if fixed:
        names = [fixed] if isinstance(fixed, str) else list(fixed)
        return [str(names[i % len(names)]) for i in range(count)]
    candidates = [
        n for n in world.of("Node") if _takes(n, data) and n["metadata"]["name"] not in world.fresh
    ]
    if not candidates:
        raise ValueError(f"workload {data.get('name')}: no node takes it")
    load: dict[str, int] = {n["metadata"]["name"]: 0 for n in candidates}
    for pod in world.of("Pod"):
        node = pod["spec"].get("nodeName")
        if node in load and pod["status"].get("phase") == "Running":
            load[node] += 1
    zones = {
        n["metadata"]["name"]: dig(n, "metadata", "labels", "topology.kubernetes.io/zone")
        for n in candidates
    }
    mine: dict[str, int] = dict.fromkeys(load, 0)
    in_zone: dict[str, int] = dict.fromkeys(zones.values(), 0)
    out = []
    key = f"{data.get('namespace')}/{data.get('name')}/{salt}"
    for _ in range(count):
        best = min(
            load,
            key=lambda n: (
                mine[n],
                in_zone[zones[n]],
                load[n],
                digest("place", world.seed, key, n),
            ),
        )
        mine[best] += 1
        in_zone[zones[best]] += 1
        load[best] += 1
        out.append(best)
    return out


def _takes(node: Obj, data: dict[str, Any]) -> bool:
    labels = node["metadata"]["labels"]
    if data.get("zone") and not str(labels.get("topology.kubernetes.io/zone", "")).endswith(
        str(data["zone"])
    ):
        return False
    if any(labels.get(k) != v for k, v in (data.get("nodeSelector") or {}).items()):
        return False
    if node["metadata"]["name"] in (data.get("notNodes") or []):
        return False
    tolerated = {t.get("key") for t in data.get("tolerations") or []}
    taints = {t["key"] for t in dig(node, "spec", "taints", default=[])}
    return taints <= tolerated and not dig(node, "spec", "unschedulable", default=False)
