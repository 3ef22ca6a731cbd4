"""Controllers with their revisions and pods, Services and volumes."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.triage.elsewhere.second.machines import Machines
from tests.triage.elsewhere.second.objects import D, M, Obj, reference, seconds


@dataclass
class Workload:
    """A controller with its revisions and pods."""

    object: Obj
    pods: list[Obj]
    sets: list[Obj] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.object["metadata"]["namespace"])


class Controllers(Machines):
    """Objects with everything that makes pods."""

    def __init__(
        self, now: datetime, seed: str, version: str = "v1.31.4", pod_net: str = "10.244"
    ) -> None:
        super().__init__(now, seed, version, pod_net)
        self._turn = 0
        self._services: list[tuple[Obj, dict[str, str]]] = []
        self._workloads: list[Workload] = []

    def pick(self, count: int, among: Sequence[Obj] | None = None) -> list[str]:
        """Nodes in turn, only such as take pods."""
        pool = (
            among
            if among is not None
            else [
                n
                for n in self.nodes
                if not n["spec"].get("unschedulable")
                and not any(t["effect"] != "PreferNoSchedule" for t in n["spec"].get("taints", []))
            ]
        )
        chosen = []
        for _ in range(count):
            chosen.append(str(pool[self._turn % len(pool)]["metadata"]["name"]))
            self._turn += 1
        return chosen

    def _controller(
        self,
        kind: str,
        namespace: str,
        name: str,
        template: Obj,
        spec: Obj,
        age: float,
        changed: float | None,
        manager: str | None,
        annotations: dict[str, str] | None = None,
    ) -> Obj:
        labels = template["metadata"]["labels"]
        body = {
            "spec": {
                "selector": {"matchLabels": dict(labels)},
                "template": copy.deepcopy(template),
                **spec,
            }
        }
        made = self.add(
            kind,
            name,
            namespace,
            age=age,
            labels={**labels, "app.kubernetes.io/managed-by": "Helm"},
            body=body,
            manager=manager,
            touched=age,
            annotations=annotations,
        )
        made["metadata"]["generation"] = 1
        if changed is not None:
            made["metadata"]["generation"] = 4
            made["metadata"]["managedFields"][0] = self.managed(
                "apps/v1",
                manager or self.applier,
                changed,
                {"f:spec": {"f:template": {"f:spec": {"f:containers": {}}}}},
            )
        return made

    def deployment(
        self,
        namespace: str,
        name: str,
        image: str,
        replicas: int = 2,
        *,
        age: float = 60 * D,
        rolled: float | None = None,
        nodes: Sequence[str] | None = None,
        service: bool = True,
        manager: str | None = None,
        old_image: str | None = None,
        strategy: Obj | None = None,
        pod_ages: Sequence[float] | None = None,
        **template: Any,
    ) -> Workload:
        """A Deployment; ``rolled`` is the age of its newest ReplicaSet when an earlier one
        exists."""
        made = self.template(name, image, **template)
        body = {
            "replicas": replicas,
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
            "strategy": strategy
            or {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
            },
        }
        object = self._controller(
            "Deployment",
            namespace,
            name,
            made,
            body,
            age,
            rolled,
            manager,
            {"deployment.kubernetes.io/revision": "1" if rolled is None else "7"},
        )
        sets = []
        if rolled is not None:
            sets.append(
                self.replica_set(
                    object,
                    made,
                    old_image or image.rsplit(":", 1)[0] + ":prev",
                    0,
                    min(age, rolled + 9 * D),
                    "6",
                )
            )
        newest = self.replica_set(
            object,
            made,
            image,
            replicas,
            age if rolled is None else rolled,
            "1" if rolled is None else "7",
        )
        sets.append(newest)
        base = age if rolled is None else rolled
        pods = []
        for index, node in enumerate(nodes if nodes is not None else self.pick(replicas)):
            when = (
                pod_ages[index]
                if pod_ages
                else base
                if rolled is not None
                else min(base, self.rng.uniform(1 * D, 9 * D))
            )
            pods.append(self.replica(newest, node, max(when - index * 3, 2)))
        work = Workload(object, pods, sets)
        self._workloads.append(work)
        if service:
            self.service(namespace, name, made["metadata"]["labels"], age=age)
        return work

    def replica_set(
        self, deployment: Obj, template: Obj, image: str, replicas: int, age: float, revision: str
    ) -> Obj:
        mark = self.code(9)
        made = copy.deepcopy(template)
        made["spec"]["containers"][0]["image"] = image
        made["metadata"]["labels"]["pod-template-hash"] = mark
        labels = made["metadata"]["labels"]
        meta = deployment["metadata"]
        return self.add(
            "ReplicaSet",
            f"{meta['name']}-{mark}",
            meta["namespace"],
            age=age,
            owner=deployment,
            labels=labels,
            manager="kube-controller-manager",
            annotations={
                "deployment.kubernetes.io/revision": revision,
                "deployment.kubernetes.io/desired-replicas": str(replicas),
            },
            body={
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": labels},
                    "template": made,
                }
            },
        )

    def replica(self, set_: Obj, node: str | None, age: float) -> Obj:
        meta = set_["metadata"]
        return self.pod(
            f"{meta['name']}-{self.code(5)}",
            meta["namespace"],
            set_["spec"]["template"],
            node,
            age=age,
            owner=set_,
        )

    def daemonset(
        self,
        namespace: str,
        name: str,
        image: str,
        *,
        age: float = 90 * D,
        nodes: Iterable[Obj] | None = None,
        rolled: float | None = None,
        manager: str | None = None,
        strategy: str = "RollingUpdate",
        host: bool = True,
        **template: Any,
    ) -> Workload:
        spec = {
            "hostNetwork": host,
            "priorityClassName": "system-node-critical",
            "tolerations": [{"operator": "Exists"}],
            **template.pop("spec", {}),
        }
        made = self.template(name, image, spec=spec, **template)
        object = self._controller(
            "DaemonSet",
            namespace,
            name,
            made,
            {"updateStrategy": {"type": strategy}},
            age,
            rolled,
            manager,
        )
        mark = self.code(10)
        self.revision(object, mark, age if rolled is None else rolled, 1 if rolled is None else 2)
        if rolled is not None:
            self.revision(object, self.code(10), age, 1)
        pods = []
        for node in nodes if nodes is not None else list(self.nodes):
            joined = seconds(self.now, node["metadata"]["creationTimestamp"])
            pods.append(
                self.pod(
                    f"{name}-{self.code(5)}",
                    namespace,
                    made,
                    node["metadata"]["name"],
                    owner=object,
                    age=max(3, min(joined - 12, (age if rolled is None else rolled) - 20)),
                    labels={"controller-revision-hash": mark, "pod-template-generation": "2"},
                )
            )
        work = Workload(object, pods)
        self._workloads.append(work)
        return work

    def revision(self, owner: Obj, mark: str, age: float, number: int) -> Obj:
        meta = owner["metadata"]
        return self.add(
            "ControllerRevision",
            f"{meta['name']}-{mark}",
            meta["namespace"],
            age=age,
            owner=owner,
            manager="kube-controller-manager",
            labels={**meta.get("labels", {}), "controller-revision-hash": mark},
            body={"revision": number, "data": {"spec": {"template": {"$patch": "replace"}}}},
        )

    def statefulset(
        self,
        namespace: str,
        name: str,
        image: str,
        replicas: int = 3,
        *,
        age: float = 80 * D,
        claim: str | None = "gp3",
        size: str = "50Gi",
        owner: Obj | None = None,
        nodes: Sequence[str] | None = None,
        rolled: float | None = None,
        manager: str | None = None,
        pod_ages: Sequence[float] | None = None,
        driver: str = "ebs.csi.aws.com",
        **template: Any,
    ) -> Workload:
        made = self.template(name, image, **template)
        spec: Obj = {
            "replicas": replicas,
            "serviceName": f"{name}-headless",
            "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        }
        if claim:
            spec["volumeClaimTemplates"] = [
                {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "metadata": {"name": "data"},
                    "spec": {
                        "accessModes": ["ReadWriteOnce"],
                        "storageClassName": claim,
                        "resources": {"requests": {"storage": size}},
                    },
                }
            ]
        object = self._controller("StatefulSet", namespace, name, made, spec, age, rolled, manager)
        if owner is not None:
            object["metadata"]["ownerReferences"] = [reference(owner)]
        mark = f"{name}-{self.code(10)}"
        if rolled is not None:
            self.revision(object, self.code(10), age, 1)
        self.revision(
            object,
            mark.removeprefix(f"{name}-"),
            age if rolled is None else rolled,
            1 if rolled is None else 2,
        )
        pods = []
        for index, node in enumerate(nodes if nodes is not None else self.pick(replicas)):
            base = pod_ages[index] if pod_ages else min(age, self.rng.uniform(2 * D, 20 * D))
            pod = self.pod(
                f"{name}-{index}",
                namespace,
                made,
                node,
                age=base,
                owner=object,
                labels={
                    "controller-revision-hash": mark,
                    "statefulset.kubernetes.io/pod-name": f"{name}-{index}",
                },
            )
            if claim:
                self.claim(namespace, f"data-{name}-{index}", claim, size, age, driver, node)
                pod["spec"].setdefault("volumes", []).append(
                    {"name": "data", "persistentVolumeClaim": {"claimName": f"data-{name}-{index}"}}
                )
            pods.append(pod)
        object["status"] = {"currentRevision": mark, "updateRevision": mark}
        work = Workload(object, pods)
        self._workloads.append(work)
        self.service(
            namespace, f"{name}-headless", made["metadata"]["labels"], age=age, headless=True
        )
        return work

    def claim(
        self,
        namespace: str,
        name: str,
        storage_class: str,
        size: str,
        age: float,
        driver: str,
        node: str | None,
    ) -> tuple[Obj, Obj]:
        claim = self.add(
            "PersistentVolumeClaim", name, namespace, age=age, manager="kube-controller-manager"
        )
        volume = f"pvc-{claim['metadata']['uid']}"
        claim["spec"] = {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage_class,
            "volumeName": volume,
            "volumeMode": "Filesystem",
            "resources": {"requests": {"storage": size}},
        }
        claim["status"] = {
            "phase": "Bound",
            "accessModes": ["ReadWriteOnce"],
            "capacity": {"storage": size},
        }
        made = self.add(
            "PersistentVolume",
            volume,
            age=age,
            manager="csi-provisioner",
            body={
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "capacity": {"storage": size},
                    "storageClassName": storage_class,
                    "volumeMode": "Filesystem",
                    "persistentVolumeReclaimPolicy": "Delete",
                    "csi": {"driver": driver, "volumeHandle": f"vol-{self.code(12)}"},
                    "claimRef": {
                        "kind": "PersistentVolumeClaim",
                        "apiVersion": "v1",
                        "namespace": namespace,
                        "name": name,
                        "uid": claim["metadata"]["uid"],
                    },
                },
                "status": {"phase": "Bound"},
            },
        )
        if node:
            self.attachment(volume, node, driver, min(age, 5 * D))
        return claim, made

    def attachment(
        self, volume: str, node: str, driver: str, age: float, attached: bool = True
    ) -> Obj:
        return self.add(
            "VolumeAttachment",
            f"csi-{self.rng.getrandbits(256):064x}",
            age=age,
            manager="kube-controller-manager",
            body={
                "spec": {
                    "attacher": driver,
                    "nodeName": node,
                    "source": {"persistentVolumeName": volume},
                },
                "status": {"attached": attached},
            },
        )

    def service(
        self,
        namespace: str,
        name: str,
        selector: dict[str, str],
        *,
        age: float = 60 * D,
        type: str = "ClusterIP",
        headless: bool = False,
        spec: Obj | None = None,
        annotations: dict[str, str] | None = None,
    ) -> Obj:
        self._cluster_ip += 1
        address = (
            "None" if headless else f"10.96.{self._cluster_ip // 250}.{self._cluster_ip % 250 + 1}"
        )
        made = self.add(
            "Service",
            name,
            namespace,
            age=age,
            annotations=annotations,
            labels=selector,
            body={
                "spec": {
                    "type": type,
                    "selector": dict(selector),
                    "clusterIP": address,
                    "clusterIPs": [address],
                    "ipFamilies": ["IPv4"],
                    "ipFamilyPolicy": "SingleStack",
                    "sessionAffinity": "None",
                    "internalTrafficPolicy": "Cluster",
                    "ports": [
                        {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}
                    ],
                    **(spec or {}),
                },
                "status": {"loadBalancer": {}},
            },
        )
        self._services.append((made, selector))
        return made

    def cronjob(
        self,
        namespace: str,
        name: str,
        image: str,
        schedule: str,
        *,
        policy: str = "Forbid",
        age: float = 100 * D,
        last: float = 25 * M,
        suspend: bool = False,
        history: int = 3,
        **template: Any,
    ) -> Obj:
        made = self.template(name, image, probe=False, **template)
        made["spec"]["restartPolicy"] = "Never"
        return self.add(
            "CronJob",
            name,
            namespace,
            age=age,
            body={
                "spec": {
                    "schedule": schedule,
                    "concurrencyPolicy": policy,
                    "suspend": suspend,
                    "successfulJobsHistoryLimit": history,
                    "failedJobsHistoryLimit": 1,
                    "jobTemplate": {"spec": {"backoffLimit": 6, "template": made}},
                },
                "status": {
                    "lastScheduleTime": self.at(last),
                    "lastSuccessfulTime": self.at(max(last - 45, 1)),
                },
            },
        )

    def job(
        self, cron: Obj, ago: float, node: str | None, *, state: str = "done", ran: float = 40
    ) -> tuple[Obj, Obj]:
        """One run of a CronJob: ``done``, ``failed`` or ``active``."""
        meta = cron["metadata"]
        stamp = int((self.now - timedelta(seconds=ago)).timestamp() // 60)
        name = f"{meta['name']}-{stamp}"
        template = copy.deepcopy(cron["spec"]["jobTemplate"]["spec"]["template"])
        template["metadata"]["labels"].update(
            {"batch.kubernetes.io/job-name": name, "job-name": name}
        )
        made = self.add(
            "Job",
            name,
            meta["namespace"],
            age=ago,
            owner=cron,
            manager="kube-controller-manager",
            labels=template["metadata"]["labels"],
            body={
                "spec": {
                    "parallelism": 1,
                    "completions": 1,
                    "backoffLimit": 6,
                    "template": template,
                    "completionMode": "NonIndexed",
                    "suspend": False,
                }
            },
        )
        pod = self.pod(
            f"{name}-{self.code(5)}", meta["namespace"], template, node, age=ago, owner=made
        )
        made["status"] = {"startTime": self.at(ago)}
        if state == "active":
            made["status"].update(active=1, ready=1 if node else 0)
        else:
            failed = state == "failed"
            self.succeeded(pod, max(ago - ran, 1), failed=failed, ran=ran - 5)
            kind = "Failed" if failed else "Complete"
            made["status"].update(
                {"failed" if failed else "succeeded": 1},
                conditions=[
                    {
                        "type": kind,
                        "status": "True",
                        "lastTransitionTime": self.at(max(ago - ran, 1)),
                        "lastProbeTime": self.at(max(ago - ran, 1)),
                        **(
                            {
                                "reason": "BackoffLimitExceeded",
                                "message": "Job has reached the specified backoff limit",
                            }
                            if failed
                            else {}
                        ),
                    }
                ],
            )
            if not failed:
                made["status"]["completionTime"] = self.at(max(ago - ran, 1))
        return made, pod

    def secret(
        self,
        namespace: str,
        name: str,
        keys: Sequence[str],
        *,
        age: float = 50 * D,
        manager: str = "kubectl-create",
        written: float | None = None,
        type: str = "Opaque",
        labels: dict[str, str] | None = None,
        owner: Obj | None = None,
    ) -> Obj:
        made = self.add(
            "Secret", name, namespace, age=age, manager=manager, labels=labels, owner=owner
        )
        made["type"] = type
        if keys:
            made["data"] = dict.fromkeys(keys, "eA==")
        made["metadata"]["managedFields"] = [
            self.managed(
                "v1",
                manager,
                age if written is None else written,
                {
                    "f:data": {".": {}, **{f"f:{key}": {} for key in keys}} if keys else {},
                    "f:type": {},
                    "f:metadata": {"f:labels": {}},
                },
            )
        ]
        return made
