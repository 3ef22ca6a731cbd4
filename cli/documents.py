"""The JSON documents of the text interface: what the screens show, with a `schema` field; times are
RFC 3339 in UTC."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from incident.view import SymptomView, View
from runbooks.match import Match, Reason
from triage.facts.finding import ChangeFact, Evidence, Finding, SharedAttribute

TRIAGE_SCHEMA = "stanch.triage/1"


def time_text(at: datetime | None) -> str | None:
    """RFC 3339 in UTC with seconds, None when not known."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def triage_document(view: View) -> dict[str, Any]:
    """The `stanch.triage/1` document of a view; `complete` is false whenever something could not be
    read."""
    report = view.report
    unavailable = (
        [] if report is None else [{"what": gap.what, "why": gap.why} for gap in report.unavailable]
    )
    if view.problem:
        unavailable.insert(0, {"what": "cluster", "why": view.problem})
    elif report is None:
        unavailable.insert(
            0, {"what": "cluster", "why": view.api.reason or "nothing has been read yet"}
        )
    return {
        "schema": TRIAGE_SCHEMA,
        "context": view.context,
        "server": view.server,
        "as_of": time_text(report.as_of if report else view.as_of),
        "complete": bool(report and report.complete and not view.problem),
        "unavailable": unavailable,
        "api": {
            "reach": view.api.reach.value,
            "since": time_text(view.api.since),
            "reason": view.api.reason,
            "hops": [
                {"name": hop.name, "ok": hop.ok, "seconds": hop.seconds, "detail": hop.detail}
                for hop in view.api.hops
            ],
        },
        "read": {
            kind.kind: {
                "state": kind.state.value,
                "count": kind.count,
                "heard": time_text(kind.heard),
            }
            for kind in view.kinds
        },
        "last_seen": _last_seen(view) if view.record.picture else [],
        "symptoms": [symptom_document(symptom) for symptom in view.symptoms],
        "runbooks": overall(view.symptoms),
    }


def _last_seen(view: View) -> list[dict[str, Any]]:
    """What an earlier incident of the context saw last, for a server that never answered."""
    from text.timeline import remembered

    shown = {each.symptom.id for each in view.symptoms}
    return [
        {"at": time_text(entry.occurred_at), "text": entry.text}
        for entry in remembered(view.record.picture, shown)
    ]


def symptom_document(view: SymptomView) -> dict[str, Any]:
    symptom = view.symptom
    return {
        "id": symptom.id,
        "title": symptom.title,
        "severity": symptom.severity.value,
        "since": time_text(symptom.since),
        "count": len(symptom.objects),
        "objects": [ref._asdict() for ref in symptom.objects],
        "shared": [shared_document(shared) for shared in symptom.shared],
        "changes": [change_document(change) for change in symptom.changes],
        "blast": [
            {"object": dependant.object._asdict(), "why": dependant.why}
            for dependant in symptom.blast
        ],
        "findings": [finding_document(finding) for finding in symptom.findings],
        "runbooks": [match_document(match) for match in view.matches],
    }


def finding_document(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "rule": finding.rule,
        "object": finding.object._asdict(),
        "claim": finding.claim,
        "severity": finding.severity.value,
        "severity_rule": finding.severity_rule,
        "since": time_text(finding.since),
        "since_source": finding.since_source.value,
        "active": finding.active,
        "evidence": [evidence_document(evidence) for evidence in finding.evidence],
        "facts": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in finding.facts.items()
        },
    }


def evidence_document(evidence: Evidence) -> dict[str, Any]:
    return {"source": evidence.source, "text": evidence.text, "at": time_text(evidence.at)}


def shared_document(shared: SharedAttribute) -> dict[str, Any]:
    return {
        "what": shared.what,
        "value": shared.value,
        "inside": list(shared.inside),
        "outside": list(shared.outside),
        "p_value": shared.p_value,
        "tied_with": list(shared.tied_with),
    }


def change_document(change: ChangeFact) -> dict[str, Any]:
    return {
        "at": time_text(change.at),
        "what": change.what,
        "object": change.object._asdict(),
        "rule": change.rule,
        "manager": change.manager,
    }


def match_document(match: Match) -> dict[str, Any]:
    return {
        "id": match.id,
        "title": match.title,
        "score": round(match.score, 3),
        "confident": match.confident,
        "guide": match.guide,
        "for": reasons(match.for_),
        "missing": reasons(match.missing),
        "against": reasons(match.against),
    }


def reasons(given: Iterable[Reason]) -> list[str]:
    return [
        f"{reason.text} (step {reason.step})" if reason.step else reason.text for reason in given
    ]


def overall(symptoms: Sequence[SymptomView]) -> list[dict[str, Any]]:
    """The runbooks of all symptoms in one ranking: each with its best score; among equals the
    severest symptom first."""
    best: dict[str, tuple[float, int, Match]] = {}
    for view in symptoms:
        for match in view.matches:
            key = (-match.score, view.symptom.severity.rank)
            known = best.get(match.id)
            if known is None or key < known[:2]:
                best[match.id] = (*key, match)
    ranked = sorted(
        best.values(),
        key=lambda row: (not row[2].confident, row[2].guide, row[0], row[1], row[2].id),
    )
    return [match_document(match) for _, _, match in ranked]


def words_document(text: str, matches: Sequence[Match]) -> dict[str, Any]:
    """One line of `stanch match`."""
    return {
        "text": text,
        "confident": any(match.confident for match in matches),
        "runbooks": [match_document(match) for match in matches],
    }
