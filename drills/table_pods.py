"""The words of `kubectl get pods`: ready count, status and restarts (printers/internalversion
printPod)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from drills.ages import age
from drills.objects import Obj, dig, parse_time

Cell = Callable[[Obj, datetime], Any]


def pod_columns(created: Cell) -> list[tuple[str, Cell, int]]:
    """(name, cell, priority) after the Name column."""
    return [
        ("Ready", ready, 0),
        ("Status", status, 0),
        ("Restarts", restarts, 0),
        ("Age", created, 0),
        ("IP", lambda o, now: dig(o, "status", "podIP", default="<none>"), 1),
        ("Node", lambda o, now: dig(o, "spec", "nodeName", default="<none>"), 1),
        (
            "Nominated Node",
            lambda o, now: dig(o, "status", "nominatedNodeName", default="<none>"),
            1,
        ),
        (
            "Readiness Gates",
            lambda o, now: str(len(dig(o, "spec", "readinessGates", default=[])) or "<none>"),
            1,
        ),
    ]


def ready(o: Obj, now: datetime) -> str:
    statuses = dig(o, "status", "containerStatuses", default=[])
    return f"{sum(1 for s in statuses if s.get('ready'))}/{len(dig(o, 'spec', 'containers', default=[]))}"


def status(o: Obj, now: datetime) -> str:
    word = dig(o, "status", "reason") or dig(o, "status", "phase", default="Unknown")
    initialising = False
    for number, s in enumerate(dig(o, "status", "initContainerStatuses", default=[])):
        terminated, waiting = dig(s, "state", "terminated"), dig(s, "state", "waiting")
        if terminated and terminated.get("exitCode") == 0:
            continue
        total = len(dig(o, "spec", "initContainers", default=[]))
        if terminated:
            word = (
                f"Init:{terminated.get('reason') or 'ExitCode:' + str(terminated.get('exitCode'))}"
            )
        elif waiting and waiting.get("reason") not in {None, "", "PodInitializing"}:
            word = f"Init:{waiting['reason']}"
        else:
            word = f"Init:{number}/{total}"
        initialising = True
        break
    if not initialising:
        running = False
        for s in reversed(dig(o, "status", "containerStatuses", default=[])):
            waiting, terminated = dig(s, "state", "waiting"), dig(s, "state", "terminated")
            if waiting and waiting.get("reason"):
                word = waiting["reason"]
            elif terminated:
                word = terminated.get("reason") or f"ExitCode:{terminated.get('exitCode')}"
            elif s.get("ready") and dig(s, "state", "running"):
                running = True
        if word == "Completed" and running:
            word = "Running"
    if dig(o, "metadata", "deletionTimestamp"):
        word = "Unknown" if dig(o, "status", "reason") == "NodeLost" else "Terminating"
    return str(word)


def restarts(o: Obj, now: datetime) -> str:
    statuses = dig(o, "status", "containerStatuses", default=[])
    total = sum(int(s.get("restartCount", 0)) for s in statuses)
    finished = [dig(s, "lastState", "terminated", "finishedAt") for s in statuses]
    stamps = [f for f in finished if f]
    if not total or not stamps:
        return str(total)
    last = max(stamps, key=parse_time)
    return f"{total} ({age(last, now)} ago)"
