"""Where pods of a scenario run: a deterministic stand-in for the scheduler."""

from __future__ import annotations

from drills.api.objects import Obj, dig, digest, zone_of
from drills.scenario.world import Data, World


def place(world: World, data: Data, count: int, salt: str = "") -> list[str]:
    """`count` node names. `nodes:` fixes them (cycled), `zone:` narrows them; otherwise workers are
    taken so that a workload spreads over zones and no node carries much more than another. Fresh
    nodes take only what names them. Raises ValueError when no node takes the workload."""
    if fixed := data.get("nodes"):
        names = [fixed] if isinstance(fixed, str) else list(fixed)
        return [str(names[i % len(names)]) for i in range(count)]
    zones = {
        node["metadata"]["name"]: zone_of(node) for node in world.of("Node") if _takes(node, data)
    }
    zones = {name: zone for name, zone in zones.items() if name not in world.fresh}
    if not zones:
        raise ValueError(f"workload {data.get('name')}: no node takes it")
    load = dict.fromkeys(zones, 0)
    for pod in world.of("Pod"):
        node = pod["spec"].get("nodeName")
        if node in load and pod["status"].get("phase") == "Running":
            load[node] += 1
    mine, in_zone = dict.fromkeys(load, 0), dict.fromkeys(zones.values(), 0)
    key = f"{data.get('namespace')}/{data.get('name')}/{salt}"

    def order(name: str) -> tuple[int, int, int, str]:
        draw = digest("place", world.seed, key, name)
        return mine[name], in_zone[zones[name]], load[name], draw

    out = []
    for _ in range(count):
        best = min(load, key=order)
        mine[best] += 1
        in_zone[zones[best]] += 1
        load[best] += 1
        out.append(best)
    return out


def _takes(node: Obj, data: Data) -> bool:
    labels = node["metadata"]["labels"]
    if data.get("zone") and not zone_of(node).endswith(str(data["zone"])):
        return False
    if any(labels.get(k) != v for k, v in (data.get("nodeSelector") or {}).items()):
        return False
    if node["metadata"]["name"] in (data.get("notNodes") or []):
        return False
    tolerated = {t.get("key") for t in data.get("tolerations") or []}
    taints = {t["key"] for t in dig(node, "spec", "taints", default=[])}
    return taints <= tolerated and not dig(node, "spec", "unschedulable", default=False)
