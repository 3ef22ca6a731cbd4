"""What the parameters of a step stand for: read from the evidence that selected the runbook, or
asked. Pure.

A value is filled in only when exactly one fits. What two objects fit is left to the person, with
the choices; a default of the runbook is used to read, never in a step that changes something.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

from cluster.kube.kinds import BY_SPELLING
from cluster.kube.objects import Ref
from cluster.kube.owners import WORKLOADS
from runbooks.model import Query, Step
from triage.facts.finding import Finding, SharedAttribute, Symptom

PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""A parameter's place in a text: `{node}`. JSONPath (`{.items}`) and CEL maps do not look like
it."""
QUERY_PLACES = ("kind", "namespace", "selector", "field_selector", "name", "path", "container")
"""Fields of a query that may hold `{name}`."""
CHOICES = 50
"""Choices that are offered at most."""
_NAMED = 10
"""Choices that a sentence names at most."""
_IN_EXPRESSION = re.compile(r"\bparams\.([a-z][a-z0-9_]*)")
KIND_OF = {word: kind.name for word, kind in BY_SPELLING.items() if kind.name != "Namespace"}
"""Kind by name of a parameter that stands for an object; `namespace` is a place."""
_FACTS = {
    "manager": ("manager", "field_manager"),
    "workload": ("workload", "owner"),
    "kubelet": ("kubelet_version", "kubelet"),
}


@dataclass(frozen=True, slots=True)
class ParamValue:
    """The value of `{name}`, "" when it is not known. `origin`: where the value is from, or
    why there is none. `choices`: values that fit, and `reasons`: why each of them does."""

    name: str
    value: str
    origin: str
    choices: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SelectingSymptom:
    """A symptom, and the ids of its findings for which the runbook was selected; None when the
    symptom did not select it."""

    symptom: Symptom
    selected: Set[str] | None = frozenset()


class _Fit(NamedTuple):
    """One value that fits, and why. `namespace` is that of the object it names."""

    value: str
    reason: str
    namespace: str = ""


# ---- which parameters a step has


def names(step: Step) -> tuple[str, ...]:
    """Parameters of a step: those it declares, then those that occur in its texts."""
    texts = [step.question, step.why, step.kubectl, step.expected, step.blast, step.undo]
    texts += (*step.args.values(), *step.params.values())
    texts += [answer.means for answer in step.answers]
    expressions: tuple[str, ...] = ()
    if step.query:
        texts += _places(step.query)
        expressions = _expressions(step.query)
    found = dict.fromkeys(step.params)
    for text in texts:
        found.update(dict.fromkeys(PLACE.findall(text)))
    for expression in expressions:
        found.update(dict.fromkeys(_IN_EXPRESSION.findall(expression)))
    return tuple(found)


def needed(step: Step) -> frozenset[str]:
    """Parameters that decide what the step reads, measures or changes, not only what its texts
    say."""
    query = step.query
    texts = [*step.args.values(), *(_places(query) if query else ())]
    found = {name for text in texts for name in PLACE.findall(text)}
    for expression in _expressions(query) if query else ():
        found.update(_IN_EXPRESSION.findall(expression))
    return frozenset(found)


def _places(query: Query) -> tuple[str, ...]:
    return tuple(getattr(query, name) for name in QUERY_PLACES)


def _expressions(query: Query) -> tuple[str, ...]:
    """The expressions of a query, which read `params.NAME`."""
    return (query.where, query.each, query.expression, query.value, query.by, query.seen)


# ---- what they stand for


class Candidates:
    """The values that the evidence gives for each parameter, worked out once for all steps."""

    def __init__(
        self,
        evidence: Iterable[SelectingSymptom] = (),
        fitting: Iterable[SelectingSymptom] = (),
    ) -> None:
        """`evidence`: the symptoms from which the runbook was opened; `fitting`: others that it
        surely fits, which are read in their place when none of them selected it."""
        self._evidence = tuple(evidence)
        self.selected = not self._evidence or any(
            one.selected is not None for one in self._evidence
        )
        """Whether a symptom selected the runbook: objects of another symptom may be innocent."""
        self.nearest = "nearest"
        """What a value is for a symptom that did not select the runbook."""
        if not self.selected and (others := tuple(fitting)):
            self._evidence, self.nearest = others, "of another one, which did"
        self._known: dict[str, list[_Fit]] = {}

    def of(self, name: str) -> list[_Fit]:
        if name not in self._known:
            self._known[name] = _fits(name, self._evidence)
        return self._known[name]


def resolve(
    step: Step, candidates: Candidates, typed: Mapping[str, str] | None = None
) -> tuple[ParamValue, ...]:
    """What the step's parameters stand for: typed by a person (also "", to go on without), else the
    one value that the evidence gives, else (in a step that only reads) the runbook's default."""
    typed = typed or {}
    wanted = names(step)
    subjects = _subjects(wanted, candidates, typed)
    values = []
    for name in wanted:
        if name in typed:
            values.append(ParamValue(name, typed[name], "typed"))
        else:
            of_object = name == "namespace" and subjects
            value = _namespace_of(subjects) if of_object else _value(name, candidates, step)
            chosen = of_object and any(typed.get(each) for each in wanted)
            if value.value and step.mutates and not (candidates.selected or chosen):
                origin = (
                    f"the symptom did not select this runbook; {value.value} is "
                    f"{candidates.nearest}"
                )
                value = ParamValue(name, "", origin, (value.value,), (value.origin,))
            values.append(value)
    return tuple(values)


def _value(name: str, candidates: Candidates, step: Step) -> ParamValue:
    found = candidates.of(name)
    distinct = {fit.value: fit.reason for fit in reversed(found)}
    if len(distinct) == 1:
        return ParamValue(name, found[0].value, found[0].reason)
    if distinct:
        places = {fit.value: f"in namespace {fit.namespace}" for fit in found if fit.namespace}
        same = len(set(distinct.values())) == 1  # then it does not help to choose
        told = {**distinct, **places} if same else distinct
        return _undecided(name, {fit.value: told[fit.value] for fit in found})
    default = PLACE.sub(
        lambda place: fits[0].value if (fits := candidates.of(place[1])) else "",
        step.params.get(name, ""),
    )
    if default and not step.mutates:
        return ParamValue(name, default, "default of the runbook")
    if default:
        return ParamValue(
            name, "", f"not known; {default} is a default, which is not used to change", (default,)
        )
    return ParamValue(name, "", "not known")


def _undecided(name: str, distinct: Mapping[str, str], of: str = "") -> ParamValue:
    """`distinct`: each value that fits, and the first reason for it."""
    named, left = tuple(distinct)[:_NAMED], len(distinct) - _NAMED
    more = f" and {left} more" if left > 0 else ""
    origin = f"{len(distinct)} fit{of}: {', '.join(named)}{more}"
    offered = tuple(distinct)[:CHOICES]
    return ParamValue(name, "", origin, offered, tuple(distinct[each] for each in offered))


def _subjects(
    wanted: Iterable[str], candidates: Candidates, typed: Mapping[str, str]
) -> list[_Fit]:
    """The namespaced objects that may be the one that the step is about."""
    for name in wanted:
        if name != "workload" and name not in KIND_OF:
            continue
        fits = [fit for fit in candidates.of(name) if fit.namespace]
        if typed.get(name):
            fits = [fit for fit in fits if fit.value == typed[name]]
        if fits:
            return fits
    return []


def _namespace_of(subjects: Sequence[_Fit]) -> ParamValue:
    """A command names an object and its namespace: the two must belong together."""
    distinct: dict[str, str] = {}
    for fit in subjects:
        distinct.setdefault(fit.namespace, f"that of {fit.value}")
    if len(distinct) == 1:
        return ParamValue("namespace", *distinct.popitem())
    return _undecided("namespace", distinct, ", one for each object")


def _fits(name: str, evidence: Sequence[SelectingSymptom]) -> list[_Fit]:
    """Values for a parameter from the nearest evidence that gives any: what selected the runbook
    and what the failing objects share, then the failing objects, then all that is around them. An
    object that is referred to stands before one that is only named in a fact."""
    for tier in (_nearest, _failing, _around):
        found = [fit for one in evidence for fit in tier(name, one)]
        referred = [fit for fit in found if fit.namespace]
        if found:
            return _without_parts(dict.fromkeys(referred or found))
    return []


def _without_parts(fits: Iterable[_Fit]) -> list[_Fit]:
    """The values without ReplicaSets whose Deployment fits as well."""
    fits = list(fits)
    wholes = tuple(
        (fit.namespace, f"replicaset/{fit.value.removeprefix('deployment/')}-")
        for fit in fits
        if fit.value.startswith("deployment/")
    )
    return [
        fit
        for fit in fits
        if not any(
            fit.namespace == where and fit.value.startswith(whole) for where, whole in wholes
        )
    ]


def _nearest(name: str, evidence: SelectingSymptom) -> Iterator[_Fit]:
    for attribute in evidence.symptom.shared:
        yield from _shared(name, attribute)
    for finding in evidence.symptom.findings:
        if finding.id in (evidence.selected or ()):
            yield from _of_finding(name, finding)


def _shared(name: str, attribute: SharedAttribute) -> Iterator[_Fit]:
    reason = f"{attribute.inside[0]} of {attribute.inside[1]} failing objects share it"
    if attribute.what == name:
        yield _Fit(attribute.value, reason)
    elif attribute.what == "owner" and (owner := _owner(attribute.value)) is not None:
        yield from _of_refs(name, (owner,), reason)


def _failing(name: str, evidence: SelectingSymptom) -> Iterator[_Fit]:
    refs = evidence.symptom.objects
    if name == "namespace":
        count = Counter(ref.namespace for ref in refs if ref.namespace)
        for value, times in count.most_common():
            yield _Fit(value, f"{times} of {count.total()} failing objects are in it")
        return
    fits, kind = list(_of_refs(name, refs, "")), KIND_OF.get(name, name)
    reason = f"one {kind} of {len(fits)} in the symptom"
    if len(fits) == 1:
        reason = f"the only {kind} of the symptom"
    yield from (fit._replace(reason=reason) for fit in fits)


def _around(name: str, evidence: SelectingSymptom) -> Iterator[_Fit]:
    symptom = evidence.symptom
    for finding in symptom.findings:
        yield from _of_finding(name, finding)
    for change in symptom.changes:
        yield from _of_refs(name, (change.object,), f"changed: {change.what}")
        yield from _of_facts(name, change.facts, f"changed: {change.what}")
        if name == "manager" and change.manager:
            yield _Fit(change.manager, f"changed: {change.what}")


def _of_finding(name: str, finding: Finding) -> Iterator[_Fit]:
    refs = (finding.object, *finding.related)
    if name == "namespace":
        if finding.object.namespace:
            yield _Fit(finding.object.namespace, finding.claim)
        return
    yield from _of_refs(name, refs, finding.claim)
    kind, owner = finding.facts.get("owner_kind"), finding.facts.get("owner")
    if name == "workload" and owner and kind in WORKLOADS:
        yield _Fit(f"{str(kind).lower()}/{owner}", finding.claim, finding.object.namespace)
    yield from _of_facts(name, finding.facts, finding.claim)


def _of_refs(name: str, refs: Iterable[Ref], reason: str) -> Iterator[_Fit]:
    for ref in refs:
        if name == "workload" and ref.kind in WORKLOADS:
            yield _Fit(f"{ref.kind.lower()}/{ref.name}", reason, ref.namespace)
        elif KIND_OF.get(name) == ref.kind:
            yield _Fit(ref.name, reason, ref.namespace)


def _of_facts(name: str, facts: Mapping[str, object], reason: str) -> Iterator[_Fit]:
    for key in _FACTS.get(name, (name,)):
        value = facts.get(key)
        found = [
            str(each)
            for each in (value if isinstance(value, tuple) else (value,))
            if each not in (None, "")
        ]
        yield from (_Fit(each, reason) for each in found if name != "workload" or "/" in each)
        if found:
            return


def _owner(text: str) -> Ref | None:
    """The object that a shared owner's value names: `Deployment logging/elastalert`."""
    kind, _, where = text.partition(" ")
    namespace, slash, name = where.partition("/")
    return Ref(kind, namespace, name) if slash and kind in WORKLOADS else None
