"""Events that a scenario lists."""

from __future__ import annotations

from typing import Any

from drills.api.objects import Obj, dig, stable_uid
from drills.scenario.world import Data, World


def filled_in(text: str, obj: Obj, **more: str) -> str:
    """`{name}`, `{namespace}`, `{uid}`, `{node}` and the words of `more` in a message."""
    meta = obj["metadata"]
    words = {
        "name": meta["name"],
        "namespace": meta.get("namespace", ""),
        "uid": meta["uid"],
        "node": dig(obj, "spec", "nodeName", default=meta["name"]),
        **more,
    }
    for word, value in words.items():
        text = text.replace("{" + word + "}", str(value))
    return text


def add_named_event(world: World, data: Data) -> None:
    """One entry of `events:`. data: for (`Kind/ns/name`, `Node/name`, {kind, …selection} or
    {gone}), type, reason, message, count, first, last, from, host. Raises ValueError when nothing
    is selected."""
    found = _subjects(world, data["for"])
    if not found:
        raise ValueError(f"event {data.get('reason')}: nothing matches {data['for']}")
    first = world.ago(data.get("first", data.get("at", "1m")))
    last = world.ago(data["last"]) if "last" in data else None
    for obj in found:
        world.event(
            obj,
            str(data["reason"]),
            filled_in(str(data["message"]), obj),
            first,
            last,
            int(data.get("count", 1)),
            kind=str(data.get("type", "Normal")),
            component=str(data.get("from", "")),
            host=str(data.get("host", "")),
        )


def _subjects(world: World, what: Any) -> list[Obj]:
    """Objects named `Kind/ns/name` or `Kind/name`, or selected by a mapping with `kind`."""
    if isinstance(what, dict):
        if "gone" in what:
            return [_gone(world, what["gone"])]
        return world.select(str(what.get("kind", "Pod")), what)
    kind, *rest = str(what).split("/")
    if len(rest) == 1:
        return [o for o in world.of(kind) if o["metadata"]["name"] == rest[0]]
    return world.select(kind, {"namespace": rest[0], "name": rest[1]})


def _gone(world: World, what: Data) -> Obj:
    """A deleted pod, for Events that outlive it: owner {kind, namespace, name}, suffix, node. A pod
    that a controller deleted keeps its uid."""
    owners = world.select(str(what["owner"]["kind"]), {"newest": True, **what["owner"]})
    if not owners:
        raise ValueError(f"nothing matches {what['owner']}")
    namespace = owners[0]["metadata"]["namespace"]
    name = f"{owners[0]['metadata']['name']}-{what['suffix']}"
    named = (event["involvedObject"] for event in world.of("Event"))
    known = (
        ref["uid"] for ref in named if (ref.get("namespace"), ref["name"]) == (namespace, name)
    )
    uid = next(known, stable_uid(world.seed, "gone", namespace, name))
    meta = {"name": name, "namespace": namespace, "uid": uid}
    spec = {"nodeName": what.get("node", "")}
    return {"apiVersion": "v1", "kind": "Pod", "spec": spec, "metadata": meta}
