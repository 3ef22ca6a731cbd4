"""A stand-in for kubelets: pods that are created start after a moment, deleted ones go after their
grace."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable

from drills.api.defaults import qos_class
from drills.api.objects import Obj, dig, rfc3339
from drills.controllers.context import Backstage
from drills.controllers.scheduling import schedule
from drills.pods.running import next_address, node_address, running_container

_START_SECONDS, _STOP_SECONDS = 0.4, 0.5


class Kubelets:
    """Runs pods in name only: what their containers answer is the scenario's business."""

    def __init__(self, stage: Backstage) -> None:
        self._stage = stage

    async def run(self, pod: Obj) -> None:
        """From Pending to Running, or to the reason why not."""
        meta = pod["metadata"]
        here = (meta["namespace"], meta["name"], meta["uid"])
        node = dig(pod, "spec", "nodeName") or schedule(self._stage, pod)
        if node is None:
            total = self._stage.store.count(self._stage.kind("v1", "Node"))
            text = (
                f"0/{total} nodes are available: {total} node(s) didn't match Pod's node "
                "affinity/selector. "
                f"preemption: 0/{total} nodes are available: {total} Preemption is not helpful "
                "for scheduling."
            )
            self._change_pod(
                *here,
                lambda p: p["status"].update(
                    conditions=[
                        {
                            "type": "PodScheduled",
                            "status": "False",
                            "reason": "Unschedulable",
                            "message": text,
                            "lastProbeTime": None,
                            "lastTransitionTime": rfc3339(self._stage.now()),
                        }
                    ]
                ),
            )
            self._stage.record(
                pod, "FailedScheduling", text, warning=True, component="default-scheduler"
            )
            return
        await self._stage.wait(_START_SECONDS / 2)
        bound = self._change_pod(*here, lambda p: self._bind(p, node))
        if bound is None:
            return
        self._stage.record(
            bound,
            "Scheduled",
            f"Successfully assigned {here[0]}/{here[1]} to {node}",
            component="default-scheduler",
        )
        if not self._stage.node_works(node):
            return
        await self._stage.wait(_START_SECONDS / 2)
        blocked = next((c for c in pod["spec"]["containers"] if not self._has_image(node, c)), None)
        if blocked is not None:
            await self._back_off(bound, blocked)
            return
        started = self._change_pod(*here, lambda p: self._start(p, node))
        if started is None:
            return
        for container in started["spec"]["containers"]:
            name = container["name"]
            self._stage.record(
                started,
                "Pulled",
                f'Container image "{container["image"]}" already present on machine',
                container=name,
            )
            self._stage.record(started, "Created", f"Created container: {name}", container=name)
            self._stage.record(started, "Started", f"Started container {name}", container=name)
        if limit := dig(started, "spec", "activeDeadlineSeconds"):
            await asyncio.sleep(float(limit))
            self._change_pod(*here, self._exceed_deadline)

    def _bind(self, pod: Obj, node: str) -> None:
        pod["spec"]["nodeName"] = node
        pod["status"].setdefault("conditions", []).append(
            {
                "type": "PodScheduled",
                "status": "True",
                "lastProbeTime": None,
                "observedGeneration": 1,
                "lastTransitionTime": rfc3339(self._stage.now()),
            }
        )

    def _has_image(self, node: str, container: Obj) -> bool:
        policy = container.get("imagePullPolicy")
        if self._stage.world.pullable and policy != "Never":
            return True
        entry = self._stage.store.find(self._stage.kind("v1", "Node"), "", node)
        names = {
            n
            for i in dig(entry.obj if entry else {}, "status", "images", default=[])
            for n in i["names"]
        }
        present = container["image"] in names or f"docker.io/library/{container['image']}" in names
        return present and (policy != "Always" or self._stage.world.pullable)

    async def _back_off(self, pod: Obj, container: Obj) -> None:
        meta, image = pod["metadata"], container["image"]
        here = (meta["namespace"], meta["name"], meta["uid"])
        host = image.split("/", 1)[0]
        why = (
            f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": '
            "failed to do request: "
            f'Head "https://{host}/v2/": dial tcp: lookup {host}: i/o timeout'
        )
        never = container.get("imagePullPolicy") == "Never"
        reason = "ErrImageNeverPull" if never else "ErrImagePull"
        text = (
            f'Container image "{image}" is not present with pull policy of Never' if never else why
        )

        def wait_for_image(p: Obj) -> None:
            self._start(p, p["spec"]["nodeName"])
            p["status"]["phase"] = "Pending"
            for s in p["status"]["containerStatuses"]:
                s.update(
                    state={"waiting": {"reason": reason, "message": text}},
                    ready=False,
                    started=False,
                    imageID="",
                )
                s.pop("containerID", None)
            for c in p["status"]["conditions"]:
                if c["type"] in {"Ready", "ContainersReady"}:
                    c.update(status="False", reason="ContainersNotReady")

        self._change_pod(*here, wait_for_image)
        if never:
            self._stage.record(pod, "ErrImageNeverPull", text, warning=True)
            return
        self._stage.record(pod, "Pulling", f'Pulling image "{image}"')
        self._stage.record(pod, "Failed", f'Failed to pull image "{image}": {text}', warning=True)
        self._stage.record(pod, "Failed", "Error: ErrImagePull", warning=True)
        await self._stage.wait(1.0)

        def back_off(p: Obj) -> None:
            for s in p["status"]["containerStatuses"]:
                s["state"] = {
                    "waiting": {
                        "reason": "ImagePullBackOff",
                        "message": f'Back-off pulling image "{image}"',
                    }
                }

        if self._change_pod(*here, back_off) is not None:
            self._stage.record(pod, "BackOff", f'Back-off pulling image "{image}"')
            self._stage.record(pod, "Failed", "Error: ImagePullBackOff", warning=True)

    def _start(self, pod: Obj, node: str) -> None:
        now = rfc3339(self._stage.now())
        self._stage.world.objects.setdefault(("Node", "", node), {})
        entry = self._stage.store.find(self._stage.kind("v1", "Node"), "", node)
        if entry is not None:
            self._stage.world.objects[("Node", "", node)] = entry.obj
        host = node_address(self._stage.world, node)
        ip = host if pod["spec"].get("hostNetwork") else next_address(self._stage.world, node)
        gates = [g["conditionType"] for g in pod["spec"].get("readinessGates") or []]
        ready = not gates
        status = pod["status"]
        kept = [c for c in status.get("conditions", []) if c["type"] == "PodScheduled"]
        stamp = {"lastProbeTime": None, "lastTransitionTime": now, "observedGeneration": 1}
        blocked = (
            {
                "reason": "ReadinessGatesNotReady",
                "message": f'corresponding condition of pod readiness gate "{gates[0]}" does not exist.',
            }
            if gates
            else {}
        )
        status.update(
            phase="Running",
            hostIP=host,
            hostIPs=[{"ip": host}],
            podIP=ip,
            podIPs=[{"ip": ip}],
            startTime=now,
            qosClass=qos_class(pod["spec"]),
            observedGeneration=1,
            containerStatuses=[running_container(pod, c, now) for c in pod["spec"]["containers"]],
            conditions=[
                {"type": "PodReadyToStartContainers", "status": "True", **stamp},
                {"type": "Initialized", "status": "True", **stamp},
                {"type": "Ready", "status": "True" if ready else "False", **stamp, **blocked},
                {"type": "ContainersReady", "status": "True", **stamp},
                *kept,
            ],
        )
        if pod["spec"]["containers"] and self._short_lived(pod):
            self._finish(pod)

    @staticmethod
    def _short_lived(pod: Obj) -> bool:
        words = " ".join(
            [
                *(pod["spec"]["containers"][0].get("command") or []),
                *(pod["spec"]["containers"][0].get("args") or []),
            ]
        )
        return words in {"true", "/bin/true"} or words.startswith("echo ")

    def _finish(self, pod: Obj) -> None:
        now = rfc3339(self._stage.now())
        pod["status"]["phase"] = "Succeeded"
        for s in pod["status"]["containerStatuses"]:
            s.update(
                ready=False,
                started=False,
                state={
                    "terminated": {
                        "exitCode": 0,
                        "reason": "Completed",
                        "startedAt": now,
                        "finishedAt": now,
                        "containerID": s["containerID"],
                    }
                },
            )
        for c in pod["status"]["conditions"]:
            if c["type"] in {"Ready", "ContainersReady"}:
                c.update(status="False", reason="PodCompleted")

    def _exceed_deadline(self, pod: Obj) -> None:
        if dig(pod, "status", "phase") not in {"Succeeded", "Failed"}:
            self._finish(pod)
            pod["status"].update(
                phase="Failed",
                reason="DeadlineExceeded",
                message="Pod was active on the node longer than the specified deadline",
            )

    async def start_ephemeral(self, pod: Obj) -> None:
        """Start ephemeral containers that have no status yet."""
        await self._stage.wait(_START_SECONDS)
        meta = pod["metadata"]

        def start(p: Obj) -> None:
            have = {s["name"] for s in p["status"].get("ephemeralContainerStatuses", [])}
            for container in p["spec"].get("ephemeralContainers", []):
                if container["name"] in have:
                    continue
                shown = running_container(p, container, rfc3339(self._stage.now()))
                shown.update(ready=False)
                if not self._has_image(p["spec"].get("nodeName", ""), container):
                    shown.update(
                        state={
                            "waiting": {
                                "reason": "ImagePullBackOff",
                                "message": f'Back-off pulling image "{container["image"]}"',
                            }
                        },
                        imageID="",
                    )
                    shown.pop("containerID", None)
                p["status"].setdefault("ephemeralContainerStatuses", []).append(shown)

        self._change_pod(meta["namespace"], meta["name"], meta["uid"], start)

    async def stop(self, pod: Obj) -> bool:
        """End a pod that is marked for deletion; True when it is gone, False when nobody is there
        to stop it."""
        meta = pod["metadata"]
        node = dig(pod, "spec", "nodeName", default="")
        if node and not self._stage.node_works(node):
            return False  # nobody there to stop it: it stays Terminating, as in life
        for s in dig(pod, "status", "containerStatuses", default=[]):
            if "running" in s.get("state", {}):
                self._stage.record(
                    pod, "Killing", f"Stopping container {s['name']}", container=s["name"]
                )
        await self._stage.wait(_STOP_SECONDS)
        kind = self._stage.kind("v1", "Pod")
        with self._stage.store.transaction():
            entry = self._stage.store.find(kind, meta["namespace"], meta["name"])
            if (
                entry is None
                or entry.obj["metadata"]["uid"] != meta["uid"]
                or entry.obj["metadata"].get("finalizers")
            ):
                return False
            self._stage.store.remove(kind, meta["namespace"], meta["name"])
        self._stage.mark()
        return True

    def _change_pod(
        self, namespace: str, name: str, uid: str, change: Callable[[Obj], None]
    ) -> Obj | None:
        kind = self._stage.kind("v1", "Pod")
        with self._stage.store.transaction():
            entry = self._stage.store.find(kind, namespace, name)
            if entry is None or entry.obj["metadata"]["uid"] != uid:
                return None
            pod = copy.deepcopy(entry.obj)
            change(pod)
            self._stage.mark()
            return self._stage.store.put(kind, pod).obj
