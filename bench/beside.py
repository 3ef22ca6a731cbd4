"""The whole answer on a real API server, beside sofka and kubectl: all of them in turn, in another
order in each run. With `broken` a drill's cluster is laid over the population."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.measures import (
    COUNTED,
    SETTLE,
    WHOLE,
    BenchRun,
    Cost,
    cpu_seconds,
    idle_rows,
    kubectl,
    resident,
    run,
)
from bench.record import served
from bench.report import Figure, figure, ratios
from bench.terminal import Screen, open_terminal
from cluster.kube.kinds import KINDS
from tests.rungs.controlplane import control_plane
from tests.rungs.population import population
from tests.rungs.programs.kubeconfig import connect

PAINTED = rb"quit"
"""In the line of keys of the first frame."""
SYMPTOM = rb"CRIT|WARN"
LAID_OVER = "nodes-notready-system-oom"
_OWN = frozenset({"Lease", "APIService", "CustomResourceDefinition", "ClusterRole"})
"""Kinds that an API server makes itself, and Leases, which nothing renews here."""


class Runs:
    """What each run of each program took, in seconds."""

    def __init__(self, place: BenchRun) -> None:
        self.place = place
        self.times: dict[str, list[float]] = {}
        self.peak: list[float] = []

    def note(self, name: str, seconds: float) -> None:
        self.times.setdefault(name, []).append(seconds)

    def kubectl(self) -> None:
        cost = kubectl(self.place)
        self.note("kubectl", cost.wall)
        self.note("kubectl, CPU", cost.cpu)

    def triage(self) -> None:
        cost: Cost = run(self.place.stanch("triage", "-o", "json"), self.place.environment())
        if b'"complete":true' not in cost.output.replace(b" ", b""):
            raise RuntimeError("the answer of triage is not complete")
        self.note("triage", cost.wall)
        self.note("triage, CPU", cost.cpu)

    def screens(self) -> None:
        with open_terminal(self.place.stanch(), self.place.environment()) as terminal:
            drawn = terminal.wait_for_each((PAINTED, SYMPTOM, COUNTED, WHOLE), 120)
            self.note("screens, CPU", cpu_seconds(terminal.pid))
            names = ("first frame", "first finding", "all pods counted", "whole answer")
            for name, at in zip(names, drawn, strict=True):
                self.note(name, at)
            self.peak.append(resident(terminal.pid, peak=True) / 1e6)

    def sofka(self, program: str, pods: int) -> None:
        environment = {**self.place.environment(), "KUBECONFIG": str(self.place.kubeconfig)}
        screen, counted = Screen(140, 45), re.compile(rf"Count:\s+{pods}\b")
        with open_terminal([program, "pods", "-A", "--readonly"], environment) as terminal:
            while counted.search(screen.text()) is None:
                if terminal.elapsed() > 120:
                    raise TimeoutError("sofka did not count all pods within 120 s")
                screen.feed(terminal.read(1.0))
            self.note("sofka", terminal.elapsed())
            self.note("sofka, CPU", cpu_seconds(terminal.pid))


def beside(place: BenchRun, name: str = "healthy") -> list[Figure]:
    """From the start of each process: kubectl until all pods are printed, sofka until all are
    counted, `stanch triage` and the screens until the whole answer stands."""
    runs, sofka = Runs(place), _sofka()
    programs: list[Callable[[], None]] = [runs.kubectl, runs.triage, runs.screens]
    if sofka:
        programs.append(lambda: runs.sofka(sofka, place.pods))
    for number in range(place.runs):
        turn = number % len(programs)
        for program in (*programs[turn:], *programs[:turn]):
            program()
            time.sleep(0.5)
    times = runs.times
    yard, whole, first = times["kubectl"], times["whole answer"], times["first finding"]
    rows = [figure(f"{name}: {what}", each, "s") for what, each in times.items()]
    rows += [
        ratios(f"{name}: whole answer / kubectl", whole, yard, 0.35),
        ratios(f"{name}: first finding / kubectl", first, yard, 0.2),
        ratios(f"{name}: triage / kubectl", times["triage"], yard),
        figure(f"{name}: memory of the screens, peak", runs.peak, "MB", None, 0),
    ]
    if sofka:
        rows.append(ratios(f"{name}: whole answer / sofka", whole, times["sofka"], 0.8))
    else:
        rows.append(Figure(f"{name}: sofka is not here", 1, "programs", 0))
    return rows


def broken(place: BenchRun) -> list[Figure]:
    """As `beside`, on a control plane of its own without controllers, so that the fault stays."""
    with served(place, LAID_OVER) as drill:
        fault = list(_objects(drill))
    filled = itertools.chain(population(nodes=200, pods=place.pods), fault)
    with control_plane(objects=filled) as cluster:
        pods = place.pods + sum(each["kind"] == "Pod" for each in fault)
        here = BenchRun(cluster.kubeconfig, place.scratch, pods, place.runs)
        time.sleep(SETTLE)
        kubectl(here)  # the first one warms the server's caches
        return beside(here, f"broken by {LAID_OVER}")


def quiet(place: BenchRun) -> list[Figure]:
    """The screens while nothing changes, on the real API server."""
    with open_terminal(place.stanch(), place.environment()) as terminal:
        terminal.wait_for_each((SYMPTOM, WHOLE), 120)
        return idle_rows("real, idle", terminal)


def _objects(kubeconfig: Path) -> Iterator[dict[str, Any]]:
    """All objects of a drill, as they stand now."""
    with connect(kubeconfig) as client:
        for kind in KINDS:
            answer = client.get(kind.path(""))
            if kind.name in _OWN or not answer.is_success:
                continue
            for each in answer.json()["items"]:
                yield {"apiVersion": kind.api_version, "kind": kind.name, **each}


def _sofka() -> str:
    """The program that `SOFKA` names, or `cargo install sofka --version 0.18.1` built."""
    found = (os.environ.get("SOFKA"), shutil.which("sofka"), Path("~/.cargo/bin/sofka"))
    paths = (Path(each).expanduser() for each in found if each)
    return next((str(each) for each in paths if os.access(each, os.X_OK)), "")


MEASURES = {"beside": beside, "quiet": quiet}
"""On the control plane of the bench."""
ALONE = {"broken": broken}
