"""The screen `now`.

It is the first frame: what no empty screen needs is imported with the first symptom or key, as in
`tui.app`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual import on
from textual.containers import Container
from textual.widget import Widget

from cluster.kube.objects import Ref
from incident.tables.related import first_pod
from incident.view import SymptomView
from text.keys import named
from text.lines import BLANK, Line, layout, line, rule
from text.symptoms.headline import (
    first_sign,
    nothing_read,
    now_title,
    one_sentence,
    unread_kinds,
)
from text.symptoms.listing import axis_lines, symptom_lines
from text.symptoms.why import why_lines, why_rule
from text.words import ago
from tui.keys import bindings
from tui.line_pane import LinePane, PaneHeading
from tui.screens.frame import Frame

HIGH = 36
"""Rows from which the time axis has room."""


class NowScreen(Frame):
    """The symptoms at the left, the reasons at the right."""

    SCOPE = "now"
    BINDINGS = bindings("now")

    def __init__(self) -> None:
        super().__init__()
        self._head = PaneHeading(classes="head")
        self._why_head = PaneHeading(classes="head")
        self._symptoms = LinePane(classes="main symptoms")
        self._why = LinePane(classes="why")
        self._left = Container(self._head, self._symptoms, classes="pane left")
        self._right = Container(self._why_head, self._why, classes="pane right")
        self._match = 0
        """Which runbook of the chosen symptom is explained."""
        self._whole = False
        """Whether the rest of what is known stands below the deciding lines."""
        self._first: tuple[object, list[Line]] = (None, [])
        """The symptom, the runbook and the state of the record that the first thing to do is for,
        and its lines."""

    def body(self) -> Iterable[Widget]:
        yield Container(self._left, self._right, classes="panes")

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

    @property
    def subjects(self) -> Sequence[Ref]:
        return self.chosen.symptom.objects if self.chosen else ()

    def _first_lines(self, item: SymptomView | None, index: int) -> list[Line]:
        """What to do first about a symptom by its runbook."""
        if item is None or not item.matches or not item.matches[index].confident:
            return []
        of = (item, index, self.view.record.entries)
        if self._first[0] != of:
            from text.runbook import first_lines

            symptom_id = item.symptom.id
            try:
                engine = self.investigation.walkthrough
                run = engine.preview(item.matches[index].id, symptom_id)
            except RuntimeError:  # not started yet
                return []
            self._first = of, first_lines(run, symptom_id) if run is not None else []
        return self._first[1]

    def ages(self) -> object:
        """Those of the symptoms on the screen, of the chosen one and of the first sign."""
        view, now = self.view, self.now
        if not view.symptoms:
            return super().ages()  # how old the answers are is shown instead
        shown = {*self._symptoms.visible_targets(), self._symptoms.target}
        begun = [item.symptom.since for item in view.symptoms if item.symptom.id in shown]
        return [ago(since, now) for since in (first_sign(view), *begun)]

    def draw(self) -> None:
        view, now = self.view, self.now
        tiny = self.size.width < 60 or self.size.height < 16
        self._head.show(lambda _: [rule(now_title(view, now))])
        self._head.display = not tiny
        item, index, whole = self.chosen, self.match_index, self._whole
        chosen = item.symptom.id if item else ""
        first = self._first_lines(item, index)
        axis, keys = self.size.height >= HIGH, self.keys

        def left(width: int) -> list[Line]:
            if tiny:
                return one_sentence(view, now)
            seen: list[Line] = []
            if nothing_read(view):
                from text.timeline import remembered_lines

                known = [*view.record.picture, *self.investigation.entries()]
                ids = {each.symptom.id for each in view.symptoms}
                seen = remembered_lines(known, now, ids, 6 if axis else 1)
            if view.symptoms and not axis:  # little room: it stands above what to do first
                return symptom_lines(view, now, chosen, [*seen, *first], keys)
            lines = [*symptom_lines(view, now, chosen, first, keys), *seen]
            return [*lines, BLANK, *axis_lines(view, now, width)] if axis else lines

        self._symptoms.show(left)
        self._right.display = item is not None and not tiny
        self._left.set_class(not self._right.display, "alone")
        self._why_head.show(lambda _: [why_rule(item, index, keys)])
        earlier, own = view.record.earlier, view.record.changed

        def right(width: int) -> list[Line]:
            lines = why_lines(item, index, now, earlier, own=own, keys=keys)
            if whole or len(layout(lines, width)) <= self._why.size.height:
                return lines
            return why_lines(item, index, now, earlier, whole=False, own=own, keys=keys)

        self._why.show(right)

    @on(LinePane.Highlighted)
    def symptom_chosen(self, event: LinePane.Highlighted) -> None:
        if event.pane is self._symptoms:
            self._match, self._whole = 0, False
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

    def action_whole(self) -> None:
        self._whole = not self._whole
        self.draw()

    def action_symptom_objects(self) -> None:
        """The objects of the chosen symptom, to open one; without a symptom the tables."""
        item = self.chosen
        if item is None:
            self.stanch.go("objects")
            return
        if not item.symptom.objects:
            everything = named(" {.objects} lists all.", self.keys)
            self.stanch.tell(f"This symptom names no object.{everything}", "warning")
            return
        from tui.dialogs.choice import Choice

        refs = {str(ref): ref for ref in item.symptom.objects}

        def listed(words: str) -> list[Line]:
            return [
                line(" ", name, target=name)
                for name in refs
                if all(word in name.lower() for word in words.lower().split())
            ]

        all_objects = named("; {.objects} lists all", self.keys)
        self.app.push_screen(
            Choice(f"objects of the symptom{all_objects}", listed),
            lambda name: self.stanch.open_object(refs[name]) if name else None,
        )

    def action_open_runbook(self) -> None:
        item = self.chosen
        if item is not None and not item.ranked:  # the list would open over the one that fits
            again = named("; press {now.open_runbook} again in a moment.", self.keys)
            self.stanch.tell(f"The runbooks are still being read{again}", "warning")
            return
        if item is None or not item.matches:
            self.stanch.action_choose_runbook(item.symptom.id if item else "")
            return
        if unread_kinds(self.view):
            self.stanch.tell(
                "The cluster is still being read: another runbook may fit better in a moment.",
                "warning",
            )
        self.stanch.open_runbook(item.matches[self.match_index].id, item.symptom.id)

    def action_probe(self) -> None:
        """Plans the probe for what is missing, otherwise the runbook's first probe."""
        item = self.chosen
        if item is None:
            self._tell_none_chosen()
            return
        if not item.matches:
            self.stanch.tell(
                "No runbook fits this symptom, so no probe is suggested."
                + named(" {.symptom} describes it in words, enter chooses a runbook.", self.keys),
                "warning",
            )
            return
        match = item.matches[self.match_index]
        wanted = tuple(reason.step for reason in match.missing if reason.step)
        self.stanch.probe_of(match.id, item.symptom.id, wanted)

    def action_logs(self) -> None:
        item = self.chosen
        if item is None:
            self._tell_none_chosen()
            return
        pod = first_pod(item.symptom, self.investigation.store)
        if pod is None:
            self.stanch.tell(
                "No pod of this symptom runs where its log can be read"
                + named("; {now.symptom_objects} lists its objects.", self.keys),
                "warning",
            )
            return
        self.stanch.open_logs(pod)

    def _tell_none_chosen(self) -> None:
        self.stanch.tell("No symptom is chosen: none is shown now.", "warning")
