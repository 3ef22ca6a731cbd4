"""Names of people in an export: roles by default, so that a report stays blameless. Row T26."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

from timeline.entry import Entry
from timeline.export.document import Outside
from timeline.redaction.redact import Redactor

NameStyle = Literal["role", "initials", "name"]
_SYSTEM: Final = frozenset(
    {
        "root",
        "admin",
        "ubuntu",
        "debian",
        "core",
        "ec2-user",
        "user",
        "stanch",
        "runner",
        "nobody",
        "localhost",
        "vm",
    }
)
_BY_PEOPLE: Final = frozenset({"action-intent", "probe-intent", "run-started", "incident-closed"})
"""Kinds of entries that only a person can begin."""


class People:
    """Turns actors into the names that an export may show, and finds them in text. Leaves system
    accounts in text unchanged."""

    def __init__(self, entries: Sequence[Entry], names: NameStyle, redactor: Redactor) -> None:
        self._redactor = redactor
        actors = list(
            dict.fromkeys(
                entry.actor for entry in sorted(entries, key=lambda entry: entry.seq) if entry.actor
            )
        )
        if names == "name":
            self._shown = {actor: actor for actor in actors}
        elif names == "initials":
            self._shown = {
                actor: "".join(part[0] for part in re.split(r"[\W_]+", actor) if part).upper()
                for actor in actors
            }
        else:
            self._shown = {actor: f"responder {index + 1}" for index, actor in enumerate(actors)}
        hosts = {entry.host for entry in entries if entry.host}
        self._replaced = (
            {}
            if names == "name"
            else {actor: shown for actor, shown in self._shown.items() if actor not in _SYSTEM}
        )
        if names != "name":
            self._replaced |= {host: "workstation" for host in hosts if host not in _SYSTEM}
        words = sorted((word for word in self._replaced if len(word) > 1), key=len, reverse=True)
        self._pattern = (
            re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, words))})(?![\w-])")
            if words
            else None
        )

    def who(self, entry: Entry) -> str | Outside:
        """The person for what a person did or said, else the tool."""
        by_person = entry.time_source == "human" or entry.kind in _BY_PEOPLE
        if not entry.actor or not by_person:
            return "stanch"
        return Outside(self._shown[entry.actor])

    def text(self, text: str) -> Outside:
        """Text from outside, redacted again by the current rules, with names replaced."""
        text, _ = self._redactor.text(text)
        if self._pattern is not None:
            text = self._pattern.sub(lambda match: self._replaced[match.group()], text)
        return Outside(text)
