"""Ranks runbooks for the evidence of symptoms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import NamedTuple

from msgspec.structs import replace

from runbooks.judging.judge import GENERAL, index_of, judge_within, named_rules
from runbooks.judging.scopes import Elsewhere, SymptomIndex
from runbooks.loader import Library
from runbooks.match import Match
from runbooks.model import Runbook
from runbooks.ranking.order import ordered
from triage.facts.finding import Report, Severity, Symptom
from triage.symptoms.order import rises

LISTED = 0.2
"""Evidence with a lower score does not list a runbook."""


class _Judged(NamedTuple):
    """What the evidence of one symptom says of runbooks."""

    listed: Sequence[Match]
    refuted: Sequence[Match]
    """Not listed, because evidence speaks against them, as it does when words name them."""


class _Page(NamedTuple):
    """The answer of one runbook for a symptom, and what it rests on."""

    runbook: Runbook
    turn: int
    """The report for which it was made."""
    asked: Mapping[int, bool]
    """The conditions that were asked about other symptoms (`Elsewhere.asked`)."""
    match: Match | None
    """None without evidence of its own mechanism."""


class _Matched(NamedTuple):
    """The answer for one symptom, and what it rests on."""

    basis: tuple[object, ...]
    pages: Sequence[_Page]
    judged: _Judged
    asked: Sequence[tuple[int, Mapping[int, bool]]]
    """What its pages asked about other symptoms and for which report, each once."""


class EvidenceRanking:
    """Ranks the runbooks of a library by evidence, and keeps what did not change from report to
    report."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._elsewhere = Elsewhere()
        self._matched: dict[str, _Matched] = {}
        self._naming: tuple[int, dict[tuple[str, str], Sequence[Runbook]]] = (-1, {})
        self._live: tuple[Report, int, Sequence[tuple[Symptom, Match]]] | None = None

    def match_symptom(self, symptom: Symptom, report: Report | None = None) -> Sequence[Match]:
        """Runbooks for one symptom, best first; only those with evidence of their own mechanism. A
        story with evidence stands above a guide.

        With a report, the same answer as for the report before comes from a cache, unless the
        symptom, or what its runbooks ask about other symptoms, has changed.
        """
        if report is not None:
            return self._known(symptom, report).listed
        here = index_of(symptom)
        found = (judge_within(one, symptom, here, None) for one in self._near(here))
        return _judged((one if one.own else None for one in found), note=False).listed

    def _known(self, symptom: Symptom, report: Report) -> _Judged:
        self._take_library()
        elsewhere = self._elsewhere
        if elsewhere.take(report):
            present = {one.id for one in report.symptoms}
            self._matched = {key: one for key, one in self._matched.items() if key in present}
        note = _is_note(symptom, report.as_of)
        basis = (symptom, report.as_of.date(), note)  # the text of a change says its day
        known = self._matched.get(symptom.id)
        kept: dict[str, _Page] = {}
        if known is not None and known.basis == basis:
            if not any(elsewhere.changed_since(turn, asked) for turn, asked in known.asked):
                return known.judged
            kept = {
                page.runbook.id: page
                for page in known.pages
                if not elsewhere.changed_since(page.turn, page.asked)
            }
        here = index_of(symptom)
        pages = [
            kept.get(runbook.id) or self._judge(runbook, symptom, here, elsewhere)
            for runbook in self._near(here)
        ]
        asked = {(page.turn, id(page.asked)): (page.turn, page.asked) for page in pages}
        judged = _judged((page.match for page in pages), note=note)
        known = _Matched(basis, pages, judged, tuple(asked.values()))
        self._matched[symptom.id] = known
        return known.judged

    def _near(self, here: SymptomIndex) -> Iterable[Runbook]:
        """The runbooks that name a rule of the symptom."""
        self._take_library()
        return {each.id: each for rule in here.rules() for each in self._by_rule(rule)}.values()

    def _judge(
        self,
        runbook: Runbook,
        symptom: Symptom,
        here: SymptomIndex,
        elsewhere: Elsewhere,
    ) -> _Page:
        match = judge_within(runbook, symptom, here, elsewhere)
        return _Page(runbook, elsewhere.turn, elsewhere.asked(), match if match.own else None)

    def matches_of(self, report: Report | None) -> Sequence[tuple[Symptom, Match]]:
        """The matches of all symptoms of a report, cached: typing asks for them at each key."""
        if report is None:
            return ()
        generation = self.library.generation
        if self._live is None or self._live[0] is not report or self._live[1] != generation:
            found = [
                (symptom, match)
                for symptom in report.symptoms
                for match in chain(*self._known(symptom, report))
            ]
            self._live = (report, generation, found)
        return self._live[2]

    def _take_library(self) -> None:
        """Forget what was made from a library that has changed since."""
        if self._naming[0] != self.library.generation:
            self._naming = (self.library.generation, {})
            self._elsewhere, self._matched = Elsewhere(), {}

    def _by_rule(self, rule: tuple[str, str]) -> Sequence[Runbook]:
        """The runbooks that name a rule: a symptom asks these alone."""
        known = self._naming[1].get(rule)
        if known is None:
            near = self.library.naming(*rule)
            known = [runbook for runbook in near if rule in named_rules(runbook)]
            self._naming[1][rule] = known
        return known


def _is_note(symptom: Symptom, now: datetime) -> bool:
    """Whether a symptom is no fault: a note that does not rise, such as the daily effect of a
    schedule, a release or a drain."""
    return symptom.severity is Severity.INFO and not any(
        rises(one, now) or one.rule in _HELD for one in symptom.findings
    )


_HELD = frozenset({"cpu-throttled-at-limit", "hpa-maxed", "job-suspended", "pod-unschedulable"})
"""Rules whose notes say what holds something back now."""


def _judged(matches: Iterable[Match | None], *, note: bool) -> _Judged:
    """`note`: of a symptom that tells of no fault, for which no page is sure."""
    found = _one_cause([one for one in matches if one is not None])
    if note:
        top = GENERAL
        found = [replace(one, score=min(one.score, top), confident=False) for one in found]
    return _Judged(
        ordered(one for one in found if one.score >= LISTED),
        [one for one in found if one.score < LISTED and one.against],
    )


def _one_cause(matches: Sequence[Match]) -> Sequence[Match]:
    """Removes confidence beside the cause, because a symptom has one: of guides that score less
    than a confident story, and of pages of consequences where another page is confident of a cause.
    """
    sure = [one for one in matches if one.confident]
    story = max((one.score for one in sure if not one.guide and not one.against), default=0.0)
    cause = any(not one.follows for one in sure)
    return [
        replace(one, confident=False)
        if one.confident and ((one.guide and one.score < story) or (one.follows and cause))
        else one
        for one in matches
    ]
