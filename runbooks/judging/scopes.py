"""Where conditions of runbooks look for evidence: in one symptom, or in the whole report."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from runbooks.judging.facts import holds
from runbooks.model import Criterion
from triage.facts.finding import ChangeFact, Fact, Finding, Report, SharedAttribute
from triage.facts.rules.catalogue import FOLLOWING

T = TypeVar("T")

ELSEWHERE = 0.5
"""Share of its weight that evidence outside the symptom keeps."""


class Held(msgspec.Struct, frozen=True):
    """A condition that holds: what was seen, ids of the findings, the share of its weight (1
    inside the symptom), and whether all of it passes (`_passes`)."""

    condition: Criterion
    seen: str
    findings: tuple[str, ...]
    share: float
    passes: bool = False
    follows: bool = False
    """All of it follows from other faults."""


class SymptomIndex:
    """Findings, changes and shared attributes of one symptom, by rule."""

    def __init__(
        self,
        findings: Iterable[Finding] = (),
        changes: Iterable[ChangeFact] = (),
        shared: Iterable[SharedAttribute] = (),
    ) -> None:
        self._findings = _by(findings, operator.attrgetter("rule"))
        self._changes = _by(changes, operator.attrgetter("rule"))
        self._shared = _by(shared, operator.attrgetter("what"))

    def rules(self) -> Iterator[tuple[str, str]]:
        """The rules of what is here, each as (what has it, rule)."""
        for on, rows in (
            ("shared", self._shared),
            ("change", self._changes),
            ("finding", self._findings),
        ):
            for rule in rows:
                yield on, rule

    def nodes(self) -> set[str]:
        """Names of the nodes with findings."""
        found = (one.object for row in self._findings.values() for one in row)
        return {ref.name for ref in found if ref.kind == "Node"}

    def findings(self, condition: Criterion) -> list[Finding]:
        """Findings of the condition's rule with its facts."""
        rows = self._findings.get(condition.rule)
        return self._fit(condition, rows, _finding_facts) if rows else []

    def changes(self, condition: Criterion) -> list[ChangeFact]:
        """Changes of the condition's rule with its facts, at any time."""
        rows = self._changes.get(condition.rule)
        return self._fit(condition, rows, _change_facts) if rows else []

    def shared(self, condition: Criterion) -> list[SharedAttribute]:
        """Shared attributes of the condition's name with its facts."""
        rows = self._shared.get(condition.rule)
        return self._fit(condition, rows, _shared_facts) if rows else []

    def _fit(
        self, condition: Criterion, rows: list[T], facts: Callable[[T], Mapping[str, Fact]]
    ) -> list[T]:
        return [one for one in rows if holds(condition.where, facts(one))]


class Fitting(msgspec.Struct):
    """What fits one condition in a report."""

    condition: Criterion
    """Kept, so that Python does not use its id for another one."""
    rows: list[Any]
    """All of the condition's rule."""
    found: list[Any]
    checked: int
    """The last report that it was compared with."""
    changed: int
    """The report in which `found` became what it is."""
    turned: int
    """The report in which something began to fit, or nothing fitted any more."""
    held: Held | None = None
    """The findings as evidence for a symptom that has none of them."""


class Elsewhere(SymptomIndex):
    """The scope of a whole report, kept from one report to the next.

    It remembers what fits each condition and since which report, so that a runbook is judged again
    for a symptom only when something that it asked for has changed.
    """

    def __init__(self, report: Report | None = None) -> None:
        super().__init__()
        self.as_of: datetime | None = None
        self.turn = 0
        """Reports taken so far."""
        self._asked: dict[int, bool] = {}
        """The conditions that were asked for since the last `asked`."""
        self._lists: dict[frozenset[tuple[int, bool]], Mapping[int, bool]] = {}
        self._changed: dict[tuple[int, int], bool] = {}
        """What `changed_since` found in this report, by report and list of conditions."""
        self._fitting: dict[int, Fitting] = {}
        self._report: Report | None = None
        if report is not None:
            self.take(report)

    def take(self, report: Report) -> bool:
        """Go over to this report; returns whether it is another one."""
        if report is self._report:
            return False
        self._report, self.as_of = report, report.as_of
        self.turn += 1
        self._changed = {}
        super().__init__(report.findings, report.changes)
        return True

    def asked(self) -> Mapping[int, bool]:
        """The conditions that were asked for since the last call, and whether what fits them
        matters, or only whether anything does. Thousands of symptoms share a few such lists."""
        key = frozenset(self._asked.items())
        found = self._lists.setdefault(key, self._asked)
        self._asked = {}
        return found

    def changed_since(self, turn: int, asked: Mapping[int, bool]) -> bool:
        """Whether the answer for one of the conditions, a list of `asked`, has changed after that
        report."""
        key = turn, id(asked)
        if key not in self._changed:
            fitting = ((self._compared(self._fitting[one]), asked[one]) for one in asked)
            self._changed[key] = any(
                (one.changed if whole else one.turned) > turn for one, whole in fitting
            )
        return self._changed[key]

    def any(self, condition: Criterion) -> bool:
        """Whether there are findings of the condition."""
        return bool(self._fitted(condition, whole=False).found)

    def findings(self, condition: Criterion) -> list[Finding]:
        return self._fitted(condition).found

    def changes(self, condition: Criterion) -> list[ChangeFact]:
        return self._fitted(condition).found

    def held(self, condition: Criterion) -> Held | None:
        """The findings of the condition as evidence for a symptom that has none of them."""
        fitting = self._fitted(condition)
        if fitting.held is None and (found := enough(condition, fitting.found)):
            fitting.held = as_held(condition, found, ELSEWHERE)
        return fitting.held

    def _fitted(self, condition: Criterion, *, whole: bool = True) -> Fitting:
        key = id(condition)
        self._asked[key] = whole or self._asked.get(key, False)
        known = self._fitting.get(key)
        if known is None:
            known = self._fitting[key] = Fitting(condition, [], [], 0, self.turn, self.turn)
        return self._compared(known)

    def _compared(self, known: Fitting) -> Fitting:
        """Bring up to the report of now. Rows that were there before are not looked at again."""
        if known.checked == self.turn:
            return known
        known.checked = self.turn
        condition = known.condition
        changes = condition.on == "change"
        kept: Mapping[str, list[Any]] = self._changes if changes else self._findings
        facts: Callable[[Any], Mapping[str, Fact]] = _change_facts if changes else _finding_facts
        rows = kept.get(condition.rule, [])
        if rows == known.rows:
            return known
        before, fitted = {id(one) for one in known.rows}, {id(one) for one in known.found}
        found = [
            one
            for one in rows
            if (id(one) in fitted if id(one) in before else holds(condition.where, facts(one)))
        ]
        if found != known.found:
            known.changed, known.held = self.turn, None
        if bool(found) is not bool(known.found):
            known.turned = self.turn
        known.rows, known.found = rows, found
        return known


def _by(rows: Iterable[T], key: Callable[[T], str]) -> dict[str, list[T]]:
    found: dict[str, list[T]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def _finding_facts(finding: Finding) -> Mapping[str, Fact]:
    return finding.facts


def _change_facts(change: ChangeFact) -> dict[str, Fact]:
    return {"manager": change.manager, **change.facts}


def _shared_facts(attribute: SharedAttribute) -> dict[str, Fact]:
    return {
        "value": attribute.value,
        "p_value": attribute.p_value,
        "tied": bool(attribute.tied_with),
    }


_WORDS = frozenset({"pod-last-words", "dependency-failing"})
"""Rules that quote a log."""


def as_held(condition: Criterion, found: list[Finding], share: float) -> Held:
    claim = found[0].claim if len(found) == 1 else f"{found[0].claim} (and {len(found) - 1} more)"
    where = "" if share == 1.0 else ", elsewhere in the cluster"
    passes = all(map(_passes, found))
    follows = all(one.rule in FOLLOWING and one.facts.get("pods") != 0 for one in found)
    names = tuple(one.id for one in found)
    return Held(condition, f"{claim}{where}", names, share, passes, follows)


def _passes(finding: Finding) -> bool:
    """Whether it may pass by itself: it is young, or quotes the log of a run that is over while the
    container runs again, as after a start before its dependency."""
    return finding.young or (finding.rule in _WORDS and not finding.active)


def enough(condition: Criterion, found: list[Finding]) -> list[Finding]:
    """`found` if it has `count` items; with `same`, the largest group that shares that fact."""
    if condition.same and found:
        groups: dict[str, list[Finding]] = {}
        for one in found:
            value = one.facts.get(condition.same)
            if value in (None, "") and condition.same == "namespace":
                value = one.object.namespace
            if value not in (None, ""):
                groups.setdefault(str(value), []).append(one)
        found = max(groups.values(), key=len, default=[])
    return found if len(found) >= condition.count else []
