"""Checks with a heartbeat whether the API server answers.

A silent watch may mean that nothing happens or that nothing works. So a cheap request is sent every
few seconds, on its own connection, with a short time limit. After two failures in a row, the second
on another connection, the server counts as unreachable; then the network hops are checked
(`cluster.health.ladder`) until it answers, and watches are opened again.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec.structs import replace

from cluster.api.intermediaries import (
    describe_intermediary,
    in_words,
    not_api_server,
    not_ready_checks,
)
from cluster.api.transport import Api, Limits
from cluster.errors import ClusterError, CredentialError
from cluster.health.ladder import Rung, first_failure, ladder
from cluster.health.loop_delay import LoopDelay
from cluster.health.reach import Reach

SILENCE = 30.0
"""Seconds without any answer after which the server is blamed, although this machine is busy."""
LOGIN_PATIENCE = 5.0
"""Seconds after which a plug-in that still runs is reported."""


class ApiHealth(msgspec.Struct, frozen=True):
    """Whether the API server answers. Times in UTC."""

    reach: Reach = Reach.UNKNOWN
    since: datetime | None = None
    heard: datetime | None = None
    reason: str = ""
    hops: tuple[Rung, ...] = ()
    hops_at: datetime | None = None

    @property
    def reachable(self) -> bool:
        return self.reach in (Reach.REACHABLE, Reach.DEGRADED, Reach.BUSY)


class HeartbeatConfig(msgspec.Struct, frozen=True):
    """Times in seconds."""

    interval: float = 3.0
    """Between heartbeats."""
    lost_interval: float = 1.5
    """Between heartbeats while the server is unreachable."""
    limit: float = 2.0
    """Of one heartbeat."""
    ladder_interval: float = 5.0
    """Between two checks of the network hops while the server is unreachable."""


class HealthMonitor:
    """Runs the heartbeat of one API server. `on_change` is called with every new state, `on_back`
    when it answers again."""

    def __init__(
        self,
        api: Api,
        *,
        heartbeat: HeartbeatConfig | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        on_change: Callable[[ApiHealth], None] = lambda _: None,
        on_back: Callable[[], None] = lambda: None,
    ) -> None:
        self._api = api
        self._heartbeat = heartbeat or HeartbeatConfig()
        self._clock = clock
        self._on_change = on_change
        self._on_back = on_back
        self._back = asyncio.Event()
        self._lost = asyncio.Event()
        self._renew = asyncio.Event()
        self._delay = LoopDelay()
        self._took = self._late = 0.0
        """Seconds of the last heartbeat, and how late this program ran meanwhile."""
        self.health = ApiHealth()
        limit = self._heartbeat.limit
        self._own = Api(
            api.access,
            limits=Limits(limit, limit, limit, limit),
            concurrency=2,
            connections=2,
            credentials=api.credentials,
            clock=clock,
        )

    async def run(self) -> None:
        """Send heartbeats until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._heartbeats())
                group.create_task(self._ladders())
                group.create_task(self._renewals())
        finally:
            await self._own.aclose()

    async def pause(self, seconds: float) -> None:
        """Wait so many seconds, or until the server is back if that is sooner; at least 30 s while
        it is unreachable."""
        limit = max(seconds, 30.0) if self.health.reach is Reach.UNREACHABLE else seconds
        try:
            async with asyncio.timeout(limit):
                await self._back.wait()
        except TimeoutError:
            pass  # the usual end of a wait

    async def _heartbeats(self) -> None:
        while True:
            failed = await self._once()
            if failed and not self._busy():
                self._move(self._doubted(), failed)
                await self._own.aclose()
                failed = await self._once()
            if failed and not self._busy():
                self._move(self._doubted() if self._recent_traffic() else Reach.UNREACHABLE, failed)
            await asyncio.sleep(
                self._heartbeat.lost_interval
                if self.health.reach is Reach.UNREACHABLE
                else self._heartbeat.interval
            )

    async def _once(self) -> str:
        """Send one heartbeat: "" or why it failed."""
        began = time.monotonic()
        credentials = self._api.credentials
        if credentials.due():
            self._renew.set()
        self._delay.begin()
        try:
            status, headers, body = await self._own.ping("/readyz", {}, self._heartbeat.limit)
        except ClusterError as error:
            return str(error)
        finally:
            self._late = self._delay.seconds
            self._took = time.monotonic() - began
            self._delay.end()
        refused = status == 401 and not credentials.waiting(0)
        if refused:  # what stands in front may take the same credential
            self._renew.set()
        if (
            status == 404  # each API server has /readyz
            or not_api_server(status, headers, body)
            or (status == 200 and not_ready_checks(headers, body))
        ):
            return describe_intermediary(status, headers, body)
        self.health = replace(self.health, heard=self._clock())
        if refused:
            why = credentials.explanation() or "Log in again."
            self._move(Reach.DEGRADED, f"The API server refuses the credentials (HTTP 401). {why}")
        elif waiting := credentials.waiting(LOGIN_PATIENCE):
            self._move(Reach.DEGRADED, waiting)
        elif status == 429 or status >= 500:
            said = in_words(body)
            self._move(Reach.DEGRADED, f"The API server answers, but says HTTP {status} ({said}).")
        elif self._took - self._late > self._heartbeat.limit / 2:
            self._move(Reach.DEGRADED, f"The API server answers slowly ({self._took:.1f} s).")
        elif self._took > self._heartbeat.limit / 2:
            self._move(Reach.BUSY, f"The API server answers, but {self._own_delay()}.")
        else:
            self._move(Reach.REACHABLE, "")
        return ""

    def _last_heard(self) -> datetime:
        """When anything came from the server for the last time: since then it does not answer, also
        where two heartbeats passed before that was certain. Now, if it never answered."""
        heard = max(self._api.last_received, self._own.last_received)
        silent = time.monotonic() - heard if heard > -math.inf else 0.0
        return self._clock() - timedelta(seconds=silent)

    def _own_delay(self) -> str:
        return f"stanch itself ran {self._late:.1f} s late"

    def _busy(self) -> bool:
        """Whether a heartbeat ended by its limit because this program ran late. Says so, instead of
        blaming the server, until nothing at all was heard for `SILENCE`."""
        limit = self._heartbeat.limit
        heard = max(self._api.last_received, self._own.last_received)
        if (
            self._took < 0.9 * limit  # an error that came at once
            or self._took - self._late > limit / 2
            or time.monotonic() - heard > SILENCE
        ):
            return False
        reach = self.health.reach
        if reach not in (Reach.UNREACHABLE, Reach.UNKNOWN):
            reach = Reach.BUSY
        self._move(reach, f"Whether the API server answers is not known: {self._own_delay()}.")
        return True

    def _doubted(self) -> Reach:
        """The reach after one failure: degraded, unless it never answered or was unreachable."""
        return (
            self.health.reach
            if self.health.reach in (Reach.UNREACHABLE, Reach.UNKNOWN)
            else Reach.DEGRADED
        )

    def _recent_traffic(self) -> bool:
        return time.monotonic() - self._api.last_received < self._heartbeat.limit

    def _move(self, reach: Reach, reason: str) -> None:
        before = self.health
        if (
            reach is Reach.UNREACHABLE
            and before.reach is reach
            and (failing := first_failure(before.hops)) is not None
        ):
            reason = failing.sentence  # more precise than the error of a heartbeat
        if (before.reach, before.reason) == (reach, reason):
            self._on_change(self.health)
            return
        gone = reach is Reach.UNREACHABLE
        since = before.since
        if before.reach is not reach:
            since = self._last_heard() if gone else self._clock()
        hops, hops_at = (before.hops, before.hops_at) if gone else ((), None)
        self.health = replace(
            before, reach=reach, since=since, reason=reason, hops=hops, hops_at=hops_at
        )
        if gone:
            self._lost.set()
        elif before.reach is Reach.UNREACHABLE or (
            reach is Reach.REACHABLE and before.reach in (Reach.DEGRADED, Reach.BUSY)
        ):
            self._lost.clear()
            self.wake()
            if before.reach is Reach.UNREACHABLE:
                self._on_back()
        self._on_change(self.health)

    def wake(self) -> None:
        """End every pause that is running now."""
        waiting, self._back = self._back, asyncio.Event()
        waiting.set()

    async def _renewals(self) -> None:
        """Get another credential when it is due or after a 401. A task of its own, because a
        plug-in may take half a minute."""
        credentials = self._api.credentials
        while True:
            await self._renew.wait()
            self._renew.clear()
            with contextlib.suppress(CredentialError):  # the next request raises it
                if credentials.due():
                    await credentials.current()
                else:
                    await credentials.renew(credentials.loaded())

    async def _ladders(self) -> None:
        while True:
            await self._lost.wait()
            hops = await ladder(
                self._api.access,
                limit=min(3.0, self._heartbeat.limit * 1.5),
                clock=self._clock,
                api=self._api,
            )
            if self.health.reach is Reach.UNREACHABLE:
                failing = first_failure(hops)
                self.health = replace(
                    self.health,
                    hops=hops,
                    hops_at=self._clock(),
                    reason=failing.sentence if failing is not None else self.health.reason,
                )
                self._on_change(self.health)
            await asyncio.sleep(self._heartbeat.ladder_interval)
