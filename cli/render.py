"""The triage as plain text: what a person reads where there is no screen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cluster.kube.durations import clock, words
from cluster.live.freshness import State
from incident.view import NOTHING_READABLE, SymptomView, View, nothing_readable

_WORD = {"critical": "CRIT", "warning": "WARN", "info": "INFO"}


def age(since: datetime | None, now: datetime) -> str:
    """How long ago, "?" when not known."""
    return "?" if since is None else words(now - since)


def triage_lines(view: View, *, objects: int = 5) -> Iterator[str]:
    """The whole triage, one line after the other, no wider than the facts need."""
    now = view.report.as_of if view.report else view.as_of
    yield f"{view.context or '(no context)'}  {view.server}  {'write' if view.write else 'read-only'}  as of {now:%Y-%m-%d %H:%M:%S} UTC"
    if view.api.skew:
        ahead = "ahead of" if view.api.skew > timedelta() else "behind"
        yield (
            f"the server's clock is {words(abs(view.api.skew))} {ahead} this machine's; "
            "times are the server's"
        )
    if view.problem:
        yield f"no cluster: {view.problem}"
    elif view.api.reason:
        yield f"API {view.api.reach.value} since {clock(view.api.since, now)} UTC: {view.api.reason}"
    for hop in view.api.hops:
        mark = {True: "ok", False: "FAILS", None: "not measured"}[hop.ok]
        took = f" in {hop.seconds * 1000:.0f} ms" if hop.seconds is not None else ""
        yield f"  {hop.name:<8} {mark}{took}  {hop.detail}"
    if view.report is None:
        yield "not known yet: nothing has been read from the cluster"
        return
    for gap in (gap for gap in view.report.unavailable if not gap.quiet):
        yield f"not looked at: {gap.what}: {gap.why}"
    read = sum(kind.count for kind in view.kinds)
    if not view.symptoms and nothing_readable(view.kinds):
        yield NOTHING_READABLE
    elif not view.symptoms:
        whole = "" if view.report.complete else ", and not everything could be read"
        yield f"no findings in {read:,} objects{whole}"
    for symptom in view.symptoms:
        yield ""
        yield from symptom_lines(symptom, now, objects)
    stale = [kind for kind in view.kinds if kind.state is State.STALE]
    if stale:
        yield ""
        yield "stale: " + ", ".join(f"{kind.kind} ({kind.reason})" for kind in stale)


def symptom_lines(view: SymptomView, now: datetime, objects: int) -> Iterator[str]:
    symptom = view.symptom
    since = (
        f"since {clock(symptom.since, now)} UTC ({age(symptom.since, now)})"
        if symptom.since
        else "since: not known"
    )
    yield f"{_WORD[symptom.severity.value]}  {symptom.title}  [{len(symptom.objects)} objects, {since}]"
    shown = symptom.objects[:objects]
    more = len(symptom.objects) - len(shown)
    yield (
        "  objects  "
        + ", ".join(str(ref) for ref in shown)
        + (f" and {more} more" if more > 0 else "")
    )
    for shared in symptom.shared:
        ties = f" (as well as {', '.join(shared.tied_with)})" if shared.tied_with else ""
        inside, outside = shared.inside, shared.outside
        yield (
            f"  shared   {shared.what} {shared.spoken}: {inside[0]} of {inside[1]} failing, "
            f"{outside[0]} of {outside[1]} healthy{ties}  p={shared.p_value:.2g}"
        )
    for finding in symptom.findings[:objects]:
        yield f"  found    {finding.claim}" + (
            f" (since {clock(finding.since, now)}, {finding.since_source.value})"
            if finding.since
            else ""
        )
    if len(symptom.findings) > objects:
        yield f"           and {len(symptom.findings) - objects} more findings"
    for change in symptom.changes[:objects]:
        by = f" by {change.manager}" if change.manager else ""
        yield f"  changed  {clock(change.at, now)} {change.object}: {change.what}{by}"
    for dependant in symptom.blast[:objects]:
        yield f"  affects  {dependant.object}: {dependant.why}"
    if not view.matches:
        yield "  runbook  none fits"
    for match in view.matches[:3]:
        yield f"  runbook  {match.score:.2f} {match.id}{'' if match.confident else '  (not confident)'}"
        if match is view.matches[0]:
            for word, given in (
                ("for", match.for_),
                ("missing", match.missing),
                ("against", match.against),
            ):
                for reason in given[:4]:
                    step = f"  -> step {reason.step}" if reason.step else ""
                    yield f"             {word:<8} {reason.text}{step}"
