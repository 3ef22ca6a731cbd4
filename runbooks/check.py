"""Evaluates a check's CEL expression on objects that were fetched before, with limits on size and
time. What cannot be answered is unknown, never a pass.

An expression about each object (`each`, `where`, `objects.all(x, …)`) is compiled once and run for
one object after the other, so that the cost grows with their number alone: comprehensions of the
CEL package copy their list at each step.

Functions beside CEL's own: `get(object, "a.b.c", default)` for fields that may be absent,
`unique(list)`, `join(list, separator)`, `count(list)` as `{value: times}`, `age(timestamp)` in
seconds (a double), `quantity("512Mi")` as a double in base units. Variables: `objects` (list),
`self` (in where, each, value), `params` (map of strings), `now` (timestamp).
"""

from __future__ import annotations

import enum
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from cluster.kube.quantity import parse
from runbooks.model import Query, Source, Step

EXPRESSION_LIMIT = 2_000
OBJECT_LIMIT = 10_000
"""Objects that one expression may see; more are unknown, not a sample: a check that looked at a
part has not passed."""
SEEN_LIMIT = 300
"""Objects beyond which `seen` is not evaluated: it goes through all of them at once."""
NODE_LIMIT = 5_000_000
"""Values (numbers, strings, lists, maps) within all objects."""
SECONDS = 5.0


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
    read: Sequence[Mapping[str, Any]] = field(default=(), repr=False, compare=False)
    """The objects that it was evaluated on, where a caller keeps them as evidence."""


class ExpressionError(ValueError):
    """The expression cannot be read or gave something that is not the expected type."""


def evaluate(
    step: Step | Query,
    objects: Sequence[Mapping[str, Any]],
    params: Mapping[str, str] | None = None,
    *,
    now: datetime | None = None,
) -> CheckOutcome:
    """Evaluate a check (or a wait's `until`) on `objects`, whose shape depends on the source
    (`model.Source`). Pure; raises nothing."""
    query = step.query if isinstance(step, Step) else step
    if query is None:
        return CheckOutcome(Result.UNKNOWN, "", "the step has no expression to evaluate")
    if len(objects) > OBJECT_LIMIT:
        return CheckOutcome(
            Result.UNKNOWN,
            f"{len(objects):,} objects",
            f"more than {OBJECT_LIMIT:,} objects; narrow it by namespace or selector",
        )
    try:
        return _Evaluation(query, params or {}, now or datetime.now(UTC)).run(
            [dict(item) for item in objects]
        )
    except ExpressionError as error:
        return CheckOutcome(Result.UNKNOWN, f"{len(objects):,} {_noun(query)}", str(error))


def compile_problem(expression: str) -> str:
    """Why the expression cannot be compiled, "" when it can. For lint."""
    if len(expression) > EXPRESSION_LIMIT:
        return f"is longer than {EXPRESSION_LIMIT:,} characters"
    try:
        _cel().compile(expression)
    except (ValueError, RuntimeError, TypeError) as error:
        return str(error).splitlines()[0][:200]
    return ""


def _cel() -> Any:
    """The CEL package, imported when the first check runs: that takes 0.2 s and more."""
    import cel

    return cel


@lru_cache(maxsize=512)
def _program(expression: str) -> Any:
    """Compiled once; raises ValueError for what is no CEL."""
    return _cel().compile(expression)


@lru_cache(maxsize=512)
def _used(expression: str) -> frozenset[str]:
    """The words of an expression: what it does not name is not handed over for each object."""
    return frozenset(re.findall(r"[a-z]\w*", expression))


_GET = re.compile(r'\bget\((\w+), "([\w.]+)", (\[\]|\{\}|"[^"\\]*"|-?\d+(?:\.\d+)?|true|false)\)')


@lru_cache(maxsize=512)
def _reads(expression: str, name: str) -> tuple[str, tuple[tuple[str, str, Any], ...], bool]:
    """The expression with each `get(name, …)` as a variable, what these variables read, and
    whether the object itself is needed beside them.

    Handing a whole object to CEL and back for each `get` costs ten times what the condition does.
    """
    found: dict[str, tuple[str, str, Any]] = {}

    def place(match: re.Match[str]) -> str:
        if match[1] != name:
            return match[0]
        default = json.loads(match[3])
        return found.setdefault(match[0], (f"read_{len(found)}", match[2], default))[0]

    text = _GET.sub(place, expression)
    return text, tuple(found.values()), re.search(rf"\b{name}\b", text) is not None


_ALL = re.compile(r"objects\.all\((\w+),\s*(.*)\)", re.DOTALL)


def _of_each(expression: str) -> tuple[str, str]:
    """The condition on one object, and its name, when the expression is `objects.all(name,
    condition)` as a whole; else ("", "")."""
    found = _ALL.fullmatch(expression.strip())
    if found is None or "objects" in found[2]:
        return "", ""
    depth = 0
    for character in re.sub(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", "", found[2]):
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return "", ""
    return (found[2], found[1]) if depth == 0 else ("", "")


def _said(query: Query, failing: int, all_: int, offenders: Sequence[str]) -> str:
    """What an `each` check found, so that it cannot be read backwards."""
    if query.fault:
        noun = _noun(query, all_)
        return (
            f"{query.fault}: {failing:,} of {all_:,} {noun}: {_some(offenders)}"
            if failing
            else f"{query.fault}: none of {all_:,} {noun}"
        )
    if not failing:
        return f"as expected: all {all_:,} {_noun(query, all_)}"
    return f"not as expected: {failing:,} of {all_:,} {_noun(query, all_)}: {_some(offenders)}"


class _Evaluation:
    def __init__(self, query: Query, params: Mapping[str, str], now: datetime) -> None:
        self.query, self.now = query, now
        _cel()  # its import is not the check's time
        self.stop = time.monotonic() + SECONDS
        self.variables: dict[str, Any] = {
            "params": {str(key): str(value) for key, value in params.items()},
            "now": now,
            **_functions(now),
        }

    def run(self, objects: list[dict[str, Any]]) -> CheckOutcome:
        query = self.query
        if _size(objects, NODE_LIMIT) > NODE_LIMIT:
            raise ExpressionError(
                "the objects are too large to evaluate; narrow the check by namespace or selector"
            )
        if query.where:
            objects = [item for item in objects if self._holds(query.where, "self", item, "where")]
        if len(objects) < query.minimum:
            noun = _noun(query)
            return CheckOutcome(
                Result.UNKNOWN,
                f"{len(objects)} {noun}",
                f"only {len(objects)} {noun} to look at, {query.minimum} are needed",
            )
        if query.source is Source.COMPARE:
            return self._compare(objects)
        each, name = (query.each, "self") if query.each else _of_each(query.expression)
        if each:
            if not objects and not query.each:
                return CheckOutcome(Result.PASS, f"no {_noun(query, 2)}")
            if not objects:
                return CheckOutcome(
                    Result.UNKNOWN,
                    f"no {_noun(query)}",
                    "nothing to look at: none exist, or they may not be read",
                )
            failing = [item for item in objects if not self._holds(each, name, item, "each")]
            offenders = tuple(map(_name, failing))
            seen = self._seen(objects) or _said(query, len(failing), len(objects), offenders)
            return CheckOutcome(Result.FAIL if failing else Result.PASS, seen, offenders=offenders)
        held = self._truth(query.expression, {"objects": objects}, "expression")
        told = f"{len(objects):,} {_noun(query, len(objects))}"
        seen = self._seen(objects) or f"{told}: {'as expected' if held else 'not as expected'}"
        return CheckOutcome(Result.PASS if held else Result.FAIL, seen)

    def _compare(self, objects: list[dict[str, Any]]) -> CheckOutcome:
        query = self.query
        peers: dict[str, list[str]] = {}
        values: dict[str, set[str]] = {}
        for item in objects:
            value = self._value(query.value, {"self": item}, "value")
            peer = (
                self._value(query.by, {"self": item}, "by")
                if "self" in query.by
                else _by(item, query.by)
            )
            peers.setdefault(_text(value), []).append(_text(peer))
            values.setdefault(_text(peer), set()).add(_text(value))
        if len(values) < 2:
            return CheckOutcome(
                Result.UNKNOWN, f"{len(values)} peers", "a comparison needs at least two peers"
            )
        if len(peers) == 1:
            return CheckOutcome(Result.PASS, f"the same on all {len(values)}: {next(iter(peers))}")
        common = max(peers, key=lambda value: (len(peers[value]), value))
        odd = {value: names for value, names in sorted(peers.items()) if value != common}
        offenders = tuple(sorted({name for names in odd.values() for name in names}))
        differs = "; ".join(f"{_some(sorted(set(names)))}: {value}" for value, names in odd.items())
        return CheckOutcome(
            Result.FAIL,
            f"{len(peers[common])} have {common}; differs on {differs}",
            offenders=offenders,
        )

    def _seen(self, objects: list[dict[str, Any]]) -> str:
        return (
            _text(self._value(self.query.seen, {"objects": objects}, "seen"))
            if self.query.seen and len(objects) <= SEEN_LIMIT
            else ""
        )

    def _holds(self, expression: str, name: str, item: Mapping[str, Any], field: str) -> bool:
        """Whether a condition holds for one object, which it calls `name`."""
        text, reads, whole = _reads(expression, name)
        get = self.variables["get"]
        variables = {variable: get(item, path, default) for variable, path, default in reads}
        if whole:
            variables[name] = item
        return self._truth(text, variables, field)

    def _truth(self, expression: str, more: Mapping[str, Any], name: str) -> bool:
        value = self._value(expression, more, name)
        if not isinstance(value, bool):
            raise ExpressionError(f"{name} gave {type(value).__name__}, not true or false")
        return value

    def _value(self, expression: str, more: Mapping[str, Any], name: str) -> Any:
        if len(expression) > EXPRESSION_LIMIT:
            raise ExpressionError(f"{name} is longer than {EXPRESSION_LIMIT:,} characters")
        if time.monotonic() > self.stop:
            raise ExpressionError(
                f"took longer than {SECONDS:g} s; narrow it by namespace or selector"
            )
        try:
            used = {key: self.variables[key] for key in _used(expression) & self.variables.keys()}
            return _program(expression).execute({**used, **more})
        # it raises whatever the expression meets, KeyError for a missing field: all of it is
        # unknown
        except Exception as error:
            said = next(iter(str(error).splitlines()), type(error).__name__)
            raise ExpressionError(f"{name} cannot be answered: {said[:200]}") from error


def _functions(now: datetime) -> dict[str, Callable[..., Any]]:
    def get(item: Any, path: str, default: Any) -> Any:
        for part in str(path).split("."):
            if isinstance(item, dict) and part in item:
                item = item[part]
            elif isinstance(item, list) and part.isdigit() and int(part) < len(item):
                item = item[int(part)]
            else:
                return default
        return default if item is None else item

    def unique(items: list[Any]) -> list[Any]:
        return (
            [item for index, item in enumerate(items) if item not in items[:index]]
            if len(items) < 500
            else sorted(set(map(_text, items)))
        )

    def count(items: list[Any]) -> dict[str, int]:
        times: dict[str, int] = {}
        for item in items:
            times[_text(item)] = times.get(_text(item), 0) + 1
        return times

    def age(moment: Any) -> float:
        when = (
            moment
            if isinstance(moment, datetime)
            else datetime.fromisoformat(str(moment).replace("Z", "+00:00"))
        )
        return (now - (when if when.tzinfo else when.replace(tzinfo=UTC))).total_seconds()

    return {
        "get": get,
        "unique": unique,
        "count": count,
        "join": lambda items, separator: str(separator).join(map(_text, items)),
        "age": age,
        "quantity": quantity,
    }


def quantity(text: Any) -> float:
    """A Kubernetes quantity (`250m`, `512Mi`, `1e3`) in base units. Raises ValueError."""
    value = parse(str(text))
    if value is None:
        raise ValueError(f"{str(text)[:40]!r} is not a quantity")
    return value


def _by(item: Mapping[str, Any], name: str) -> str:
    """What tells the peers apart: `node`, `namespace`, `name`, or a label of metrics."""
    if name == "node":
        return str(
            item.get("node")
            or item.get("spec", {}).get("nodeName")
            or item.get("labels", {}).get("node")
            or _name(item)
        )
    metadata = item.get("metadata", {})
    return str(
        item.get(name)
        or metadata.get(name)
        or item.get("labels", {}).get(name)
        or metadata.get("labels", {}).get(name)
        or _name(item)
    )


def _size(value: Any, limit: int) -> int:
    stack, size = [value], 0
    while stack and size <= limit:
        item = stack.pop()
        size += 1
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list | tuple):
            stack.extend(item)
    return size


def _name(item: Mapping[str, Any]) -> str:
    metadata = item.get("metadata") or {}
    name = str(metadata.get("name") or item.get("name") or item.get("pod") or "?")
    namespace = str(metadata.get("namespace") or item.get("namespace") or "")
    return f"{namespace}/{name}" if namespace else name


def _noun(query: Query, count: int = 2) -> str:
    """What is counted, in the plural unless it is one."""
    noun = {
        Source.LOGS: "log",
        Source.METRICS: "metric",
        Source.READYZ: "check of the API server",
    }.get(query.source) or (
        query.kind[0].lower() + query.kind[1:] if query.kind[1:].islower() else query.kind
    )
    if count == 1 or not noun:
        return noun or "object"
    if query.source is Source.READYZ:
        return "checks of the API server"
    if noun.endswith(("s", "ss", "x")):
        return noun if noun.endswith("points") else f"{noun}es"
    return f"{noun[:-1]}ies" if noun.endswith("cy") else f"{noun}s"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(item)}" for key, item in sorted(value.items()))
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return str(value)


def _some(names: Sequence[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
