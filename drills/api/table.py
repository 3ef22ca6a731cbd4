"""meta.k8s.io/v1 Table, which `kubectl get` prints: the columns of pods, nodes and events as in
k8s.io/kubernetes/pkg/printers/internalversion; name and age for every other kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from drills.api.kinds import ApiResource
from drills.api.objects import Obj, condition, dig, parse_time
from drills.api.store import StoredObject

PrinterColumn = tuple[str, Callable[[Obj, datetime], Any], int]
"""Name, cell, priority (0 always shown, 1 with `-o wide`)."""


def human_duration(stamp: str | None, now: datetime) -> str:
    """`5m12s`, `3d4h`: k8s.io/apimachinery/pkg/util/duration.HumanDuration."""
    if not stamp:
        return "<unknown>"
    s = max(0, int((now - parse_time(stamp)).total_seconds()))
    m, h, d = s // 60, s // 3600, s // 86400
    if s < 120:
        return f"{s}s"
    if m < 10:
        return f"{m}m{s % 60}s" if s % 60 else f"{m}m"
    if m < 180:
        return f"{m}m"
    if h < 8:
        return f"{h}h{m % 60}m" if m % 60 else f"{h}h"
    if h < 48:
        return f"{h}h"
    if d < 8:
        return f"{d}d{h % 24}h" if h % 24 else f"{d}d"
    return f"{d}d" if d < 730 else f"{d // 365}y{d % 365}d"


def _field(name: str, *path: str, priority: int = 0) -> PrinterColumn:
    return name, lambda o, now: dig(o, *path, default="<none>"), priority


def _pod_ready(o: Obj, now: datetime) -> str:
    ready = sum(bool(s.get("ready")) for s in dig(o, "status", "containerStatuses", default=[]))
    return f"{ready}/{len(dig(o, 'spec', 'containers', default=[]))}"


def _ended(terminated: Obj) -> str:
    return str(terminated.get("reason") or f"ExitCode:{terminated.get('exitCode')}")


def _pod_status(o: Obj, now: datetime) -> str:
    """As printPod of printers/internalversion finds it."""
    reason = dig(o, "status", "reason")
    if dig(o, "metadata", "deletionTimestamp"):
        return "Unknown" if reason == "NodeLost" else "Terminating"
    total = len(dig(o, "spec", "initContainers", default=[]))
    for number, s in enumerate(dig(o, "status", "initContainerStatuses", default=[])):
        terminated = dig(s, "state", "terminated")
        if terminated and terminated.get("exitCode") == 0:
            continue
        waiting = dig(s, "state", "waiting", "reason", default="PodInitializing")
        if terminated:
            return f"Init:{_ended(terminated)}"
        return f"Init:{number}/{total}" if waiting == "PodInitializing" else f"Init:{waiting}"
    word = reason or dig(o, "status", "phase", default="Unknown")
    running = False
    for s in reversed(dig(o, "status", "containerStatuses", default=[])):
        terminated = dig(s, "state", "terminated")
        if waiting := dig(s, "state", "waiting", "reason"):
            word = waiting
        elif terminated:
            word = _ended(terminated)
        elif s.get("ready") and dig(s, "state", "running"):
            running = True
    return "Running" if word == "Completed" and running else str(word)


def _pod_restarts(o: Obj, now: datetime) -> str:
    statuses = dig(o, "status", "containerStatuses", default=[])
    total = sum(int(s.get("restartCount", 0)) for s in statuses)
    ends = [e for s in statuses if (e := dig(s, "lastState", "terminated", "finishedAt"))]
    if not total or not ends:
        return str(total)
    return f"{total} ({human_duration(max(ends, key=parse_time), now)} ago)"


def _node_status(o: Obj, now: datetime) -> str:
    ready = condition(o, "Ready")
    word = "Unknown" if ready is None else "Ready" if ready["status"] == "True" else "NotReady"
    return word + ",SchedulingDisabled" * bool(dig(o, "spec", "unschedulable"))


def _node_roles(o: Obj, now: datetime) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = dig(o, "metadata", "labels", default={})
    return ",".join(sorted(k[len(prefix) :] for k in labels if k.startswith(prefix))) or "<none>"


def _node_address(o: Obj, now: datetime) -> str:
    addresses = dig(o, "status", "addresses", default=[])
    return next((a["address"] for a in addresses if a["type"] == "InternalIP"), "<none>")


def _event_seen(o: Obj, now: datetime) -> str:
    last = dig(o, "series", "lastObservedTime") or o.get("lastTimestamp") or o.get("eventTime")
    return human_duration(last or dig(o, "metadata", "creationTimestamp"), now)


def _event_object(o: Obj, now: datetime) -> str:
    about = o.get("involvedObject", {})
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


_NAME = _field("Name", "metadata", "name")
_AGE: PrinterColumn = (
    "Age",
    lambda o, now: human_duration(dig(o, "metadata", "creationTimestamp"), now),
    0,
)
_COLUMNS: dict[str, list[PrinterColumn]] = {
    "pods": [
        _NAME,
        ("Ready", _pod_ready, 0),
        ("Status", _pod_status, 0),
        ("Restarts", _pod_restarts, 0),
        _AGE,
        _field("IP", "status", "podIP", priority=1),
        _field("Node", "spec", "nodeName", priority=1),
        _field("Nominated Node", "status", "nominatedNodeName", priority=1),
        (
            "Readiness Gates",
            lambda o, now: str(len(dig(o, "spec", "readinessGates", default=[])) or "<none>"),
            1,
        ),
    ],
    "nodes": [
        _NAME,
        ("Status", _node_status, 0),
        ("Roles", _node_roles, 0),
        _AGE,
        _field("Version", "status", "nodeInfo", "kubeletVersion"),
        ("Internal-IP", _node_address, 1),
        ("External-IP", lambda o, now: "<none>", 1),
        _field("OS-Image", "status", "nodeInfo", "osImage", priority=1),
        _field("Kernel-Version", "status", "nodeInfo", "kernelVersion", priority=1),
        _field("Container-Runtime", "status", "nodeInfo", "containerRuntimeVersion", priority=1),
    ],
    "events": [
        ("Last Seen", _event_seen, 0),
        _field("Type", "type"),
        _field("Reason", "reason"),
        ("Object", _event_object, 0),
        ("Message", lambda o, now: str(o.get("message", "")).strip(), 0),
        _field("Source", "source", "component", priority=1),
        ("Count", lambda o, now: o.get("count", 1), 1),
        _field("Name", "metadata", "name", priority=1),
    ],
}


def render(
    kind: ApiResource,
    entries: Iterable[StoredObject],
    now: datetime,
    metadata: Obj,
    *,
    include: str = "Metadata",
    headers: bool = True,
) -> Obj:
    """A Table of the entries. `include` is the includeObject parameter: None, Metadata or
    Object."""
    columns = _COLUMNS.get(kind.plural, [_NAME, _AGE])

    def row(obj: Obj) -> Obj:
        out: Obj = {"cells": [cell(obj, now) for _, cell, _ in columns]}
        if include == "Object":
            out["object"] = obj
        elif include != "None":
            out["object"] = {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": obj["metadata"],
            }
        return out

    definitions = [
        {
            "name": name,
            "type": "string",
            "format": "name" if name == "Name" else "",
            "description": "",
            "priority": priority,
        }
        for name, _, priority in columns
    ]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions if headers else [],
        "rows": [row(e.obj) for e in entries],
    }
