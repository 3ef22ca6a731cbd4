"""On a busy workstation the heartbeat says that this program runs late, and does not blame the API
server."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.api.transport import Api
from cluster.connect.access import Access
from cluster.errors import Unreachable
from cluster.health.loop_delay import TURN, LoopDelay
from cluster.health.monitor import SILENCE, HealthMonitor, HeartbeatConfig
from cluster.health.reach import Reach

NOW = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
BEAT = HeartbeatConfig(limit=2.0, interval=0.0)


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Server:
    """Answers a heartbeat, or not, after so many seconds of which this program was late."""

    def __init__(self, clock: Clock, delay: Any) -> None:
        self._clock, self._delay = clock, delay
        self.last_received = clock.now
        self.answers = True
        self.takes = self.late = 0.0

    async def ping(self, *_: Any) -> tuple[int, dict[str, str], bytes]:
        self._clock.now += self.takes
        self._delay.seconds = self.late
        if not self.answers:
            raise Unreachable("GET /readyz: the server does not answer within 2 s.")
        self.last_received = self._clock.now
        return 200, {"audit-id": "1", "content-type": "text/plain"}, b"ok"

    async def aclose(self) -> None: ...


async def beats(
    monkeypatch: pytest.MonkeyPatch, count: int, *, answers: bool, takes: float, late: float
) -> HealthMonitor:
    """A monitor after one good heartbeat and `count` such ones."""
    clock = Clock()
    monkeypatch.setattr("cluster.health.monitor.time.monotonic", clock)
    api = Api(Access("http://127.0.0.1:1"))
    monitor = HealthMonitor(api, heartbeat=BEAT, clock=lambda: NOW)
    delay = SimpleNamespace(seconds=0.0, begin=int, end=int)
    server = Server(clock, delay)
    monkeypatch.setattr(monitor, "_delay", delay)
    monkeypatch.setattr(monitor, "_own", server)
    seen = [0]

    async def turn(_: float) -> None:
        seen[0] += 1
        server.answers, server.takes, server.late = answers, takes, late
        if seen[0] > count:
            raise asyncio.CancelledError

    monkeypatch.setattr("cluster.health.monitor.asyncio.sleep", turn)
    with pytest.raises(asyncio.CancelledError):
        await monitor._heartbeats()
    return monitor


async def test_a_time_out_of_a_late_program_does_not_blame_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    health = (await beats(monkeypatch, 3, answers=False, takes=4.0, late=3.5)).health
    assert health.reach is Reach.BUSY
    assert health.reason == (
        "Whether the API server answers is not known: stanch itself ran 3.5 s late."
    )


async def test_a_slow_answer_to_a_late_program_does_not_blame_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    health = (await beats(monkeypatch, 1, answers=True, takes=1.8, late=1.5)).health
    assert health.reach is Reach.BUSY
    assert health.reason == "The API server answers, but stanch itself ran 1.5 s late."


async def test_a_server_that_is_slow_by_itself_is_called_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    health = (await beats(monkeypatch, 1, answers=True, takes=1.8, late=0.2)).health
    assert health.reach is Reach.DEGRADED
    assert health.reason == "The API server answers slowly (1.8 s)."


async def test_a_frozen_server_is_lost_to_a_program_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    health = (await beats(monkeypatch, 1, answers=False, takes=2.0, late=0.1)).health
    assert health.reach is Reach.UNREACHABLE
    assert health.since == NOW - timedelta(seconds=4.0), "the last answer, two heartbeats ago"


async def test_a_server_that_is_silent_for_long_is_lost_also_to_a_late_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count = int(SILENCE / 4.0) + 2
    health = (await beats(monkeypatch, count, answers=False, takes=4.0, late=3.5)).health
    assert health.reach is Reach.UNREACHABLE


async def test_the_delay_is_added_up_over_the_timers() -> None:
    clock = Clock()
    delay = LoopDelay(clock)
    delay.begin()
    clock.now += TURN
    delay._turn()
    assert delay.seconds == 0.0
    clock.now += TURN + 1.5
    assert delay.seconds == pytest.approx(1.5), "the timer that is due now counts"
    delay._turn()
    clock.now += TURN + 0.5
    assert delay.seconds == pytest.approx(2.0)
    delay.end()
    assert delay.seconds == pytest.approx(1.5), "what came after the last timer is not known"
