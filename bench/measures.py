"""What is measured on a filled cluster. Each function takes the bench's place and returns rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.process import Cost, cpu_seconds, resident, run
from bench.report import Figure, middle, spread
from bench.terminal import TerminalProgram, open_terminal
from tests.rungs.population import CRASHING

FLOOD = 5000.0
KEYS = 300
NOTE, OBJECTS = (
    b"n",
    b"3",
)  # the keys that open a line to type in, on every screen, and the table of pods
DOWN, UP = b"j", b"k"
STRETCH = 15  # rows that the cursor goes one way
COUNTED = (
    rb"pods \d+s"  # their age, which stands where their number so far stood while they were loading
)
WHOLE = rb"now \xe2\x94\x80 \d+ symptom"  # without the words that stand there while kinds are read
SETTLE = 8.0


@dataclass(frozen=True, slots=True)
class BenchRun:
    """Where to measure: a kubeconfig, a scratch folder, how many pods are there and how often to
    repeat."""

    kubeconfig: Path
    scratch: Path
    pods: int
    runs: int

    def environment(self) -> Mapping[str, str]:
        """The user's own, with a home of its own: no record, no cache and no settings of the person
        who measures."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("XDG_", "KUBE", "STANCH"))
        }
        return {
            **kept,
            "HOME": str(self.scratch),
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LC_ALL": "C.UTF-8",
        }

    def stanch(self, *arguments: str, kubeconfig: Path | None = None) -> list[str]:
        return [
            str(Path(sys.executable).with_name("stanch")),
            "--kubeconfig",
            str(kubeconfig or self.kubeconfig),
            *arguments,
        ]


def kubectl(place: BenchRun) -> Cost:
    """`kubectl get pods -A` once: the yardstick, since what a server costs differs from machine to
    machine."""
    return run(
        ["kubectl", "--kubeconfig", str(place.kubeconfig), "get", "pods", "-A"], place.environment()
    )


def client(place: BenchRun) -> list[Figure]:
    """The live state alone, in turn with kubectl."""
    yard: list[Cost] = []
    seen: list[tuple[Cost, dict[str, float]]] = []
    for _ in range(place.runs):
        yard.append(kubectl(place))
        cost = run(
            [sys.executable, "-m", "bench.client", str(place.kubeconfig)], place.environment()
        )
        seen.append((cost, json.loads(cost.output)))
    wall = middle([cost.wall for cost in yard])
    memory = middle([cost.memory for cost in yard])
    pods = [figures["pods"] for _, figures in seen]
    own = middle([cost.memory for cost, _ in seen])
    return [
        Figure("kubectl get pods -A", wall, "s", note=spread([cost.wall for cost in yard])),
        Figure("kubectl get pods -A, memory", memory / 2**20, "MiB"),
        Figure("live state: first pod", middle([figures["first"] for _, figures in seen]), "s"),
        Figure("live state: all pods", middle(pods), "s", note=spread(pods)),
        Figure("live state: all kinds", middle([figures["all"] for _, figures in seen]), "s"),
        Figure(
            "live state: pods counted",
            min(figures["count"] for _, figures in seen),
            "pods",
            note=f"of {place.pods}",
        ),
        Figure("live state: all pods / kubectl", middle(pods) / wall, "ratio", 0.25),
        Figure(
            "live state: CPU / kubectl",
            middle([c.cpu for c, _ in seen]) / middle([c.cpu for c in yard]),
            "ratio",
        ),
        Figure(
            "live state: memory / kubectl", own / memory, "ratio", note=f"{own / 2**20:.0f} MiB"
        ),
    ]


def triage(place: BenchRun) -> list[Figure]:
    """`stanch triage` as a whole, in turn with kubectl."""
    yard: list[Cost] = []
    own: list[Cost] = []
    complete = True
    for _ in range(place.runs):
        yard.append(kubectl(place))
        own.append(run(place.stanch("triage", "-o", "json"), place.environment()))
        answer = json.loads(own[-1].output)
        complete = (
            complete
            and answer["complete"]
            and any(CRASHING in json.dumps(symptom) for symptom in answer["symptoms"])
        )
    ratio = middle([cost.wall for cost in own]) / middle([cost.wall for cost in yard])
    return [
        Figure(
            "triage: whole",
            middle([cost.wall for cost in own]),
            "s",
            note=spread([cost.wall for cost in own]),
        ),
        Figure("triage: whole / kubectl", ratio, "ratio", 0.6),
        Figure("triage: memory", middle([cost.memory for cost in own]) / 2**20, "MiB", 150),
        Figure("triage: incomplete or without the crash loop", 0 if complete else 1, "answers", 0),
    ]


def screens(place: BenchRun) -> list[Figure]:
    """From the start of the process to the first finding on the screen, to all pods and to the
    whole answer, then memory, and CPU while nothing changes."""
    first: list[float] = []
    counted: list[float] = []
    whole: list[float] = []
    yard: list[float] = []
    idle = peak = 0.0
    for number in range(place.runs):
        yard.append(kubectl(place).wall)
        with open_terminal(place.stanch(), place.environment()) as terminal:
            drawn = terminal.wait_for_each((CRASHING.encode(), COUNTED, WHOLE), 60)
            for times, at in zip((first, counted, whole), drawn, strict=True):
                times.append(at)
            terminal.settle(SETTLE)
            idle = idle_share(terminal) if number == place.runs - 1 else 0.0
            peak = resident(terminal.pid, peak=True)
    return [
        Figure("screens: first finding", middle(first), "s", note=spread(first)),
        Figure(
            "screens: first finding / kubectl",
            middle(first) / middle(yard),
            "ratio",
            0.2,
            note=f"kubectl {spread(yard)}",
        ),
        Figure("screens: all pods counted", middle(counted), "s", note=spread(counted)),
        Figure("screens: all pods counted / kubectl", middle(counted) / middle(yard), "ratio"),
        Figure("screens: whole answer", middle(whole), "s", note=spread(whole)),
        Figure("screens: whole answer / kubectl", middle(whole) / middle(yard), "ratio", 0.35),
        Figure("screens: memory at its peak", peak / 2**20, "MiB", 150),
        Figure("screens: CPU while nothing changes", idle * 100, "% of core", 3),
    ]


def idle_share(terminal: TerminalProgram, seconds: float = 60.0) -> float:
    """Share of a core over a whole minute, so that what is done once a minute is in it once."""
    began, used = time.monotonic(), cpu_seconds(terminal.pid)
    terminal.settle(seconds)
    return (cpu_seconds(terminal.pid) - used) / (time.monotonic() - began)


def keys(place: BenchRun) -> list[Figure]:
    """Keys while 5,000 changes a second arrive, against keys while nothing does."""
    quiet = _latencies(place, place.kubeconfig)
    taken, busy, moves = _flooded(place, "pods", _latencies, _moves)
    _, storm = _flooded(place, "events", _latencies)
    return [
        Figure("keys: changes a second that were taken", taken[0], "changes"),
        Figure("keys: p99 while nothing changes", percentile(quiet, 0.99) * 1000, "ms"),
        Figure("keys: median under 5,000 changes a second", percentile(busy, 0.5) * 1000, "ms"),
        Figure(
            "keys: p99 under 5,000 changes a second",
            percentile(busy, 0.99) * 1000,
            "ms",
            50,
            note=f"{len(busy)} keys",
        ),
        Figure("keys: longest under 5,000 changes a second", max(busy) * 1000, "ms"),
        Figure(
            "keys: p99 of moving through the pods meanwhile",
            percentile(moves, 0.99) * 1000,
            "ms",
            50,
            note=f"{len(moves)} keys",
        ),
        Figure(
            "keys: p99 under 5,000 Events a second",
            percentile(storm, 0.99) * 1000,
            "ms",
            50,
            note=f"{len(storm)} keys",
        ),
        Figure(
            "keys: p99 under the flood / without",
            percentile(busy, 0.99) / percentile(quiet, 0.99),
            "ratio",
        ),
    ]


def _flooded(
    place: BenchRun, plural: str, *measures: Callable[[BenchRun, Path], list[float]]
) -> list[list[float]]:
    """[[changes a second that were taken], seconds of each key by the first measure, ...]. Raises
    RuntimeError when too few were."""
    flooded = place.scratch / f"{plural}.kubeconfig"
    command = [
        sys.executable,
        "-m",
        "bench.firehose",
        str(place.kubeconfig),
        str(FLOOD),
        str(flooded),
        plural,
    ]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as hose:
        try:
            deadline = time.monotonic() + 20
            while not flooded.exists():
                if time.monotonic() > deadline or hose.poll() is not None:
                    raise RuntimeError("the firehose did not start")
                time.sleep(0.05)
            seconds = [measure(place, flooded) for measure in measures]
        finally:
            hose.terminate()
            told, _ = hose.communicate(timeout=20)
    taken = float(told or 0)
    if taken < 0.9 * FLOOD:
        raise RuntimeError(f"only {taken:.0f} of {FLOOD:.0f} changes a second were taken")
    return [[taken], *seconds]


def _latencies(place: BenchRun, kubeconfig: Path) -> list[float]:
    """Type signs that occur nowhere else into a line; how long each takes to be drawn."""
    return _pressed(
        place, kubeconfig, NOTE, lambda terminal, number: terminal.echo(chr(0x4E00 + number))
    )


def _moves(place: BenchRun, kubeconfig: Path) -> list[float]:
    """Go down and up in the table of pods; how long until the cursor is drawn in another row."""
    return _pressed(
        place,
        kubeconfig,
        OBJECTS,
        lambda terminal, number: terminal.move(UP if number // STRETCH % 2 else DOWN),
    )


def _pressed(
    place: BenchRun,
    kubeconfig: Path,
    opening: bytes,
    press: Callable[[TerminalProgram, int], float],
) -> list[float]:
    """What `press` measures for each key, when everything has been read and the key `opening` was
    pressed."""
    with open_terminal(place.stanch(kubeconfig=kubeconfig), place.environment()) as terminal:
        terminal.wait_for(CRASHING.encode(), 60)
        terminal.settle(SETTLE)
        terminal.press(opening)
        terminal.settle(2)
        taken = []
        for number in range(KEYS):
            taken.append(press(terminal, number))
            terminal.settle(0.04)
        return taken


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


MEASURES = {"client": client, "triage": triage, "screens": screens, "keys": keys}
