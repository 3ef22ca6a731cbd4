"""Pages to read and search: help, the connection, an entry, a whole runbook."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from text.connection import connection_lines
from text.lines import rule
from tui.help import help_lines
from tui.keys import bindings
from tui.line_pane import Build, LinePane, PaneHeading
from tui.screens.frame import Frame


class Reading(Frame):
    """A title and lines."""

    SCOPE = "reading"
    BINDINGS = bindings("reading")

    def __init__(self, title: str, build: Build) -> None:
        super().__init__()
        self._title, self._build = title, build
        self._head = PaneHeading(classes="head")
        self._lines = LinePane(classes="main whole")

    def body(self) -> Iterable[Widget]:
        yield self._head
        yield self._lines

    def draw(self) -> None:
        self._head.show(lambda _: [rule(self._title)])
        self._lines.show(self._build)


class HelpScreen(Reading):
    def __init__(self, scope: str) -> None:
        super().__init__("help", lambda _: help_lines(scope, self.stanch.actions))


class ConnectionScreen(Reading):
    """The ladder to the API server, and what is known of each kind."""

    def __init__(self) -> None:
        super().__init__("connection", lambda _: connection_lines(self.view, self.now))
