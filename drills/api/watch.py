"""watch: initial events, changes, bookmarks, time limits, and the ERROR event when history is
gone."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime

from drills.api import reads
from drills.api.kinds import ApiResource
from drills.api.objects import Obj
from drills.api.problems import ApiProblem, forbidden_field, invalid, too_large, too_old
from drills.api.requests import Form, QueryParameters, RequestInfo
from drills.api.selectors import Predicate
from drills.api.store import Key, ObjectStore, StoredObject, Update

_BATCH = 200


class Subscription:
    """Updates of one table, handed from the thread that writes to the event loop that serves the
    watch."""

    def __init__(
        self, store: ObjectStore, kind: ApiResource, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._store, self._kind, self._loop = store, kind, loop
        self._queue: deque[Update] = deque()
        self._wake = asyncio.Event()
        self._handle: int | None = None
        self.expired = False

    def open(self, since: int) -> None:
        """Raises ApiProblem (410)."""
        self._handle, missed = self._store.subscribe(self._kind, since, self._tell)
        self._queue.extendleft(reversed(missed))

    def _tell(self, update: Update) -> None:
        self._queue.append(update)
        self._loop.call_soon_threadsafe(self._wake.set)

    def expire(self) -> None:
        """The watch ends with a 410 ERROR event."""
        self.expired = True
        self._wake.set()

    def close(self) -> None:
        if self._handle is not None:
            self._store.unsubscribe(self._handle)
            self._handle = None

    def position(self, sent: int) -> int:
        """The newest version up to which all events have been sent."""
        with self._store.transaction():
            return sent if self._queue else self._store.version

    async def take(self, seconds: float) -> list[Update]:
        """The next events, at most a batch; waits up to `seconds` for the first."""
        if not self._queue and not self.expired:
            try:
                await asyncio.wait_for(self._wake.wait(), max(seconds, 0.0))
            except TimeoutError:
                return []
        self._wake.clear()
        out = [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
        if self._queue:
            self._wake.set()
        return out


def check(store: ObjectStore, target: RequestInfo, query: QueryParameters) -> None:
    """Raises ApiProblem for parameters that a watch refuses at its start."""
    match, field = query.get("resourceVersionMatch"), "resourceVersionMatch"
    why = ""
    if "sendInitialEvents" in query.values:
        if match != "NotOlderThan":
            why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
    elif match:
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
    if why:
        raise forbidden_field(target.kind, "", field, why)
    wanted = query.get("resourceVersion")
    if wanted and not wanted.isdigit():
        cause = ("resourceVersion", "FieldValueInvalid", f'Invalid value: "{wanted}"')
        raise invalid(target.kind, "", cause)
    if wanted and int(wanted) > store.version:
        raise too_large(int(wanted), store.version)
    reads.selection(target, query)


def seen_update(
    update: Update, namespace: str, match: Predicate
) -> tuple[str, StoredObject] | None:
    """The update as seen through a selector: an object that starts to match is ADDED, one that
    stops to match is DELETED."""
    if namespace and update.key[0] != namespace:
        return None
    was = update.before is not None and match(update.before.obj)
    if update.type == "DELETED":
        return ("DELETED", update.after) if was else None
    if match(update.after.obj):
        return ("MODIFIED" if was else "ADDED"), update.after
    if was and update.before is not None:
        meta = {**update.before.obj["metadata"], "resourceVersion": str(update.rv)}
        return "DELETED", StoredObject({**update.before.obj, "metadata": meta}, update.rv)
    return None


@dataclass(slots=True)
class WatchStream:
    """The body of one watch. `now` gives the time for tables. It ends after `seconds`. A quiet
    watch gets a bookmark every `bookmark_every` seconds when the client allows it."""

    store: ObjectStore
    target: RequestInfo
    query: QueryParameters
    form: Form
    subscription: Subscription
    now: Callable[[], datetime]
    seconds: float
    bookmark_every: float
    _first: bool = True

    def _event(self, kind: str, entry: StoredObject) -> bytes:
        body = reads.one(self.target.kind, entry, self.form, self.now(), headers=self._first)
        self._first = False
        return b'{"type":"%s","object":%s}\n' % (kind.encode(), body)

    def _bookmark(self, rv: int, *, initial_end: bool = False) -> bytes:
        meta: Obj = {"resourceVersion": str(rv), "creationTimestamp": None}
        if initial_end:
            meta["annotations"] = {"k8s.io/initial-events-end": "true"}
        kind = self.target.kind
        obj: Obj = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}
        if self.form.name == "metadata":
            obj = reads.partial(meta)
        elif self.form.name == "table":
            obj.update(kind="Table", apiVersion="meta.k8s.io/v1", columnDefinitions=[], rows=[])
        return b'{"type":"BOOKMARK","object":%s}\n' % reads.encode(obj)

    @staticmethod
    def _error(problem: ApiProblem) -> bytes:
        return b'{"type":"ERROR","object":%s}\n' % reads.encode(problem.status)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Ends after the time limit, or after an ERROR event."""
        wanted, given = self.query.get("resourceVersion"), "sendInitialEvents" in self.query.values
        fresh = wanted in {"", "0"}
        initial = self.query.flag("sendInitialEvents") if given else fresh
        match, _ = reads.selection(self.target, self.query)
        rv = int(wanted or 0)
        items: list[tuple[Key, StoredObject]] = []
        try:
            if initial or fresh:
                with self.store.transaction():
                    rv, items = self.store.frozen(self.target.kind)
                    self.subscription.open(rv)
            else:
                self.subscription.open(rv)
        except ApiProblem as problem:
            yield self._error(problem)
            return
        if initial:
            async for piece in self._initial(items, match):
                yield piece
            if given and self.query.flag("allowWatchBookmarks"):
                yield self._bookmark(rv, initial_end=True)
        async for piece in self._updates(rv, match):
            yield piece

    async def _initial(
        self, items: list[tuple[Key, StoredObject]], match: Predicate
    ) -> AsyncIterator[bytes]:
        namespace = self.target.namespace
        chosen = [e for k, e in items if (not namespace or k[0] == namespace) and match(e.obj)]
        for start in range(0, len(chosen), _BATCH):
            yield b"".join(self._event("ADDED", e) for e in chosen[start : start + _BATCH])
            await asyncio.sleep(0)

    async def _updates(self, rv: int, match: Predicate) -> AsyncIterator[bytes]:
        loop, bookmarks = asyncio.get_running_loop(), self.query.flag("allowWatchBookmarks")
        deadline = loop.time() + self.seconds
        # the server sends a bookmark shortly before it ends the watch
        last_bookmark = deadline - min(2.0, self.seconds / 2)
        next_bookmark = min(loop.time() + self.bookmark_every, last_bookmark)
        while True:
            out = []
            for update in await self.subscription.take(min(deadline, next_bookmark) - loop.time()):
                rv = update.rv
                if seen := seen_update(update, self.target.namespace, match):
                    out.append(self._event(*seen))
            if out:
                yield b"".join(out)
            if self.subscription.expired:
                yield self._error(too_old(rv, self.store.compacted))
                return
            if loop.time() >= deadline:
                return
            if bookmarks and loop.time() >= next_bookmark:
                rv = self.subscription.position(rv)
                yield self._bookmark(rv)
                again = loop.time() + self.bookmark_every
                before_end = loop.time() < last_bookmark
                next_bookmark = min(again, last_bookmark) if before_end else again
