"""A note in one line, from anywhere, also with no cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tui.screens.dialogs import Ask

if TYPE_CHECKING:
    from tui.app import StanchApp


class NoteDialog(Ask):
    """Stays open with one sentence when the note could not be taken, so that nothing typed is
    lost."""

    def __init__(self) -> None:
        super().__init__(
            "note",
            [
                "For the record, at this moment in UTC.",
                "-5m text: five minutes ago.   @14:30 text: at that time (UTC).",
            ],
            "what you saw, did or think",
        )

    def take(self, text: str) -> None:
        app = cast("StanchApp", self.app)
        if not text:
            self.dismiss(None)
            return
        try:
            entry = app.investigation.note(text)
        except (ValueError, OSError) as error:
            self.complain(str(error))
            return
        self.dismiss(text)
        where = "beside the record, the file refuses" if entry.pending else f"as {entry.seq}"
        app.tell(f"Noted {where}: {text}")
        app.refresh_screens()
