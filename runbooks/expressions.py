"""Evaluates CEL expressions in time that grows with the number of objects alone.

Comprehensions of the CEL package copy their list at each step, and handing an object to CEL costs
ten times what most conditions do. So lists are evaluated item by item with one compiled program,
CEL gets only the fields that the expression reads, and items with equal fields are evaluated once.

Functions beside CEL's own: `get(object, "a.b.c", default)` for fields that may be absent,
`unique(list)`, `join(list, separator)`, `count(list)` as `{value: times}`, `age(timestamp)` in
seconds (a double), `quantity("512Mi")` as a double in base units.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import compress
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from cluster.kube.quantity import parse

EXPRESSION_LIMIT = 2_000
"""Characters of one expression."""
SIZE_LIMIT = 20_000_000
"""Bytes, as JSON, that one evaluation hands to CEL."""
KEPT = 4_000
"""Bytes, as JSON, of the fields whose result is kept for items with equal fields."""
SECONDS = 5.0
"""Time limit of one check."""


class ExpressionError(ValueError):
    """The expression cannot be read, or cannot be answered on these objects."""


class _Read(NamedTuple):
    """A variable in place of `root`'s field at `path`. Without a default the expression fails where
    the field is absent, and the variable is None."""

    variable: str
    root: str
    path: str
    default: Any


class _Loop(NamedTuple):
    """A macro over a list: `variable` is `items.method(name, body)`."""

    variable: str
    items: str
    method: str
    name: str
    body: str


class _Plan(NamedTuple):
    """An expression in which fields and the results of macros are variables."""

    text: str
    reads: tuple[_Read, ...]
    loops: tuple[_Loop, ...]


_STRING = r'"(?:[^"\\]|\\.)*"|' + r"'(?:[^'\\]|\\.)*'"
_READS = re.compile(
    rf'\bget\((\w+), "([\w.]+)", (\[\]|\{{\}}|"[^"\\]*"|-?\d+(?:\.\d+)?|true|false)\)'
    rf"|(?<![\w.])([a-z]\w*)((?:\.\w+(?![\w(]))+)|{_STRING}"
)
_MACRO = re.compile(
    rf"{_STRING}|(?<![\w.])([a-z]\w*)\.(all|exists|filter|map)\((\w+),|(?<![\w.])([a-z]\w*)\.size\(\)"
)
_MACROS = frozenset({"all", "exists", "exists_one", "filter", "map"})


def compile_problem(expression: str) -> str:
    """Why the expression cannot be compiled, "" when it can. For lint."""
    if len(expression) > EXPRESSION_LIMIT:
        return f"is longer than {EXPRESSION_LIMIT:,} characters"
    try:
        _program(expression)
    except (ValueError, RuntimeError, TypeError) as error:
        return str(error).splitlines()[0][:200]
    return ""


def of_each(expression: str) -> tuple[str, str]:
    """The condition on one object and the object's name, when the expression as a whole is
    `objects.all(name, condition)`; else two empty strings."""
    plan = _plan(expression.strip(), ("objects",))
    loop = plan.loops[0] if len(plan.loops) == 1 else None
    if loop is None or loop.method != "all" or plan.text != loop.variable:
        return "", ""
    return loop.body, loop.name


class Evaluator:
    """Evaluates the expressions of one check, within SECONDS. `variables` are the same for all
    objects."""

    def __init__(self, now: datetime, variables: Mapping[str, Any]) -> None:
        _program("true")  # the import of the CEL package takes 0.2 s, which is not the check's time
        self._variables = {"now": now, **_functions(now), **variables}
        self._stop = time.monotonic() + SECONDS
        self._known: dict[tuple[str, str], dict[bytes, Any]] = {}

    def value(self, expression: str, objects: Mapping[str, Any]) -> Any:
        """The value of the expression; `objects` are its variables that hold what was fetched.
        Raises ExpressionError."""
        if len(expression) > EXPRESSION_LIMIT:
            raise ExpressionError(f"is longer than {EXPRESSION_LIMIT:,} characters")
        plan = _plan(expression, tuple(objects))
        bound = dict(objects)
        for read in plan.reads:
            bound[read.variable] = get(objects[read.root], read.path, read.default)
        if any(bound[read.variable] is None for read in plan.reads):
            return self._run(expression, objects)
        try:
            for loop in plan.loops:
                bound[loop.variable] = self._loop(loop, bound)
        except ExpressionError:  # CEL may not need what failed: `false && …`
            return self._run(expression, objects)
        return self._run(plan.text, bound)

    def each(
        self,
        expression: str,
        name: str,
        items: Iterable[Any],
        around: Mapping[str, Any] = MappingProxyType({}),
    ) -> Iterator[Any]:
        """The value of the expression for each item, which it calls `name`; an ExpressionError in
        its place for an item without one. `around`: further variables."""
        plan = _plan(expression, (name, *around))
        known = self._known.setdefault((expression, name), {})
        paths = [(read.path.split("."), read.default) for read in plan.reads]
        if name in _names(plan.text):
            paths.append(([], None))
        for item in items:
            try:
                if around or plan.loops:
                    yield self.value(expression, {**around, name: item})
                    continue
                fields = [_field(item, path, default) for path, default in paths]
                key = msgspec.json.encode(fields)
                if key not in known:
                    value = self.value(expression, {name: item})
                    if len(key) > KEPT:
                        yield value
                        continue
                    known[key] = value
                yield known[key]
            except (ExpressionError, TypeError) as error:
                yield error if isinstance(error, ExpressionError) else ExpressionError(str(error))

    def _loop(self, loop: _Loop, bound: Mapping[str, Any]) -> Any:
        items = bound[loop.items]
        if not isinstance(items, list | tuple | dict):
            raise ExpressionError(f"cannot be answered: {loop.method} needs a list")
        if loop.method == "size":
            return len(items)
        # What the body reads beside its item.
        around = {name: bound[name] for name in _names(loop.body) & bound.keys() - {loop.name}}
        found = list(self.each(loop.body, loop.name, items, around))
        decided = {"all": False, "exists": True}.get(loop.method)
        if decided is not None and any(one is decided for one in found):
            return decided
        wrong = next((one for one in found if isinstance(one, ExpressionError)), None)
        if wrong is not None:
            raise wrong
        if loop.method == "map":
            return found
        if not all(isinstance(one, bool) for one in found):
            raise ExpressionError(f"cannot be answered: {loop.method} needs a condition")
        return [*compress(items, found)] if loop.method == "filter" else not decided

    def _run(self, expression: str, bound: Mapping[str, Any]) -> Any:
        if time.monotonic() > self._stop:
            raise ExpressionError(
                f"took longer than {SECONDS:g} s; narrow it by namespace or selector"
            )
        names = _names(expression)
        given = {name: bound[name] for name in names & bound.keys()}
        used = {name: self._variables[name] for name in names & self._variables.keys()}
        try:
            size = len(msgspec.json.encode(given))
            if size > (SIZE_LIMIT if _MACROS.isdisjoint(names) else SIZE_LIMIT // 100):
                raise ExpressionError("reads too much at once; narrow it by namespace or selector")
            return _program(expression).execute({**used, **given})
        except ExpressionError:
            raise
        # CEL raises whatever the expression meets, KeyError for a missing field: all of it is
        # unknown.
        except Exception as error:
            said = next(iter(str(error).splitlines()), type(error).__name__)
            raise ExpressionError(f"cannot be answered: {said[:200]}") from error


@lru_cache(maxsize=512)
def _program(expression: str) -> Any:
    """Compiled once. Raises ValueError for what is no CEL."""
    import cel  # at the first check: the import takes 0.2 s and more

    return cel.compile(expression)


@lru_cache(maxsize=512)
def _names(expression: str) -> frozenset[str]:
    """The words of an expression. Variables that it does not name are not handed over."""
    return frozenset(re.findall(r"[a-z]\w*", re.sub(_STRING, "", expression)))


@lru_cache(maxsize=512)
def _plan(expression: str, roots: tuple[str, ...]) -> _Plan:
    reads: dict[str, _Read] = {}

    def place(match: re.Match[str]) -> str:
        root = match[1] or match[4]
        if root not in roots or "has(" in expression:
            return match[0]
        default = json.loads(match[3]) if match[1] else None
        read = _Read(f"read_{len(reads)}", root, match[2] or match[5][1:], default)
        return reads.setdefault(match[0], read).variable

    text, loops = _READS.sub(place, expression), []
    known = {*roots, *(read.variable for read in reads.values())}
    start = 0
    while (match := _MACRO.search(text, start)) is not None:
        items = match[1] or match[4]
        start = match.end()
        end = match.end() if match[4] else _closing(text, match.end())
        body = "" if match[4] else text[match.end() : end - 1].strip()
        if items not in known or end == 0 or not _names(body).isdisjoint({*roots} - {match[3]}):
            continue
        loop = _Loop(
            f"loop_{match.start()}_{len(known)}", items, match[2] or "size", match[3], body
        )
        known.add(loop.variable)
        loops.append(loop)
        text = text[: match.start()] + loop.variable + text[end:]
        start = match.start()
    return _Plan(text, tuple(reads.values()), tuple(loops))


def _closing(text: str, start: int) -> int:
    """Where the bracket that is open at `start` is closed, 0 when a comma comes first."""
    depth = 1
    for match in re.compile(rf"{_STRING}|[()\[\]{{}},]").finditer(text, start):
        depth += (match[0] in "([{") - (match[0] in ")]}")
        if depth == 0:
            return match.end()
        if match[0] == "," and depth == 1:
            return 0
    return 0


# ---- functions


def get(item: Any, path: str, default: Any) -> Any:
    """The field at a dotted path, `default` when it is absent or null. Numbers index lists."""
    return _field(item, str(path).split("."), default)


def _field(item: Any, path: Sequence[str], default: Any) -> Any:
    for part in path:
        if isinstance(item, dict) and part in item:
            item = item[part]
        elif isinstance(item, list) and part.isdecimal() and int(part) < len(item):
            item = item[int(part)]
        else:
            return default
    return default if item is None else item


def quantity(text: Any) -> float:
    """A Kubernetes quantity (`250m`, `512Mi`, `1e3`) in base units. Raises ValueError."""
    value = parse(str(text))
    if value is None:
        raise ValueError(f"{str(text)[:40]!r} is not a quantity")
    return value


def plain(value: Any) -> str:
    """A value of CEL as text for a person."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(item)}" for key, item in sorted(value.items()))
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    return str(value)


def _functions(now: datetime) -> dict[str, Callable[..., Any]]:
    def count(items: list[Any]) -> dict[str, int]:
        times: dict[str, int] = {}
        for text in map(plain, items):
            times[text] = times.get(text, 0) + 1
        return times

    def age(moment: Any) -> float:
        when = moment
        if not isinstance(when, datetime):
            when = datetime.fromisoformat(str(moment).replace("Z", "+00:00"))
        return (now - (when if when.tzinfo else when.replace(tzinfo=UTC))).total_seconds()

    return {
        "get": get,
        "unique": lambda items: list({plain(item): item for item in items}.values()),
        "count": count,
        "join": lambda items, separator: str(separator).join(map(plain, items)),
        "age": age,
        "quantity": quantity,
    }
