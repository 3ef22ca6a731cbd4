"""Pods with containers that start: crash loops, restarts, containers that end or do not become
ready."""

from __future__ import annotations

from datetime import datetime, timedelta

from drills.api.objects import Obj, dig, parse_time, rfc3339, stable_fraction
from drills.controllers.events import pulled
from drills.pods.pod_status import container_id, terminated
from drills.scenario.states.pod_changes import (
    chosen_containers,
    not_ready,
    retries,
    set_condition,
    since_of,
)
from drills.scenario.world import Data, World


def _end(data: Data, begun: datetime, ended: datetime, code: int) -> Obj:
    """A terminated state: exitCode, reason (Error) and message of the data."""
    exit_code, reason = int(data.get("exitCode", code)), str(data.get("reason", "Error"))
    end = terminated(rfc3339(begun), rfc3339(ended), exit_code, reason)
    return end | ({"message": str(data["message"])} if data.get("message") else {})


def _back_off(restarts: int) -> str:
    """The wait before the next start, as the kubelet prints it: doubled from 10 s up to 5 min."""
    seconds = min(300, 10 * 2 ** max(0, restarts - 1))
    return f"{seconds}s" if seconds < 60 else f"{seconds // 60}m{seconds % 60}s"


def crash_loop(world: World, pod: Obj, data: Data) -> None:
    """since (first crash), restarts (5), exitCode (1), reason (Error), runs (seconds per try),
    message, last (end of the latest try)."""
    since, restarts = since_of(world, pod, data), int(data.get("restarts", 5))
    meta = pod["metadata"]
    waited = 15 + 60 * stable_fraction("crash", meta["name"])
    last = world.ago(data["last"]) if "last" in data else world.now - timedelta(seconds=waited)
    last = max(last, since)
    pod_id = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
    for status in chosen_containers(pod, data):
        name, code = status["name"], container_id(pod, status["name"], restarts)
        end = _end(data, last - timedelta(seconds=float(data.get("runs", 2))), last, 1)
        text = f"back-off {_back_off(restarts)} restarting failed container={name} pod={pod_id}"
        status.update(
            restartCount=restarts,
            containerID=code,
            ready=False,
            started=False,
            lastState={"terminated": {**end, "containerID": code}},
            state={"waiting": {"reason": "CrashLoopBackOff", "message": text}},
        )
        not_ready(pod, since, [name])
        text = f"Back-off restarting failed container {name} in pod {pod_id}"
        first, seen = since + timedelta(seconds=4), world.now - timedelta(seconds=9)
        world.warn(pod, "BackOff", text, first, seen, restarts * 4, container=name)
        for reason, text in (
            ("Pulled", pulled(status["image"])),
            ("Started", f"Started container {name}"),
        ):
            world.event(pod, reason, text, since, last, restarts + 1, container=name)
    pod["status"]["phase"] = "Running"
    world.wrote_status(pod, "kubelet", last)


def restarted(world: World, pod: Obj, data: Data) -> None:
    """A container that ended and runs again: since (end), exitCode (137), reason (Error), restarts
    (1), lived (of the ended run), back (seconds until it ran again: 2), ready (seconds until ready:
    8), sandbox (true: the sandbox changed)."""
    ended, restarts = since_of(world, pod, data), int(data.get("restarts", 1))
    back = ended + timedelta(seconds=float(data.get("back", 2)))
    ready = back + timedelta(seconds=float(data.get("ready", 8)))
    sandbox = data.get("sandbox")
    statuses = pod["status"]["containerStatuses"] if sandbox else chosen_containers(pod, data)
    for status in statuses:
        created, name = pod["metadata"]["creationTimestamp"], status["name"]
        begun = parse_time(dig(status, "state", "running", "startedAt", default=created))
        if "lived" in data:
            begun = max(begun, ended - abs(world.ago(data["lived"]) - world.now))
        count = int(status["restartCount"]) + restarts
        end = _end(data, min(begun, ended), ended, 137)
        end["containerID"] = container_id(pod, name, max(0, count - 1))
        status.update(
            restartCount=count,
            lastState={"terminated": end},
            containerID=container_id(pod, name, count),
            state={"running": {"startedAt": rfc3339(back)}},
            ready=True,
            started=True,
        )
        if data.get("events", True):
            times = max(1, restarts + bool(data.get("counted")))
            text = f"Started container {name}"
            world.event(pod, "Started", text, back, None, times, container=name)
    if sandbox:
        text = "Pod sandbox changed, it will be killed and re-created."
        world.event(pod, "SandboxChanged", text, ended)
        set_condition(pod, "PodReadyToStartContainers", True, back)
    for kind in ("Ready", "ContainersReady"):
        set_condition(pod, kind, True, ready)
    world.wrote_status(pod, "kubelet", ready)


def ended(world: World, pod: Obj, data: Data) -> None:
    """A container that ended for good while others run: exitCode (1), reason (Error)."""
    since, statuses = since_of(world, pod, data), chosen_containers(pod, data)
    for status in statuses:
        begun = parse_time(status["state"]["running"]["startedAt"])
        end = {**_end(data, begun, since, 1), "containerID": status["containerID"]}
        status.update(ready=False, started=False, state={"terminated": end})
    not_ready(pod, since, [s["name"] for s in statuses])
    world.wrote_status(pod, "kubelet", since)


def oom_killed(world: World, pod: Obj, data: Data) -> None:
    """As `restarted`, ended by the kernel at the container's own limit; `looping: true` gives
    CrashLoopBackOff."""
    data = {"exitCode": 137, "reason": "OOMKilled", **data}
    (crash_loop if data.get("looping") else restarted)(world, pod, data)


def unready(world: World, pod: Obj, data: Data) -> None:
    """Running, not ready: `message` of the failing probe (`Readiness probe failed: …`), count."""
    since, statuses = since_of(world, pod, data), chosen_containers(pod, data)
    for status in statuses:
        status["ready"] = False
    names = [s["name"] for s in statuses]
    not_ready(pod, since, names)
    if data.get("message"):
        first, last, count = retries(world, since, data)
        text = str(data["message"]).replace("{pod}", str(dig(pod, "status", "podIP", default="")))
        world.warn(pod, "Unhealthy", text, first, last, count * 6, container=names[0])
    world.wrote_status(pod, "kubelet", since)


def ready(world: World, pod: Obj, data: Data) -> None:
    """Ready again, without a restart: the readiness probe passes since then."""
    since = since_of(world, pod, data)
    for status in pod["status"]["containerStatuses"]:
        status["ready"] = True
    for kind in ("Ready", "ContainersReady"):
        set_condition(pod, kind, True, since)
    world.wrote_status(pod, "kubelet", since)


def probe_blips(world: World, pod: Obj, data: Data) -> None:
    """A pod that is Ready but had failing probes: message, count, last."""
    since, last = since_of(world, pod, data), world.ago(data.get("last", "2m"))
    count, container = int(data.get("count", 3)), pod["spec"]["containers"][0]["name"]
    world.warn(pod, "Unhealthy", str(data["message"]), since, last, count, container=container)
