"""The screen `timeline`: the log beside the draft."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import on
from textual.containers import Container
from textual.widget import Widget

from text.lines import rule
from text.runbook import markdown_lines
from text.timeline import entry_lines, log_lines
from text.words import count
from timeline.entry import Entry
from tui.keys import bindings
from tui.line_pane import Fixed, LinePane
from tui.screens.frame import Frame

WIDE = 110


class TimelineScreen(Frame):
    SCOPE = "timeline"
    STOP_KEY = ""
    BINDINGS = bindings("timeline")

    def __init__(self) -> None:
        super().__init__()
        self._log_head = Fixed(classes="head")
        self._draft_head = Fixed(classes="head")
        self._log = LinePane(classes="main log", follow=True)
        self._draft = LinePane(classes="draft")
        self._lane = "log"
        self._recorded: object = None
        """What the record said of itself when the log was drawn."""
        self._entries: Sequence[Entry] = ()

    def body(self) -> Iterable[Widget]:
        with Container(classes="panes timeline-panes"):
            with Container(classes="pane left"):
                yield self._log_head
                yield self._log
            with Container(classes="pane right"):
                yield self._draft_head
                yield self._draft

    def draw(self) -> None:
        record = self.view.record
        wide = self.size.width >= WIDE
        self.query_one(".left").display = wide or self._lane == "log"
        self.query_one(".right").display = wide or self._lane == "draft"
        if record != self._recorded:
            first = self._recorded is None
            self._recorded = record
            entries = self._entries = self.investigation.entries()
            self._log.show(lambda _: log_lines(entries))
            self.run_worker(self._write_draft(), group="draft", exclusive=True)
            if first:
                self.call_after_refresh(self._log.action_edge, 1)
        title = (
            f"log ─ {count(len(self._entries))} entries"
            if record.state == "ok"
            else f"log ─ {record.reason or record.state}"
        )
        self._log_head.show(lambda _: [rule(title)])
        self._draft_head.show(lambda _: [rule("draft of the post-mortem", "x exports it")])

    async def _write_draft(self) -> None:
        text = await self.investigation.draft()
        self._draft.show(lambda _: markdown_lines(text))

    def action_switch_lane(self) -> None:
        self._lane = "draft" if self._lane == "log" else "log"
        self.draw()
        (self._draft if self._lane == "draft" else self._log).focus()

    def action_export(self) -> None:
        self.run_worker(self._export(), group="export", exclusive=True)

    async def _export(self) -> None:
        try:
            path = await self.investigation.export()
        except (OSError, ValueError, RuntimeError) as error:
            self.stanch.tell(f"The draft could not be written: {error}", "error")
            return
        self.stanch.tell(f"Written to {path}; your own edits in it are kept.")

    @on(LinePane.Chosen)
    def opened(self, event: LinePane.Chosen) -> None:
        """Enter on an entry: all that is recorded of it."""
        entry = next((each for each in self._entries if each.id == event.target), None)
        if entry is not None:
            from tui.screens.reading import Reading

            self.app.push_screen(Reading("entry", lambda _: entry_lines(entry, self.now)))
