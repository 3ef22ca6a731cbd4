"""The screen of logs: one pod, or the pods of a workload merged by time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from msgspec.structs import replace
from textual import on
from textual.timer import Timer
from textual.widget import Widget
from textual.worker import Worker

from cluster.kube.objects import Pod, Ref
from incident.pod_logs import LogQuery, LogRow
from text.lines import Line, line, rule
from text.log_page import LEVELS, SINCE, LogView, is_shown, log_line, log_state
from tui.keys import bindings
from tui.line_pane import Fixed, LinePane, PaneHeading
from tui.range_pane import RangePane
from tui.screens.frame import Frame

KEPT = 2_000
"""Lines kept; older ones are dropped and counted."""


class LogsScreen(Frame):
    SCOPE = "logs"
    BINDINGS = bindings("logs")

    def __init__(self, pods: Sequence[Ref], title: str = "") -> None:
        super().__init__()
        self._title = title or f"log of {pods[0]}"
        self._query = LogQuery(tuple(pods))
        self._choice = LogView()
        self._head = PaneHeading(classes="head")
        self._state_pane = Fixed(classes="tabs")
        self._pane = RangePane(classes="main log", follow=True)
        self._rows: deque[LogRow] = deque(maxlen=KEPT)
        self._lines: deque[Line] = deque(maxlen=KEPT)
        """The shown rows as lines."""
        self._received = self._hidden = self._left_out = 0
        self._state = "reading"
        self._paused = False
        self._dirty = True
        self._reader: Worker[None] | None = None
        self._timer: Timer | None = None

    def body(self) -> Iterable[Widget]:
        yield self._head
        yield self._state_pane
        yield self._pane

    @property
    def subjects(self) -> Sequence[Ref]:
        return self._query.pods

    def on_mount(self) -> None:
        self._timer = self.set_interval(self.investigation.cadence.log, self._flush)
        self._read()

    def on_screen_suspend(self) -> None:
        if self._timer is not None:
            self._timer.pause()

    def on_screen_resume(self) -> None:
        if self._timer is not None:
            self._timer.resume()

    def on_resize(self) -> None:
        self._rebuild()

    def draw(self) -> None:
        self._head.show(lambda _: [rule(self._title)])
        dropped = self._received - len(self._rows) + self._left_out
        state = "paused" if self._paused else self._state
        counts = self._received + self._left_out, dropped, self._hidden, self._pane.range_length
        self._state_pane.show(
            lambda width: [log_state(self._query, self._choice, counts, state, width)]
        )

    # -- reading

    def _read(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
        several = not self._query.container and len(self._containers()) > 1
        self._choice = replace(self._choice, sources=several or len(self._query.pods) > 1)
        self._rows.clear()
        self._received = self._left_out = 0
        self._state, self._paused = "reading", False
        self._rebuild()
        self._reader = self.run_worker(
            self._follow(self._query), group="logs", exclusive=True, exit_on_error=False
        )

    async def _follow(self, query: LogQuery) -> None:
        """Reads until the log ends. An error becomes the state."""
        try:
            async for rows in self.investigation.logs(query):
                self._state = "before" if query.previous else "following"
                self._take(rows)
            self._state = "ended"
        except Exception as error:  # the screen shows it
            self._state = f"could not be read: {error or type(error).__name__}"
        self._dirty = True

    def _take(self, rows: Sequence[LogRow]) -> None:
        for row in rows:
            self._rows.append(row)
            self._add(row, self._received)
            self._received += 1
            self._left_out += row.left_out
        self._dirty = True

    def _add(self, row: LogRow, number: int) -> None:
        if is_shown(row, self._choice):
            width = self.size.width or 80
            self._lines.append(log_line(row, self._choice, width, str(number)))
        else:
            self._hidden += 1

    def _rebuild(self) -> None:
        """Makes all lines again after the filters changed."""
        self._lines.clear()
        self._hidden = 0
        for number, row in enumerate(self._rows, self._received - len(self._rows)):
            self._add(row, number)
        self._dirty = True
        self._flush()

    def _flush(self) -> None:
        if not self._dirty or self._paused:
            return
        self._dirty = False
        lines = list(self._lines)
        if not lines:
            words = {"reading": "reading …", "following": "Nothing was written yet."}
            none = "No line is of that level." if self._hidden else "The log is empty."
            lines = [line(" ", (words.get(self._state, none), "muted"))]
        self._pane.show(lambda _: lines)
        self.draw()

    # -- keys

    def _choose(self, **changes: object) -> None:
        self._choice = replace(self._choice, **changes)
        self._rebuild()

    def action_previous_logs(self) -> None:
        self._query = replace(self._query, previous=not self._query.previous)
        self._read()

    def action_next_container(self) -> None:
        """All containers, then each by itself."""
        names = ["", *self._containers()]
        if len(names) <= 2:
            self.stanch.tell("The pod has one container.")
            return
        at = names.index(self._query.container) if self._query.container in names else 0
        self._query = replace(self._query, container=names[(at + 1) % len(names)])
        self._read()

    def _containers(self) -> list[str]:
        pod = self.investigation.store.get(*self._query.pods[0])
        specs = (*pod.spec.init_containers, *pod.spec.containers) if isinstance(pod, Pod) else ()
        return [container.name for container in specs]

    def action_since(self) -> None:
        spans = list(SINCE)
        at = spans.index(self._query.since)
        self._query = replace(self._query, since=spans[(at + 1) % len(spans)])
        self._read()

    def action_level(self) -> None:
        levels = list(LEVELS)
        self._choose(level=levels[(levels.index(self._choice.level) + 1) % len(levels)])

    def action_unfold(self) -> None:
        self._choose(unfold=not self._choice.unfold)

    def action_wrap(self) -> None:
        self._choose(wrap=not self._choice.wrap)

    def action_pause(self) -> None:
        self._paused = not self._paused
        self._flush()
        self.draw()

    def action_begin(self) -> None:
        self._pane.action_begin()

    @on(LinePane.Highlighted)
    def moved(self, event: LinePane.Highlighted) -> None:
        self.draw()

    async def action_keep(self) -> None:
        """The range, or the lines on the screen, become evidence under a note."""
        there = any(not row.said for row in self._rows)
        await self.keep(self._pane, self._title, self._query.pods, there=there)
