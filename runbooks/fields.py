"""Reads the mapping of a fenced block or of front matter as typed values. Each error names its line
and says what to write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from cluster.kube.durations import parse as parse_duration
from runbooks.model import (
    EMPTY,
    ESCALATE,
    NEXT,
    Answer,
    CheckSource,
    Criterion,
    Query,
    Step,
    StepKind,
    Weight,
)

_SOURCES = ("logs", "metrics", "readyz", "document", "compare", "findings")
_QUERY = frozenset(Query.__struct_fields__) - {"source", "field_selector", "cases"} | {
    "fieldSelector"
}
_OF_SOURCE = {"path", "names", "container", "previous", "since", "interval", "value", "by"}
"""Fields of a query that stand inside its source."""
_COMMON = frozenset(
    {"id", "question", "why", "params", "expected", "answers", "kubectl", "blast", "undo"}
)
FIELDS: Mapping[StepKind, frozenset[str]] = {
    StepKind.CHECK: _COMMON | (_QUERY - _OF_SOURCE).union(_SOURCES),
    StepKind.PROBE: _COMMON | {"probe", "args"},
    StepKind.ACTION: _COMMON | {"action", "args"},
    StepKind.ASK: _COMMON,
    StepKind.WAIT: _COMMON | (_QUERY - _OF_SOURCE).union(_SOURCES, {"until", "deadline"}),
}
OUTCOMES: Mapping[StepKind, frozenset[str]] = {
    StepKind.CHECK: frozenset({"pass", "fail", "unknown"}),
    StepKind.ACTION: frozenset({"done", "failed", "unknown"}),
    StepKind.WAIT: frozenset({"reached", "deadline", "unknown"}),
}
"""Answers of these kinds. An action may add words of a person; a probe answers `found`, `clear`,
`unknown` or a result class; an ask answers in the runbook's own words."""
_ANSWER = frozenset({"means", "goto", "finding", "change", "where"})
_NOT_DONE = {
    "failed": "Nothing was changed; the answer of the API server says why.",
    "unknown": "Look at the object before you repeat it.",
}
"""What the outcomes of an action mean where the page does not say it: the step stays."""


class FieldError(ValueError):
    """A field is missing, unknown or of the wrong type. `line` counts from 1 in the file."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


Lines = Mapping[tuple[str, ...], int]


def seconds(value: Any, line: int) -> float:
    """`90`, `"90s"`, `"5m"`, `"1h30m"` as seconds. Raises FieldError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    found = parse_duration(str(value))
    if found is None:
        raise FieldError(
            line, f"has {value!r} where a duration belongs; write for example 30s, 5m or 24h"
        )
    return found


def strings(value: Any, line: int, name: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not all(
        isinstance(item, str | int | float) for item in value
    ):
        raise FieldError(line, f"field {name} must be a list of strings")
    return tuple(str(item) for item in value)


def mapping(value: Any, line: int, name: str) -> Mapping[str, str]:
    if value is None:
        return EMPTY
    if not isinstance(value, dict):
        raise FieldError(line, f"field {name} must be a mapping of names to values")
    return MappingProxyType({str(key): _flat(item) for key, item in value.items()})


def _flat(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return "" if value is None else str(value)


def _known(data: Mapping[str, Any], fields: Iterable[str], what: str, lines: Lines | int) -> None:
    """Raises FieldError for the first field of `data` that is not one of `fields`. `lines`: the
    line of each field, or one line for all."""
    fields = frozenset(fields)
    for name in sorted(set(map(str, data)) - fields):
        line = lines if isinstance(lines, int) else lines.get((name,), lines.get((), 1))
        raise FieldError(
            line, f"{what} has an unknown field {name!r}; known: {', '.join(sorted(fields))}"
        )


def step(kind: StepKind, data: Any, lines: Lines, section: str, line: int) -> Step:
    """One fenced block. Raises FieldError for a field that is missing, unknown or of the wrong
    type."""
    if not isinstance(data, dict):
        raise FieldError(line, f"the {kind} block must be a mapping; begin with `id:`")
    _known(data, FIELDS[kind], f"the {kind} block", {(): line, **lines})
    for name in ("id", "question"):
        if not isinstance(data.get(name), str) or not str(data[name]).strip():
            raise FieldError(line, f"the {kind} block needs the field {name}")
    texts: dict[str, Any] = {
        name: _text(data, name)
        for name in ("question", "why", "expected", "kubectl", "blast", "undo")
    }
    return Step(
        id=str(data["id"]),
        kind=kind,
        params=mapping(data.get("params"), lines.get(("params",), line), "params"),
        answers=_answers(kind, data, lines, line),
        query=_query(kind, data, lines, line) if kind in (StepKind.CHECK, StepKind.WAIT) else None,
        uses=_text(data, kind.value) if kind in (StepKind.PROBE, StepKind.ACTION) else "",
        args=mapping(data.get("args"), lines.get(("args",), line), "args"),
        deadline=seconds(data.get("deadline", 0), lines.get(("deadline",), line)),
        section=section,
        line=line,
        lines=MappingProxyType({path[0]: at for path, at in lines.items() if len(path) == 1}),
        **texts,
    )


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return "" if value is None else str(value).strip()


def _answers(
    kind: StepKind, step: Mapping[str, Any], lines: Lines, line: int
) -> tuple[Answer, ...]:
    data = step.get("answers")
    if data is None:
        return ()
    if not isinstance(data, dict):
        raise FieldError(
            lines.get(("answers",), line),
            "field answers must map each outcome to `meaning -> where it leads`",
        )
    found = []
    for key, value in data.items():
        when = str(key)
        where = lines.get(("answers", when), line)
        if isinstance(value, dict):
            _known(value, _ANSWER, f"the answer {when!r}", where)
            means, goto = str(value.get("means", "")), str(value.get("goto", NEXT))
        elif isinstance(value, str):
            means, arrow, goto = value.rpartition("->")
            if not arrow:
                means, goto = value, NEXT
        else:
            raise FieldError(
                where, f"the answer {when!r} must be a string `meaning -> where it leads`"
            )
        found.append(
            Answer(when=when, means=means.strip(), goto=goto.strip() or ESCALATE, line=where)
        )
    if kind is StepKind.ACTION:
        known = {answer.when for answer in found}
        found += [
            Answer(when=when, means=means, goto=str(step["id"]), line=line)
            for when, means in _NOT_DONE.items()
            if when not in known
        ]
    return tuple(found)


def _query(kind: StepKind, data: Mapping[str, Any], lines: Lines, line: int) -> Query:
    sources = [name for name in _SOURCES if name in data]
    if len(sources) > 1:
        raise FieldError(
            lines.get((sources[1],), line),
            f"the {kind} block reads from {' and '.join(sources)}; use one step for each",
        )
    source = CheckSource(sources[0]) if sources else CheckSource.OBJECTS
    inner = data.get(source.value) or {}
    if source is CheckSource.FINDINGS and kind is not StepKind.CHECK:
        raise FieldError(line, "only a check quotes findings")
    if source in (CheckSource.READYZ, CheckSource.FINDINGS) and isinstance(inner, str | list):
        inner = {"names": inner}
    if source is CheckSource.DOCUMENT and isinstance(inner, str):
        inner = {"path": inner}
    if not isinstance(inner, dict):
        raise FieldError(lines.get((source.value,), line), f"field {source} must be a mapping")
    within = {path[1:]: at for path, at in lines.items() if path[:1] == (source.value,)}
    _known(inner, _QUERY, f"field {source}", {(): line, **within})
    given = {**{name: data[name] for name in _QUERY & data.keys()}, **inner}
    lists_and_numbers = {"names", "previous", "since", "interval", "minimum"}
    texts: dict[str, Any] = {
        name: _text(given, name) for name in _QUERY - lists_and_numbers - {"fieldSelector"}
    }
    texts["field_selector"] = _text(given, "fieldSelector")
    if kind is StepKind.WAIT and "until" in data:
        texts["expression"] = _text(data, "until")
    if source is CheckSource.OBJECTS and not given.get("kind"):
        raise FieldError(
            line, f"the {kind} block needs the field kind, or one of {', '.join(_SOURCES)}"
        )
    if source not in (CheckSource.COMPARE, CheckSource.FINDINGS) and bool(
        texts["expression"]
    ) == bool(given.get("each")):
        raise FieldError(line, f"the {kind} block needs exactly one of expression and each")
    if source is CheckSource.COMPARE and not (given.get("value") and given.get("by")):
        raise FieldError(
            lines.get(("compare",), line),
            "field compare needs value (CEL over self) and by (what tells the peers apart)",
        )
    return Query(
        source=source,
        names=strings(given.get("names"), line, "names"),
        previous=bool(given.get("previous", False)),
        since=seconds(given.get("since", 0), line),
        interval=seconds(given.get("interval", 0), line),
        minimum=int(given.get("minimum", 1 if source is not CheckSource.OBJECTS else 0)),
        cases=_cases(data.get("answers"), lines, line) if source is CheckSource.FINDINGS else (),
        **texts,
    )


def _cases(data: Any, lines: Lines, line: int) -> tuple[tuple[str, Criterion], ...]:
    """The answers that a finding or change gives: `{finding: RULE, where: {…}, means: …, goto:
    …}`."""
    return tuple(
        (
            str(when),
            _condition(
                Weight.STRONG,
                {"text": value.get("means")}
                | {key: value[key] for key in ("finding", "change", "where") if key in value},
                lines.get(("answers", str(when)), line),
            ),
        )
        for when, value in (data if isinstance(data, dict) else {}).items()
        if isinstance(value, dict) and not value.keys().isdisjoint(("finding", "change"))
    )


_SUBJECTS = ("finding", "change", "shared")
_CONDITION = frozenset(
    {
        *(*_SUBJECTS, "where", "count", "same", "follows", "within", "step", "text", "weight"),
        *("any", "all"),
    }
)


def conditions(data: Any, lines: Lines, line: int) -> tuple[Criterion, ...]:
    """The `match` mapping of front matter. Raises FieldError."""
    if data is None:
        return ()
    if not isinstance(data, dict):
        raise FieldError(
            lines.get(("match",), line), "field match must map strong, support and refute to lists"
        )
    found = []
    _known(data, map(str, Weight), "match", {path[1:]: at for path, at in lines.items()})
    for name, items in data.items():
        if not isinstance(items, list):
            raise FieldError(lines.get(("match", name), line), f"match.{name} must be a list")
        for index, item in enumerate(items):
            found.append(
                _condition(Weight(name), item, lines.get(("match", name, str(index)), line))
            )
    return tuple(found)


def _condition(weight: Weight, data: Any, line: int) -> Criterion:
    if not isinstance(data, dict):
        raise FieldError(
            line, f"a {weight} condition must be a mapping such as {{finding: RULE, text: …}}"
        )
    _known(data, _CONDITION, f"a {weight} condition", line)
    inner = {
        name: tuple(
            _condition(weight, {"text": data.get("text", ""), **item}, line)
            for item in data.get(name, ())
            if isinstance(item, dict)
        )
        for name in ("any", "all")
    }
    subjects = [name for name in _SUBJECTS if name in data]
    if len(subjects) + bool(inner["any"]) + bool(inner["all"]) != 1:
        raise FieldError(
            line, f"a {weight} condition needs exactly one of finding, change, shared, any and all"
        )
    where = data.get("where") or {}
    if not isinstance(where, dict):
        raise FieldError(line, "field where must map facts to values")
    if not str(data.get("text", "")).strip():
        raise FieldError(
            line, f"a {weight} condition needs text: the sentence that is shown beside the match"
        )
    return Criterion(
        weight=weight,
        on=subjects[0] if subjects else "several",
        rule=str(data[subjects[0]]) if subjects else "",
        text=str(data["text"]).strip(),
        line=line,
        where=MappingProxyType({str(key): value for key, value in where.items()}),
        count=int(data.get("count", 1)),
        same=str(data.get("same", "")),
        follows=str(data.get("follows", "")),
        within=seconds(data.get("within", 0), line),
        step=str(data.get("step", "")),
        value=float(data.get("weight", 0.0)),
        any_of=inner["any"],
        all_of=inner["all"],
    )
