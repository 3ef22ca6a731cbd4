"""The small part of kube-controller-manager that clients of a drill notice: replica counts,
roll-outs, replacement of deleted pods, garbage collection, the taint of a cordon."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import timedelta
from typing import Protocol

from drills.api.defaults import qos_class
from drills.api.kinds import Kind
from drills.api.objects import Obj, controller_of, dig, rfc3339
from drills.api.store import Entry
from drills.api.world import World
from drills.controllers.context import Backstage
from drills.controllers.status_sync import is_active

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"


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

    def __init__(self, stage: Backstage, kubelets: PodRunner) -> None:
        self._stage, self._kubelets = stage, kubelets

    def wrote(self, kind: Kind, before: Obj | None, entry: Entry) -> None:
        """Called after a client's create, update or patch."""
        self._stage.mark()
        if kind.plural == "pods":
            if before is None:
                self._stage.spawn(self._kubelets.run(entry.obj))
            elif dig(before, "spec", "ephemeralContainers") != dig(
                entry.obj, "spec", "ephemeralContainers"
            ):
                self._stage.spawn(self._kubelets.start_ephemeral(entry.obj))
        elif kind.plural in {"replicasets", "statefulsets"}:
            self._stage.spawn(self._keep_count(kind, entry.obj))
        elif kind.plural == "deployments":
            self._stage.spawn(self._roll(entry.obj))
        elif kind.plural == "nodes" and before is not None:
            self._follow_cordon(kind, before, entry)
        elif kind.plural == "services" and before is None:
            self._stage.mark()

    def deleted(self, kind: Kind, last: Entry, options: Obj) -> None:
        """Called after a client's delete; `options.gone` tells whether the object is already
        away."""
        self._stage.mark()
        obj = last.obj
        if kind.plural == "pods":
            if not options["gone"]:
                self._stage.spawn(self._end_pod(obj))
            else:
                self._replace_pod(obj)
        elif options["gone"]:
            self._collect(obj, str(options["propagationPolicy"]))
            if kind.plural == "namespaces":
                self._empty_namespace(obj["metadata"]["name"])

    def _follow_cordon(self, kind: Kind, before: Obj, entry: Entry) -> None:
        was, is_now = (
            bool(dig(o, "spec", "unschedulable", default=False)) for o in (before, entry.obj)
        )
        if was == is_now:
            return
        node = copy.deepcopy(entry.obj)
        taints = [
            t
            for t in node["spec"].get("taints", [])
            if t["key"] != "node.kubernetes.io/unschedulable"
        ]
        if is_now:
            taints.append(
                {
                    "key": "node.kubernetes.io/unschedulable",
                    "effect": "NoSchedule",
                    "timeAdded": rfc3339(self._stage.now()),
                }
            )
        node["spec"].pop("taints", None)
        if taints:
            node["spec"]["taints"] = taints
        self._stage.store.put(kind, node)
        word = "NodeNotSchedulable" if is_now else "NodeSchedulable"
        self._stage.record(node, word, f"Node {node['metadata']['name']} status is now: {word}")

    async def _end_pod(self, pod: Obj) -> None:
        if await self._kubelets.stop(pod):
            self._replace_pod(pod)

    def _replace_pod(self, pod: Obj) -> None:
        ref = controller_of(pod)
        if ref is None:
            return
        kind = self._stage.kinds.by_object(ref["apiVersion"], ref["kind"])
        if kind is None:
            return
        owner = self._stage.store.find(kind, pod["metadata"]["namespace"], ref["name"])
        if owner is None or owner.obj["metadata"]["uid"] != ref["uid"]:
            return
        if kind.plural in {"replicasets", "statefulsets"}:
            self._stage.spawn(self._keep_count(kind, owner.obj, model=pod))
        elif kind.plural == "daemonsets":
            self._create_pod(owner.obj, model=pod, node=dig(pod, "spec", "nodeName"))

    def _mine(self, owner: Obj) -> Iterator[Obj]:
        for entry in self._stage.store.entries(
            self._stage.kind("v1", "Pod"), owner["metadata"]["namespace"]
        ):
            ref = controller_of(entry.obj)
            if ref and ref["uid"] == owner["metadata"]["uid"] and is_active(entry.obj):
                yield entry.obj

    async def _keep_count(self, kind: Kind, owner: Obj, model: Obj | None = None) -> None:
        await self._stage.wait(0.1)
        entry = self._stage.store.find(
            kind, owner["metadata"]["namespace"], owner["metadata"]["name"]
        )
        if entry is None:
            return
        owner = entry.obj
        want, mine = int(dig(owner, "spec", "replicas", default=1)), list(self._mine(owner))
        for _ in range(want - len(mine)):
            self._create_pod(owner, model=model)
        pods = self._stage.kind("v1", "Pod")
        for pod in sorted(mine, key=lambda p: str(p["metadata"]["name"]), reverse=True)[
            : max(0, len(mine) - want)
        ]:
            victim = copy.deepcopy(pod)
            victim["metadata"]["deletionTimestamp"] = rfc3339(
                self._stage.now() + timedelta(seconds=30)
            )
            victim["metadata"]["deletionGracePeriodSeconds"] = 30
            self._stage.store.put(pods, victim)
            self._stage.record(owner, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")
            self._stage.spawn(self._end_pod(victim))
        self._stage.mark()

    def _create_pod(self, owner: Obj, model: Obj | None = None, node: str | None = None) -> None:
        meta = owner["metadata"]
        template = owner["spec"]["template"]
        labels = dict((model or template)["metadata"].get("labels") or {})
        name = f"{meta['name']}-" + "".join(self._stage.random.choices(_SUFFIX, k=5))
        if owner["kind"] == "StatefulSet":
            taken = {p["metadata"]["name"] for p in self._mine(owner)}
            name = next(
                f"{meta['name']}-{i}" for i in range(10_000) if f"{meta['name']}-{i}" not in taken
            )
        spec = copy.deepcopy(model["spec"] if model else template["spec"])
        spec.pop("nodeName", None)
        spec.pop("ephemeralContainers", None)
        if node:
            spec["nodeName"] = node
        uid = (
            f"{self._stage.random.getrandbits(32):08x}-{self._stage.random.getrandbits(16):04x}-4000-a000-"
            f"{self._stage.random.getrandbits(48):012x}"
        )
        now = self._stage.now()
        pod: Obj = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": meta["namespace"],
                "generateName": f"{meta['name']}-",
                "labels": labels,
                "uid": uid,
                "creationTimestamp": rfc3339(now),
                "generation": 1,
                "ownerReferences": [
                    {
                        "apiVersion": owner["apiVersion"],
                        "kind": owner["kind"],
                        "name": meta["name"],
                        "uid": meta["uid"],
                        "controller": True,
                        "blockOwnerDeletion": True,
                    }
                ],
            },
            "spec": spec,
            "status": {"phase": "Pending", "qosClass": qos_class(spec)},
        }
        scratch = World(now=now)
        scratch.add(pod)
        scratch.seal(pod)
        if (
            self._stage.store.find(self._stage.kind("v1", "Pod"), meta["namespace"], name)
            is not None
        ):
            return
        entry = self._stage.store.put(self._stage.kind("v1", "Pod"), pod)
        self._stage.record(owner, "SuccessfulCreate", f"Created pod: {name}")
        self._stage.spawn(self._kubelets.run(entry.obj))

    async def _roll(self, deployment: Obj) -> None:
        """Hand the replica count down to the newest ReplicaSet; make a new one when the template is
        new."""
        await self._stage.wait(0.05)
        kind = self._stage.kind("apps/v1", "ReplicaSet")
        meta = deployment["metadata"]
        mine = [
            e.obj
            for e in self._stage.store.entries(kind, meta["namespace"])
            if (r := controller_of(e.obj)) and r["uid"] == meta["uid"]
        ]
        mine.sort(
            key=lambda r: int(
                r["metadata"].get("annotations", {}).get("deployment.kubernetes.io/revision", 0)
            )
        )
        want = int(dig(deployment, "spec", "replicas", default=1))
        newest = next((r for r in reversed(mine) if _same_template(r, deployment)), None)
        if newest is None:
            newest = self._new_replica_set(deployment, len(mine) + 1)
        for rs in mine:
            if rs["metadata"]["uid"] != newest["metadata"]["uid"] and dig(
                rs, "spec", "replicas", default=0
            ):
                await self._scale_set(kind, rs, 0, deployment)
        await self._scale_set(kind, newest, want, deployment)

    async def _scale_set(self, kind: Kind, rs: Obj, count: int, deployment: Obj) -> None:
        entry = self._stage.store.find(kind, rs["metadata"]["namespace"], rs["metadata"]["name"])
        if entry is None:
            return
        had = int(dig(entry.obj, "spec", "replicas", default=0))
        if had != count:
            new = copy.deepcopy(entry.obj)
            new["spec"]["replicas"] = count
            self._stage.store.put(kind, new)
            self._stage.record(
                deployment,
                "ScalingReplicaSet",
                f"Scaled {'up' if count > had else 'down'} replica set {rs['metadata']['name']} "
                f"from {had} to {count}",
            )
        await self._keep_count(kind, rs)

    def _new_replica_set(self, deployment: Obj, number: int) -> Obj:
        meta, code = deployment["metadata"], "".join(self._stage.random.choices(_SUFFIX, k=10))
        template = copy.deepcopy(deployment["spec"]["template"])
        labels = {**(template.get("metadata", {}).get("labels") or {}), "pod-template-hash": code}
        template.setdefault("metadata", {})["labels"] = labels
        revision = int(
            meta.get("annotations", {}).get("deployment.kubernetes.io/revision", number)
        ) + (number > 1)
        scratch = World(now=self._stage.now())
        rs = scratch.add(
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": {
                    "name": f"{meta['name']}-{code}",
                    "namespace": meta["namespace"],
                    "labels": labels,
                    "generation": 1,
                    "creationTimestamp": rfc3339(self._stage.now()),
                    "annotations": {"deployment.kubernetes.io/revision": str(revision)},
                    "ownerReferences": [
                        {
                            "apiVersion": "apps/v1",
                            "kind": "Deployment",
                            "name": meta["name"],
                            "uid": meta["uid"],
                            "controller": True,
                            "blockOwnerDeletion": True,
                        }
                    ],
                },
                "spec": {
                    "replicas": 0,
                    "template": template,
                    "selector": {
                        "matchLabels": {
                            **deployment["spec"]["selector"].get("matchLabels", {}),
                            "pod-template-hash": code,
                        }
                    },
                },
                "status": {},
            }
        )
        scratch.seal(rs)
        return self._stage.store.put(self._stage.kind("apps/v1", "ReplicaSet"), rs).obj

    def _collect(self, owner: Obj, policy: str) -> None:
        uid = owner["metadata"]["uid"]
        for kind in self._stage.kinds:
            if kind.group == "events.k8s.io":
                continue
            for entry in self._stage.store.entries(kind):
                refs = entry.obj["metadata"].get("ownerReferences") or []
                if not any(r["uid"] == uid for r in refs):
                    continue
                left = [r for r in refs if r["uid"] != uid]
                obj = copy.deepcopy(entry.obj)
                if policy == "Orphan" or left:
                    obj["metadata"]["ownerReferences"] = left
                    self._stage.store.put(kind, obj)
                else:
                    self._remove(kind, obj, policy)

    def _remove(self, kind: Kind, obj: Obj, policy: str) -> None:
        meta = obj["metadata"]
        if kind.plural == "pods" and dig(obj, "spec", "nodeName"):
            meta["deletionTimestamp"] = rfc3339(self._stage.now() + timedelta(seconds=30))
            meta["deletionGracePeriodSeconds"] = 30
            self._stage.spawn(self._end_pod(self._stage.store.put(kind, obj).obj))
            return
        self._stage.store.remove(kind, meta.get("namespace", ""), meta["name"])
        self._collect(obj, policy)

    def _empty_namespace(self, name: str) -> None:
        for kind in self._stage.kinds:
            if kind.namespaced and kind.group != "events.k8s.io":
                for entry in self._stage.store.entries(kind, name):
                    self._stage.store.remove(kind, name, entry.obj["metadata"]["name"])


def _same_template(rs: Obj, deployment: Obj) -> bool:
    def bare(template: Obj) -> Obj:
        labels = {
            k: v
            for k, v in (template.get("metadata", {}).get("labels") or {}).items()
            if k != "pod-template-hash"
        }
        annotations = template.get("metadata", {}).get("annotations") or {}
        return {"labels": labels, "annotations": annotations, "spec": template["spec"]}

    return bare(rs["spec"]["template"]) == bare(deployment["spec"]["template"])
