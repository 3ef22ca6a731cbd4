"""The state of the cluster in one sentence, and what of it is not known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache

from msgspec.structs import replace

from cluster.kube.kinds import BY_NAME
from cluster.live.freshness import WatchState
from incident.view import NOTHING_READABLE, Connection, SymptomView, View, nothing_readable
from text.connection import gap_lines
from text.keys import NO_KEYS, Keys
from text.lines import Line, line, prose
from text.status import importance
from text.symptoms.shared import shared_text
from text.words import SEVERITY, ago, clock, kinds_name, plural
from triage.facts.finding import Course, Gap, Report

_REFUSED = {
    WatchState.FORBIDDEN: "forbidden for this account",
    WatchState.ABSENT: "the server does not offer them",
}

UNREAD = (WatchState.LOADING, WatchState.WAITING)


def now_title(view: View, now: datetime) -> str:
    return f"now ─ {headline(view, now)}" if view.symptoms else "now"


def headline(view: View, now: datetime) -> str:
    """One sentence: how many symptoms, how many objects, since when; or what is not known yet. An
    unknown state never looks healthy."""
    if not view.symptoms:
        return _no_symptoms(view)
    touched = _touched(view.symptoms)
    begun = first_sign(view)
    first = f", first {clock(begun, now)} UTC ({ago(begun, now)} ago)" if begun else ""
    reading = unread_kinds(view) and view.api.reach is not Connection.LOST
    still = "still reading: " if reading else ""
    return f"{still}{plural(len(view.symptoms), 'symptom')}, {plural(touched, 'object')}{first}"


@lru_cache(1)
def _touched(symptoms: Sequence[SymptomView]) -> int:
    """The number of objects that these symptoms concern."""
    return len({ref for item in symptoms for ref in item.symptom.objects})


def first_sign(view: View) -> datetime | None:
    """When the first of the symptoms began that are as the one on the first line: of its severity,
    and standing only if it is."""
    symptoms = [item.symptom for item in view.symptoms]
    begun = (
        each.since
        for each in symptoms
        if each.severity is symptoms[0].severity
        and (each.course is Course.STANDING) is (symptoms[0].course is Course.STANDING)
    )
    return min((since for since in begun if since is not None), default=None)


def _no_symptoms(view: View) -> str:
    report, reach = view.report, view.api.reach
    read = sum(kind.count for kind in view.kinds)
    if report is None:
        if reach is Connection.OFFLINE:
            return view.problem or "There is no cluster to ask."
        if reach is Connection.LOST:
            return "Not known: the API server does not answer, and nothing was read before."
        if read:
            return f"Not known yet: {plural(read, 'object')} read so far."
        if reach in (Connection.DEGRADED, Connection.BUSY):
            return "Not known: nothing could be read yet."
        return "Not known yet: asking the API server."
    if nothing_readable(view.kinds):
        return NOTHING_READABLE
    if view.kinds and all(kind.heard is None for kind in view.kinds):
        return "Not known: nothing could be read yet."
    partly = ""
    if unread_kinds(view):
        partly = ", still reading"
    elif not report.complete:
        partly = ", but not everything could be read"
    return f"No findings in {plural(read, 'object')} read{partly}, as of {clock(report.as_of)} UTC."


def unread_kinds(view: View) -> list[str]:
    """Kinds whose first list is under way: their missing objects are unknown, not absent. Those
    whose list has failed stand among what could not be read, with the reason."""
    return [kind.kind for kind in view.kinds if kind.state in UNREAD and not kind.reason]


def nothing_read(view: View) -> bool:
    """Whether the server is lost and never answered, so that only the record knows the past."""
    return view.api.reach is Connection.LOST and all(kind.heard is None for kind in view.kinds)


def unknown_lines(view: View, limit: int, keys: Keys = NO_KEYS) -> list[Line]:
    """What is still being read; after that, what was not examined."""
    if nothing_read(view):
        return [line((" Nothing could be read from this cluster yet.", "unknown"), hang=1)]
    unread = unread_kinds(view)
    if unread and view.api.reach is not Connection.LOST:
        more = f" and {len(unread) - 6} more" if len(unread) > 6 else ""
        names = ", ".join(kinds_name(kind) for kind in unread[:6])
        reading = [line((" still reading: ", "unknown"), names + more, hang=2)]
        failed = {kind.kind for kind in view.kinds if kind.state in UNREAD and kind.reason}

        def told(what: str) -> bool:
            # A namespace that does not exist stays so, whatever is still to be read.
            return what in failed or what.startswith("namespace ")

        return reading + _gaps(view, limit and max(1, limit - 1), keys, told)
    lost = view.api.reach is Connection.LOST  # the banner says this for all kinds
    stale = {kind.kind for kind in view.kinds if kind.state is WatchState.STALE} if lost else set()
    return _gaps(view, limit, keys, lambda kind: kind not in stale)


def _gaps(view: View, limit: int, keys: Keys, which: Callable[[str], bool]) -> list[Line]:
    """What was not examined, of the chosen kinds."""
    report = view.report
    if report is None:
        return []
    # The report may be older than the answer that the server does not offer such a kind.
    absent = {
        kind.kind
        for kind in view.kinds
        if kind.state is WatchState.ABSENT and BY_NAME[kind.kind].optional
    }
    gaps = tuple(gap for gap in report.unavailable if which(gap.what) and gap.what not in absent)
    report = replace(report, unavailable=gaps)
    if limit:
        report = replace(report, unavailable=tuple(_in_short(view, report)))
    return gap_lines(report, limit, quiet=False, head="not looked at: ", keys=keys)


def _in_short(view: View, report: Report) -> Iterator[Gap]:
    """What was not examined, for a few lines: the kinds that are refused share one, nodes, pods and
    events first; reasons without what to try."""
    gaps = {gap.what: gap for gap in report.unavailable if not gap.quiet}
    states = {kind.kind: kind.state for kind in view.kinds if kind.kind in gaps}
    for state, why in _REFUSED.items():
        kinds = sorted((kind for kind in states if states[kind] is state), key=importance)
        if kinds:
            yield Gap(", ".join(map(kinds_name, kinds)), why)
    for what, gap in gaps.items():
        if states.get(what) not in _REFUSED:
            yield Gap(what, gap.why.partition("; ")[0])


def one_sentence(view: View, now: datetime) -> list[Line]:
    """Everything that fits a tiny terminal: the number of symptoms, the worst one, and the size
    that the rest needs."""
    lines = prose(headline(view, now), "strong")
    if view.symptoms:
        symptom = view.symptoms[0].symptom
        text = f" {symptom.title}, {shared_text(symptom)}"
        lines.append(line(" ", SEVERITY[symptom.severity], text, hang=1))
    return [*lines, *prose("A terminal of 60x16 or more shows why.", "muted")]
