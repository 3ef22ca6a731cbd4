"""Triage and matching of a cluster as the product does it, and where the answer departs from the
truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from cluster.kube.kinds import KINDS
from cluster.live.freshness import Freshness, WatchState
from runbooks.match import Match
from tests import shipped
from tests.triage.elsewhere.case import Case, Truth
from tests.triage.elsewhere.finish import finish, renamed, store
from tests.triage.elsewhere.objects import Json
from triage.engine import triage_once
from triage.facts.finding import Report, Severity, SharedAttribute, Symptom

MATCHER = shipped.matcher()


@dataclass(frozen=True)
class Answer:
    """The report and, best first, each runbook with its best match and the symptom of that
    match."""

    report: Report
    ranked: tuple[tuple[Match, Symptom], ...]

    @property
    def ids(self) -> list[str]:
        return [match.id for match, _ in self.ranked]

    @property
    def confident(self) -> list[str]:
        """The stories; a guide for everyday faults fits a part of many a story, too."""
        return [match.id for match, _ in self.ranked if match.confident and not match.guide]

    def loud(self) -> list[str]:
        return [
            f"{s.severity.value}: {s.title}"
            for s in self.report.symptoms
            if s.severity is not Severity.INFO
        ]


def answer(objects: Iterable[Json], now: datetime) -> Answer:
    live = {kind.name: Freshness(kind.name, WatchState.LIVE, heard=now) for kind in KINDS}
    report = triage_once(store(objects), now, live)
    best: dict[str, tuple[tuple[bool, bool, float, int], Match, Symptom]] = {}
    for symptom in report.symptoms:
        for match in MATCHER.match_symptom(symptom, report):
            key = (not match.confident, match.guide, -match.score, symptom.severity.rank)
            if match.id not in best or key < best[match.id][0]:
                best[match.id] = (key, match, symptom)
    rows = sorted(best.values(), key=lambda row: (row[0], row[1].id))
    return Answer(report, tuple((match, symptom) for _, match, symptom in rows))


def shares(symptom: Symptom, wanted: tuple[str, str], other: dict[str, str]) -> bool:
    """Whether the first shared attribute or one tied with it is `wanted` (value "": any), or the
    symptom is that very object."""
    what, value = wanted
    if what in ("node", "owner", "namespace"):
        value = " ".join(
            "/".join(other.get(part, part) for part in word.split("/")) for word in value.split(" ")
        )

    def fits(one: SharedAttribute) -> bool:
        texts = (f"{one.what} {one.value}", *one.tied_with)
        return any(
            text.startswith(what) and (not value or text.endswith(value) or value in text)
            for text in texts
        )

    if symptom.shared:
        return fits(symptom.shared[0])
    named = {f"node {r.name}" if r.kind == "Node" else f"owner {r}" for r in symptom.objects}
    return f"{what} {value}" in named


def wrong(
    case: Case, truth: Truth, found: Answer, other: dict[str, str] | None = None
) -> list[str]:
    """Every way in which the answer departs from the truth, one sentence each."""
    faults: list[str] = []
    if case.silent:
        return [f"claims {found.confident} with confidence"] if found.confident else []
    if case.id not in found.ids:
        return [f"is not ranked at all; ranked: {found.ids[:3]}; loud: {found.loud()}"]
    # Where its story alone would not be sure, a guide that is may stand above it.
    ranked = [
        (match, symptom)
        for match, symptom in found.ranked
        if not (case.ranked_only and match.guide)
    ]
    place = [match.id for match, _ in ranked].index(case.id)
    match, symptom = ranked[place]
    if place:
        first = ranked[0][0]
        faults.append(
            f"is number {place + 1} ({match.score:.2f}) behind {first.id} ({first.score:.2f})"
        )
    if not match.confident and not case.ranked_only:
        faults.append(
            f"is not confident ({match.score:.2f}); against: {[r.text for r in match.against]}"
        )
    if (
        symptom.since is None
        or abs((symptom.since - truth.since).total_seconds()) > case.slack * 60
    ):
        faults.append(f"since is {symptom.since}, not {truth.since}")
    if truth.shared and not any(shares(symptom, one, other or {}) for one in truth.shared):
        seen = [(one.what, one.value, *one.tied_with) for one in symptom.shared[:2]]
        faults.append(f"shares {seen}, not {truth.shared}")
    return faults


@cache
def made(case: Case, now: datetime, fault: bool) -> tuple[list[Json], Truth]:
    """The objects of a case, made once."""
    world, truth = case.make(now, fault)
    return finish(world), truth


def look(
    case: Case, now: datetime, *, fault: bool = True, seed: int = 0
) -> tuple[Answer, list[str]]:
    """The answer for a case, and what is wrong with it; `seed` gives all objects other names."""
    objects, truth = made(case, now, fault)
    other: dict[str, str] = {}
    if seed:
        objects, other = renamed(objects, seed)
    found = answer(objects, now)
    if fault:
        return found, wrong(case, truth, found, other)
    return found, [
        f"{case.id} is confident without its signals"
    ] if case.id in found.confident else []
