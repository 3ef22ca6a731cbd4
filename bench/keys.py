"""Keys: from a key press to what it draws, under floods, among 10,000 rows and 500 symptoms, and
while a cluster is read."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.measures import NOTE, OBJECTS, SETTLE, BenchRun, percentile
from bench.report import Figure, three
from bench.server import rendered, scratch_folder
from bench.terminal import TerminalProgram, open_terminal
from tests.rungs.population import CRASHING

FLOOD = 5000.0
KEYS = 300
FILTER, ERASE, LEAVE = b"f", b"\x7f", b"\x1b"
STRETCH = 15
"""Rows that the cursor goes one way."""
OPEN = 500
"""Symptoms that are open."""
SYMPTOM = rb"CRIT|WARN"
COUNTED = rb"pods \d+s|pods live"


def keys(place: BenchRun) -> list[Figure]:
    """Keys while 5,000 changes a second arrive, against keys while nothing does."""
    quiet = _latencies(place, place.kubeconfig)
    taken, busy, moves = _flooded(place, "pods", _latencies, _moves)
    _, storm = _flooded(place, "events", _latencies)
    return [
        Figure("keys: changes a second that were taken", taken[0], "changes"),
        *key_rows("keys while nothing changes", quiet),
        *key_rows("keys under 5,000 changes a second", busy),
        *key_rows("moving through the pods meanwhile", moves),
        *key_rows("keys under 5,000 Events a second", storm),
        Figure(
            "keys: p99 under the flood / without",
            percentile(busy, 0.99) / percentile(quiet, 0.99),
            "ratio",
        ),
    ]


def many_symptoms(place: BenchRun) -> list[Figure]:
    """10,000 pods, 500 symptoms, nothing changes: moving through the symptoms and the pods, and
    typing a filter."""
    options = ("--broken-each", str(10_000 // OPEN), "--apart")
    with (
        rendered(scratch_folder(place.scratch, 10_000), 10_000, *options) as kubeconfig,
        open_terminal(place.stanch(kubeconfig=kubeconfig), place.environment()) as terminal,
    ):
        terminal.wait_for(SYMPTOM, 120)
        terminal.wait_for(COUNTED, 300)
        terminal.settle(20)
        symptoms = moved(terminal, KEYS)
        terminal.press(OBJECTS)
        terminal.settle(2)
        rows = moved(terminal, KEYS)
        terminal.press(FILTER)
        terminal.settle(1)
        typed = []
        for number in range(KEYS // 3):
            typed.append(terminal.echo(chr(0x4E00 + number)))
            terminal.settle(0.15)  # until rows are filtered
            terminal.press(ERASE)
            terminal.settle(0.15)
        terminal.press(LEAVE)
    return [
        *key_rows("500 symptoms: moving through them", symptoms),
        *key_rows("500 symptoms: moving through 10,000 rows", rows),
        *key_rows("500 symptoms: filtering 10,000 rows", typed),
    ]


def moved(terminal: TerminalProgram, number: int, stretch: int = STRETCH) -> list[float]:
    """Seconds of each of so many keys that move the mark of the chosen row; keys at the first or
    last row, which move nothing, do not count."""
    terminal.step(1)  # where the mark stands is known from now on
    taken, way, gone, edges = list[float](), 1, 0, 0
    while len(taken) < number and edges <= number:
        seconds = terminal.step(way)
        terminal.settle(0.04)
        gone += 1
        if seconds is None:
            edges += 1
        else:
            taken.append(seconds)
        if seconds is None or gone >= stretch:
            way, gone = -way, 0
    if not taken:
        raise RuntimeError("no key moved the mark: there is one row, or none")
    return taken


def key_rows(name: str, taken: Sequence[float]) -> list[Figure]:
    note = f"{len(taken)} keys, {three([each * 1000 for each in taken], 0)} ms"
    return [
        Figure(f"{name}, p99", percentile(list(taken), 0.99) * 1000, "ms", 50, note),
        Figure(f"{name}, longest", max(taken) * 1000, "ms", 120),
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

    def type_signs(terminal: TerminalProgram) -> list[float]:
        taken = []
        for number in range(KEYS):
            taken.append(terminal.echo(chr(0x4E00 + number)))
            terminal.settle(0.04)
        return taken

    return _pressed(place, kubeconfig, NOTE, type_signs)


def _moves(place: BenchRun, kubeconfig: Path) -> list[float]:
    """Go down and up in the table of pods; how long until the cursor is drawn in another row."""
    return _pressed(place, kubeconfig, OBJECTS, lambda terminal: moved(terminal, KEYS))


def _pressed(
    place: BenchRun,
    kubeconfig: Path,
    opening: bytes,
    press: Callable[[TerminalProgram], list[float]],
) -> list[float]:
    """What `press` measures, when everything has been read and the key `opening` was pressed."""
    with open_terminal(place.stanch(kubeconfig=kubeconfig), place.environment()) as terminal:
        terminal.wait_for(CRASHING.encode(), 60)
        terminal.settle(SETTLE)
        terminal.press(opening)
        terminal.settle(2)
        return press(terminal)


MEASURES = {"keys": keys}
"""On the control plane of the bench."""
ALONE = {"many-symptoms": many_symptoms}
