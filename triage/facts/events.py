"""Remembers events beyond the hour that the API server keeps them.

Events are best-effort and short-lived (TTL 1 h by default, KEP-3815). Each one is remembered from
when it is seen, in bounded memory, under its uid; every growth of its count is one more
observation. The absence of an event proves nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from cluster.kube.event_times import first_time, last_time, times_observed
from cluster.kube.kinds import is_namespaced
from cluster.kube.objects import Event, Ref
from triage.facts.messages.control_plane import MessageSigns, message_signs

_COMBINED = "(combined from similar events): "


class EventFact(msgspec.Struct, frozen=True, gc=False):
    """One remembered event. `times` are when it was observed to happen, oldest first, at most
    24."""

    uid: str
    about: Ref
    about_uid: str
    name: Ref
    type: str
    reason: str
    message: str
    count: int
    first: datetime
    last: datetime
    times: tuple[datetime, ...]
    component: str
    host: str
    field_path: str

    @property
    def source(self) -> str:
        return f"Event {self.name.namespace}/{self.name.name}"


def times_of(event: Event) -> tuple[datetime | None, ...]:
    """All the times that an event carries."""
    return (
        event.last_timestamp,
        event.first_timestamp,
        event.event_time,
        event.series.last_observed_time if event.series is not None else None,
        event.metadata.creation_timestamp,
    )


def about(event: Event) -> Ref:
    """The object that an event is about. Events of cluster-scoped objects are stored in a
    namespace, their objects are not."""
    obj = event.involved_object
    namespace = (obj.namespace or event.metadata.namespace) if is_namespaced(obj.kind) else ""
    return Ref(obj.kind, namespace, obj.name)


def read(event: Event, known: EventFact | None = None) -> EventFact | None:
    """The fact in an event, joined with earlier facts of the same uid; None without any time."""
    last = last_time(event)
    first = first_time(event)
    if last is None or first is None:
        return None
    times = known.times if known is not None else ((first,) if first != last else ())
    if not times or last > times[-1]:
        times = (*times, last)[-24:]
    meta = event.metadata
    return EventFact(
        uid=meta.uid or f"{meta.namespace}/{meta.name}",
        about=about(event),
        about_uid=event.involved_object.uid,
        name=Ref("Event", meta.namespace, meta.name),
        type=event.type,
        reason=event.reason,
        message=event.message.removeprefix(_COMBINED),
        count=max(times_observed(event), known.count if known is not None else 1),
        first=min(first, known.first) if known is not None else first,
        last=max(last, known.last) if known is not None else last,
        times=times,
        component=event.source.component or event.reporting_component,
        host=event.source.host
        or (event.reporting_instance if "/" not in event.reporting_instance else ""),
        field_path=event.involved_object.field_path,
    )


class EventMemory:
    """Events by uid, by the object they are about and by reason. The oldest are forgotten beyond
    `limit`."""

    def __init__(self, limit: int = 50_000, keep: timedelta = timedelta(hours=24)) -> None:
        self._limit = limit
        self._keep = keep
        self._facts: OrderedDict[str, EventFact] = OrderedDict()
        self._about: dict[Ref, dict[str, EventFact]] = {}
        self._reason: dict[str, dict[str, EventFact]] = {}
        self._signs: dict[str, MessageSigns] = {}
        self._forgot: datetime | None = None
        self.touched: Callable[[EventFact], None] = _ignore
        """Called with each fact that is added, replaced or dropped."""

    def __len__(self) -> int:
        return len(self._facts)

    def see(self, event: Event) -> Ref | None:
        """Remember an event. Returns the object it is about when it says something new."""
        uid = event.metadata.uid or f"{event.metadata.namespace}/{event.metadata.name}"
        known = self._facts.get(uid)
        fact = read(event, known)
        if fact is None or fact == known:
            return None
        self._put(fact)
        while len(self._facts) > self._limit:
            self._drop(next(iter(self._facts)))
        return fact.about

    def forget_before(self, moment: datetime) -> None:
        """Drop events that last happened before `moment` less the time that events are kept; runs
        once a minute."""
        if self._forgot is not None and abs(moment - self._forgot) < timedelta(minutes=1):
            return
        self._forgot = moment
        horizon = moment - self._keep
        for uid in [uid for uid, fact in self._facts.items() if fact.last < horizon]:
            self._drop(uid)

    def known(self, ref: Ref) -> bool:
        """Whether anything is remembered about an object."""
        return ref in self._about

    def about(self, ref: Ref) -> list[EventFact]:
        """All remembered events about an object, oldest first."""
        facts = self._about.get(ref)
        return sorted(facts.values(), key=_order) if facts else []

    def reasons(self, *reasons: str) -> list[EventFact]:
        """All remembered events with one of these reasons, oldest first."""
        found = [fact for reason in reasons for fact in self._reason.get(reason, {}).values()]
        return sorted(found, key=_order)

    def all(self) -> Iterator[EventFact]:
        return iter(self._facts.values())

    def with_signs(self) -> Iterator[tuple[EventFact, MessageSigns]]:
        """Events whose messages report etcd, the API server or name look-ups."""
        return ((self._facts[uid], signs) for uid, signs in self._signs.items())

    def move(self, facts: Iterable[EventFact]) -> None:
        """Take over facts remembered elsewhere (an earlier session)."""
        for fact in facts:
            if fact.uid not in self._facts:
                self._put(replace(fact))

    def _put(self, fact: EventFact) -> None:
        known = self._facts.get(fact.uid)
        if known is not None:
            self.touched(known)
        self.touched(fact)
        if known is None or known.message != fact.message:
            self._signs.pop(fact.uid, None)
            if (signs := message_signs(fact.message)) is not None:
                self._signs[fact.uid] = signs
        self._facts[fact.uid] = fact
        self._facts.move_to_end(fact.uid)
        self._about.setdefault(fact.about, {})[fact.uid] = fact
        self._reason.setdefault(fact.reason, {})[fact.uid] = fact

    def _drop(self, uid: str) -> None:
        fact = self._facts.pop(uid)
        self.touched(fact)
        self._signs.pop(uid, None)
        _discard(self._about, fact.about, uid)
        _discard(self._reason, fact.reason, uid)


K = TypeVar("K", bound=Hashable)


def _discard(index: dict[K, dict[str, EventFact]], key: K, uid: str) -> None:
    group = index.get(key)
    if group is not None:
        group.pop(uid, None)
        if not group:
            del index[key]


def _ignore(fact: EventFact) -> None: ...


def _order(fact: EventFact) -> tuple[datetime, str]:
    return (fact.last, fact.uid)
