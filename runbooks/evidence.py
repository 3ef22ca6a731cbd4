"""Scores a runbook against a symptom: evaluates the conditions of its front matter on findings,
changes and shared attributes.

Each condition explains its part of the score. The first strong one gives 0.7, a second closes 40 %
of the rest to 1, each supporting one closes 15 % of what is left, and each refuting one takes 65 %
away. Without a strong condition a runbook is never confident. A missing finding never counts
against a runbook: events are best-effort and expire after an hour.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from runbooks.match import Match, Reason
from runbooks.model import Condition, Runbook, Weight
from triage.facts.finding import ChangeFact, Fact, Finding, Report, SharedAttribute, Symptom
from triage.facts.quantity import moment_text
from triage.facts.rules.catalogue import EFFECTS, FINDINGS, USUAL

T = TypeVar("T")

STRONG, SECOND, SUPPORT, REFUTE = 0.7, 0.4, 0.15, 0.65
ELSEWHERE = 0.5
"""Share of its weight that evidence outside the symptom keeps."""
CONFIDENT = 0.5
WITHOUT_STRONG = 0.4
"""Highest score without a strong condition."""


class Held(msgspec.Struct, frozen=True):
    """A condition that holds: what was seen, ids of the findings, and the share of its weight (1
    inside the symptom)."""

    condition: Condition
    seen: str
    findings: tuple[str, ...]
    share: float


class Scope:
    """Findings, changes and shared attributes of one symptom or of one report, by rule. It caches
    what fits each condition, since all symptoms of a report ask the same."""

    def __init__(
        self,
        findings: Iterable[Finding],
        changes: Iterable[ChangeFact],
        shared: Iterable[SharedAttribute] = (),
        as_of: datetime | None = None,
    ) -> None:
        self.as_of = as_of
        self._findings: dict[str, list[Finding]] = {}
        self._changes: dict[str, list[ChangeFact]] = {}
        self._shared: dict[str, list[SharedAttribute]] = {}
        for finding in findings:
            self._findings.setdefault(finding.rule, []).append(finding)
        for change in changes:
            self._changes.setdefault(change.rule, []).append(change)
        for attribute in shared:
            self._shared.setdefault(attribute.what, []).append(attribute)
        self._fitting: dict[int, tuple[Condition, list[Any]]] = {}

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

    def findings(self, condition: Condition) -> list[Finding]:
        """Findings of the condition's rule with its facts."""
        rows = self._findings.get(condition.rule)
        return self._fit(condition, rows, lambda one: one.facts) if rows else []

    def changes(self, condition: Condition) -> list[ChangeFact]:
        """Changes of the condition's rule with its facts, at any time."""
        rows = self._changes.get(condition.rule)
        return self._fit(condition, rows, _change_facts) if rows else []

    def shared(self, condition: Condition) -> list[SharedAttribute]:
        """Shared attributes of the condition's name with its facts."""
        rows = self._shared.get(condition.rule)
        return self._fit(condition, rows, _shared_facts) if rows else []

    def _fit(
        self, condition: Condition, rows: list[T], facts: Callable[[T], Mapping[str, Fact]]
    ) -> list[T]:
        known = self._fitting.get(id(condition))
        if known is None:
            found = [one for one in rows if holds(condition.where, facts(one))]
            # Keeps the condition, so that Python does not reuse its id.
            known = self._fitting[id(condition)] = (condition, found)
        return known[1]


def scope_of(report: Report) -> Scope:
    """The scope of a whole report."""
    return Scope(report.findings, report.changes, as_of=report.as_of)


def judge(runbook: Runbook, symptom: Symptom, report: Report | None = None) -> Match:
    """Scores one runbook for one symptom. Deterministic: reads no clock."""
    return judge_all([runbook], symptom, scope_of(report) if report is not None else None)[0]


def judge_all(
    runbooks: Iterable[Runbook], symptom: Symptom, elsewhere: Scope | None
) -> list[Match]:
    """Scores each runbook for one symptom; `elsewhere` is the scope of the report."""
    here = Scope(symptom.findings, symptom.changes, symptom.shared)
    return [_judge(runbook, symptom, here, elsewhere) for runbook in runbooks]


def named_rules(runbook: Runbook) -> set[tuple[str, str]]:
    """The rules that strong and supporting conditions of the runbook name, as `Scope.rules`."""
    return {
        (part.on if part.on in ("shared", "change") else "finding", part.rule)
        for weight in (Weight.STRONG, Weight.SUPPORT)
        for condition in runbook.conditions(weight)
        for part in condition.parts()
    }


def _judge(runbook: Runbook, symptom: Symptom, here: Scope, elsewhere: Scope | None) -> Match:
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
    # Not missing: a rule that was seen, even where another condition asks for more of it, and a
    # strong condition whose step another strong one has answered: the two are alternatives.
    done = {rule for one in speaking for rule in one.condition.rules}
    measured_by = {one.condition.step for one in held[Weight.STRONG]}
    missing = tuple(
        Reason(condition.text, condition.step)
        for weight in (Weight.STRONG, Weight.SUPPORT)
        for condition in runbook.conditions(weight)
        if done.isdisjoint(condition.rules)
        and (condition.step if weight is Weight.SUPPORT else condition.step not in measured_by)
    )
    return Match(
        id=runbook.id,
        title=runbook.title,
        score=round(score, 4),
        confident=bool(held[Weight.STRONG]) and score >= CONFIDENT,
        for_=_reasons(speaking),
        missing=missing,
        against=_reasons(held[Weight.REFUTE]),
        guide=runbook.guide,
        own=any(
            one.condition.weight is Weight.STRONG or (one.findings and one.share == 1.0)
            for one in speaking
        ),
    )


def _score(held: Mapping[Weight, Sequence[Held]]) -> float:
    score = 0.0
    for index, one in enumerate(
        sorted(held[Weight.STRONG], key=lambda one: -(one.condition.value or STRONG))
    ):
        weight = one.condition.value or STRONG
        score = weight if index == 0 else score + (1 - score) * SECOND
    for one in held[Weight.SUPPORT]:
        score += (1 - score) * (one.condition.value or SUPPORT) * one.share
    if not held[Weight.STRONG]:
        score = min(score, WITHOUT_STRONG) if any(map(_own, held[Weight.SUPPORT])) else 0.0
    for one in held[Weight.REFUTE]:
        score *= 1 - (one.condition.value or REFUTE) * one.share
    return score


def _own(held: Held) -> bool:
    """Whether supporting evidence shows the runbook's own mechanism: a finding of the symptom that
    is more than an effect. Changes ("a workload was created") and effects ("no replica is ready")
    occur with any fault."""
    return held.share == 1.0 and any(
        part.on == "finding" and part.rule not in EFFECTS | USUAL for part in held.condition.parts()
    )


def _holds(
    condition: Condition, weight: Weight, symptom: Symptom, here: Scope, elsewhere: Scope | None
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
        return Held(condition, best.seen, best.findings, best.share)
    if condition.all_of:
        every = [
            _holds(part, weight, symptom, here, elsewhere)
            or _holds(part, Weight.SUPPORT, symptom, here, elsewhere)
            for part in condition.all_of
        ]
        if not all(every) or not any(one and one.share == 1.0 for one in every):
            return None
        seen = "; ".join(dict.fromkeys(one.seen for one in every if one))
        return Held(
            condition, seen, tuple(name for one in every if one for name in one.findings), 1.0
        )
    if condition.on == "shared":
        return _shared(condition, here)
    if condition.on == "change":
        return _change(condition, weight, symptom, here, elsewhere)
    return _finding(condition, weight, here, elsewhere)


def _finding(
    condition: Condition, weight: Weight, here: Scope, elsewhere: Scope | None
) -> Held | None:
    found, share = _enough(condition, here.findings(condition)), 1.0
    if not found and condition.follows and elsewhere is not None:
        nodes = here.nodes()
        others = elsewhere.findings(condition)
        theirs = [one for one in others if one.facts.get(condition.follows) in nodes]
        found = _enough(condition, theirs)
    if not found and elsewhere is not None:
        rule = FINDINGS.get(condition.rule)
        anywhere = rule is not None and rule.area == "cluster"
        if weight is Weight.SUPPORT or (weight is Weight.REFUTE and anywhere):
            inside = {one.id for one in here.findings(condition)}
            others = [one for one in elsewhere.findings(condition) if one.id not in inside]
            found, share = _enough(condition, others), ELSEWHERE
    if not found:
        return None
    claim = found[0].claim if len(found) == 1 else f"{found[0].claim} (and {len(found) - 1} more)"
    where = "" if share == 1.0 else ", elsewhere in the cluster"
    return Held(condition, f"{claim}{where}", tuple(one.id for one in found), share)


def _enough(condition: Condition, found: list[Finding]) -> list[Finding]:
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
    condition: Condition, weight: Weight, symptom: Symptom, here: Scope, elsewhere: Scope | None
) -> Held | None:
    scopes = [(here, 1.0)]
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
            at = moment_text(first.at, as_of or first.at)
            return Held(condition, f"{at} {first.what}{more}", (), share)
    return None


def _in_time(condition: Condition, symptom: Symptom, change: ChangeFact) -> bool:
    if not condition.within or symptom.since is None:
        return True
    return -300 <= (symptom.since - change.at).total_seconds() <= condition.within


def _change_facts(change: ChangeFact) -> dict[str, Fact]:
    return {"manager": change.manager, **change.facts}


def _shared(condition: Condition, here: Scope) -> Held | None:
    attribute = next(iter(here.shared(condition)), None)
    if attribute is None:
        return None
    return Held(condition, attribute.sentence.removeprefix("failing: "), (), 1.0)


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
                findings=tuple(dict.fromkeys(name for one in ones for name in one.findings)),
                evidence=seen,
                criteria=criteria,
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
