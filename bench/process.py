"""Whole processes, measured from outside: wall time, CPU time and peak memory as the kernel
accounts them."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


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
