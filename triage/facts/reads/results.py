"""What an evaluation reads, so that its result is kept until something of that changes.

An evaluation that looks at several objects (a detector over findings, a symptom) reads objects,
events, findings and counts through a `ClusterView` with `Reads`. Each read notes a place; each
change touches the places where it can be seen. A result is valid while no place of its own was
touched, no verdict about the time has ended and it is younger than `LONGEST`.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from datetime import datetime, timedelta
from typing import Any

from cluster.kube.objects import Pod, Ref
from cluster.live.store import StoreUpdate
from triage.facts.events import EventFact

FINDINGS = "findings"
POPULATION = "population"
HEALTHY = "healthy pods"
FRESHNESS = "freshness"
SOURCES = "measurements"
COUNTS = "counts"
CHANGES = "changes"
TOGETHER = "Secrets written together"
EVENTS = "events"
LONGEST = timedelta(seconds=60)
"""Time after which a result is made again although nothing that it is known to read has changed: a
read that was not noted misleads for no longer than that."""
_SPARE = 1_000
"""Places that no evaluation reads any more, beside as many as are read."""


class _Place:
    """One place: `touched` is the number of the change that touched it last."""

    __slots__ = ("touched",)

    def __init__(self) -> None:
        self.touched = 0


class Kept:
    """The result of one evaluation, and what it rests on."""

    __slots__ = ("due", "made", "number", "places", "until", "value")

    def __init__(
        self,
        value: Any,
        places: tuple[_Place, ...],
        number: int,
        made: datetime,
        until: datetime | None,
        due: datetime | None,
    ) -> None:
        self.value, self.places, self.number = value, places, number
        self.made, self.until = made, until
        self.due = due
        """When the evaluation asked to be made again."""

    def valid(self, now: datetime) -> bool:
        """Whether an evaluation at `now` would have the same result."""
        if now < self.made or (self.until is not None and now >= self.until):
            return False
        number = self.number
        for place in self.places:  # noqa: SIM110  # a loop: called for each symptom
            if place.touched > number:
                return False
        return True


class Reads:
    """The results that are kept, by name, and what the present evaluation has read."""

    def __init__(self) -> None:
        self.noted: set[Hashable] = set()
        """The places that the present evaluation has read."""
        self.clock = False
        """Whether it has read the time itself: it is made again for each report."""
        self.until: datetime | None = None
        """When the first of its verdicts about the time ends."""
        self._places: dict[Hashable, _Place] = {}
        self._kept: dict[Hashable, Kept] = {}
        self._number = 0
        self._limit = _SPARE

    # -- evaluating

    def kept(self, name: Hashable, now: datetime) -> Kept | None:
        """The result of this name, when it is valid at `now`."""
        known = self._kept.get(name)
        return known if known is not None and known.valid(now) else None

    def last(self, name: Hashable) -> Any | None:
        """The last result of this name, valid or not."""
        known = self._kept.get(name)
        return known.value if known is not None else None

    def begin(self) -> None:
        """Begin an evaluation: what is read from now on belongs to it."""
        self.noted.clear()
        self.clock, self.until = False, None

    def end_at(self, moment: datetime) -> None:
        """A verdict of the present evaluation holds until just before this moment."""
        if self.until is None or moment < self.until:
            self.until = moment

    def keep(self, name: Hashable, value: Any, now: datetime, due: datetime | None) -> None:
        """Keep the result of the present evaluation, which asked to be made again at `due`."""
        if self.clock:
            self.until = now
        else:
            self.end_at(now + LONGEST if due is None else min(due, now + LONGEST))
        places = []
        for noted in self.noted:
            place = self._places.get(noted)
            if place is None:
                place = self._places[noted] = _Place()
            places.append(place)
        self._kept[name] = Kept(value, tuple(places), self._number, now, self.until, due)

    def drop(self, names: Collection[Hashable]) -> None:
        """Forget these results."""
        for name in names:
            self._kept.pop(name, None)

    def tidy(self) -> None:
        """Forget places that no result rests on, once they are many."""
        if len(self._places) > self._limit:
            used = {id(place) for kept in self._kept.values() for place in kept.places}
            self._places = {key: each for key, each in self._places.items() if id(each) in used}
            self._limit = 2 * len(self._places) + _SPARE

    # -- touching

    def touch(self, place: Hashable) -> None:
        """What can be read at this place has changed."""
        known = self._places.get(place)
        if known is not None:
            self._number += 1
            known.touched = self._number

    def touch_row(self, change: StoreUpdate) -> None:
        """A change of the store."""
        places = self._places
        if not places:
            return
        kind, key = change.kind, change.key
        for place in (kind, (kind, key[0]), (kind, *key)):
            if place in places:
                self.touch(place)
        for row in (change.old, change.new):
            if row is None:
                continue
            for owner in row.metadata.owner_references:
                self.touch(("owned by", owner.uid))
            if isinstance(row, Pod) and row.spec.node_name:
                self.touch(("pods on", row.spec.node_name))

    def touch_event(self, fact: EventFact) -> None:
        """An event was seen, has changed or was forgotten."""
        if self._places:
            self.touch(EVENTS)
            self.touch((EVENTS, fact.about))
            self.touch(("reason", fact.reason))

    def touch_finding(self, rule: str, ref: Ref) -> None:
        """A finding of this rule about this object came, has changed or went."""
        if self._places:
            self.touch(FINDINGS)
            self.touch(("rule", rule))
            self.touch(("about", ref))
