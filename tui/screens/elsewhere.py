"""Opens another context or incident: a new investigation, which does not wait for the current
one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from text.elsewhere import context_lines, incident_choice_lines
from tui.dialogs.choice import Choice
from tui.navigation import Navigation, Reopen

if TYPE_CHECKING:
    from incident.offline.elsewhere import ContextChoice, Incident


def choose_context(app: Navigation) -> None:
    """Another context, from the kubeconfig alone. It begins read-only."""
    contexts: Sequence[ContextChoice] | None = None
    here = app.view.context

    async def read() -> None:
        nonlocal contexts
        contexts = await app.investigation.contexts()

    def chosen(name: str | None) -> None:
        if name == here and not app.view.problem:
            app.tell(f"The context {name} is open already.")
        elif name:
            app.leave(Reopen(context=name))

    app.push_screen(
        Choice("which context?", lambda words: context_lines(contexts, here, words), fill=read),
        chosen,
    )


def choose_incident(app: Navigation) -> None:
    """Another incident of this machine, with its context."""
    incidents: Sequence[Incident] | None = None
    here = app.view.record.incident

    async def read() -> None:
        nonlocal incidents
        incidents = await app.investigation.incidents()

    def chosen(name: str | None) -> None:
        found = next((each for each in incidents or () if each.id == name), None)
        if name and name == here:
            app.tell(f"The incident {name} is open already.")
        elif found is not None:
            app.leave(Reopen(found.context or app.view.context, found.id))

    app.push_screen(
        Choice(
            "which incident?",
            lambda words: incident_choice_lines(incidents, here, app.clock(), words),
            fill=read,
        ),
        chosen,
    )
