"""A stand-in for kubelets: pods that are created start after a moment, deleted ones go after their
grace."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable

from drills.api.objects import Obj, dig, rfc3339
from drills.controllers.context import ControllerContext
from drills.controllers.events import SCHEDULER, assigned, container_start
from drills.controllers.scheduling import schedule
from drills.pods.pod_status import (
    complete,
    pod_condition,
    running_container,
    running_status,
    waiting,
)

_START_SECONDS, _STOP_SECONDS = 0.4, 0.5


class Kubelets:
    """Runs pods in name only: what their containers answer is the scenario's business."""

    def __init__(self, context: ControllerContext) -> None:
        self._context, self._store = context, context.store

    def _now(self) -> str:
        return rfc3339(self._context.now())

    async def run(self, pod: Obj) -> None:
        """From Pending to Running, or to the reason why not."""
        node = dig(pod, "spec", "nodeName") or schedule(self._context, pod)
        if node is None:
            self._report_unschedulable(pod)
            return
        await self._context.wait(_START_SECONDS / 2)
        bound = self._change(pod, lambda p: self._bind(p, node))
        if bound is None:
            return
        self._context.record(bound, "Scheduled", assigned(pod, node), component=SCHEDULER)
        if not self._context.node_works(node):
            return
        await self._context.wait(_START_SECONDS / 2)
        absent = next((c for c in pod["spec"]["containers"] if not self._has_image(node, c)), None)
        if absent is not None:
            await self._back_off(bound, absent)
            return
        started = self._change(pod, self._start)
        if started is None:
            return
        for container in started["spec"]["containers"]:
            name = container["name"]
            for reason, text in container_start(name, container["image"]):
                self._context.record(started, reason, text, container=name)
        if limit := dig(started, "spec", "activeDeadlineSeconds"):
            await asyncio.sleep(float(limit))
            self._change(pod, self._exceed_deadline)

    def _report_unschedulable(self, pod: Obj) -> None:
        total = len(self._store.of("Node"))
        text = (
            f"0/{total} nodes are available: {total} node(s) didn't match Pod's node "
            f"affinity/selector. preemption: 0/{total} nodes are available: {total} Preemption is "
            "not helpful for scheduling."
        )
        found = pod_condition("PodScheduled", False, self._now(), "Unschedulable", text)
        self._change(pod, lambda p: p["status"].update(conditions=[found]))
        self._context.record(pod, "FailedScheduling", text, warning=True, component=SCHEDULER)

    def _bind(self, pod: Obj, node: str) -> None:
        pod["spec"]["nodeName"] = node
        scheduled = pod_condition("PodScheduled", True, self._now())
        pod["status"].setdefault("conditions", []).append(scheduled)

    def _has_image(self, node: str, container: Obj) -> bool:
        if container.get("imagePullPolicy") != "Never" and self._context.pullable:
            return True
        images = dig(self._store.lookup("Node", "", node), "status", "images", default=[])
        names, image = {n for i in images for n in i["names"]}, container["image"]
        present = image in names or f"docker.io/library/{image}" in names
        return present and container.get("imagePullPolicy") != "Always"

    async def _back_off(self, pod: Obj, container: Obj) -> None:
        """The pod waits for an image that the node cannot get."""
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
            self._start(p)
            p["status"]["phase"] = "Pending"
            for s in p["status"]["containerStatuses"]:
                waiting(s, reason, text)
            for c in p["status"]["conditions"]:
                if c["type"] in {"Ready", "ContainersReady"}:
                    c.update(status="False", reason="ContainersNotReady")

        def record(reason: str, message: str, *, warning: bool = True) -> None:
            self._context.record(pod, reason, message, warning=warning)

        self._change(pod, wait_for_image)
        if never:
            record(reason, text)
            return
        record("Pulling", f'Pulling image "{image}"', warning=False)
        record("Failed", f'Failed to pull image "{image}": {text}')
        record("Failed", "Error: ErrImagePull")
        await self._context.wait(1.0)
        again = f'Back-off pulling image "{image}"'

        def back_off(p: Obj) -> None:
            for s in p["status"]["containerStatuses"]:
                waiting(s, "ImagePullBackOff", again)

        if self._change(pod, back_off) is not None:
            record("BackOff", again, warning=False)
            record("Failed", "Error: ImagePullBackOff")

    def _start(self, pod: Obj) -> None:
        now, kept = self._now(), dig(pod, "status", "conditions", default=[])
        node = self._store.lookup("Node", "", pod["spec"]["nodeName"])
        status = running_status(pod, node, self._context.next_ip, now, now)
        status["startTime"] = now
        standard = {c["type"] for c in status["conditions"]} - {"PodScheduled"}
        status["conditions"] = [c for c in status["conditions"] if c["type"] in standard]
        status["conditions"] += [c for c in kept if c["type"] == "PodScheduled"]
        if gates := pod["spec"].get("readinessGates"):
            gate = gates[0]["conditionType"]
            text = f'corresponding condition of pod readiness gate "{gate}" does not exist.'
            unready = pod_condition("Ready", False, now, "ReadinessGatesNotReady", text)
            status["conditions"] = [
                unready if c["type"] == "Ready" else c for c in status["conditions"]
            ]
        pod["status"].update(status)
        first = pod["spec"]["containers"][0]
        command = " ".join([*(first.get("command") or []), *(first.get("args") or [])])
        if command in {"true", "/bin/true"} or command.startswith("echo "):
            complete(pod, now)

    def _exceed_deadline(self, pod: Obj) -> None:
        if dig(pod, "status", "phase") not in {"Succeeded", "Failed"}:
            complete(pod, self._now())
            text = "Pod was active on the node longer than the specified deadline"
            pod["status"].update(phase="Failed", reason="DeadlineExceeded", message=text)

    async def start_ephemeral(self, pod: Obj) -> None:
        """Start ephemeral containers that have no status yet."""
        await self._context.wait(_START_SECONDS)

        def start(p: Obj) -> None:
            shown = p["status"].setdefault("ephemeralContainerStatuses", [])
            have = {s["name"] for s in shown}
            for container in p["spec"].get("ephemeralContainers", []):
                if container["name"] in have:
                    continue
                status = {**running_container(p, container, self._now()), "ready": False}
                if not self._has_image(p["spec"].get("nodeName", ""), container):
                    text = f'Back-off pulling image "{container["image"]}"'
                    waiting(status, "ImagePullBackOff", text)
                shown.append(status)

        self._change(pod, start)

    async def stop(self, pod: Obj) -> bool:
        """End a pod that is marked for deletion; True when it is gone. A pod on a node whose
        kubelet is away stays Terminating."""
        meta, node = pod["metadata"], dig(pod, "spec", "nodeName", default="")
        if node and not self._context.node_works(node):
            return False
        for s in dig(pod, "status", "containerStatuses", default=[]):
            if "running" in s.get("state", {}):
                text = f"Stopping container {s['name']}"
                self._context.record(pod, "Killing", text, container=s["name"])
        await self._context.wait(_STOP_SECONDS)
        kind = self._store.kinds.named("Pod")
        with self._store.transaction():
            now = self._present(pod)
            if now is None or now["metadata"].get("finalizers"):
                return False
            self._store.remove(kind, meta["namespace"], meta["name"])
        self._context.mark()
        return True

    def _present(self, pod: Obj) -> Obj | None:
        """The stored state of the same pod; None when it is gone or another has its name."""
        meta = pod["metadata"]
        now = self._store.lookup("Pod", meta["namespace"], meta["name"])
        return now if now and now["metadata"]["uid"] == meta["uid"] else None

    def _change(self, pod: Obj, change: Callable[[Obj], None]) -> Obj | None:
        """Apply a change to the stored pod; None when it is gone."""
        with self._store.transaction():
            now = self._present(pod)
            if now is None:
                return None
            now = copy.deepcopy(now)
            change(now)
            self._context.mark()
            return self._store.save(now)
