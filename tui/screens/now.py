"""The screen `now`."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.containers import Container
from textual.widget import Widget

from cluster.kube.objects import Ref
from incident.tables.related import first_pod
from incident.view import SymptomView
from text.lines import rule
from text.symptoms import now_title, one_sentence, symptom_lines, why_lines, why_rule
from tui.keys import bindings
from tui.line_pane import Fixed, LinePane
from tui.screens.frame import Frame


class NowScreen(Frame):
    """The symptoms at the left, the reasons at the right."""

    SCOPE = "now"
    BINDINGS = bindings("now")

    def __init__(self) -> None:
        super().__init__()
        self._head = Fixed(classes="head")
        self._why_head = Fixed(classes="head")
        self._symptoms = LinePane(classes="main symptoms")
        self._why = LinePane(classes="why")
        self._match = 0
        """Which of the chosen symptom's runbooks is explained."""

    def body(self) -> Iterable[Widget]:
        with Container(classes="panes"):
            with Container(classes="pane left"):
                yield self._head
                yield self._symptoms
            with Container(classes="pane right"):
                yield self._why_head
                yield self._why

    @property
    def chosen(self) -> SymptomView | None:
        target = self._symptoms.target
        views = self.view.symptoms
        return next(
            (item for item in views if item.symptom.id == target), views[0] if views else None
        )

    @property
    def match_index(self) -> int:
        matches = self.chosen.matches if self.chosen else ()
        return self._match % len(matches) if matches else 0

    def draw(self) -> None:
        view, now = self.view, self.now
        tiny = self.size.width < 60 or self.size.height < 16
        self._head.show(lambda _: [rule(now_title(view, now))])
        self._head.display = not tiny
        self._symptoms.show(lambda _: one_sentence(view, now) if tiny else symptom_lines(view, now))
        item = self.chosen
        index = self.match_index
        self.query_one(".right").display = item is not None and not tiny
        self._why_head.show(lambda _: [why_rule(item, index)])
        self._why.show(lambda _: why_lines(item, index, now, view.record.earlier))

    @on(LinePane.Highlighted)
    def symptom_chosen(self, event: LinePane.Highlighted) -> None:
        if event.pane is self._symptoms:
            self._match = 0
            self._why.scroll_home(animate=False)
            self.draw()

    @on(LinePane.Chosen)
    def symptom_opened(self, event: LinePane.Chosen) -> None:
        if event.pane is self._why:
            kind, namespace, name = event.target.split("|", 2)
            self.stanch.open_object(Ref(kind, namespace, name))
        else:
            self.action_open_runbook()

    def action_other_match(self, by: int) -> None:
        item = self.chosen
        if item and item.matches:
            self._match = (self.match_index + by) % len(item.matches)
            self._why.scroll_home(animate=False)
            self.draw()

    def action_open_runbook(self) -> None:
        item = self.chosen
        if item is None or not item.matches:
            self.stanch.action_choose_runbook(item.symptom.id if item else "")
            return
        self.stanch.open_runbook(item.matches[self.match_index].id, item.symptom.id)

    def action_probe(self) -> None:
        """Plans the probe that would tell what is missing; otherwise the runbook's first probe."""
        item = self.chosen
        if item is None or not item.matches:
            self.stanch.tell(
                "No runbook fits this symptom, so no probe is suggested. Describe it with /, or "
                "choose a runbook with 2.",
                "warning",
            )
            return
        match = item.matches[self.match_index]
        wanted = tuple(reason.step for reason in match.missing if reason.step)
        self.stanch.probe_of(match.id, item.symptom.id, wanted)

    def action_logs(self) -> None:
        item = self.chosen
        pod = first_pod(item.symptom, self.investigation.store) if item else None
        if pod is None:
            self.stanch.tell("No pod belongs to this symptom; find its objects with o.", "warning")
            return
        self.stanch.open_logs(pod)
