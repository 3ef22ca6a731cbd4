"""The live state of one cluster: all kinds listed and watched into one store, with their freshness
and the health of the API server. On one event loop, without threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence, ValuesView
from datetime import UTC, datetime
from functools import partial
from itertools import islice

from cluster.api.transport import Api, Budget
from cluster.connect.access import Access
from cluster.errors import Forbidden
from cluster.health.monitor import ApiHealth, HealthMonitor, HeartbeatConfig
from cluster.health.reach import Reach
from cluster.kube.interning import Interning
from cluster.kube.kinds import KINDS, Kind, plural_words
from cluster.live.freshness import Freshness, WatchState
from cluster.live.input_priority import InputPriority
from cluster.live.kind_state import KindState
from cluster.live.listing import Collection, ServerFeatures
from cluster.live.listwatch import KindWatch
from cluster.live.store import Key, Store, StoreUpdate
from cluster.live.watch_config import WatchConfig
from cluster.live.write_buffer import WriteBuffer

TURNS = 5
"""Kinds that are listed at the same time, those of a lower stage first."""
PATIENCE = 0.25
"""Longest wait in seconds for one of them before another kind starts: a server that answers one
kind late must not delay all others."""


WATCHES = 2.0
"""Longest wait in seconds for the lists of all kinds before those that are there are watched. Each
watch has a connection of its own, and 35 TLS handshakes cost 0.1 s of CPU on each side."""


class LiveCluster:
    """Everything that is watched of one cluster.

    `namespaces` (by default that of the context) are listed where listing a kind cluster-wide is
    forbidden. With `once` every kind is listed once and not watched. `on_loaded` is called once,
    when every kind has been listed or has failed. `changed` is set when `drain` has changes or
    health or freshness changed; the reader clears it.
    """

    def __init__(
        self,
        target: Access | Api,
        *,
        namespaces: Sequence[str] = (),
        kinds: Sequence[Kind] = KINDS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        watch_config: WatchConfig | None = None,
        heartbeat: HeartbeatConfig | None = None,
        input_priority: InputPriority | None = None,
        once: bool = False,
        on_loaded: Callable[[], None] = lambda: None,
    ) -> None:
        self.api = target if isinstance(target, Api) else Api(target, clock=clock)
        self.store = Store()
        self.changed = asyncio.Event()
        access = self.api.access
        self._owns_api = not isinstance(target, Api)
        self._namespaces = tuple(namespaces) or ((access.namespace,) if access.namespace else ())
        self._kinds = tuple(sorted(kinds, key=lambda kind: kind.stage))
        self._clock = self.api.server_now
        self._config = watch_config or WatchConfig()
        self._input_priority = input_priority or InputPriority()
        self._on_loaded = on_loaded
        self._turns = asyncio.Semaphore(TURNS) if once else None
        self._features = ServerFeatures()
        self._interning = Interning()
        self._states: dict[str, list[KindState]] = {kind.name: [] for kind in self._kinds}
        self._watches: set[KindWatch] = set()
        self._pending: dict[tuple[str, Key], StoreUpdate] = {}
        self._settled: dict[str, asyncio.Event] = {
            kind.name: asyncio.Event() for kind in self._kinds
        }
        self._room = asyncio.Event()
        """Set when a kind has been listed or has failed."""
        self._stopping = asyncio.Event()
        self.write_buffer = WriteBuffer()
        self.stirred = True
        """Whether health or freshness changed since the last `drain`."""
        self._monitor = HealthMonitor(
            self.api,
            heartbeat=heartbeat,
            clock=self.api.server_now,
            on_change=lambda _: self._note(()),
            on_back=self._reconnect,
        )

    # -- reading

    @property
    def access(self) -> Access:
        return self.api.access

    @property
    def health(self) -> ApiHealth:
        return self._monitor.health

    def freshness(self) -> Mapping[str, Freshness]:
        """The state of every kind, by kind name, as of now."""
        return {kind.name: self._freshness(kind) for kind in self._kinds}

    def audit_id(self, kind: str) -> str:
        """The Audit-Id of the last list or watch of a kind, "" where the server gave none."""
        ids = [part.audit_ids[-1] for part in self._states.get(kind, ()) if part.audit_ids]
        return ids[-1] if ids else ""

    def drain(self, most: int | None = None) -> list[StoreUpdate]:
        """The changes since the last call: one for each object, from its state then to its state
        now. With `most` only so many, the oldest; the others go on waiting."""
        self.stirred = False
        pending = self._pending
        # The same dictionary all the time: the garbage collector walks over each new one.
        taken = [pending.pop(key) for key in list(islice(pending, most))]
        return [change for change in taken if change.old is not change.new]

    def waiting(self) -> ValuesView[StoreUpdate]:
        """The changes that `drain` would return."""
        return self._pending.values()

    def loaded(self) -> bool:
        """Whether every kind has been listed or has failed."""
        return all(event.is_set() for event in self._settled.values())

    async def wait_loaded(self, timeout: float) -> bool:
        """Wait until `loaded`, at most `timeout` seconds; returns whether it is."""
        try:
            async with asyncio.timeout(timeout):
                for event in self._settled.values():
                    await event.wait()
        except TimeoutError:
            return False
        return True

    def budget(self) -> Budget:
        return self.api.budget()

    # -- running

    async def run(self) -> None:
        """Keep the state live until `stop` or cancellation. Raises no error of server or
        network."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._monitor.run(), name="heartbeat"),
                    group.create_task(self._start(group), name="start"),
                ]
                await self._stopping.wait()
                for task in [*tasks, *self._tasks]:
                    task.cancel()
        finally:
            if self._owns_api:
                await self.api.aclose()

    def stop(self) -> None:
        """End `run`."""
        self._stopping.set()

    def retry_now(self) -> None:
        """End every back-off."""
        self._monitor.wake()

    # -- inside

    _tasks: tuple[asyncio.Task[None], ...] = ()

    async def _start(self, group: asyncio.TaskGroup) -> None:
        """Start the kinds in the order of their stages."""
        for number, kind in enumerate(self._kinds):
            while self._turns is None and self._under_way(number) >= TURNS:
                self._room.clear()
                try:
                    async with asyncio.timeout(PATIENCE):
                        await self._room.wait()
                except TimeoutError:
                    break
            self._tasks += (group.create_task(self._run_kind(kind), name=kind.name),)
        for event in self._settled.values():
            await event.wait()
        self._on_loaded()

    def _under_way(self, started: int) -> int:
        """How many of the first `started` kinds are being listed."""
        return sum(not self._settled[kind.name].is_set() for kind in self._kinds[:started])

    async def _watches_begin(self) -> None:
        await self.wait_loaded(WATCHES)
        await asyncio.sleep(self._config.breath)

    def _settle(self, kind: Kind) -> None:
        self._settled[kind.name].set()
        self._room.set()

    async def _run_kind(self, kind: Kind) -> None:
        """List and watch cluster-wide if that is allowed, else in the namespaces."""
        fallback = bool(kind.namespaced and self._namespaces)
        await self._offered(kind)
        try:
            await self._run_namespace(kind, "", escalate=fallback)
        except Forbidden:
            self._states[kind.name] = []
            async with asyncio.TaskGroup() as group:
                for namespace in self._namespaces:
                    group.create_task(self._run_namespace(kind, namespace))

    async def _offered(self, kind: Kind) -> None:
        """Return unless the kind that this one needs is absent; then it is absent too, and waits
        until that one comes."""
        if kind.needs not in self._settled:
            return
        await self._settled[kind.needs].wait()
        if not self._absent(kind.needs):
            return
        state = self._add_state(kind, "")
        state.trouble(
            WatchState.ABSENT,
            f"The server does not offer {plural_words(kind.needs)}, which they need.",
        )
        while self._absent(kind.needs):
            await self._monitor.pause(self._config.denied)
        self._states[kind.name].remove(state)

    def _absent(self, name: str) -> bool:
        return any(part.state is WatchState.ABSENT for part in self._states[name])

    def _add_state(self, kind: Kind, namespace: str) -> KindState:
        state = KindState(
            kind,
            namespace,
            self.store,
            self.write_buffer,
            self._clock,
            self._note,
            partial(self._settle, kind),
        )
        self._states[kind.name].append(state)
        return state

    async def _run_namespace(self, kind: Kind, namespace: str, escalate: bool = False) -> None:
        state = self._add_state(kind, namespace)
        watch = KindWatch(
            Collection(self.api, kind, namespace, self._config),
            state,
            features=self._features,
            pause=self._monitor.pause,
            interning=self._interning,
            known=partial(self.store.get, kind.name),
            input_priority=self._input_priority,
            turns=self._turns,
            first_watch=self._watches_begin,
            escalate=escalate,
        )
        self._watches.add(watch)
        try:
            await watch.run()
        finally:
            self._watches.discard(watch)

    def _reconnect(self) -> None:
        """The server is back: connections from before may hang."""
        for watch in self._watches:
            watch.cut()

    def _note(self, changes: Sequence[StoreUpdate]) -> None:
        pending = self._pending
        self.stirred = self.stirred or not changes
        for change in changes:
            key = (change.kind, change.key)
            before = pending.get(key)
            pending[key] = (
                change
                if before is None
                else StoreUpdate(change.kind, change.key, before.old, change.new)
            )
        self.changed.set()

    def _freshness(self, kind: Kind) -> Freshness:
        count = self.store.count(kind.name)
        parts = self._states[kind.name]
        health = self.health
        away = health.reach is Reach.UNREACHABLE
        if not parts:
            return Freshness(
                kind.name, WatchState.WAITING, count, reason=health.reason if away else ""
            )
        states = {part.state for part in parts}
        state = (
            WatchState.FORBIDDEN
            if states == {WatchState.FORBIDDEN}
            else next((each for each in _WORST_FIRST if each in states), WatchState.LIVE)
        )
        reason = next((part.reason for part in parts if part.reason), "")
        heard = min((part.heard for part in parts if part.heard is not None), default=None)
        if (
            state is WatchState.LIVE
            and all(part.watched for part in parts)
            and heard is not None
            and health.heard is not None
        ):
            # while the watch is open and heartbeats are answered, the rows are the server's
            heard = max(heard, health.heard)
        if away and state in (WatchState.LIVE, WatchState.STALE):
            state, reason = WatchState.STALE, health.reason
        elif away and state in (WatchState.LOADING, WatchState.WAITING):
            reason = health.reason
        elif state is WatchState.LIVE and not kind.poll and not reason and parts[0].namespace:
            reason = (
                f"Only {', '.join(part.namespace for part in parts)}: listing all namespaces is "
                "forbidden."
            )
        loading = state is WatchState.LOADING
        expected = sum(part.expected or 0 for part in parts) or None if loading else None
        return Freshness(kind.name, state, count, expected, heard, reason)


_WORST_FIRST = (
    WatchState.LOADING,
    WatchState.WAITING,
    WatchState.STALE,
    WatchState.ABSENT,
    WatchState.LIVE,
)
