"""The filter language of the tables: `restarts>3 age<1h node=node-2 !ready label:app=web crash`.

Terms are separated by spaces and all must hold. A term is `COLUMN OP VALUE` (ops: = != > >= < <= ~
!~; `=` takes several values with commas and, on text, `*`), `label:KEY` with = or != and a value,
`ready` (a finished object is neither ready nor not), the name of another column with a flag, or a
word that occurs anywhere in the row. `!` negates a term. `-l SELECTOR` takes a label selector in
kubectl's syntax, `-n A,B` namespaces. Values with spaces stand in double quotes.
"""

from __future__ import annotations

import fnmatch
import operator as op
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cluster.kube.durations import parse as parse_duration
from cluster.kube.selectors import all_hold
from cluster.kube.selectors import parse as parse_selector
from cluster.live.store import Store
from incident.tables.columns import Column, Type, Value
from incident.tables.health import Health, health

RowTest = Callable[[Any, Store, datetime], bool]
"""(object, store, now) -> whether the row is shown."""

_TERM = re.compile(r'(?:[^\s"]|"[^"]*")+')
_COMPARISON = re.compile(r"^([A-Za-z][\w -]*?)(>=|<=|!=|!~|==|=|>|<|~)(.*)$", re.DOTALL)
_LABEL = re.compile(r"^labels?:([\w./-]+)(?:(!=|==|=)(.*))?$", re.DOTALL)
_OPTION = re.compile(r"(^|\s)(!?-[ln])\s+")
"""`-l SELECTOR` and `-n NAMES`, which become one term."""
_COLON = re.compile(r"^([a-z][a-z ]*):(.*)$", re.DOTALL)
_SIGNS = re.compile(r"[<>=~|&]|^!")
_OPPOSITE = {"=": "!=", ">": "<=", ">=": "<", "~": "!~"}
_OPPOSITE |= {inverse: each for each, inverse in _OPPOSITE.items()}
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "=": op.eq,
    "!=": op.ne,
    ">": op.gt,
    ">=": op.ge,
    "<": op.lt,
    "<=": op.le,
}


class FilterError(ValueError):
    """The message says in one sentence what is wrong with a filter and what to write."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A compiled filter. `timed`: its result changes with time alone."""

    text: str
    tests: tuple[RowTest, ...] = ()
    timed: bool = False

    def holds(self, row: Any, store: Store, now: datetime) -> bool:
        return all(test(row, store, now) for test in self.tests)


def compile_filter(text: str, columns: Sequence[Column], kind: str) -> Filter:
    """Raises FilterError."""
    if text.count('"') % 2:
        raise FilterError('A double quote is not closed; write for example node="node 2".')
    tests: list[RowTest] = []
    timed = False
    for term in _TERM.findall(_OPTION.sub(r"\1\2=", text)):
        test, moves = _term(term, columns, kind)
        tests.append(test)
        timed = timed or moves
    return Filter(text, tuple(tests), timed)


def _term(term: str, columns: Sequence[Column], kind: str) -> tuple[RowTest, bool]:
    negated = term.startswith("!")
    body = term[1:] if negated else term
    if not body.strip('!"'):
        raise FilterError("A “!” stands alone; write for example !ready.")
    if body in ("-l", "-n"):
        raise FilterError("Write for example -l app=web,tier!=test or -n shop,payments.")
    if body.startswith("-l="):
        return _selected(body[3:].strip('"'), negated), False
    if body.startswith("-n="):
        body = f"namespace{body[2:]}"
    if label := _LABEL.match(body):
        return _labelled(label, term, negated), False
    if found := _COMPARISON.match(body):
        operator = "=" if found[2] == "==" else found[2]
        column = _named(found[1].strip().lower(), columns, kind)
        raw = found[3].strip().strip('"')
        if not raw:
            raise FilterError(f"“{term}” has no value; write for example {_example(column)}.")
        if found[3][0] in "=<>~!":
            raise FilterError(f"“{term}” is not understood; write for example {_example(column)}.")
        operator = _OPPOSITE[operator] if negated else operator
        return _comparison(column, operator, raw), column.type in (Type.AGE, Type.TIME)
    if (found := _COLON.match(body)) and any(c.name == found[1] for c in columns):
        raise FilterError(f"“{term}” is not understood; write {found[1]}={found[2] or '…'}.")
    if '"' not in body and _SIGNS.search(body):
        raise FilterError(f"“{term}” is not understood; write for example restarts>3 or web.")
    word = body.strip('"').lower()
    if word == "ready" and body == word:
        wanted = Health.BROKEN if negated else Health.WELL
        return lambda o, store, now: health(o, store) is wanted, False
    flag = next((column for column in columns if column.name == word), None)
    if flag is not None and flag.type in (Type.FLAG, Type.SHARE):
        return _flag(flag, not negated), False
    if flag is not None and negated:  # `!node` means that the column is empty.
        return lambda o, store, now: not flag.value(o, store), False
    return _word(word, columns, not negated), False


def _named(name: str, columns: Sequence[Column], kind: str) -> Column:
    """The column of a name, or the only one whose name begins with it."""
    name = "namespace" if name == "ns" else name
    found = [c for c in columns if c.name == name] or [
        c for c in columns if c.name.startswith(name)
    ]
    if len(found) > 1:
        both = " or ".join(column.name for column in found)
        raise FilterError(f"“{name}” may be the column {both}; write more of it.")
    if not found:
        known = ", ".join(column.name for column in columns)
        raise FilterError(
            f"There is no column “{name}”; {kind} has {known}. Labels are written label:{name}=…."
        )
    return found[0]


def _labelled(found: re.Match[str], term: str, negated: bool) -> RowTest:
    key, operator, raw = found[1], found[2], (found[3] or "").strip().strip('"')
    if operator and not raw:
        raise FilterError(f"“{term}” has no value; write for example label:{key}=web.")
    wanted = (operator != "!=") is not negated
    values = raw.split(",")

    def test(o: Any, store: Store, now: datetime) -> bool:
        labels = o.metadata.labels
        held = labels.get(key) in values if operator else key in labels
        return held is wanted

    return test


def _selected(selector: str, negated: bool) -> RowTest:
    try:
        requirements = parse_selector(selector)
    except ValueError as error:
        raise FilterError(f"“-l {selector}” is not a label selector: {error}.") from None
    if not requirements:
        raise FilterError("“-l” has no selector; write for example -l app=web,tier!=test.")
    return lambda o, store, now: all_hold(requirements, o.metadata.labels) is not negated


def _example(column: Column) -> str:
    return {
        Type.NUMBER: f"{column.name}>3",
        Type.AGE: f"{column.name}<1h",
        Type.TIME: f"{column.name}<10m",
        Type.SHARE: f"!{column.name}",
        Type.FLAG: f"!{column.name}",
    }.get(column.type, f"{column.name}=web*")


def _word(word: str, columns: Sequence[Column], wanted: bool) -> RowTest:
    texts = [column for column in columns if column.type is Type.TEXT]

    def test(o: Any, store: Store, now: datetime) -> bool:
        return any(word in str(column.value(o, store)).lower() for column in texts) is wanted

    return test


def _flag(column: Column, wanted: bool) -> RowTest:
    def test(o: Any, store: Store, now: datetime) -> bool:
        return is_true(column.value(o, store)) is wanted

    return test


def is_true(value: Value) -> bool:
    """A flag as it is; a share is true when k equals n (0/0 is false)."""
    return value[0] >= value[1] > 0 if isinstance(value, tuple) else bool(value)


def _comparison(column: Column, operator: str, raw: str) -> RowTest:
    if column.type is Type.TEXT or operator in ("~", "!~"):
        return _text(column, operator, raw)
    if column.type in (Type.FLAG, Type.SHARE):
        return _flag_or_share(column, operator, raw)
    if column.type is Type.NUMBER:
        try:
            limit = float(raw)
        except ValueError:
            raise FilterError(
                f"“{raw}” is not a number; write for example {_example(column)}."
            ) from None
        return lambda o, store, now: _compare(column.value(o, store), operator, limit)
    seconds = parse_duration(raw)
    if seconds is None:
        raise FilterError(
            f"“{raw}” is not a duration; write for example {column.name}<30m, 1h30m or 2d."
        )
    return lambda o, store, now: _compare_age(column.value(o, store), operator, seconds, now)


def _text(column: Column, operator: str, raw: str) -> RowTest:
    wanted = raw.lower()
    if operator not in ("=", "!=", "~", "!~"):
        raise FilterError(f"The column {column.name} is text: it takes = != ~ !~, not {operator}.")
    if operator in ("~", "!~"):
        return lambda o, store, now: (
            (wanted in _shown(column.value(o, store)).lower()) is (operator == "~")
        )
    # One pattern for all values. A name that contains a comma is matched whole too.
    values = "|".join(map(fnmatch.translate, {wanted, *filter(None, wanted.split(","))}))
    pattern = re.compile(values)
    return lambda o, store, now: (
        (pattern.match(_shown(column.value(o, store)).lower()) is not None) is (operator == "=")
    )


def _flag_or_share(column: Column, operator: str, raw: str) -> RowTest:
    if raw.lower() in ("true", "yes", "false", "no") and operator in ("=", "!="):
        return _flag(column, (raw.lower() in ("true", "yes")) is (operator == "="))
    if column.type is Type.SHARE and "/" in raw and operator in ("=", "!="):
        return lambda o, store, now: (_shown(column.value(o, store)) == raw) is (operator == "=")
    if column.type is Type.SHARE:
        try:
            limit = float(raw)
        except ValueError:
            raise FilterError(
                f"“{raw}” does not fit {column.name}; write !{column.name}, {column.name}=0/1 or "
                f"{column.name}<2."
            ) from None
        return lambda o, store, now: _compare(_first(column.value(o, store)), operator, limit)
    raise FilterError(
        f"The column {column.name} is true or false: write {column.name} or !{column.name}."
    )


def _first(value: Value) -> Value:
    return value[0] if isinstance(value, tuple) else value


def _shown(value: Value) -> str:
    if isinstance(value, tuple):
        return f"{value[0]}/{value[1]}"
    return "" if value is None else str(value)


def _compare(value: Value, operator: str, limit: float) -> bool:
    if not isinstance(value, int):
        return False
    return _COMPARE[operator](value, limit)


def _compare_age(value: Value, operator: str, seconds: float, now: datetime) -> bool:
    """A row without that time matches nothing: unknown is neither old nor young."""
    if not isinstance(value, datetime):
        return False
    age = (now - value).total_seconds()
    if operator in ("=", "!="):
        return (abs(age - seconds) < 1) is (operator == "=")
    return _COMPARE[operator](age, seconds)
