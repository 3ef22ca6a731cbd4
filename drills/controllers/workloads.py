"""The controllers of Deployments, ReplicaSets, StatefulSets and DaemonSets: revisions, replica
counts and the pods themselves."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Protocol

from drills.api.managed_fields import FieldManager
from drills.api.objects import Obj, controller_of, created_at, dig, is_active, rfc3339
from drills.controllers.context import CONTROLLER, ControllerContext
from drills.controllers.events import created_pod
from drills.controllers.new_objects import (
    DAEMON_TOLERATIONS,
    REVISION,
    controller_revision,
    new_pod,
    replica_set,
    revision_data,
    revision_of,
)
from drills.controllers.scheduling import takes
from drills.controllers.volumes import create_claim

_GENERATION = "deprecated.daemonset.template.generation"


class PodRunner(Protocol):
    """The part of the kubelets that controllers use; `drills.pods.kubelet` implements it."""

    async def run(self, pod: Obj) -> None:
        """Start a pod that was created."""

    async def start_waiting(self, pod: Obj) -> None:
        """Start a bound pod that waited for its volumes."""

    async def start_ephemeral(self, pod: Obj) -> None:
        """Start ephemeral containers that have no status yet."""

    async def stop(self, pod: Obj) -> bool:
        """End a pod that is marked for deletion; True when it is gone."""


class Workloads:
    """Reconciles workloads: brings their pods in line with their specs."""

    def __init__(self, context: ControllerContext, kubelets: PodRunner) -> None:
        self._context, self._kubelets = context, kubelets

    async def sync(self, owner: Obj) -> None:
        """Create or delete the pods of a workload as its spec says."""
        if owner["kind"] == "Deployment":
            await self.roll_out(owner)
        elif owner["kind"] == "DaemonSet":
            await self._cover_nodes(owner)
        else:
            await self.keep_count(owner)

    # --- Deployments

    async def start_waiting(self, pod: Obj) -> None:
        """Start a bound pod that waited for its node, and go on with the rollout that waited for
        the pod."""
        await self._kubelets.start_waiting(pod)
        owner, namespace = pod, pod["metadata"]["namespace"]
        for kind in ("ReplicaSet", "Deployment"):
            ref = controller_of(owner) or {}
            found = self._context.lookup(kind, namespace, ref.get("name", ""))
            if ref.get("kind") != kind or found is None:
                return
            owner = found
        await self.sync(owner)

    async def roll_out(self, deployment: Obj, current: int | None = None, keep: int = 0) -> None:
        """Scale the newest ReplicaSet up and the others down; create one for a new template. A
        stalled rollout has `current` new pods and keeps `keep` old ones."""
        await self._context.wait(0.05)
        meta, template = deployment["metadata"], deployment["spec"]["template"]
        mine = [
            rs
            for rs in self._context.of("ReplicaSet", meta["namespace"])
            if (controller_of(rs) or {}).get("uid") == meta["uid"]
        ]
        mine.sort(key=revision_of, reverse=True)
        newest = next((rs for rs in mine if _same_template(rs, deployment)), None)
        if newest is None:
            revision = max(revision_of(obj) for obj in (*mine, deployment)) + 1
            words = ("template", meta["namespace"], meta["name"], template)
            code, now = self._context.suffix(*words, size=10), self._context.now()
            newest = self._context.create(
                replica_set(deployment, template, code, now, 0, revision),
                FieldManager(CONTROLLER, now, ("spec", "metadata")),
                FieldManager(CONTROLLER, now + timedelta(seconds=20), ("status",), "status"),
            )
            shown = {REVISION: str(revision)}

            def show_revision(obj: Obj) -> None:
                obj["metadata"]["annotations"] = obj["metadata"].get("annotations", {}) | shown

            self._context.update(deployment, show_revision)
        for rs in mine:
            if rs is not newest and dig(rs, "spec", "replicas", default=0):
                await self._scale(rs, keep, deployment)
        wanted = int(dig(deployment, "spec", "replicas", default=1))
        await self._scale(newest, wanted if current is None else current, deployment)

    async def _scale(self, replicas: Obj, count: int, deployment: Obj) -> None:
        meta = replicas["metadata"]
        now = self._context.lookup("ReplicaSet", meta["namespace"], meta["name"])
        if now is None:
            return
        had = int(dig(now, "spec", "replicas", default=0))
        if had != count:
            self._context.update(now, lambda rs: rs["spec"].update(replicas=count))
            word = "up" if count > had else "down"
            text = f"Scaled {word} replica set {meta['name']} from {had} to {count}"
            self._context.record(deployment, "ScalingReplicaSet", text)
        await self.keep_count(replicas)

    # --- pods

    def _pods_of(self, owner: Obj) -> list[Obj]:
        uid, namespace = owner["metadata"]["uid"], owner["metadata"]["namespace"]
        pods = self._context.of("Pod", namespace)
        return [p for p in pods if is_active(p) and (controller_of(p) or {}).get("uid") == uid]

    async def keep_count(self, owner: Obj) -> None:
        """Create or delete pods until a ReplicaSet or StatefulSet has the wanted number. Deletes
        the youngest first, in numbered sets the highest number."""
        await self._context.wait(0.1)
        meta = owner["metadata"]
        now = self._context.lookup(owner["kind"], meta["namespace"], meta["name"])
        if now is None:
            return
        wanted, mine = int(dig(now, "spec", "replicas", default=1)), self._pods_of(now)
        mine.sort(key=lambda p: (created_at(p), str(p["metadata"]["name"])), reverse=True)
        taken = set(range(len(mine)))
        if owner["kind"] == "StatefulSet":
            mine.sort(key=ordinal, reverse=True)
            taken = {ordinal(pod) for pod in mine}
        for number in [n for n in range(wanted) if n not in taken]:
            if delay := self._context.creation_delay(now, number):
                await self._context.wait(delay)
            self.create_pod(now, number)
        for pod in mine[: max(0, len(mine) - wanted)]:
            self._context.record(now, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")
            self.delete_pod(pod)

    async def _cover_nodes(self, daemon: Obj) -> None:
        """One pod of a DaemonSet on each node that fits, once the node has joined."""
        await self._context.wait(0.1)
        covered = {dig(pod, "spec", "nodeName") for pod in self._pods_of(daemon)}
        spec = daemon["spec"]["template"]["spec"]
        spec = {**spec, "tolerations": [*spec.get("tolerations", []), *DAEMON_TOLERATIONS]}
        nodes = sorted(self._context.of("Node"), key=lambda n: str(n["metadata"]["name"]))
        for number, node in enumerate(nodes):
            if node["metadata"]["name"] not in covered and takes(node, spec):
                self._context.spawn(self._cover(daemon, number, node["metadata"]["name"]))

    async def _cover(self, daemon: Obj, number: int, node: str) -> None:
        if delay := self._context.creation_delay(daemon, number):
            await self._context.wait(delay)
        self.create_pod(daemon, number, node)

    def create_pod(self, owner: Obj, number: int, node: str = "") -> None:
        """Create the pod of this number, bound to `node` when given. Does nothing when the API
        server refuses pods or a pod has the name."""
        context, meta, kind = self._context, owner["metadata"], owner["kind"]
        namespace, now = meta["namespace"], context.now()
        numbered = kind == "StatefulSet"
        if numbered:
            tail = str(number)
        elif node:
            tail = context.suffix("ds", namespace, meta["name"], node)
        else:
            tail = context.suffix("pod", namespace, meta["name"], number)
        name = f"{meta['name']}-{tail}"
        if not context.admits_pods(owner) or context.lookup("Pod", namespace, name) is not None:
            return
        template = owner["spec"]["template"]
        if kind in {"StatefulSet", "DaemonSet"}:
            template = self._revised(owner, name if numbered else "", tail)
        pod = new_pod(
            namespace,
            name,
            template,
            now,
            node=node or context.pinned(owner, number),
            owner=owner,
            daemon=kind == "DaemonSet",
        )
        pod = context.create(pod, FieldManager(CONTROLLER, now, ("metadata", "spec")))
        context.record(owner, "SuccessfulCreate", created_pod(owner, name))
        context.spawn(self._kubelets.run(pod))

    def _revised(self, owner: Obj, pod: str, index: str) -> Obj:
        """The template of a StatefulSet or DaemonSet with the labels of its revision; for the
        numbered `pod` also with its identity and its volumes."""
        template: Obj = copy.deepcopy(owner["spec"]["template"])
        labels, spec = template["metadata"].setdefault("labels", {}), template["spec"]
        code = self._revision(owner)
        if not pod:
            generation = owner["metadata"].get("annotations", {}).get(_GENERATION, "1")
            labels |= {"controller-revision-hash": code, "pod-template-generation": generation}
            return template
        labels |= {
            "controller-revision-hash": f"{owner['metadata']['name']}-{code}",
            "statefulset.kubernetes.io/pod-name": pod,
            "apps.kubernetes.io/pod-index": index,
        }
        spec.update(hostname=pod, subdomain=owner["spec"].get("serviceName", ""))
        for claim in owner["spec"].get("volumeClaimTemplates") or []:
            name = claim["metadata"]["name"]
            source = {"name": name, "persistentVolumeClaim": {"claimName": f"{name}-{pod}"}}
            spec["volumes"] = [v for v in spec.get("volumes", []) if v["name"] != name] + [source]
            create_claim(self._context, owner, claim, f"{name}-{pod}")
        return template

    def _revision(self, owner: Obj) -> str:
        """The hash of the ControllerRevision of the present template, which is made when it is
        new and gets the highest number when it is an older one again."""
        context, meta, template = self._context, owner["metadata"], owner["spec"]["template"]
        known = [
            each
            for each in context.of("ControllerRevision", meta["namespace"])
            if (controller_of(each) or {}).get("uid") == meta["uid"]
        ]
        last = max((int(each["revision"]) for each in known), default=0)
        data = revision_data(owner)
        same = next((each for each in known if each["data"] == data), None)
        if same is not None:
            if int(same["revision"]) < last:
                context.update(same, lambda found: found.update(revision=last + 1))
            return str(same["metadata"]["labels"]["controller-revision-hash"])
        code = context.suffix("revision", meta["namespace"], meta["name"], template, size=9)
        first = int(meta.get("annotations", {}).get(_GENERATION, 1))
        made = controller_revision(owner, code, context.now(), max(first, last + 1))
        context.create(made, FieldManager(CONTROLLER, context.now()))
        return code

    def delete_pod(self, pod: Obj) -> None:
        """Mark a pod for deletion, with its grace period, and end it."""
        grace = int(pod["spec"].get("terminationGracePeriodSeconds", 30))
        end = rfc3339(self._context.now() + timedelta(seconds=grace))
        times = {"deletionTimestamp": end, "deletionGracePeriodSeconds": grace}
        marked = self._context.update(pod, lambda p: p["metadata"].update(times))
        if marked is not None:
            self._context.spawn(self.end_pod(marked))

    async def end_pod(self, pod: Obj) -> None:
        """Let the kubelet end a pod that is marked for deletion; its owner creates another."""
        if await self._kubelets.stop(pod):
            await self.replace(pod)

    async def replace(self, pod: Obj) -> None:
        """A new pod of the same owner in place of a deleted one."""
        ref, namespace = controller_of(pod), pod["metadata"]["namespace"]
        if ref is None or ref["kind"] not in {"ReplicaSet", "StatefulSet", "DaemonSet"}:
            return
        owner = self._context.lookup(ref["kind"], namespace, ref["name"])
        if owner is None or owner["metadata"]["uid"] != ref["uid"]:
            return
        if ref["kind"] == "DaemonSet":
            self.create_pod(owner, 0, dig(pod, "spec", "nodeName", default=""))
        else:
            await self.keep_count(owner)


def ordinal(pod: Obj) -> int:
    """The number of a StatefulSet's pod."""
    return int(pod["metadata"]["name"].rpartition("-")[2])


def _same_template(replicas: Obj, deployment: Obj) -> bool:
    def bare(obj: Obj) -> Obj:
        template = obj["spec"]["template"]
        meta = template.get("metadata", {})
        labels = {k: v for k, v in (meta.get("labels") or {}).items() if k != "pod-template-hash"}
        annotations = meta.get("annotations") or {}
        return {"labels": labels, "annotations": annotations, "spec": template["spec"]}

    return bare(replicas) == bare(deployment)
