"""Start and stop the programs of a test cluster; each is ended by its own process id."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path


class RungMissing(Exception):
    """A rung cannot be climbed on this machine; the message says what is missing and what would
    help."""


class StartFailed(Exception):
    """A program was started and did not become ready; the message ends with the tail of its log."""


@dataclass(slots=True)
class Process:
    """A program of the cluster, its command line and the file that its output goes to."""

    name: str
    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str] | None
    forked: bool  # the program is the only child of `popen`, which entered a PID namespace for it
    popen: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.launch()

    def launch(self) -> None:
        """Start it, or start it again after it ended, with the same command line.

        Not from a worker thread: Linux takes the death of the thread that started a program for the
        death of its parent.
        """
        with self.log.open("ab") as sink:
            self.popen = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=self.env,
                # Ctrl-C in the terminal must reach the owner alone, who ends the rest in order
                start_new_session=True,
            )
        if self.forked:
            wait_until(
                lambda: bool(children(self.popen.pid)),
                f"{self.name} in its namespaces",
                process=self,
                limit=10,
            )

    @property
    def pid(self) -> int:
        """The program's process id, as the host counts."""
        return only_child(self.popen.pid) if self.forked else self.popen.pid

    def freeze(self) -> None:
        """Stop the program's clock (SIGSTOP): its sockets stay open and silent."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)
        os.kill(self.popen.pid, signal.SIGCONT)  # nsenter stops itself when its child is stopped

    def stop(self, grace: float = 10.0) -> None:
        """End it: SIGCONT and SIGTERM, SIGKILL after `grace` seconds."""
        if self.popen.poll() is not None:
            return
        self.thaw()
        os.kill(self.pid, signal.SIGTERM)
        try:
            self.popen.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would."""
        os.kill(self.pid, signal.SIGKILL)
        self.popen.wait(10)

    def tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def start(
    stack: ExitStack,
    name: str,
    argv: Sequence[str | Path],
    directory: Path,
    *,
    env: Mapping[str, str] | None = None,
    enter: Sequence[str] = (),
    grace: float = 10.0,
) -> Process:
    """Start `argv` and have `stack` end it. `enter` is a command prefix that enters namespaces.

    The child is asked to die with its parent (PR_SET_PDEATHSIG), so that nothing survives a test
    run that was killed.
    """
    follow = ("setpriv", "--pdeathsig", "KILL", "--") if shutil.which("setpriv") else ()
    process = Process(
        name,
        (*follow, *enter, *map(str, argv)),
        directory / f"{name}.log",
        env,
        forked="--pid" in enter,
    )
    stack.callback(process.stop, grace)
    return process


def children(pid: int) -> list[int]:
    """The process ids of the children of `pid`."""
    try:
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    except FileNotFoundError:
        return []


def only_child(pid: int) -> int:
    """The only child of `pid`, or `pid` itself once the child has gone."""
    return next(iter(children(pid)), pid)


def wait_until(
    ready: Callable[[], bool], what: str, *, process: Process | None = None, limit: float = 60.0
) -> None:
    """Poll `ready` ten times a second; StartFailed after `limit` seconds or as soon as `process`
    has ended."""
    deadline = time.monotonic() + limit
    while not ready():
        if process is not None and process.popen.poll() is not None:
            raise StartFailed(
                f"{process.name} ended with {process.popen.returncode}:\n{process.tail()}"
            )
        if time.monotonic() > deadline:
            tail = f":\n{process.tail()}" if process is not None else ""
            raise StartFailed(f"{what} not reached within {limit:.0f} s{tail}")
        time.sleep(0.1)


def flags(values: Mapping[str, object]) -> list[str]:
    """`--name=value` for each entry, as every Kubernetes program reads them."""
    return [f"--{name}={value}" for name, value in values.items()]


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port without a listener at the time of the call."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
    return port
