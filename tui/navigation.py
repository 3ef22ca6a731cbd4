"""What screens, dialogs and the palette need from the application."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from textual.screen import Screen

from cluster.kube.objects import Ref
from tui.host import Host
from tui.keys import KeyBinding

if TYPE_CHECKING:  # the first paint does not need it
    from incident.other_kinds import OtherKind
    from tui.walkthrough import OpenRun


class Reopen(NamedTuple):
    """What to open next: a context ("" for the current one) and an incident ("": the newest open
    one of that cluster, or a new one)."""

    context: str = ""
    incident: str = ""


class Navigation(Host, Protocol):
    """Goes to screens, and holds the current view."""

    searched_symptom: tuple[str, str]
    """The last text typed as a symptom, and the block pasted with it."""
    refused_note: tuple[str, str]
    """The last note that the disk refused, and why."""

    actions: Sequence[KeyBinding]
    """Every action, with the keys that the settings give it."""

    @property
    def clock(self) -> Callable[[], datetime]: ...

    @property
    def open_run(self) -> OpenRun: ...

    @property
    def screen(self) -> Screen[Any]: ...

    def since_key(self) -> float:
        """Seconds since a key was pressed."""
        ...

    def push_screen(
        self, screen: Screen[Any], callback: Callable[[Any], None] | None = None
    ) -> Any: ...

    async def action_back(self) -> None: ...

    def leave(self, answer: int | Reopen) -> None:
        """Ends these screens with an answer; asks first while something runs."""
        ...

    def action_incidents(self) -> None: ...

    def end_messages(self) -> None: ...

    def copy(self, text: str) -> None:
        """Copies a text to the clipboard, and says so."""
        ...

    def use_theme(self, name: str) -> None: ...

    def action_note(self, mark: str = "note") -> None: ...

    def action_new_incident(self) -> None: ...

    def action_choose_runbook(self, symptom_id: str = "") -> None: ...

    def open_runbook(self, runbook_id: str, symptom_id: str = "") -> None: ...

    def open_object(self, ref: Ref, part: str = "summary", kind: OtherKind | None = None) -> None:
        """The page of an object; `kind`: of one that is not watched, where it is known."""
        ...

    def open_logs(self, ref: Ref) -> None:
        """The logs of a pod, or of all pods of a workload."""
        ...

    def probe_of(self, runbook_id: str, symptom_id: str, wanted: tuple[str, ...]) -> None:
        """Plan the runbook's probe for the first of the `wanted` steps."""
        ...
