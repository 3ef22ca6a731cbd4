"""Changes of a broken cluster: one event, a flood of every kind, and a watch over TLS."""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

from bench.keys import COUNTED, OPEN, SYMPTOM, key_rows, moved
from bench.measures import OBJECTS, BenchRun, cpu_seconds, percentile, resident, run
from bench.report import Figure, figure, three
from bench.server import ask, load, rendered, scratch_folder
from bench.terminal import TerminalProgram, open_terminal

LARGE = 150_000
EVENTS = 20
TLS_RATE = 5_000


def event(place: BenchRun) -> list[Figure]:
    """From one event to the changed line and the new order, with 500 symptoms open."""
    costs: dict[int, list[float]] = {}
    rows = []
    for pods in (10_000, LARGE):
        options = ("--broken-each", str(pods // OPEN), "--apart")
        with (
            rendered(scratch_folder(place.scratch, pods), pods, *options) as kubeconfig,
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
                ask(kubeconfig, f"/bench/mend/{broken}", post=True)
                terminal.settle(4)
        rows.append(
            Figure(
                f"event: to its line at {pods:,} pods, p99",
                percentile(waits, 0.99),
                "ms",
                250,
                f"{three(waits, 0)} ms, {len(waits)} events",
            )
        )
    usual = {pods: statistics.median(each) for pods, each in costs.items()}
    note = "; ".join(f"{pods:,}: {three(each)}" for pods, each in costs.items())
    ratio = usual[LARGE] / max(usual[10_000], 0.01)
    note += " s of CPU in 4 s around an event"
    return [*rows, Figure(f"event: CPU at {LARGE:,} over 10,000", ratio, "ratio", 1.5, note)]


def _event(terminal: TerminalProgram, kubeconfig: Path, number: int) -> float:
    """Break one pod of a workload of its own; seconds until its symptom is on the screen."""
    began = time.monotonic()
    ask(kubeconfig, f"/bench/break/{number}", post=True)
    terminal.wait_for(f"app-{number // 10}[^0-9]".encode(), 30)
    return time.monotonic() - began


def flood(place: BenchRun) -> list[Figure]:
    """Every watch floods without end: keys, and memory after 20 and after 60 seconds."""
    with (
        rendered(scratch_folder(place.scratch, 2_000), 2_000, "--flood", "1000") as kubeconfig,
        open_terminal(place.stanch(kubeconfig=kubeconfig), place.environment()) as terminal,
    ):
        terminal.wait_for(SYMPTOM, 120)
        terminal.settle(20)
        before, began = resident(terminal.pid), time.monotonic()
        sent = load(kubeconfig)["flooded"]
        terminal.press(OBJECTS)
        terminal.settle(2)
        moves = moved(terminal, 300)
        terminal.settle(20)
        after, seconds = resident(terminal.pid), time.monotonic() - began
        rate = (load(kubeconfig)["flooded"] - sent) / seconds
    note = f"{before / 2**20:.0f}, {after / 2**20:.0f} MiB, {seconds:.0f} s apart"
    return [
        Figure("flood of every kind: changes a second", rate, "changes"),
        *key_rows("flood of every kind: moving", moves),
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
        with rendered(scratch_folder(place.scratch, 2_000), 2_000, *flooded, *total) as kubeconfig:
            client = [sys.executable, "-m", "bench.client", str(kubeconfig), str(TLS_RATE * 10)]
            found = json.loads(run(client, place.environment()).output)
            costs.append(1e6 * found["cpu"] / found["taken"])
            # At the full rate, also where the machine was too busy to send it.
            shares.append(costs[-1] * TLS_RATE / 1e4)
            rates.append(found["taken"] / found["seconds"])
            lost += found["lost"]
    with (
        rendered(scratch_folder(place.scratch, 2_000), 2_000, *flooded) as kubeconfig,
        open_terminal(place.stanch(kubeconfig=kubeconfig), place.environment()) as terminal,
    ):
        terminal.wait_for(SYMPTOM, 120)
        terminal.settle(10)
        sent, used = load(kubeconfig)["flooded"], cpu_seconds(terminal.pid)
        terminal.settle(20)
        used = cpu_seconds(terminal.pid) - used
        screens = 100 * TLS_RATE * used / (load(kubeconfig)["flooded"] - sent)
    return [
        figure("TLS watch: changes a second", rates, "changes"),
        figure("TLS watch: live state, CPU of a change", costs, "us"),
        figure("TLS watch: live state at 5,000 changes a second", shares, "% of core", 50.0),
        Figure("TLS watch: pods without their last version", lost, "pods", 0),
        Figure("TLS watch: screens at 5,000 changes a second", screens, "% of core"),
    ]


MEASURES = {"event": event, "flood": flood, "tls": tls}
