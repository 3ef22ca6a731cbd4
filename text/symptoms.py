"""What is wrong now, since when, what it shares, which runbook fits, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType

from msgspec.structs import replace

from cluster.kube import durations
from cluster.kube.objects import Ref
from cluster.live.freshness import WatchState
from incident.view import NOTHING_READABLE, Connection, SymptomView, View, nothing_readable
from runbooks.match import Match, Reason
from text.connection import clock_lines, gap_lines, hop_lines, kind_line
from text.keys import NO_KEYS, Keys, named
from text.lines import BLANK, HINT, Line, columns, field, fields, layout, line, prose, rule
from text.status import ALWAYS, summary_line, trouble_lines
from text.width import cells, head
from text.words import (
    SEVERITY,
    SINCE,
    ago,
    clock,
    count,
    freshness,
    kinds_count,
    kinds_name,
    minute,
    plural,
)
from timeline.seen_before import EarlierIncident, seen_before
from triage.facts.finding import SHARED, ChangeFact, Course, Finding, Severity, Symptom

AXIS = timedelta(hours=12)
"""Older times are left off the axis."""
NEAR, SAME_ROLLOUT = timedelta(days=1), timedelta(minutes=2)
"""How long before a symptom a change is listed, and how far apart the edit of a template and its
rollout are."""
MAY_FIT = 0.3
"""Lowest score of a runbook that may fit; below it hardly fits."""
FEW = 3
"""Symptoms that are listed on one screen."""
KEPT_SYMPTOMS = 1024
"""Symptoms of which the lines are kept: with each key and every two seconds few differ."""
COLUMNS, SCREEN = 80, 23
"""A small terminal, without the row of the prompt."""
OWN_MANAGER = "stanch"
"""Field manager of the changes that this tool makes (`cluster.api.write`)."""
Own = Mapping[tuple[str, str, str], datetime]
"""The objects that this incident changed (`RecordView.changed`)."""
NO_OWN: Own = MappingProxyType({})
OWN_LAG = timedelta(seconds=5)
"""How much earlier than its intent a change may seem to be, by another clock."""
WITHOUT_A_CLUSTER = (
    " Runbooks ({.runbook}), symptoms in words ({.symptom}), notes ({.note}), other contexts "
    "({.contexts}) and incidents ({.incidents}) work without a cluster."
)
NOTHING_AGAINST = field("against", ("nothing", "muted"))


def triage_lines(view: View, *, whole: bool = True) -> list[Line]:
    """The triage for the command line: the lines of the first screen for every symptom. Without
    `whole` the list of symptoms, and the reasons of the first one only."""
    now = view.report.as_of if view.report else view.as_of
    lines = [summary_line(view, now), *clock_lines(view.api), *trouble_lines(view, now)]
    if view.api.reach is not Connection.LIVE and view.report is not None:
        lines += hop_lines(view.api.hops)
    lines += [kind_line(kind, now) for kind in view.kinds if kind.state is WatchState.STALE]
    if not view.symptoms:
        return lines + symptom_lines(view, now)
    lines += [BLANK, rule(now_title(view, now))]
    if not whole:
        first = view.symptoms[0]
        lines += [*_first_symptoms(view, now), BLANK, why_rule(first, 0)]
        reasons = _reasons_in_short(first, now, view.record.changed, SCREEN - _height(lines) - 1)
        return [*map(in_two_rows, (*lines, *reasons)), line((" --all prints the rest", "muted"))]
    lines += _gaps(view, 0)
    folded = _folded(view)
    for item in view.symptoms:
        if item not in folded:
            lines += [BLANK, *symptom_rows(item, now), why_rule(item, 0)]
            lines += why_lines(item, 0, now, own=view.record.changed)
    return [*lines, BLANK, *_folded_lines(folded)] if folded else lines


def cut(each: Line, room: int) -> Line:
    """A line of at most `room` cells, its right edge kept."""
    if each.fill or each.width <= room:
        return each
    spans, left = [], room
    for text, style in each.spans:
        if left > 0:
            spans.append((text if cells(text) <= left else f"{head(text, left - 1)}…", style))
        left -= cells(text)
    return replace(each, spans=tuple(spans))


def in_two_rows(each: Line) -> Line:
    """A line cut to two rows of a small terminal: words break before the edge."""
    return cut(each, 2 * COLUMNS - each.hang - 14)


def _height(lines: Sequence[Line]) -> int:
    return len(layout(map(in_two_rows, lines), COLUMNS))


def _first_symptoms(view: View, now: datetime) -> list[Line]:
    """The list of symptoms, or of many the first ones, as titles, and how many more there are."""
    folded = _folded(view)
    listed = [item for item in view.symptoms if item not in folded]
    lines = [*_gaps(view, 1), *symptom_rows(listed[0], now)]
    lines += [cut(symptom_rows(item, now)[0], COLUMNS - 10) for item in listed[1:FEW]]
    if (left := len(listed) - FEW) > 0:
        lines.append(line((f"      and {plural(left, 'more symptom')}", "muted")))
    lines += [cut(each, COLUMNS - 2) for each in _folded_lines(folded)]
    return [*lines, *recovered_lines(view, now, 1)]


def _reasons_in_short(item: SymptomView, now: datetime, own: Own, room: int) -> list[Line]:
    """Since when, the runbook, and as many reasons and changes as fit in `room` rows."""
    if not item.matches:
        return why_lines(item, 0, now, own=own)[:5]
    title, *reasons = match_lines(item.matches[0])
    # The list of symptoms shows what they share.
    what, since, _, *changed = deciding_lines(item.symptom, now, own)
    shown = [since, title, *reasons[-1:]]
    for each in (*reasons[:1], *changed[:1], what, *reasons[1:-1]):
        if _height([*shown, each]) <= room:
            shown.append(each)
    return [each for each in (what, since, *changed[:1], title, *reasons) if each in shown]


def _folded(view: View, chosen: str = "") -> list[SymptomView]:
    """Standing symptoms that share one line, unless one of them is `chosen` (id)."""
    old = [item for item in view.symptoms if item.symptom.course is Course.STANDING]
    several = 1 < len(old) < len(view.symptoms)
    return old if several and all(item.symptom.id != chosen for item in old) else []


def _folded_lines(folded: Sequence[SymptomView]) -> list[Line]:
    """One line for the standing symptoms. Its target is the first of them, which unfolds all."""
    titles = "; ".join(item.symptom.title for item in folded)
    text = f" {len(folded)} older than a day: {titles}"
    return [line(text, target=folded[0].symptom.id, hang=2)] if folded else []


def now_title(view: View, now: datetime) -> str:
    return f"now ─ {headline(view, now)}" if view.symptoms else "now"


def headline(view: View, now: datetime) -> str:
    """One sentence: how many symptoms, how many objects, since when; or what is not known yet. An
    unknown state never looks healthy."""
    if not view.symptoms:
        return _no_symptoms(view)
    touched = len({ref for item in view.symptoms for ref in item.symptom.objects})
    worst = min(item.symptom.severity.rank for item in view.symptoms)
    begun = [
        item.symptom.since
        for item in view.symptoms
        if item.symptom.since is not None and item.symptom.severity.rank == worst
    ]
    first = f", first {clock(min(begun), now)} UTC ({ago(min(begun), now)} ago)" if begun else ""
    reading = unread_kinds(view) and view.api.reach is not Connection.LOST
    still = "still reading: " if reading else ""
    return f"{still}{plural(len(view.symptoms), 'symptom')}, {plural(touched, 'object')}{first}"


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
        if reach is Connection.DEGRADED:
            return "Not known: nothing could be read yet."
        return "Not known yet: asking the API server."
    if nothing_readable(view.kinds):
        return NOTHING_READABLE
    partly = ""
    if unread_kinds(view):
        partly = ", still reading"
    elif not report.complete:
        partly = ", not everything could be read"
    return f"No findings in {plural(read, 'object')} read{partly}, as of {clock(report.as_of)} UTC."


def unread_kinds(view: View) -> list[str]:
    """Kinds with an incomplete first list: their missing objects are unknown, not absent."""
    return [
        kind.kind for kind in view.kinds if kind.state in (WatchState.LOADING, WatchState.WAITING)
    ]


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
        return [*paged, *_nothing(view, now, keys)]
    # first: what is not known must not scroll out of sight
    lines = [*paged, *_gaps(view, 1, keys)]
    folded = _folded(view, chosen)
    for item in view.symptoms:
        if item not in folded:
            lines += symptom_rows(item, now)
        if item.symptom.id == chosen:
            lines += first
    return [*lines, *_folded_lines(folded), *recovered_lines(view, now)]


def page_lines(view: View) -> list[Line]:
    """What a person was paged with, while the cluster shows no failure that could be it."""
    page = view.record.summary.page
    if not page or any(each.symptom.severity is not Severity.INFO for each in view.symptoms):
        return []
    hint = ("  m finds a runbook for these words", HINT)
    return [line((" paged  ", "heading"), page, hint, hang=8)]


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


def recovered_lines(view: View, now: datetime, limit: int = 3) -> list[Line]:
    """Symptoms that ended within the last hour: `gone since 03:12 UTC`."""
    gone = view.report.recovered[:limit] if view.report is not None else ()
    return [
        line(" ", ("gone", "muted"), " ", f"{each.title}: gone since {clock(each.gone, now)} UTC")
        for each in gone
        if each.gone is not None
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


def shared_text(symptom: Symptom) -> str:
    """`failing: 7 of 7 on node-2; others: 0 of 41`, or the number of objects when they share
    nothing."""
    if not symptom.shared:
        return plural(len(symptom.objects), "object") if symptom.objects else "names no object"
    return symptom.shared[0].sentence


def _shared(symptom: Symptom) -> Iterator[str]:
    """Each attribute once; those that separate equally well follow the first."""
    named: set[str] = set()
    for shared in symptom.shared:
        if f"{shared.what} {shared.spoken}" in named or f"{shared.what} {shared.value}" in named:
            continue
        named |= set(shared.tied_with)
        kinds = list(dict.fromkeys(_attribute(text) for text in shared.tied_with))
        also = f" (so also the same {', '.join(kinds)})" if kinds else ""
        yield shared.sentence + also


def _attribute(text: str) -> str:
    """The name of an attribute that is written with its value ("image digest sha256:9f")."""
    names = [name for name in SHARED if text.startswith(f"{name} ")]
    return max(names, key=len) if names else text


def _nothing(view: View, now: datetime, keys: Keys) -> list[Line]:
    report, reach = view.report, view.api.reach
    healthy = report is not None and report.complete and reach is Connection.LIVE
    lines = [BLANK, *prose(headline(view, now), "good" if healthy else "unknown")]
    asked = reach not in (Connection.LIVE, Connection.CONNECTING)
    if report is not None and not nothing_readable(view.kinds):
        lines += _read_lines(view, now, keys)
    if report is not None and asked and not nothing_readable(view.kinds):
        text = "That was the state then; the API server does not answer normally now."
        lines += prose(text, "warning")
    if report is None and reach is Connection.LOST:
        lines += [BLANK, *hop_lines(view.api.hops)]
    elif report is None and reach is not Connection.OFFLINE:
        unread = unread_kinds(view)
        loading = [kind for kind in view.kinds if kind.kind in unread]
        loading.sort(key=lambda kind: kind.state is WatchState.WAITING)
        lines += [BLANK] if loading else []
        lines += [
            columns((kinds_name(kind.kind), 24), (freshness(kind, now)[0], 30))
            for kind in loading[:8]
        ]
    if report is None and view.problem and reach is not Connection.OFFLINE:
        lines += [BLANK, *prose(view.problem, "warning")]
    if reach is Connection.OFFLINE:
        text = named(WITHOUT_A_CLUSTER, keys)
        lines += [BLANK, line((text, HINT), hang=1)]
    if report is not None and report.changes:
        lines += [
            BLANK,
            rule("changed lately"),
            *change_lines(report.changes, now, own=view.record.changed),
        ]
    gaps = _gaps(view, 3, keys)
    return [*lines, BLANK, *gaps] if gaps else lines


def _read_lines(view: View, now: datetime, keys: Keys) -> list[Line]:
    """How many objects of each kind were read, and the age of the oldest answer."""
    read = [kind for kind in view.kinds if kind.heard is not None and kind.count]
    if not read:
        return []
    read.sort(key=lambda kind: (kind.kind not in ALWAYS, -kind.count))
    counts = ", ".join(kinds_count(kind.count, kind.kind) for kind in read)
    oldest = min(kind.heard for kind in read if kind.heard is not None)
    return [
        field("read", counts),
        field("age", f"the oldest of these answers is {ago(oldest, now)} old"),
    ]


def nothing_read(view: View) -> bool:
    """Whether the server is lost and never answered, so that only the record knows the past."""
    return view.api.reach is Connection.LOST and all(kind.heard is None for kind in view.kinds)


def _gaps(view: View, limit: int, keys: Keys = NO_KEYS) -> list[Line]:
    """What is still being read; after that, what was not examined."""
    if nothing_read(view):
        return [line((" Nothing could be read from this cluster yet.", "unknown"), hang=1)]
    unread = unread_kinds(view)
    if unread and view.api.reach is not Connection.LOST:
        more = f" and {len(unread) - 6} more" if len(unread) > 6 else ""
        names = ", ".join(kinds_name(kind) for kind in unread[:6])
        return [line((" still reading: ", "unknown"), names + more, hang=2)]
    report = view.report
    if (
        report is not None and view.api.reach is Connection.LOST
    ):  # The banner says this for all kinds.
        stale = {kind.kind for kind in view.kinds if kind.state is WatchState.STALE}
        report = replace(
            report, unavailable=tuple(gap for gap in report.unavailable if gap.what not in stale)
        )
    return gap_lines(report, limit, quiet=False, head="not looked at: ", keys=keys)


# -- why


def why_rule(item: SymptomView | None, index: int, keys: Keys = NO_KEYS) -> Line:
    """The heading of the reasons: which of the matching runbooks is explained."""
    if item is None or not item.matches:
        return rule("why")
    more = len(item.matches) > 1
    following = named(", {now.other_match} next", keys)
    place = f"({index + 1} of {len(item.matches)}{following})" if more else ""
    return rule(f"why {item.matches[index].id}", place)


def why_lines(
    item: SymptomView | None,
    index: int,
    now: datetime,
    earlier: Sequence[EarlierIncident] = (),
    *,
    whole: bool = True,
    own: Own = NO_OWN,
    keys: Keys = NO_KEYS,
) -> list[Line]:
    """Four deciding lines (what, since, shared, changed), and whether it was seen before; then the
    evidence for a runbook, what is missing, what is against it.

    `whole`: append everything else that is known; without it, one line names it.
    """
    if item is None:
        return []
    symptom = item.symptom
    lines = deciding_lines(symptom, now, own)
    if before := seen_before(earlier, symptom.id, (each.id for each in item.matches[:1])):
        lines += fields("before", [before_text(before, now)])
    if item.matches:
        lines += match_lines(item.matches[index])
    elif not item.ranked:
        lines += prose("The runbooks are being read.", "unknown")
    else:
        hint = (named(" Describe it in words with {.symptom}, or read on below.", keys), HINT)
        lines.append(line((" No runbook fits what is seen.", "unknown"), hint, hang=1))
    rest = _rest(item, index, now, own)
    if whole or len(rest) < 4:
        return [*lines, *rest]
    changes = near_changes(symptom)
    counts = [
        plural(len(symptom.findings), "finding"),
        *([plural(len(symptom.blast), "dependant")] if symptom.blast else []),
        plural(len(symptom.objects), "object"),
        *([plural(len(changes) - 1, "more change")] if len(changes) > 1 else []),
    ]
    shown = ("shows " + ", ".join(counts), "muted")
    return [*lines, line(" ", (named("{now.whole} ", keys), "key"), shown, hang=3)]


def deciding_lines(symptom: Symptom, now: datetime, own: Own = NO_OWN) -> list[Line]:
    """What fails, since when, what only the failing objects share, and what changed before."""
    what, shared = ("not known", "unknown"), ("nothing found", "muted")
    changed = shared
    if symptom.findings:
        finding = next((f for f in symptom.findings if f.active), symptom.findings[0])
        named = f"{finding.object}: " if finding.object.name else ""
        what = (f"{named}{finding.claim}", "plain")
    since: tuple[str, str] = ("not known", "unknown")
    if symptom.since is not None:
        sources = (f.since_source for f in symptom.findings if f.since == symptom.since)
        source = next(sources, None)
        how = f", {SINCE[source]}" if source is not None else ""
        since = (f"{clock(symptom.since, now)} UTC ({ago(symptom.since, now)} ago){how}", "plain")
    if found := next(_shared(symptom), ""):
        shared = (found, "strong")
    lines = [field("what", what), field("since", since), field("shared", shared)]
    if changes := near_changes(symptom):
        return [*lines, *change_lines(changes[:1], now, own=own)]
    return [*lines, field("changed", changed)]


def before_text(before: EarlierIncident, now: datetime) -> str:
    """An earlier incident with the same symptom: its time, its end, its runbook."""
    lasted = durations.words(before.seconds) if before.seconds else ""
    ended = f", over after {lasted}" if lasted else ""
    by = f" by {before.ended_by}" if before.ended_by else ""
    followed = f"; runbook {before.followed}" if before.followed else ""
    age = durations.words(now - before.began)
    return f"seen before: {before.incident}, {age} ago{ended}{by}{followed}"


def _rest(item: SymptomView, index: int, now: datetime, own: Own) -> list[Line]:
    """What is known beyond the deciding lines."""
    symptom = item.symptom
    lines = fields("", list(_shared(symptom))[1:3])
    lines += change_lines(near_changes(symptom)[1:], now, own=own)
    lines += fields("depends", [f"{d.object}: {d.why}" for d in symptom.blast], limit=6)
    lines += fields("objects", [_some(symptom.objects)])
    others = [match for at, match in enumerate(item.matches[:4]) if at != index]
    named = ", ".join(f"{match.id} {match.score:.2f}" for match in others)
    lines += fields("or", [named] if named else [])
    return lines + finding_lines(symptom, now)


def _some(objects: Sequence[Ref], limit: int = 5) -> str:
    """The first objects by name, and how many more there are."""
    more = f" and {count(len(objects) - limit)} more" if len(objects) > limit else ""
    return ", ".join(map(str, objects[:limit])) + more


def match_lines(match: Match) -> list[Line]:
    """A runbook: how well it fits, and for, missing and against. An empty `against` is shown. For a
    poor match the missing signs are only counted."""
    sure = "fits" if match.confident else "may fit" if match.score >= MAY_FIT else "hardly fits"
    head = line(" ", (match.title, "strong"), (f"  {match.score:.2f} {sure}", "muted"), hang=1)
    lines = [head, *_reasons("for", match.for_, "good")]
    against = _reasons("against", match.against, "critical")
    if match.confident:
        missing = _reasons("missing", match.missing, "unknown", tells=True)
        return [*lines, *missing, *(against or [NOTHING_AGAINST])]
    if match.missing:
        signs = plural(len(match.missing), "sign was", "signs were")
        lines.append(field("missing", f"{signs} not seen", style="unknown"))
    return lines + against


def _reasons(label: str, reasons: Sequence[Reason], style: str, tells: bool = False) -> list[Line]:
    """Evidence behind several reasons is printed once."""
    lines: list[Line] = []
    given: set[str] = set()
    for reason in reasons:
        condition, _, evidence = reason.text.partition(": ")
        text = f"{condition} (as above)" if evidence and evidence in given else reason.text
        given.add(evidence)
        step = (f"  step {reason.step} tells", "key") if reason.step and tells else ""
        lines.append(field(label, text, step, style=style))
    return lines


def near_changes(symptom: Symptom) -> list[ChangeFact]:
    """The changes of the day before a symptom began, without edits of a template beside the
    rollouts that they caused."""
    since = symptom.since
    rollouts = [one for one in symptom.changes if one.rule == "rollout"]
    return [
        one
        for one in symptom.changes
        if (since is None or since - one.at <= NEAR)
        and not (
            one.what.endswith("template written")
            and any(
                one.object == other.object and abs(one.at - other.at) <= SAME_ROLLOUT
                for other in rollouts
            )
        )
    ]


def change_lines(
    changes: Sequence[ChangeFact], now: datetime, limit: int = 6, own: Own = NO_OWN
) -> list[Line]:
    """What was changed, newest evidence first, with the time and who did it. Changes of this
    incident are marked."""
    lines: list[Line] = []
    for index, change in enumerate(changes[:limit]):
        by = (f", {_by(change, own)}", "strong" if _is_own(change, own) else "muted")
        named = change.object.name in change.what
        what = change.what if named else f"{change.object}: {change.what}"
        at = (f"{minute(change.at, now)} ", "strong")
        known = change.manager and change.manager not in change.what
        said = by if known or _is_own(change, own) else ""
        lines.append(field("" if index else "changed", at, what, said))
    if len(changes) > limit:
        lines.append(field("", (f"and {plural(len(changes) - limit, 'more change')}", "muted")))
    return lines


def _is_own(change: ChangeFact, own: Own) -> bool:
    if change.manager != OWN_MANAGER:
        return False
    began = own.get((change.object.kind, change.object.namespace, change.object.name))
    return began is not None and change.at >= began - OWN_LAG


def _by(change: ChangeFact, own: Own) -> str:
    """Who made a change: in this incident, with this tool elsewhere, or another manager."""
    if _is_own(change, own):
        return "made in this incident"
    if change.manager == OWN_MANAGER:
        return "made with stanch, not in this incident"
    return f"by {change.manager}"


def finding_lines(symptom: Symptom, now: datetime, limit: int = 12) -> list[Line]:
    """Each finding with its first evidence, its beginning and the source of that time."""
    if not symptom.findings:
        return []
    lines = [BLANK, rule(plural(len(symptom.findings), "finding"))]
    for finding in symptom.findings[:limit]:
        lines += _finding(finding, now)
    if len(symptom.findings) > limit:
        more = plural(len(symptom.findings) - limit, "more finding")
        lines.append(line((f" and {more}", "muted")))
    return lines


def _finding(finding: Finding, now: datetime) -> Iterator[Line]:
    target = "|".join(finding.object)
    name = (str(finding.object), "strong")
    yield line(" ", name, f"  {finding.claim}", target=target, hang=3)
    since = "since: not known"
    if finding.since is not None:
        since = f"since {clock(finding.since, now)} UTC, {SINCE[finding.since_source]}"
    over = "" if finding.active else "over, "
    seen = [f"; {evidence.source}: {evidence.text}" for evidence in finding.evidence[:1]]
    yield line((f"   {over}{since}", "muted"), *seen, hang=5)


def one_sentence(view: View, now: datetime) -> list[Line]:
    """Everything that fits a tiny terminal: the number of symptoms, the worst one, and the size
    that the rest needs."""
    lines = prose(headline(view, now), "strong")
    if view.symptoms:
        symptom = view.symptoms[0].symptom
        text = f" {symptom.title}, {shared_text(symptom)}"
        lines.append(line(" ", SEVERITY[symptom.severity], text, hang=1))
    return [*lines, *prose("A terminal of 60x16 or more shows why.", "muted")]
