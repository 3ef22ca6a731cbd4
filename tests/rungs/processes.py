"""Start and stop the programs of a test cluster; each is ended by its own process id."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path


class RungMissing(Exception):
    """A rung cannot be climbed on this machine; the message says what is missing and what would help."""


class StartFailed(Exception):
    """A program was started and did not become ready; the message ends with the tail of its log."""


@dataclass(frozen=True, slots=True)
class Process:
    """A running program of the cluster and the file that its output goes to."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.popen.pid

    def freeze(self) -> None:
        """Stop the program's clock (SIGSTOP): its sockets stay open and silent."""
        self.popen.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.popen.send_signal(signal.SIGCONT)

    def stop(self, grace: float = 10.0) -> None:
        """End it: SIGCONT and SIGTERM, SIGKILL after `grace` seconds."""
        if self.popen.poll() is not None:
            return
        self.popen.send_signal(signal.SIGCONT)
        self.popen.terminate()
        try:
            self.popen.wait(grace)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait(10)

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would."""
        self.popen.kill()
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

    The child is asked to die with its parent (PR_SET_PDEATHSIG), so that nothing survives a test run that was killed.
    """
    log = directory / f"{name}.log"
    follow = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
    with log.open("ab") as sink:
        popen = subprocess.Popen(
            [*follow, *enter, *map(str, argv)],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            start_new_session=True,  # Ctrl-C in the terminal must reach the owner alone, who ends the rest in order
        )
    process = Process(name, popen, log)
    stack.callback(process.stop, grace)
    return process


def wait_until(ready: Callable[[], bool], what: str, *, process: Process | None = None, limit: float = 60.0) -> None:
    """Poll `ready` ten times a second; StartFailed after `limit` seconds or as soon as `process` has ended."""
    deadline = time.monotonic() + limit
    while not ready():
        if process is not None and process.popen.poll() is not None:
            raise StartFailed(f"{process.name} ended with {process.popen.returncode}:\n{process.tail()}")
        if time.monotonic() > deadline:
            tail = f":\n{process.tail()}" if process is not None else ""
            raise StartFailed(f"{what} not reached within {limit:.0f} s{tail}")
        time.sleep(0.1)


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
    return port
