"""A terminal program in a pseudo-terminal: what it draws, and how long after a key."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_MARKED = re.compile(
    rb"\x1b\[(\d+);\d+H|(\xe2\x80\xba)"
)  # to a line, and the mark of the chosen row
_KEYS = {1: b"j", -1: b"k"}
PATIENCE = 1.0
"""Seconds after which a key that moved nothing is doubted."""
_QUERIES = {  # what a program asks of its terminal, and a plain answer
    b"\x1b[6n": b"\x1b[1;1R",
    b"\x1b[c": b"\x1b[?62;22c",
    b"\x1b[?2026$p": b"\x1b[?2026;2$y",
}


_PART = re.compile(
    r"\x1b\[([0-?]*)[ -/]*([@-~])"  # CSI
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC
    r"|\x1b[@-Z\\-_=>78]"
    r"|([\r\n])"
    r"|([^\x00-\x1f\x7f]+)"
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*)?$")


class TerminalProgram:
    """Reads a program's screen as a stream. Times are seconds since the program was started."""

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid = pid
        self._descriptor = descriptor
        self._began = time.monotonic()
        self._marked = 0

    def elapsed(self) -> float:
        return time.monotonic() - self._began

    def read(self, limit: float) -> bytes:
        """What was drawn, as soon as something is; empty after `limit` seconds. Raises EOFError
        when the program has ended."""
        ready, _, _ = select.select([self._descriptor], [], [], max(0.0, limit))
        if not ready:
            return b""
        try:
            drawn = os.read(self._descriptor, 1 << 16)
        except OSError as gone:
            raise EOFError("the program has ended") from gone
        for query, answer in _QUERIES.items():
            if query in drawn:
                os.write(self._descriptor, answer)
        return drawn

    def wait_for(self, pattern: bytes, limit: float) -> float:
        """When text that matches `pattern` was first drawn. Raises TimeoutError."""
        return self.wait_for_each((pattern,), limit)[0]

    def wait_for_each(self, patterns: Sequence[bytes], limit: float) -> list[float]:
        """When text that matches each of `patterns` was first drawn, in whatever order. Raises
        TimeoutError."""
        waiting, drawn, seen = dict(enumerate(map(re.compile, patterns))), dict[int, float](), b""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            seen = (seen + self.read(deadline - time.monotonic()))[-(1 << 18) :]
            text = _ESCAPES.sub(b"", seen)
            for number in [each for each, wanted in waiting.items() if wanted.search(text)]:
                drawn[number] = self.elapsed()
                del waiting[number]
            if not waiting:
                return [drawn[number] for number in range(len(patterns))]
        missing = [wanted.pattern for wanted in waiting.values()]
        raise TimeoutError(
            f"{missing!r} was not drawn within {limit} s; last: {_ESCAPES.sub(b'', seen)[-400:]!r}"
        )

    def settle(self, seconds: float) -> None:
        """Go on reading for `seconds`, so that the program never waits for its terminal."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.read(left)

    def press(self, keys: bytes) -> None:
        os.write(self._descriptor, keys)

    def echo(self, sign: str, limit: float = 5.0) -> float:
        """Type a sign that is nowhere on the screen; seconds until it is drawn, or `limit` if it is
        not within that time."""
        wanted = sign.encode()
        return self._answer(wanted, lambda seen: wanted in seen, limit)

    def step(self, way: int, limit: float = 5.0) -> float | None:
        """Move the mark of the chosen row down (1) or up (-1); seconds until it is drawn in another
        line, `limit` if it is not within that time, None when the row is the last that way.

        A row at the edge and a program that hangs look the same at first. Then the opposite key
        tells: at the edge it moves the mark the other way.
        """
        before, began = self._marked, time.monotonic()
        taken = self._answer(_KEYS[way], self._moves_from(before), PATIENCE)
        if taken < PATIENCE:
            return taken
        self._answer(_KEYS[-way], self._moves_from(before), limit - PATIENCE)
        if self._marked == before:
            return limit
        return None if (self._marked - before) * way < 0 else time.monotonic() - began

    def _moves_from(self, before: int) -> Callable[[bytes], bool]:
        def moved(seen: bytes) -> bool:
            line = 0
            for found in _MARKED.finditer(seen):
                line = int(found[1]) if found[1] else line
                if found[2] and line not in (0, before):
                    self._marked = line
                    return True
            return False

        return moved

    def _answer(self, keys: bytes, drawn: Callable[[bytes], bool], limit: float) -> float:
        began = time.monotonic()
        self.press(keys)
        seen = b""
        while (left := began + limit - time.monotonic()) > 0:
            seen = (seen + self.read(left))[-(1 << 17) :]
            if drawn(seen):
                return time.monotonic() - began
        return limit


@contextmanager
def open_terminal(
    argv: Sequence[str], environment: Mapping[str, str], *, columns: int = 140, lines: int = 45
) -> Iterator[TerminalProgram]:
    """Start a program on a pseudo-terminal of its own; it is ended by its process id with the
    block."""
    priority = _session_priority()
    pid, descriptor = pty.fork()
    if pid == 0:
        _set_session_priority(priority)
        os.execvpe(argv[0], list(argv), dict(environment))  # noqa: S606  # a list, no shell
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    terminal = TerminalProgram(pid, descriptor)
    try:
        yield terminal
    finally:
        _end(terminal)
        os.close(descriptor)


_AUTOGROUP = Path("/proc/self/autogroup")
"""Linux shares a busy machine among sessions, and the program on the terminal has one of its own:
`nice` of the bench would not reach it (sched(7), "The autogroup feature")."""


def _session_priority() -> str:
    try:
        return _AUTOGROUP.read_text().split()[-1]
    except (OSError, IndexError):
        return ""


def _set_session_priority(priority: str) -> None:
    with contextlib.suppress(OSError):  # another system, or no right to it
        if priority:
            _AUTOGROUP.write_text(priority)


def _end(terminal: TerminalProgram) -> None:
    os.kill(terminal.pid, signal.SIGTERM)
    deadline = time.monotonic() + 15
    while os.waitpid(terminal.pid, os.WNOHANG) == (0, 0):
        try:
            terminal.read(0.1)
        except EOFError:
            time.sleep(0.05)
        if time.monotonic() > deadline:
            os.kill(terminal.pid, signal.SIGKILL)
            os.waitpid(terminal.pid, 0)
            return


class Screen:
    """What stands on a terminal of this size, for programs that draw only the cells that changed:
    a number never comes as one text. It knows moves of the cursor and text, and takes each
    character for one cell."""

    def __init__(self, columns: int, lines: int) -> None:
        self._columns, self._lines = columns, lines
        self._cells = [[" "] * columns for _ in range(lines)]
        self._line = self._column = 0
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""

    def feed(self, drawn: bytes) -> None:
        text = self._rest + self._decode(drawn)
        cut = _UNFINISHED.search(text)
        text, self._rest = (text[: cut.start()], text[cut.start() :]) if cut else (text, "")
        for part in _PART.finditer(text):
            parameters, final, control, written = part.groups()
            if final == "H":
                line, _, column = parameters.partition(";")
                self._line, self._column = int(line or 1) - 1, int(column or 1) - 1
            elif final == "C":
                self._column += int(parameters or 1)
            elif control:
                self._column = 0
                self._line += control == "\n"
            elif written:
                self._write(written)

    def text(self) -> str:
        return "\n".join("".join(line) for line in self._cells)

    def _write(self, text: str) -> None:
        for sign in text:
            if 0 <= self._line < self._lines and 0 <= self._column < self._columns:
                self._cells[self._line][self._column] = sign
            self._column += 1
