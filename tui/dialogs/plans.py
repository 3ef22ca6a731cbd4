"""The two gates on screen: the plan of a probe, and the exact change of an action."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from actions.plan import ActionPlan
from incident.view import View
from probes.result import ProbePlan
from text.action_plan import confirmation_lines, effect_lines, refusal
from text.lines import Line, line
from text.probe import plan_lines
from tui.dialogs.dialog import Dialog
from tui.line_pane import Fixed
from tui.text_input import TypedLine


class ProbeDialog(Dialog[bool]):
    """What a probe would do. `y` runs it; Enter and Escape do not."""

    KEYS = (("y", "run the probe"), ("esc enter", "no"), ("↑ ↓", "read on"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "run", show=False),
        Binding("enter,n", "no", "no", show=False, priority=True),
    ]

    def __init__(self, plan: ProbePlan) -> None:
        super().__init__(f"plan of the probe {plan.probe}")
        self._plan = plan

    @property
    def keys(self) -> Sequence[tuple[str, str]]:
        return (("esc enter", "back"),) if self._plan.refused else self.KEYS

    def content(self) -> Sequence[Line]:
        return plan_lines(self._plan)

    def action_yes(self) -> None:
        if not self._plan.refused:
            self.dismiss(True)

    def action_no(self) -> None:
        self.dismiss(False)


class GateDialog(Dialog[str]):
    """The exact change, what it touches, how it is undone; done only when the asked word is typed
    exactly. Default: no."""

    KEYS = (("esc", "no, change nothing"), ("↑ ↓", "read on"))
    AUTO_FOCUS = "TypedLine"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "take it", show=False, priority=True)
    ]

    def __init__(self, plan: ActionPlan, view: View) -> None:
        super().__init__("a change to the cluster")
        self._plan, self._view = plan, view
        self._shut = refusal(plan, view.write)
        self._asked = Fixed(classes="asked")
        """What must be typed stands below what scrolls, so that it is always whole."""
        self._input = TypedLine(
            placeholder=f"type {plan.confirmation} to do it; an empty line or esc: no",
            classes="typed",
        )

    def answers(self) -> Iterable[Widget]:
        yield self._asked
        if not self._shut:
            yield self._input

    def content(self) -> Sequence[Line]:
        return effect_lines(self._plan)

    def draw(self) -> None:
        super().draw()
        self._asked.show(lambda _: confirmation_lines(self._plan, self._view.write))

    def action_take(self) -> None:
        text = self._input.value.strip()
        if self._shut or not text:
            self.dismiss("")
        elif text == self._plan.confirmation:
            self.dismiss(text)
        else:
            wrong = ("That is not it; nothing was changed. ", "warning")
            asked = f"Asked for: {self._plan.confirmation}   "
            self._keys_pane.show(lambda _: [line(" ", wrong, asked, ("esc", "key"), " no")])

    def action_no(self) -> None:
        self.dismiss("")
