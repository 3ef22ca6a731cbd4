"""The screen of a kind that is not watched: the server's table of it at one time."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.widget import Widget

from cluster.kube.objects import Ref
from incident.other_kinds import OtherKind, ServerTable
from text.keys import named
from text.lines import line, rule
from text.object_table import ref_of, table_lines
from text.words import clock, count
from tui.keys import bindings
from tui.line_pane import Fixed, LinePane, PaneHeading
from tui.screens.frame import Frame


class OtherObjectsScreen(Frame):
    SCOPE = "other"
    BINDINGS = bindings("other")

    def __init__(self, kind: OtherKind) -> None:
        super().__init__()
        self._kind = kind
        self._head = PaneHeading(classes="head")
        self._state = Fixed(classes="state")
        self._pane = LinePane(classes="main whole")

    def body(self) -> Iterable[Widget]:
        yield self._head
        yield self._state
        yield self._pane

    def on_mount(self) -> None:
        self.action_read()

    def draw(self) -> None:
        self._head.show(lambda _: [rule(f"{self._kind.plural} ({self._kind.api_version})")])

    def action_read(self) -> None:
        """Read the table again."""
        self._state.show(lambda _: [line(" ", ("reading …", "unknown"))])
        self.run_worker(
            self._read(),
            exclusive=True,
            exit_on_error=False,
            description=f"list {self._kind.plural}",
        )

    def action_open_object(self) -> None:
        self._pane.action_choose()

    async def _read(self) -> None:
        found = await self.investigation.other_rows(self._kind)
        self._show(found)

    def _show(self, found: ServerTable) -> None:
        kind, now = self._kind, self.now
        said = f"{count(len(found.rows))} as of {clock(now)} UTC, not watched"
        self._state.show(
            lambda _: [
                line(
                    " ", (said, "strong"), (named("  {other.read} reads again", self.keys), "muted")
                )
            ]
        )
        lines = table_lines(found, kind)
        self._pane.show(lambda _: lines)

    @property
    def subjects(self) -> tuple[Ref, ...]:
        return (ref_of(self._pane.target),) if self._pane.target else ()

    @on(LinePane.Chosen)
    def chosen(self, event: LinePane.Chosen) -> None:
        self.stanch.open_object(ref_of(event.target), kind=self._kind)
