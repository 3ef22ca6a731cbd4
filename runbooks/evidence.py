"""Scores a runbook against a symptom: evaluates the conditions of its front matter on findings,
changes and shared attributes.

Each condition explains its part of the score. The first strong one gives 0.7, a second closes 40 %
of the rest to 1, each supporting one closes 15 % of what is left, and each refuting one takes 65 %
away. A runbook is confident only with evidence of its own mechanism (`_decides`): signs that
several causes have (a node that is not Ready, a full disk) list it, however many they are. A
missing finding never counts against a runbook: events are best-effort and expire after an hour.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from cluster.kube import durations
from runbooks.match import Match, Reason
from runbooks.model import Criterion, Runbook, Weight
from triage.facts.finding import ChangeFact, Fact, Finding, Report, SharedAttribute, Symptom
from triage.facts.rules.catalogue import EFFECTS, FINDINGS, FOLLOWING, USUAL

T = TypeVar("T")

STRONG, SECOND, SUPPORT, REFUTE = 0.7, 0.4, 0.15, 0.65
ELSEWHERE = 0.5
"""Share of its weight that evidence outside the symptom keeps."""
CONFIDENT = 0.5
"""Lowest score of a confident match, and lowest weight of a strong condition that decides alone."""
BESIDE = 0.2
"""Lowest weight of a supporting finding that makes a weaker strong condition decide."""
GENERAL = 0.49
"""Highest score where nothing decides."""
WITHOUT_STRONG = 0.4
"""Highest score without a strong condition."""
_WORDS = frozenset({"pod-last-words", "dependency-failing"})
"""Rules that quote a log."""


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
        if fitting.held is None and (found := _enough(condition, fitting.found)):
            fitting.held = _found(condition, found, ELSEWHERE)
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


def judge(runbook: Runbook, symptom: Symptom, report: Report | None = None) -> Match:
    """Scores one runbook for one symptom. Deterministic: reads no clock."""
    elsewhere = Elsewhere(report) if report is not None else None
    return judge_within(runbook, symptom, index_of(symptom), elsewhere)


def index_of(symptom: Symptom) -> SymptomIndex:
    return SymptomIndex(symptom.findings, symptom.changes, symptom.shared)


def named_rules(runbook: Runbook) -> set[tuple[str, str]]:
    """The rules that strong and supporting criteria name, as `SymptomIndex.rules`."""
    return {
        (part.on if part.on in ("shared", "change") else "finding", part.rule)
        for weight in (Weight.STRONG, Weight.SUPPORT)
        for condition in runbook.conditions(weight)
        for part in condition.parts()
    }


def judge_within(
    runbook: Runbook, symptom: Symptom, here: SymptomIndex, elsewhere: Elsewhere | None
) -> Match:
    """The same, with the index of the symptom and the scope of the report."""
    held = {
        weight: [
            one
            for condition in runbook.conditions(weight)
            if (one := _holds(condition, weight, symptom, here, elsewhere))
        ]
        for weight in Weight
    }
    score = _score(held)
    speaking = [one for weight in (Weight.STRONG, Weight.SUPPORT) for one in held[weight]]
    # Not missing: a rule that was seen, even where another condition asks for more of it or for
    # other facts; what another symptom shows; a change, since all that are known are listed; and a
    # strong condition whose step another strong one has answered: the two are alternatives.
    done = {rule for one in speaking for rule in one.condition.rules}
    done.update(rule for on, rule in here.rules() if on == "finding")
    measured_by = {one.condition.step for one in held[Weight.STRONG]}
    missing = tuple(
        Reason(condition.text, condition.step)
        for weight in (Weight.STRONG, Weight.SUPPORT)
        for condition in runbook.conditions(weight)
        if done.isdisjoint(condition.rules)
        and not _shown_elsewhere(condition, elsewhere)
        and (condition.step if weight is Weight.SUPPORT else condition.step not in measured_by)
    )
    return Match(
        id=runbook.id,
        title=runbook.title,
        score=round(score, 4),
        confident=_decides(held) and score >= CONFIDENT,
        for_=_reasons(speaking),
        missing=missing,
        against=_reasons(held[Weight.REFUTE]),
        guide=runbook.guide,
        own=any(
            one.condition.weight is Weight.STRONG or (one.findings and one.share == 1.0)
            for one in speaking
        ),
        follows=all(one.follows for one in held[Weight.STRONG]),
    )


def _shown_elsewhere(condition: Criterion, elsewhere: Elsewhere | None) -> bool:
    """Whether a condition is about a change, or one of its findings is in another symptom."""
    return any(
        part.on == "change"
        or (part.on == "finding" and elsewhere is not None and elsewhere.any(part))
        for part in condition.parts()
    )


def _score(held: Mapping[Weight, Sequence[Held]]) -> float:
    score = 0.0
    counted: set[str] = set()
    strong = sorted(held[Weight.STRONG], key=lambda one: -(one.condition.value or STRONG))
    for one in strong:
        if len(strong) > 1 and one.findings:  # may be thousands
            if counted.issuperset(one.findings):
                continue  # another condition asks less of the same findings
            counted.update(one.findings)
        score = score + (1 - score) * SECOND if score else one.condition.value or STRONG
    for one in held[Weight.SUPPORT]:
        score += (1 - score) * (one.condition.value or SUPPORT) * one.share
    if not strong:
        score = min(score, WITHOUT_STRONG) if any(map(_own, held[Weight.SUPPORT])) else 0.0
    elif not _decides(held):
        score = min(score, GENERAL)
    for one in held[Weight.REFUTE]:
        score *= 1 - (one.condition.value or REFUTE) * one.share
    return score


def _decides(held: Mapping[Weight, Sequence[Held]]) -> bool:
    """Whether something shows the runbook's own mechanism: a strong condition of at least
    CONFIDENT, or a weaker one beside a finding of the symptom that weighs at least BESIDE. What
    passes does not count."""
    strong = [one for one in held[Weight.STRONG] if not one.passes]
    return any((one.condition.value or STRONG) >= CONFIDENT for one in strong) or (
        bool(strong)
        and any(
            one.findings and one.share == 1.0 and (one.condition.value or SUPPORT) >= BESIDE
            for one in held[Weight.SUPPORT]
        )
    )


def _own(held: Held) -> bool:
    """Whether supporting evidence shows the runbook's own mechanism: a finding of the symptom that
    is more than an effect. Changes ("a workload was created") and effects ("no replica is ready")
    occur with any fault."""
    return held.share == 1.0 and any(
        part.on == "finding" and part.rule not in EFFECTS | USUAL for part in held.condition.parts()
    )


def _holds(
    condition: Criterion,
    weight: Weight,
    symptom: Symptom,
    here: SymptomIndex,
    elsewhere: Elsewhere | None,
) -> Held | None:
    """`weight` decides whether evidence outside the symptom counts."""
    if condition.any_of:
        found = [
            one
            for alternative in condition.any_of
            if (one := _holds(alternative, weight, symptom, here, elsewhere))
        ]
        if not found:
            return None
        best = max(found, key=lambda one: one.share)
        return Held(condition, best.seen, best.findings, best.share, best.passes, best.follows)
    if condition.all_of:
        every = [
            _holds(part, weight, symptom, here, elsewhere)
            or _holds(part, Weight.SUPPORT, symptom, here, elsewhere)
            for part in condition.all_of
        ]
        if not all(every) or not any(one and one.share == 1.0 for one in every):
            return None
        seen = "; ".join(dict.fromkeys(one.seen for one in every if one))
        names = dict.fromkeys(name for one in every if one for name in one.findings)
        passes = any(one.passes for one in every if one)
        follows = all(one.follows for one in every if one)
        return Held(condition, seen, tuple(names), 1.0, passes, follows)
    if condition.on == "shared":
        return _shared(condition, here)
    if condition.on == "change":
        return _change(condition, weight, symptom, here, elsewhere)
    return _finding(condition, weight, here, elsewhere)


def _finding(
    condition: Criterion, weight: Weight, here: SymptomIndex, elsewhere: Elsewhere | None
) -> Held | None:
    inside = here.findings(condition)
    if found := _enough(condition, inside):
        return _found(condition, found, 1.0)
    if elsewhere is None:
        return None
    if condition.follows:
        nodes = here.nodes()
        others = elsewhere.findings(condition)
        theirs = [one for one in others if one.facts.get(condition.follows) in nodes]
        if found := _enough(condition, theirs):
            return _found(condition, found, 1.0)
    rule = FINDINGS.get(condition.rule)
    anywhere = rule is not None and rule.area == "cluster"
    if weight is not Weight.SUPPORT and not (weight is Weight.REFUTE and anywhere):
        return None
    if not inside:
        return elsewhere.held(condition)
    names = {one.id for one in inside}
    others = [one for one in elsewhere.findings(condition) if one.id not in names]
    found = _enough(condition, others)
    return _found(condition, found, ELSEWHERE) if found else None


def _found(condition: Criterion, found: list[Finding], share: float) -> Held:
    claim = found[0].claim if len(found) == 1 else f"{found[0].claim} (and {len(found) - 1} more)"
    where = "" if share == 1.0 else ", elsewhere in the cluster"
    passes = all(map(_passes, found))
    follows = all(one.rule in FOLLOWING and one.facts.get("pods") != 0 for one in found)
    names = tuple(one.id for one in found)
    return Held(condition, f"{claim}{where}", names, share, passes, follows)


def _passes(finding: Finding) -> bool:
    """Whether it is young, so that it may pass by itself, or tells words of a run that is over: the
    container runs again, as after a start before what it needs."""
    return finding.young or (finding.rule in _WORDS and not finding.active)


def _enough(condition: Criterion, found: list[Finding]) -> list[Finding]:
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


def _change(
    condition: Criterion,
    weight: Weight,
    symptom: Symptom,
    here: SymptomIndex,
    elsewhere: Elsewhere | None,
) -> Held | None:
    scopes: list[tuple[SymptomIndex, float]] = [(here, 1.0)]
    if elsewhere is not None and weight is Weight.SUPPORT:
        scopes.append((elsewhere, ELSEWHERE))
    for scope, share in scopes:
        found = [
            change for change in scope.changes(condition) if _in_time(condition, symptom, change)
        ]
        if len(found) >= condition.count:
            first = min(found, key=lambda change: (change.at, change.object))
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            as_of = elsewhere.as_of if elsewhere is not None else None
            at = durations.utc_clock(first.at, as_of or first.at)
            return Held(condition, f"{at} {first.what}{more}", (), share)
    return None


def _in_time(condition: Criterion, symptom: Symptom, change: ChangeFact) -> bool:
    if not condition.within or symptom.since is None:
        return True
    return -300 <= (symptom.since - change.at).total_seconds() <= condition.within


def _finding_facts(finding: Finding) -> Mapping[str, Fact]:
    return finding.facts


def _change_facts(change: ChangeFact) -> dict[str, Fact]:
    return {"manager": change.manager, **change.facts}


def _shared(condition: Criterion, here: SymptomIndex) -> Held | None:
    attribute = next(iter(here.shared(condition)), None)
    if attribute is None:
        return None
    return Held(condition, attribute.share, (), 1.0)


def _shared_facts(attribute: SharedAttribute) -> dict[str, Fact]:
    return {
        "value": attribute.value,
        "p_value": attribute.p_value,
        "tied": bool(attribute.tied_with),
    }


def _reasons(held: Sequence[Held]) -> tuple[Reason, ...]:
    """One reason for each piece of evidence, with all criteria that it meets."""
    groups: dict[str, list[Held]] = {}
    for one in held:
        groups.setdefault(one.seen, []).append(one)
    reasons = []
    for seen, ones in groups.items():
        criteria = tuple(dict.fromkeys(one.condition.text for one in ones))
        reasons.append(
            Reason(
                text=f"{'; '.join(criteria)}: {seen}",
                step=next((one.condition.step for one in ones if one.condition.step), ""),
                findings=ones[0].findings  # may be thousands: shared by all symptoms
                if len(ones) == 1
                else tuple(dict.fromkeys(name for one in ones for name in one.findings)),
                evidence=seen,
            )
        )
    return tuple(reasons)


# ---- facts


def holds(where: Mapping[str, Any], facts: Mapping[str, Fact]) -> bool:
    """Whether each fact is as `where` wants it."""
    return all(fits(wanted, facts.get(name)) for name, wanted in where.items())


_NUMBER = re.compile(r"^(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)$")
_COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


def fits(wanted: Any, fact: Fact) -> bool:
    """Whether a fact is as `wanted`: a value, a list of values (one of), `">=3"`, `"~regex"`,
    `"!value"` or `"present"`. A tuple fits when any of its items does. An unknown fact (None) fits
    nothing, not even `"!value"`."""
    if isinstance(wanted, list):
        return any(fits(one, fact) for one in wanted)
    if fact is None:
        return False
    if isinstance(fact, tuple):
        return bool(fact) if wanted == "present" else any(fits(wanted, one) for one in fact)
    if isinstance(wanted, str):
        if wanted == "present":
            return fact != ""
        number = _NUMBER.match(wanted)
        if number:
            countable = isinstance(fact, int | float) and not isinstance(fact, bool)
            return countable and _COMPARE[number[1]](float(str(fact)), float(number[2]))
        if wanted.startswith("~"):
            return re.search(wanted[1:], str(fact), re.IGNORECASE) is not None
        if wanted.startswith("!"):
            return str(fact) != wanted[1:]
    if isinstance(wanted, bool) or isinstance(fact, bool):
        return wanted is fact
    return bool(fact == wanted or str(fact) == str(wanted))
