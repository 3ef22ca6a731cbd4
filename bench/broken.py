"""What is measured on rendered clusters, of which a part of the pods is broken: how costs grow, the
largest cluster, one event, floods, TLS, slow pages, load and starts. Notes of rows say minimum,
median and maximum."""

from __future__ import annotations

import json
import os
import ssl
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import yaml

from bench.measures import DOWN, OBJECTS, STRETCH, UP, BenchRun, idle_share, kubectl, percentile
from bench.process import Cost, cpu_seconds, resident, run
from bench.rendered import rendered
from bench.report import Figure
from bench.terminal import TerminalProgram, open_terminal
from cluster.kube.kinds import KINDS, Kind

LARGE = 150_000
SYMPTOM = rb"CRIT|WARN"
"""What the first symptom of a broken cluster looks like on the screen."""
COUNTED = rb"pods \d+s|pods live"
"""In the status line when all pods have been read."""
TABLE = rb"restarts"
"""A heading of the table of pods."""
OPEN = 500
"""Symptoms that are open while one event comes."""
EVENTS = 20
TLS_RATE = 5_000
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
        rendered(_folder(place, small), small) as few,
        rendered(_folder(place, large), large) as many,
    ):
        for _ in range(place.runs):
            for pods, kubeconfig in ((small, few), (large, many)):
                taken[pods].append(_triage(place, kubeconfig))
    ratios = [b.cpu / a.cpu for a, b in zip(taken[small], taken[large], strict=True)]
    rows = [_ratio(f"broken: triage, CPU at {large:,} over {small:,}", ratios, 9.0)]
    for pods, costs in taken.items():
        rows += _costs(f"broken: triage at {pods:,}", costs, 400.0 if pods == LARGE else None)
    return rows


def _costs(name: str, costs: Sequence[Cost], memory: float | None = None) -> list[Figure]:
    return [
        _ratio(f"{name}, CPU", [cost.cpu for cost in costs], None, "s"),
        _ratio(f"{name}, memory", [cost.memory / 2**20 for cost in costs], memory, "MiB"),
    ]


def largest(place: BenchRun) -> list[Figure]:
    """The largest cluster beside kubectl: the answer, the screens, keys while it is read."""
    with rendered(_folder(place, LARGE), LARGE, "--nodes", "5000") as kubeconfig:
        here = replace(place, kubeconfig=kubeconfig)
        yards, triages = [], []
        for _ in range(place.runs):
            yards.append(kubectl(here))
            triages.append(_triage(place, kubeconfig))
        usual = statistics.median(cost.wall for cost in triages)
        with open_terminal(here.stanch(), here.environment()) as terminal:
            first = terminal.wait_for(SYMPTOM, 120)
            terminal.settle(1)  # until there are symptoms to move through
            loading = _moved(terminal, 60)
            whole = terminal.wait_for(COUNTED, 300)
            terminal.settle(10)
            peak = resident(terminal.pid, peak=True) / 2**20
            asked = time.monotonic()
            terminal.press(OBJECTS)
            terminal.wait_for(TABLE, 120)
            opened = time.monotonic() - asked
            terminal.settle(2)
            moves = _moved(terminal, 200)
    ratios = [own.wall / yard.wall for own, yard in zip(triages, yards, strict=True)]
    return [
        _ratio("largest: kubectl get pods -A", [cost.wall for cost in yards], None, "s"),
        *_costs("largest: kubectl get pods -A", yards),
        _ratio("largest: triage / kubectl", ratios, 0.15),
        _ratio("largest: triage", [cost.wall for cost in triages], None, "s"),
        *_costs("largest: triage", triages, 400.0),
        Figure("largest: screens, first finding", first, "s", 1.0),
        Figure(
            "largest: screens, all read / triage", whole / usual, "ratio", 1.3, f"{whole:.1f} s"
        ),
        Figure("largest: screens, memory at the peak", peak, "MiB", 500),
        Figure("largest: screens, table of pods opens", opened, "s"),
        *_keys("largest: keys while it is read", loading),
        *_keys("largest: moving through its pods", moves),
    ]


def event(place: BenchRun) -> list[Figure]:
    """From one event to the changed line and the new order, with 500 symptoms open."""
    costs: dict[int, list[float]] = {}
    rows = []
    for pods in (10_000, LARGE):
        options = ("--broken-each", str(pods // OPEN), "--apart")
        with (
            rendered(_folder(place, pods), pods, *options) as kubeconfig,
            open_terminal(place.stanch(kubeconfig=kubeconfig), place.environment()) as terminal,
        ):
            terminal.wait_for(SYMPTOM, 120)
            terminal.wait_for(COUNTED, 300)
            terminal.settle(20)
            waits, costs[pods] = [], []
            for number in range(EVENTS):
                used = cpu_seconds(terminal.pid)
                broken = 10 * (number + 3) + 1
                waits.append(_event(terminal, kubeconfig, broken) * 1000)
                terminal.settle(4)
                costs[pods].append(cpu_seconds(terminal.pid) - used)
                _ask(kubeconfig, f"/bench/mend/{broken}", post=True)
                terminal.settle(4)
        rows.append(
            Figure(
                f"event: to its line at {pods:,} pods, p99",
                percentile(waits, 0.99),
                "ms",
                250,
                f"{_spread(waits, 0)} ms, {len(waits)} events",
            )
        )
    usual = {pods: statistics.median(each) for pods, each in costs.items()}
    note = "; ".join(f"{pods:,}: {_spread(each)}" for pods, each in costs.items())
    ratio = usual[LARGE] / max(usual[10_000], 0.01)
    note += " s of CPU in 4 s around an event"
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
        before, began = resident(terminal.pid), time.monotonic()
        sent = _load(kubeconfig)["flooded"]
        terminal.press(OBJECTS)
        terminal.settle(2)
        moves = _moved(terminal, 300)
        terminal.settle(20)
        after, seconds = resident(terminal.pid), time.monotonic() - began
        rate = (_load(kubeconfig)["flooded"] - sent) / seconds
    note = f"{before / 2**20:.0f}, {after / 2**20:.0f} MiB, {seconds:.0f} s apart"
    return [
        Figure("flood of every kind: changes a second", rate, "changes"),
        *_keys("flood of every kind: moving", moves),
        Figure(
            "flood of every kind: memory, later over before", after / before, "ratio", 1.2, note
        ),
    ]


def tls(place: BenchRun) -> list[Figure]:
    """A watch over TLS with 5,000 changes of whole pods a second."""
    flooded = ("--tls", "--flood", f"{TLS_RATE}", "--flood-kind", "Pod")
    shares, costs, lost, rates = [], [], 0, []
    for _ in range(place.runs):
        total = ("--flood-total", f"{TLS_RATE * 10}")
        with rendered(_folder(place, 2_000), 2_000, *flooded, *total) as kubeconfig:
            client = [sys.executable, "-m", "bench.client", str(kubeconfig), str(TLS_RATE * 10)]
            found = json.loads(run(client, place.environment()).output)
            costs.append(1e6 * found["cpu"] / found["taken"])
            # At the full rate, also where the machine was too busy to send it.
            shares.append(costs[-1] * TLS_RATE / 1e4)
            rates.append(found["taken"] / found["seconds"])
            lost += found["lost"]
    with (
        rendered(_folder(place, 2_000), 2_000, *flooded) as kubeconfig,
        open_terminal(place.stanch(kubeconfig=kubeconfig), place.environment()) as terminal,
    ):
        terminal.wait_for(SYMPTOM, 120)
        terminal.settle(10)
        sent, used = _load(kubeconfig)["flooded"], cpu_seconds(terminal.pid)
        terminal.settle(20)
        used = cpu_seconds(terminal.pid) - used
        screens = 100 * TLS_RATE * used / (_load(kubeconfig)["flooded"] - sent)
    return [
        _ratio("TLS watch: changes a second", rates, None, "changes"),
        _ratio("TLS watch: live state, CPU of a change", costs, None, "us"),
        _ratio("TLS watch: live state at 5,000 changes a second", shares, 50.0, "% of core"),
        Figure("TLS watch: pods without their last version", lost, "pods", 0),
        Figure("TLS watch: screens at 5,000 changes a second", screens, "% of core"),
    ]


def idle(place: BenchRun) -> list[Figure]:
    """The screens of a broken cluster in which nothing changes."""
    with (
        rendered(_folder(place, 10_000), 10_000) as kubeconfig,
        open_terminal(place.stanch(kubeconfig=kubeconfig), place.environment()) as terminal,
    ):
        terminal.wait_for(SYMPTOM, 120)
        terminal.wait_for(COUNTED, 300)
        terminal.settle(45)
        shares = [100 * idle_share(terminal) for _ in range(2)]
        memory = resident(terminal.pid) / 2**20
    return [
        _ratio("idle: CPU while nothing changes", shares, 1.0, "% of core"),
        Figure("idle: memory", memory, "MiB", 120),
    ]


def pages(place: BenchRun) -> list[Figure]:
    """A server that takes 40 ms a page, in turn with the same server without pauses."""
    ratios, paused, plain, asked = [], [], [], 0
    with (
        rendered(_folder(place, 10_000), 10_000) as quick,
        rendered(_folder(place, 10_000), 10_000, "--delay", str(PAUSE)) as slow,
    ):
        for _ in range(place.runs):
            plain.append(_triage(place, quick).wall)
            before = _load(slow)["requests"]
            paused.append(_triage(place, slow).wall)
            asked = _load(slow)["requests"] - before
            # The pods alone need two answers in turn, the first page and the rest.
            ratios.append(paused[-1] / max(plain[-1], 2 * PAUSE))
    return [
        _ratio("40 ms a page: triage / without pauses", ratios, 1.2),
        _ratio("40 ms a page: triage", paused, None, "s"),
        _ratio("40 ms a page: triage without pauses", plain, None, "s"),
        Figure("40 ms a page: requests", asked, "requests"),
    ]


def load(place: BenchRun) -> list[Figure]:
    """Requests and bytes of one answer, beside kubectl: pods alone, and the kinds that the answer
    reads, as tables and as whole objects. Lists are compressed, as API servers do for both."""
    kinds = ",".join(kind.plural if not kind.group else _full(kind) for kind in KINDS)
    rows, costs = [], []
    with (
        rendered(_folder(place, 10_000), 10_000, "--gzip") as packed,
        rendered(_folder(place, 10_000), 10_000) as plain,
    ):
        ours = _loaded(packed, lambda: _triage(place, packed))
        rows += [Figure(f"load: {name} of a triage", value, name) for name, value in ours.items()]
        for what, *words in (
            ("pods", "pods"),
            ("all kinds", kinds),
            ("all, JSON", kinds, "-o", "json"),
        ):
            theirs = _loaded(packed, partial(_kubectl, place, packed, *words))
            for name, value in theirs.items():
                note = f"a triage has {ours[name] / value:.2f} of it"
                rows.append(Figure(f"load: {name} of kubectl, {what}", value, name, None, note))
        for _ in range(place.runs):
            costs.append(_triage(place, packed).cpu / _triage(place, plain).cpu)
    return [*rows, _ratio("load: CPU of a triage, lists compressed / plain", costs, None)]


def _full(kind: Kind) -> str:
    group, _, version = kind.api_version.partition("/")
    return f"{kind.plural}.{version}.{group}"


def _loaded(kubeconfig: Path, work: Callable[[], object]) -> dict[str, float]:
    """Requests and MiB of one piece of work."""
    before = _load(kubeconfig)
    work()
    after = _load(kubeconfig)
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
    note = f"{len(taken)} keys, {_spread([each * 1000 for each in taken], 0)} ms"
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
    authority = kubeconfig.with_name("server.crt")
    trusted = ssl.create_default_context(cafile=authority) if authority.exists() else None
    with urllib.request.urlopen(request, timeout=30, context=trusted) as answer:  # noqa: S310  # as above
        body: bytes = answer.read()
    return body


def _folder(place: BenchRun, pods: int) -> Path:
    folder = place.scratch / f"rendered-{pods}-{os.urandom(4).hex()}"
    folder.mkdir()
    return folder


def _ratio(name: str, values: Sequence[float], goal: float | None, unit: str = "ratio") -> Figure:
    return Figure(name, statistics.median(values), unit, goal, _spread(values))


def _spread(values: Sequence[float], digits: int = 2) -> str:
    """Minimum, median and maximum."""
    found = (min(values), statistics.median(values), max(values))
    return ", ".join(f"{value:.{digits}f}" for value in found)


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
    "tls": tls,
    "idle": idle,
    "pages": pages,
    "load": load,
    "start": start,
}
