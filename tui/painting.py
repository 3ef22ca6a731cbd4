"""Paints the screens from each new view, and tells what happened inside and outside of them."""

from __future__ import annotations

import asyncio
import base64
import math
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from textual.app import App
from textual.constants import DEFAULT_THEME
from textual.screen import ModalScreen
from textual.timer import Timer

from cluster.kube.text import clean_line
from incident.config import Config
from incident.report.reporter import differs
from incident.view import Connection, View
from text.keys import NO_KEYS, Keys, named
from text.symptoms.headline import unread_kinds
from triage.facts.finding import Severity
from tui.host import NoticeLevel
from tui.navigation import Reopen
from tui.screens.frame import Frame
from tui.strips import plain
from tui.themes import HIGH_CONTRAST, THEMES, fixed_theme, readable

if TYPE_CHECKING:
    from incident.api import Investigation

NOTIFY_LIMIT = 10.0
"""Seconds that the command of a notification may run."""
RESIZED = 0.3
"""Seconds without another size after which everything is repainted."""


class PaintingApp(App[int | Reopen]):
    """The part of the application that follows the views of one investigation."""

    def __init__(
        self,
        investigation: Investigation,
        clock: Callable[[], datetime],
        environment: Mapping[str, str],
        config: Config,
    ) -> None:
        self._environment = environment
        self.fixed_theme = fixed_theme(environment)
        """Why only the terminal's own colours can be shown, "" when every theme can."""
        # Set here: set later, Textual turns the terminal's own colours grey, and they become black
        # on black.
        super().__init__(ansi_color=True if self.fixed_theme else None)
        self.investigation = investigation
        self.clock = clock
        self._cadence = investigation.cadence
        self.view: View = investigation.view
        self._unsubscribe: Callable[[], None] = lambda: None
        self._next_paint: Timer | None = None
        self._resized: Timer | None = None
        self._pending = False
        self._changed = True
        """Whether more than the time changed since the last paint."""
        self._key = self._painted = -math.inf
        """Monotonic seconds of the last key and of the last paint."""
        self._running_messages: set[str] = set()
        """Messages that are true only until what runs has ended."""
        self._noticed = ""
        """The last notice of how the record was opened."""
        self._config = config
        self._own_theme = ""
        """The context of the current theme, so that a theme chosen by a key stays."""
        self.register_theme(HIGH_CONTRAST)
        self.theme = THEMES["16 colours" if self.fixed_theme else config.theme]

    @property
    def keys(self) -> Keys:
        """The keys that sentences name, as they are on the screen that is shown."""
        return NO_KEYS

    def get_css_variables(self) -> dict[str, str]:
        variables = super().get_css_variables()
        return variables | readable(variables)

    def follow(self) -> None:
        """Paints each new view from now on."""
        self._unsubscribe = self.investigation.subscribe(self._made)
        self.app_resume_signal.subscribe(self, lambda _: self.set_timer(0.05, self._repaint))

    def refresh_css(self, animate: bool = True) -> None:
        """Skips the first parse of the style sheets, which Textual repeats for each new screen,
        unless the theme changed."""
        if self.theme != DEFAULT_THEME or any(screen.is_mounted for screen in self.screen_stack):
            super().refresh_css(animate)

    def on_resize(self) -> None:
        """Repaints everything when the size rests: of a storm of sizes, what a terminal kept of the
        last ones is not known."""
        if self._resized is not None:
            self._resized.stop()
        self._resized = self.set_timer(RESIZED, self._repaint)

    def _repaint(self) -> None:
        """Repaints everything, also after a return from the shell (ctrl-z, fg), which left its
        text."""
        if self.screen_stack:  # none while the application ends
            for widget in self.screen.walk_children(with_self=True):
                widget.refresh()

    def on_unmount(self) -> None:
        self._unsubscribe()

    def _made(self, view: View) -> None:
        """Takes a view from the task that made it. That task does not know the application, so a
        timer set on it would never fire."""
        self.call_later(self._arrived, view)

    def _arrived(self, view: View) -> None:
        """Paints at once when nothing was painted lately, when the first symptom is found, when all
        kinds have been read or when the API's state changed; else with the next flush, at most ten
        times a second, less often while kinds are read, and not while keys go into a dialog."""
        reading = bool(unread_kinds(view))
        urgent = (
            bool(view.symptoms) > bool(self.view.symptoms)
            or bool(unread_kinds(self.view)) > reading
            or view.api.reach is not self.view.api.reach
        )
        if view.record.notice not in ("", self._noticed):
            self._noticed = view.record.notice
            self.tell(named(self._noticed, self.keys))
        self._follow(view)
        self._changed = self._changed or differs(view, self.view)
        self.view = view
        typing = self._typing()
        if urgent or (self._next_paint is None and not typing):
            self._paint()
        else:
            self._pending = True
        if self._next_paint is None:
            cadence = self._cadence
            least = cadence.paint if view.symptoms and not reading else cadence.reading_paint
            self._next_paint = self.set_timer(cadence.typing if typing else least, self._flushed)

    def _follow(self, view: View) -> None:
        """Applies the theme of the context, and notifies when the settings ask for it."""
        own = self._config.contexts.get(view.context)
        if view.context != self._own_theme and own is not None:
            if own.theme and not self.fixed_theme:
                self.theme = THEMES[own.theme]
            if own.colour:
                self.add_class(f"-{own.colour}")
        self._own_theme = view.context
        if view.api.reach is Connection.LIVE and self.view.api.reach is Connection.LOST:
            self.notify_outside("The API server answers again.")
        known = {item.symptom.id for item in self.view.symptoms}
        for item in view.symptoms if self.view.report is not None else ():
            if item.symptom.id not in known and item.symptom.severity is not Severity.INFO:
                self.notify_outside(f"{item.symptom.severity}: {item.symptom.title}")
                return

    def notify_outside(self, text: str) -> None:
        """Sends the terminal a bell or a notification (OSC 9 or 777), as the settings say."""
        kind, words = self._config.notify, clean_line(text, 120).replace(";", ",")
        if kind == "bell":
            self.bell()
        elif kind == "command":
            self.run_worker(self._run_notify(words), exit_on_error=False, description="notify")
        elif kind != "off":
            code = f"9;stanch: {words}" if kind == "osc9" else f"777;notify;stanch;{words}"
            self._send(f"\x1b]{code}\a")

    async def _run_notify(self, words: str) -> None:
        """Runs the command of the settings, without a shell, for ten seconds at most."""
        quiet = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *self._config.notify_command, words, stdin=quiet, stdout=quiet, stderr=quiet
        )
        try:
            async with asyncio.timeout(NOTIFY_LIMIT):
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()

    def _typing(self) -> bool:
        """Whether keys go into a dialog, and the screen below it was painted recently."""
        above = next(reversed(self.screen_stack), None)  # There is none while the application ends.
        return (
            isinstance(above, ModalScreen)
            and self.since_key() < self._cadence.typing
            and time.monotonic() - self._painted < self._cadence.typed_over
        )

    def since_key(self) -> float:
        """Seconds since a key was pressed."""
        return time.monotonic() - self._key

    def _flushed(self) -> None:
        self._next_paint = None
        if self._pending:
            self._pending = False
            self._arrived(self.view)

    def _paint(self) -> None:
        self._painted = time.monotonic()
        aged, self._changed = not self._changed, False
        for screen in self.screen_stack:
            if isinstance(screen, Frame):
                screen.paint(aged=aged)

    def refresh_screens(self) -> None:
        """A step or a note changed: paint with the next flush."""
        self._changed = True
        self._arrived(self.view)

    def tell(
        self, text: str, level: NoticeLevel = "information", *, while_running: bool = False
    ) -> None:
        """A short message in place of the previous one, unless that is an error; never markup.
        `while_running`: it is true only until what runs has ended (`end_running`)."""
        self.end_messages("warning")
        said = plain(text).plain
        if while_running:
            self._running_messages.add(said)
        self.notify(
            said,
            severity=level,
            markup=False,
            timeout=8 if level == "information" else 15,
        )

    def copy(self, text: str) -> None:
        """Copies a text whole (OSC 52), also through tmux, and says so. tmux passes it on where it
        is allowed to: `set -g set-clipboard on` or `set -g allow-passthrough on`."""
        self.copy_to_clipboard(text)
        if self._environment.get("TMUX"):
            self._send(f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\a")
        self.tell(f"Copied: {text}")

    def _send(self, code: str) -> None:
        """Sends a control sequence to the terminal, through tmux when it runs in one: tmux drops
        those that it does not know (`allow-passthrough on` lets them pass)."""
        if self._environment.get("TMUX"):
            code = "\x1bPtmux;" + code.replace("\x1b", "\x1b\x1b") + "\x1b\\"
        if self._driver is not None:
            self._driver.write(code)

    def end_running(self) -> None:
        """Removes messages about what ran until now: it has ended, or its plan is shown."""
        for each in list(self._notifications):
            if each.message in self._running_messages:
                self._unnotify(each)
        self._running_messages.clear()

    def end_messages(self, *more: NoticeLevel) -> None:
        """Removes messages of level information, which end with their screen, and those of the
        levels in `more`."""
        for each in list(self._notifications):
            if each.severity in ("information", *more):
                self._unnotify(each)
