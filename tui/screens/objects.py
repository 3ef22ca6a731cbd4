"""The screen `objects`: a live table of one kind."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from textual import on
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input
from textual.worker import Worker, WorkerError

from cluster.kube.objects import Ref
from cluster.live.freshness import Freshness
from cluster.live.store import Key, StoreUpdate
from incident.cadence import Cadence
from incident.tables.columns import Column, Type
from incident.tables.filters import FilterError
from incident.tables.table import ObjectTable
from text.lines import line, rule
from text.object_table import (
    all_kinds,
    cells,
    empty_lines,
    fitting,
    headings,
    state_line,
)
from text.words import kinds_name
from tui.keys import bindings
from tui.line_pane import Fixed, LinePane, PaneHeading
from tui.screens.frame import Frame
from tui.table import VirtualTable
from tui.text_input import TypedLine

AT_ONCE = 500
"""Rows that are filtered and sorted at once, within a few milliseconds; more are sliced. Of changed
rows so many are taken with each paint."""


class ObjectsScreen(Frame):
    SCOPE = "objects"
    BINDINGS = bindings("objects")
    AUTO_FOCUS = "VirtualTable"

    def __init__(self, kind: str = "Pod") -> None:
        super().__init__()
        self._head = PaneHeading(classes="head")
        self._state = Fixed(classes="state")
        self._filter_line = TypedLine(
            placeholder="restarts>3 age<1h node=node-2 !ready -l app=web -n shop,dev, or words",
            classes="typed filter",
        )
        self._filter_label = Fixed(classes="filter-label")
        self._bar = Horizontal(self._filter_label, self._filter_line, classes="filter-bar")
        self._table = VirtualTable(classes="main")
        self._empty = LinePane(classes="empty")
        self._kind = kind
        self._tables: dict[str, ObjectTable] = {}
        """Each kind keeps its filter and its order."""
        self._shown: Sequence[Column] = ()
        self._problem = ""
        self._shift = 0
        """Number of columns after the name that are left out at the left."""
        self._changes: dict[Key, StoreUpdate] = {}
        """The last change of each row that the table has not taken yet."""
        self._touched: set[Key] = set()
        self._repainted = 0.0
        self._following = False
        self._paint_timer: Timer | None = None
        self._filter_timer: Timer | None = None
        self._arranging: Worker[None] | None = None
        self._arranged = -math.inf
        """Monotonic seconds of the last rebuild of all rows."""
        self._unfollow: Callable[[], None] = lambda: None

    def body(self) -> Iterable[Widget]:
        yield self._head
        yield self._bar
        yield self._state
        yield self._table
        yield self._empty

    @property
    def table(self) -> ObjectTable:
        if self._kind not in self._tables:
            store = self.investigation.store
            few = store.count(self._kind) <= AT_ONCE
            self._tables[self._kind] = ObjectTable(store, self._kind, self.now, fill=few)
        return self._tables[self._kind]

    @property
    def freshness(self) -> Freshness | None:
        return next((kind for kind in self.view.kinds if kind.kind == self._kind), None)

    @property
    def _cadence(self) -> Cadence:
        return self.investigation.cadence

    # -- following the cluster, only while it is seen

    def on_mount(self) -> None:
        self._open_filter(False)
        self._follow()

    def on_screen_resume(self) -> None:
        self._follow()

    def on_screen_suspend(self) -> None:
        self._unfollow()
        self._unfollow = lambda: None
        self._following = False
        if self._paint_timer is not None:
            self._paint_timer.stop()
            self._paint_timer = None

    def _follow(self) -> None:
        if self._following:
            return
        self._following = True
        self._unfollow = self.investigation.watch_changes(self._changed)
        self._changes.clear()
        self._touched.clear()
        self._arrange()

    def _changed(self, changes: Sequence[StoreUpdate]) -> None:
        """Changed rows, on the task that made them: a timer that is set there would not know the
        application."""
        self._changes.update(
            (change.key, change) for change in changes if change.kind == self._kind
        )
        self.call_later(self._paint_later)

    def _paint_later(self) -> None:
        if self._paint_timer is None and self._following:
            waited = time.monotonic() - self._repainted
            least = max(0.001, self._cadence.paint - waited)
            self._paint_timer = self.set_timer(least, self._take_over)

    def _take_over(self) -> None:
        self._paint_timer = None
        keys = tuple(islice(self._changes, AT_ONCE))
        delta = self.table.apply([self._changes.pop(key) for key in keys], self.now)
        self._touched |= delta.touched
        cadence, now = self._cadence, time.monotonic()
        moving = self.stanch.since_key() < cadence.moving and now - self._repainted < cadence.moved
        if delta.moved:
            self._table.moved()
            self._draw_around()
        elif self._touched and moving:
            self._paint_timer = self.set_timer(cadence.paint, self._take_over)
            return
        else:
            self._table.touched(self._touched)
        self._touched.clear()
        self._repainted = now
        if self._changes:
            self._paint_later()

    # -- drawing

    def draw(self) -> None:
        """Updates the table's surroundings, ages, and filters on ages."""
        table = self.table
        if table.filter.timed and time.monotonic() - self._arranged > self._cadence.tick:
            if not self._busy:
                self._arrange()
        elif any(column.type is Type.AGE for column in self._shown):
            self._table.touched({table.key_at(row) for row in self._table.seen_rows()})
        self._draw_around()

    def _draw_around(self) -> None:
        table, kind, now = self.table, self.freshness, self.now
        filtered = f" ─ {table.filter.text}" if table.filter.text else ""
        self._head.show(lambda _: [rule(f"{kinds_name(self._kind)}{filtered}")])
        self._state.show(lambda _: [state_line(table, kind, self._problem, now)])
        self._filter_label.show(lambda _: [line(" ", ("filter", "key"))])
        self._table.display = bool(len(table))
        self._empty.display = not len(table)
        if not len(table):
            self._empty.show(lambda _: empty_lines(table, kind, now, self.keys))

    def _show_table(self) -> None:
        table = self.table
        self._shown = fitting(table.columns, self.size.width or 80, self._shift)
        self._table.show(
            table,
            headings(table, self._shown),
            lambda row: cells(table, row, self._shown, self.now),
        )
        self._draw_around()
        if self._table.display and not self._filter_line.has_focus:
            self._table.focus()

    def on_resize(self) -> None:
        self._show_table()

    # -- keys

    # -- all rows in another order

    @property
    def _busy(self) -> bool:
        return self._arranging is not None and not self._arranging.is_finished

    def _arrange(self) -> None:
        """Filters and sorts all rows as the table wants: few at once, thousands in slices, so that
        no key waits for them. The old rows stay until then."""
        table = self.table
        self._arranged = time.monotonic()
        if self.investigation.store.count(self._kind) <= AT_ONCE:
            if self._arranging is not None:
                self._arranging.cancel()
            table.rebuild(self.now)
            self._show_table()
        else:
            self._show_table()
            self._arranging = self.run_worker(
                self._arrange_slowly(table), group="arrange", exclusive=True
            )

    async def _arrange_slowly(self, table: ObjectTable) -> None:
        began = time.monotonic()
        for _ in table.rebuilding(self.now):
            if time.monotonic() - began > self._cadence.filter_slice:
                await asyncio.sleep(0)
                began = time.monotonic()
        if table is self.table:
            self._show_table()

    async def settled(self) -> None:
        """Waits for a filter or an order that was typed, so that a key acts on the row that it
        brings under the cursor."""
        if self._filter_timer is not None:
            self._filter()
        while self._busy and self._arranging is not None:
            with contextlib.suppress(WorkerError):
                await self._arranging.wait()

    def _open_filter(self, shown: bool) -> None:
        self._bar.display = shown

    def show_kind(self, kind: str) -> None:
        self._forget_typed()
        self._kind, self._problem, self._shift = kind, "", 0
        self._changes.clear()
        self._touched.clear()
        self._open_filter(bool(self.table.filter.text))
        self._filter_line.value = self.table.filter.text
        self._arrange()

    def action_next_kind(self, by: int) -> None:
        kinds = all_kinds()
        self.show_kind(kinds[(kinds.index(self._kind) + by) % len(kinds)])

    def action_sort(self) -> None:
        table, wanted = self.table, self.table.wanted
        names = [column.name for column in self._shown]
        at = names.index(wanted.by.name) if wanted.by.name in names else -1
        first = wanted.broken_first or at + 1 < len(names)
        table.want_order(self._shown[0 if wanted.broken_first else at + 1] if first else None)
        self._arrange()

    def action_reverse(self) -> None:
        self.table.want_reverse()
        self._arrange()

    async def action_mark(self) -> None:
        """Marks or unmarks the row under the cursor, and moves to the next."""
        await self.settled()
        key = self._table.key
        if isinstance(key, tuple):
            self.table.toggle_mark(key, self.now)
            self._table.moved()
            self._table.action_move(1)
            self._draw_around()

    def action_shift(self, by: int) -> None:
        """Shows other columns, where not all fit."""
        hidden = len(self.table.columns) - len(self._shown)
        self._shift = max(0, self._shift + by) if hidden or self._shift else 0
        self._shift = min(self._shift, max(0, len(self.table.columns) - 3))
        self._show_table()

    def action_filter(self) -> None:
        self._open_filter(True)
        self._filter_line.edit(self._filter_line.value if self._problem else self.table.filter.text)

    @on(Input.Changed)
    def filter_typed(self, event: Input.Changed) -> None:
        """Filters a moment after each key."""
        event.stop()
        self._forget_typed()
        if self._bar.display and (self._problem or event.value != self.table.filter.text):
            self._filter_timer = self.set_timer(self._cadence.filter, self._filter)

    def _forget_typed(self) -> None:
        if self._filter_timer is not None:
            self._filter_timer.stop()
            self._filter_timer = None

    def _filter(self) -> None:
        """An unfinished filter keeps the rows of the last valid one and shows what is missing."""
        self._forget_typed()
        try:
            self.table.want_filter(self._filter_line.value.strip())
        except FilterError as error:
            self._problem = str(error)
            self._draw_around()
        else:
            self._problem = ""
            self._arrange()

    @on(Input.Submitted)
    def filter_done(self, event: Input.Submitted) -> None:
        event.stop()
        if self._filter_timer is not None:
            self._filter()
        if not self._problem:  # a refused filter is corrected where it stands
            self._open_filter(bool(event.value))
            self._table.focus()

    async def action_leave_filter(self) -> None:
        """Escape: first the filter goes, then the marks, then the screen."""
        self._forget_typed()
        table = self.table
        if table.filter.text or self._bar.display:
            self._problem = ""
            table.want_filter("")
            self._filter_line.value = ""
            self._open_filter(False)
            self._arrange()
            self._table.focus()
        elif table.marked:
            table.clear_marks(self.now)
            self._table.moved()
            self._draw_around()
        else:
            await self.stanch.action_back()

    @on(VirtualTable.Chosen)
    async def chosen(self, event: VirtualTable.Chosen) -> None:
        await self.action_open_object()

    @property
    def ref(self) -> Ref | None:
        key = self._table.key
        return Ref(self._kind, *key) if isinstance(key, tuple) else None

    @property
    def subjects(self) -> tuple[Ref, ...]:
        return (self.ref,) if self.ref is not None else ()

    @property
    def marked(self) -> tuple[Ref, ...]:
        """In the order in which they are shown."""
        table = self.table
        shown = sorted(table.marked, key=lambda key: table.row_of(key) or 0)
        return tuple(Ref(self._kind, *key) for key in shown)

    async def action_open_object(self) -> None:
        await self.settled()
        ref = self.ref
        if ref is not None:
            self.stanch.open_object(ref)

    async def action_object_logs(self) -> None:
        await self.settled()
        if self.ref is not None:
            self.stanch.open_logs(self.ref)
