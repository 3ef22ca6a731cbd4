"""The scale subresource: autoscaling/v1 Scale."""

from __future__ import annotations

import json

from drills.api.objects import Obj, dig
from drills.api.requests import Query, Target
from drills.api.store import Entry, Store
from drills.api.writes import Writes


def read_scale(entry: Entry) -> Obj:
    obj = entry.obj
    meta = obj["metadata"]
    selector = dig(obj, "spec", "selector", "matchLabels", default={})
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"],
            "creationTimestamp": meta["creationTimestamp"],
        },
        "spec": {"replicas": dig(obj, "spec", "replicas", default=0)},
        "status": {
            "replicas": dig(obj, "status", "replicas", default=0),
            "selector": ",".join(f"{k}={v}" for k, v in sorted(selector.items())),
        },
    }


def write_scale(
    writes: Writes, store: Store, target: Target, body: Obj, query: Query, agent: str
) -> Entry:
    """PUT or PATCH of a Scale. Raises ApiProblem: 404, 409."""
    before = store.get(target.kind, target.namespace, target.name)
    wanted = dig(body, "spec", "replicas", default=dig(before.obj, "spec", "replicas", default=0))
    change: Obj = {"spec": {"replicas": int(wanted)}}
    if version := dig(body, "metadata", "resourceVersion"):
        change["metadata"] = {"resourceVersion": version}
    plain = Target(target.kind, target.namespace, target.name, "", "")
    return writes.patch(
        plain, json.dumps(change).encode(), "application/merge-patch+json", query, agent
    ).entry
