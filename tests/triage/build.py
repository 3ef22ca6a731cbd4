"""Small builders of realistic rows, written as the API's own JSON and decoded like it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from cluster.kube.kinds import BY_NAME
from cluster.kube.objects import Object
from cluster.live.store import Store

NOW = datetime(2026, 3, 14, 9, 26, 0, tzinfo=UTC)
_serial = itertools.count(1)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def ts(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def uid() -> str:
    return f"00000000-0000-4000-8000-{next(_serial):012d}"


def row(kind: str, raw: dict[str, Any]) -> Object:
    return msgspec.convert(raw, BY_NAME[kind].type, strict=False)


def meta(
    name: str,
    namespace: str = "",
    created: datetime | None = None,
    owner: tuple[str, dict[str, Any]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": name,
        "uid": uid(),
        "resourceVersion": str(next(_serial)),
        "creationTimestamp": ts(created or ago(days=30)),
    }
    if namespace:
        found["namespace"] = namespace
    if owner:
        found["ownerReferences"] = [
            {
                "kind": owner[0],
                "name": owner[1]["metadata"]["name"],
                "uid": owner[1]["metadata"]["uid"],
                "controller": True,
            }
        ]
    found.update(more)
    return found


def managed(
    manager: str,
    at: datetime,
    fields: dict[str, Any],
    subresource: str = "",
    operation: str = "Update",
) -> dict[str, Any]:
    return {
        "manager": manager,
        "operation": operation,
        "subresource": subresource,
        "time": ts(at),
        "fieldsV1": fields,
    }


class Cluster:
    """Objects in the making; `store()` gives them decoded. Nodes n1..nN in three zones unless told
    otherwise."""

    def __init__(self, nodes: int = 6) -> None:
        self.raw: list[tuple[str, dict[str, Any]]] = []
        self.nodes: list[dict[str, Any]] = []
        self._next = itertools.count()
        for n in range(1, nodes + 1):
            self.node(f"n{n}", zone=f"z{n % 3}")

    def add(self, kind: str, raw: dict[str, Any]) -> dict[str, Any]:
        self.raw.append((kind, raw))
        return raw

    def node(
        self,
        name: str,
        zone: str = "z1",
        kubelet: str = "v1.33.2",
        created: datetime | None = None,
        **labels: str,
    ) -> dict[str, Any]:
        created = created or ago(days=40)
        raw = self.add(
            "Node",
            {
                "metadata": meta(
                    name,
                    created=created,
                    labels={
                        "topology.kubernetes.io/zone": zone,
                        "node.kubernetes.io/instance-type": "m5.large",
                        **labels,
                    },
                ),
                "spec": {},
                "status": {
                    "allocatable": {"cpu": "2", "memory": "7Gi", "pods": "110"},
                    "conditions": [
                        {"type": t, "status": s, "reason": "x", "lastTransitionTime": ts(created)}
                        for t, s in (
                            ("MemoryPressure", "False"),
                            ("DiskPressure", "False"),
                            ("PIDPressure", "False"),
                            ("Ready", "True"),
                        )
                    ],
                    "nodeInfo": {
                        "bootID": uid(),
                        "kernelVersion": "6.1.0",
                        "osImage": "Linux 1",
                        "containerRuntimeVersion": "containerd://1.7.2",
                        "kubeletVersion": kubelet,
                        "architecture": "amd64",
                    },
                },
            },
        )
        self.nodes.append(raw)
        return raw

    def not_ready(
        self,
        node: dict[str, Any],
        since: datetime,
        status: str = "Unknown",
        reason: str = "NodeStatusUnknown",
        message: str = "Kubelet stopped posting node status.",
    ) -> None:
        for condition in node["status"]["conditions"]:
            if condition["type"] == "Ready":
                condition.update(
                    status=status, reason=reason, message=message, lastTransitionTime=ts(since)
                )
            elif status == "Unknown":
                condition.update(status="Unknown", reason=reason, lastTransitionTime=ts(since))

    def event(
        self,
        kind: str,
        namespace: str,
        name: str,
        reason: str,
        message: str,
        last: datetime,
        first: datetime | None = None,
        count: int = 1,
        type_: str = "Warning",
        uid_: str = "",
        **more: Any,
    ) -> dict[str, Any]:
        where = namespace or "default"
        return self.add(
            "Event",
            {
                "metadata": meta(f"{name}.{next(_serial):x}", where, created=first or last),
                "involvedObject": {"kind": kind, "namespace": namespace, "name": name, "uid": uid_},
                "type": type_,
                "reason": reason,
                "message": message,
                "count": count,
                "firstTimestamp": ts(first or last),
                "lastTimestamp": ts(last),
                **more,
            },
        )

    def pod_event(
        self,
        pod: dict[str, Any],
        reason: str,
        message: str,
        last: datetime,
        first: datetime | None = None,
        **more: Any,
    ) -> None:
        """An event of exactly this pod, told apart by its uid."""
        about = pod["metadata"]
        self.event(
            "Pod",
            about["namespace"],
            about["name"],
            reason,
            message,
            last,
            first,
            uid_=about["uid"],
            **more,
        )

    def deployment(
        self,
        name: str,
        namespace: str = "shop",
        replicas: int = 3,
        created: datetime | None = None,
        image: str = "registry.example:5000/app:1.2",
        spec: dict[str, Any] | None = None,
        kind: str = "Deployment",
        **more: Any,
    ) -> dict[str, Any]:
        created = created or ago(days=20)
        container = {
            "name": "app",
            "image": image,
            "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "50m"}},
        }
        template = {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [container], **(spec or {})},
        }
        raw = self.add(
            kind,
            {
                "metadata": meta(name, namespace, created=created, **more),
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": {"app": name}},
                    "template": template,
                },
                "status": {
                    "replicas": replicas,
                    "readyReplicas": replicas,
                    "availableReplicas": replicas,
                    "updatedReplicas": replicas,
                },
            },
        )
        if kind == "Deployment":
            raw["set"] = self.add(
                "ReplicaSet",
                {
                    "metadata": meta(
                        f"{name}-7d4b9c",
                        namespace,
                        created=created,
                        owner=("Deployment", raw),
                        annotations={"deployment.kubernetes.io/revision": "1"},
                    ),
                    "spec": {"replicas": replicas, "template": template},
                    "status": {"replicas": replicas, "readyReplicas": replicas},
                },
            )
        elif kind == "DaemonSet":
            raw["status"] = {
                "desiredNumberScheduled": len(self.nodes),
                "numberReady": len(self.nodes),
            }
        raw["pods"] = [
            self.pod(raw, node=None if kind != "DaemonSet" else self.nodes[i])
            for i in range(len(self.nodes) if kind == "DaemonSet" else replicas)
        ]
        return raw

    def pod(
        self,
        owner: dict[str, Any],
        node: dict[str, Any] | None = None,
        created: datetime | None = None,
        name: str = "",
    ) -> dict[str, Any]:
        parent: dict[str, Any] = owner.get("set", owner)
        kind = "ReplicaSet" if "set" in owner else next(k for k, r in self.raw if r is owner)
        number = next(self._next)
        node = node or self.nodes[number % len(self.nodes)]
        created = created or max(
            ago(days=10), datetime.fromisoformat(parent["metadata"]["creationTimestamp"])
        )
        template = owner["spec"]["template"]
        return self.add(
            "Pod",
            {
                "metadata": meta(
                    name or f"{parent['metadata']['name']}-{number:05x}",
                    owner["metadata"]["namespace"],
                    created=created,
                    owner=(kind, parent),
                    labels={
                        **template["metadata"]["labels"],
                        "pod-template-hash": "7d4b9c",
                        "controller-revision-hash": "r1",
                    },
                ),
                "spec": {
                    "nodeName": node["metadata"]["name"],
                    "serviceAccountName": "default",
                    **template["spec"],
                },
                "status": {
                    "phase": "Running",
                    "startTime": ts(created),
                    "podIP": f"10.1.0.{number % 250}",
                    "conditions": [
                        {
                            "type": t,
                            "status": "True",
                            "lastTransitionTime": ts(created + timedelta(seconds=4)),
                        }
                        for t in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
                    ],
                    "containerStatuses": [
                        {
                            "name": c["name"],
                            "ready": True,
                            "restartCount": 0,
                            "image": c["image"],
                            "imageID": "docker.io/x/app@sha256:" + "ab" * 32,
                            "state": {"running": {"startedAt": ts(created)}},
                        }
                        for c in template["spec"]["containers"]
                    ],
                },
            },
        )

    def waiting(
        self,
        pod: dict[str, Any],
        reason: str,
        message: str = "",
        restarts: int = 0,
        last: dict[str, Any] | None = None,
        phase: str = "Pending",
    ) -> None:
        status = pod["status"]
        status["phase"] = phase
        for condition in status["conditions"]:
            if condition["type"] in ("Ready", "ContainersReady"):
                condition.update(
                    status="False",
                    reason="ContainersNotReady",
                    lastTransitionTime=pod["metadata"]["creationTimestamp"],
                )
        for container in status["containerStatuses"]:
            container.update(
                ready=False,
                restartCount=restarts,
                state={"waiting": {"reason": reason, "message": message}},
                lastState={"terminated": last} if last else {},
            )

    def ended(
        self,
        pod: dict[str, Any],
        at: datetime,
        code: int = 137,
        reason: str = "Error",
        restarts: int = 1,
        ran: timedelta = timedelta(hours=3),
    ) -> None:
        """The container ended once and runs again."""
        for container in pod["status"]["containerStatuses"]:
            container.update(
                restartCount=restarts,
                state={"running": {"startedAt": ts(at + timedelta(seconds=3))}},
                lastState={
                    "terminated": {
                        "exitCode": code,
                        "reason": reason,
                        "startedAt": ts(at - ran),
                        "finishedAt": ts(at),
                    }
                },
            )

    def store(self) -> Store:
        store = Store()
        kinds: dict[str, list[Object]] = {}
        for kind, raw in self.raw:
            kinds.setdefault(kind, []).append(
                row(kind, {k: v for k, v in raw.items() if k not in ("set", "pods")})
            )
        for kind, rows in kinds.items():
            store.apply(kind, rows)
        return store


def labels(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    return dict(pairs)
