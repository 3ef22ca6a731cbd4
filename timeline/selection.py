"""Selects the entries of a log by words and fields. Row T28 of the timeline reference. Any text is
a valid selection."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from timeline.entry import Entry
from timeline.revisions import RevisedEntry, draft_entries

AROUND: Final = timedelta(minutes=5)
"""`around:` shows this much before and after."""
VIEWS: Final[Mapping[str, str]] = {
    "everything": "",
    "key events": "in:draft",
    "notes and marks": "by:human",
    "changes": "kind:action",
    "measured": "kind:probe-result,step-result",
    "seen": "kind:observation,connectivity",
    "runbooks": "kind:run,match,step",
}
"""Built-in selections by name."""
HELP: Final = (
    "words, and kind:note who:ana by:human phase:mitigate object:web in:draft around:14:30"
)
_TERM: Final = re.compile(r"(kind|who|by|phase|object|in|around):(\S+)")
_CLOCK: Final = re.compile(r"\d{1,2}:\d\d(:\d\d)?")
EntryTest = Callable[[RevisedEntry], bool]


def select(
    lines: Sequence[RevisedEntry], text: str, shown: Callable[[Entry], str]
) -> list[RevisedEntry]:
    """The lines that `text` selects. `shown` gives what a reader sees of an entry: its words are
    looked for there, without regard to case.

    `kind:a,b`, `who:`, `phase:` and `object:` hold a part of the field, `by:` is human, tool or
    cluster, `in:draft` are the key events, `around:` is a time (UTC) or the seq of an entry.
    """
    tests: list[EntryTest] = []
    for part in text.split():
        term = _TERM.fullmatch(part)
        test = _test(term[1], term[2], lines) if term else None
        tests.append(test or _holds(part.casefold(), shown))
    return [line for line in lines if all(test(line) for test in tests)]


def around(entry: Entry) -> str:
    """The selection of entries shortly before and after an entry."""
    return f"around:{entry.occurred_at:%Y-%m-%dT%H:%M:%S}"


def _holds(word: str, shown: Callable[[Entry], str]) -> EntryTest:
    return lambda line: word in shown(line.entry).casefold()


def _test(field: str, value: str, lines: Sequence[RevisedEntry]) -> EntryTest | None:
    """The test of a field. None for an invalid value, which then counts as a word."""
    if field == "in":
        if value != "draft":
            return None
        chosen = {line.original.id for line in draft_entries(lines)}
        return lambda line: line.original.id in chosen
    if field == "around":
        middle = _moment(value, lines)
        if middle is None:
            return None
        return lambda line: abs(line.entry.occurred_at - middle) <= AROUND
    wanted = value.casefold().split(",")
    return lambda line: any(part and part in _field(field, line.entry) for part in wanted)


def _field(field: str, entry: Entry) -> str:
    match field:
        case "kind":
            return f"{entry.kind} {entry.data.get('name', '')}".casefold()
        case "who":
            return f"{entry.actor}@{entry.host}".casefold()
        case "by":
            return entry.time_source
        case "phase":
            return entry.phase
        case _:
            about = entry.data.get("about", ())
            return f"{entry.object or ''} {about}".casefold()


def _moment(value: str, lines: Sequence[RevisedEntry]) -> datetime | None:
    """A seq, a time, or a time of day: of the last day with an earlier entry."""
    if value.isdecimal():
        return next((x.entry.occurred_at for x in lines if str(x.entry.seq) == value), None)
    days = sorted({line.entry.occurred_at.date() for line in lines})
    if _CLOCK.fullmatch(value):
        if not days:
            return None
        value = f"{days[-1]}T{value.rjust(5, '0') if len(value) < 6 else value.rjust(8, '0')}"
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
