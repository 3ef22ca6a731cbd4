"""A note in one line, on any screen, also without a cluster. The arrow keys choose its mark."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from textual import on
from textual.screen import ModalScreen
from textual.widgets import Input

from incident.record import RecordUnavailable
from text.lines import Line, rule
from text.timeline import MARKS, mark_lines, marked
from text.words import count
from timeline.entry import Entry
from timeline.metrics import kept
from timeline.note import parse_note
from timeline.story import doubt
from tui.dialogs.dialog import TextPrompt
from tui.navigation import Navigation
from tui.text_input import BlockLine


class NoteDialog(TextPrompt):
    """Stays open with the reason when a note could not be recorded. `text` and `refusal`: an
    earlier note that the disk refused, and why."""

    KEYS = (("enter", "record it"), ("↑ ↓", "what it is"), ("esc", "leave it"))
    ANSWER_FIRST = True
    INPUT = BlockLine

    def __init__(self, text: str = "", refusal: str = "", mark: str = "note") -> None:
        super().__init__("note", [], "text, -5m text or @14:30 text (UTC)", text)
        self._refused, self._refusal, self._mark = text, refusal, mark
        self._remark = ""
        """What was said against the mark."""
        self._warned = False
        """Whether the dialog says that what is typed is redacted."""

    @property
    def block(self) -> str:
        return self._input.block if isinstance(self._input, BlockLine) else ""

    def content(self) -> Sequence[Line]:
        return mark_lines()

    def draw(self) -> None:
        super().draw()
        if self.block:
            rows = count(len(self.block.splitlines()))
            self._heading.show(lambda _: [rule(f"note, with {rows} pasted lines as evidence")])
        if self._refusal:
            self.complain(self._refusal)

    @on(Input.Changed)
    def typed(self, event: Input.Changed) -> None:
        event.stop()
        kept = cast("Navigation", self.app).investigation.redacted(event.value)
        if kept != event.value:
            self.complain(f"The record will hold: {kept}")
        elif self._warned or self.block:
            self.draw()
        self._warned = kept != event.value

    def on_mount(self) -> None:
        self.call_after_refresh(self._body.move_to, self._mark)

    def take(self, text: str) -> None:
        app = cast("Navigation", self.app)
        mark = MARKS.get(self._body.target, MARKS["note"])
        if not text and not mark.alone:
            self.dismiss(None)
            return
        refused = (self._refused, self._refusal)
        if self._refusal and text == self._refused and app.refused_note == refused:
            self.complain(self._refusal)  # It waits in memory and is tried again every second.
            return
        first, _, rest = self.block.partition("\n")
        more = rest if first.strip() in text else self.block
        said = marked(text, mark) + (f"\n{more}" if more else "")
        try:
            draft, past = parse_note(said, datetime.now(UTC)).draft(), app.investigation.entries()
            remark = doubt(past, draft.data.get("name")) or kept(past, draft)
            if remark and remark != self._remark:
                self._remark = remark
                self.complain(f"Enter again records it with the remark: {remark}")
                return
            entry = app.investigation.note(said)
            if mark.pinned:
                app.investigation.revise(entry, "pin")
        except (ValueError, OSError) as error:
            self.complain(str(error))
            return
        self.dismiss(said)
        app.refresh_screens()
        app.run_worker(
            acknowledge(app, entry, said), exit_on_error=False, description="record the note"
        )


async def acknowledge(app: Navigation, entry: Entry, text: str) -> None:
    """Says whether a note is on disk. A note that the disk refuses goes back into the dialog."""
    try:
        stored = await app.investigation.recorded(entry)
    except RecordUnavailable as error:
        refused = (text.partition("\n")[0], str(error))
        app.refused_note = refused
        app.tell(f"{error}: {refused[0]}", "error")
        app.refresh_screens()
        if not isinstance(app.screen, ModalScreen):
            app.action_note()
        await app.investigation.recorded(entry, again=True)
        if app.refused_note == refused:
            app.refused_note = ("", "")
        app.tell(f"Noted now: {refused[0]}")
    else:
        where = f"as {stored.seq}" if stored.seq else "beside the record, which refuses entries"
        mark = f"{stored.data['name']}: " if stored.kind == "milestone" else ""
        app.tell(f"Noted {where} ({stored.occurred_at:%H:%M:%S} UTC): {mark}{stored.text}")
    app.refresh_screens()
