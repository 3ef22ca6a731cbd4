"""Evaluates a check's CEL expressions on objects that were fetched before, and says in the check's
own words what it found. What cannot be answered is unknown, never a pass.

Variables of an expression: `objects` (list), `self` (in where, each, value), `params` (map of
strings), `now` (timestamp). `runbooks.expressions` lists the functions.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import compress
from typing import Any

from cluster.kube.objects import Ref
from runbooks.expressions import Evaluator, ExpressionError, get, of_each, plain
from runbooks.judging.facts import holds
from runbooks.model import CheckSource, Query, Step
from triage.facts.finding import ChangeFact, Fact, Finding

OBJECT_LIMIT = 10_000
"""Objects of one check; more are unknown: a check that looked at a part has not passed."""


class Result(enum.StrEnum):
    PASS = "pass"  # noqa: S105  # a result, not a password
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """`seen` is what to show beside `expected`; `why` says why the result is unknown; `offenders`
    name the objects that fail."""

    result: Result
    seen: str
    why: str = ""
    offenders: tuple[str, ...] = ()
    answer: str = ""
    """The answer, where it is not the result's name."""
    read: Sequence[Mapping[str, Any]] = field(default=(), repr=False, compare=False)
    """The objects that it was evaluated on, where a caller keeps them as evidence."""


def evaluate(
    step: Step | Query,
    objects: Sequence[Mapping[str, Any]],
    params: Mapping[str, str] | None = None,
    *,
    now: datetime | None = None,
) -> CheckOutcome:
    """Evaluates a check (or a wait's `until`) on `objects`, whose shape depends on the source
    (`model.CheckSource`). Pure; raises nothing."""
    query = step.query if isinstance(step, Step) else step
    if query is None:
        return CheckOutcome(Result.UNKNOWN, "", "the step has no expression to evaluate")
    counted = _counted(len(objects), query)
    if len(objects) > OBJECT_LIMIT:
        why = f"more than {OBJECT_LIMIT:,} objects; narrow it by namespace or selector"
        return CheckOutcome(Result.UNKNOWN, counted, why)
    try:
        return _Check(query, params or {}, now or datetime.now(UTC)).run(objects)
    except ExpressionError as error:
        return CheckOutcome(Result.UNKNOWN, counted, str(error))


def tell(query: Query, findings: Sequence[Finding], changes: Sequence[ChangeFact]) -> CheckOutcome:
    """Quotes what triage has found of the rules that a check names. None of them is unknown, not a
    pass: what shows a fault may not be readable. Pure."""
    rows: list[tuple[str, str, Ref, str, Mapping[str, Fact]]] = [
        *(("finding", one.rule, one.object, one.claim, one.facts) for one in findings),
        *(
            ("change", one.rule, one.object, f"{one.at:%Y-%m-%d %H:%M} UTC {one.what}", one.facts)
            for one in changes
        ),
    ]
    rules = dict.fromkeys((*query.names, *(case.rule for _, case in query.cases)))
    told = [row for rule in rules for row in rows if row[1] == rule]
    if not told:
        wanted = ", ".join(rule.replace("-", " ") for rule in query.names)
        why = f"stanch has found nothing of this kind; it looked for: {wanted}"
        return CheckOutcome(Result.UNKNOWN, "", why)
    answer = next(
        (
            when
            for when, case in query.cases
            if any(
                (on, rule) == (case.on, case.rule) and holds(case.where, facts)
                for on, rule, _, _, facts in told
            )
        ),
        "found",
    )
    objects: dict[str, dict[str, None]] = {}
    for _, _, ref, said, _ in told:
        objects.setdefault(said, {})["/".join(filter(None, (ref.namespace, ref.name)))] = None
    quoted = [
        ": ".join(filter(None, (_some([*filter(None, names)], 2), said)))
        for said, names in objects.items()
    ]
    return CheckOutcome(
        Result.FAIL,
        _some(quoted, 3, "; "),
        offenders=tuple(dict.fromkeys(name for names in objects.values() for name in names)),
        answer=answer,
        read=[
            {"rule": rule, "object": str(ref), "says": said, "facts": dict(facts)}
            for _, rule, ref, said, facts in told
        ],
    )


class _Check:
    def __init__(self, query: Query, params: Mapping[str, str], now: datetime) -> None:
        self.query = query
        self.evaluator = Evaluator(now, {"params": {key: str(params[key]) for key in params}})

    def run(self, objects: Sequence[Mapping[str, Any]]) -> CheckOutcome:
        query = self.query
        if query.where:
            objects = [*compress(objects, self._hold("where", query.where, "self", objects))]
        if len(objects) < query.minimum:
            counted = _counted(len(objects), query)
            why = f"{counted} to look at; at least {query.minimum} needed"
            return CheckOutcome(Result.UNKNOWN, "", why)
        if query.source is CheckSource.COMPARE:
            return self._compare(objects)
        every, name = (query.each, "self") if query.each else of_each(query.expression)
        named = query.source is CheckSource.OBJECTS and query.name and not query.where
        if every and named and not objects:
            return CheckOutcome(Result.UNKNOWN, "", f"there is no {query.kind} {query.name}")
        if query.each and not objects:
            why = f"{_counted(0, query)} to look at: none exist, or they may not be read"
            return CheckOutcome(Result.UNKNOWN, "", why)
        if every and not objects:
            return CheckOutcome(Result.PASS, _counted(0, query))
        if every:
            held = self._hold("each", every, name, objects)
            bad = [item for item, well in zip(objects, held, strict=True) if not well]
            offenders = tuple(map(_name, bad))
            result = Result.FAIL if offenders else Result.PASS
            # Only objects that are not as expected are quoted.
            told = bad if query.each and bad else objects
            seen = self._seen(told) or _found(query, len(objects), offenders)
            return CheckOutcome(result, seen, offenders=offenders)
        value = self._ask("expression", query.expression, {"objects": objects})
        result = Result.PASS if _boolean("expression", value) else Result.FAIL
        seen = self._seen(objects) or _counted(len(objects), query)
        if query.source is CheckSource.READYZ and not query.seen:
            offenders = tuple(_name(item) for item in objects if not item.get("ok"))
            seen = _found(query, len(objects), offenders)
        return CheckOutcome(result, seen)

    def _compare(self, objects: Sequence[Mapping[str, Any]]) -> CheckOutcome:
        query = self.query
        peers: dict[str, list[str]] = {}
        for item in objects:
            own = "self" in query.by
            peer = self._ask("by", query.by, {"self": item}) if own else _by(item, query.by)
            value = self._ask("value", query.value, {"self": item})
            peers.setdefault(plain(value), []).append(plain(peer))
        count = len({peer for names in peers.values() for peer in names})
        if count < 2:
            return CheckOutcome(
                Result.UNKNOWN, f"{count} peers", "a comparison needs at least two peers"
            )
        if len(peers) == 1:
            return CheckOutcome(Result.PASS, f"the same on all {count}: {next(iter(peers))}")
        common = max(peers, key=lambda value: (len(peers[value]), value))
        odd = {value: sorted(set(peers[value])) for value in sorted(peers) if value != common}
        differs = "; ".join(f"{_some(names)}: {value}" for value, names in odd.items())
        seen = f"{len(peers[common])} have {common}; differs on {differs}"
        offenders = tuple(sorted({name for names in odd.values() for name in names}))
        return CheckOutcome(Result.FAIL, seen, offenders=offenders)

    def _seen(self, objects: Sequence[Mapping[str, Any]]) -> str:
        seen = self.query.seen
        return plain(self._ask("seen", seen, {"objects": objects})) if seen else ""

    def _hold(
        self, field: str, condition: str, name: str, objects: Sequence[Mapping[str, Any]]
    ) -> Iterator[bool]:
        """Whether the condition holds for each object, which it calls `name`."""
        for value in self.evaluator.each(condition, name, objects):
            yield _boolean(field, value)

    def _ask(self, field: str, expression: str, objects: Mapping[str, Any]) -> Any:
        try:
            return self.evaluator.value(expression, objects)
        except ExpressionError as error:
            raise ExpressionError(f"{field} {error}") from error


def _boolean(field: str, value: Any) -> bool:
    if isinstance(value, ExpressionError):
        raise ExpressionError(f"{field} {value}") from value
    if not isinstance(value, bool):
        raise ExpressionError(f"{field} gave {type(value).__name__}, not true or false")
    return value


def _found(query: Query, count: int, offenders: Sequence[str]) -> str:
    """The finding of a check of each object, in words that cannot be read backwards."""
    counted = _counted(count, query)
    if offenders:
        fault = query.fault or "not as expected"
        return f"{fault}: {len(offenders):,} of {counted}: {_some(offenders)}"
    if not query.fault:
        return f"nothing abnormal in {counted}"
    well = _opposite(query.fault)
    if well:
        return f"{well}: {'all ' if count > 1 else ''}{counted}"
    return f"{query.fault}: none of {counted}"


_NEGATED = (("not ", ""), ("without ", "with "), ("cannot ", "can "), ("lack ", "have "))


def _opposite(fault: str) -> str:
    """What holds where a fault in negative words does not: "not ready: none of 3" is a double
    negation. "" for other words, and for several faults in one."""
    if " or " in fault or "," in fault:
        return ""
    return next((yes + fault[len(no) :] for no, yes in _NEGATED if fault.startswith(no)), "")


def _by(item: Mapping[str, Any], name: str) -> str:
    """The attribute that tells peers apart: `node`, `namespace`, `name`, or a label of metrics."""
    metadata = item.get("metadata") or {}
    node = {"node": get(item, "spec.nodeName", "")} if name == "node" else {}
    places = (item, node, metadata, item.get("labels") or {}, metadata.get("labels") or {})
    return next((str(place[name]) for place in places if place.get(name)), _name(item))


def _name(item: Mapping[str, Any]) -> str:
    metadata = item.get("metadata") or {}
    name = str(metadata.get("name") or item.get("name") or item.get("pod") or "?")
    namespace = str(metadata.get("namespace") or item.get("namespace") or "")
    return f"{namespace}/{name}" if namespace else name


_NOUNS = {
    CheckSource.LOGS: "log",
    CheckSource.METRICS: "metric",
    CheckSource.READYZ: "check",
    CheckSource.DOCUMENT: "document",
}


def _counted(count: int, query: Query) -> str:
    """`1 node`, `1,200 pods`, `no ingresses`: what was looked at, with its number."""
    kind = query.kind[:1].lower() + query.kind[1:] if query.kind[1:].islower() else query.kind
    noun = _NOUNS.get(query.source) or kind or "object"
    if count != 1 and noun.endswith(("cy", "ity")):
        noun = f"{noun[:-1]}ies"
    elif count != 1 and not noun.endswith("points"):
        noun += "es" if noun.endswith(("s", "x")) else "s"
    of = " of the API server" if query.source is CheckSource.READYZ else ""
    return f"{f'{count:,}' if count else 'no'} {noun}{of}"


def _some(names: Sequence[str], limit: int = 5, between: str = ", ") -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return between.join(names[:limit]) + more
