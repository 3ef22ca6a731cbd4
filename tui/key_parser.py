"""Reads Escape and a key that arrive together as two keys.

Over a slow line a terminal's bytes for Escape and Enter come in one read. Textual takes that for
Enter with the alt key and drops the Escape, so that Enter confirms what Escape refused. It tells
letters with alt itself (`alt+q`), which `KeyOrder` takes apart.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual._xterm_parser import XTermParser


class KeyParser(XTermParser):
    """The parser of the terminal's bytes; `install` gives it to Textual's driver."""

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        for event in super()._sequence_to_key_events(sequence, alt):
            if alt and not event.key.startswith("alt+"):
                yield events.Key("escape", "\x1b")
            yield event


def install() -> None:
    """Makes the terminal's driver use it; there is no public way."""
    from textual.drivers import linux_driver

    linux_driver.XTermParser = KeyParser  # type: ignore[attr-defined]  # a name of its module
