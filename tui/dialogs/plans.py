"""The plan of a probe, the exact change of an action, and a change while it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from actions.plan import ActionPlan, ActionResult
from incident.view import View
from probes.result import ProbePlan
from text.action_plan import confirmation_lines, fitting_lines, refusal, result_lines
from text.keys import NO_KEYS, Keys, named
from text.lines import BLANK, Line, layout, line, prose
from text.probe import plan_lines
from tui.dialogs.dialog import FRAME, Dialog
from tui.line_pane import Fixed
from tui.text_input import TypedLine

MOST_ASKED = 4
"""Most rows for the text to type."""
HIGH = 36
"""Rows from which an input has a border (`StanchApp.VERTICAL_BREAKPOINTS`)."""
SHOWN = 8
"""Lines of progress that are shown, the newest ones."""


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
    """The exact change, its effects and its undo. Runs only when the asked word is typed exactly.
    Default: no."""

    KEYS = (("esc", "no, change nothing"), ("↑ ↓", "read on"))
    AUTO_FOCUS = "TypedLine"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "take it", show=False, priority=True)
    ]

    def __init__(self, plan: ActionPlan, view: View, changed: str = "") -> None:
        """`changed`: how the plan differs from the one shown before."""
        super().__init__("a change to the cluster")
        self._plan, self._view = plan, view
        self._changed = prose(changed, "critical") if changed else []
        self._shut = refusal(plan, view.write)
        self._asked = Fixed(classes="asked")
        """The text to type stands below the scrolled part, so that it is always visible."""
        self._input = TypedLine(
            placeholder=f"type {plan.confirmation} to do it; an empty line or esc: no",
            classes="typed",
        )

    def answers(self) -> Iterable[Widget]:
        yield self._asked
        if not self._shut:
            yield self._input

    def lines(self, width: int) -> Sequence[Line]:
        room = self._room(width) - len(layout(self._changed, width))
        return [*self._changed, *fitting_lines(self._plan, width, room)]

    def draw(self) -> None:
        super().draw()
        self._asked.show(lambda _: self._confirmation)

    @property
    def _confirmation(self) -> Sequence[Line]:
        return confirmation_lines(self._plan, self._view.write)

    def _room(self, width: int) -> int:
        """Rows for the plan, so that all of it, the word and the keys are on the screen."""
        height = self.size.height
        typed = 0 if self._shut else 1 if height < HIGH else 3
        asked = min(len(layout(self._confirmation, width)), MOST_ASKED)
        return max(height - FRAME - asked - typed, 5)

    def fit(self) -> None:
        self._body.styles.max_height = self._room(self._body.text_width)

    def action_take(self) -> None:
        text = self._input.value.strip()
        if self._shut or not text:
            self.dismiss("")
        elif text == self._plan.confirmation:
            self.dismiss(text)
        else:
            wrong = ("The text does not match; nothing was changed.  ", "warning")
            self._keys_pane.show(lambda _: [line(" ", wrong, ("esc", "key"), " no")])
            self._input.select_all()  # the next key begins the word anew

    def action_no(self) -> None:
        self.dismiss("")


class ChangeDialog(Dialog[None]):
    """A confirmed change while it is made, then its result. `x` stops it after the current object,
    a second `x` at once; Escape lets it continue."""

    RUNNING = (("x", "stop"), ("esc", "leave it running"), ("↑ ↓", "read on"))
    ENDED = (("enter esc", "close"), ("↑ ↓", "read on"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "stop", "stop", show=False),
        Binding("enter", "close", "close", show=False, priority=True),
    ]

    def __init__(self, plan: ActionPlan, cancel: Callable[[], None], keys: Keys = NO_KEYS) -> None:
        """`cancel` stops it at once. `keys` are those of the screen below."""
        super().__init__(plan.title)
        self._plan, self._cancel, self._below = plan, cancel, keys
        self._progress: list[str] = []
        self._outcome: Sequence[Line] = ()
        self.stopping = False

    @property
    def keys(self) -> Sequence[tuple[str, str]]:
        return self.ENDED if self._outcome else self.RUNNING

    def content(self) -> Sequence[Line]:
        told = [row for text in self._progress[-SHOWN:] for row in prose(text, "muted")]
        now = self._outcome or prose("Checked once more, then made …", "muted")
        return [*prose(self._plan.change.summary, "strong"), BLANK, *told, *now]

    def tell(self, text: str) -> None:
        """One line of its progress."""
        self._progress.append(text)
        self._redraw()

    def end(self, result: ActionResult | None) -> None:
        """Shows the result; None: it was stopped at once."""
        stopped = "Stopped at once. The timeline says whether it was sent; check before you repeat."
        undo = named("  {.act} takes it back", self._below)
        self._outcome = result_lines(result, undo) if result else prose(stopped, "warning")
        self._redraw()

    def _redraw(self) -> None:
        if self.keys_ready.is_set() and self.is_running:
            self.draw()

    def action_stop(self) -> None:
        if self._outcome:
            return
        if self.stopping:
            self._cancel()
            return
        self.stopping = True
        self.tell("Stopping after the current object; the same key again stops at once.")

    def action_close(self) -> None:
        if self._outcome:
            self.dismiss(None)
