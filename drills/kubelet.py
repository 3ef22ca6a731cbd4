"""A stand-in for scheduler, kubelets and the small part of the controllers that clients notice: pods that are created
start after a moment, deleted ones go after their grace, ReplicaSets and StatefulSets keep their numbers, leases move on.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Coroutine, Iterable, Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from drills.defaults import qos_class
from drills.expand.events import add_event
from drills.expand.pods import next_address, node_address, running_container
from drills.expand.world import World
from drills.kinds import Kind, KindTable
from drills.objects import Obj, condition, controller_of, dig, parse_time, rfc3339, rfc3339_micro
from drills.settle import is_active, settle
from drills.store import Entry, Store

_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
_START_SECONDS, _STOP_SECONDS, _LEASE_SECONDS = 0.4, 0.5, 10.0


class Kubelets:
    """Reacts to writes by clients. `world` gives addresses and whether images can be pulled; `speed` shortens delays."""

    def __init__(self, store: Store, kinds: KindTable, world: World, now: Callable[[], datetime], random: Random,
                 speed: float) -> None:
        self._store, self._kinds, self._world = store, kinds, world
        self._now, self._random, self._speed = now, random, max(speed, 0.001)
        self._tasks: set[asyncio.Task[None]] = set()
        self._dirty = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.keep_leases = True

    def use(self, world: World) -> None:
        """Take addresses from another world."""
        self._world = world

    def kind(self, api_version: str, kind: str) -> Kind:
        found = self._kinds.by_object(api_version, kind)
        assert found is not None
        return found

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._spawn(self._settle_forever())
        self._spawn(self._renew_leases())

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- reactions -----------------------------------------------------------------------------------------------

    def wrote(self, kind: Kind, before: Obj | None, entry: Entry) -> None:
        """Called after a client's create, update or patch."""
        self._dirty.set()
        if kind.plural == "pods":
            if before is None:
                self._spawn(self._run_pod(entry.obj))
            elif dig(before, "spec", "ephemeralContainers") != dig(entry.obj, "spec", "ephemeralContainers"):
                self._spawn(self._start_ephemeral(entry.obj))
        elif kind.plural in {"replicasets", "statefulsets"}:
            self._spawn(self._keep_count(kind, entry.obj))
        elif kind.plural == "deployments":
            self._spawn(self._roll(entry.obj))
        elif kind.plural == "nodes" and before is not None:
            self._follow_cordon(kind, before, entry)
        elif kind.plural == "services" and before is None:
            self._dirty.set()

    def deleted(self, kind: Kind, last: Entry, options: Obj) -> None:
        """Called after a client's delete; `options.gone` tells whether the object is already away."""
        self._dirty.set()
        obj = last.obj
        if kind.plural == "pods":
            if not options["gone"]:
                self._spawn(self._stop_pod(obj))
            else:
                self._replace_pod(obj)
        elif options["gone"]:
            self._collect(obj, str(options["propagationPolicy"]))
            if kind.plural == "namespaces":
                self._empty_namespace(obj["metadata"]["name"])

    def _follow_cordon(self, kind: Kind, before: Obj, entry: Entry) -> None:
        was, is_now = (bool(dig(o, "spec", "unschedulable", default=False)) for o in (before, entry.obj))
        if was == is_now:
            return
        node = copy.deepcopy(entry.obj)
        taints = [t for t in node["spec"].get("taints", []) if t["key"] != "node.kubernetes.io/unschedulable"]
        if is_now:
            taints.append({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule",
                           "timeAdded": rfc3339(self._now())})
        node["spec"].pop("taints", None)
        if taints:
            node["spec"]["taints"] = taints
        self._store.put(kind, node)
        word = "NodeNotSchedulable" if is_now else "NodeSchedulable"
        self._record(node, word, f"Node {node['metadata']['name']} status is now: {word}")

    # --- pods ----------------------------------------------------------------------------------------------------

    def _record(self, obj: Obj, reason: str, message: str, *, warning: bool = False, component: str = "",
                container: str = "", count: int = 1) -> None:
        scratch = World(now=self._now(), seed=self._random.getrandbits(30))
        event = add_event(scratch, obj, reason, message, kind="Warning" if warning else "Normal", first=self._now(),
                          component=component, container=container, count=count)
        if event is not None:
            scratch.seal(event)
            self._store.put(self.kind("v1", "Event"), event)

    def _change_pod(self, namespace: str, name: str, uid: str, change: Callable[[Obj], None]) -> Obj | None:
        kind = self.kind("v1", "Pod")
        with self._store.transaction():
            entry = self._store.find(kind, namespace, name)
            if entry is None or entry.obj["metadata"]["uid"] != uid:
                return None
            pod = copy.deepcopy(entry.obj)
            change(pod)
            self._dirty.set()
            return self._store.put(kind, pod).obj

    async def _wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)

    async def _run_pod(self, pod: Obj) -> None:
        meta = pod["metadata"]
        here = (meta["namespace"], meta["name"], meta["uid"])
        node = dig(pod, "spec", "nodeName") or self._schedule(pod)
        if node is None:
            total = self._store.count(self.kind("v1", "Node"))
            text = f"0/{total} nodes are available: {total} node(s) didn't match Pod's node affinity/selector. " \
                   f"preemption: 0/{total} nodes are available: {total} Preemption is not helpful for scheduling."
            self._change_pod(*here, lambda p: p["status"].update(conditions=[
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": text,
                 "lastProbeTime": None, "lastTransitionTime": rfc3339(self._now())}]))
            self._record(pod, "FailedScheduling", text, warning=True, component="default-scheduler")
            return
        await self._wait(_START_SECONDS / 2)
        bound = self._change_pod(*here, lambda p: self._bind(p, node))
        if bound is None:
            return
        self._record(bound, "Scheduled", f"Successfully assigned {here[0]}/{here[1]} to {node}",
                     component="default-scheduler")
        if not self._node_works(node):
            return
        await self._wait(_START_SECONDS / 2)
        blocked = next((c for c in pod["spec"]["containers"] if not self._has_image(node, c)), None)
        if blocked is not None:
            await self._back_off(bound, blocked)
            return
        started = self._change_pod(*here, lambda p: self._start(p, node))
        if started is None:
            return
        for container in started["spec"]["containers"]:
            name = container["name"]
            self._record(started, "Pulled", f'Container image "{container["image"]}" already present on machine',
                         container=name)
            self._record(started, "Created", f"Created container: {name}", container=name)
            self._record(started, "Started", f"Started container {name}", container=name)
        if limit := dig(started, "spec", "activeDeadlineSeconds"):
            await asyncio.sleep(float(limit))
            self._change_pod(*here, self._exceed_deadline)

    def _bind(self, pod: Obj, node: str) -> None:
        pod["spec"]["nodeName"] = node
        pod["status"].setdefault("conditions", []).append(
            {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "observedGeneration": 1,
             "lastTransitionTime": rfc3339(self._now())})

    def _schedule(self, pod: Obj) -> str | None:
        spec = pod["spec"]
        names = [n for n in self._store.entries(self.kind("v1", "Node")) if self._tolerated(n.obj, spec)
                 and self._node_works(n.obj["metadata"]["name"]) and _fits_affinity(n.obj, spec)]
        if not names:
            return None
        load: dict[str, int] = {n.obj["metadata"]["name"]: 0 for n in names}
        for entry in self._store.entries(self.kind("v1", "Pod")):
            where = dig(entry.obj, "spec", "nodeName")
            if where in load:
                load[where] += 1
        return min(load, key=lambda n: (load[n], n))

    @staticmethod
    def _tolerated(node: Obj, spec: Obj) -> bool:
        for taint in dig(node, "spec", "taints", default=[]):
            if taint["effect"] == "PreferNoSchedule":
                continue
            if not any((t.get("key") in {None, "", taint["key"]}) and t.get("effect") in {None, "", taint["effect"]}
                       and (t.get("operator") == "Exists" or t.get("value", "") == taint.get("value", ""))
                       for t in spec.get("tolerations", [])):
                return False
        return True

    def _node_works(self, node: str) -> bool:
        entry = self._store.find(self.kind("v1", "Node"), "", node)
        ready = condition(entry.obj, "Ready") if entry else None
        # a node without addresses for pods is one that a client wrote: it has no kubelet here
        return entry is not None and bool(dig(entry.obj, "spec", "podCIDR")) and ready is not None and ready["status"] == "True"

    def _has_image(self, node: str, container: Obj) -> bool:
        policy = container.get("imagePullPolicy")
        if self._world.pullable and policy != "Never":
            return True
        entry = self._store.find(self.kind("v1", "Node"), "", node)
        names = {n for i in dig(entry.obj if entry else {}, "status", "images", default=[]) for n in i["names"]}
        present = container["image"] in names or f"docker.io/library/{container['image']}" in names
        return present and (policy != "Always" or self._world.pullable)

    async def _back_off(self, pod: Obj, container: Obj) -> None:
        meta, image = pod["metadata"], container["image"]
        here = (meta["namespace"], meta["name"], meta["uid"])
        host = image.split("/", 1)[0]
        why = f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": failed to do request: ' \
              f'Head "https://{host}/v2/": dial tcp: lookup {host}: i/o timeout'
        never = container.get("imagePullPolicy") == "Never"
        reason = "ErrImageNeverPull" if never else "ErrImagePull"
        text = f'Container image "{image}" is not present with pull policy of Never' if never else why

        def wait_for_image(p: Obj) -> None:
            self._start(p, p["spec"]["nodeName"])
            p["status"]["phase"] = "Pending"
            for s in p["status"]["containerStatuses"]:
                s.update(state={"waiting": {"reason": reason, "message": text}}, ready=False, started=False, imageID="")
                s.pop("containerID", None)
            for c in p["status"]["conditions"]:
                if c["type"] in {"Ready", "ContainersReady"}:
                    c.update(status="False", reason="ContainersNotReady")
        self._change_pod(*here, wait_for_image)
        if never:
            self._record(pod, "ErrImageNeverPull", text, warning=True)
            return
        self._record(pod, "Pulling", f'Pulling image "{image}"')
        self._record(pod, "Failed", f'Failed to pull image "{image}": {text}', warning=True)
        self._record(pod, "Failed", "Error: ErrImagePull", warning=True)
        await self._wait(1.0)

        def back_off(p: Obj) -> None:
            for s in p["status"]["containerStatuses"]:
                s["state"] = {"waiting": {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}"'}}
        if self._change_pod(*here, back_off) is not None:
            self._record(pod, "BackOff", f'Back-off pulling image "{image}"')
            self._record(pod, "Failed", "Error: ImagePullBackOff", warning=True)

    def _start(self, pod: Obj, node: str) -> None:
        now = rfc3339(self._now())
        self._world.objects.setdefault(("Node", "", node), {})
        entry = self._store.find(self.kind("v1", "Node"), "", node)
        if entry is not None:
            self._world.objects[("Node", "", node)] = entry.obj
        host = node_address(self._world, node)
        ip = host if pod["spec"].get("hostNetwork") else next_address(self._world, node)
        gates = [g["conditionType"] for g in pod["spec"].get("readinessGates") or []]
        ready = not gates
        status = pod["status"]
        kept = [c for c in status.get("conditions", []) if c["type"] == "PodScheduled"]
        stamp = {"lastProbeTime": None, "lastTransitionTime": now, "observedGeneration": 1}
        blocked = {"reason": "ReadinessGatesNotReady",
                   "message": f'corresponding condition of pod readiness gate "{gates[0]}" does not exist.'} if gates else {}
        status.update(
            phase="Running", hostIP=host, hostIPs=[{"ip": host}], podIP=ip, podIPs=[{"ip": ip}], startTime=now,
            qosClass=qos_class(pod["spec"]), observedGeneration=1,
            containerStatuses=[running_container(pod, c, now) for c in pod["spec"]["containers"]],
            conditions=[{"type": "PodReadyToStartContainers", "status": "True", **stamp},
                        {"type": "Initialized", "status": "True", **stamp},
                        {"type": "Ready", "status": "True" if ready else "False", **stamp, **blocked},
                        {"type": "ContainersReady", "status": "True", **stamp}, *kept])
        if pod["spec"]["containers"] and self._short_lived(pod):
            self._finish(pod)

    @staticmethod
    def _short_lived(pod: Obj) -> bool:
        words = " ".join([*(pod["spec"]["containers"][0].get("command") or []),
                          *(pod["spec"]["containers"][0].get("args") or [])])
        return words in {"true", "/bin/true"} or words.startswith("echo ")

    def _finish(self, pod: Obj) -> None:
        now = rfc3339(self._now())
        pod["status"]["phase"] = "Succeeded"
        for s in pod["status"]["containerStatuses"]:
            s.update(ready=False, started=False, state={"terminated": {
                "exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now, "containerID": s["containerID"]}})
        for c in pod["status"]["conditions"]:
            if c["type"] in {"Ready", "ContainersReady"}:
                c.update(status="False", reason="PodCompleted")

    def _exceed_deadline(self, pod: Obj) -> None:
        if dig(pod, "status", "phase") not in {"Succeeded", "Failed"}:
            self._finish(pod)
            pod["status"].update(phase="Failed", reason="DeadlineExceeded",
                                 message="Pod was active on the node longer than the specified deadline")

    async def _start_ephemeral(self, pod: Obj) -> None:
        await self._wait(_START_SECONDS)
        meta = pod["metadata"]

        def start(p: Obj) -> None:
            have = {s["name"] for s in p["status"].get("ephemeralContainerStatuses", [])}
            for container in p["spec"].get("ephemeralContainers", []):
                if container["name"] in have:
                    continue
                shown = running_container(p, container, rfc3339(self._now()))
                shown.update(ready=False)
                if not self._has_image(p["spec"].get("nodeName", ""), container):
                    shown.update(state={"waiting": {"reason": "ImagePullBackOff", "message":
                                                    f'Back-off pulling image "{container["image"]}"'}}, imageID="")
                    shown.pop("containerID", None)
                p["status"].setdefault("ephemeralContainerStatuses", []).append(shown)
        self._change_pod(meta["namespace"], meta["name"], meta["uid"], start)

    async def _stop_pod(self, pod: Obj) -> None:
        meta = pod["metadata"]
        node = dig(pod, "spec", "nodeName", default="")
        if node and not self._node_works(node):
            return  # nobody there to stop it: it stays Terminating, as in life
        for s in dig(pod, "status", "containerStatuses", default=[]):
            if "running" in s.get("state", {}):
                self._record(pod, "Killing", f"Stopping container {s['name']}", container=s["name"])
        await self._wait(_STOP_SECONDS)
        kind = self.kind("v1", "Pod")
        with self._store.transaction():
            entry = self._store.find(kind, meta["namespace"], meta["name"])
            if entry is None or entry.obj["metadata"]["uid"] != meta["uid"] or entry.obj["metadata"].get("finalizers"):
                return
            self._store.remove(kind, meta["namespace"], meta["name"])
        self._dirty.set()
        self._replace_pod(pod)

    def _replace_pod(self, pod: Obj) -> None:
        ref = controller_of(pod)
        if ref is None:
            return
        kind = self._kinds.by_object(ref["apiVersion"], ref["kind"])
        if kind is None:
            return
        owner = self._store.find(kind, pod["metadata"]["namespace"], ref["name"])
        if owner is None or owner.obj["metadata"]["uid"] != ref["uid"]:
            return
        if kind.plural in {"replicasets", "statefulsets"}:
            self._spawn(self._keep_count(kind, owner.obj, model=pod))
        elif kind.plural == "daemonsets":
            self._create_pod(owner.obj, model=pod, node=dig(pod, "spec", "nodeName"))

    def _mine(self, owner: Obj) -> Iterator[Obj]:
        for entry in self._store.entries(self.kind("v1", "Pod"), owner["metadata"]["namespace"]):
            ref = controller_of(entry.obj)
            if ref and ref["uid"] == owner["metadata"]["uid"] and is_active(entry.obj):
                yield entry.obj

    async def _keep_count(self, kind: Kind, owner: Obj, model: Obj | None = None) -> None:
        await self._wait(0.1)
        entry = self._store.find(kind, owner["metadata"]["namespace"], owner["metadata"]["name"])
        if entry is None:
            return
        owner = entry.obj
        want, mine = int(dig(owner, "spec", "replicas", default=1)), list(self._mine(owner))
        for _ in range(want - len(mine)):
            self._create_pod(owner, model=model)
        pods = self.kind("v1", "Pod")
        for pod in sorted(mine, key=lambda p: str(p["metadata"]["name"]), reverse=True)[: max(0, len(mine) - want)]:
            victim = copy.deepcopy(pod)
            victim["metadata"]["deletionTimestamp"] = rfc3339(self._now() + timedelta(seconds=30))
            victim["metadata"]["deletionGracePeriodSeconds"] = 30
            self._store.put(pods, victim)
            self._record(owner, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")
            self._spawn(self._stop_pod(victim))
        self._dirty.set()

    def _create_pod(self, owner: Obj, model: Obj | None = None, node: str | None = None) -> None:
        meta = owner["metadata"]
        template = owner["spec"]["template"]
        labels = dict((model or template)["metadata"].get("labels") or {})
        name = f"{meta['name']}-" + "".join(self._random.choices(_SUFFIX, k=5))
        if owner["kind"] == "StatefulSet":
            taken = {p["metadata"]["name"] for p in self._mine(owner)}
            name = next(f"{meta['name']}-{i}" for i in range(10_000) if f"{meta['name']}-{i}" not in taken)
        spec = copy.deepcopy(model["spec"] if model else template["spec"])
        spec.pop("nodeName", None)
        spec.pop("ephemeralContainers", None)
        if node:
            spec["nodeName"] = node
        uid = f"{self._random.getrandbits(32):08x}-{self._random.getrandbits(16):04x}-4000-a000-" \
              f"{self._random.getrandbits(48):012x}"
        now = self._now()
        pod: Obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {
            "name": name, "namespace": meta["namespace"], "generateName": f"{meta['name']}-", "labels": labels, "uid": uid,
            "creationTimestamp": rfc3339(now), "generation": 1,
            "ownerReferences": [{"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"],
                                 "uid": meta["uid"], "controller": True, "blockOwnerDeletion": True}]},
            "spec": spec, "status": {"phase": "Pending", "qosClass": qos_class(spec)}}
        scratch = World(now=now)
        scratch.add(pod)
        scratch.seal(pod)
        if self._store.find(self.kind("v1", "Pod"), meta["namespace"], name) is not None:
            return
        entry = self._store.put(self.kind("v1", "Pod"), pod)
        self._record(owner, "SuccessfulCreate", f"Created pod: {name}")
        self._spawn(self._run_pod(entry.obj))

    async def _roll(self, deployment: Obj) -> None:
        """Hand the replica count down to the newest ReplicaSet; make a new one when the template is new."""
        await self._wait(0.05)
        kind = self.kind("apps/v1", "ReplicaSet")
        meta = deployment["metadata"]
        mine = [e.obj for e in self._store.entries(kind, meta["namespace"])
                if (r := controller_of(e.obj)) and r["uid"] == meta["uid"]]
        mine.sort(key=lambda r: int(r["metadata"].get("annotations", {}).get("deployment.kubernetes.io/revision", 0)))
        want = int(dig(deployment, "spec", "replicas", default=1))
        newest = next((r for r in reversed(mine) if _same_template(r, deployment)), None)
        if newest is None:
            newest = self._new_replica_set(deployment, len(mine) + 1)
        for rs in mine:
            if rs["metadata"]["uid"] != newest["metadata"]["uid"] and dig(rs, "spec", "replicas", default=0):
                await self._scale_set(kind, rs, 0, deployment)
        await self._scale_set(kind, newest, want, deployment)

    async def _scale_set(self, kind: Kind, rs: Obj, count: int, deployment: Obj) -> None:
        entry = self._store.find(kind, rs["metadata"]["namespace"], rs["metadata"]["name"])
        if entry is None:
            return
        had = int(dig(entry.obj, "spec", "replicas", default=0))
        if had != count:
            new = copy.deepcopy(entry.obj)
            new["spec"]["replicas"] = count
            self._store.put(kind, new)
            self._record(deployment, "ScalingReplicaSet", f"Scaled {'up' if count > had else 'down'} replica set "
                         f"{rs['metadata']['name']} from {had} to {count}")
        await self._keep_count(kind, rs)

    def _new_replica_set(self, deployment: Obj, number: int) -> Obj:
        meta, code = deployment["metadata"], "".join(self._random.choices(_SUFFIX, k=10))
        template = copy.deepcopy(deployment["spec"]["template"])
        labels = {**(template.get("metadata", {}).get("labels") or {}), "pod-template-hash": code}
        template.setdefault("metadata", {})["labels"] = labels
        revision = int(meta.get("annotations", {}).get("deployment.kubernetes.io/revision", number)) + (number > 1)
        scratch = World(now=self._now())
        rs = scratch.add({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {
            "name": f"{meta['name']}-{code}", "namespace": meta["namespace"], "labels": labels, "generation": 1,
            "creationTimestamp": rfc3339(self._now()), "annotations": {"deployment.kubernetes.io/revision": str(revision)},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": meta["name"], "uid": meta["uid"],
                                 "controller": True, "blockOwnerDeletion": True}]},
            "spec": {"replicas": 0, "template": template, "selector": {"matchLabels": {
                **deployment["spec"]["selector"].get("matchLabels", {}), "pod-template-hash": code}}}, "status": {}})
        scratch.seal(rs)
        return self._store.put(self.kind("apps/v1", "ReplicaSet"), rs).obj

    # --- garbage collection ----------------------------------------------------------------------------------------

    def _collect(self, owner: Obj, policy: str) -> None:
        uid = owner["metadata"]["uid"]
        for kind in self._kinds:
            if kind.group == "events.k8s.io":
                continue
            for entry in self._store.entries(kind):
                refs = entry.obj["metadata"].get("ownerReferences") or []
                if not any(r["uid"] == uid for r in refs):
                    continue
                left = [r for r in refs if r["uid"] != uid]
                obj = copy.deepcopy(entry.obj)
                if policy == "Orphan" or left:
                    obj["metadata"]["ownerReferences"] = left
                    self._store.put(kind, obj)
                else:
                    self._remove(kind, obj, policy)

    def _remove(self, kind: Kind, obj: Obj, policy: str) -> None:
        meta = obj["metadata"]
        if kind.plural == "pods" and dig(obj, "spec", "nodeName"):
            meta["deletionTimestamp"] = rfc3339(self._now() + timedelta(seconds=30))
            meta["deletionGracePeriodSeconds"] = 30
            self._spawn(self._stop_pod(self._store.put(kind, obj).obj))
            return
        self._store.remove(kind, meta.get("namespace", ""), meta["name"])
        self._collect(obj, policy)

    def _empty_namespace(self, name: str) -> None:
        for kind in self._kinds:
            if kind.namespaced and kind.group != "events.k8s.io":
                for entry in self._store.entries(kind, name):
                    self._store.remove(kind, name, entry.obj["metadata"]["name"])

    # --- background work -----------------------------------------------------------------------------------------

    def mark(self) -> None:
        """Something changed that counts and endpoints depend on."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._dirty.set)

    async def _settle_forever(self) -> None:
        while True:
            await self._dirty.wait()
            await asyncio.sleep(0.05)
            self._dirty.clear()
            for obj, fields in settle(self._of, self._now()):
                self._store.put(self.kind(obj["apiVersion"], obj["kind"]), copy.deepcopy({**obj, **fields}))

    def _of(self, name: str) -> Iterable[Obj]:
        kind = next(k for k in self._kinds if k.kind == name and k.group != "events.k8s.io")
        return [e.obj for e in self._store.entries(kind)]

    async def _renew_leases(self) -> None:
        """Node leases move on while their node reports; each at its own moment of the ten seconds."""
        kind = self.kind("coordination.k8s.io/v1", "Lease")
        while True:
            await asyncio.sleep(1.0)
            if not self.keep_leases:
                continue
            now = self._now()
            for entry in self._store.entries(kind):
                lease = entry.obj
                if lease["metadata"]["namespace"] == "kube-node-lease" and not self._node_reports(lease):
                    continue
                if lease["metadata"].get("annotations", {}).get("drills/stopped"):
                    continue
                renewed = dig(lease, "spec", "renewTime")
                if renewed and (now - parse_time(renewed)).total_seconds() >= _LEASE_SECONDS:
                    self._store.put(kind, {**lease, "metadata": dict(lease["metadata"]),
                                           "spec": {**lease["spec"], "renewTime": rfc3339_micro(now)}})

    def _node_reports(self, lease: Obj) -> bool:
        entry = self._store.find(self.kind("v1", "Node"), "", lease["metadata"]["name"])
        ready = condition(entry.obj, "Ready") if entry else None
        return ready is not None and ready["status"] != "Unknown"


def _same_template(rs: Obj, deployment: Obj) -> bool:
    def bare(template: Obj) -> Obj:
        labels = {k: v for k, v in (template.get("metadata", {}).get("labels") or {}).items() if k != "pod-template-hash"}
        annotations = template.get("metadata", {}).get("annotations") or {}
        return {"labels": labels, "annotations": annotations, "spec": template["spec"]}
    return bare(rs["spec"]["template"]) == bare(deployment["spec"]["template"])


def _fits_affinity(node: Obj, spec: Obj) -> bool:
    labels = node["metadata"].get("labels", {})
    if any(labels.get(k) != v for k, v in (spec.get("nodeSelector") or {}).items()):
        return False
    terms = dig(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
    if not terms:
        return True
    return any(all(_expression(e, labels.get(e["key"])) for e in t.get("matchExpressions") or [])
               and all(_expression(e, node["metadata"]["name"]) for e in t.get("matchFields") or []) for t in terms)


def _expression(e: Obj, value: str | None) -> bool:
    operator, values = e["operator"], e.get("values") or []
    if operator == "In":
        return value in values
    if operator == "NotIn":
        return value not in values
    if operator == "Exists":
        return value is not None
    return value is None if operator == "DoesNotExist" else True


