"""watch: initial events, changes, bookmarks, time limits, and the ERROR event when history is
gone."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from drills.api.kinds import Kind
from drills.api.objects import Obj
from drills.api.problems import ApiProblem, expired, invalid, too_large
from drills.api.reads import encode, partial, seen_as, selection
from drills.api.requests import Query, Target, View
from drills.api.selectors import Match
from drills.api.store import Change, Entry, Store
from drills.api.table import render

_BATCH = 200


class Subscription:
    """Changes of one table, handed from whichever thread writes to the event loop that serves the
    watch."""

    def __init__(self, store: Store, kind: Kind, loop: asyncio.AbstractEventLoop) -> None:
        self._store, self._kind, self._loop = store, kind, loop
        self._table = store.table(kind)
        self._queue: deque[Change] = deque()
        self._wake = asyncio.Event()
        self._handle: int | None = None
        self.expired = False

    def open(self, since: int) -> None:
        """Raises ApiProblem (410)."""
        self._handle, missed = self._store.subscribe(self._kind, since, self._tell)
        self._queue.extendleft(reversed(missed))

    def _tell(self, change: Change) -> None:
        if (change.group, change.plural) == self._table:
            self._queue.append(change)
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
        """The newest version that everything up to now has been sent for."""
        with self._store.transaction():
            return sent if self._queue else self._store.version

    async def take(self, seconds: float) -> list[Change]:
        """What has come, at most a batch; waits up to `seconds` for the first."""
        if not self._queue and not self.expired:
            try:
                await asyncio.wait_for(self._wake.wait(), max(seconds, 0.0))
            except TimeoutError:
                return []
        self._wake.clear()
        out: list[Change] = []
        while self._queue and len(out) < _BATCH:
            out.append(self._queue.popleft())
        if self._queue:
            self._wake.set()
        return out


class Writer:
    """Watch events as bytes, in the form that the client asked for."""

    def __init__(self, kind: Kind, view: View, now: Callable[[], datetime]) -> None:
        self._kind, self._view, self._now = kind, view, now
        self._first = True

    def event(self, kind: str, entry: Entry) -> bytes:
        entry = seen_as(self._kind, entry)
        if self._view.form == "table":
            body = encode(
                render(
                    self._kind,
                    [entry],
                    self._now(),
                    {"resourceVersion": str(entry.rv)},
                    include=self._view.include,
                    headers=self._first,
                )
            )
            self._first = False
        elif self._view.form == "metadata":
            body = encode(partial(entry.obj))
        else:
            body = entry.raw
        return b'{"type":"%s","object":%s}\n' % (kind.encode(), body)

    def bookmark(self, rv: int, *, initial_end: bool = False) -> bytes:
        meta: Obj = {"resourceVersion": str(rv), "creationTimestamp": None}
        if initial_end:
            meta["annotations"] = {"k8s.io/initial-events-end": "true"}
        if self._view.form == "metadata":
            obj: Obj = {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": meta,
            }
        elif self._view.form == "table":
            obj = {
                "kind": "Table",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": meta,
                "columnDefinitions": [],
                "rows": [],
            }
        else:
            obj = {"kind": self._kind.kind, "apiVersion": self._kind.api_version, "metadata": meta}
        return b'{"type":"BOOKMARK","object":%s}\n' % encode(obj)

    @staticmethod
    def error(problem: ApiProblem) -> bytes:
        return b'{"type":"ERROR","object":%s}\n' % encode(problem.status)


def seen_change(change: Change, namespace: str, match: Match) -> tuple[str, Entry] | None:
    """How a change looks through a selector: an object that moves in is ADDED, one that moves out
    DELETED."""
    if namespace and change.key[0] != namespace:
        return None
    was = change.before is not None and match(change.before.obj)
    if change.type == "DELETED":
        return ("DELETED", change.after) if was else None
    if match(change.after.obj):
        return ("MODIFIED" if was else "ADDED"), change.after
    if was and change.before is not None:
        meta = {**change.before.obj["metadata"], "resourceVersion": str(change.rv)}
        return "DELETED", Entry({**change.before.obj, "metadata": meta}, change.rv)
    return None


def check(store: Store, target: Target, query: Query) -> None:
    """Raises ApiProblem for parameters that a watch refuses before it starts."""
    match = query.get("resourceVersionMatch")
    if "sendInitialEvents" in query.values:
        if match != "NotOlderThan":
            raise invalid(
                target.kind,
                "",
                [
                    (
                        "resourceVersionMatch",
                        "FieldValueForbidden",
                        "Forbidden: sendInitialEvents requires setting resourceVersionMatch to "
                        "NotOlderThan",
                    )
                ],
            )
    elif match:
        raise invalid(
            target.kind,
            "",
            [
                (
                    "resourceVersionMatch",
                    "FieldValueForbidden",
                    "Forbidden: resourceVersionMatch is forbidden for watch unless "
                    "sendInitialEvents is provided",
                )
            ],
        )
    wanted = query.get("resourceVersion")
    if wanted and not wanted.isdigit():
        raise invalid(
            target.kind,
            "",
            [("resourceVersion", "FieldValueInvalid", f'Invalid value: "{wanted}"')],
        )
    if wanted and int(wanted) > store.version:
        raise too_large(int(wanted), store.version)


async def stream(
    store: Store,
    target: Target,
    query: Query,
    view: View,
    subscription: Subscription,
    *,
    now: Callable[[], datetime],
    seconds: float,
    bookmark_every: float,
) -> AsyncIterator[bytes]:
    """The body of a watch, in pieces. Ends after `seconds`, or after an ERROR event."""
    kind = target.kind
    match, _ = selection(target, query)
    writer = Writer(kind, view, now)
    wanted = query.get("resourceVersion")
    bookmarks = query.flag("allowWatchBookmarks")
    initial = (
        query.flag("sendInitialEvents")
        if "sendInitialEvents" in query.values
        else wanted in {"", "0"}
    )
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    try:
        if initial or wanted in {"", "0"}:
            with store.transaction():
                rv, items = store.frozen(kind)
                subscription.open(rv)
            if initial:
                buffer: list[bytes] = []
                for key, entry in items:
                    if (target.namespace and key[0] != target.namespace) or not match(entry.obj):
                        continue
                    buffer.append(writer.event("ADDED", entry))
                    if len(buffer) == _BATCH:
                        yield b"".join(buffer)
                        buffer.clear()
                        await asyncio.sleep(0)
                if "sendInitialEvents" in query.values and bookmarks:
                    buffer.append(writer.bookmark(rv, initial_end=True))
                if buffer:
                    yield b"".join(buffer)
        else:
            rv = int(wanted)
            subscription.open(rv)
    except ApiProblem as problem:
        yield writer.error(problem)
        return
    last_bookmark = deadline - min(
        2.0, seconds / 2
    )  # the server sends one shortly before it ends the watch
    next_bookmark = min(loop.time() + bookmark_every, last_bookmark)
    while True:
        changes = await subscription.take(min(deadline, next_bookmark) - loop.time())
        out = []
        for change in changes:
            rv = change.rv
            seen = seen_change(change, target.namespace, match)
            if seen is not None:
                out.append(writer.event(*seen))
        if out:
            yield b"".join(out)
        if subscription.expired:
            yield writer.error(expired(f"too old resource version: {rv} ({store.compacted})"))
            return
        if loop.time() >= deadline:
            return
        if bookmarks and loop.time() >= next_bookmark:
            rv = subscription.position(rv)
            yield writer.bookmark(rv)
            again = loop.time() + bookmark_every
            next_bookmark = min(again, last_bookmark) if loop.time() < last_bookmark else again
