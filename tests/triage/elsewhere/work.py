"""Workloads, their pods and their volumes, as the controllers make them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from tests.triage.elsewhere.ground import Ground, Workload
from tests.triage.elsewhere.objects import (
    Json,
    condition,
    container,
    digest,
    managed,
    pod_spec,
    suffix,
    text,
)


class Work(Ground):
    """Workloads on the ground."""

    def workload(
        self,
        kind: str,
        namespace: str,
        name: str,
        replicas: int = 1,
        *,
        template: Json | None = None,
        born: datetime | None = None,
        image: str = "",
        nodes: list[Json] | None = None,
        labels: Json | None = None,
        by: str = "",
        revision: str = "",
        owner: Json | None = None,
        rolled: datetime | None = None,
        claims: str = "",
        annotations: Json | None = None,
    ) -> Workload:
        """A workload with Running pods on `nodes` (in turn), or on the emptiest workers. `rolled`:
        when its pods were made."""
        born = born or self.ago(days=self.rng.uniform(6, 200))
        rolled = rolled or born + timedelta(days=self.rng.uniform(0.2, 5))
        labels = labels or {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": name}
        template = template or pod_spec(
            container("app", image or f"registry.corp.example/{namespace}/{name}:2.{len(name)}.1")
        )
        mark = revision or suffix(f"{namespace}/{name}/{image}", 10)
        spec: Json = {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": template},
        }
        if kind != "DaemonSet":
            spec["replicas"] = replicas
        if kind == "StatefulSet":
            spec |= {
                "serviceName": name,
                "podManagementPolicy": "OrderedReady",
                "updateStrategy": {"type": "RollingUpdate"},
            }
            if claims:
                spec["volumeClaimTemplates"] = [
                    {
                        "metadata": {"name": "data"},
                        "spec": {
                            "accessModes": ["ReadWriteOnce"],
                            "storageClassName": claims,
                            "resources": {"requests": {"storage": "20Gi"}},
                        },
                    }
                ]
        if kind == "Deployment":
            spec |= {
                "strategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
                },
                "revisionHistoryLimit": 10,
                "progressDeadlineSeconds": 600,
            }
        if kind == "DaemonSet":
            spec["updateStrategy"] = {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0},
            }
        top = self.add(
            kind,
            namespace,
            name,
            born,
            labels=labels,
            by=by or "helm",
            owner=owner,
            spec=spec,
            status={},
            annotations={"deployment.kubernetes.io/revision": "3", **(annotations or {})}
            if kind == "Deployment"
            else annotations,
        )
        parent = top
        found = Workload(kind, namespace, name, top, top, template, labels)
        if kind == "Deployment":
            found.labels = labels | {"pod-template-hash": mark}
            parent = self.replica_set(found, mark, rolled, replicas)
        elif kind in ("DaemonSet", "StatefulSet"):
            found.labels = labels | {
                "controller-revision-hash": f"{name}-{mark}" if kind == "StatefulSet" else mark
            }
            self.add(
                "ControllerRevision",
                namespace,
                f"{name}-{mark}",
                rolled,
                owner=top,
                revision=1,
                data={"spec": {}},
            )
        found.parent = parent
        self.workloads.append(found)
        places = nodes if nodes is not None else self._emptiest(replicas)
        for number in range(replicas if kind != "DaemonSet" else len(places)):
            self.pod(found, places[number % len(places)], rolled, index=number)
        return found

    def replica_set(
        self,
        of: Workload,
        mark: str,
        born: datetime,
        replicas: int,
        template: Json | None = None,
        revision: int = 3,
    ) -> Json:
        labels = {k: v for k, v in of.labels.items() if k != "pod-template-hash"} | {
            "pod-template-hash": mark
        }
        return self.add(
            "ReplicaSet",
            of.namespace,
            f"{of.name}-{mark}",
            born,
            labels=labels,
            owner=of.object,
            annotations={
                "deployment.kubernetes.io/desired-replicas": str(replicas),
                "deployment.kubernetes.io/revision": str(revision),
            },
            spec={
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": template or of.template},
            },
            status={},
        )

    def _emptiest(self, count: int) -> list[Json]:
        workers = self.workers()
        order = sorted(
            workers, key=lambda n: (self._load.get(n["metadata"]["name"], 0), self.rng.random())
        )
        return order[: max(1, count)]

    def pod(
        self, of: Workload, node: Json | None, born: datetime, *, index: int = 0, suffix_: str = ""
    ) -> Json:
        """A Running pod of `of` on `node`; None for one that is not scheduled yet."""
        number = next(self._count)
        name = (
            f"{of.name}-{index}"
            if of.kind == "StatefulSet"
            else f"{of.parent['metadata']['name']}-{suffix_ or suffix(f'{number}')}"
        )
        spec = msgspec.json.decode(msgspec.json.encode(of.template))
        if of.object["spec"].get("volumeClaimTemplates"):
            spec["volumes"].insert(
                0, {"name": "data", "persistentVolumeClaim": {"claimName": f"data-{name}"}}
            )
            if not any(
                o["kind"] == "PersistentVolumeClaim" and o["metadata"]["name"] == f"data-{name}"
                for o in self.objects
            ):
                self.claim(
                    of.namespace,
                    f"data-{name}",
                    node,
                    of.object["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"],
                )
        labels = of.labels | (
            {"statefulset.kubernetes.io/pod-name": name} if of.kind == "StatefulSet" else {}
        )
        found = self.add(
            "Pod", of.namespace, name, born, labels=labels, owner=of.parent, spec=spec, status={}
        )
        found["metadata"]["generateName"] = name.rsplit("-", 1)[0] + "-"
        of.pods.append(found)
        if node is None:
            found["status"] = {
                "phase": "Pending",
                "qosClass": "Burstable",
                "conditions": [condition("PodScheduled", "True", "", "", born)],
            }
            return found
        spec["nodeName"] = node["metadata"]["name"]
        self._load[spec["nodeName"]] = self._load.get(spec["nodeName"], 0) + 1
        self.run(found, born)
        found["metadata"]["managedFields"].append(
            managed("kubelet", born + timedelta(seconds=9), {"f:status": {}}, sub="status")
        )
        return found

    def run(self, pod: Json, started: datetime) -> None:
        """Make it Running and Ready since a few seconds after `started`."""
        spec = pod["spec"]
        node = next(n for n in self.nodes if n["metadata"]["name"] == spec["nodeName"])
        host = node["status"]["addresses"][0]["address"]
        number = next(self._count)
        address = (
            host
            if spec.get("hostNetwork")
            else f"10.{100 + number // 60000}.{number // 250 % 250}.{2 + number % 250}"
        )
        up = started + timedelta(seconds=7)
        kinds = ["Initialized", "Ready", "ContainersReady", "PodScheduled"]
        if self.minor >= 29:
            kinds.insert(0, "PodReadyToStartContainers")
        limits = [c["resources"].get("limits") for c in spec["containers"]]
        requests = [c["resources"].get("requests") for c in spec["containers"]]
        pod["status"] = {
            "phase": "Running",
            "hostIP": host,
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": text(started),
            "qosClass": "Burstable" if any(limits) or any(requests) else "BestEffort",
            "conditions": [
                condition(
                    k, "True", "", "", started if k in ("Initialized", "PodScheduled") else up
                )
                for k in kinds
            ],
            "containerStatuses": [
                {
                    "name": c["name"],
                    "image": c["image"],
                    "imageID": f"{c['image'].rsplit(':', 1)[0]}@{digest(c['image'])}",
                    "containerID": f"containerd://{digest(str(number) + c['name'])[7:]}",
                    "ready": True,
                    "started": True,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": text(up)}},
                    "lastState": {},
                }
                for c in spec["containers"]
            ],
        }

    def claim(
        self,
        namespace: str,
        name: str,
        node: Json | None,
        driver: str,
        born: datetime | None = None,
    ) -> Json:
        """A bound claim, its volume (CSI) and its attachment to `node`."""
        born = born or self.ago(days=20)
        volume = f"pvc-{digest(namespace + name)[7:15]}-4a1c-4be0-9c3e-{digest(name)[7:19]}"
        claim = self.add(
            "PersistentVolumeClaim",
            namespace,
            name,
            born,
            spec={
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": driver,
                "volumeName": volume,
                "resources": {"requests": {"storage": "20Gi"}},
            },
            status={
                "phase": "Bound",
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "20Gi"},
            },
        )
        self.add(
            "PersistentVolume",
            "",
            volume,
            born,
            by="csi-provisioner",
            spec={
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": "20Gi"},
                "persistentVolumeReclaimPolicy": "Delete",
                "storageClassName": driver,
                "csi": {"driver": f"{driver}.csi.example", "volumeHandle": f"vol-{volume[4:12]}"},
                "claimRef": {
                    "kind": "PersistentVolumeClaim",
                    "namespace": namespace,
                    "name": name,
                    "uid": claim["metadata"]["uid"],
                },
            },
            status={"phase": "Bound"},
        )
        if node is not None:
            self.attach(volume, node["metadata"]["name"], driver, born)
        return claim

    def attach(self, volume: str, node: str, driver: str, born: datetime, **status: Any) -> Json:
        return self.add(
            "VolumeAttachment",
            "",
            f"csi-{digest(volume + node)[7:]}",
            born,
            by="kube-controller-manager",
            spec={
                "attacher": f"{driver}.csi.example",
                "nodeName": node,
                "source": {"persistentVolumeName": volume},
            },
            status={"attached": True, **status},
        )
