"""What an open run needs from the application."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Literal, Protocol

from textual.screen import Screen
from textual.worker import Worker

from incident.api import Investigation
from incident.view import View
from text.keys import Keys

NoticeLevel = Literal["information", "warning", "error"]


class Host(Protocol):
    """The application, as an open run sees it."""

    @property
    def investigation(self) -> Investigation: ...

    @property
    def view(self) -> View: ...

    @property
    def keys(self) -> Keys:
        """The keys that sentences name, as they are on the screen that is shown."""
        ...

    @property
    def planned(self) -> str:
        """What is being planned, "" for nothing; letters that come before its dialog are
        dropped."""
        ...

    @planned.setter
    def planned(self, what: str) -> None: ...

    def tell(
        self, text: str, level: NoticeLevel = "information", *, while_running: bool = False
    ) -> None:
        """A short message above the screen. `while_running`: it ends with `end_running`."""
        ...

    def end_running(self) -> None:
        """Removes the messages about what has ended now."""
        ...

    def notify_outside(self, text: str) -> None:
        """A notification of the terminal, when the settings ask for one."""
        ...

    def refresh_screens(self) -> None:
        """Paint with the next flush, because a step or a note changed."""
        ...

    def show_brief(self) -> None:
        """The hand-off brief, for the engineer who is called."""
        ...

    def offer_mark(self, mark: str, text: str) -> None:
        """Asks whether to set a mark; yes opens the note with it and with words to change."""
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
