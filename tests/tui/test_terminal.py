"""The program in a real pseudo-terminal: what reaches the terminal, how it ends, and what it needs
to start."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.tui.fake import FakeInvestigation
from tui import run as opening

DEADLINE = 60.0


class Terminal:
    """The fake in a pty of its own; everything it writes is kept."""

    def __init__(
        self,
        *arguments: str,
        size: tuple[int, int] = (100, 30),
        stops: bool = False,
        module: str = "tests.tui.program",
        environment: Mapping[str, str] = {},
        **variables: str,
    ) -> None:
        """`stops`: it can be stopped by a signal, which a session of its own cannot. `module`: what
        runs with the arguments."""
        self.main, side = pty.openpty()
        self.set_size(*size)
        inherited = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        env = {**inherited, "TERM": "xterm-256color", **environment, **variables}
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=side,
            stdout=side,
            stderr=side,
            env=env,
            start_new_session=not stops,
            process_group=0 if stops else None,
        )
        os.close(side)
        self.seen = b""

    def set_size(self, width: int, height: int) -> None:
        fcntl.ioctl(self.main, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def state(self) -> str:
        """The state of the process as Linux names it: T when it is stopped."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text("utf-8")
        return stat.rpartition(")")[2].split()[0]

    def read(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ready, _, _ = select.select([self.main], [], [], 0.05)
            if ready:
                try:
                    self.seen += os.read(self.main, 65536)
                except OSError:
                    return

    def until(self, words: str) -> None:
        end = time.monotonic() + DEADLINE
        while words.encode() not in self.plain():
            assert time.monotonic() < end, f"{words!r} did not appear: {self.plain()[-2000:]!r}"
            self.read(0.1)

    def plain(self) -> bytes:
        return re.sub(rb"\x1b\[[0-?]*[ -/]*[@-~]", b"", self.seen)

    def press(self, keys: str) -> None:
        os.write(self.main, keys.encode())
        self.read(0.4)

    def ended(self) -> int:
        end = time.monotonic() + DEADLINE
        while self.process.poll() is None:
            assert time.monotonic() < end, "it did not end"
            self.read(0.05)
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.main)


def test_no_hostile_byte_reaches_the_terminal() -> None:
    terminal = Terminal("hostile")
    try:
        terminal.until("read-only")
        for keys in (
            "\r",
            "\t",
            "o",
            "\r",
            "l",
            "y",
            "e",
            "w",
            "t",
            "/",
            "refused policy",
            "\x1b",
            "5",
            "\x1b",
            "n",
            "\x1b[200~a\x1b]52;c;eA==\x07\nb\u202e\x1b[201~",
            "\x1b",
            "?",
            "\x1b",
        ):
            terminal.press(keys)
        terminal.press("q")
        terminal.ended()
    finally:
        terminal.close()
    assert b"\x1b]52" not in terminal.seen
    assert not re.search(rb"\xc2[\x80-\x9f]", terminal.seen), "a C1 control"
    assert b"\xe2\x80\xae" not in terminal.seen, "a bidirectional override"
    text = re.sub(
        rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[P\]].*?(?:\x07|\x1b\\)|\x1b[=>78c()][AB0]?",
        b"",
        terminal.seen,
        flags=re.DOTALL,
    )
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text), re.findall(
        rb".{20}[\x00-\x08\x0b\x0c\x0e-\x1f\x7f].{20}", text
    )[:3]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_it_cleanly(number: signal.Signals, code: int, tmp_path: Path) -> None:
    log = tmp_path / "calls"
    terminal = Terminal("--log", str(log))
    try:
        terminal.until("CRIT")
        terminal.process.send_signal(number)
        assert terminal.ended() == code
    finally:
        terminal.close()
    assert "stop" in log.read_text("utf-8")


@pytest.mark.parametrize("told", [True, False], ids=["SIGHUP", "no signal"])
def test_a_terminal_that_has_gone_ends_it_cleanly(told: bool, tmp_path: Path) -> None:
    """The window is closed while the screens paint. `setsid` and the like take the signal away:
    then the failing write tells."""
    log = tmp_path / "calls"
    terminal = Terminal("--log", str(log))
    try:
        terminal.until("CRIT")
    finally:
        os.close(terminal.main)
    if told:
        terminal.process.send_signal(signal.SIGHUP)
    try:
        assert terminal.process.wait(DEADLINE) == 129
    finally:
        terminal.process.kill()
        terminal.process.wait()
    assert "stop" in log.read_text("utf-8")


def test_quit_waits_for_no_server_that_is_lost() -> None:
    """The quickest of three beside the quickest with a server that answers: a busy machine may be
    slow once, a wait for a server is there each time."""
    taken: dict[str, list[float]] = {"story": [], "lost": []}
    for _ in range(3):
        for scene, words in (("story", "CRIT"), ("lost", "does NOT answer")):
            terminal = Terminal(scene)
            try:
                terminal.until(words)
                started = time.monotonic()
                os.write(terminal.main, b"q")
                assert terminal.ended() == 0
                taken[scene].append(time.monotonic() - started)
            finally:
                terminal.close()
        if min(taken["lost"]) < min(taken["story"]) + 1.0:
            return
    raise AssertionError(taken)


def test_a_terminal_without_utf8_gets_ascii() -> None:
    terminal = Terminal(PYTHONIOENCODING="latin-1", size=(80, 24))
    try:
        terminal.until("-- now - 3 symptoms")
        terminal.press("q")
        assert terminal.ended() == 0
    finally:
        terminal.close()
    assert not re.search(rb"\\u2|[\xe2]", terminal.seen)


def test_no_color_sends_no_colours_of_our_own() -> None:
    terminal = Terminal(NO_COLOR="1")
    try:
        terminal.until("CRIT")
        terminal.press("q")
        terminal.ended()
    finally:
        terminal.close()
    chosen = {
        code
        for codes in re.findall(rb"\x1b\[([\d;]+)m", terminal.seen)
        for code in map(int, codes.split(b";"))
    }
    colours = {*range(30, 39), *range(40, 49), *range(90, 98), *range(100, 108)}
    assert not chosen & colours
    assert 1 in chosen  # bold says what colour would


@pytest.mark.parametrize("key", ["\x1a", ""], ids=["ctrl-z", "SIGTSTP"])
def test_it_stops_gives_the_terminal_back_and_goes_on(key: str) -> None:
    terminal = Terminal(stops=True, TERM="screen")
    try:
        terminal.until("CRIT")
        if key:
            terminal.press(key)
        else:
            terminal.process.send_signal(signal.SIGTSTP)
        end = time.monotonic() + DEADLINE
        while terminal.state() != "T":
            assert time.monotonic() < end, "it did not stop"
            terminal.read(0.05)
        assert b"\x1b[?1049l" in terminal.seen  # the shell's own screen is back
        terminal.seen = b""
        terminal.process.send_signal(signal.SIGCONT)
        terminal.until("CRIT")
        terminal.press("q")
        assert terminal.ended() == 0
    finally:
        terminal.close()


async def test_a_slow_end_is_told_and_a_failing_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    said: list[str] = []
    monkeypatch.setattr(opening, "_say", said.append)
    monkeypatch.setattr(opening, "PATIENCE", 0.1)
    fake = FakeInvestigation()

    async def slow() -> None:
        await asyncio.sleep(30)

    async def failing() -> None:
        raise OSError("the record's disk is full")

    fake.stop = slow  # type: ignore[method-assign]  # replaced for this test
    await opening._stopped([asyncio.ensure_future(fake.stop())])
    assert "up to 10 s" in said[0]
    assert "next start removes it" in said[1]
    fake.stop = failing  # type: ignore[method-assign]  # replaced for this test
    await opening._stopped([asyncio.ensure_future(fake.stop())])
    assert "disk is full" in said[2]


def test_first_paint_needs_nothing_heavy() -> None:
    """What is imported before the first paint: Textual and our own value types, no matcher, no
    database, no client."""
    heavy = (
        "kubernetes",
        "rapidfuzz",
        "sqlite_utils",
        "httpx",
        "aiohttp",
        "textual.widgets._data_table",
    )
    code = f"import sys, tui.app; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_notes_that_come_in_one_read_are_all_taken() -> None:
    terminal = Terminal(size=(140, 45))
    try:
        terminal.until("CRIT")
        os.write(terminal.main, b"nfirst of two\rnsecond of two\rt")
        terminal.until("note        first of two")
        terminal.until("note        second of two")
        os.write(terminal.main, b"\r\r")  # a doubled key ends nothing
        terminal.press("q")
        assert terminal.ended() == 0
    finally:
        terminal.close()


def test_escape_and_enter_in_one_read_record_nothing() -> None:
    """Over a slow line they come together: the Escape was lost, and Enter took what was typed."""
    terminal = Terminal(size=(140, 45))
    try:
        terminal.until("CRIT")
        terminal.press("nrefused")
        os.write(terminal.main, b"\x1b\r")
        terminal.until("Stop the bleeding")  # Enter opened the runbook below
        os.write(terminal.main, b"ntaken\rt")
        terminal.until("note        taken")
        assert b"note        refused" not in terminal.plain()
        terminal.press("q")
        assert terminal.ended() == 0
    finally:
        terminal.close()


def test_a_hang_up_leaves_the_record_whole(tmp_path: Path) -> None:
    """The window of a real investigation is closed right after a note."""
    home = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    terminal = Terminal(
        "drill", "dns-latency-ndots", size=(140, 45), module="cli.main", environment=home
    )
    try:
        terminal.until("? help")
        terminal.press("nthe pager rang\r")
        terminal.until("Noted as")
        terminal.process.send_signal(signal.SIGHUP)
        assert terminal.ended() == 129
    finally:
        terminal.close()

    def asked(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cli.main", "timeline", *words],
            env={**os.environ, **home},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )

    assert "the pager rang" in asked("show").stdout
    assert asked("verify").returncode == 0


@pytest.mark.parametrize(
    ("keys", "there", "below"),
    [("?", "how to read: now", "marks of a note"), ("3", "pods", "orders")],
)
def test_the_wheel_scrolls(keys: str, there: str, below: str) -> None:
    terminal = Terminal(size=(80, 24))
    try:
        terminal.until("CRIT")
        terminal.press(keys)
        terminal.until(there)
        end = time.monotonic() + DEADLINE
        while below.encode() not in terminal.plain():
            assert time.monotonic() < end, "it did not scroll"
            os.write(terminal.main, b"\x1b[<65;20;12M" * 3)
            terminal.read(0.2)
        terminal.press("q")
        assert terminal.ended() == 0
    finally:
        terminal.close()


def test_another_context_does_not_show_the_shell_in_between() -> None:
    terminal = Terminal(size=(100, 30))
    leave, enter = b"\x1b[?1049l", b"\x1b[?1049h"
    try:
        terminal.until("CRIT")
        terminal.press("C")
        terminal.until("which context?")
        terminal.seen = b""
        terminal.press("staging\r")
        end = time.monotonic() + DEADLINE
        while b"\x1b[?1000h" not in terminal.seen:  # the second screens ask for the mouse
            assert time.monotonic() < end, "no other context came"
            terminal.read(0.1)
        terminal.until("CRIT")
        assert leave not in terminal.seen
        assert enter not in terminal.seen
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.seen.count(leave) == 1
    finally:
        terminal.close()
