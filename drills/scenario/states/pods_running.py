"""Pods whose containers start: again and again, after an end, without becoming ready, or well."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from drills.api.objects import Obj, dig, parse_time, rfc3339, stable_fraction
from drills.api.world import World
from drills.controllers.events import add_event
from drills.pods.running import container_id
from drills.scenario.states.pod_status import (
    chosen_containers,
    kubelet_wrote,
    not_ready,
    retries,
    set_condition,
    since_of,
    terminated,
)


def crash_loop(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """since (first crash), restarts (5), exitCode (1), reason (Error), runs (seconds per try),
    message, last (end of the latest try)."""
    since = since_of(world, pod, data)
    restarts = int(data.get("restarts", 5))
    code, reason = int(data.get("exitCode", 1)), str(data.get("reason", "Error"))
    last = (
        world.ago(data["last"])
        if "last" in data
        else world.now
        - timedelta(seconds=15 + 60 * stable_fraction("crash", pod["metadata"]["name"]))
    )
    last = max(last, since)
    wait = "5m0s" if restarts >= 6 else f"{10 * 2 ** max(0, restarts - 1)}s"
    wait = {"20s": "20s", "40s": "40s", "80s": "1m20s", "160s": "2m40s"}.get(wait, wait)
    pod_id = f"{pod['metadata']['name']}_{pod['metadata']['namespace']}({pod['metadata']['uid']})"
    for status in chosen_containers(pod, data):
        status["restartCount"] = restarts
        status["containerID"] = container_id(pod, status["name"], restarts)
        gone = terminated(
            pod,
            status,
            code=code,
            reason=reason,
            ended=last,
            message=str(data.get("message", "")),
            begun=last - timedelta(seconds=float(data.get("runs", 2))),
        )
        gone["containerID"] = status["containerID"]
        status.update(
            ready=False,
            started=False,
            lastState={"terminated": gone},
            state={
                "waiting": {
                    "reason": "CrashLoopBackOff",
                    "message": f"back-off {wait} restarting failed container={status['name']} pod={pod_id}",
                }
            },
        )
        not_ready(pod, since, [status["name"]])
        add_event(
            world,
            pod,
            "BackOff",
            f"Back-off restarting failed container {status['name']} in pod {pod_id}",
            kind="Warning",
            first=since + timedelta(seconds=4),
            last=world.now - timedelta(seconds=9),
            count=restarts * 4,
            container=status["name"],
        )
        add_event(
            world,
            pod,
            "Pulled",
            f'Container image "{status["image"]}" already present on machine',
            first=since,
            last=last,
            count=restarts + 1,
            container=status["name"],
        )
        add_event(
            world,
            pod,
            "Started",
            f"Started container {status['name']}",
            first=since,
            last=last,
            count=restarts + 1,
            container=status["name"],
        )
    pod["status"]["phase"] = "Running"
    kubelet_wrote(world, pod, last)


def restarted(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """A container that ended and runs again: since (end), exitCode (137), reason (Error), restarts
    (1), lived (of the ended run), back (seconds until it ran again: 2), ready (seconds until ready:
    8), sandbox (true: the sandbox changed)."""
    ended = since_of(world, pod, data)
    code, reason = int(data.get("exitCode", 137)), str(data.get("reason", "Error"))
    back = ended + timedelta(seconds=float(data.get("back", 2)))
    ready = back + timedelta(seconds=float(data.get("ready", 8)))
    for status in (
        chosen_containers(pod, data)
        if not data.get("sandbox")
        else pod["status"]["containerStatuses"]
    ):
        begun = parse_time(
            dig(
                status,
                "state",
                "running",
                "startedAt",
                default=pod["metadata"]["creationTimestamp"],
            )
        )
        if "lived" in data:
            begun = max(begun, ended - abs(world.ago(data["lived"]) - world.now))
        begun = min(begun, ended)
        status["restartCount"] = int(status["restartCount"]) + int(data.get("restarts", 1))
        status["lastState"] = {
            "terminated": terminated(
                pod,
                status,
                code=code,
                reason=reason,
                begun=begun,
                ended=ended,
                message=str(data.get("message", "")),
            )
        }
        status["containerID"] = container_id(pod, status["name"], status["restartCount"])
        status.update(state={"running": {"startedAt": rfc3339(back)}}, ready=True, started=True)
        if data.get("events", True):
            count = int(data.get("restarts", 1)) + (1 if data.get("counted") else 0)
            add_event(
                world,
                pod,
                "Started",
                f"Started container {status['name']}",
                first=back,
                count=max(1, count),
                container=status["name"],
            )
    if data.get("sandbox"):
        add_event(
            world,
            pod,
            "SandboxChanged",
            "Pod sandbox changed, it will be killed and re-created.",
            first=ended,
        )
        set_condition(pod, "PodReadyToStartContainers", True, back)
    for kind in ("Ready", "ContainersReady"):
        set_condition(pod, kind, True, ready)
    kubelet_wrote(world, pod, ready)


def oom_killed(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """As `restarted`, ended by the kernel at the container's own limit; `looping: true` gives
    CrashLoopBackOff."""
    data = {"exitCode": 137, "reason": "OOMKilled", **data}
    (crash_loop if data.get("looping") else restarted)(world, pod, data)


def unready(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """Running, not ready: `message` of the failing probe (`Readiness probe failed: …`), count."""
    since = since_of(world, pod, data)
    statuses = chosen_containers(pod, data)
    for status in statuses:
        status["ready"] = False
    not_ready(pod, since, [s["name"] for s in statuses])
    if data.get("message"):
        first, last, count = retries(world, since, data)
        text = str(data["message"]).replace("{pod}", str(dig(pod, "status", "podIP", default="")))
        add_event(
            world,
            pod,
            "Unhealthy",
            text,
            kind="Warning",
            first=first,
            last=last,
            count=count * 6,
            container=statuses[0]["name"],
        )
    kubelet_wrote(world, pod, since)


def probe_blips(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """A pod that is Ready but had failing probes: message, count, last."""
    since = since_of(world, pod, data)
    last = world.ago(data.get("last", "2m"))
    add_event(
        world,
        pod,
        "Unhealthy",
        str(data["message"]),
        kind="Warning",
        first=since,
        last=last,
        count=int(data.get("count", 3)),
        container=pod["spec"]["containers"][0]["name"],
    )


def healthy(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """Back to Running and Ready from `since` on (for script steps)."""
    since = since_of(world, pod, data)
    pod["metadata"].pop("deletionTimestamp", None)
    pod["metadata"].pop("deletionGracePeriodSeconds", None)
    pod["status"]["phase"] = "Running"
    for status in pod["status"].get("containerStatuses", []):
        if "running" not in status.get("state", {}):
            status["state"] = {"running": {"startedAt": rfc3339(since)}}
        status.update(ready=True, started=True)
    for kind in ("PodReadyToStartContainers", "Ready", "ContainersReady"):
        set_condition(pod, kind, True, since)
