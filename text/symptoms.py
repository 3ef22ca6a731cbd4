"""The first screen: what is wrong now, since when, what it shares, which runbook fits; and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cluster.live.freshness import State
from incident.view import NOTHING_READABLE, Reach, SymptomView, View, nothing_readable
from runbooks.match import Match, Reason
from text.connection import hop_lines
from text.lines import BLANK, Line, columns, line, paragraphs, rule, shorten, wrap
from text.words import SEVERITY, ago, clock, count, freshness, kinds_name, minute, plural
from triage.facts.finding import ChangeFact, SharedAttribute, Symptom

MARGIN = 1


def headline(view: View, now: datetime) -> str:
    """One sentence: how many symptoms, how many objects, since when; or what is not known yet.
    Never silence that looks like health."""
    if view.api.reach is Reach.OFFLINE and view.report is None:
        return view.problem or "There is no cluster to ask."
    report = view.report
    if report is None:
        if view.api.reach is Reach.LOST:
            return "Not known: the API server does not answer, and nothing was read before."
        read = sum(kind.count for kind in view.kinds)
        if read:
            return f"Not known yet: {count(read)} objects read so far."
        return (
            "Not known: nothing could be read yet."
            if view.api.reach is Reach.DEGRADED
            else "Not known yet: asking the API server."
        )
    read = sum(kind.count for kind in view.kinds)
    if not view.symptoms and nothing_readable(view.kinds):
        return NOTHING_READABLE
    if not view.symptoms:
        partly = (
            ", still reading"
            if loading_kinds(view)
            else ""
            if report.complete
            else ", not everything could be read"
        )
        return (
            f"No findings in {plural(read, 'object')} read{partly}, as of {clock(report.as_of)} "
            "UTC."
        )
    touched = len({ref for item in view.symptoms for ref in item.symptom.objects})
    worst = min(item.symptom.severity.rank for item in view.symptoms)
    begun = [
        item.symptom.since
        for item in view.symptoms
        if item.symptom.since is not None and item.symptom.severity.rank == worst
    ]
    first = f", first {clock(min(begun), now)} UTC ({ago(min(begun), now)} ago)" if begun else ""
    begins = (
        "still reading, may change: "
        if loading_kinds(view) and view.api.reach is not Reach.LOST
        else ""
    )
    return f"{begins}{plural(len(view.symptoms), 'symptom')}, {plural(touched, 'object')}{first}"


def loading_kinds(view: View) -> list[str]:
    """Kinds whose first list is not complete: what is missing there is not known, not absent."""
    return [kind.kind for kind in view.kinds if kind.state in (State.LOADING, State.WAITING)]


def symptom_lines(view: View, now: datetime, width: int) -> list[Line]:
    """The list of symptoms, two lines each: what and how long, then what they share and which
    runbook fits."""
    lines: list[Line] = []
    for item in view.symptoms:
        lines += _symptom(item, now, width)
    if not lines:
        lines = _nothing(view, now, width)
    elif view.report is not None:
        lines += _gaps(view, width)
    return lines


def _symptom(item: SymptomView, now: datetime, width: int) -> list[Line]:
    symptom = item.symptom
    word, style = SEVERITY[symptom.severity]
    rows = [row.text.rstrip() for row in wrap(line(symptom.title), max(10, width - 17))]
    if len(rows) > 2:
        rows = [rows[0], shorten(" ".join(rows[1:]), max(10, width - 17))]
    age = ago(symptom.since, now).rjust(8)
    lines = [
        columns(
            ("", 0),
            (word, 4, style),
            (rows[0], max(10, width - 17), "strong"),
            (age, 8),
            target=symptom.id,
            gap=1,
        )
    ]
    lines += [
        columns(("", 5), (row, max(10, width - 17), "strong"), target=symptom.id, gap=1)
        for row in rows[1:]
    ]
    runbook, look = _runbook(item, max(24, width // 2))
    space = max(0, width - 9 - len(runbook))
    shared = shared_text(symptom)
    if len(shared) > space:
        shared = shared.replace(" of ", "/")
    if len(shared) > space:  # what they share is the heart of the line: it gets one of its own
        lines.append(columns(("", 4), (shared, max(0, width - 7)), target=symptom.id))
        shared = ""
    return [
        *lines,
        columns(("", 4), (shared, space), (runbook, len(runbook), look), target=symptom.id),
    ]


def _runbook(item: SymptomView, room: int) -> tuple[str, str]:
    """The runbook that fits best, with its score; the score is never what is cut."""
    if not item.matches:
        return ("no runbook fits" if item.ranked else "reading runbooks …"), "muted"
    best = item.matches[0]
    perhaps = "" if best.confident else "perhaps "
    return (
        f"{shorten(perhaps + best.id, room - 5)} {best.score:.2f}",
        "key" if best.confident else "muted",
    )


def shared_text(symptom: Symptom) -> str:
    """`7 of 7 on node node-2; 0 of 41 elsewhere`, or how many objects when nothing sets them
    apart."""
    if not symptom.shared:
        return plural(len(symptom.objects), "object")
    return attribute_text(symptom.shared[0])


def attribute_text(shared: SharedAttribute) -> str:
    inside, of = shared.inside
    outside, others = shared.outside
    return f"{inside} of {of} {_where(shared)}; {outside} of {others} elsewhere"


def _where(shared: SharedAttribute) -> str:
    """`on node-2`, `in marketplace`, `with image app:1.4`."""
    word = {"node": "on", "namespace": "in namespace", "zone": "in zone", "owner": "of"}.get(
        shared.what, f"with {shared.what}"
    )
    return f"{word} {shared.spoken}"


def _nothing(view: View, now: datetime, width: int) -> list[Line]:
    text = headline(view, now)
    healthy = view.report is not None and view.report.complete and view.api.reach is Reach.LIVE
    lines = [BLANK, *paragraphs(text, width - 2, "good" if healthy else "unknown", MARGIN)]
    if (
        view.report is not None
        and view.api.reach not in (Reach.LIVE, Reach.CONNECTING)
        and not nothing_readable(view.kinds)
    ):
        lines += paragraphs(
            "That was then; the API server does not answer as it should now.",
            width - 2,
            "warning",
            MARGIN,
        )
    if view.report is None and view.api.reach is Reach.LOST:
        lines += [BLANK, *hop_lines(view.api.hops, width)]
    loading = sorted(
        (kind for kind in view.kinds if kind.state in (State.LOADING, State.WAITING)),
        key=lambda kind: kind.state is State.WAITING,
    )
    if (
        view.report is None
        and loading
        and view.api.reach in (Reach.CONNECTING, Reach.LIVE, Reach.DEGRADED)
    ):
        lines.append(BLANK)
        lines += [
            columns(("", 1), (kinds_name(kind.kind), 24), (freshness(kind, now)[0], 30), gap=0)
            for kind in loading[:8]
        ]
    if view.report is None and view.problem and view.api.reach is not Reach.OFFLINE:
        lines += [BLANK, *paragraphs(view.problem, width - 2, "warning", MARGIN)]
    if view.api.reach is Reach.OFFLINE:
        lines += [
            BLANK,
            *wrap(
                line(
                    " Notes (",
                    ("n", "key"),
                    "), runbooks (",
                    ("2", "key"),
                    ") and symptoms in words (",
                    ("/", "key"),
                    ") work without a cluster.",
                ),
                width,
                1,
            ),
        ]
    if view.report is not None and view.report.changes:
        lines += [
            BLANK,
            rule("changed lately", width),
            *change_lines(view.report.changes, now, width),
        ]
    return lines + _gaps(view, width)


def _gaps(view: View, width: int) -> list[Line]:
    loading = loading_kinds(view)
    if loading and view.api.reach is not Reach.LOST:
        names = ", ".join(kinds_name(kind) for kind in loading[:6]) + (
            f" and {len(loading) - 6} more" if len(loading) > 6 else ""
        )
        return [BLANK, *wrap(line((" still reading: ", "unknown"), names), width, 2)]
    gaps = (
        [gap for gap in view.report.unavailable if not gap.quiet] if view.report is not None else []
    )
    if not gaps:
        return []
    lines = [
        BLANK,
        *wrap(line((" not looked at: ", "warning"), ", ".join(gap.what for gap in gaps)), width, 2),
    ]
    lines += wrap(line((f" {gaps[0].why}", "muted"), ("  a all", "key")), width, 2)
    return lines


def why_title(item: SymptomView | None, index: int) -> str:
    if item is None or not item.matches:
        return "why"
    place = f"  ({index + 1} of {len(item.matches)}, → next)" if len(item.matches) > 1 else ""
    return f"why {item.matches[index].id}{place}"


def why_lines(item: SymptomView | None, index: int, now: datetime, width: int) -> list[Line]:
    """What speaks for a runbook, what is missing, what is against it; what is shared; what changed;
    what depends on the failing things."""
    if item is None:
        return []
    symptom = item.symptom
    lines: list[Line] = []
    if item.matches:
        match = item.matches[index]
        sure = "fits" if match.confident else "not sure"
        lines += wrap(
            line(" ", (match.title, "strong"), (f"  {match.score:.2f} {sure}", "muted")),
            width,
            MARGIN,
        )
        lines += reason_lines(match, width)
    elif not item.ranked:
        lines += paragraphs("The runbooks are being read.", width, "unknown", MARGIN)
    else:
        lines += paragraphs(
            "No runbook fits what is seen. Describe it in words with /, or read on below.",
            width,
            "unknown",
            MARGIN,
        )
    lines += _labelled("shared", [_shared_sentence(shared) for shared in symptom.shared[:3]], width)
    lines += change_lines(symptom.changes, now, width)
    lines += _labelled(
        "depends",
        [f"{d.object}: {d.why}" for d in symptom.blast[:6]],
        width,
        len(symptom.blast) - 6,
    )
    lines += finding_lines(symptom, now, width)
    return lines


def _shared_sentence(shared: SharedAttribute) -> str:
    tied = f" (cannot be told from {', '.join(shared.tied_with)})" if shared.tied_with else ""
    return attribute_text(shared) + tied


def reason_lines(match: Match, width: int) -> list[Line]:
    """For, missing and against; an empty `against` is said."""
    lines: list[Line] = []
    lines += _reasons("for", match.for_, "good", width, tells=False)
    lines += _reasons("missing", match.missing, "unknown", width)
    lines += _reasons("against", match.against, "critical", width) or [
        line((" against  ", "muted"), ("nothing", "muted"))
    ]
    return lines


def _reasons(
    label: str, reasons: Sequence[Reason], style: str, width: int, tells: bool = True
) -> list[Line]:
    lines: list[Line] = []
    for reason in reasons:
        tell: tuple[str, str] = (
            (f"  (step {reason.step} tells)", "key") if reason.step and tells else ("", "plain")
        )
        lines += wrap(line((f" {label:<9}", style), reason.text, tell), width, 10)
    return lines


def _labelled(label: str, texts: Sequence[str], width: int, more: int = 0) -> list[Line]:
    lines: list[Line] = []
    for index, text in enumerate(texts):
        lines += wrap(line((f" {label if index == 0 else '':<9}", "muted"), text), width, 10)
    if more > 0:
        lines.append(line((f"          and {more} more", "muted")))
    return lines


def change_lines(
    changes: Sequence[ChangeFact], now: datetime, width: int, limit: int = 6
) -> list[Line]:
    lines: list[Line] = []
    for index, change in enumerate(changes[:limit]):
        by = f", by {change.manager}" if change.manager else ""
        what = (
            change.what if change.object.name in change.what else f"{change.object}: {change.what}"
        )
        label = "changed" if index == 0 else ""
        lines += wrap(
            line(
                (f" {label:<9}", "muted"),
                (f"{minute(change.at, now)} ", "strong"),
                what,
                (by, "muted"),
            ),
            width,
            10,
        )
    if len(changes) > limit:
        lines.append(line((f"          and {len(changes) - limit} more changes", "muted")))
    return lines


def finding_lines(symptom: Symptom, now: datetime, width: int, limit: int = 12) -> list[Line]:
    """Each finding with its first evidence and since when, and how that is known; its object can be
    opened."""
    if not symptom.findings:
        return []
    lines = [BLANK, rule(plural(len(symptom.findings), "finding"), width)]
    for finding in symptom.findings[:limit]:
        over = "" if finding.active else "over, "
        since = f"{over}since {clock(finding.since, now)} ({finding.since_source.value})"
        target = "|".join(finding.object)
        lines += wrap(
            line(" ", (str(finding.object), "strong"), f"  {finding.claim}", target=target),
            width,
            3,
        )
        lines += wrap(line(("   " + since, "muted")), width, 3)
        lines += [
            row
            for evidence in finding.evidence[:1]
            for row in wrap(line((f"   {evidence.source}: ", "muted"), evidence.text), width, 5)
        ]
    if len(symptom.findings) > limit:
        lines.append(line((f" and {len(symptom.findings) - limit} more findings", "muted")))
    return lines


def one_sentence(view: View, now: datetime, width: int) -> list[Line]:
    """All that fits a tiny terminal: the worst thing, and the keys that lead on."""
    text = headline(view, now)
    lines = paragraphs(text, width - 2, "strong", MARGIN)
    if view.symptoms:
        symptom = view.symptoms[0].symptom
        word, style = SEVERITY[symptom.severity]
        lines += wrap(
            line(" ", (word, style), f" {symptom.title}, {shared_text(symptom)}"), width - 1, MARGIN
        )
    return lines
