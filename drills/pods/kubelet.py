"""Kubelets: created pods start after a moment, deleted ones end after their grace period. The
scenario decides what their containers answer."""

from __future__ import annotations

from datetime import timedelta

from drills.api.managed_fields import FieldManager
from drills.api.objects import Obj, created_at, dig, rfc3339
from drills.controllers.context import ControllerContext
from drills.controllers.events import SCHEDULER, assigned, container_start
from drills.controllers.new_objects import new_pod
from drills.controllers.scheduling import schedule
from drills.controllers.volumes import attach_volumes
from drills.pods.pod_status import (
    complete,
    pod_condition,
    running_container,
    running_status,
    waiting,
)

_BIND_SECONDS, _EPHEMERAL_SECONDS, _STOP_SECONDS = 0.2, 0.4, 0.5


class Kubelets:
    """Runs pods in name only: there are no processes."""

    def __init__(self, context: ControllerContext) -> None:
        self._context = context

    def _now(self) -> str:
        return rfc3339(self._context.now())

    async def run(self, pod: Obj) -> None:
        """From Pending to Running, or to the reason for not starting; to the end, for containers
        that end."""
        await self._context.wait(_BIND_SECONDS)
        node = dig(pod, "spec", "nodeName") or schedule(self._context, pod)
        if node is None:
            self._report_unschedulable(pod)
            return
        bound = self._context.update(pod, lambda p: self._bind(p, node))
        if bound is None:
            return
        self._context.record(bound, "Scheduled", assigned(bound, node), component=SCHEDULER)
        attach_volumes(self._context, bound, node)
        if self._context.node_works(node):
            await self._start(bound)

    async def mirror(self, node: Obj, namespace: str, name: str, template: Obj) -> None:
        """The pod of the API for a static pod that the kubelet of `node` runs."""
        now, host = self._context.now(), node["metadata"]["name"]
        pod = new_pod(namespace, name, template, now, node=host, owner=node, static=True)
        pod = self._context.create(pod, FieldManager("kubelet", now, ("metadata", "spec")))
        await self._start(pod)

    async def start_waiting(self, pod: Obj) -> None:
        """Start a bound pod that waited for its volumes, where its node works."""

        def forget(p: Obj) -> None:
            known = p["status"].get("conditions", [])
            p["status"]["conditions"] = [c for c in known if c["type"] == "PodScheduled"]

        if self._context.node_works(dig(pod, "spec", "nodeName")):
            bound = self._context.update(pod, forget, "kubelet")
            if bound is not None:
                await self._start(bound)

    async def _start(self, pod: Obj) -> None:
        context, spec = self._context, pod["spec"]
        start, ready = context.start_seconds(pod)
        await context.wait(start)
        absent = next((c for c in spec["containers"] if not self._has_image(pod, c)), None)
        if absent is not None:
            await self._back_off(pod, absent)
            return
        begun = context.now()
        for container in spec["containers"] if context.present(pod) else []:
            name = container["name"]
            for reason, text in container_start(name, container["image"]):
                context.record(pod, reason, text, container=name)
        if ready:
            await context.wait(ready)
        times = rfc3339(begun), self._now()
        if context.update(pod, lambda p: self._show_running(p, *times), "kubelet") is None:
            return
        if (span := context.run_seconds(pod)) is not None:
            ends = created_at(pod) + timedelta(seconds=span)
            await context.wait(max(0.0, (ends - context.now()).total_seconds()))
            context.update(pod, lambda p: complete(p, self._now()), "kubelet")
        elif limit := dig(spec, "activeDeadlineSeconds"):
            await context.wait(float(limit))
            context.update(pod, self._exceed_deadline, "kubelet")

    def _report_unschedulable(self, pod: Obj) -> None:
        total = sum(1 for _ in self._context.of("Node"))
        text = (
            f"0/{total} nodes are available: {total} node(s) didn't match Pod's node "
            f"affinity/selector. preemption: 0/{total} nodes are available: {total} Preemption is "
            "not helpful for scheduling."
        )
        found = pod_condition("PodScheduled", False, self._now(), "Unschedulable", text)
        by = "kube-scheduler"
        self._context.update(pod, lambda p: p["status"].update(conditions=[found]), by)
        self._context.record(pod, "FailedScheduling", text, kind="Warning", component=SCHEDULER)

    def _bind(self, pod: Obj, node: str) -> None:
        pod["spec"]["nodeName"] = node
        self._context.bound(pod, node)
        scheduled = pod_condition("PodScheduled", True, self._now())
        pod["status"].setdefault("conditions", []).append(scheduled)

    def _has_image(self, pod: Obj, container: Obj) -> bool:
        if container.get("imagePullPolicy") != "Never" and self._context.pullable:
            return True
        node = self._context.lookup("Node", "", dig(pod, "spec", "nodeName", default=""))
        images = dig(node, "status", "images", default=[])
        names, image = {n for i in images for n in i["names"]}, container["image"]
        present = image in names or f"docker.io/library/{image}" in names
        return present and container.get("imagePullPolicy") != "Always"

    async def _back_off(self, pod: Obj, container: Obj) -> None:
        """The pod waits for an image that the node cannot pull."""
        image = container["image"]
        host = image.split("/", 1)[0]
        never = container.get("imagePullPolicy") == "Never"
        reason = "ErrImageNeverPull" if never else "ErrImagePull"
        text = (
            f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": '
            f'failed to do request: Head "https://{host}/v2/": dial tcp: lookup {host}: i/o timeout'
        )
        if never:
            text = f'Container image "{image}" is not present with pull policy of Never'

        def wait_for_image(p: Obj) -> None:
            self._show_running(p, self._now(), self._now())
            p["status"]["phase"] = "Pending"
            for s in p["status"]["containerStatuses"]:
                waiting(s, reason, text)
            for c in p["status"]["conditions"]:
                if c["type"] in {"Ready", "ContainersReady"}:
                    c.update(status="False", reason="ContainersNotReady")

        def record(reason: str, message: str, kind: str = "Warning") -> None:
            self._context.record(pod, reason, message, kind=kind)

        self._context.update(pod, wait_for_image)
        if never:
            record(reason, text)
            return
        record("Pulling", f'Pulling image "{image}"', "Normal")
        record("Failed", f'Failed to pull image "{image}": {text}')
        record("Failed", "Error: ErrImagePull")
        await self._context.wait(1.0)
        again = f'Back-off pulling image "{image}"'

        def back_off(p: Obj) -> None:
            for s in p["status"]["containerStatuses"]:
                waiting(s, "ImagePullBackOff", again)

        if self._context.update(pod, back_off) is not None:
            record("BackOff", again, "Normal")
            record("Failed", "Error: ImagePullBackOff")

    def _show_running(self, pod: Obj, begun: str, ready: str) -> None:
        kept = pod["status"].get("conditions", [])
        node = self._context.lookup("Node", "", pod["spec"]["nodeName"])
        status = running_status(pod, node, self._context.next_ip, begun, ready)
        known = {c["type"] for c in kept}
        status["conditions"] = [c for c in status["conditions"] if c["type"] not in known] + kept
        if gates := pod["spec"].get("readinessGates"):
            gate = gates[0]["conditionType"]
            text = f'corresponding condition of pod readiness gate "{gate}" does not exist.'
            unready = pod_condition("Ready", False, ready, "ReadinessGatesNotReady", text)
            status["conditions"] = [
                unready if c["type"] == "Ready" else c for c in status["conditions"]
            ]
        pod["status"].update(status)

    def _exceed_deadline(self, pod: Obj) -> None:
        if dig(pod, "status", "phase") not in {"Succeeded", "Failed"}:
            complete(pod, self._now())
            text = "Pod was active on the node longer than the specified deadline"
            pod["status"].update(phase="Failed", reason="DeadlineExceeded", message=text)

    async def start_ephemeral(self, pod: Obj) -> None:
        """Start ephemeral containers that have no status yet."""
        await self._context.wait(_EPHEMERAL_SECONDS)

        def start(p: Obj) -> None:
            shown = p["status"].setdefault("ephemeralContainerStatuses", [])
            have = {s["name"] for s in shown}
            for container in p["spec"].get("ephemeralContainers", []):
                if container["name"] in have:
                    continue
                status = {**running_container(p, container, self._now()), "ready": False}
                if not self._has_image(p, container):
                    text = f'Back-off pulling image "{container["image"]}"'
                    waiting(status, "ImagePullBackOff", text)
                shown.append(status)

        self._context.update(pod, start)

    async def stop(self, pod: Obj) -> bool:
        """End a pod that is marked for deletion; True when it is gone. A pod on a node with a
        silent kubelet stays Terminating."""
        node = dig(pod, "spec", "nodeName", default="")
        if node and not self._context.node_works(node):
            return False
        for s in dig(pod, "status", "containerStatuses", default=[]):
            if "running" in s.get("state", {}):
                text = f"Stopping container {s['name']}"
                self._context.record(pod, "Killing", text, container=s["name"])
        await self._context.wait(_STOP_SECONDS)
        now = self._context.present(pod)
        if now is None or now["metadata"].get("finalizers"):
            return False
        self._context.remove(now)
        return True
