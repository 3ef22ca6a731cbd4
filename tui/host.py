"""What an open run needs of the application."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Literal, Protocol

from textual.screen import Screen
from textual.worker import Worker

from incident.api import Investigation
from incident.view import View

Level = Literal["information", "warning", "error"]


class Host(Protocol):
    """The application, to what runs in it."""

    @property
    def investigation(self) -> Investigation: ...

    @property
    def view(self) -> View: ...

    def tell(self, text: str, level: Level = "information") -> None:
        """A short message above the screen."""
        ...

    def notify_outside(self, text: str) -> None:
        """A notification of the terminal, where the settings ask for one."""
        ...

    def refresh_screens(self) -> None:
        """Something of ours changed (a step, a note): paint with the next flush."""
        ...

    def show_brief(self) -> None:
        """The hand-off brief, for the engineer who is called."""
        ...

    def offer_mark(self, mark: str, text: str) -> None:
        """Opens the note with a mark and words to agree to or to change."""
        ...

    def go(self, mode: str) -> None: ...

    async def push_screen_wait(self, screen: Screen[Any]) -> Any: ...

    def run_worker(
        self,
        work: Coroutine[Any, Any, None],
        *,
        group: str = "",
        description: str = "",
        exit_on_error: bool = True,
    ) -> Worker[None]: ...
