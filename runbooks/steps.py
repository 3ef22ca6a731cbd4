"""Walking a runbook, purely: which step is first, where an answer leads, how far one is, and what
the parameters stand for."""

from __future__ import annotations

import enum
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from cluster.kube.objects import Ref
from runbooks.model import (
    DONE,
    ESCALATE,
    NEXT,
    RUNBOOK_PREFIX,
    SECTION_PREFIX,
    Answer,
    Query,
    Runbook,
    Step,
    StepKind,
)
from triage.facts.finding import Symptom

PLACE = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""A parameter's place in a text: `{node}`. JSONPath (`{.items}`) and CEL maps do not look like
it."""

_IN_EXPRESSION = re.compile(r"\bparams\.([a-z][a-z0-9_]*)")


class Lead(enum.StrEnum):
    STEP = "step"
    RUNBOOK = "runbook"
    ESCALATE = "escalate"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an answer leads: `target` is the id of a step or a runbook, "" otherwise. `answer` is
    the one that was taken, if declared."""

    lead: Lead
    target: str = ""
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class ParamValue:
    """What `{name}` stands for. `origin` says where that is from, for the human who may change it;
    `others` could have been meant too."""

    name: str
    value: str
    origin: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """`answered` and `open` hold step ids in the runbook's order; `unknown` were asked without an
    answer."""

    answered: tuple[str, ...]
    unknown: tuple[str, ...]
    open: tuple[str, ...]
    next: str


# ---- the walk


def first(runbook: Runbook) -> Step | None:
    """The step to begin with; None for a runbook without steps."""
    return next(runbook.steps(), None)


def answer_for(step: Step, answer: str) -> Answer | None:
    """The declared answer that `answer` is (upper and lower case alike), else the one declared as
    `other`, else None."""
    wanted = answer.strip().casefold()
    for declared in step.answers:
        if declared.when.casefold() == wanted:
            return declared
    return next((declared for declared in step.answers if declared.when == "other"), None)


def next_step(runbook: Runbook, step: Step, answer: str) -> Destination:
    """Where `answer` leads. An answer that is not declared leads to the following step, except
    `unknown` on the last step: escalate."""
    declared = answer_for(step, answer)
    return _destination(runbook, step, declared.goto if declared else NEXT, declared)


def _destination(runbook: Runbook, step: Step, goto: str, answer: Answer | None) -> Destination:
    if goto == ESCALATE:
        return Destination(Lead.ESCALATE, answer=answer)
    if goto == DONE:
        return Destination(Lead.DONE, answer=answer)
    if goto.startswith(RUNBOOK_PREFIX):
        return Destination(Lead.RUNBOOK, goto.removeprefix(RUNBOOK_PREFIX), answer)
    if goto.startswith(SECTION_PREFIX):
        target = section_start(runbook, goto.removeprefix(SECTION_PREFIX))
        return (
            Destination(Lead.STEP, target.id, answer)
            if target
            else Destination(Lead.DONE, answer=answer)
        )
    if goto != NEXT and runbook.step(goto):
        return Destination(Lead.STEP, goto, answer)
    steps = list(runbook.steps())
    index = next((number for number, other in enumerate(steps) if other.id == step.id), len(steps))
    if index + 1 < len(steps):
        return Destination(Lead.STEP, steps[index + 1].id, answer)
    return Destination(Lead.DONE, answer=answer)


def section_start(runbook: Runbook, slug: str) -> Step | None:
    """The first step in that section, or in the first later section that has one."""
    reached = False
    for section in runbook.sections:
        reached = reached or section.slug == slug
        if reached and section.steps:
            return section.steps[0]
    return None


def stage(runbook: Runbook, step: Step) -> tuple[Step, ...]:
    """The read-only checks of the step's section, which may run together on one key."""
    section = runbook.section(step.section)
    return tuple(
        other for other in (section.steps if section else ()) if other.kind is StepKind.CHECK
    )


def progress(runbook: Runbook, results: Mapping[str, str]) -> Progress:
    """How far a walk is. `results` maps step ids to answers in the order they were given; ids of an
    older text are ignored."""
    steps = list(runbook.steps())
    known = {step.id for step in steps}
    taken = [step_id for step_id in results if step_id in known]
    upcoming = steps[0].id if steps else ""
    if taken:
        last = runbook.step(taken[-1])
        lead = next_step(runbook, last, results[taken[-1]]) if last else None
        upcoming = lead.target if lead and lead.lead is Lead.STEP else ""
    return Progress(
        answered=tuple(
            step.id for step in steps if step.id in results and results[step.id] != "unknown"
        ),
        unknown=tuple(step.id for step in steps if results.get(step.id) == "unknown"),
        open=tuple(step.id for step in steps if step.id not in results),
        next=upcoming,
    )


# ---- parameters


def names(step: Step) -> tuple[str, ...]:
    """Parameters of a step: those it declares, then those that occur in its texts."""
    texts = [
        step.question,
        step.kubectl,
        step.expected,
        step.blast,
        step.undo,
        *step.args.values(),
        *step.params.values(),
    ]
    expressions: list[str] = []
    if step.query:
        query = step.query
        texts += [
            query.kind,
            query.namespace,
            query.selector,
            query.field_selector,
            query.name,
            query.path,
            query.container,
        ]
        expressions = [query.where, query.each, query.expression, query.value, query.by, query.seen]
    found = dict.fromkeys(step.params)
    for text in texts:
        found.update(dict.fromkeys(PLACE.findall(text)))
    for expression in expressions:
        found.update(dict.fromkeys(_IN_EXPRESSION.findall(expression)))
    return tuple(found)


def resolve(
    step: Step, symptom: Symptom | None, chosen: Mapping[str, str] | None = None
) -> tuple[ParamValue, ...]:
    """What the step's parameters stand for: typed by the human, else from the symptom, else the
    default, else "" (to be filled in)."""
    values = []
    wanted = names(step)
    subject = next(
        (ref for name in wanted if (ref := _subject(name, symptom)) is not None and ref.namespace),
        None,
    )
    for name in wanted:
        if chosen and chosen.get(name):
            values.append(ParamValue(name, chosen[name], "typed"))
            continue
        found = _from_symptom(name, symptom) if symptom else None
        if name == "namespace" and subject is not None and found is not None:
            # A command names an object and its namespace: the two must belong together.
            found = ParamValue(
                name, subject.namespace, f"that of {subject.kind} {subject.name}", found.others
            )
        default = PLACE.sub(
            lambda place: (
                (inner.value if (inner := _from_symptom(place[1], symptom)) else "")
                if symptom
                else ""
            ),
            step.params.get(name, ""),
        )
        if found:
            values.append(found)
        elif default:
            values.append(ParamValue(name, default, "default of the runbook"))
        else:
            values.append(ParamValue(name, "", "not known; fill it in"))
    return tuple(values)


_KIND_OF = {
    "node": "Node",
    "pod": "Pod",
    "deployment": "Deployment",
    "daemonset": "DaemonSet",
    "statefulset": "StatefulSet",
    "replicaset": "ReplicaSet",
    "service": "Service",
    "ingress": "Ingress",
    "job": "Job",
    "cronjob": "CronJob",
    "secret": "Secret",
    "configmap": "ConfigMap",
    "pvc": "PersistentVolumeClaim",
    "pv": "PersistentVolume",
    "volumeattachment": "VolumeAttachment",
    "networkpolicy": "NetworkPolicy",
}
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job", "ReplicaSet")
_NAMED_OTHERWISE = {
    "manager": ("manager", "field_manager"),
    "workload": ("workload", "owner"),
    "kubelet": ("kubelet_version", "kubelet"),
}


def _from_symptom(name: str, symptom: Symptom | None) -> ParamValue | None:
    if symptom is None:
        return None
    for attribute in symptom.shared:
        if attribute.what == name:
            inside = f"{attribute.inside[0]} of {attribute.inside[1]} failing objects share it"
            return ParamValue(name, attribute.value, inside)
    refs = _refs(symptom)
    if name == "namespace":
        count = Counter(ref.namespace for ref in symptom.objects if ref.namespace) or Counter(
            ref.namespace for ref in refs if ref.namespace
        )
        return _most_common(name, count, "failing objects are in it")
    if name == "workload":
        return _named(name, _candidates(name, symptom), with_kind=True) or _from_facts(
            name, symptom
        )
    if name in _KIND_OF:
        return _named(name, _candidates(name, symptom)) or _from_facts(name, symptom)
    return _from_facts(name, symptom)


def _candidates(name: str, symptom: Symptom) -> list[Ref]:
    """Objects that the parameter may stand for, the likeliest first: for a workload the one that
    the failing objects share."""
    refs = _refs(symptom)
    if name != "workload":
        return [ref for ref in refs if ref.kind == _KIND_OF[name]]
    shared = [
        owner
        for attribute in symptom.shared
        if attribute.what == "owner" and (owner := _owner(attribute.value)) is not None
    ]
    return list(
        dict.fromkeys([*shared, *(ref for kind in _WORKLOADS for ref in refs if ref.kind == kind)])
    )


def _owner(text: str) -> Ref | None:
    """The object that a shared owner's value names: `Deployment logging/elastalert`."""
    kind, _, where = text.partition(" ")
    namespace, slash, name = where.partition("/")
    return Ref(kind, namespace, name) if slash and kind in _WORKLOADS else None


def _subject(name: str, symptom: Symptom | None) -> Ref | None:
    """The object that the parameter's value names, None when it names none."""
    if symptom is None or (name != "workload" and name not in _KIND_OF):
        return None
    return next(iter(_candidates(name, symptom)), None)


def _refs(symptom: Symptom) -> list[Ref]:
    ordered = [*symptom.objects]
    for finding in symptom.findings:
        ordered += [finding.object, *finding.related]
    ordered += [change.object for change in symptom.changes]
    return list(dict.fromkeys(ordered))


def _named(name: str, refs: Sequence[Ref], *, with_kind: bool = False) -> ParamValue | None:
    if not refs:
        return None
    values = list(
        dict.fromkeys(f"{ref.kind.lower()}/{ref.name}" if with_kind else ref.name for ref in refs)
    )
    origin = (
        f"the only {refs[0].kind} of the symptom"
        if len(values) == 1
        else f"first of {len(values)} in the symptom"
    )
    return ParamValue(name, values[0], origin, tuple(values[1:10]))


def _from_facts(name: str, symptom: Symptom) -> ParamValue | None:
    for key in _NAMED_OTHERWISE.get(name, (name,)):
        count: Counter[str] = Counter()
        for facts in [one.facts for one in symptom.findings] + [
            one.facts for one in symptom.changes
        ]:
            value = facts.get(key)
            for item in value if isinstance(value, tuple) else (value,):
                if item not in (None, ""):
                    count[str(item)] += 1
        manager = (
            Counter(change.manager for change in symptom.changes if change.manager)
            if name == "manager" and not count
            else count
        )
        if manager:
            return _most_common(name, manager, "findings and changes name it")
    return None


def _most_common(name: str, count: Counter[str], what: str) -> ParamValue | None:
    if not count:
        return None
    ordered = sorted(count, key=lambda value: (-count[value], value))
    total = sum(count.values())
    return ParamValue(
        name, ordered[0], f"{count[ordered[0]]} of {total} {what}", tuple(ordered[1:10])
    )


def fill(text: str, values: Mapping[str, str], *, quote: bool = False) -> str:
    """Put the values in their places. With `quote` they are quoted for a shell, and an unknown one
    stays visible as `NAME`."""

    def place(match: re.Match[str]) -> str:
        value = values.get(match[1], "")
        if not value:
            return match[1].upper() if quote else match[0]
        return shlex.quote(value) if quote else value

    return PLACE.sub(place, text)


def command(step: Step, values: Mapping[str, str]) -> str:
    """The equivalent command for another terminal, filled in and quoted."""
    return fill(step.kubectl, values, quote=True)


def arguments(step: Step, values: Mapping[str, str]) -> dict[str, str]:
    """The arguments of a probe or an action, filled in; an argument whose parameter is not known is
    left out."""
    filled = {name: fill(text, values) for name, text in step.args.items()}
    return {name: text for name, text in filled.items() if text and not PLACE.search(text)}


def query_for(query: Query, values: Mapping[str, str]) -> Query:
    """The query with its places filled in (expressions are left alone: they read `params.NAME`)."""
    return replace(
        query,
        kind=fill(query.kind, values),
        namespace=_or_empty(query.namespace, values),
        selector=_or_empty(query.selector, values),
        field_selector=_or_empty(query.field_selector, values),
        name=_or_empty(query.name, values),
        path=fill(query.path, values),
        container=_or_empty(query.container, values),
    )


def _or_empty(text: str, values: Mapping[str, str]) -> str:
    filled = fill(text, values)
    return "" if PLACE.search(filled) else filled


def missing(step: Step, values: Mapping[str, str]) -> tuple[str, ...]:
    """Parameters without which the step cannot be run as it is meant."""
    return tuple(name for name in names(step) if not values.get(name))
