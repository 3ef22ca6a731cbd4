"""Controllers on a served cluster: the store, the wall clock, tasks of the event loop."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Callable
from datetime import datetime
from random import Random

from drills.api.managed_fields import FieldManager, first_entries
from drills.api.objects import (
    ALPHANUMERIC,
    Obj,
    controller_of,
    created_at,
    digest,
    parse_time,
    stable_uid,
)
from drills.api.store import ObjectStore
from drills.controllers.context import ControllerContext, Work
from drills.controllers.events import new_event

_LOG = logging.getLogger("drills")


class LiveContext(ControllerContext):
    """`speed` shortens delays; `now` returns an aware datetime."""

    def __init__(
        self, store: ObjectStore, now: Callable[[], datetime], random: Random, speed: float
    ) -> None:
        self.store, self._clock, self.random = store, now, random
        self.speed = max(speed, 0.001)
        self.pullable = True
        self.next_ip = {}
        self.dirty = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    # --- life

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def spawn(self, work: Work) -> None:
        """Run in the background until the server stops. A failure is logged."""
        assert self._loop is not None
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("background work failed: %s: %s", type(error).__name__, error)

    def mark(self) -> None:
        """Note a change that counts and endpoints depend on. Safe from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.dirty.set)

    # --- ControllerContext

    def now(self) -> datetime:
        return self._clock()

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)

    def run_seconds(self, pod: Obj) -> float | None:
        """The pod of a Job that a CronJob started ends after as long as an earlier run took."""
        seconds = super().run_seconds(pod)
        job = self._controller(pod, "Job") if seconds is None else None
        cron = self._controller(job, "CronJob") if job is not None else None
        if job is None or cron is None:
            return seconds
        for each in self.of("Job", job["metadata"]["namespace"]):
            ended = each["status"].get("completionTime")
            if ended and self._controller(each, "CronJob") is cron:
                return (parse_time(ended) - created_at(each)).total_seconds()
        return None

    def _controller(self, obj: Obj, kind: str) -> Obj | None:
        """The object of this kind that controls another one."""
        ref = controller_of(obj)
        if ref is None or ref["kind"] != kind:
            return None
        return self.lookup(kind, obj["metadata"].get("namespace", ""), ref["name"])

    def suffix(self, *words: object, size: int = 5) -> str:
        return "".join(self.random.choices(ALPHANUMERIC, k=size))

    def draw(self, pod: Obj, node: str) -> str:
        return digest("place", pod["metadata"]["uid"], node)

    def of(self, kind: str, namespace: str = "") -> list[Obj]:
        return self.store.of(kind, namespace)

    def lookup(self, kind: str, namespace: str, name: str) -> Obj | None:
        return self.store.lookup(kind, namespace, name)

    def create(self, obj: Obj, *managers: FieldManager) -> Obj:
        meta = obj["metadata"]
        meta["uid"] = stable_uid(self.random.getrandbits(64))
        meta["managedFields"] = first_entries(obj, managers)
        self.mark()
        return self.store.save(obj)

    def update(self, obj: Obj, change: Callable[[Obj], None], by: str = "") -> Obj | None:
        with self.store.transaction():
            if (now := self.present(obj)) is None:
                return None
            now = copy.deepcopy(now)
            change(now)
            self.mark()
            return self.store.save(now)

    def remove(self, obj: Obj) -> None:
        meta, kind = obj["metadata"], self.store.kinds.named(obj["kind"])
        self.store.remove(kind, meta.get("namespace", ""), meta["name"])
        self.mark()

    def record(self, obj: Obj, reason: str, message: str, **more: str) -> None:
        now, seed = self.now(), self.random.getrandbits(30)
        self.store.save(new_event(obj, reason, message, now, None, 1, seed=seed, **more))
