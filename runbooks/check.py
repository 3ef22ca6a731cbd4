"""Evaluating a check's expression on objects that somebody else fetched. CEL, with limits on size
and time. Unknown is never a pass.

Functions beside CEL's own: `get(object, "a.b.c", default)` for fields that may be absent,
`unique(list)`, `join(list, separator)`,
`count(list)` as `{value: times}`, `age(timestamp)` in seconds (a double), `quantity("512Mi")` as a
double in base units. Variables: `objects` (list), `self` (in where, each, value), `params` (map of
strings), `now` (timestamp).
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cluster.kube.quantity import parse
from runbooks.model import Query, Source, Step

EXPRESSION_LIMIT = 2_000
OBJECT_LIMIT = 5_000
"""Objects that one expression may see; more are unknown, not a sample: a check that looked at a
part has not passed."""
NODE_LIMIT = 2_000_000
"""Values (numbers, strings, lists, maps) within all objects."""
SECONDS = 2.0


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
    import cel

    if len(expression) > EXPRESSION_LIMIT:
        return f"is longer than {EXPRESSION_LIMIT:,} characters"
    try:
        cel.compile(expression)
    except (ValueError, RuntimeError, TypeError) as error:
        return str(error).splitlines()[0][:200]
    return ""


class _Evaluation:
    def __init__(self, query: Query, params: Mapping[str, str], now: datetime) -> None:
        import cel  # noqa: F401  # 0.2 s and more at the first check, which is not the check's time

        self.query, self.now = query, now
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
            objects = [
                item for item in objects if self._truth(query.where, {"self": item}, "where")
            ]
        if len(objects) < query.minimum:
            noun = _noun(query)
            return CheckOutcome(
                Result.UNKNOWN,
                f"{len(objects)} {noun}",
                f"only {len(objects)} {noun} to look at, {query.minimum} are needed",
            )
        if query.source is Source.COMPARE:
            return self._compare(objects)
        if query.each:
            if not objects:
                return CheckOutcome(
                    Result.UNKNOWN,
                    f"no {_noun(query)}",
                    "nothing to look at: none exist, or they may not be read",
                )
            failing = [
                item for item in objects if not self._truth(query.each, {"self": item}, "each")
            ]
            offenders = tuple(map(_name, failing))
            seen = self._seen(objects) or (
                f"all {len(objects)} {_noun(query)}"
                if not failing
                else f"{len(failing)} of {len(objects)} {_noun(query)} not: {_some(offenders)}"
            )
            return CheckOutcome(Result.FAIL if failing else Result.PASS, seen, offenders=offenders)
        held = self._truth(query.expression, {"objects": objects}, "expression")
        seen = (
            self._seen(objects)
            or f"{len(objects)} {_noun(query)}: {'as expected' if held else 'not as expected'}"
        )
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
            if self.query.seen
            else ""
        )

    def _truth(self, expression: str, more: Mapping[str, Any], name: str) -> bool:
        value = self._value(expression, more, name)
        if not isinstance(value, bool):
            raise ExpressionError(f"{name} gave {type(value).__name__}, not true or false")
        return value

    def _value(self, expression: str, more: Mapping[str, Any], name: str) -> Any:
        import cel  # 0.2 s: only who runs a check pays for it

        if len(expression) > EXPRESSION_LIMIT:
            raise ExpressionError(f"{name} is longer than {EXPRESSION_LIMIT:,} characters")
        if time.monotonic() > self.stop:
            raise ExpressionError(
                f"took longer than {SECONDS:g} s; narrow it by namespace or selector"
            )
        try:
            return cel.evaluate(expression, {**self.variables, **more})
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


def _noun(query: Query) -> str:
    return {
        Source.LOGS: "logs",
        Source.METRICS: "metrics",
        Source.READYZ: "checks of the API server",
    }.get(query.source, query.kind or "objects")


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
