"""What is measured on rendered clusters, of which a part of the pods is broken: how costs grow, the
largest cluster, one event, floods, TLS, slow pages, load and starts. Notes of rows say minimum,
median and maximum."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.changes import LARGE
from bench.keys import COUNTED, SYMPTOM, key_rows, moved
from bench.measures import OBJECTS, WHOLE, BenchRun, Cost, idle_rows, kubectl, resident, run
from bench.report import Figure, figure, ratios
from bench.server import load as loaded_so_far
from bench.server import rendered, scratch_folder
from bench.terminal import open_terminal
from cluster.kube.kinds import KINDS, Kind

TABLE = rb"restarts"
"""A heading of the table of pods."""
PAUSE = 0.04
"""Seconds that a slow server takes for a page."""


def growth(place: BenchRun) -> list[Figure]:
    """`stanch triage` of a broken cluster of 8 times the objects, in turn."""
    return _growth(place, 2_500, 20_000)


def large_growth(place: BenchRun) -> list[Figure]:
    """As `growth`, up to the largest cluster."""
    return _growth(place, 20_000, LARGE)


def _growth(place: BenchRun, small: int, large: int) -> list[Figure]:
    taken: dict[int, list[Cost]] = {small: [], large: []}
    with (
        rendered(scratch_folder(place.scratch, small), small) as few,
        rendered(scratch_folder(place.scratch, large), large) as many,
    ):
        for _ in range(place.runs):
            for pods, kubeconfig in ((small, few), (large, many)):
                taken[pods].append(_triage(place, kubeconfig))
    name = f"broken: triage, CPU at {large:,} over {small:,}"
    rows = [ratios(name, [each.cpu for each in taken[large]], [b.cpu for b in taken[small]], 9.0)]
    for pods, costs in taken.items():
        rows += _costs(f"broken: triage at {pods:,}", costs, 400.0 if pods == LARGE else None)
    return rows


def _costs(name: str, costs: Sequence[Cost], memory: float | None = None) -> list[Figure]:
    return [
        figure(f"{name}, CPU", [cost.cpu for cost in costs], "s"),
        figure(f"{name}, memory", [cost.memory / 1e6 for cost in costs], "MB", memory, 0),
    ]


def largest(place: BenchRun) -> list[Figure]:
    """The largest cluster in turn with kubectl: the answer, the screens until all is read with no
    key pressed; then keys while it is read, and its table of pods."""
    yards, triages = list[Cost](), list[Cost]()
    first, read, whole, peaks = list[float](), list[float](), list[float](), list[float]()
    folder = scratch_folder(place.scratch, LARGE)
    with rendered(folder, LARGE, "--nodes", "5000") as kubeconfig:
        here = replace(place, kubeconfig=kubeconfig)
        for _ in range(place.runs):
            yards.append(kubectl(here))
            triages.append(_triage(place, kubeconfig))
            with open_terminal(here.stanch(), here.environment()) as terminal:
                found, counted, drawn = terminal.wait_for_each((SYMPTOM, COUNTED, WHOLE), 300)
                first.append(found)
                read.append(counted)
                whole.append(drawn)
        with open_terminal(here.stanch(), here.environment()) as terminal:
            terminal.wait_for(SYMPTOM, 120)
            terminal.settle(1)  # until there are symptoms to move through
            loading = moved(terminal, 60, stretch=3)
            terminal.wait_for(COUNTED, 300)
            terminal.settle(10)
            asked = time.monotonic()
            terminal.press(OBJECTS)
            terminal.wait_for(TABLE, 120)
            opened = time.monotonic() - asked
            terminal.settle(2)
            moves = moved(terminal, 200)
            peaks.append(resident(terminal.pid, peak=True) / 1e6)
    walls = [cost.wall for cost in triages]
    yard = [cost.wall for cost in yards]
    return [
        figure("largest: kubectl get pods -A", yard, "s"),
        *_costs("largest: kubectl get pods -A", yards),
        ratios("largest: triage / kubectl", walls, yard, 0.15),
        figure("largest: triage", walls, "s"),
        *_costs("largest: triage", triages, 400.0),
        figure("largest: screens, first finding", first, "s", 1.0),
        ratios("largest: screens, all read / triage", read, walls, 1.3),
        ratios("largest: screens, whole answer / triage", whole, walls),
        figure("largest: screens, all read", read, "s"),
        figure("largest: screens with all rows, memory at the peak", peaks, "MB", 500.0, 0),
        Figure("largest: screens, table of pods opens", opened, "s"),
        *key_rows("largest: keys while it is read", loading),
        *key_rows("largest: moving through its pods", moves),
    ]


def idle(place: BenchRun) -> list[Figure]:
    """The screens of a broken cluster in which nothing changes."""
    with (
        rendered(scratch_folder(place.scratch, 10_000), 10_000) as kubeconfig,
        open_terminal(place.stanch(kubeconfig=kubeconfig), place.environment()) as terminal,
    ):
        terminal.wait_for(SYMPTOM, 120)
        terminal.wait_for(COUNTED, 300)
        return idle_rows("idle", terminal)


def pages(place: BenchRun) -> list[Figure]:
    """A server that takes 40 ms a page, in turn with the same server without pauses."""
    floors, paused, plain, asked = list[float](), list[float](), list[float](), 0
    with (
        rendered(scratch_folder(place.scratch, 10_000), 10_000) as quick,
        rendered(scratch_folder(place.scratch, 10_000), 10_000, "--delay", str(PAUSE)) as slow,
    ):
        for _ in range(place.runs):
            plain.append(_triage(place, quick).wall)
            before = loaded_so_far(slow)["requests"]
            paused.append(_triage(place, slow).wall)
            asked = loaded_so_far(slow)["requests"] - before
            # The pods alone need two answers in turn, the first page and the rest.
            floors.append(max(plain[-1], 2 * PAUSE))
    return [
        ratios("40 ms a page: triage / without pauses", paused, floors, 1.2),
        figure("40 ms a page: triage", paused, "s"),
        figure("40 ms a page: triage without pauses", plain, "s"),
        Figure("40 ms a page: requests", asked, "requests"),
    ]


def load(place: BenchRun) -> list[Figure]:
    """Requests and bytes of one answer, beside kubectl: pods alone, and the kinds that the answer
    reads, as tables and as whole objects. Lists are compressed, as API servers do for both."""
    kinds = ",".join(kind.plural if not kind.group else _full(kind) for kind in KINDS)
    rows, costs, plains = list[Figure](), list[float](), list[float]()
    with (
        rendered(scratch_folder(place.scratch, 10_000), 10_000, "--gzip") as packed,
        rendered(scratch_folder(place.scratch, 10_000), 10_000) as plain,
    ):
        ours = _loaded(packed, lambda: _triage(place, packed))
        screens = _loaded(packed, lambda: _screens(place, packed))
        for who, found in (("a triage", ours), ("the screens, watches included", screens)):
            rows += [Figure(f"load: {unit} of {who}", n, unit) for unit, n in found.items()]
        for what, goal, *words in (
            ("pods", None, "pods"),
            ("all kinds as tables", 1.0, kinds),
            ("all kinds as JSON", 1.0, kinds, "-o", "json"),
        ):
            theirs = _loaded(packed, partial(_kubectl, place, packed, *words))
            for unit, value in theirs.items():
                name = f"load: {unit} of a triage / kubectl, {what}"
                rows.append(Figure(name, ours[unit] / value, "ratio", goal, f"{value:.1f} {unit}"))
        for _ in range(place.runs):
            costs.append(_triage(place, packed).cpu)
            plains.append(_triage(place, plain).cpu)
    return [*rows, ratios("load: CPU of a triage, lists compressed / plain", costs, plains)]


def _screens(place: BenchRun, kubeconfig: Path) -> None:
    with open_terminal(place.stanch(kubeconfig=kubeconfig), place.environment()) as terminal:
        terminal.wait_for(WHOLE, 120)
        terminal.settle(3)


def _full(kind: Kind) -> str:
    group, _, version = kind.api_version.partition("/")
    return f"{kind.plural}.{version}.{group}"


def _loaded(kubeconfig: Path, work: Callable[[], object]) -> dict[str, float]:
    """Requests and MiB of one piece of work."""
    before = loaded_so_far(kubeconfig)
    work()
    after = loaded_so_far(kubeconfig)
    return {
        "requests": after["requests"] - before["requests"] - 1,  # the question itself
        "MiB": (after["bytes"] - before["bytes"]) / 2**20,
    }


def _kubectl(place: BenchRun, kubeconfig: Path, *words: str) -> Cost:
    command = ["kubectl", "--kubeconfig", str(kubeconfig), "get", "-A", *words]
    return run(command, place.environment())


def start(place: BenchRun) -> list[Figure]:
    """`stanch --version` and the first paint of the screens."""
    version = [
        run(place.stanch("--version"), place.environment()).wall for _ in range(place.runs * 2)
    ]
    paints = []
    with rendered(scratch_folder(place.scratch, 100), 100) as kubeconfig:
        for _ in range(place.runs * 2):
            with open_terminal(
                place.stanch(kubeconfig=kubeconfig), place.environment()
            ) as terminal:
                paints.append(terminal.wait_for(rb"quit", 20))
    return [
        figure("start: stanch --version", version, "s", 0.12, 3),
        figure("start: first paint", paints, "s", 0.3, 3),
    ]


def _triage(place: BenchRun, kubeconfig: Path | None = None) -> Cost:
    """One answer. Raises RuntimeError when it is not complete."""
    command = place.stanch("triage", "-o", "json", "--wait", "300", kubeconfig=kubeconfig)
    cost = run(command, place.environment(), limit=600)
    if not json.loads(cost.output)["complete"]:
        raise RuntimeError("the answer is not complete")
    return cost


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
    "idle": idle,
    "pages": pages,
    "load": load,
    "start": start,
}
