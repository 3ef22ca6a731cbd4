"""The prompt for a symptom in words: ranking with each key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Input
from textual.widgets.input import Selection

from incident.view import Connection
from runbooks.match import Match
from text.lines import line, rule
from text.matches import chosen_lines, ranking_lines
from tui.help import key_line
from tui.line_pane import Fixed, LinePane, PaneHeading
from tui.screens.frame import Frame
from tui.text_input import BlockLine

KEYS = (("enter", "open the runbook"), ("↑ ↓", "choose"), ("esc", "back"))


class SymptomScreen(Frame):
    """Words in, ranked runbooks out; up and down choose, enter opens."""

    AUTO_FOCUS = "TypedLine"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "up", show=False),
        Binding("down", "move(1)", "down", show=False),
        Binding("escape", "app.back", "back", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._input = BlockLine(
            placeholder="what do you see? words, an alert, a log line, a paste of many lines",
            classes="typed",
        )
        self._pasted = Fixed(classes="head")
        self._head = PaneHeading(classes="head")
        self._ranking = LinePane(classes="main ranking")
        self._why = LinePane(classes="why")
        self._right = Container(self._head, self._why, classes="pane right")
        self._matches: Sequence[Match] = ()
        self._ready = False
        """Whether words can be ranked."""
        self._opens = False
        """Whether Enter was pressed before that."""

    def body(self) -> Iterable[Widget]:
        yield self._input
        yield self._pasted
        left = Container(self._ranking, classes="pane left")
        yield Container(left, self._right, classes="panes symptom-panes")

    def draw(self) -> None:
        reach = ""
        if self.view.api.reach in (Connection.LOST, Connection.OFFLINE):
            reach = (
                "Without the cluster: the words alone decide."
                if self.view.report is None
                else "The cluster does not answer: words and the last findings decide."
            )
        rows = len(self._input.block.splitlines())
        said = f" {rows} pasted lines are matched; enter keeps them as evidence, ctrl-u clears"
        self._pasted.show(lambda _: [line((said, "key"))] if rows else [])
        self._pasted.display = bool(rows)
        text, matches, ready = self._input.value, self._matches, self._ready
        self._ranking.show(
            lambda _: (
                ranking_lines(text, matches, reach)
                if ready or not text.strip()
                else [line((" reading runbooks …", "muted"))]
            )
        )
        self._draw_why()

    def show_keys(self) -> None:
        self._keys_pane.show_lines([key_line(KEYS)], self.size.width)

    def _draw_why(self) -> None:
        chosen = next(
            (match for match in self._matches if match.id == self._ranking.target),
            self._matches[0] if self._matches else None,
        )
        runbook = next(
            (r for r in self.investigation.runbooks() if chosen and r.id == chosen.id), None
        )
        self._head.show(lambda _: [rule(f"why {chosen.id}")] if chosen else [])
        self._why.show(lambda _: chosen_lines(chosen, runbook))
        self._right.display = chosen is not None and self.size.height >= 16

    def on_mount(self) -> None:
        """Shows again what was typed or pasted before, at first what the page said; typing replaces
        it."""
        self._input.block = self.stanch.searched_symptom[1]
        self._input.value = self.stanch.searched_symptom[0] or self.view.record.summary.page
        self._input.selection = Selection(len(self._input.value), 0)
        self.run_worker(
            self._read_words(), exit_on_error=False, description="read the words of the runbooks"
        )

    async def _read_words(self) -> None:
        await self.investigation.read_words()
        self._ready = True
        self._match()
        if self._opens:
            self._open(self._ranking.target)

    @property
    def _text(self) -> str:
        """The text to match: the pasted block with the text typed beside its first line."""
        typed, block = self._input.value.strip(), self._input.block
        first = block.partition("\n")[0].strip()
        if not block or not typed:
            return typed
        return f"{typed.replace(first, '')}\n{block}".strip()

    @on(Input.Changed)
    def typed(self, event: Input.Changed) -> None:
        event.stop()
        if not event.value.strip():
            self._input.block = ""
        self.stanch.searched_symptom = event.value, self._input.block
        self._match()

    def _match(self) -> None:
        text = self._text
        self._matches = self.investigation.match_words(text) if text and self._ready else ()
        self.draw()
        if self._matches:
            self._ranking.move_to(self._matches[0].id)

    @on(LinePane.Highlighted)
    def moved(self, event: LinePane.Highlighted) -> None:
        if event.pane is self._ranking:
            self._draw_why()

    @on(LinePane.Chosen)
    def chosen(self, event: LinePane.Chosen) -> None:
        self._open(event.target)

    @on(Input.Submitted)
    def submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._opens = not self._ready
        self._open(self._ranking.target)

    def _open(self, runbook_id: str) -> None:
        if not runbook_id:
            return
        if block := self._input.block:
            first, _, rest = block.partition("\n")
            typed = self._input.value.strip()
            self._keep(f"symptom: {typed}\n{rest if first.strip() in typed else block}")
        self.stanch.open_runbook(runbook_id)

    def _keep(self, text: str) -> None:
        """Records the pasted lines: the first as a note, the whole as its evidence."""
        try:
            self.investigation.note(text)
        except (ValueError, OSError) as error:
            self.stanch.tell(f"The pasted lines were not recorded: {error}", "error")

    def action_move(self, by: int) -> None:
        self._ranking.action_move(by)
