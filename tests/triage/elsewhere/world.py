"""A cluster in the making: nodes, workloads and their pods, what happens to them, and the sums that follow from it."""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.triage.elsewhere.objects import Json, condition, container, digest, managed, obj, pod_spec, suffix, text

PRESSURE = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)


@dataclass
class Workload:
    """A controller and its pods; `template` is what new pods are made from, `parent` what owns them (ReplicaSet, StatefulSet, …)."""

    kind: str
    namespace: str
    name: str
    object: Json
    parent: Json
    template: Json
    labels: Json
    pods: list[Json] = field(default_factory=list)


class World:
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

    # -- nodes

    def node(
        self, name: str, born: datetime, *, kubelet: str, kernel: str, os: str, runtime: str, labels: Json | None = None,
        arch: str = "amd64", cpu: str = "4", memory: str = "15820Mi", pods: str = "110", taints: list[Json] | None = None,
        extra: Iterable[tuple[str, str, str]] = (), manager: str = "kubelet",
    ) -> Json:  # fmt: skip
        all_labels = {
            "kubernetes.io/hostname": name, "kubernetes.io/arch": arch, "kubernetes.io/os": "linux",
            "beta.kubernetes.io/arch": arch, "beta.kubernetes.io/os": "linux", **(labels or {}),
        }  # fmt: skip
        number = next(self._count)
        address = f"10.{40 + number // 200}.{number % 200}.{7 + number % 240}"
        beat = self.ago(self.rng.uniform(0, 4.5))
        conditions = [condition(t, "False", r, m, born, beat) for t, r, m in PRESSURE]
        conditions += [condition(t, "False", r, m, born, beat) for t, r, m in extra]
        conditions.append(condition("Ready", "True", "KubeletReady", "kubelet is posting ready status", born + timedelta(seconds=38), beat))
        amounts = {"cpu": cpu, "memory": memory, "pods": pods, "ephemeral-storage": "83873772Ki", "hugepages-2Mi": "0"}
        found = self.add(
            "Node", "", name, born, labels=all_labels, annotations={"node.alpha.kubernetes.io/ttl": "0"},
            fields=[
                managed(manager, born, {"f:metadata": {"f:labels": {f"f:{k}": {} for k in all_labels}}}),
                managed("kube-controller-manager", born, {"f:spec": {"f:podCIDR": {}}}),
                managed("kubelet", beat, {"f:status": {"f:conditions": {}}}, sub="status"),
            ],
            spec={"podCIDR": f"10.244.{number}.0/24", **({"taints": taints} if taints else {})},
            status={
                "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
                "capacity": amounts, "allocatable": amounts, "conditions": conditions,
                "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
                "nodeInfo": {
                    "architecture": arch, "bootID": digest(name)[7:43], "containerRuntimeVersion": runtime, "kernelVersion": kernel,
                    "kubeProxyVersion": kubelet, "kubeletVersion": kubelet, "machineID": digest(name + "m")[7:39],
                    "operatingSystem": "linux", "osImage": os, "systemUUID": digest(name + "s")[7:43],
                },
                "images": [{"names": [f"registry.k8s.io/pause@{digest('pause')}", "registry.k8s.io/pause:3.9"], "sizeBytes": 321520}],
            },
        )  # fmt: skip
        self.nodes.append(found)
        return found

    def workers(self) -> list[Json]:
        """Nodes that take ordinary pods."""
        return [n for n in self.nodes if not n["spec"].get("taints") and not n["spec"].get("unschedulable")]

    def ready(
        self, node: Json, status: str, since: datetime, message: str = "", reason: str = "", *, taint: bool = True, event: bool = True
    ) -> None:
        """Set the Ready condition as kubelet (False) or the node controller (Unknown) does, with taint, pods' readiness and event."""
        name = node["metadata"]["name"]
        unknown = status == "Unknown"
        for one in node["status"]["conditions"]:
            if one["type"] == "Ready":
                one.update(
                    status=status, lastTransitionTime=text(since), reason=reason or ("NodeStatusUnknown" if unknown else "KubeletNotReady"),
                    message=message or "Kubelet stopped posting node status.",
                )  # fmt: skip
            elif unknown and one["type"] in {t for t, _, _ in PRESSURE}:
                one.update(status="Unknown", lastTransitionTime=text(since), reason="NodeStatusUnknown",
                           message="Kubelet stopped posting node status.")  # fmt: skip
            if unknown:
                one["lastHeartbeatTime"] = text(since - timedelta(seconds=70))
        if unknown:
            self.silent[name] = since - timedelta(seconds=42)
        if taint:
            key = "node.kubernetes.io/unreachable" if unknown else "node.kubernetes.io/not-ready"
            node["spec"].setdefault("taints", []).extend(
                {"key": key, "effect": effect, "timeAdded": text(since)} for effect in ("NoSchedule", "NoExecute")
            )
        if event:
            self.event(node, "NodeNotReady", f"Node {name} status is now: NodeNotReady", since, type_="Normal", component="node-controller")
        for pod in self.on(name):
            for one in pod["status"].get("conditions", []):
                if one["type"] == "Ready" and one["status"] == "True":
                    one.update(status="False", lastTransitionTime=text(since))
            if event:
                self.event(pod, "NodeNotReady", "Node is not ready", since, component="node-controller")

    def cordon(self, node: Json, at: datetime, manager: str = "kubectl-cordon") -> None:
        node["spec"]["unschedulable"] = True
        node["spec"].setdefault("taints", []).append(
            {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": text(at)}
        )
        node["metadata"]["managedFields"].append(managed(manager, at, {"f:spec": {"f:unschedulable": {}}}))
        name = node["metadata"]["name"]
        self.event(node, "NodeNotSchedulable", f"Node {name} status is now: NodeNotSchedulable", at, type_="Normal")

    def on(self, node: str) -> list[Json]:
        return [p for p in self.objects if p["kind"] == "Pod" and p["spec"].get("nodeName") == node]

    # -- events

    def event(
        self, about: Json, reason: str, message: str, last: datetime, *, first: datetime | None = None, count: int = 1,
        type_: str = "Warning", component: str = "kubelet", path: str = "",
    ) -> Json:  # fmt: skip
        """One Event, in the shape that its component writes: the scheduler's in the new one without lastTimestamp."""
        meta, kind = about["metadata"], about["kind"]
        first = first or last
        namespace = meta.get("namespace", "default")
        number = next(self._count)
        found = obj("Event", namespace, f"{meta['name']}.{0x17E0000000000000 + number * 7919:x}", first, by=component)
        found["metadata"]["managedFields"] = [managed(component, last, {"f:reason": {}, "f:message": {}})]
        involved: Json = {"kind": kind, "apiVersion": about["apiVersion"], "name": meta["name"], "uid": meta["uid"]}
        if kind == "Node":
            involved = {"kind": kind, "name": meta["name"], "uid": meta["name"] if component == "kubelet" else meta["uid"]}
        elif meta.get("namespace"):
            involved["namespace"] = meta["namespace"]
        if path:
            involved["fieldPath"] = f"spec.containers{{{path}}}"
        found |= {"involvedObject": involved, "reason": reason, "message": message, "type": type_, "reportingInstance": ""}
        if component == "default-scheduler" and self.minor >= 19:
            found |= {
                "eventTime": text(first, micro=True), "firstTimestamp": None, "lastTimestamp": None, "source": {}, "action": "Scheduling",
                "reportingComponent": component, "reportingInstance": f"{component}-cp-1",
            }  # fmt: skip
            if count > 1:
                found["series"] = {"count": count, "lastObservedTime": text(last, micro=True)}
        else:
            host = about["spec"].get("nodeName", "") if kind == "Pod" else meta["name"] if kind == "Node" else ""
            source = {"component": component} | ({"host": host} if component == "kubelet" and host else {})
            found |= {
                "firstTimestamp": text(first), "lastTimestamp": text(last), "count": count, "eventTime": None, "source": source,
                "reportingComponent": component if self.minor >= 29 else "",
            }  # fmt: skip
        self.objects.append(found)
        return found

    # -- workloads

    def workload(
        self, kind: str, namespace: str, name: str, replicas: int = 1, *, template: Json | None = None, born: datetime | None = None,
        image: str = "", nodes: list[Json] | None = None, labels: Json | None = None, by: str = "", revision: str = "",
        owner: Json | None = None, rolled: datetime | None = None, claims: str = "", annotations: Json | None = None,
    ) -> Workload:  # fmt: skip
        """A workload with Running pods on `nodes` (in turn), or on the emptiest workers. `rolled`: when its pods were made."""
        born = born or self.ago(days=self.rng.uniform(6, 200))
        rolled = rolled or born + timedelta(days=self.rng.uniform(0.2, 5))
        labels = labels or {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": name}
        template = template or pod_spec(container("app", image or f"registry.corp.example/{namespace}/{name}:2.{len(name)}.1"))
        mark = revision or suffix(f"{namespace}/{name}/{image}", 10)
        spec: Json = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": template}}
        if kind != "DaemonSet":
            spec["replicas"] = replicas
        if kind == "StatefulSet":
            spec |= {"serviceName": name, "podManagementPolicy": "OrderedReady", "updateStrategy": {"type": "RollingUpdate"}}
            if claims:
                spec["volumeClaimTemplates"] = [
                    {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": claims,
                                                            "resources": {"requests": {"storage": "20Gi"}}}}
                ]  # fmt: skip
        if kind == "Deployment":
            spec |= {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
                     "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600}  # fmt: skip
        if kind == "DaemonSet":
            spec["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
        top = self.add(
            kind, namespace, name, born, labels=labels, by=by or "helm", owner=owner, spec=spec, status={},
            annotations={"deployment.kubernetes.io/revision": "3", **(annotations or {})} if kind == "Deployment" else annotations,
        )  # fmt: skip
        parent = top
        found = Workload(kind, namespace, name, top, top, template, labels)
        if kind == "Deployment":
            found.labels = labels | {"pod-template-hash": mark}
            parent = self.replica_set(found, mark, rolled, replicas)
        elif kind in ("DaemonSet", "StatefulSet"):
            found.labels = labels | {"controller-revision-hash": f"{name}-{mark}" if kind == "StatefulSet" else mark}
            self.add("ControllerRevision", namespace, f"{name}-{mark}", rolled, owner=top, revision=1, data={"spec": {}})
        found.parent = parent
        self.workloads.append(found)
        places = nodes if nodes is not None else self._emptiest(replicas)
        for number in range(replicas if kind != "DaemonSet" else len(places)):
            self.pod(found, places[number % len(places)], rolled, index=number)
        return found

    def replica_set(self, of: Workload, mark: str, born: datetime, replicas: int, template: Json | None = None, revision: int = 3) -> Json:
        labels = {k: v for k, v in of.labels.items() if k != "pod-template-hash"} | {"pod-template-hash": mark}
        return self.add(
            "ReplicaSet", of.namespace, f"{of.name}-{mark}", born, labels=labels, owner=of.object,
            annotations={"deployment.kubernetes.io/desired-replicas": str(replicas), "deployment.kubernetes.io/revision": str(revision)},
            spec={"replicas": replicas, "selector": {"matchLabels": labels},
                  "template": {"metadata": {"labels": labels}, "spec": template or of.template}}, status={},
        )  # fmt: skip

    def _emptiest(self, count: int) -> list[Json]:
        workers = self.workers()
        order = sorted(workers, key=lambda n: (self._load.get(n["metadata"]["name"], 0), self.rng.random()))
        return order[: max(1, count)]

    def pod(self, of: Workload, node: Json | None, born: datetime, *, index: int = 0, suffix_: str = "") -> Json:
        """A Running pod of `of` on `node`; None for one that is not scheduled yet."""
        number = next(self._count)
        name = f"{of.name}-{index}" if of.kind == "StatefulSet" else f"{of.parent['metadata']['name']}-{suffix_ or suffix(f'{number}')}"
        spec = copy.deepcopy(of.template)
        if of.object["spec"].get("volumeClaimTemplates"):
            spec["volumes"].insert(0, {"name": "data", "persistentVolumeClaim": {"claimName": f"data-{name}"}})
            if not any(o["kind"] == "PersistentVolumeClaim" and o["metadata"]["name"] == f"data-{name}" for o in self.objects):
                self.claim(of.namespace, f"data-{name}", node, of.object["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"])
        labels = of.labels | ({"statefulset.kubernetes.io/pod-name": name} if of.kind == "StatefulSet" else {})
        found = self.add("Pod", of.namespace, name, born, labels=labels, owner=of.parent, spec=spec, status={})
        found["metadata"]["generateName"] = name.rsplit("-", 1)[0] + "-"
        of.pods.append(found)
        if node is None:
            found["status"] = {"phase": "Pending", "qosClass": "Burstable", "conditions": [condition("PodScheduled", "True", "", "", born)]}
            return found
        spec["nodeName"] = node["metadata"]["name"]
        self._load[spec["nodeName"]] = self._load.get(spec["nodeName"], 0) + 1
        self.run(found, born)
        found["metadata"]["managedFields"].append(managed("kubelet", born + timedelta(seconds=9), {"f:status": {}}, sub="status"))
        return found

    def run(self, pod: Json, started: datetime) -> None:
        """Make it Running and Ready since a few seconds after `started`."""
        spec = pod["spec"]
        node = next(n for n in self.nodes if n["metadata"]["name"] == spec["nodeName"])
        host = node["status"]["addresses"][0]["address"]
        number = next(self._count)
        address = host if spec.get("hostNetwork") else f"10.{100 + number // 60000}.{number // 250 % 250}.{2 + number % 250}"
        up = started + timedelta(seconds=7)
        kinds = ["Initialized", "Ready", "ContainersReady", "PodScheduled"]
        if self.minor >= 29:
            kinds.insert(0, "PodReadyToStartContainers")
        limits = [c["resources"].get("limits") for c in spec["containers"]]
        requests = [c["resources"].get("requests") for c in spec["containers"]]
        pod["status"] = {
            "phase": "Running", "hostIP": host, "podIP": address, "podIPs": [{"ip": address}], "startTime": text(started),
            "qosClass": "Burstable" if any(limits) or any(requests) else "BestEffort",
            "conditions": [condition(k, "True", "", "", started if k in ("Initialized", "PodScheduled") else up) for k in kinds],
            "containerStatuses": [
                {
                    "name": c["name"], "image": c["image"], "imageID": f"{c['image'].rsplit(':', 1)[0]}@{digest(c['image'])}",
                    "containerID": f"containerd://{digest(str(number) + c['name'])[7:]}", "ready": True, "started": True,
                    "restartCount": 0, "state": {"running": {"startedAt": text(up)}}, "lastState": {},
                }
                for c in spec["containers"]
            ],
        }  # fmt: skip

    def claim(self, namespace: str, name: str, node: Json | None, driver: str, born: datetime | None = None) -> Json:
        """A bound claim, its volume (CSI) and its attachment to `node`."""
        born = born or self.ago(days=20)
        volume = f"pvc-{digest(namespace + name)[7:15]}-4a1c-4be0-9c3e-{digest(name)[7:19]}"
        claim = self.add("PersistentVolumeClaim", namespace, name, born, spec={
            "accessModes": ["ReadWriteOnce"], "storageClassName": driver, "volumeName": volume, "resources": {"requests": {"storage": "20Gi"}},
        }, status={"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "20Gi"}})  # fmt: skip
        self.add("PersistentVolume", "", volume, born, by="csi-provisioner", spec={
            "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "20Gi"}, "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": driver, "csi": {"driver": f"{driver}.csi.example", "volumeHandle": f"vol-{volume[4:12]}"},
            "claimRef": {"kind": "PersistentVolumeClaim", "namespace": namespace, "name": name, "uid": claim["metadata"]["uid"]},
        }, status={"phase": "Bound"})  # fmt: skip
        if node is not None:
            self.attach(volume, node["metadata"]["name"], driver, born)
        return claim

    def attach(self, volume: str, node: str, driver: str, born: datetime, **status: Any) -> Json:
        return self.add("VolumeAttachment", "", f"csi-{digest(volume + node)[7:]}", born, by="kube-controller-manager", spec={
            "attacher": f"{driver}.csi.example", "nodeName": node, "source": {"persistentVolumeName": volume},
        }, status={"attached": True, **status})  # fmt: skip

    # -- what happens to pods

    def _down(self, pod: Json, since: datetime, names: list[str]) -> None:
        message = f"containers with unready status: [{' '.join(names)}]"
        for one in pod["status"]["conditions"]:
            if one["type"] in ("Ready", "ContainersReady"):
                one.update(status="False", lastTransitionTime=text(since), reason="ContainersNotReady", message=message)

    def restarted(
        self, pod: Json, at: datetime, *, code: int = 1, reason: str = "Error", times: int = 1, which: int = 0, message: str = "",
        ran: float = 0,
    ) -> None:  # fmt: skip
        """The container ended `at` and runs again (Ready since)."""
        status = pod["status"]["containerStatuses"][which]
        began = at - timedelta(minutes=ran) if ran else self.ago(days=3)
        began = max(began, datetime.fromisoformat(pod["status"]["startTime"])) if not ran else began
        status["restartCount"] += times
        status["lastState"] = {"terminated": {
            "exitCode": code, "reason": reason, "startedAt": text(min(began, at)), "finishedAt": text(at),
            "containerID": f"containerd://{digest(status['containerID'])[7:]}", **({"message": message} if message else {}),
        }}  # fmt: skip
        status["state"] = {"running": {"startedAt": text(at + timedelta(seconds=2))}}
        for one in pod["status"]["conditions"]:
            if one["type"] in ("Ready", "ContainersReady"):
                one["lastTransitionTime"] = text(at + timedelta(seconds=12))

    def crash_loop(
        self, pod: Json, since: datetime, *, code: int = 1, reason: str = "Error", times: int = 6, last: datetime | None = None,
        which: int = 0, ran: float = 0.1,
    ) -> None:  # fmt: skip
        """It fails again and again since `since` and is in back-off now."""
        last = last or self.ago(2)
        self.restarted(pod, last, code=code, reason=reason, times=times, which=which, ran=ran)
        status = pod["status"]["containerStatuses"][which]
        meta = pod["metadata"]
        about = f"{status['name']} in pod {meta['name']}_{meta['namespace']}({meta['uid']})"
        status["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": f"back-off 2m40s restarting failed container="
                                       f"{status['name']} pod={meta['name']}_{meta['namespace']}({meta['uid']})"}}  # fmt: skip
        status.update(ready=False, started=False)
        self._down(pod, since, [status["name"]])
        self.event(pod, "BackOff", f"Back-off restarting failed container {about}", self.ago(0.5), first=since, count=4 * times,
                   path=status["name"])  # fmt: skip

    def waiting(self, pod: Json, since: datetime, reason: str, message: str = "", *, sandbox: bool = True) -> None:
        """Containers never started. `sandbox` False: network or volumes are not there (ContainerCreating)."""
        for status in pod["status"]["containerStatuses"]:
            status.update(ready=False, started=False, imageID="", restartCount=0, lastState={})
            status.pop("containerID", None)
            status["state"] = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
        pod["status"]["phase"] = "Pending"
        self._down(pod, since, [c["name"] for c in pod["spec"]["containers"]])
        for one in pod["status"]["conditions"]:
            if one["type"] == "PodReadyToStartContainers" and not sandbox:
                one.update(status="False", lastTransitionTime=text(since))
        if not sandbox and not pod["spec"].get("hostNetwork"):
            pod["status"].pop("podIP", None)
            pod["status"].pop("podIPs", None)

    def unschedulable(self, of: Workload, since: datetime, message: str, index: int = 0) -> Json:
        pod = self.pod(of, None, since, index=index)
        pod["status"] = {"phase": "Pending", "qosClass": "Burstable", "conditions": [
            condition("PodScheduled", "False", "Unschedulable", message, since)]}  # fmt: skip
        again = max(1, int((self.now - since).total_seconds() // 300))
        self.event(pod, "FailedScheduling", message, self.ago(0.6), first=since, count=again, component="default-scheduler")
        return pod

    def evicted(self, pod: Json, at: datetime, message: str) -> None:
        pod["status"] = {
            "phase": "Failed", "reason": "Evicted", "message": message, "startTime": pod["status"]["startTime"], "qosClass": "Burstable",
            "conditions": [condition("DisruptionTarget", "True", "TerminationByKubelet", message, at)] if self.minor >= 26 else [],
        }  # fmt: skip
        self.event(pod, "Evicted", message, at)

    def terminating(self, pod: Json, at: datetime, *, grace: int = 30) -> None:
        pod["metadata"]["deletionTimestamp"] = text(at + timedelta(seconds=grace))
        pod["metadata"]["deletionGracePeriodSeconds"] = grace

    def unhealthy(self, pod: Json, since: datetime, message: str, count: int = 20) -> None:
        """The readiness probe fails; the container goes on running."""
        status = pod["status"]["containerStatuses"][0]
        status["ready"] = False
        self._down(pod, since, [status["name"]])
        self.event(pod, "Unhealthy", f"Readiness probe failed: {message}", self.ago(0.2), first=since, count=count, path=status["name"])

    # -- network and batch

    def service(self, of: Workload, *, type_: str = "ClusterIP", port: int = 80, address: str = "", name: str = "", **spec: Any) -> Json:
        number = next(self._count)
        cluster_ip = f"172.20.{number // 250}.{1 + number % 250}"
        selector = {k: v for k, v in of.labels.items() if k not in ("pod-template-hash", "controller-revision-hash")}
        born = datetime.fromisoformat(of.object["metadata"]["creationTimestamp"])
        status: Json = {"loadBalancer": {"ingress": [{"ip": address}]}} if address else {"loadBalancer": {}}
        found = self.add("Service", of.namespace, name or of.name, born, by="helm", labels=dict(selector), spec={
            "type": type_, "selector": selector, "clusterIP": cluster_ip, "clusterIPs": [cluster_ip], "ipFamilies": ["IPv4"],
            "ports": [{"name": "http", "port": port, "protocol": "TCP", "targetPort": 8080,
                       **({"nodePort": 30000 + number % 2700} if type_ != "ClusterIP" else {})}], **spec}, status=status)  # fmt: skip
        self.services.append((found, selector))
        return found

    def ingress(self, namespace: str, name: str, host: str, service: str, class_: str, address: str = "203.0.113.40") -> Json:
        return self.add("Ingress", namespace, name, self.ago(days=40), by="helm", spec={
            "ingressClassName": class_, "rules": [{"host": host, "http": {"paths": [
                {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 80}}}}]}}],
        }, status={"loadBalancer": {"ingress": [{"ip": address}]}})  # fmt: skip

    def secret(self, namespace: str, name: str, keys: Iterable[str], born: datetime, by: str, changed: datetime | None = None) -> Json:
        keys = tuple(keys)
        fields: Json = {"f:type": {}, "f:metadata": {"f:labels": {".": {}, "f:managed": {}}}}
        if keys:
            fields["f:data"] = {".": {}, **{f"f:{k}": {} for k in keys}}
        return self.add("Secret", namespace, name, born, type="Opaque", labels={"managed": "true"}, data={k: "eA==" for k in keys},
                        fields=[managed(by, changed or born, fields)])  # fmt: skip

    def cron_job(self, namespace: str, name: str, schedule: str, *, policy: str = "Forbid", born: datetime | None = None,
                 template: Json | None = None, **spec: Any) -> Workload:  # fmt: skip
        template = template or pod_spec(container("job", f"registry.corp.example/batch/{name}:1.4"))
        template["restartPolicy"] = "Never"
        top = self.add("CronJob", namespace, name, born or self.ago(days=60), by="kubectl-client-side-apply", spec={
            "schedule": schedule, "concurrencyPolicy": policy, "suspend": False, "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 1, "jobTemplate": {"spec": {"template": {"spec": template}}}, **spec,
        }, status={})  # fmt: skip
        return Workload("CronJob", namespace, name, top, top, template, {})

    def job(self, of: Workload, at: datetime, *, node: Json | None = None, state: str = "done", took: float = 1.2) -> Json:
        """A run of a CronJob: `done`, `running`, or `pending` (its pod waits for a node)."""
        name = f"{of.name}-{int(at.timestamp() // 60)}"
        labels = {"batch.kubernetes.io/job-name": name, "job-name": name}
        end = at + timedelta(minutes=took)
        status: Json = {"startTime": text(at), "active": 1, "ready": int(state == "running")}
        if state == "done":
            status = {"startTime": text(at), "completionTime": text(end), "succeeded": 1, "conditions": [
                condition("Complete", "True", "", "", end)]}  # fmt: skip
        found = self.add("Job", of.namespace, name, at, labels=labels, owner=of.object, by="kube-controller-manager", spec={
            "parallelism": 1, "completions": 1, "backoffLimit": 6, "template": {"metadata": {"labels": labels}, "spec": of.template},
            **({"activeDeadlineSeconds": 600} if of.object["spec"]["concurrencyPolicy"] == "Forbid" else {}),
        }, status=status)  # fmt: skip
        run = Workload("Job", of.namespace, name, found, found, of.template, labels)
        if state == "pending":
            return found
        pod = self.pod(run, node or self.rng.choice(self.workers()), at)
        if state == "done":
            pod["status"]["phase"] = "Succeeded"
            pod["status"]["containerStatuses"][0].update(ready=False, started=False, state={"terminated": {
                "exitCode": 0, "reason": "Completed", "startedAt": text(at), "finishedAt": text(end)}})  # fmt: skip
            for one in pod["status"]["conditions"]:
                if one["type"] in ("Ready", "ContainersReady"):
                    one.update(status="False", reason="PodCompleted", lastTransitionTime=text(end))
        else:
            of.object["status"].setdefault("active", []).append(
                {"kind": "Job", "namespace": of.namespace, "name": name, "uid": found["metadata"]["uid"], "apiVersion": "batch/v1"}
            )
        return found
