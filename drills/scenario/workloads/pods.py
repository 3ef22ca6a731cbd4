"""The pods of a scenario: made by a controller and started by a kubelet at some moment of the
past."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from drills.api.managed_fields import FieldManager
from drills.api.objects import (
    Obj,
    condition,
    created_at,
    parse_time,
    rfc3339,
    stable_fraction,
)
from drills.controllers.new_objects import new_pod
from drills.pods.pod_status import running_status
from drills.scenario.world import World


def make_pod(
    world: World,
    namespace: str,
    name: str,
    template: Obj,
    created: datetime,
    node: str,
    **options: Any,
) -> Obj:
    """A Running, Ready pod on `node`; `options` are those of `new_pod`. A pod that is older than
    its node was created when the node came."""
    static, daemon = options.get("static", False), options.get("daemon", False)
    host = world.objects[("Node", "", node)]
    joined = created_at(host)
    if created < joined + timedelta(seconds=40) and not static:
        late = 70 + int(100 * stable_fraction("late", namespace, name))
        created = joined + timedelta(seconds=45 if daemon else late)
    pod = new_pod(namespace, name, template, created, node=node, **options)
    took = timedelta(seconds=3 + 9 * stable_fraction("start", namespace, name))
    begun = min(created + took, world.now)
    ready = rfc3339(min(begun + timedelta(seconds=6), world.now))
    pod["status"] = running_status(pod, host, world.next_ip, rfc3339(begun), ready)
    found = condition(pod, "Ready")
    assert found is not None
    maker = "kubelet" if static else "kube-controller-manager"
    return world.add(
        pod,
        FieldManager(maker, created, ("metadata", "spec")),
        FieldManager("kubelet", parse_time(found["lastTransitionTime"]), ("status",), "status"),
    )
