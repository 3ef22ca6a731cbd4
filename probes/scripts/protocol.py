"""What a measuring script printed: one JSON object a line, between a line "begin" and a line "end"
that counts the tries."""

from __future__ import annotations

from typing import Protocol, TypeVar

import msgspec


class Event(Protocol):
    """One line: "begin", "end", "try" or the script's own; `count` is that of the line "end"."""

    @property
    def event(self) -> str: ...

    @property
    def count(self) -> int: ...


E = TypeVar("E", bound=Event)


def read_lines(text: str, kind: type[E], tries: str) -> tuple[list[E], str]:
    """(lines, why nothing may be concluded from them, "" when all are there). What is no line of
    ours is skipped."""
    lines: list[E] = []
    for raw in text.splitlines():
        try:
            lines.append(msgspec.json.decode(raw.encode("utf-8", "replace"), type=kind))
        except msgspec.MsgspecError:
            continue
    if not any(line.event == "begin" for line in lines):
        return [], "the container printed no result; it may have no shell"
    end = next((line for line in lines if line.event == "end"), None)
    count = sum(1 for line in lines if line.event == "try")
    return (
        lines,
        ""
        if end is not None and end.count == count
        else f"the output was cut after {count} {tries}",
    )
