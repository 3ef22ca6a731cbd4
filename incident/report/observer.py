"""Turns triage reports into entries for the record: which symptom appeared, changed or cleared, and
which runbook led.

A symptom counts as cleared only after it was gone for `Cadence.cleared`, so one that flickers is
one symptom. The record reads as a person would write it, and does not grow with the number of
failing pods.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from cluster.kube.objects import Ref
from incident.cadence import Cadence
from incident.provenance import named_in, object_refs
from incident.view import ApiView, Connection, SymptomView
from runbooks.match import Match
from timeline.entry import Entry, NewEntry
from triage.facts.finding import Report, Severity, Symptom

FINDINGS_KEPT = 40
"""Findings written out with a symptom; the number of the others is kept."""


class _Known(msgspec.Struct, frozen=True):
    title: str
    severity: str
    count: int
    runbook: str
    objects: tuple[Ref, ...] = ()
    gone_since: datetime | None = None


class Observer:
    """Compares each report with what the record says. Pure: returns drafts, writes nothing."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._known: dict[str, _Known] = {}
        self._reach: Connection | None = None
        self._detected = False
        for entry in entries:
            self._remember(entry)

    def learn(self, entries: Iterable[Entry]) -> None:
        """Take entries that another process wrote into the same record, so that they are not
        repeated."""
        for entry in entries:
            self._remember(entry)

    def _remember(self, entry: Entry) -> None:
        data = entry.data
        symptom = str(data.get("symptom", ""))
        before = self._known.get(symptom)
        if entry.kind in ("observation", "note") and symptom:
            if data.get("event") == "cleared":
                self._known.pop(symptom, None)
            else:
                self._known[symptom] = _Known(
                    str(data.get("title", "")),
                    str(data.get("severity", "")),
                    int(data.get("count", 0)),
                    before.runbook if before else "",
                    tuple(Ref(each.kind, each.namespace, each.name) for each in named_in(entry)),
                )
        elif entry.kind == "match" and before is not None:
            self._known[symptom] = replace(before, runbook=str(data.get("runbook", "")))
        elif entry.kind == "milestone":
            self._detected = self._detected or data.get("name") == "detected"
        elif entry.kind == "connectivity":
            self._reach = (
                Connection(str(data["reach"])) if data.get("reach") in set(Connection) else None
            )

    def observe(
        self, report: Report, symptoms: Iterable[SymptomView], now: datetime
    ) -> Iterator[NewEntry]:
        """Drafts for what is new in this report, each made when it is taken. Call it with every
        report, and take all."""
        present = set()
        for view in symptoms:
            symptom = view.symptom
            present.add(symptom.id)
            known = self._known.get(symptom.id)
            if symptom.severity is Severity.INFO:
                if known is None:
                    yield _noticed(symptom, now)
            elif known is None or known.severity == Severity.INFO.value:
                yield _appeared(symptom)
                if not self._detected:
                    self._detected = True
                    yield _detected(symptom, now)
            elif _differs(known, symptom):
                yield _changed(symptom, known, now)
            leader = _leader(view)
            led = known.runbook if known else ""
            if leader is not None and leader.id != led:
                yield _led(symptom, leader, now)
            self._known[symptom.id] = _Known(
                symptom.title,
                symptom.severity.value,
                len(symptom.objects),
                leader.id if leader is not None else led,
                symptom.objects,
            )
        for symptom_id, known in list(self._known.items()):
            if symptom_id in present:
                continue
            if not report.complete:
                # A symptom that is not seen may still be there while something could not be read.
                self._known[symptom_id] = replace(known, gone_since=None)
            elif known.gone_since is None:
                self._known[symptom_id] = replace(known, gone_since=now)
            elif now - known.gone_since >= timedelta(seconds=Cadence().cleared):
                del self._known[symptom_id]
                if known.severity != Severity.INFO.value:
                    yield _cleared(symptom_id, known)

    def reach(self, api: ApiView) -> list[NewEntry]:
        """Drafts for the loss and the return of the API server."""
        if api.reach not in (Connection.LIVE, Connection.LOST) or api.reach is self._reach:
            return []
        first, self._reach = self._reach is None, api.reach
        if first and api.reach is Connection.LIVE:
            return []
        text = (
            f"API server does not answer: {api.reason}"
            if api.reach is Connection.LOST
            else "API server answers again"
        )
        hops = [{"name": hop.name, "ok": hop.ok, "detail": hop.detail} for hop in api.hops]
        return [
            NewEntry(
                kind="connectivity",
                text=text,
                occurred_at=api.since,
                time_source="tool",
                phase="detect",
                data={"reach": api.reach.value, "hops": hops},
            )
        ]


def _differs(known: _Known, symptom: Symptom) -> bool:
    """Whether the change deserves an entry: another severity, or clearly more or fewer objects."""
    count = len(symptom.objects)
    grown = count >= 2 * known.count or 2 * count <= known.count
    return known.severity != symptom.severity.value or (grown and abs(count - known.count) >= 3)


def _detected(symptom: Symptom, now: datetime) -> NewEntry:
    """The time of the first failure that the tool shows is when the incident was detected, unless a
    person says otherwise."""
    return NewEntry(
        kind="milestone",
        text=f"detected: {symptom.title}",
        occurred_at=now,
        phase="detect",
        confidence="inferred",
        about=object_refs(symptom.objects),
        data={"name": "detected"},
    )


def _noticed(symptom: Symptom, now: datetime) -> NewEntry:
    """Record findings that are no failure, without beginning a symptom."""
    since = f", since {symptom.since:%Y-%m-%d %H:%M:%S} UTC" if symptom.since is not None else ""
    text, data = f"{_titled(symptom)}{since}", _data(symptom, "noticed")
    return NewEntry(
        kind="note",
        text=text,
        occurred_at=now,
        time_source="tool",
        about=object_refs(symptom.objects),
        data=data,
    )


def _appeared(symptom: Symptom) -> NewEntry:
    findings = [
        {"id": finding.id, "claim": finding.claim, "since_source": finding.since_source.value}
        for finding in symptom.findings[:FINDINGS_KEPT]
    ]
    changes = [
        {
            "at": change.at.isoformat(),
            "what": change.what,
            "object": str(change.object),
            "manager": change.manager,
        }
        for change in symptom.changes[:10]
    ]
    return _observation(
        symptom,
        "appeared",
        _titled(symptom),
        occurred_at=symptom.since,
        findings=findings,
        findings_left_out=max(0, len(symptom.findings) - FINDINGS_KEPT),
        shared=[shared.share for shared in symptom.shared],
        changes=changes,
        blast=[
            {"object": str(dependant.object), "why": dependant.why}
            for dependant in symptom.blast[:10]
        ],
    )


def _changed(symptom: Symptom, known: _Known, now: datetime) -> NewEntry:
    reach, before = _objects(symptom) or "no object", _counted(known.count)
    if symptom.severity.value != known.severity:
        reach, before = f"{symptom.severity.value}, {reach}", f"{known.severity}, {before}"
    text = f"{symptom.title}: now {reach} (before: {before})"
    return _observation(symptom, "changed", text, occurred_at=now)


def _cleared(symptom_id: str, known: _Known) -> NewEntry:
    return NewEntry(
        kind="observation",
        text=f"{known.title}: no longer seen",
        occurred_at=known.gone_since,
        time_source="tool",
        phase="verify",
        about=object_refs(known.objects),
        data={"event": "cleared", "symptom": symptom_id, "title": known.title},
    )


def _leader(view: SymptomView) -> Match | None:
    """The sure runbook that a finding of the symptom itself speaks for. What happens elsewhere
    meanwhile (a Secret was written, a node is cordoned) is told with its own symptom."""
    sure = [match for match in view.matches if match.confident]
    own = {finding.id for finding in view.symptom.findings} if sure else set()
    spoken = (
        match for match in sure if any(not own.isdisjoint(why.findings) for why in match.for_)
    )
    return next(spoken, None)


def _led(symptom: Symptom, match: Match, now: datetime) -> NewEntry:
    return NewEntry(
        kind="match",
        text=f"{symptom.title}: looks like {match.id} ({match.score:.2f})",
        occurred_at=now,
        phase="diagnose",
        confidence="inferred",
        about=object_refs(symptom.objects),
        data={
            "symptom": symptom.id,
            "runbook": match.id,
            "score": round(match.score, 3),
            "for": [reason.text for reason in match.for_],
            "missing": [reason.text for reason in match.missing],
            "against": [reason.text for reason in match.against],
        },
    )


def _observation(
    symptom: Symptom, event: str, text: str, occurred_at: datetime | None, **more: Any
) -> NewEntry:
    first = symptom.objects[0] if symptom.objects else None
    known = event == "appeared" and occurred_at is not None
    return NewEntry(
        kind="observation",
        text=text,
        occurred_at=occurred_at,
        occurred_precision="second",
        time_source="cluster" if known else "tool",
        phase="detect",
        namespace=first.namespace if first else "",
        about=object_refs(symptom.objects),
        data={
            **_data(symptom, event),
            **more,
        },
    )


def _data(symptom: Symptom, event: str) -> dict[str, Any]:
    return {
        "event": event,
        "symptom": symptom.id,
        "title": symptom.title,
        "severity": symptom.severity.value,
        "count": len(symptom.objects),
    }


def _titled(symptom: Symptom) -> str:
    objects = _objects(symptom)
    return f"{symptom.title}: {objects}" if objects else symptom.title


def _objects(symptom: Symptom) -> str:
    names = [str(ref) for ref in symptom.objects[:3]]
    more = len(symptom.objects) - len(names)
    return ", ".join(names) + (f" and {_counted(more, 'more object')}" if more > 0 else "")


def _counted(count: int, noun: str = "object") -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}"
