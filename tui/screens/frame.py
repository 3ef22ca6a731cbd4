"""What all screens share: the status line on top, what runs, the line of keys, and the view."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property
from typing import ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.events import DescendantBlur, DescendantFocus
from textual.screen import Screen
from textual.widget import Widget
from textual.worker import Worker, WorkerState

from cluster.kube.objects import Ref
from incident.api import Investigation
from incident.view import View
from text.keys import Keys
from text.status import activity_line, banner_lines, status_lines, two_rows
from text.words import plural
from tui.help import KeysPane, key_line, keys_line
from tui.host import Host
from tui.keys import keys_on
from tui.line_pane import LOOKS, Fixed, LinePane
from tui.navigation import Navigation
from tui.range_pane import RangePane
from tui.search import SearchLine
from tui.text_input import TypedLine


def tell_failure(host: Host, event: Worker.StateChanged) -> None:
    """Shows that a worker failed; the screens stay."""
    if event.state is WorkerState.ERROR:
        worker = event.worker
        host.tell(f"{worker.description or worker.name} failed: {worker.error}", "error")


REDRAWN = 30.0
"""Seconds after which panes are drawn although nothing in them seems to have changed."""


class Frame(Screen[None]):
    """The base of each screen. A visible screen is painted for each new view, at least every two
    seconds, because ages grow."""

    COMPONENT_CLASSES: ClassVar[set[str]] = LOOKS
    SCOPE: ClassVar[str] = ""
    AUTO_FOCUS = ".main"

    def __init__(self) -> None:
        super().__init__()
        self.keys_ready = asyncio.Event()
        """Set when the screen is composed, so that keys find its panes."""
        self._search: SearchLine | None = None
        self._drawn: tuple[object, float] = None, -math.inf
        """The ages in the panes and the monotonic seconds when they were drawn last."""
        self._status_pane = Fixed(classes="status")
        self._banner_pane = Fixed(classes="banner")
        self._activity_pane = Fixed(classes="running")
        self._keys_pane = KeysPane(classes="keys")

    @property
    def stanch(self) -> Navigation:
        return cast("Navigation", self.app)

    @cached_property
    def keys(self) -> Keys:
        """The keys that sentences on this screen name."""
        return keys_on(self.SCOPE, self.stanch.actions)

    @property
    def investigation(self) -> Investigation:
        return self.stanch.investigation

    @property
    def view(self) -> View:
        return self.stanch.view

    @property
    def now(self) -> datetime:
        return self.stanch.clock() + self.view.api.skew

    def compose(self) -> ComposeResult:
        yield self._status_pane
        yield self._banner_pane
        yield from self.body()
        yield self._activity_pane
        yield self._keys_pane

    @property
    def subjects(self) -> Sequence[Ref]:
        """The objects that are shown or chosen: the subjects of `a`."""
        return ()

    @property
    def marked(self) -> Sequence[Ref]:
        """The marked objects: `a` acts on all of them."""
        return ()

    async def settled(self) -> None:
        """Waits until text typed before a key is shown."""

    def body(self) -> Iterable[Widget]:
        """The panes between the status line and the line of keys."""
        return ()

    @property
    def searched(self) -> LinePane | None:
        """The pane to search: the focused one, else the first."""
        if isinstance(self.focused, LinePane):
            return self.focused
        shown = (pane for pane in self.query(LinePane) if pane.display and pane.can_focus)
        return next(shown, None)

    async def action_search(self) -> None:
        """Opens the search line with the words of the last search."""
        pane = self.searched
        if pane is None:
            self.stanch.tell("There is no text to search here.", "warning")
            return
        if self._search is None:
            tell = self.stanch.tell
            self._search = SearchLine(tell, self.paint)
            await self.mount(self._search, before=self._activity_pane)
        self.stanch.end_messages()  # they would stand above the line
        self._search.pane = pane
        self._search.display = True
        self._search.focus()
        self._search.action_search(0)

    async def keep(
        self,
        pane: RangePane,
        what: str,
        about: Sequence[Ref],
        *,
        there: bool = True,
        from_yaml: bool = False,
    ) -> None:
        """The range of a pane, or what it shows, becomes evidence under a note `about` objects;
        `there`: whether it holds anything to keep. `from_yaml`: see `Investigation.note`."""
        texts = pane.kept() if there else []
        if not texts:
            self.stanch.tell("There is no line to keep.", "warning")
            return
        text = "\n".join([f"kept from the {what}", *texts])
        entry = self.investigation.note(text, about, from_yaml=from_yaml)
        await self.investigation.recorded(entry)
        pane.end_range()
        kept = plural(len(texts), "line is", "lines are")
        self.stanch.tell(f"{kept} kept as evidence in the timeline.")

    def draw(self) -> None:
        """Fills the panes, for each new view and when the screen becomes visible again."""

    def ages(self) -> object:
        """The ages that the panes show, to compare; by default never equal, so that each view is
        drawn."""
        return object()

    def paint(self, *, aged: bool = False) -> None:
        """Paints the screen from the view once it is composed, because a view may arrive while it
        opens. `aged`: since the last view only time has passed."""
        if not self.keys_ready.is_set() or not self.is_attached or not self.size.width:
            return
        width, height = self.size
        view, now = self.view, self.now
        self._status_pane.show_lines(status_lines(view, now, width, height, self.keys), width)
        said = banner_lines(view, now, self.keys) if height >= 16 else []
        self._banner_pane.show_lines([row for each in said for row in two_rows(each, width)], width)
        self._banner_pane.display = bool(said)
        running = activity_line(view.activities, now, width, self.keys)
        self._activity_pane.show_lines([running] if running else [], width)
        self._activity_pane.display = running is not None
        before, drawn = self._drawn
        if aged and time.monotonic() - drawn < REDRAWN and self.ages() == before:
            return
        self.show_keys()
        self.draw()
        self._drawn = self.ages(), time.monotonic()

    def show_keys(self) -> None:
        """Fills the line of keys: while a line of input is typed in, what ends it."""
        width, typed = self.size.width, self.focused
        if isinstance(typed, TypedLine):
            row = key_line(typed.KEYS, margin="")
        else:
            row = keys_line(self.SCOPE, width, self.stanch.actions)
        self._keys_pane.show_lines([row], width)

    @on(DescendantFocus)
    @on(DescendantBlur)
    def focus_moved(self, event: DescendantFocus | DescendantBlur) -> None:
        if isinstance(event.widget, TypedLine) and self.keys_ready.is_set() and self.is_attached:
            self.show_keys()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Shows that a worker of this screen failed: the message does not reach the application."""
        tell_failure(self.stanch, event)

    def on_mount(self) -> None:
        self.keys_ready.set()
        self.paint()

    def on_screen_resume(self) -> None:
        self.paint()

    def on_screen_suspend(self) -> None:
        self.stanch.end_messages()

    def on_resize(self) -> None:
        self.paint()
