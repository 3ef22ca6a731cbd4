"""The triage for the command line, whole or on one small screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from msgspec.structs import replace

from cluster.live.freshness import WatchState
from incident.view import Connection, SymptomView, View
from text.connection import clock_lines, hop_lines, kind_line
from text.lines import BLANK, Line, layout, line, rule, shorten
from text.status import summary_line, trouble_lines
from text.symptoms.changes import Own
from text.symptoms.headline import now_title, unknown_lines
from text.symptoms.listing import (
    folded_lines,
    folded_symptoms,
    symptom_lines,
    symptom_rows,
)
from text.symptoms.no_symptoms import recovered_lines
from text.symptoms.why import deciding_lines, leading, match_lines, why_lines, why_rule
from text.width import cells
from text.words import plural

FEW = 3
"""Symptoms that are listed on one screen."""
COLUMNS, SCREEN = 80, 23
"""A small terminal, without the row of the prompt."""
First = Mapping[str, Sequence[Line]]
"""What to do first and what not to do (`text.runbook.first_lines`), by the id of the symptom."""
NOTHING_FIRST: First = MappingProxyType({})


def triage_lines(view: View, *, whole: bool = True, first: First = NOTHING_FIRST) -> list[Line]:
    """The triage for the command line: the lines of the first screen for every symptom. Without
    `whole` the list of symptoms, and the reasons of the first one only."""
    now = view.report.as_of if view.report else view.as_of
    lines = [summary_line(view, now), *clock_lines(view.api), *trouble_lines(view, now)]
    if view.api.reach is not Connection.LIVE and view.report is not None:
        lines += hop_lines(view.api.hops)
    lines += [kind_line(kind, now) for kind in view.kinds if kind.state is WatchState.STALE]
    if view.record.picture:
        from text.timeline import remembered_lines

        shown = {each.symptom.id for each in view.symptoms}
        lines += remembered_lines(view.record.picture, now, shown)
    if not view.symptoms:
        return lines + symptom_lines(view, now)
    lines += [BLANK, rule(now_title(view, now))]
    if not whole:
        item = view.symptoms[0]
        lines += [*_first_symptoms(view, now, first), BLANK, why_rule(item, 0)]
        reasons = _reasons_in_short(item, now, view.record.changed, SCREEN - _height(lines) - 1)
        return [*map(in_two_rows, (*lines, *reasons)), line((" --all prints the rest", "muted"))]
    lines += unknown_lines(view, 0)
    folded = folded_symptoms(view)
    for item in view.symptoms:
        if item not in folded:
            lines += [BLANK, *symptom_rows(item, now), *first.get(item.symptom.id, ())]
            lines.append(why_rule(item, 0))
            lines += why_lines(item, 0, now, own=view.record.changed)
    return [*lines, BLANK, *folded_lines(folded)] if folded else lines


def cut(each: Line, room: int) -> Line:
    """A line of at most `room` cells, its right edge kept."""
    if each.fill or each.width <= room:
        return each
    spans, left = [], room
    for text, style in each.spans:
        if left > 0:
            spans.append((shorten(text, left), style))
        left -= cells(text)
    return replace(each, spans=tuple(spans))


def in_two_rows(each: Line) -> Line:
    """A line cut to two rows of a small terminal: words break before the edge."""
    return cut(each, 2 * COLUMNS - each.hang - 14)


def _height(lines: Sequence[Line]) -> int:
    return len(layout(map(in_two_rows, lines), COLUMNS))


def _first_symptoms(view: View, now: datetime, first: First) -> list[Line]:
    """The list of symptoms, or of many the first ones, as titles, and how many more there are."""
    folded = folded_symptoms(view)
    listed = [item for item in view.symptoms if item not in folded]
    lines = [*unknown_lines(view, 1), *symptom_rows(listed[0], now)]
    lines += first.get(listed[0].symptom.id, ())
    lines += [cut(symptom_rows(item, now)[0], COLUMNS - 10) for item in listed[1:FEW]]
    if (left := len(listed) - FEW) > 0:
        lines.append(line((f"      and {plural(left, 'more symptom')}", "muted")))
    lines += [cut(each, COLUMNS - 2) for each in folded_lines(folded)]
    return [*lines, *recovered_lines(view, now, 1)]


def _reasons_in_short(item: SymptomView, now: datetime, own: Own, room: int) -> list[Line]:
    """Since when, the runbook, and as many reasons and changes as fit in `room` rows."""
    if not item.matches:
        return why_lines(item, 0, now, own=own)[:5]
    title, *reasons = match_lines(item.matches[0], leading(item.symptom).claim)
    # The list of symptoms shows what they share.
    what, since, _, *changed = deciding_lines(item.symptom, now, own)
    shown = [since, title, *reasons[-1:]]
    for each in (what, *reasons[:1], *changed[:1], *reasons[1:-1]):
        if _height([*shown, each]) <= room:
            shown.append(each)
    return [each for each in (what, since, *changed[:1], title, *reasons) if each in shown]
