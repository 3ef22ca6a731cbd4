"""The part of kube-controller-manager that clients of a drill notice: replica counts, roll-outs,
replacement of deleted pods, garbage collection, the taint of a cordon."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Protocol

from drills.api.defaults import qos_class
from drills.api.kinds import Kind
from drills.api.managed_fields import first_entries
from drills.api.objects import Obj, controller_of, dig, is_active, rfc3339, stable_uid
from drills.api.store import Entry
from drills.controllers.context import ControllerContext
from drills.controllers.events import created_pod
from drills.controllers.new_objects import new_pod, replica_set, revision_of, template_of

_GRACE_SECONDS = 30
_CORDON = "node.kubernetes.io/unschedulable"


class PodRunner(Protocol):
    """What the controllers ask of kubelets; `drills.pods.kubelet` fulfils it."""

    async def run(self, pod: Obj) -> None:
        """Start a pod that was created."""

    async def start_ephemeral(self, pod: Obj) -> None:
        """Start ephemeral containers that have no status yet."""

    async def stop(self, pod: Obj) -> bool:
        """End a pod that is marked for deletion; True when it is gone."""


class Controllers:
    """Reacts to writes and deletions by clients."""

    def __init__(self, context: ControllerContext, kubelets: PodRunner) -> None:
        self._context, self._store, self._kubelets = context, context.store, kubelets

    def wrote(self, kind: Kind, before: Obj | None, entry: Entry) -> None:
        """Called after a client's create, update or patch."""
        self._context.mark()
        obj = entry.obj
        if kind.plural == "pods":
            field = ("spec", "ephemeralContainers")
            if before is None:
                self._context.spawn(self._kubelets.run(obj))
            elif dig(before, *field) != dig(obj, *field):
                self._context.spawn(self._kubelets.start_ephemeral(obj))
        elif kind.plural in {"replicasets", "statefulsets"}:
            self._context.spawn(self._keep_count(obj))
        elif kind.plural == "deployments":
            self._context.spawn(self._roll_out(obj))
        elif kind.plural == "nodes" and before is not None:
            self._follow_cordon(before, obj)

    def deleted(self, kind: Kind, last: Entry, options: Obj) -> None:
        """Called after a client's delete; `options.gone`: the object is already away."""
        self._context.mark()
        obj = last.obj
        if kind.plural == "pods":
            if options["gone"]:
                self._replace_pod(obj)
            else:
                self._context.spawn(self._end_pod(obj))
        elif options["gone"]:
            self._collect(obj, str(options["propagationPolicy"]))
            if kind.plural == "namespaces":
                self._empty_namespace(obj["metadata"]["name"])

    def _follow_cordon(self, before: Obj, node: Obj) -> None:
        cordoned = bool(dig(node, "spec", "unschedulable"))
        if bool(dig(before, "spec", "unschedulable")) == cordoned:
            return
        node = copy.deepcopy(node)
        taints = [t for t in node["spec"].pop("taints", []) if t["key"] != _CORDON]
        if cordoned:
            now = rfc3339(self._context.now())
            taints.append({"key": _CORDON, "effect": "NoSchedule", "timeAdded": now})
        if taints:
            node["spec"]["taints"] = taints
        self._store.save(node)
        word = "NodeNotSchedulable" if cordoned else "NodeSchedulable"
        self._context.record(node, word, f"Node {node['metadata']['name']} status is now: {word}")

    # --- pods

    async def _end_pod(self, pod: Obj) -> None:
        if await self._kubelets.stop(pod):
            self._replace_pod(pod)

    def _mark_deleted(self, pod: Obj) -> None:
        pod = copy.deepcopy(pod)
        end = self._context.now() + timedelta(seconds=_GRACE_SECONDS)
        pod["metadata"]["deletionTimestamp"] = rfc3339(end)
        pod["metadata"]["deletionGracePeriodSeconds"] = _GRACE_SECONDS
        self._context.spawn(self._end_pod(self._store.save(pod)))

    def _replace_pod(self, pod: Obj) -> None:
        ref = controller_of(pod)
        kind = self._store.kinds.by_object(ref["apiVersion"], ref["kind"]) if ref else None
        if ref is None or kind is None:
            return
        owner = self._store.find(kind, pod["metadata"]["namespace"], ref["name"])
        if owner is None or owner.obj["metadata"]["uid"] != ref["uid"]:
            return
        if kind.plural in {"replicasets", "statefulsets"}:
            self._context.spawn(self._keep_count(owner.obj, like=pod))
        elif kind.plural == "daemonsets":
            self._create_pod(owner.obj, like=pod, node=dig(pod, "spec", "nodeName"))

    def _pods_of(self, owner: Obj) -> list[Obj]:
        uid, namespace = owner["metadata"]["uid"], owner["metadata"]["namespace"]
        pods = self._store.of("Pod", namespace)
        return [p for p in pods if is_active(p) and (controller_of(p) or {}).get("uid") == uid]

    async def _keep_count(self, owner: Obj, like: Obj | None = None) -> None:
        """Create or delete pods until there are as many as wanted; new ones are made `like` a pod
        that went."""
        await self._context.wait(0.1)
        meta = owner["metadata"]
        now = self._store.lookup(owner["kind"], meta["namespace"], meta["name"])
        if now is None:
            return
        wanted, mine = int(dig(now, "spec", "replicas", default=1)), self._pods_of(now)
        for _ in range(wanted - len(mine)):
            self._create_pod(now, like=like)
        mine.sort(key=lambda p: str(p["metadata"]["name"]), reverse=True)
        for pod in mine[: max(0, len(mine) - wanted)]:
            self._context.record(now, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")
            self._mark_deleted(pod)
        self._context.mark()

    def _create_pod(self, owner: Obj, like: Obj | None = None, node: str = "") -> None:
        meta, kind = owner["metadata"], owner["kind"]
        name = f"{meta['name']}-{self._context.suffix()}"
        if kind == "StatefulSet":
            taken = {p["metadata"]["name"] for p in self._pods_of(owner)}
            numbered = (f"{meta['name']}-{i}" for i in range(len(taken) + 1))
            name = next(n for n in numbered if n not in taken)
        if self._store.lookup("Pod", meta["namespace"], name) is not None:
            return
        template = template_of(like) if like else owner["spec"]["template"]
        daemon = kind == "DaemonSet"
        pod = new_pod(
            meta["namespace"],
            name,
            template,
            self._context.now(),
            node=node,
            owner=owner,
            daemon=daemon,
        )
        pod = self._add(pod)
        self._context.record(owner, "SuccessfulCreate", created_pod(owner, name))
        self._context.spawn(self._kubelets.run(pod))

    def _add(self, obj: Obj) -> Obj:
        """Store an object that a controller made."""
        meta = obj["metadata"]
        meta["uid"] = stable_uid(self._context.random.getrandbits(64))
        if obj["kind"] == "Pod":
            obj["status"] = {"phase": "Pending", "qosClass": qos_class(obj["spec"])}
        meta["managedFields"] = first_entries(obj)
        return self._store.save(obj)

    # --- Deployments

    async def _roll_out(self, deployment: Obj) -> None:
        """Hand the replica count down to the newest ReplicaSet; make a new one when the template is
        new."""
        await self._context.wait(0.05)
        meta = deployment["metadata"]
        mine = [
            rs
            for rs in self._store.of("ReplicaSet", meta["namespace"])
            if (controller_of(rs) or {}).get("uid") == meta["uid"]
        ]
        mine.sort(key=revision_of, reverse=True)
        newest = next((rs for rs in mine if _same_template(rs, deployment)), None)
        if newest is None:
            revision = max((revision_of(rs) for rs in mine), default=0) + 1
            template, now = deployment["spec"]["template"], self._context.now()
            made = replica_set(deployment, template, self._context.suffix(10), now, 0, revision)
            newest = self._add(made)
        for rs in mine:
            if rs is not newest and dig(rs, "spec", "replicas", default=0):
                await self._scale(rs, 0, deployment)
        await self._scale(newest, int(dig(deployment, "spec", "replicas", default=1)), deployment)

    async def _scale(self, replicas: Obj, count: int, deployment: Obj) -> None:
        name = replicas["metadata"]["name"]
        now = self._store.lookup("ReplicaSet", replicas["metadata"]["namespace"], name)
        if now is None:
            return
        had = int(dig(now, "spec", "replicas", default=0))
        if had != count:
            self._store.save({**copy.deepcopy(now), "spec": {**now["spec"], "replicas": count}})
            word = "up" if count > had else "down"
            text = f"Scaled {word} replica set {name} from {had} to {count}"
            self._context.record(deployment, "ScalingReplicaSet", text)
        await self._keep_count(replicas)

    # --- garbage collection

    def _collect(self, owner: Obj, policy: str) -> None:
        """What the garbage collector does once an owner is gone. `policy` is the propagation
        policy: with Orphan dependants stay."""
        uid = owner["metadata"]["uid"]
        for kind in self._store.kinds:
            for entry in self._store.entries(kind):
                refs = entry.obj["metadata"].get("ownerReferences") or []
                left = [r for r in refs if r["uid"] != uid]
                if len(left) == len(refs):
                    continue
                obj = copy.deepcopy(entry.obj)
                if policy == "Orphan" or left:
                    obj["metadata"]["ownerReferences"] = left
                    self._store.put(kind, obj)
                elif kind.plural == "pods" and dig(obj, "spec", "nodeName"):
                    self._mark_deleted(obj)
                else:
                    meta = obj["metadata"]
                    self._store.remove(kind, meta.get("namespace", ""), meta["name"])
                    self._collect(obj, policy)

    def _empty_namespace(self, name: str) -> None:
        for kind in self._store.kinds:
            if kind.namespaced:
                for entry in self._store.entries(kind, name):
                    self._store.remove(kind, name, entry.obj["metadata"]["name"])


def _same_template(replicas: Obj, deployment: Obj) -> bool:
    def bare(obj: Obj) -> Obj:
        template = obj["spec"]["template"]
        meta = template.get("metadata", {})
        labels = {k: v for k, v in (meta.get("labels") or {}).items() if k != "pod-template-hash"}
        annotations = meta.get("annotations") or {}
        return {"labels": labels, "annotations": annotations, "spec": template["spec"]}

    return bare(replicas) == bare(deployment)
