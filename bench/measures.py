"""Where to measure, whole processes as the kernel accounts them (wall time, CPU time, peak memory),
and the live state alone beside kubectl."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.report import Figure, figure, middle, spread
from bench.terminal import TerminalProgram

NOTE, OBJECTS = (
    b"n",
    b"3",
)  # the keys that open a line to type in, on every screen, and the table of pods
COUNTED = (
    rb"pods \d+s"  # their age, which stands where their number so far stood while they were loading
)
WHOLE = rb"now \xe2\x94\x80 [\d,]+ symptom"
"""Without the words that stand there while kinds are read."""
SETTLE = 8.0


TICKS = os.sysconf("SC_CLK_TCK")


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


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one finished process: seconds, seconds of CPU, and peak resident memory in bytes."""

    wall: float
    cpu: float
    memory: int
    output: bytes
    code: int


def run(argv: Sequence[str], environment: Mapping[str, str], *, limit: float = 120.0) -> Cost:
    """Run a command to its end and account for it. Raises subprocess.TimeoutExpired after `limit`
    seconds."""
    began = time.monotonic()
    with subprocess.Popen(
        argv,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    ) as child:
        assert child.stdout is not None
        pieces: list[bytes] = []
        while True:
            left = began + limit - time.monotonic()
            if not select.select([child.stdout], [], [], max(0.0, left))[0]:
                child.kill()
                raise subprocess.TimeoutExpired(list(argv), limit)
            if not (piece := os.read(child.stdout.fileno(), 1 << 20)):
                break
            pieces.append(piece)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    return Cost(
        wall,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss * 1024,
        b"".join(pieces),
        child.returncode,
    )


def cpu_seconds(pid: int) -> float:
    """CPU time that a running process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid: int, *, peak: bool = False) -> int:
    """Resident memory of a running process in bytes, now or at its peak."""
    wanted = "VmHWM:" if peak else "VmRSS:"
    line = next(
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith(wanted)
    )
    return int(line.split()[1]) * 1024


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


def idle_share(terminal: TerminalProgram, seconds: float = 60.0) -> float:
    """Share of a core over a whole minute, so that what is done once a minute is in it once."""
    began, used = time.monotonic(), cpu_seconds(terminal.pid)
    terminal.settle(seconds)
    return (cpu_seconds(terminal.pid) - used) / (time.monotonic() - began)


def idle_rows(name: str, terminal: TerminalProgram) -> list[Figure]:
    """CPU and memory of a program on whose screen nothing changes, after 45 s of rest."""
    terminal.settle(45)
    shares = [100 * idle_share(terminal) for _ in range(2)]
    return [
        figure(f"{name}: CPU while nothing changes", shares, "% of core", 1.0),
        Figure(f"{name}: memory", resident(terminal.pid) / 1e6, "MB", 120),
    ]


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


MEASURES = {"client": client}
