"""Handles each key completely before the next one, so that keys of one read act in their order.

Textual passes a key through several queues and looks up its binding at the end. Of `n`, text and
Enter in one read, the text would reach the screen below the dialog that `n` opens.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING, Any

from textual.events import Key, Paste
from textual.screen import ModalScreen

if TYPE_CHECKING:  # the application reads this module
    from textual.app import App

DOUBLE_PRESS = 0.25
"""Seconds within which the same key counts as a double press when a dialog opened or closed in
between: longer than a key bounces or repeats, shorter than a person decides."""
OPENING = 10.0
"""Seconds to wait for a screen that is being composed; then the key is dropped."""
LEAVES = ("escape", "ctrl+c")
"""Keys that may be pressed twice to leave two levels."""


class KeyOrder:
    """Takes the keys and pastes of an application one at a time."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self.double_press = DOUBLE_PRESS
        self._last: tuple[str, float, object] = ("", -math.inf, None)
        """Key, time and screen of the last key."""

    async def take(self, event: Key | Paste) -> bool:
        """Handles an event; returns whether it is finished."""
        app = self._app
        if not app.screen_stack:
            return True  # the program begins or ends: Textual fails on a key without a screen
        if event.is_forwarded:
            return False
        ready: asyncio.Event | None = getattr(app.screen, "keys_ready", None)
        if ready is None:
            return False  # a screen of Textual's own
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(OPENING):
                await ready.wait()
        if not app.is_running or not app.screen_stack or not ready.is_set():
            return True  # The program ends, or the screen has no panes for keys.
        if isinstance(event, Key) and event.key.startswith("alt+") and event.character:
            # Escape and a letter in one read: a terminal sends alt in the same way.
            await self.take(Key("escape", None))
            return await self.take(Key(event.character, event.character))
        typed: Any = app.focused if hasattr(app.focused, "take_key") else None
        if isinstance(event, Paste):
            return bool(typed) and typed.take_paste(event.text)
        if self._doubled(event, bool(typed) and event.is_printable):
            return True
        check = app._check_bindings  # no public call runs the binding of a key at once
        return bool(
            await check(event.key, priority=True)
            or (typed and await typed.take_key(event))
            or await check(event.key)
        )

    def _doubled(self, event: Key, is_text: bool) -> bool:
        """Whether this is the second half of a double press that opened or closed a dialog, and so
        not meant for what is on top now."""
        key, at, screen = self._last
        here = self._app.screen
        changed = here is not screen and (
            isinstance(here, ModalScreen) or isinstance(screen, ModalScreen)
        )
        again = event.key == key and event.time - at < self.double_press
        if again and changed and not is_text and event.key not in LEAVES:
            self._last = (key, event.time, screen)
            return True
        self._last = (event.key, event.time, here)
        return False
