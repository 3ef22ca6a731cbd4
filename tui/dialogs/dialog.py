"""Questions in the middle of the screen; Escape and any unclear answer mean `no`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import ClassVar, Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets.input import Selection

from incident.walkthrough.answers import offered
from incident.walkthrough.run import RunView
from runbooks.model import Step
from text.lines import BLANK, Line, field, line, prose, rule
from text.runbook import question_lines
from tui.help import KeysPane, key_line
from tui.line_pane import LOOKS, Fixed, LinePane
from tui.text_input import TypedLine

T = TypeVar("T")


FRAME = 4
"""Rows for a dialog's border, title and keys."""
UNDECIDED = "\0"
"""Where the cursor stands at first when a choice is required: no choice is the answer by itself."""


class Box(Vertical):
    """The box above the dimmed screen, with styles that fit its background."""

    COMPONENT_CLASSES: ClassVar[set[str]] = LOOKS


class Dialog(ModalScreen[T], Generic[T]):
    """A box with a title, lines to read, something to answer with, and the keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "no", "no", show=False),
        Binding("ctrl+c", "no", "no", show=False),
        Binding("up", "move(-1)", "up", show=False),
        Binding("down", "move(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
    ]
    KEYS: ClassVar[tuple[tuple[str, str], ...]] = (("esc", "back"),)
    AUTO_FOCUS = ".answer"
    ANSWER_FIRST: ClassVar[bool] = False
    """Whether the input stands above the lines: for a list that narrows."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.keys_ready = asyncio.Event()
        """Set when the dialog is composed, so that keys find its input."""
        self._title = title
        self._heading = Fixed(classes="head")
        self._body = LinePane(classes="dialog-body answer")
        self._keys_pane = KeysPane(classes="dialog-keys")

    def compose(self) -> ComposeResult:
        with Box(classes="dialog"):
            yield self._heading
            if self.ANSWER_FIRST:
                yield from self.answers()
            yield self._body
            if not self.ANSWER_FIRST:
                yield from self.answers()
            yield self._keys_pane

    @property
    def keys(self) -> Sequence[tuple[str, str]]:
        """(key, what it does), for the last line of the box."""
        return self.KEYS

    def answers(self) -> Iterable[Widget]:
        return ()

    def content(self) -> Sequence[Line]:
        """The lines to read before answering."""
        return ()

    def lines(self, width: int) -> Sequence[Line]:
        """The lines to read, where they depend on the width."""
        return self.content()

    def on_mount(self) -> None:
        self.keys_ready.set()
        self.draw()

    @property
    def answered(self) -> bool:
        """Whether the dialog has gone, or another one stands above it; so too once the application
        has ended."""
        stack = self.app.screen_stack if self.app.is_running else []
        return not stack or stack[-1] is not self

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """Gives one answer, also when two Enter keys arrive in one read."""
        return AwaitComplete() if self.answered else super().dismiss(result)

    def draw(self) -> None:
        if not self.keys_ready.is_set() or not self.is_attached:
            return
        self.fit()
        self._heading.show(lambda _: [rule(self._title)])
        self._body.show(self.lines)
        self._keys_pane.show(lambda _: [key_line(self.keys)])

    def fit(self) -> None:
        """Gives the lines to read the rows that the frame, the input and the keys leave."""
        typed = sum(pane.outer_size.height for pane in self.query(TypedLine))
        self._body.styles.max_height = max(self.size.height - FRAME - typed, 5)

    def on_resize(self) -> None:
        self.draw()

    def action_move(self, by: int) -> None:
        """Moves the cursor of a list or scrolls the text, also while the input has the focus."""
        self._body.action_move(by)

    def action_page(self, direction: int) -> None:
        self._body.action_page(direction)

    def action_no(self) -> None:
        self.dismiss(None)


class Question(Dialog[bool]):
    """A named key is yes; Enter, Escape and every other key are no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "yes", show=False),
        Binding("enter,n", "no", "no", show=False, priority=True),
    ]

    def __init__(
        self, title: str, texts: Sequence[str], consequence: str, verb: str, refusal: str
    ) -> None:
        """`verb` and `refusal` name the two answers in the line of keys."""
        super().__init__(title)
        self._texts, self._consequence = texts, consequence
        self._verb, self._refusal = verb, refusal

    @property
    def keys(self) -> Sequence[tuple[str, str]]:
        return (("y", self._verb), ("esc", self._refusal))

    def content(self) -> Sequence[Line]:
        lines = [row for text in self._texts for row in prose(text)]
        return [*lines, BLANK, *prose(self._consequence, "muted")]

    def action_yes(self) -> None:
        self.dismiss(True)

    def action_no(self) -> None:
        self.dismiss(False)


class TextPrompt(Dialog[str | None]):
    """One line of text; Escape returns None."""

    KEYS: ClassVar[tuple[tuple[str, str], ...]] = (("enter", "take it"), ("esc", "leave it"))
    AUTO_FOCUS = "TypedLine"
    INPUT: ClassVar[type[TypedLine]] = TypedLine
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "take it", show=False, priority=True)
    ]

    def __init__(
        self,
        title: str,
        texts: Sequence[str],
        placeholder: str = "",
        value: str = "",
        required: bool = True,
        choices: Sequence[tuple[str, str]] = (),
    ) -> None:
        """`choices`: (value, why it fits), of which an empty line takes the chosen one."""
        super().__init__(title)
        self._texts, self._required, self._choices = texts, required, choices
        self._input = self.INPUT(value=value, placeholder=placeholder, classes="typed")
        self._input.selection = Selection(len(value), 0)  # selected, and its beginning is shown

    def answers(self) -> Iterable[Widget]:
        yield self._input

    @property
    def keys(self) -> Sequence[tuple[str, str]]:
        return (("↑ ↓", "choose"), *self.KEYS) if self._choices else self.KEYS

    def content(self) -> Sequence[Line]:
        lines = [row for text in self._texts for row in prose(text)]
        if self._choices and self._required:
            lines.append(line(" ", ("not chosen yet", "unknown"), target=UNDECIDED))
        for value, reason in self._choices:
            lines.append(field(value, (reason, "muted"), style="key", size=24, target=value))
        return lines

    def action_move(self, by: int) -> None:
        super().action_move(by)
        self.draw()  # the keys come back after a complaint

    def action_take(self) -> None:
        if not self.answered:
            chosen = self._body.target if self._choices else ""
            self.take(self._input.value.strip() or ("" if chosen == UNDECIDED else chosen))

    def take(self, text: str) -> None:
        if text or not self._required:
            self.dismiss(text)
        else:
            first = "Choose one with ↑ ↓ or type" if self._choices else "Type something"
            self.complain(f"{first}, or leave with esc.")

    def complain(self, problem: str) -> None:
        """Shows a sentence in the place of the keys; the input keeps its text."""
        self._keys_pane.show(lambda _: [line(" ", (problem, "warning"), hang=1)])


def by_hand(question: str, command: str = "") -> TextPrompt:
    """Asks what a person did for a step; `command` is proposed."""
    texts = [question, "What did you do? The record keeps it as an action."]
    return TextPrompt("done by hand", texts, "what you did", command)


class Answers(Dialog[str]):
    """The answers that a step offers, one to be chosen."""

    KEYS = (("↑ ↓ 1-9", "choose"), ("enter", "this one"), ("esc", "not now"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "this one", show=False, priority=True),
        *(Binding(str(n), f"pick({n})", "this one", show=False) for n in range(1, 10)),
    ]

    def __init__(self, step: Step, run: RunView, problem: str = "") -> None:
        """`problem`: why the last answer was refused."""
        super().__init__("your answer")
        self._step, self._problem = step, problem
        self._values = run.values(step.id)

    def action_pick(self, number: int) -> None:
        """Puts the cursor on an answer; enter gives it."""
        answers = offered(self._step)
        if number <= len(answers):
            self._body.move_to(answers[number - 1])

    def action_take(self) -> None:
        if self._body.target:
            self.dismiss(self._body.target)

    def content(self) -> Sequence[Line]:
        refused = prose(self._problem, "warning") if self._problem else []
        return [*refused, *question_lines(self._step, self._values)]

    @on(LinePane.Chosen)
    def chosen(self, event: LinePane.Chosen) -> None:
        self.dismiss(event.target)
