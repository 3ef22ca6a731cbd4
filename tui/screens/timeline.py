"""The screen `timeline`: the log beside the draft."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from textual import on, work
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Input

from text.keys import named
from text.lines import Line, rule
from text.runbook_page import markdown_lines
from text.timeline import SAVE, entry_lines, log_lines, view_lines
from text.words import count
from timeline.entry import Entry
from timeline.revisions import RevisedEntry, latest
from timeline.selection import HELP, around
from tui.dialogs.dialog import TextPrompt
from tui.keys import bindings
from tui.line_pane import LinePane, PaneHeading
from tui.screens.frame import Frame
from tui.text_input import TypedLine

WIDE = 110


class TimelineScreen(Frame):
    SCOPE = "timeline"
    BINDINGS = bindings("timeline")

    def __init__(self) -> None:
        super().__init__()
        self._log_head = PaneHeading(classes="head")
        self._draft_head = PaneHeading(classes="head")
        self._words = TypedLine(placeholder=HELP, classes="typed filter")
        self._log = LinePane(classes="main log", follow=True)
        self._draft = LinePane(classes="draft")
        log = (self._log_head, self._words, self._log)
        self._left = Container(*log, classes="pane left")
        self._right = Container(self._draft_head, self._draft, classes="pane right")
        self._lane = "log"
        self._folded, self._hidden = True, False
        """Whether objects of probes are one line, and whether hidden entries are shown."""
        self._recorded: object = None
        """The state of the record when the log was drawn."""
        self._entries: Sequence[Entry] = ()

    def body(self) -> Iterable[Widget]:
        yield Container(self._left, self._right, classes="panes timeline-panes")

    def on_mount(self) -> None:
        self._words.display = False

    def draw(self) -> None:
        record = self.view.record
        wide = self.size.width >= WIDE
        self._left.display = wide or self._lane == "log"
        self._right.display = wide or self._lane == "draft"
        if record != self._recorded:
            first = self._recorded is None
            self._recorded = record
            self._draw_log()
            self._work(self._write_draft(), "draft the post-mortem")
            if first:
                self.call_after_refresh(self._log.action_edge, 1)
        state = "" if record.state == "ok" else f" ─ {record.reason or record.state}"
        title = f"log ─ {count(len(self._entries))} entries{state}"
        hint = named("{timeline.filter} filters, {timeline.hide} hides", self.keys)
        hint = hint if self._lane == "log" else ""
        exports = named("{timeline.export} exports it", self.keys)
        self._log_head.show(lambda _: [rule(title, hint)])
        self._draft_head.show(lambda _: [rule("draft of the post-mortem", exports)])

    def _draw_log(self) -> None:
        entries = self._entries = self.investigation.entries()
        words, folded, hidden = self._words.value, self._folded, self._hidden
        keys = self.keys
        self._log.show(lambda _: log_lines(entries, words, folded=folded, hidden=hidden, keys=keys))

    async def _write_draft(self) -> None:
        text = await self.investigation.draft()
        self._draft.show(lambda _: markdown_lines(text))

    # -- keys

    def action_switch_lane(self) -> None:
        self._lane = "draft" if self._lane == "log" else "log"
        self.draw()
        (self._draft if self._lane == "draft" else self._log).focus()

    def _show_log(self) -> bool:
        """Shows the log where only the draft is seen. Returns whether it was shown already, so that
        no key changes an entry that is not seen."""
        seen = self._left.display
        self._lane = "log"
        self.draw()
        if not seen:
            self._log.focus()
        return seen

    def action_filter(self) -> None:
        self._show_log()
        self._words.display = True
        self._words.edit(self._words.value)

    @on(Input.Changed)
    def filter_typed(self, event: Input.Changed) -> None:
        event.stop()
        self._draw_log()

    @on(Input.Submitted)
    def filter_done(self, event: Input.Submitted) -> None:
        event.stop()
        self._words.display = bool(event.value)
        self._log.focus()

    async def action_leave_filter(self) -> None:
        """Escape: first the filter goes, then the screen."""
        if not self._words.display:
            await self.stanch.action_back()
            return
        self._words.value = ""
        self._words.display = False
        self._draw_log()
        self._log.focus()

    def _filter(self, words: str) -> None:
        self._words.value = words
        self._words.display = bool(words)
        self._show_log()
        self._draw_log()
        self._log.focus()

    def action_around(self) -> None:
        """What happened shortly before and after the chosen entry; again shows all."""
        chosen = self._chosen if self._show_log() else None
        if self._words.value.startswith("around:"):
            self._filter("")
        elif chosen is None:
            self.stanch.tell("Choose an entry first.", "warning")
        else:
            self._filter(around(chosen.entry))

    @work(exit_on_error=False)
    async def action_views(self) -> None:
        from tui.dialogs.choice import Choice

        views, now = self.investigation.views(), self._words.value

        def listed(words: str) -> list[Line]:
            rows = view_lines(views, now)
            return [row for row in rows if words.lower() in row.text.lower()]

        chosen = await self.app.push_screen_wait(Choice("which view of the log?", listed))
        if chosen == SAVE:
            await self._save_view(now)
        elif chosen:
            self._filter(views[chosen])

    async def _save_view(self, words: str) -> None:
        name = await self.app.push_screen_wait(TextPrompt("save the view as", [words], "its name"))
        if not name:
            return
        try:
            self.investigation.save_view(name, words)
        except (ValueError, OSError) as error:
            self.stanch.tell(f"The view is not saved: {error}", "error")
        else:
            shows = named("; {timeline.views} shows it, also in other incidents.", self.keys)
            self.stanch.tell(f"Saved as {name}{shows}")

    def action_brief(self) -> None:
        self.stanch.show_brief()

    def action_unfold(self) -> None:
        """Shows every entry, also folded and hidden ones; and back."""
        self._folded, self._hidden = not self._folded, not self._hidden
        self._draw_log()
        self.stanch.tell(
            "Objects of probes are folded, hidden entries are left out."
            if self._folded
            else "Every entry is shown."
        )

    @property
    def _chosen(self) -> RevisedEntry | None:
        return next(
            (each for each in latest(self._entries) if each.original.id == self._log.target), None
        )

    def _revise(self, action: Callable[[RevisedEntry], str], text: str = "") -> None:
        chosen = self._chosen if self._show_log() else None
        if chosen is None:
            self.stanch.tell("Choose an entry first.", "warning")
            return
        revision = self.investigation.revise(chosen.original, action(chosen), text)
        self._work(self._acknowledge(revision), "revise the entry")

    async def _acknowledge(self, revision: Entry) -> None:
        await self.investigation.recorded(revision)
        self.stanch.refresh_screens()

    def action_pin(self) -> None:
        """A pinned entry always stands in the draft."""
        self._revise(lambda each: "unpin" if each.pinned else "pin")

    def action_hide(self) -> None:
        """A hidden entry stays in the record and leaves log and draft."""
        self._revise(lambda each: "unhide" if each.hidden else "hide")

    @work(exit_on_error=False)
    async def action_edit(self) -> None:
        chosen = self._chosen if self._show_log() else None
        if chosen is None:
            self.stanch.tell("Choose an entry first.", "warning")
            return
        dialog = TextPrompt(
            "edit", ["The record keeps how it read before."], value=chosen.entry.text
        )
        text = await self.app.push_screen_wait(dialog)
        if text and text != chosen.entry.text:
            self._revise(lambda _: "edit", text)

    def action_export(self) -> None:
        self._work(self._export(), "export the draft")

    def _work(self, work: Coroutine[Any, Any, None], description: str) -> None:
        """A failure becomes a message instead of ending the program."""
        self.run_worker(
            work, group=description, exclusive=True, exit_on_error=False, description=description
        )

    async def _export(self) -> None:
        self.stanch.tell(f"Written: {await self.investigation.export()}")

    @on(LinePane.Chosen)
    def opened(self, event: LinePane.Chosen) -> None:
        """Enter on an entry opens it in full, with its evidence."""
        chosen = self._chosen
        if chosen is None:
            return
        from tui.screens.reading import Reading

        evidence: dict[str, str] = {}
        page = Reading("entry", lambda _: entry_lines(chosen, self.now, evidence))
        self.app.push_screen(page)
        self._work(self._read_evidence(chosen, evidence, page), "read the evidence")

    async def _read_evidence(
        self, chosen: RevisedEntry, evidence: dict[str, str], page: Frame
    ) -> None:
        for digest in chosen.original.evidence:
            evidence[digest] = await self.investigation.evidence(digest)
            page.paint()
