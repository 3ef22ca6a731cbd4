"""Reads the mapping of a fenced block or of front matter as typed values. Each error names the line
and says what to write."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from cluster.kube.durations import parse as parse_duration
from runbooks.model import (
    EMPTY,
    ESCALATE,
    NEXT,
    Answer,
    Condition,
    Query,
    Source,
    Step,
    StepKind,
    Weight,
)

COMMON = frozenset(
    {"id", "question", "why", "params", "expected", "answers", "kubectl", "blast", "undo"}
)
OBJECT_FIELDS = frozenset(
    {
        "kind",
        "namespace",
        "selector",
        "fieldSelector",
        "name",
        "where",
        "each",
        "expression",
        "seen",
        "fault",
        "minimum",
    }
)
QUERY = OBJECT_FIELDS | {"logs", "metrics", "readyz", "compare"}
FIELDS: Mapping[StepKind, frozenset[str]] = {
    StepKind.CHECK: COMMON | QUERY,
    StepKind.PROBE: COMMON | {"probe", "args"},
    StepKind.ACTION: COMMON | {"action", "args"},
    StepKind.ASK: COMMON,
    StepKind.WAIT: COMMON | QUERY | {"until", "deadline"},
}
OUTCOMES: Mapping[StepKind, frozenset[str]] = {
    StepKind.CHECK: frozenset({"pass", "fail", "unknown"}),
    StepKind.ACTION: frozenset({"done", "failed", "unknown"}),
    StepKind.WAIT: frozenset({"reached", "deadline", "unknown"}),
}
"""Answers that a step of that kind can have; probes with `found`, `clear`, `unknown` or a result
class, asks with words. An action has words of a person beside its outcomes."""
_NOT_DONE = {
    "failed": "Nothing was changed; what was answered says why.",
    "unknown": "Look at the object before you repeat it.",
}
"""What the outcomes of an action mean where the page does not say it: the step stays."""


class FieldError(ValueError):
    """A field is missing, unknown or of the wrong type. `line` counts from 1 in the whole file."""

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


def step(kind: StepKind, data: Any, lines: Lines, section: str, line: int) -> Step:
    """One fenced block. Raises FieldError for a field that is missing, unknown or of the wrong
    type."""
    if not isinstance(data, dict):
        raise FieldError(line, f"the {kind} block must be a mapping; begin with `id:`")
    unknown = sorted(set(map(str, data)) - FIELDS[kind])
    if unknown:
        raise FieldError(
            lines.get((unknown[0],), line),
            f"the {kind} block has an unknown field {unknown[0]!r}; known: "
            f"{', '.join(sorted(FIELDS[kind]))}",
        )
    for name in ("id", "question"):
        if not isinstance(data.get(name), str) or not str(data[name]).strip():
            raise FieldError(line, f"the {kind} block needs the field {name}")
    return Step(
        id=str(data["id"]),
        kind=kind,
        question=_text(data, "question"),
        why=_text(data, "why"),
        expected=_text(data, "expected"),
        kubectl=_text(data, "kubectl"),
        blast=_text(data, "blast"),
        undo=_text(data, "undo"),
        params=mapping(data.get("params"), lines.get(("params",), line), "params"),
        answers=_answers(kind, data, lines, line),
        query=_query(kind, data, lines, line) if kind in (StepKind.CHECK, StepKind.WAIT) else None,
        uses=_text(data, kind.value) if kind in (StepKind.PROBE, StepKind.ACTION) else "",
        args=mapping(data.get("args"), lines.get(("args",), line), "args"),
        deadline=seconds(data.get("deadline", 0), lines.get(("deadline",), line)),
        section=section,
        line=line,
        lines=MappingProxyType(
            {path[0]: number for path, number in lines.items() if len(path) == 1}
        ),
    )


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return "" if value is None else str(value).strip()


def _answers(kind: StepKind, step: Any, lines: Lines, line: int) -> tuple[Answer, ...]:
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
    sources = [name for name in ("logs", "metrics", "readyz", "compare") if name in data]
    if len(sources) > 1:
        raise FieldError(
            lines.get((sources[1],), line),
            f"the {kind} block reads from {' and '.join(sources)}; use one step for each",
        )
    source = Source(sources[0]) if sources else Source.OBJECTS
    inner = data.get(source.value) if sources else None
    if source is Source.READYZ:
        inner = {"names": inner} if isinstance(inner, str | list) else inner
    if inner is not None and not isinstance(inner, dict):
        raise FieldError(lines.get((source.value,), line), f"field {source} must be a mapping")
    both: dict[str, Any] = {
        **{key: data[key] for key in OBJECT_FIELDS if key in data},
        **(inner or {}),
    }
    allowed = OBJECT_FIELDS | {
        "path",
        "names",
        "container",
        "previous",
        "since",
        "interval",
        "value",
        "by",
    }
    for name in both:
        if name not in allowed:
            raise FieldError(
                lines.get((source.value, name), line),
                f"field {source} has an unknown field {name!r}",
            )
    expression = (
        str(data["until"])
        if kind is StepKind.WAIT and "until" in data
        else _text(both, "expression")
    )
    if source is Source.OBJECTS and not both.get("kind"):
        raise FieldError(
            line, f"the {kind} block needs the field kind, or one of logs, metrics, readyz, compare"
        )
    if source is not Source.COMPARE and bool(expression) == bool(both.get("each")):
        raise FieldError(line, f"the {kind} block needs exactly one of expression and each")
    if source is Source.COMPARE and not (both.get("value") and both.get("by")):
        raise FieldError(
            lines.get(("compare",), line),
            "field compare needs value (CEL over self) and by (what tells the peers apart)",
        )
    return Query(
        source=source,
        kind=_text(both, "kind"),
        namespace=_text(both, "namespace"),
        selector=_text(both, "selector"),
        field_selector=_text(both, "fieldSelector"),
        name=_text(both, "name"),
        where=_text(both, "where"),
        each=_text(both, "each"),
        expression=expression.strip(),
        value=_text(both, "value"),
        by=_text(both, "by"),
        seen=_text(both, "seen"),
        fault=_text(both, "fault"),
        path=_text(both, "path"),
        names=strings(both.get("names"), line, "names"),
        container=_text(both, "container"),
        previous=bool(both.get("previous", False)),
        since=seconds(both.get("since", 0), line),
        interval=seconds(both.get("interval", 0), line),
        minimum=int(both.get("minimum", 1 if source is not Source.OBJECTS else 0)),
    )


_SUBJECTS = ("finding", "change", "shared")
_CONDITION = frozenset(
    {*_SUBJECTS, "where", "count", "same", "within", "step", "text", "weight", "any", "all"}
)


def conditions(data: Any, lines: Lines, line: int) -> tuple[Condition, ...]:
    """The `match` mapping of front matter. Raises FieldError."""
    if data is None:
        return ()
    if not isinstance(data, dict):
        raise FieldError(
            lines.get(("match",), line), "field match must map strong, support and refute to lists"
        )
    found = []
    for name, items in data.items():
        if name not in ("strong", "support", "refute"):
            raise FieldError(
                lines.get(("match", str(name)), line),
                f"match has an unknown part {name!r}; known: strong, support, refute",
            )
        if not isinstance(items, list):
            raise FieldError(lines.get(("match", name), line), f"match.{name} must be a list")
        for index, item in enumerate(items):
            found.append(
                _condition(Weight(name), item, lines.get(("match", name, str(index)), line))
            )
    return tuple(found)


def _condition(weight: Weight, data: Any, line: int) -> Condition:
    if not isinstance(data, dict):
        raise FieldError(
            line, f"a {weight} condition must be a mapping such as {{finding: RULE, text: …}}"
        )
    unknown = sorted(set(map(str, data)) - _CONDITION)
    if unknown:
        raise FieldError(
            line,
            f"a {weight} condition has an unknown field {unknown[0]!r}; known: "
            f"{', '.join(sorted(_CONDITION))}",
        )
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
    return Condition(
        weight=weight,
        on=subjects[0] if subjects else "several",
        rule=str(data[subjects[0]]) if subjects else "",
        text=str(data["text"]).strip(),
        line=line,
        where=MappingProxyType({str(key): value for key, value in where.items()}),
        count=int(data.get("count", 1)),
        same=str(data.get("same", "")),
        within=seconds(data.get("within", 0), line),
        step=str(data.get("step", "")),
        value=float(data.get("weight", 0.0)),
        any_of=inner["any"],
        all_of=inner["all"],
    )
