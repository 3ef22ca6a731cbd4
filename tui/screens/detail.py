"""The screen of one object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from textual import on
from textual.timer import Timer
from textual.widget import Widget
from textual.worker import Worker

from cluster.kube.objects import Pod, Ref
from incident.tables.related import related
from text.lines import line, prose, rule
from text.object_page import (
    PARTS,
    event_lines,
    events_of,
    gone_lines,
    related_lines,
    summary_lines,
    tabs_line,
)
from tui.keys import bindings
from tui.line_pane import Fixed, LinePane
from tui.logs import LogLines
from tui.screens.frame import Frame


class ObjectScreen(Frame):
    SCOPE = "object"
    BINDINGS = bindings("object")

    def __init__(self, ref: Ref, part: str = "summary") -> None:
        super().__init__()
        self.ref = ref
        self._part = part if part in PARTS else "summary"
        self._head = Fixed(classes="head")
        self._tabs = Fixed(classes="tabs")
        self._log_state = Fixed(classes="tabs")
        self._text = LinePane(classes="main")
        self._log_pane = LinePane(classes="main log", follow=True)
        self._yaml = ""
        self._log = LogLines()
        self._previous = False
        self._container = 0
        self._last: Any = None
        """The object as it was last known: it stays readable when it is deleted."""
        self._reader: Worker[None] | None = None
        self._flush_timer: Timer | None = None
        self._drawn_lines = -1

    def body(self) -> Iterable[Widget]:
        yield self._head
        yield self._tabs
        yield self._log_state
        yield self._text
        yield self._log_pane

    @property
    def parts(self) -> list[str]:
        return [part for part in PARTS if part != "logs" or self.ref.kind == "Pod"]

    @property
    def item(self) -> Any:
        found = self.investigation.store.get(*self.ref)
        if found is not None:
            self._last = found
        return found

    @property
    def containers(self) -> list[str]:
        pod = self.item or self._last
        return (
            [c.name for c in (*pod.spec.containers, *pod.spec.init_containers)]
            if isinstance(pod, Pod)
            else []
        )

    def on_mount(self) -> None:
        self._flush_timer = self.set_interval(self.investigation.cadence.log, self._draw_log)
        self.action_part(self._part)

    def on_screen_suspend(self) -> None:
        if self._flush_timer is not None:
            self._flush_timer.pause()

    def on_screen_resume(self) -> None:
        if self._flush_timer is not None:
            self._flush_timer.resume()

    def draw(self) -> None:
        item, now, store = self.item, self.now, self.investigation.store
        gone = "  GONE" if item is None and self._last is not None else ""
        self._head.show(lambda _: [rule(f"{self.ref}{gone}")])
        self._tabs.show(lambda _: [tabs_line(self._part, self.parts)])
        self._text.display, self._log_pane.display = self._part != "logs", self._part == "logs"
        self._log_state.display = self._part == "logs"
        known = item if item is not None else self._last
        if self._part == "yaml":
            self._text.show(lambda _: prose(self._yaml))
        elif self._part == "events":
            events = events_of(self.ref, store)
            self._text.show(lambda _: event_lines(events, now))
        elif known is None:
            self._text.show(lambda _: gone_lines(self.ref, False))
        elif self._part == "related":
            found = related(self.ref, known, store)
            self._text.show(lambda _: related_lines(found, store))
        elif self._part == "summary":
            first = gone_lines(self.ref, True) if item is None else []
            self._text.show(lambda _: [*first, *summary_lines(self.ref, known, store, now)])

    def action_part(self, part: str) -> None:
        if part not in self.parts:
            self.stanch.tell("Only pods have logs.", "warning")
            return
        self._part = part
        self._text.scroll_home(animate=False)
        if part == "yaml":
            self._yaml = "reading …"
            self.run_worker(self._read_yaml(), group="yaml", exclusive=True, exit_on_error=False)
        if part == "logs" and self._reader is None:
            self._read_log()
        self.draw()
        (self._log_pane if part == "logs" else self._text).focus()

    def action_section(self, by: int) -> None:
        parts = self.parts
        self.action_part(parts[(parts.index(self._part) + by) % len(parts)])

    async def _read_yaml(self) -> None:
        try:
            self._yaml = await self.investigation.object_yaml(self.ref)
        except Exception as error:  # said in the pane: the rest of the screen works
            self._yaml = f"It could not be read: {error or type(error).__name__}"
        self.draw()

    # -- logs

    def _read_log(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
        self._log = LogLines()
        self._drawn_lines = -1
        names = self.containers
        container = names[self._container % len(names)] if len(names) > 1 else ""
        source = self.investigation.logs(
            self.ref.namespace, self.ref.name, container, previous=self._previous
        )
        self._reader = self.run_worker(
            self._log.read(source), group="logs", exclusive=True, exit_on_error=False
        )

    def _draw_log(self) -> None:
        if self._part != "logs":
            return
        log = self._log
        stamp = log.received * 10 + len(log.state)
        if stamp == self._drawn_lines:
            return
        self._drawn_lines = stamp
        names = self.containers
        which = f"container {names[self._container % len(names)]}" if names else "log"
        before = ", before its last restart" if self._previous else ""
        state = "following" if log.state == "reading" else log.state
        said = f" {which}{before}: {log.received:,} lines, {state}"
        self._log_state.show(lambda _: [line((said, "muted"))])
        self._log_pane.show(log.shown)

    def action_previous_logs(self) -> None:
        self._previous = not self._previous
        self._read_log()
        self.action_part("logs")

    def action_next_container(self) -> None:
        if len(self.containers) > 1:
            self._container += 1
            self._read_log()
        self.action_part("logs")

    @on(LinePane.Chosen)
    def opened(self, event: LinePane.Chosen) -> None:
        kind, namespace, name = event.target.split("|", 2)
        self.stanch.open_object(Ref(kind, namespace, name))
