"""The screen of one object."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from textual import on
from textual.widget import Widget

from cluster.kube.kinds import BY_NAME
from cluster.kube.objects import Ref
from incident.tables.related import related, tree
from text.lines import Line, numbered, prose, rule
from text.object_page import (
    COPIES,
    PARTS,
    TITLES,
    change_part,
    event_lines,
    events_of,
    gone_lines,
    kubectl_lines,
    related_lines,
    summary_lines,
    tabs_line,
    tree_lines,
    value_lines,
)
from text.object_table import ref_of
from tui.keys import bindings
from tui.line_pane import Fixed, LinePane, PaneHeading
from tui.range_pane import RangePane
from tui.screens.frame import Frame

if TYPE_CHECKING:
    from incident.other_kinds import OtherKind, OtherObject


class ObjectScreen(Frame):
    SCOPE = "object"
    BINDINGS = bindings("object")

    def __init__(self, ref: Ref, part: str = "summary", kind: OtherKind | None = None) -> None:
        """`kind`: of an object that is not watched, where it is known."""
        super().__init__()
        self.ref = ref
        self._kind = kind
        self._watched = kind is None and ref.kind in BY_NAME
        self._other: OtherObject | None = None
        """What was read of an object that is not watched."""
        self._part = part if part in PARTS else "summary"
        self._head = PaneHeading(classes="head")
        self._tabs = Fixed(classes="tabs")
        self._text = RangePane(classes="main")
        self._yaml = ""
        self._last: Any = None
        """The last known object, which stays readable after its deletion."""

    def body(self) -> Iterable[Widget]:
        yield self._head
        yield self._tabs
        yield self._text

    @property
    def subjects(self) -> tuple[Ref, ...]:
        return (self.ref,)

    @property
    def item(self) -> Any:
        if not self._watched:
            return self._other.item if self._other is not None else None
        found = self.investigation.store.get(*self.ref)
        if found is not None:
            self._last = found
        return found

    def on_mount(self) -> None:
        self.action_part(self._part)
        if not self._watched:
            self.run_worker(self._read_other(), group="object", exit_on_error=False)

    def draw(self) -> None:
        item, now, store = self.item, self.now, self.investigation.store
        gone = "  GONE" if item is None and self._last is not None else ""
        self._head.show(lambda _: [rule(f"{self.ref}{gone}")])
        self._tabs.show(lambda _: [tabs_line(self._part)])
        known = item if item is not None else self._last
        if self._part == "yaml":
            self._text.show(lambda _: numbered(prose(self._yaml)))
        elif self._part == "events":
            events = events_of(self.ref, store)
            self._text.show(lambda _: event_lines(events, now))
        elif known is None:
            self._text.show(lambda _: self._unknown())
        elif self._part == "related":
            found, above = related(self.ref, known, store), tree(self.ref, known, store)
            self._text.show(
                lambda _: [*tree_lines(above, self.ref, store), *related_lines(found, store)]
            )
        elif self._part == "summary":
            first = gone_lines(self.ref, True) if item is None else []
            report = self.view.report
            changes = report.changes if report is not None else ()
            changed = change_part(self.ref, known, changes, now, self.view.record.changed)
            node = self.ref.kind == "Node"
            usage = self.investigation.node_usage(self.ref.name) if node else None
            values = self._other.values if self._other is not None else ()
            resource = f"{self._kind.plural}.{self._kind.group}" if self._kind is not None else ""
            self._text.show(
                lambda _: [
                    *first,
                    *summary_lines(self.ref, known, store, now, usage, self.keys),
                    *value_lines(values),
                    *changed,
                    *kubectl_lines(self.ref, known, resource.rstrip(".")),
                ]
            )

    def _unknown(self) -> Sequence[Line]:
        """In place of what is not known."""
        if self._watched:
            return gone_lines(self.ref, False)
        problem = self._other.problem if self._other is not None else ""
        return prose(problem or "reading …", "warning" if problem else "unknown")

    def action_part(self, part: str) -> None:
        self._part = part
        self._text.scroll_home(animate=False)
        if part == "yaml":
            self._yaml = "reading …"
            self.run_worker(self._read_yaml(), group="yaml", exclusive=True, exit_on_error=False)
        self.draw()
        self._text.focus()

    def action_section(self, by: int) -> None:
        self.action_part(PARTS[(PARTS.index(self._part) + by) % len(PARTS)])

    async def _read_other(self) -> None:
        self._other = await self.investigation.other_object(self.ref, self._kind)
        self.paint()

    async def _read_yaml(self) -> None:
        try:
            if self._watched:
                self._yaml = await self.investigation.object_yaml(self.ref)
            else:
                await self._read_other()
                self._yaml = (self._other.yaml or self._other.problem) if self._other else ""
        except Exception as error:  # said in the pane: the rest of the screen works
            self._yaml = f"It could not be read: {error or type(error).__name__}"
        self.draw()

    def action_object_logs(self) -> None:
        self.stanch.open_logs(self.ref)

    def action_begin(self) -> None:
        self._text.action_begin()

    async def action_keep(self) -> None:
        await self.keep(
            self._text,
            f"{TITLES[self._part]} of {self.ref}",
            (self.ref,),
            from_yaml=self._part == "yaml",
        )

    @on(LinePane.Chosen)
    def opened(self, event: LinePane.Chosen) -> None:
        if event.target.startswith(COPIES):
            self.stanch.copy(event.target.removeprefix(COPIES))
        elif "|" in event.target:  # else a line of the YAML
            self.stanch.open_object(ref_of(event.target))
