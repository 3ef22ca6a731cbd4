"""What is measured on rendered clusters, of which a part of the pods is broken: how costs grow, the
largest cluster, one event, floods, slow pages, load and starts."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from bench.measures import DOWN, OBJECTS, STRETCH, UP, BenchRun, kubectl, percentile
from bench.process import Cost, cpu_seconds, resident, run
from bench.rendered import rendered
from bench.report import Figure
from bench.terminal import TerminalProgram, open_terminal

LARGE = 150_000
SYMPTOM = rb"crash loop|killed at the memory limit"
"""What the first symptom of a broken cluster looks like on the screen."""
OPEN = 500
"""Symptoms that are open while one event comes."""


def growth(place: BenchRun) -> list[Figure]:
    """`stanch triage` of a broken cluster of 8 times the objects, in turn."""
    return _growth(place, 2_500, 20_000)


def large_growth(place: BenchRun) -> list[Figure]:
    """As `growth`, up to the largest cluster."""
    return _growth(place, 20_000, LARGE)


def _growth(place: BenchRun, small: int, large: int) -> list[Figure]:
    taken: dict[int, list[Cost]] = {small: [], large: []}
    with (
        rendered(_folder(place, small), small) as few,
        rendered(_folder(place, large), large) as many,
    ):
        for _ in range(place.runs):
            for pods, kubeconfig in ((small, few), (large, many)):
                taken[pods].append(_triage(place, kubeconfig))
    ratios = [b.cpu / a.cpu for a, b in zip(taken[small], taken[large], strict=True)]
    rows = [_ratio(f"broken: triage, CPU at {large:,} over {small:,}", ratios, 9.0)]
    for pods, costs in taken.items():
        memory = max(cost.memory for cost in costs) / 2**20
        seconds = [cost.cpu for cost in costs]
        rows.append(_ratio(f"broken: triage at {pods:,}, CPU", seconds, None, "s"))
        goal = 400.0 if pods == LARGE else None
        rows.append(Figure(f"broken: triage at {pods:,}, memory", memory, "MiB", goal))
    return rows


def largest(place: BenchRun) -> list[Figure]:
    """The largest cluster beside kubectl: the answer, the screens, keys while it is read."""
    with rendered(_folder(place, LARGE), LARGE, "--nodes", "5000") as kubeconfig:
        here = replace(place, kubeconfig=kubeconfig)
        ratios, triages = [], []
        for _ in range(place.runs):
            yard = kubectl(here)
            triages.append(_triage(place, kubeconfig))
            ratios.append(triages[-1].wall / yard.wall)
        usual = statistics.median(cost.wall for cost in triages)
        with open_terminal(here.stanch(), here.environment()) as terminal:
            first = terminal.wait_for(SYMPTOM, 120)
            loading = _moved(terminal, 60)
            whole = terminal.wait_for(rb"pods \d+s|pods live", 300)
            terminal.settle(10)
            peak = resident(terminal.pid, peak=True) / 2**20
            terminal.press(OBJECTS)
            terminal.settle(2)
            moves = _moved(terminal, 200)
    return [
        _ratio("largest: triage / kubectl", ratios, 0.15),
        Figure("largest: screens, first finding", first, "s", 1.0),
        Figure(
            "largest: screens, all read / triage", whole / usual, "ratio", 1.3, f"{whole:.1f} s"
        ),
        Figure("largest: screens, memory at the peak", peak, "MiB", 500),
        *_keys("largest: keys while it is read", loading),
        *_keys("largest: moving through its pods", moves),
    ]


def event(place: BenchRun) -> list[Figure]:
    """From one event to the changed line and the new order, with 500 symptoms open."""
    middles: dict[int, float] = {}
    rows = []
    for pods in (10_000, LARGE):
        each = str(pods // OPEN)
        with (
            rendered(_folder(place, pods), pods, "--broken-each", each) as kubeconfig,
            open_terminal(place.stanch(kubeconfig=kubeconfig), place.environment()) as terminal,
        ):
            terminal.wait_for(SYMPTOM, 120)
            terminal.wait_for(rb"pods \d+s|pods live", 300)
            terminal.settle(20)
            waits, costs = [], []
            for number in range(20):
                used = cpu_seconds(terminal.pid)
                waits.append(_event(terminal, kubeconfig, 10 * (number + 3) + 1))
                terminal.settle(4)
                costs.append(cpu_seconds(terminal.pid) - used)
            middles[pods] = statistics.median(costs)
        rows.append(
            Figure(
                f"event: to its line at {pods:,} pods, p99",
                percentile(waits, 0.99) * 1000,
                "ms",
                250,
                f"median {statistics.median(waits) * 1000:.0f} ms, {len(waits)} events",
            )
        )
    ratio = middles[LARGE] / max(middles[10_000], 0.01)
    note = f"{middles[10_000]:.2f} s, {middles[LARGE]:.2f} s of CPU in 4 s around an event"
    return [*rows, Figure(f"event: CPU at {LARGE:,} over 10,000", ratio, "ratio", 1.5, note)]


def _event(terminal: TerminalProgram, kubeconfig: Path, number: int) -> float:
    """Break one pod of a workload of its own; seconds until its symptom is on the screen."""
    began = time.monotonic()
    _ask(kubeconfig, f"/bench/break/{number}", post=True)
    terminal.wait_for(f"app-{number // 10}[^0-9]".encode(), 30)
    return time.monotonic() - began


def flood(place: BenchRun) -> list[Figure]:
    """Every watch floods without end: keys, and memory after 20 and after 60 seconds."""
    with (
        rendered(_folder(place, 2_000), 2_000, "--flood", "1000") as kubeconfig,
        open_terminal(place.stanch(kubeconfig=kubeconfig), place.environment()) as terminal,
    ):
        terminal.wait_for(SYMPTOM, 120)
        terminal.settle(20)
        before = resident(terminal.pid)
        terminal.press(OBJECTS)
        terminal.settle(2)
        moves = _moved(terminal, 300)
        terminal.settle(20)
        after = resident(terminal.pid)
    return [
        *_keys("flood of every kind: moving", moves),
        Figure("flood of every kind: memory, later over before", after / before, "ratio", 1.2),
    ]


def pages(place: BenchRun) -> list[Figure]:
    """A server that takes 40 ms a page, against those pauses alone."""
    ratios, asked = [], 0
    with rendered(_folder(place, 10_000), 10_000, "--delay", "0.04") as kubeconfig:
        for _ in range(place.runs):
            before = _load(kubeconfig)["requests"]
            cost = _triage(place, kubeconfig)
            asked = _load(kubeconfig)["requests"] - before
            ratios.append(cost.wall - cost.cpu)
    return [
        _ratio("40 ms a page: waiting beside CPU", ratios, None, "s"),
        Figure("40 ms a page: requests", asked, "requests"),
    ]


def load(place: BenchRun) -> list[Figure]:
    """Requests and bytes of one answer, beside `kubectl get pods -A`."""
    with rendered(_folder(place, 10_000), 10_000) as kubeconfig:
        here = replace(place, kubeconfig=kubeconfig)
        figures = []
        for command in (_triage, kubectl):
            before = _load(kubeconfig)
            command(here)
            after = _load(kubeconfig)
            figures.append({name: after[name] - before[name] for name in after})
    ours, theirs = figures
    return [
        Figure("load: requests of a triage", ours["requests"], "requests"),
        Figure("load: requests of kubectl get pods -A", theirs["requests"], "requests"),
        Figure("load: bytes of a triage", ours["bytes"] / 2**20, "MiB"),
        Figure("load: bytes of kubectl get pods -A", theirs["bytes"] / 2**20, "MiB"),
    ]


def start(place: BenchRun) -> list[Figure]:
    """`stanch --version` and the first paint of the screens."""
    version = [
        run(place.stanch("--version"), place.environment()).wall for _ in range(place.runs * 2)
    ]
    paints = []
    with rendered(_folder(place, 100), 100) as kubeconfig:
        for _ in range(place.runs * 2):
            with open_terminal(
                place.stanch(kubeconfig=kubeconfig), place.environment()
            ) as terminal:
                paints.append(terminal.wait_for(rb"quit", 20))
    return [
        Figure("start: stanch --version", min(version), "s", 0.12, _spread(version)),
        Figure("start: first paint", min(paints), "s", 0.3, _spread(paints)),
    ]


def _moved(terminal: TerminalProgram, number: int) -> list[float]:
    """Seconds of each key that moves the mark of the chosen row."""
    taken = []
    for each in range(number):
        taken.append(terminal.move(UP if each // STRETCH % 2 else DOWN))
        terminal.settle(0.04)
    return taken


def _keys(name: str, taken: Sequence[float]) -> list[Figure]:
    note = f"{len(taken)} keys, median {statistics.median(taken) * 1000:.0f} ms"
    p99 = percentile(list(taken), 0.99) * 1000
    return [
        Figure(f"{name}, p99", p99, "ms", 50, note),
        Figure(f"{name}, longest", max(taken) * 1000, "ms", 120),
    ]


def _triage(place: BenchRun, kubeconfig: Path | None = None) -> Cost:
    """One answer. Raises RuntimeError when it is not complete."""
    command = place.stanch("triage", "-o", "json", "--wait", "300", kubeconfig=kubeconfig)
    cost = run(command, place.environment(), limit=600)
    if not json.loads(cost.output)["complete"]:
        raise RuntimeError("the answer is not complete")
    return cost


def _load(kubeconfig: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads(_ask(kubeconfig, "/bench/load"))
    return found


def _ask(kubeconfig: Path, path: str, *, post: bool = False) -> bytes:
    server = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    request = urllib.request.Request(server + path, method="POST" if post else "GET")  # noqa: S310  # loopback, from our own file
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # as above
        body: bytes = answer.read()
    return body


def _folder(place: BenchRun, pods: int) -> Path:
    folder = place.scratch / f"rendered-{pods}-{os.urandom(4).hex()}"
    folder.mkdir()
    return folder


def _ratio(name: str, values: Sequence[float], goal: float | None, unit: str = "ratio") -> Figure:
    return Figure(name, statistics.median(values), unit, goal, _spread(values))


def _spread(values: Sequence[float]) -> str:
    return f"{min(values):.2f}, {statistics.median(values):.2f}, {max(values):.2f}"


def versions() -> str:
    """What is compared, for the head of the table."""
    from cluster.version import VERSION

    client = ["kubectl", "version", "--client", "-o", "json"]
    try:
        found = subprocess.run(client, capture_output=True, check=True).stdout
        yard = json.loads(found)["clientVersion"]["gitVersion"]
    except (OSError, ValueError, KeyError, subprocess.CalledProcessError):
        yard = "not here"
    return f"stanch {VERSION}, Python {sys.version.split()[0]}, kubectl {yard}"


MEASURES = {
    "growth": growth,
    "large-growth": large_growth,
    "largest": largest,
    "event": event,
    "flood": flood,
    "pages": pages,
    "load": load,
    "start": start,
}
