"""The list of symptoms: what is wrong now, and when each began."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from incident.view import SymptomView, View
from text.keys import NO_KEYS, Keys
from text.lines import HINT, Line, line, rule
from text.symptoms.headline import unknown_lines
from text.symptoms.no_symptoms import nothing_lines, recovered_lines
from text.symptoms.shared import shared_text
from text.words import SEVERITY, ago, minute
from triage.facts.finding import Course, Severity

AXIS = timedelta(hours=12)
"""Older times are left off the axis."""
KEPT_SYMPTOMS = 8192
"""Symptoms of which the lines are kept: with each key and every two seconds few differ. A cluster
of 150,000 pods, 4 % of them broken, has 4,000; lines that are dropped before they are asked for
again cost as much as none that are kept."""


def symptom_lines(
    view: View,
    now: datetime,
    chosen: str = "",
    first: Sequence[Line] = (),
    keys: Keys = NO_KEYS,
) -> list[Line]:
    """The list of symptoms: title and duration, then what they share and which runbook fits. Below
    the `chosen` one (id) stands what to do `first`."""
    paged = page_lines(view)
    if not view.symptoms:
        return [*paged, *nothing_lines(view, now, keys)]
    # first: what is not known must not scroll out of sight
    lines = [*paged, *unknown_lines(view, 1, keys)]
    folded = folded_symptoms(view, chosen)
    left_out = set(map(id, folded))
    for item in view.symptoms:
        if id(item) not in left_out:
            lines += symptom_rows(item, now)
        if item.symptom.id == chosen:
            lines += first
    return [*lines, *folded_lines(folded), *recovered_lines(view, now)]


def page_lines(view: View) -> list[Line]:
    """What a person was paged with, while the cluster shows no failure that could be it."""
    page = view.record.summary.page
    if not page or any(each.symptom.severity is not Severity.INFO for each in view.symptoms):
        return []
    hint = ("  m finds a runbook for these words", HINT)
    return [line((" paged  ", "heading"), page, hint, hang=8)]


NAMED = 4
"""Folded symptoms that their line names: there may be a thousand."""


def folded_symptoms(view: View, chosen: str = "") -> list[SymptomView]:
    """Standing symptoms that share one line, unless one of them is `chosen` (id). Beside notes
    alone they stay: a note is never the incident."""
    old = [item for item in view.symptoms if item.symptom.course is Course.STANDING]
    loud = [item for item in view.symptoms if item.symptom.severity is not Severity.INFO]
    several = 1 < len(old) < len(loud)
    return old if several and all(item.symptom.id != chosen for item in old) else []


def folded_lines(folded: Sequence[SymptomView]) -> list[Line]:
    """One line for the standing symptoms, which names the first of them. Its target is the first,
    which unfolds all."""
    titles = "; ".join(item.symptom.title for item in folded[:NAMED])
    more = len(folded) - NAMED
    text = f" {len(folded)} older than a day: {titles}" + (f"; and {more} more" if more > 0 else "")
    return [line(text, target=folded[0].symptom.id, hang=2)] if folded else []


def axis_lines(view: View, now: datetime, width: int) -> list[Line]:
    """The beginnings of symptoms and changes on one scale of `width` cells that ends now. A letter
    is one symptom (C, W, I) or one change (c); a digit counts several."""
    begun = [
        (item.symptom.since, item.symptom.severity.value[0].upper())
        for item in view.symptoms
        if item.symptom.since is not None
    ]
    changed = {change.at for item in view.symptoms for change in item.symptom.changes}
    moments = [*(at for at, _ in begun), *changed]
    recent = [at for at in moments if now - at <= AXIS]
    room = width - 12
    if not recent or room < 20:
        return []
    start = min(recent)
    span = max((now - start).total_seconds(), 60.0)

    def row(label: str, marks: Sequence[tuple[datetime, str]], style: str) -> Line:
        cells = ["·"] * room
        for at, sign in marks:
            if start <= at <= now:
                place = int((at - start).total_seconds() / span * (room - 1))
                seen = cells[place]
                several = str(min(9, int(seen) + 1)) if seen.isdecimal() else "2"
                cells[place] = sign if seen == "·" else several
        return line((f" {label:<10}", "muted"), ("".join(cells), style))

    ends = minute(start, now), "now"
    scale = f"{ends[0]}{' ' * (room - len(ends[0]) - len(ends[1]))}{ends[1]}"
    return [
        rule("when"),
        row("symptoms", begun, "critical"),
        row("changes", [(at, "c") for at in sorted(changed)], "key"),
        line(" " * 11, (scale, "muted")),
    ]


def symptom_rows(item: SymptomView, now: datetime) -> tuple[Line, ...]:
    """One symptom in two lines, or one for a single object without a runbook."""
    return _symptom_rows(item, ago(item.symptom.since, now))


@lru_cache(KEPT_SYMPTOMS)
def _symptom_rows(item: SymptomView, age: str) -> tuple[Line, ...]:
    symptom = item.symptom
    title = (" ", SEVERITY[symptom.severity], " ", (symptom.title, "strong"))
    first = line(*title, target=symptom.id, hang=6, right=((age, "plain"),))
    if len(symptom.objects) < 2 and item.ranked and not item.matches:
        return (first,)
    shared = shared_text(symptom)
    return first, line("      ", shared, target=symptom.id, hang=6, right=(_best(item),))


def _best(item: SymptomView) -> tuple[str, str]:
    """The runbook that fits best, with its score."""
    if not item.matches:
        return ("no runbook fits" if item.ranked else "reading runbooks …"), "muted"
    best = item.matches[0]
    if best.confident:
        return f"{best.id} {best.score:.2f}", "key"
    return f"perhaps {best.id} {best.score:.2f}", "muted"
