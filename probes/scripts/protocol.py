"""The line protocol of the measuring scripts: read from `assets/probe-protocol.json`, which the
drill's shell reads too, so that both keep to one specification."""

from __future__ import annotations

from importlib.resources import files
from typing import Protocol, TypeVar

import msgspec

from cluster.kube.text import NOT_JSON, clean_json


class ScriptKind(msgspec.Struct, frozen=True):
    """One kind of script. `options`: name -> default; `said`: words for what happened; `lines`:
    event -> field -> value of a line without that field."""

    options: dict[str, int | str]
    said: tuple[str, ...]
    lines: dict[str, dict[str, int | str]]


class Specification(msgspec.Struct, frozen=True):
    version: int
    header: str
    kinds: dict[str, ScriptKind]


SPECIFICATION = msgspec.json.decode(
    files("assets").joinpath("probe-protocol.json").read_bytes(), type=Specification
)


def header(kind: str) -> str:
    """The first line of a script. Raises KeyError for a kind that the specification lacks."""
    assert SPECIFICATION.kinds[kind]
    return SPECIFICATION.header.format(kind=kind, version=SPECIFICATION.version)


class ProtocolLine(Protocol):
    """One line: "begin", "end", "try" or the script's own; `count` is that of the line "end"."""

    @property
    def event(self) -> str: ...

    @property
    def count(self) -> int: ...


E = TypeVar("E", bound=ProtocolLine)


def read_lines(text: str, kind: type[E], tries: str) -> tuple[list[E], str]:
    """(lines, reason why they prove nothing, "" when all are there). Skips lines that are not of
    this protocol; `tries` names the measurements in the reason."""
    lines: list[E] = []
    for raw in text.splitlines():
        try:
            lines.append(msgspec.json.decode(clean_json(raw).encode("utf-8", "replace"), type=kind))
        except NOT_JSON:
            continue
    if not any(line.event == "begin" for line in lines):
        return [], "the container printed no result; it may have no shell"
    end = next((line for line in lines if line.event == "end"), None)
    count = sum(1 for line in lines if line.event == "try")
    complete = end is not None and end.count == count
    return lines, "" if complete else f"the output was cut after {count} {tries}"
