"""A note in one line, from anywhere, also with no cluster."""

from __future__ import annotations

from typing import cast

from textual.screen import ModalScreen

from incident.record import RecordUnavailable
from timeline.entry import Entry
from tui.dialogs.dialog import Ask
from tui.navigation import Navigation


class NoteDialog(Ask):
    """Stays open and says why when a note could not be recorded. `text` and `refusal`: the note
    that the disk refused before, and why."""

    def __init__(self, text: str = "", refusal: str = "") -> None:
        super().__init__(
            "note",
            [
                "For the record, at this moment in UTC.",
                "-5m text: five minutes ago.   @14:30 text: at that time (UTC).",
            ],
            "what you saw, did or think",
            text,
        )
        self._refused, self._refusal = text, refusal

    def draw(self) -> None:
        super().draw()
        if self._refusal:
            self.complain(self._refusal)

    def take(self, text: str) -> None:
        app = cast("Navigation", self.app)
        if not text:
            self.dismiss(None)
            return
        if text == self._refused and app.refused_note == (self._refused, self._refusal):
            self.complain(self._refusal)  # it waits in memory and is tried again every second
            return
        try:
            entry = app.investigation.note(text)
        except (ValueError, OSError) as error:
            self.complain(str(error))
            return
        self.dismiss(text)
        app.refresh_screens()
        app.run_worker(acknowledge(app, entry, text), exit_on_error=False)


async def acknowledge(app: Navigation, entry: Entry, text: str) -> None:
    """Says whether a note is on disk. A note that the disk refuses goes back into the dialog."""
    try:
        stored = await app.investigation.recorded(entry)
    except RecordUnavailable as error:
        refused = (text, str(error))
        app.refused_note = refused
        app.tell(f"{error}: {text}", "error")
        app.refresh_screens()
        if not isinstance(app.screen, ModalScreen):
            app.action_note()
        await app.investigation.recorded(entry, again=True)
        if app.refused_note == refused:
            app.refused_note = ("", "")
        app.tell(f"Noted now: {text}")
    else:
        where = f"as {stored.seq}" if stored.seq else "beside the record, the file refuses"
        app.tell(f"Noted {where} for {stored.occurred_at:%H:%M:%S} UTC: {stored.text}")
    app.refresh_screens()
