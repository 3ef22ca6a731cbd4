"""The course of symptoms: new, getting worse, standing, recovering; and recovered ones, kept for an
hour with the time of their end. What stands is not critical for effects on its own objects."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from cluster.kube.objects import Ref
from triage.facts.cooperative import Cooperative
from triage.facts.finding import Course, Severity, Symptom
from triage.facts.rules.catalogue import CONFIGURATIONS, EFFECTS
from triage.symptoms import order

KEPT = timedelta(hours=1)
"""A recovered symptom is listed for this long."""
NEW = timedelta(minutes=30)
UNHEARD = "api-server-unreachable"
"""The mechanism of a symptom that begins, for a server that never answered, with its first sign."""
_COMPARED = timedelta(minutes=5)
"""How far back the extent is compared: shorter changes are noise."""
_MOST_POINTS = 240
FOLLOWED = 20
"""Symptoms that are followed in one step."""


_Sign = tuple[str, str, bool]


def _sign(symptom: Symptom) -> _Sign:
    """Its id, its mechanism, and whether anything shows it but a configuration: trouble that
    follows from one is as old as itself."""
    shows = any(
        f.rule not in CONFIGURATIONS and f.severity is not Severity.INFO for f in symptom.findings
    )
    return symptom.id, symptom.mechanism, shows


class _Extent:
    """How many objects a symptom had, every 15 s."""

    def __init__(self) -> None:
        self.points: deque[tuple[datetime, int]] = deque(maxlen=_MOST_POINTS)
        self._steady = True
        """Whether all the points are the same."""

    def take(self, now: datetime, count: int) -> None:
        points = self.points
        if not points or now - points[-1][0] >= timedelta(seconds=15):
            self._steady = self._steady and (not points or points[-1][1] == count)
            points.append((now, count))

    def stays(self, count: int) -> bool:
        """Whether it has always had so many."""
        return self._steady and self.points[-1][1] == count


class _Followed(msgspec.Struct, frozen=True):
    """A symptom as it was given, what of it decides its course, and as it was returned."""

    given: Symptom
    active: bool
    reach: int
    local: bool
    """Whether it is critical for effects on its own objects alone."""
    symptom: Symptom


class SymptomHistory:
    """Follows the symptoms from report to report, by their id."""

    def __init__(self) -> None:
        self._last: dict[str, Symptom] = {}
        self._begun: dict[_Sign, tuple[datetime, Collection[Ref]]] = {}
        """The first sign of what stands, and the objects that showed it."""
        self._extent: dict[str, _Extent] = {}
        self._followed: dict[str, _Followed] = {}
        self._gone: dict[str, Symptom] = {}

    def follow(
        self, symptoms: Sequence[Symptom], now: datetime, complete: bool = True
    ) -> Cooperative[tuple[tuple[Symptom, ...], tuple[Symptom, ...]]]:
        """(the symptoms with their course, those that ended within the last hour, the latest
        first). Notes have no course. A symptom keeps its first sign while it stands, though the
        objects that showed it are deleted, and a note while it names one of them; signs of a
        picture that is not `complete` are not kept, except that nothing is heard."""
        signs = {
            _sign(s): self._first_sign(s, s.since)
            for s in symptoms
            if s.since and (complete or s.mechanism == UNHEARD)
        }
        self._begun = signs if complete else self._begun | signs
        followed = {}
        for number, each in enumerate(symptoms, 1):
            followed[each.id] = self._follow(each, now)
            if number % FOLLOWED == 0:
                yield
        self._followed = followed
        yield
        found = tuple(each.symptom for each in followed.values())
        present = {s.id for s in found if s.severity is not Severity.INFO}
        noted = {s.id for s in found}
        for id_, symptom in list(self._last.items()):
            if id_ not in present:
                del self._last[id_]
                del self._extent[id_]
                self._gone[id_] = replace(symptom, course=Course.RECOVERED, gone=now)
        # A symptom whose findings are part of another one now has not recovered.
        active = {f.id for s in found for f in s.findings if f.active} if self._gone else ()
        for id_, symptom in list(self._gone.items()):
            grouped = any(f.id in active for f in symptom.findings if f.active)
            if id_ in noted or grouped or symptom.gone is None or now - symptom.gone > KEPT:
                del self._gone[id_]
        self._last |= {s.id: s for s in found if s.id in present}
        gone = sorted(self._gone.values(), key=lambda s: (-(s.gone or now).timestamp(), s.id))
        return found, tuple(gone)

    def _first_sign(self, symptom: Symptom, since: datetime) -> tuple[datetime, Collection[Ref]]:
        known = self._begun.get(_sign(symptom))
        note = symptom.severity is Severity.INFO
        if (
            known is None
            or known[0] > since
            or (note and set(symptom.objects).isdisjoint(known[1]))
        ):
            return since, symptom.objects
        return known

    def _follow(self, symptom: Symptom, now: datetime) -> _Followed:
        """The symptom with its first sign and its course; the same as before when they are."""
        since, _ = self._begun.get(_sign(symptom), (symptom.since, ()))
        known = self._followed.get(symptom.id)
        if known is None or known.given is not symptom:
            loud = [f for f in symptom.findings if f.severity is not Severity.INFO]
            active = any(f.active for f in loud)
            reach = order.width(symptom.findings, 0)
            critical = {f.rule for f in loud if f.severity is Severity.CRITICAL}
            local = bool(critical) and critical <= _LOCAL
            known = _Followed(symptom, active, reach, local, symptom)
        course = symptom.course
        if symptom.severity is not Severity.INFO:
            extent = self._extent.setdefault(symptom.id, _Extent())
            extent.take(now, len(symptom.objects))
            course = _course(known, extent, since, now)
        severity = symptom.severity
        if known.local and order.is_standing(since, now, known.reach):
            severity = Severity.WARNING  # known for over a day: it must not hide what is new
        followed = known.symptom
        if (followed.since, followed.course, followed.severity) == (since, course, severity):
            return known
        return replace(
            known, symptom=replace(symptom, since=since, course=course, severity=severity)
        )


_LOCAL = EFFECTS | {"node-not-ready"}
"""Rules that are critical for their own objects, not for a cause that others depend on."""


def _course(known: _Followed, extent: _Extent, since: datetime | None, now: datetime) -> Course:
    count = len(known.given.objects)
    recent: list[int] = []
    before: list[int] = []
    if not extent.stays(count):
        recent = [n for at, n in extent.points if now - at <= KEPT]
        before = [n for at, n in extent.points if _COMPARED <= now - at <= KEPT]
    if not known.active or max(recent, default=0) >= max(count * 2, 1):
        return Course.RECOVERING
    if before and count >= before[-1] + 2 and count * 4 >= before[-1] * 5:
        return Course.WORSE
    if order.is_standing(since, now, known.reach):
        return Course.STANDING
    if since is None or now - since <= NEW:
        return Course.NEW
    return Course.ONGOING
