"""Why a symptom is what it is: the lines that decide, the runbook that fits, the findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from cluster.kube import durations
from cluster.kube.objects import Ref
from incident.view import SymptomView
from runbooks.match import Match, Reason
from text.keys import NO_KEYS, Keys, named
from text.lines import BLANK, HINT, Line, field, fields, line, prose, rule
from text.symptoms.changes import NO_OWN, Own, change_lines, near_changes
from text.symptoms.shared import shared_sentences
from text.words import SINCE, ago, clock, count, plural
from timeline.seen_before import EarlierIncident, seen_before
from triage.facts.finding import Finding, Severity, Symptom
from triage.facts.rules.catalogue import CONFIGURATIONS

MAY_FIT = 0.3
"""Lowest score of a runbook that may fit; below it hardly fits."""
NOTHING_AGAINST = field("against", ("nothing", "muted"))


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
    said = leading(symptom).claim if symptom.findings else ""
    if before := seen_before(earlier, symptom.id, (each.id for each in item.matches[:1])):
        lines += fields("before", [before_text(before, now)])
    if item.matches:
        lines += match_lines(item.matches[index], said)
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
        *([plural(len(symptom.objects), "object")] if symptom.objects else []),
        *([plural(len(changes) - 1, "more change")] if len(changes) > 1 else []),
    ]
    shown = ("shows " + ", ".join(counts), "muted")
    return [*lines, line(" ", (named("{now.whole} ", keys), "key"), shown, hang=3)]


def deciding_lines(symptom: Symptom, now: datetime, own: Own = NO_OWN) -> list[Line]:
    """What fails, since when, what only the failing objects share, and what changed before."""
    what, shared = ("not known", "unknown"), ("nothing found", "muted")
    changed = shared
    if symptom.findings:
        finding = leading(symptom)
        named = f"{finding.object}: " if finding.object.name else ""
        what = (f"{named}{finding.claim}", "plain")
    since: tuple[str, str] = ("not known", "unknown")
    if symptom.since is not None:
        sources = (f.since_source for f in symptom.findings if f.since == symptom.since)
        source = next(sources, None)
        how = f", {SINCE[source]}" if source is not None else ""
        how += older_cause(symptom, now)
        since = (f"{clock(symptom.since, now)} UTC ({ago(symptom.since, now)} ago){how}", "plain")
    if found := next(shared_sentences(symptom), ""):
        shared = (found, "strong")
    lines = [field("what", what), field("since", since), field("shared", shared)]
    if changes := near_changes(symptom):
        return [*lines, *change_lines(changes[:1], now, own=own)]
    return [*lines, field("changed", changed)]


def leading(symptom: Symptom) -> Finding:
    """The finding that says what the symptom is: the first that is active."""
    return next((f for f in symptom.findings if f.active), symptom.findings[0])


def older_cause(symptom: Symptom, now: datetime) -> str:
    """`; older cause: its configuration stands for 6 d`; "" for none older than the trouble."""
    stood = [
        f.since
        for f in symptom.findings
        if f.since is not None and f.rule in CONFIGURATIONS and f.severity is not Severity.INFO
    ]
    if not stood or symptom.since is None or min(stood) >= symptom.since:
        return ""
    return f"; older cause: its configuration stands for {ago(min(stood), now)}"


def before_text(before: EarlierIncident, now: datetime) -> str:
    """An earlier incident with the same symptom: its time, its end, its runbook."""
    lasted = durations.words(before.seconds) if before.seconds else ""
    ended = f", over after {lasted}" if lasted else ""
    by = f" by {before.ended_by}" if before.ended_by else ""
    followed = f"; runbook {before.followed}" if before.followed else ""
    age = durations.words(now - before.began)
    return f"{before.incident}, {age} ago{ended}{by}{followed}"


def _rest(item: SymptomView, index: int, now: datetime, own: Own) -> list[Line]:
    """What is known beyond the deciding lines."""
    symptom = item.symptom
    lines = fields("", list(shared_sentences(symptom))[1:3])
    lines += change_lines(near_changes(symptom)[1:], now, own=own)
    lines += fields("depends", [f"{d.object}: {d.why}" for d in symptom.blast], limit=6)
    lines += fields("objects", [_some(symptom.objects)] if symptom.objects else [])
    others = [match for at, match in enumerate(item.matches[:4]) if at != index]
    named = ", ".join(f"{match.id} {match.score:.2f}" for match in others)
    lines += fields("or", [named] if named else [])
    return lines + finding_lines(symptom, now)


def _some(objects: Sequence[Ref], limit: int = 5) -> str:
    """The first objects by name, and how many more there are."""
    more = f" and {count(len(objects) - limit)} more" if len(objects) > limit else ""
    return ", ".join(map(str, objects[:limit])) + more


def match_lines(match: Match, said: str = "") -> list[Line]:
    """A runbook: how well it fits, and for, missing and against. An empty `against` is shown. For a
    poor match the missing signs are only counted. `said`: a claim that stands above."""
    sure = "fits" if match.confident else "may fit" if match.score >= MAY_FIT else "hardly fits"
    head = line(" ", (match.title, "strong"), (f"  {match.score:.2f} {sure}", "muted"), hang=1)
    lines = [head, *_reasons("for", match.for_, "good", said=said)]
    against = _reasons("against", match.against, "critical")
    if match.confident:
        missing = _reasons("missing", match.missing, "unknown", tells=True)
        return [*lines, *missing, *(against or [NOTHING_AGAINST])]
    if match.missing:
        signs = plural(len(match.missing), "sign was", "signs were")
        lines.append(field("missing", f"{signs} not seen", style="unknown"))
    return lines + against


def _reasons(
    label: str, reasons: Sequence[Reason], style: str, tells: bool = False, said: str = ""
) -> list[Line]:
    """Evidence behind several reasons, or that is `said` above, is printed once."""
    lines: list[Line] = []
    given = {said}
    for reason in reasons:
        condition, _, evidence = reason.text.partition(": ")
        text = f"{condition} (as above)" if evidence and evidence in given else reason.text
        given.add(evidence)
        step = (f"  step {reason.step} tells", "key") if reason.step and tells else ""
        lines.append(field(label, text, step, style=style))
    return lines


def finding_lines(symptom: Symptom, now: datetime, limit: int = 12) -> list[Line]:
    """Each finding with its first evidence, its beginning and the source of that time."""
    if not symptom.findings:
        return []
    lines = [BLANK, rule(plural(len(symptom.findings), "finding"))]
    said: set[str] = set()
    for finding in symptom.findings[:limit]:
        lines += _finding(finding, now, said)
    if len(symptom.findings) > limit:
        more = plural(len(symptom.findings) - limit, "more finding")
        lines.append(line((f" and {more}", "muted")))
    return lines


QUOTED = 24
"""Characters from which words that stand above already are not repeated."""


def unsaid(evidence: str, claim: str) -> str:
    """Evidence without its end where the claim quotes that: `Evicted` of `Evicted: Usage of …`."""
    parts = evidence.split(": ")
    for at in range(len(parts)):
        rest = ": ".join(parts[at:]).rstrip(". ")
        if len(rest) >= QUOTED and rest in claim:
            return ": ".join(parts[:at])
    return evidence


def _finding(finding: Finding, now: datetime, said: set[str]) -> Iterator[Line]:
    """`said`: claims with their evidence that stand above; their further objects are one line
    each."""
    target = "|".join(finding.object)
    name = (str(finding.object), "strong")
    words = "".join([finding.claim, *(each.text for each in finding.evidence[:1])])
    if len(words) >= QUOTED and words in said:
        since = f", since {clock(finding.since, now)} UTC" if finding.since is not None else ""
        over = "" if finding.active else ", over"
        yield line(" ", name, f"  the same as above{over}{since}", target=target, hang=3)
        return
    said.add(words)
    yield line(" ", name, f"  {finding.claim}", target=target, hang=3)
    since = "since: not known"
    if finding.since is not None:
        since = f"since {clock(finding.since, now)} UTC, {SINCE[finding.since_source]}"
    over = "" if finding.active else "over, "
    seen = [
        f"; {evidence.source}" + (f": {text}" if text else "")
        for evidence in finding.evidence[:1]
        for text in (unsaid(evidence.text, finding.claim),)
    ]
    yield line((f"   {over}{since}", "muted"), *seen, hang=5)
