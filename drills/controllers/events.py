"""Events (core/v1) as the kubelet, the scheduler and controllers record them."""

from __future__ import annotations

from datetime import datetime, timedelta

from drills.api.managed_fields import FieldManager, first_entries
from drills.api.objects import Obj, dig, digest, rfc3339, rfc3339_micro, stable_uid

TTL = timedelta(hours=1)
"""How long an Event lives: --event-ttl of the API server."""
SCHEDULER = "default-scheduler"

_COMPONENTS = {
    "Node": "kubelet",
    "Pod": "kubelet",
    "Ingress": "nginx-ingress-controller",
    "HorizontalPodAutoscaler": "horizontal-pod-autoscaler",
}
"""The reporting component of a kind; `KIND-controller` for a kind that is not listed."""


def new_event(
    about: Obj,
    reason: str,
    message: str,
    first: datetime,
    last: datetime | None = None,
    count: int = 1,
    *,
    seed: int,
    kind: str = "Normal",
    component: str = "",
    host: str = "",
    container: str = "",
) -> Obj:
    """An Event about an object; `seed` varies its uid. Events of the scheduler carry eventTime
    instead of first and last."""
    meta, last = about["metadata"], last or first
    component = component or _COMPONENTS.get(about["kind"], f"{about['kind'].lower()}-controller")
    on_node = about["kind"] == "Node"
    if not host and component == "kubelet":
        host = meta["name"] if on_node else dig(about, "spec", "nodeName", default="")
    code = digest("event", meta["name"], reason, message, rfc3339(first), size=16)
    name, namespace = f"{meta['name']}.{code}", meta.get("namespace") or "default"
    involved: Obj = {
        "kind": about["kind"],
        "name": meta["name"],
        "apiVersion": about["apiVersion"],
        "uid": meta["name"] if on_node else meta["uid"],
    }
    if meta.get("namespace"):
        involved["namespace"] = meta["namespace"]
    if container:
        involved["fieldPath"] = f"spec.containers{{{container}}}"
    event: Obj = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "creationTimestamp": rfc3339(first),
            "uid": stable_uid(seed, "Event", namespace, name),
        },
        "involvedObject": involved,
        "reason": reason,
        "message": message,
        "type": kind,
        "eventTime": None,
        "source": {"component": component, **({"host": host} if host else {})},
        "firstTimestamp": rfc3339(first),
        "lastTimestamp": rfc3339(last),
        "count": count,
        "reportingComponent": component,
        "reportingInstance": host,
    }
    if component == SCHEDULER:
        event.update(
            source={},
            firstTimestamp=None,
            lastTimestamp=None,
            eventTime=rfc3339_micro(first),
            action="Scheduling",
            reportingInstance=f"{SCHEDULER}-cp-a",
        )
        event.pop("count")
        if count > 1:
            event["series"] = {"count": count, "lastObservedTime": rfc3339_micro(last)}
    manager = FieldManager(_program(component), last)
    event["metadata"]["managedFields"] = first_entries(event, [manager])
    return event


def _program(component: str) -> str:
    if component == SCHEDULER:
        return "kube-scheduler"
    return "kube-controller-manager" if component.endswith("-controller") else component


def pulled(image: str) -> str:
    return f'Container image "{image}" already present on machine'


def assigned(pod: Obj, node: str) -> str:
    meta = pod["metadata"]
    return f"Successfully assigned {meta['namespace']}/{meta['name']} to {node}"


def created_pod(owner: Obj, name: str) -> str:
    """The message of SuccessfulCreate."""
    if owner["kind"] == "StatefulSet":
        return f"create Pod {name} in StatefulSet {owner['metadata']['name']} successful"
    return f"Created pod: {name}"


def container_start(name: str, image: str) -> tuple[tuple[str, str], ...]:
    """(reason, message) of the three Events of a container that starts."""
    return (
        ("Pulled", pulled(image)),
        ("Created", f"Created container: {name}"),
        ("Started", f"Started container {name}"),
    )
