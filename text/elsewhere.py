"""Contexts and incidents to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from incident.offline.elsewhere import ContextChoice, Incident
from text.lines import Line, line
from text.words import ago, plural

READING = line(" ", ("reading …", "unknown"))


def context_lines(
    contexts: Sequence[ContextChoice] | None, here: str, words: str = ""
) -> list[Line]:
    """The contexts with names that contain the words; `here` is the open one. None while they are
    being read."""
    if contexts is None:
        return [READING]
    found = [
        _context(each, here)
        for each in contexts
        if _holds(words, each.name, each.cluster, each.user)
    ]
    none = "No context has these words." if contexts else "The kubeconfig has no context."
    return found or [line(" ", (none, "unknown"))]


def _context(each: ContextChoice, here: str) -> Line:
    said = [
        *(["shown now"] if each.name == here else []),
        *(["current in the kubeconfig"] if each.current else []),
        *(["read-only by the settings"] if each.read_only else []),
    ]
    about = f"cluster {each.cluster}, user {each.user}"
    if each.namespace:
        about += f", namespace {each.namespace}"
    states = (f"  {', '.join(said)}", "key") if said else ""
    name = (each.name, "strong")
    return line(" ", name, states, target=each.name, hang=3, right=((about, "muted"),))


def incident_choice_lines(
    incidents: Sequence[Incident] | None, here: str, now: datetime, words: str = ""
) -> list[Line]:
    """The incidents with names that contain the words, newest first. None while they are being
    read."""
    if incidents is None:
        return [READING]
    found = [
        _incident(each, here, now)
        for each in incidents
        if _holds(words, each.id, each.title, each.context, each.state)
    ]
    none = "No incident has these words." if incidents else "There is no incident on this machine."
    return found or [line(" ", (none, "unknown"))]


def _incident(each: Incident, here: str, now: datetime) -> Line:
    if each.state == "damaged":
        problem = (f"  cannot be read: {each.problem}", "warning")
        return line(" ", (each.id, "strong"), problem, hang=3)
    state = (f"  {each.state}", "good" if each.state == "open" else "muted")
    open_here = ("  shown now", "key") if each.id == here else ""
    about = f"{each.context or 'no cluster'}, {plural(each.entries, 'entry', 'entries')}"
    about += f", last {ago(each.last_at, now)} ago" if each.last_at is not None else ""
    name, title = (each.id, "strong"), f"  {each.title}"
    edge = ((about, "muted"),)
    return line(" ", name, state, open_here, title, target=each.id, hang=3, right=edge)


def _holds(words: str, *texts: str) -> bool:
    found = " ".join(texts).lower()
    return all(word in found for word in words.lower().split())
