"""Scores a runbook against a symptom: evaluates the conditions of its front matter on findings,
changes and shared attributes.

Each condition explains its part of the score. The first strong one gives 0.7, a second closes 40 %
of the rest to 1, each supporting one closes 15 % of what is left, and each refuting one takes 65 %
away. A runbook is confident only with evidence of its own mechanism (`_decides`): signs that
several causes have (a node that is not Ready, a full disk) list it, however many they are. A
missing finding never counts against a runbook: events are best-effort and expire after an hour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cluster.kube import durations
from runbooks.judging.scopes import ELSEWHERE, Elsewhere, Held, SymptomIndex, as_held, enough
from runbooks.match import Match, Reason
from runbooks.model import Criterion, Runbook, Weight
from triage.facts.finding import ChangeFact, Report, Symptom
from triage.facts.rules.catalogue import EFFECTS, FINDINGS, USUAL

STRONG, SECOND, SUPPORT, REFUTE = 0.7, 0.4, 0.15, 0.65
CONFIDENT = 0.5
"""Lowest score of a confident match, and lowest weight of a strong condition that decides alone."""
BESIDE = 0.2
"""Lowest weight of a supporting finding that makes a weaker strong condition decide."""
GENERAL = 0.49
"""Highest score where nothing decides."""
WITHOUT_STRONG = 0.4
"""Highest score without a strong condition."""


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
        if not all(every) or not _is_here(condition, every):
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


def _is_here(condition: Criterion, every: Sequence[Held | None]) -> bool:
    """Whether one of several parts is of the symptom: not a change alone, where another part is a
    finding. Changes near many objects belong to every symptom of that time."""
    about = [part for part in condition.all_of if part.on != "change"]
    return any(
        one is not None and one.share == 1.0 and (part.on != "change" or not about)
        for part, one in zip(condition.all_of, every, strict=True)
    )


def _finding(
    condition: Criterion, weight: Weight, here: SymptomIndex, elsewhere: Elsewhere | None
) -> Held | None:
    inside = here.findings(condition)
    if found := enough(condition, inside):
        return as_held(condition, found, 1.0)
    if elsewhere is None:
        return None
    if condition.follows:
        nodes = here.nodes()
        others = elsewhere.findings(condition)
        theirs = [one for one in others if one.facts.get(condition.follows) in nodes]
        if found := enough(condition, theirs):
            return as_held(condition, found, 1.0)
    rule = FINDINGS.get(condition.rule)
    anywhere = rule is not None and rule.area == "cluster"
    if weight is not Weight.SUPPORT and not (weight is Weight.REFUTE and anywhere):
        return None
    if not inside:
        return elsewhere.held(condition)
    names = {one.id for one in inside}
    others = [one for one in elsewhere.findings(condition) if one.id not in names]
    found = enough(condition, others)
    return as_held(condition, found, ELSEWHERE) if found else None


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


def _shared(condition: Criterion, here: SymptomIndex) -> Held | None:
    attribute = next(iter(here.shared(condition)), None)
    if attribute is None:
        return None
    return Held(condition, attribute.share, (), 1.0)


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
