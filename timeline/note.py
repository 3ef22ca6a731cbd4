"""Quick capture: one line with an optional time in front.

``text`` · ``-5m text`` · ``-1h30m text`` · ``@14:30 text`` · ``@14:30-14:45 text`` · ``@~14:30
text`` · ``@2026-11-21T14:30Z text``. Clock times without a date or zone are UTC and of today: one
that lies ahead is refused, since it may as well be a mistake of an hour.

Of a pasted block the first line is the note, and the whole is evidence under it.

The text may say what it is: ``!started``, ``!detected``, ``!acknowledged``, ``!mitigated``,
``!resolved`` (with or without words after it) state a milestone; ``? ...`` is an open question;
``todo: ...``, ``factor: ...``, ``hypothesis: ...`` and ``ruled out: ...`` are what they say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec

from timeline.entry import MILESTONES, Capture, EntryKind, NewEntry, Precision

_AGO: Final = re.compile(r"^-(?=\d)((?:\d+(?:d|h|m|s))+)(?:\s+(.*))?$", re.S)
_UNITS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_AT: Final = re.compile(
    r"^@(~?)((?:\d|\d{4}-\d\d-\d\d[ T]\d)[^\s]*(?:(?<=\d\d-\d\d)\s\d\d:\d\d\S*)?)(?:\s+(.*))?$",
    re.S,
)
_CLOCK: Final = r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?"
_MOMENT: Final = re.compile(rf"^(?:(\d{{4}}-\d\d-\d\d)[T ])?{_CLOCK}(Z|[+-]\d\d:?\d\d)?$")
_AHEAD: Final = timedelta(minutes=2)
_MILESTONE: Final = re.compile(rf"^!({'|'.join(MILESTONES)})\b:?(.*)$", re.S | re.I)
_PREFIXES: Final[tuple[tuple[str, EntryKind, Mapping[str, str]], ...]] = (
    ("? ", "question", {}),
    ("todo:", "follow-up", {}),
    ("factor:", "contributing-factor", {}),
    ("hypothesis:", "hypothesis", {"status": "open"}),
    ("ruled out:", "hypothesis", {"status": "ruled-out"}),
)


LINE: Final = 1000
"""Most characters of a note on its line; a longer one becomes evidence."""


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed line. `occurred_at` is None for "now"."""

    text: str
    occurred_at: datetime | None = None
    occurred_end: datetime | None = None
    precision: Precision = "exact"

    def draft(self, actor: str = "") -> NewEntry:
        """The draft of a `note` entry, or of the kind that the text marks. A pasted block becomes
        evidence under its first line."""
        first, _, more = self.text.partition("\n")
        rows = len([row for row in more.splitlines() if row.strip()])
        pasted = rows > 0 or len(first) > LINE
        kind, text, data = _told(f"{first[:LINE]} …" if len(first) > LINE else first)
        behind = f" (and {rows} more line{'s' if rows > 1 else ''})" if rows else ""
        return NewEntry(
            kind=kind,
            text=f"{text}{behind}",
            data=data,
            captures=(Capture(content=self.text.encode(), source="pasted"),) if pasted else (),
            actor=actor,
            occurred_at=self.occurred_at,
            occurred_end=self.occurred_end,
            occurred_precision=self.precision,
            time_source="human",
            confidence="reported",
        )


def _told(text: str) -> tuple[EntryKind, str, dict[str, str]]:
    """Kind, words and data of a text with a mark."""
    if match := _MILESTONE.match(text):
        return "milestone", (match[2] or "").strip() or match[1].lower(), {"name": match[1].lower()}
    for prefix, kind, data in _PREFIXES:
        if text[: len(prefix)].lower() == prefix and text[len(prefix) :].strip():
            return kind, text[len(prefix) :].strip(), dict(data)
    return "note", text, {}


def parse_note(line: str, now: datetime) -> Note:
    """Parse one line (a pasted block is fine) written at `now`.

    Raises ValueError with one sentence for a time that does not exist or lies ahead, and for an
    empty note.
    """
    line = line.encode("utf-8", "backslashreplace").decode().strip()  # bytes that are no UTF-8
    note = _parse(line, now.astimezone(UTC))
    if not note.text:
        raise ValueError("the note has no text; write what you saw after the time")
    return note


def _parse(line: str, now: datetime) -> Note:
    if ago := _AGO.match(line):
        parts = re.findall(r"(\d+)([dhms])", ago[1])
        seconds = sum(int(number) * _UNITS[unit] for number, unit in parts)
        if seconds > 366 * 86400:
            raise ValueError(
                f"-{ago[1]} is more than a year ago; give a date, as in @2026-11-21T14:30Z"
            )
        precision: Precision = "second" if parts[-1][1] == "s" else "minute"
        return Note(
            text=(ago[2] or "").strip(),
            occurred_at=now - timedelta(seconds=seconds),
            precision=precision,
        )
    if not (at := _AT.match(line)):
        return Note(text=line)
    end: datetime | None = None
    first, dash, last = at[2], "", ""
    if span := re.fullmatch(r"(.*\d\d:\d\d(?::\d\d)?Z?)-(\d{1,2}:\d\d(?::\d\d)?Z?)", at[2]):
        first, dash, last = span[1], "-", span[2]
    start, to_second = _moment(first, now, None)
    if dash:
        end, _ = _moment(last, now, start.date())
        if end < start:
            end += timedelta(days=1)
        precision = "range"
    else:
        precision = "approx" if at[1] else ("second" if to_second else "minute")
    if start > now + _AHEAD:
        day = start - timedelta(days=1)
        raise ValueError(
            f"@{at[2]} lies ahead of now ({now:%Y-%m-%d %H:%M} UTC); times are UTC, another day is "
            f"written as in @{day:%Y-%m-%dT%H:%M}Z"
        )
    return Note(
        text=(at[3] or "").strip(), occurred_at=start, occurred_end=end, precision=precision
    )


def _moment(text: str, now: datetime, day: date | None) -> tuple[datetime, bool]:
    match = _MOMENT.match(text)
    if not match:
        raise ValueError(f"@{text} is no time; write @14:30, @14:30:05 or @2026-11-21T14:30Z")
    zone = match[5] or "Z"
    written = match[1] or (day or now.date()).isoformat()
    try:
        moment = datetime.fromisoformat(
            f"{written}T{int(match[2]):02}:{match[3]}:{match[4] or '00'}{zone}"
        ).astimezone(UTC)
    except ValueError as error:
        raise ValueError(
            f"@{text} is no time that exists; write @14:30 or @2026-11-21T14:30Z"
        ) from error
    return moment, match[4] is not None
