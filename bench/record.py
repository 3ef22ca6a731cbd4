"""Keys while the record's disk does not answer: on a drill, so that nothing else is slow."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.measures import NOTE, BenchRun, percentile
from bench.report import Figure
from bench.terminal import TerminalProgram, open_terminal

DRILL = "network-policy-cni-version-skew"
SIGNS = 10
"""Signs of one note; Enter after them gives it to the record."""
NOTES = 20
HELD = 5.0
"""Seconds for which another process holds the file, again and again."""
SYNC = 0.5
"""Seconds that each sync of the slow disk takes."""
GOAL = 100.0
"""Milliseconds from a key to its sign, at p95."""


def record(place: BenchRun) -> list[Figure]:
    """From a key to its sign while notes are written: to a quick disk, to a file that another
    process holds, and to a disk of half a second a sync."""
    with served(place, DRILL) as kubeconfig:
        command = place.stanch(kubeconfig=kubeconfig)
        slow = [sys.executable, "-m", "bench.slow_disk", str(SYNC), *command[1:]]
        rows = []
        for what, argv, around in (
            ("on a quick disk", command, _nothing),
            (f"while another process holds the file for {HELD:g} s", command, _holding),
            (f"on a disk of {SYNC:g} s a sync", slow, _nothing),
        ):
            taken = _typed(place, argv, around)
            note = f"{len(taken)} keys, {NOTES} notes, longest {max(taken) * 1000:.0f} ms"
            rows.append(
                Figure(
                    f"record: p95 of keys {what}", percentile(taken, 0.95) * 1000, "ms", GOAL, note
                )
            )
        return rows


def _typed(
    place: BenchRun, argv: list[str], around: Callable[[Path], Iterator[None]]
) -> list[float]:
    """Seconds from each key to its sign, while notes are typed and given to the record."""
    with open_terminal(argv, place.environment()) as terminal:
        terminal.wait_for(rb"INC \d{4}-", 60)
        terminal.settle(3)
        state = place.scratch / ".local" / "state" / "stanch" / "incidents"
        with contextmanager(around)(max(state.glob("*.db"))):
            return [taken for number in range(NOTES) for taken in _note(terminal, number)]


def _note(terminal: TerminalProgram, number: int) -> list[float]:
    terminal.press(NOTE)
    terminal.settle(0.3)
    taken = []
    for sign in range(SIGNS):
        taken.append(terminal.echo(chr(0x4E00 + number * SIGNS + sign)))
        terminal.settle(0.03)
    terminal.press(b"\r")
    terminal.settle(0.05)
    return taken


def _nothing(_: Path) -> Iterator[None]:
    yield


def _holding(path: Path) -> Iterator[None]:
    """Hold the writing lock of the file for `HELD` seconds, let go for a moment, and again."""
    over = threading.Event()

    def hold() -> None:
        connection = sqlite3.connect(path, isolation_level=None, timeout=30)
        while not over.is_set():
            connection.execute("BEGIN IMMEDIATE")
            over.wait(HELD)
            connection.execute("ROLLBACK")
            over.wait(0.2)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        yield
    finally:
        over.set()
        holder.join()


@contextmanager
def served(place: BenchRun, drill: str) -> Iterator[Path]:
    """The kubeconfig of a drill that another process serves."""
    command = [str(Path(sys.executable).with_name("stanch")), "drill", drill, "--serve"]
    with subprocess.Popen(
        command, env=dict(place.environment()), stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            yield Path(server.stdout.readline().strip())
        finally:
            server.terminate()
