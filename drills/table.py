"""meta.k8s.io/v1 Table: the columns that `kubectl get` prints, as
k8s.io/kubernetes/pkg/printers/internalversion has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from drills.ages import age
from drills.kinds import Kind
from drills.objects import Obj, condition, dig, parse_time
from drills.store import Entry
from drills.table_pods import pod_columns

Cell = Callable[[Obj, datetime], Any]


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    cell: Cell
    priority: int = 0
    type: str = "string"


def _at(*path: str | int, default: Any = "<none>") -> Cell:
    return lambda o, now: dig(o, *path, default=default)


def _age(o: Obj, now: datetime) -> str:
    return age(dig(o, "metadata", "creationTimestamp"), now)


def _count(*path: str) -> Cell:
    return lambda o, now: len(dig(o, *path, default=[]))


def _labels(*path: str) -> Cell:
    def cell(o: Obj, now: datetime) -> str:
        pairs = dig(o, *path, default={})
        return ",".join(f"{k}={v}" for k, v in sorted(pairs.items())) or "<none>"

    return cell


def _images(o: Obj, now: datetime) -> str:
    return ",".join(
        c.get("image", "") for c in dig(o, "spec", "template", "spec", "containers", default=[])
    )


def _containers(o: Obj, now: datetime) -> str:
    return ",".join(
        c.get("name", "") for c in dig(o, "spec", "template", "spec", "containers", default=[])
    )


def _fraction(have: tuple[str, ...], want: tuple[str, ...]) -> Cell:
    return lambda o, now: f"{dig(o, *have, default=0)}/{dig(o, *want, default=0)}"


def _node_status(o: Obj, now: datetime) -> str:
    ready = condition(o, "Ready")
    words = ["Unknown" if ready is None else "Ready" if ready["status"] == "True" else "NotReady"]
    if dig(o, "spec", "unschedulable", default=False):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _node_roles(o: Obj, now: datetime) -> str:
    prefix = "node-role.kubernetes.io/"
    return (
        ",".join(
            sorted(
                k.removeprefix(prefix)
                for k in dig(o, "metadata", "labels", default={})
                if k.startswith(prefix)
            )
        )
        or "<none>"
    )


def _node_address(kind: str) -> Cell:
    return lambda o, now: next(
        (a["address"] for a in dig(o, "status", "addresses", default=[]) if a["type"] == kind),
        "<none>",
    )


def _service_ports(o: Obj, now: datetime) -> str:
    return (
        ",".join(
            f"{p['port']}{':' + str(p['nodePort']) if p.get('nodePort') else ''}/{p.get('protocol', 'TCP')}"
            for p in dig(o, "spec", "ports", default=[])
        )
        or "<none>"
    )


def _external(o: Obj, now: datetime) -> str:
    entries = dig(o, "status", "loadBalancer", "ingress", default=[])
    if entries:
        return ",".join(e.get("ip") or e.get("hostname", "") for e in entries)
    return "<pending>" if dig(o, "spec", "type") == "LoadBalancer" else "<none>"


def _addresses(o: Obj, now: datetime) -> str:
    return ",".join(
        e.get("ip") or e.get("hostname", "")
        for e in dig(o, "status", "loadBalancer", "ingress", default=[])
    )


def _event_seen(o: Obj, now: datetime) -> str:
    return age(
        dig(o, "series", "lastObservedTime")
        or o.get("lastTimestamp")
        or o.get("eventTime")
        or dig(o, "metadata", "creationTimestamp"),
        now,
    )


def _event_object(o: Obj, now: datetime) -> str:
    return f"{dig(o, 'involvedObject', 'kind', default='').lower()}/{dig(o, 'involvedObject', 'name', default='')}"


def _job_status(o: Obj, now: datetime) -> str:
    for kind in ("Complete", "Failed", "Suspended"):
        found = condition(o, kind)
        if found and found["status"] == "True":
            return kind
    return "Running"


def _duration(o: Obj, now: datetime) -> str:
    start, end = dig(o, "status", "startTime"), dig(o, "status", "completionTime")
    return age(start, parse_time(end) if end else now) if start else ""


def _hpa_targets(o: Obj, now: datetime) -> str:
    want = dig(
        o, "spec", "metrics", 0, "resource", "target", "averageUtilization", default="<unknown>"
    )
    have = dig(
        o,
        "status",
        "currentMetrics",
        0,
        "resource",
        "current",
        "averageUtilization",
        default="<unknown>",
    )
    return f"cpu: {have}%/{want}%"


_NAME = Column("Name", _at("metadata", "name"))
_AGE = Column("Age", _age)
_WIDE_TEMPLATE = [
    Column("Containers", _containers, 1),
    Column("Images", _images, 1),
    Column("Selector", _labels("spec", "selector", "matchLabels"), 1),
]

COLUMNS: dict[str, list[Column]] = {
    "nodes": [
        _NAME,
        Column("Status", _node_status),
        Column("Roles", _node_roles),
        _AGE,
        Column("Version", _at("status", "nodeInfo", "kubeletVersion")),
        Column("Internal-IP", _node_address("InternalIP"), 1),
        Column("External-IP", _node_address("ExternalIP"), 1),
        Column("OS-Image", _at("status", "nodeInfo", "osImage"), 1),
        Column("Kernel-Version", _at("status", "nodeInfo", "kernelVersion"), 1),
        Column("Container-Runtime", _at("status", "nodeInfo", "containerRuntimeVersion"), 1),
    ],
    "namespaces": [_NAME, Column("Status", _at("status", "phase")), _AGE],
    "deployments": [
        _NAME,
        Column("Ready", _fraction(("status", "readyReplicas"), ("spec", "replicas"))),
        Column("Up-to-date", _at("status", "updatedReplicas", default=0)),
        Column("Available", _at("status", "availableReplicas", default=0)),
        _AGE,
        *_WIDE_TEMPLATE,
    ],
    "replicasets": [
        _NAME,
        Column("Desired", _at("spec", "replicas", default=0)),
        Column("Current", _at("status", "replicas", default=0)),
        Column("Ready", _at("status", "readyReplicas", default=0)),
        _AGE,
        *_WIDE_TEMPLATE,
    ],
    "statefulsets": [
        _NAME,
        Column("Ready", _fraction(("status", "readyReplicas"), ("spec", "replicas"))),
        _AGE,
        *_WIDE_TEMPLATE[:2],
    ],
    "daemonsets": [
        _NAME,
        Column("Desired", _at("status", "desiredNumberScheduled", default=0)),
        Column("Current", _at("status", "currentNumberScheduled", default=0)),
        Column("Ready", _at("status", "numberReady", default=0)),
        Column("Up-to-date", _at("status", "updatedNumberScheduled", default=0)),
        Column("Available", _at("status", "numberAvailable", default=0)),
        Column("Node Selector", _labels("spec", "template", "spec", "nodeSelector")),
        _AGE,
        *_WIDE_TEMPLATE,
    ],
    "jobs": [
        _NAME,
        Column("Status", _job_status),
        Column("Completions", _fraction(("status", "succeeded"), ("spec", "completions"))),
        Column("Duration", _duration),
        _AGE,
        *_WIDE_TEMPLATE,
    ],
    "cronjobs": [
        _NAME,
        Column("Schedule", _at("spec", "schedule")),
        Column("Timezone", _at("spec", "timeZone")),
        Column("Suspend", lambda o, now: str(dig(o, "spec", "suspend", default=False))),
        Column("Active", _count("status", "active")),
        Column("Last Schedule", lambda o, now: age(dig(o, "status", "lastScheduleTime"), now)),
        _AGE,
    ],
    "services": [
        _NAME,
        Column("Type", _at("spec", "type", default="ClusterIP")),
        Column("Cluster-IP", _at("spec", "clusterIP")),
        Column("External-IP", _external),
        Column("Port(s)", _service_ports),
        _AGE,
        Column("Selector", _labels("spec", "selector"), 1),
    ],
    "endpointslices": [
        _NAME,
        Column("AddressType", _at("addressType")),
        Column(
            "Ports",
            lambda o, now: ",".join(str(p.get("port")) for p in o.get("ports") or []) or "<unset>",
        ),
        Column(
            "Endpoints",
            lambda o, now: (
                ",".join(a for e in (o.get("endpoints") or [])[:3] for a in e["addresses"])
                or "<unset>"
            ),
        ),
        _AGE,
    ],
    "ingresses": [
        _NAME,
        Column("Class", _at("spec", "ingressClassName")),
        Column(
            "Hosts",
            lambda o, now: (
                ",".join(r.get("host", "*") for r in dig(o, "spec", "rules", default=[])) or "*"
            ),
        ),
        Column("Address", _addresses),
        Column("Ports", lambda o, now: "80, 443" if dig(o, "spec", "tls") else "80"),
        _AGE,
    ],
    "networkpolicies": [
        _NAME,
        Column("Pod-Selector", _labels("spec", "podSelector", "matchLabels")),
        _AGE,
    ],
    "persistentvolumeclaims": [
        _NAME,
        Column("Status", _at("status", "phase")),
        Column("Volume", _at("spec", "volumeName", default="")),
        Column("Capacity", _at("status", "capacity", "storage", default="")),
        Column(
            "Access Modes",
            lambda o, now: ",".join(
                "".join(c for c in m if c.isupper())
                for m in dig(o, "spec", "accessModes", default=[])
            ),
        ),
        Column("StorageClass", _at("spec", "storageClassName", default="")),
        _AGE,
    ],
    "persistentvolumes": [
        _NAME,
        Column("Capacity", _at("spec", "capacity", "storage", default="")),
        Column("Reclaim Policy", _at("spec", "persistentVolumeReclaimPolicy")),
        Column("Status", _at("status", "phase")),
        Column(
            "Claim",
            lambda o, now: (
                f"{dig(o, 'spec', 'claimRef', 'namespace', default='')}/{dig(o, 'spec', 'claimRef', 'name', default='')}"
            ),
        ),
        Column("StorageClass", _at("spec", "storageClassName", default="")),
        _AGE,
    ],
    "storageclasses": [
        _NAME,
        Column("Provisioner", _at("provisioner")),
        Column("ReclaimPolicy", _at("reclaimPolicy")),
        Column("VolumeBindingMode", _at("volumeBindingMode")),
        _AGE,
    ],
    "volumeattachments": [
        _NAME,
        Column("Attacher", _at("spec", "attacher")),
        Column("PV", _at("spec", "source", "persistentVolumeName")),
        Column("Node", _at("spec", "nodeName")),
        Column("Attached", _at("status", "attached")),
        _AGE,
    ],
    "horizontalpodautoscalers": [
        _NAME,
        Column(
            "Reference",
            lambda o, now: (
                f"{dig(o, 'spec', 'scaleTargetRef', 'kind', default='')}/{dig(o, 'spec', 'scaleTargetRef', 'name', default='')}"
            ),
        ),
        Column("Targets", _hpa_targets),
        Column("MinPods", _at("spec", "minReplicas")),
        Column("MaxPods", _at("spec", "maxReplicas")),
        Column("Replicas", _at("status", "currentReplicas", default=0)),
        _AGE,
    ],
    "poddisruptionbudgets": [
        _NAME,
        Column("Min Available", _at("spec", "minAvailable", default="N/A")),
        Column("Max Unavailable", _at("spec", "maxUnavailable", default="N/A")),
        Column("Allowed Disruptions", _at("status", "disruptionsAllowed", default=0)),
        _AGE,
    ],
    "leases": [_NAME, Column("Holder", _at("spec", "holderIdentity", default="")), _AGE],
    "secrets": [
        _NAME,
        Column("Type", _at("type", default="Opaque")),
        Column("Data", _count("data")),
        _AGE,
    ],
    "configmaps": [_NAME, Column("Data", _count("data")), _AGE],
    "serviceaccounts": [_NAME, Column("Secrets", _count("secrets")), _AGE],
    "events": [
        Column("Last Seen", _event_seen),
        Column("Type", _at("type")),
        Column("Reason", _at("reason")),
        Column("Object", _event_object),
        Column("Message", lambda o, now: str(o.get("message", "")).strip()),
        Column("Source", _at("source", "component", default=""), 1),
        Column("Count", _at("count", default=1), 1),
        Column("Name", _at("metadata", "name"), 1),
    ],
    "clusterrolebindings": [
        _NAME,
        Column("Role", lambda o, now: f"{dig(o, 'roleRef', 'kind')}/{dig(o, 'roleRef', 'name')}"),
        _AGE,
    ],
    "priorityclasses": [
        _NAME,
        Column("Value", _at("value", default=0)),
        Column("Global-Default", _at("globalDefault", default=False)),
        _AGE,
    ],
}
_PLAIN = [_NAME, Column("Created At", _at("metadata", "creationTimestamp"))]


def _columns(kind: Kind) -> list[Column]:
    if kind.plural == "pods":
        return [_NAME, *(Column(n, c, p) for n, c, p in pod_columns(_age))]
    return COLUMNS.get(kind.plural, _PLAIN)


def render(
    kind: Kind,
    entries: Iterable[Entry],
    now: datetime,
    metadata: Obj,
    *,
    include: str = "Metadata",
    headers: bool = True,
) -> Obj:
    """A Table of the entries. `include` is the includeObject parameter: None, Metadata or
    Object."""
    columns = _columns(kind)
    definitions = [
        {
            "name": c.name,
            "type": c.type,
            "format": "name" if c.name == "Name" else "",
            "description": "",
            "priority": c.priority,
        }
        for c in columns
    ]
    rows = []
    for e in entries:
        row: Obj = {"cells": [c.cell(e.obj, now) for c in columns]}
        if include == "Object":
            row["object"] = e.obj
        elif include != "None":
            row["object"] = {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": e.obj["metadata"],
            }
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions if headers else [],
        "rows": rows,
    }
