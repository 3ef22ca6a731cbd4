"""The prompt for a symptom in words: ranking with each key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Input

from incident.view import Reach
from runbooks.match import Match
from text.lines import rule
from text.matches import chosen_lines, ranking_lines
from tui.help import key_line
from tui.line_pane import Fixed, LinePane
from tui.screens.frame import Frame
from tui.text_input import TypedLine

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
        self._input = TypedLine(
            placeholder="what do you see? words, an alert, a log line", classes="typed"
        )
        self._head = Fixed(classes="head")
        self._ranking = LinePane(classes="main ranking")
        self._why = LinePane(classes="why")
        self._matches: Sequence[Match] = ()

    def body(self) -> Iterable[Widget]:
        yield self._input
        with Container(classes="panes symptom-panes"):
            with Container(classes="pane left"):
                yield self._ranking
            with Container(classes="pane right"):
                yield self._head
                yield self._why

    def draw(self) -> None:
        reach = ""
        if self.view.api.reach in (Reach.LOST, Reach.OFFLINE):
            reach = (
                "Without the cluster: the words alone decide."
                if self.view.report is None
                else "The cluster does not answer: words and the last findings decide."
            )
        text, matches = self._input.value, self._matches
        self._ranking.show(lambda _: ranking_lines(text, matches, reach))
        self._draw_why()
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
        self.query_one(".right").display = chosen is not None and self.size.height >= 16

    @on(Input.Changed)
    def typed(self, event: Input.Changed) -> None:
        event.stop()
        text = event.value.strip()
        self._matches = self.investigation.match_words(text) if text else ()
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
        self._open(self._ranking.target)

    def _open(self, runbook_id: str) -> None:
        if runbook_id:
            self.stanch.open_runbook(runbook_id)

    def action_move(self, by: int) -> None:
        self._ranking.action_move(by)
