"""The ground of a cluster in the making: time, objects, nodes, events."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.triage.elsewhere.objects import Json, condition, digest, managed, obj, text

PRESSURE = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)


@dataclass
class Workload:
    """A controller and its pods; `template` is what new pods are made from, `parent` what owns them
    (ReplicaSet, StatefulSet, …)."""

    kind: str
    namespace: str
    name: str
    object: Json
    parent: Json
    template: Json
    labels: Json
    pods: list[Json] = field(default_factory=list)


class Ground:
    """Times are given as minutes before now: `w.ago(14)`."""

    def __init__(self, now: datetime, *, minor: int = 30, seed: int = 1) -> None:
        self.now, self.minor = now.replace(microsecond=0), minor
        self.rng = random.Random(seed)
        self.objects: list[Json] = []
        self.nodes: list[Json] = []
        self.workloads: list[Workload] = []
        self.services: list[tuple[Json, Json]] = []
        self.silent: dict[str, datetime] = {}
        self._count = itertools.count(1)
        self._load: dict[str, int] = {}

    def ago(self, minutes: float = 0, *, days: float = 0, seconds: float = 0) -> datetime:
        return self.now - timedelta(days=days, minutes=minutes, seconds=seconds)

    def add(self, *args: Any, **more: Any) -> Json:
        found = obj(*args, **more)
        self.objects.append(found)
        return found

    def node(
        self,
        name: str,
        born: datetime,
        *,
        kubelet: str,
        kernel: str,
        os: str,
        runtime: str,
        labels: Json | None = None,
        arch: str = "amd64",
        cpu: str = "4",
        memory: str = "15820Mi",
        pods: str = "110",
        taints: list[Json] | None = None,
        extra: Iterable[tuple[str, str, str]] = (),
        manager: str = "kubelet",
    ) -> Json:
        all_labels = {
            "kubernetes.io/hostname": name,
            "kubernetes.io/arch": arch,
            "kubernetes.io/os": "linux",
            "beta.kubernetes.io/arch": arch,
            "beta.kubernetes.io/os": "linux",
            **(labels or {}),
        }
        number = next(self._count)
        address = f"10.{40 + number // 200}.{number % 200}.{7 + number % 240}"
        beat = self.ago(self.rng.uniform(0, 4.5))
        conditions = [condition(t, "False", r, m, born, beat) for t, r, m in PRESSURE]
        conditions += [condition(t, "False", r, m, born, beat) for t, r, m in extra]
        conditions.append(
            condition(
                "Ready",
                "True",
                "KubeletReady",
                "kubelet is posting ready status",
                born + timedelta(seconds=38),
                beat,
            )
        )
        amounts = {
            "cpu": cpu,
            "memory": memory,
            "pods": pods,
            "ephemeral-storage": "83873772Ki",
            "hugepages-2Mi": "0",
        }
        found = self.add(
            "Node",
            "",
            name,
            born,
            labels=all_labels,
            annotations={"node.alpha.kubernetes.io/ttl": "0"},
            fields=[
                managed(
                    manager, born, {"f:metadata": {"f:labels": {f"f:{k}": {} for k in all_labels}}}
                ),
                managed("kube-controller-manager", born, {"f:spec": {"f:podCIDR": {}}}),
                managed("kubelet", beat, {"f:status": {"f:conditions": {}}}, sub="status"),
            ],
            spec={"podCIDR": f"10.244.{number}.0/24", **({"taints": taints} if taints else {})},
            status={
                "addresses": [
                    {"type": "InternalIP", "address": address},
                    {"type": "Hostname", "address": name},
                ],
                "capacity": amounts,
                "allocatable": amounts,
                "conditions": conditions,
                "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
                "nodeInfo": {
                    "architecture": arch,
                    "bootID": digest(name)[7:43],
                    "containerRuntimeVersion": runtime,
                    "kernelVersion": kernel,
                    "kubeProxyVersion": kubelet,
                    "kubeletVersion": kubelet,
                    "machineID": digest(name + "m")[7:39],
                    "operatingSystem": "linux",
                    "osImage": os,
                    "systemUUID": digest(name + "s")[7:43],
                },
                "images": [
                    {
                        "names": [
                            f"registry.k8s.io/pause@{digest('pause')}",
                            "registry.k8s.io/pause:3.9",
                        ],
                        "sizeBytes": 321520,
                    }
                ],
            },
        )
        self.nodes.append(found)
        return found

    def workers(self) -> list[Json]:
        """Nodes that take ordinary pods."""
        return [
            n
            for n in self.nodes
            if not n["spec"].get("taints") and not n["spec"].get("unschedulable")
        ]

    def ready(
        self,
        node: Json,
        status: str,
        since: datetime,
        message: str = "",
        reason: str = "",
        *,
        taint: bool = True,
        event: bool = True,
    ) -> None:
        """Set the Ready condition as kubelet (False) or the node controller (Unknown) does, with
        taint, pods' readiness and event."""
        name = node["metadata"]["name"]
        unknown = status == "Unknown"
        for one in node["status"]["conditions"]:
            if one["type"] == "Ready":
                one.update(
                    status=status,
                    lastTransitionTime=text(since),
                    reason=reason or ("NodeStatusUnknown" if unknown else "KubeletNotReady"),
                    message=message or "Kubelet stopped posting node status.",
                )
            elif unknown and one["type"] in {t for t, _, _ in PRESSURE}:
                one.update(
                    status="Unknown",
                    lastTransitionTime=text(since),
                    reason="NodeStatusUnknown",
                    message="Kubelet stopped posting node status.",
                )
            if unknown:
                one["lastHeartbeatTime"] = text(since - timedelta(seconds=70))
        if unknown:
            self.silent[name] = since - timedelta(seconds=42)
        if taint:
            key = "node.kubernetes.io/unreachable" if unknown else "node.kubernetes.io/not-ready"
            node["spec"].setdefault("taints", []).extend(
                {"key": key, "effect": effect, "timeAdded": text(since)}
                for effect in ("NoSchedule", "NoExecute")
            )
        if event:
            self.event(
                node,
                "NodeNotReady",
                f"Node {name} status is now: NodeNotReady",
                since,
                type_="Normal",
                component="node-controller",
            )
        for pod in self.on(name):
            for one in pod["status"].get("conditions", []):
                if one["type"] == "Ready" and one["status"] == "True":
                    one.update(status="False", lastTransitionTime=text(since))
            if event:
                self.event(
                    pod, "NodeNotReady", "Node is not ready", since, component="node-controller"
                )

    def cordon(self, node: Json, at: datetime, manager: str = "kubectl-cordon") -> None:
        node["spec"]["unschedulable"] = True
        node["spec"].setdefault("taints", []).append(
            {
                "key": "node.kubernetes.io/unschedulable",
                "effect": "NoSchedule",
                "timeAdded": text(at),
            }
        )
        node["metadata"]["managedFields"].append(
            managed(manager, at, {"f:spec": {"f:unschedulable": {}}})
        )
        name = node["metadata"]["name"]
        self.event(
            node,
            "NodeNotSchedulable",
            f"Node {name} status is now: NodeNotSchedulable",
            at,
            type_="Normal",
        )

    def on(self, node: str) -> list[Json]:
        return [p for p in self.objects if p["kind"] == "Pod" and p["spec"].get("nodeName") == node]

    def event(
        self,
        about: Json,
        reason: str,
        message: str,
        last: datetime,
        *,
        first: datetime | None = None,
        count: int = 1,
        type_: str = "Warning",
        component: str = "kubelet",
        path: str = "",
    ) -> Json:
        """One Event, in the shape that its component writes: the scheduler's in the new one without
        lastTimestamp."""
        meta, kind = about["metadata"], about["kind"]
        first = first or last
        namespace = meta.get("namespace", "default")
        number = next(self._count)
        found = obj(
            "Event",
            namespace,
            f"{meta['name']}.{0x17E0000000000000 + number * 7919:x}",
            first,
            by=component,
        )
        found["metadata"]["managedFields"] = [
            managed(component, last, {"f:reason": {}, "f:message": {}})
        ]
        involved: Json = {
            "kind": kind,
            "apiVersion": about["apiVersion"],
            "name": meta["name"],
            "uid": meta["uid"],
        }
        if kind == "Node":
            involved = {
                "kind": kind,
                "name": meta["name"],
                "uid": meta["name"] if component == "kubelet" else meta["uid"],
            }
        elif meta.get("namespace"):
            involved["namespace"] = meta["namespace"]
        if path:
            involved["fieldPath"] = f"spec.containers{{{path}}}"
        found |= {
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "type": type_,
            "reportingInstance": "",
        }
        if component == "default-scheduler" and self.minor >= 19:
            found |= {
                "eventTime": text(first, micro=True),
                "firstTimestamp": None,
                "lastTimestamp": None,
                "source": {},
                "action": "Scheduling",
                "reportingComponent": component,
                "reportingInstance": f"{component}-cp-1",
            }
            if count > 1:
                found["series"] = {"count": count, "lastObservedTime": text(last, micro=True)}
        else:
            host = (
                about["spec"].get("nodeName", "")
                if kind == "Pod"
                else meta["name"]
                if kind == "Node"
                else ""
            )
            source = {"component": component} | (
                {"host": host} if component == "kubelet" and host else {}
            )
            found |= {
                "firstTimestamp": text(first),
                "lastTimestamp": text(last),
                "count": count,
                "eventTime": None,
                "source": source,
                "reportingComponent": component if self.minor >= 29 else "",
            }
        self.objects.append(found)
        return found
