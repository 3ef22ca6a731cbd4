"""The two faces say the same: for each drill, what the first screen shows is what is printed."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest
from msgspec.structs import replace

from cli import exits
from cli.printing import print_lines
from cli.triage import exit_code
from cluster.kube.kinds import KINDS
from cluster.live.freshness import Freshness, WatchState
from drills.scenario.catalogue import ids
from incident.view import ApiView, Connection, RecordView, SymptomView, View
from tests.drill_gates import ground
from text.lines import Line, layout, plain_text, without_hints
from text.symptoms.headline import headline, unknown_lines
from text.symptoms.listing import folded_lines, symptom_lines
from text.symptoms.triage import triage_lines
from text.symptoms.why import match_lines, why_lines, why_rule
from timeline.summary import Summary
from triage.facts.finding import Course, Gap, Severity

COUNTED = (
    "objects|pods|nodes|replicas|containers|findings|changes|services|workloads|endpoints|entries"
    "|requests|symptoms|kinds|owners|namespaces|questions|steps|minutes|hours|days|restarts|lines"
)
ONE_OF_MANY = re.compile(rf"(?<![\w.,:/])(?<!of )1 ({COUNTED})\b")


def view_of(drill: str) -> View:
    """A drill as a session shows it that has read everything."""
    seen = ground.seen(drill)
    return View(
        version=1,
        as_of=ground.NOW,
        context="drill",
        server="https://127.0.0.1:6443",
        write=False,
        namespaces=(),
        api=ApiView(Connection.LIVE, ground.NOW - timedelta(minutes=1), heard=ground.NOW),
        kinds=(),
        report=seen.report,
        symptoms=seen.symptoms,
        record=RecordView("", 0, "none"),
    )


def printed(lines: list[Line]) -> list[str]:
    out = io.StringIO()
    print_lines(lines, out)
    return out.getvalue().splitlines()


def said(lines: list[Line]) -> list[str]:
    return [plain_text(without_hints(each)) for each in lines]


@pytest.mark.parametrize("drill", ids())
def test_what_the_first_screen_shows_of_a_drill_is_what_is_printed(drill: str) -> None:
    view = view_of(drill)
    text = printed(triage_lines(view))
    assert f"── now ─ {headline(view, ground.NOW)}" in text
    shown = [symptom_lines(view, ground.NOW)]
    shown += [[why_rule(item, 0), *why_lines(item, 0, ground.NOW)] for item in view.symptoms]
    for pane in shown:
        assert [row for row in said(pane) if row not in text] == []


@pytest.mark.parametrize("drill", ids())
def test_the_short_triage_is_a_part_of_the_whole_and_fits_on_a_screen(drill: str) -> None:
    view = view_of(drill)
    whole, short = printed(triage_lines(view)), printed(triage_lines(view, whole=False))
    for row in short:
        start = row.removesuffix("…").rstrip()
        known = any(other.startswith(start) for other in whole)
        assert known or re.search(r"more symptom|--all|…  \S", row), row
    rows = layout(triage_lines(view, whole=False), 80)
    assert len(rows) <= 24, [plain_text(row) for row in rows]


@pytest.mark.parametrize("drill", ids())
def test_every_line_of_a_drill_reads_as_words(drill: str) -> None:
    for row in printed(triage_lines(view_of(drill))):
        assert not ONE_OF_MANY.search(row), row
        assert not re.search(r"\{[a-z_]+\}|\bNone\b|\bp=\d", row), row
        assert "1 more changes" not in row


def test_what_was_not_looked_at_is_said_in_both_faces() -> None:
    view = view_of("coredns-oom")
    assert view.report is not None
    gaps = (*view.report.unavailable, *view.report.unavailable)
    view = replace(view, report=replace(view.report, complete=False, unavailable=gaps))
    text = printed(triage_lines(view))
    assert all(row in text for row in said(symptom_lines(view, ground.NOW)) if "not looked" in row)


def test_kinds_that_are_refused_share_a_line_on_the_first_screen_and_have_reasons_when_printed() -> (
    None
):
    refused = {"DaemonSet": WatchState.ABSENT, "Event": WatchState.FORBIDDEN}
    refused["Pod"] = WatchState.FORBIDDEN
    gaps = tuple(Gap(kind, f"{kind} because") for kind in refused)
    view = view_of("coredns-oom")
    assert view.report is not None
    view = replace(
        view,
        kinds=tuple(Freshness(kind, state) for kind, state in refused.items()),
        report=replace(view.report, unavailable=gaps),
    )
    lines = [" ".join(row.split()) for row in said(unknown_lines(view, 3))]
    assert lines == [
        "not looked at: pods, events forbidden for this account",
        "not looked at: daemon sets the server does not offer them",
    ]
    whole = " ".join(said(unknown_lines(view, 0)))
    assert all(f"{kind} because" in whole for kind in refused)


def test_a_kind_that_may_be_absent_is_not_told_as_missing_by_a_report_from_before() -> None:
    view = view_of("coredns-oom")
    assert view.report is not None
    view = replace(
        view,
        kinds=(Freshness("Gateway", WatchState.ABSENT), Freshness("DaemonSet", WatchState.ABSENT)),
        report=replace(
            view.report,
            unavailable=(Gap("Gateway", "still loading"), Gap("DaemonSet", "still loading")),
        ),
    )
    assert [" ".join(row.split()) for row in said(unknown_lines(view, 3))] == [
        "not looked at: daemon sets the server does not offer them"
    ]


def test_kinds_that_are_not_read_do_not_fill_the_first_line() -> None:
    view = view_of("coredns-oom")
    view = replace(view, kinds=tuple(Freshness(kind.name, WatchState.WAITING) for kind in KINDS))
    first = printed(triage_lines(view))[0]
    assert "nodes " in first
    assert re.search(r"\+\d+ more  as of", first)
    assert len(first) < 300


def test_a_kind_whose_list_fails_is_not_still_being_read() -> None:
    view = view_of("coredns-oom")
    failed = Freshness("Pod", WatchState.WAITING, reason="list pods: HTTP 503")
    loading = Freshness("Event", WatchState.LOADING)
    others = [kind for kind in view.kinds if kind.kind not in ("Pod", "Event")]
    assert view.report is not None
    gaps = (Gap("Pod", "not read yet: list pods: HTTP 503"), Gap("Event", "still loading"))
    view = replace(view, report=replace(view.report, complete=False, unavailable=gaps))
    both = unknown_lines(replace(view, kinds=(failed, loading, *others)), 3)
    assert [plain_text(row) for row in both] == [
        " still reading: events",
        " not looked at: Pod  not read yet: list pods: HTTP 503",
    ]
    assert view.report is not None
    nowhere = replace(view.report, unavailable=(*gaps, Gap("namespace nosuch", "does not exist")))
    three = unknown_lines(replace(view, kinds=(failed, loading, *others), report=nowhere), 3)
    assert "namespace nosuch" in plain_text(three[-1])
    alone = replace(view, kinds=(failed, *others))
    assert not headline(alone, ground.NOW).startswith("still reading")


def test_nothing_read_is_never_calm() -> None:
    view = view_of("coredns-oom")
    failed = tuple(Freshness(kind.name, WatchState.WAITING, reason="no list") for kind in KINDS)
    view = replace(view, kinds=failed, symptoms=())
    assert headline(view, ground.NOW) == "Not known: nothing could be read yet."
    assert exit_code(view) == exits.UNREACHED


def test_a_runbook_that_is_not_sure_may_fit() -> None:
    match = replace(view_of("coredns-oom").symptoms[0].matches[0], confident=False)

    def words(score: float) -> str:
        return plain_text(match_lines(replace(match, score=score))[0])

    assert words(0.49).endswith("0.49 may fit")
    assert words(0.1).endswith("0.10 hardly fits")


def test_old_and_small_troubles_fold_into_one_line_and_what_is_gone_is_said() -> None:
    view = view_of("coredns-oom")
    first = view.symptoms[0]
    old = [
        replace(first, symptom=replace(first.symptom, id=name, title=name, course=Course.STANDING))
        for name in ("web crashes", "disk is full")
    ]
    aged = [
        replace(each, symptom=replace(each.symptom, since=ground.NOW - timedelta(days=6)))
        for each in old
    ]
    note = replace(first, symptom=replace(first.symptom, severity=Severity.INFO))
    below = replace(view, symptoms=(note, *aged))
    assert "(6 d ago)" not in headline(below, ground.NOW), "it is the first line's beginning"
    gone = replace(first.symptom, title="dns is away", course=Course.RECOVERED, gone=ground.NOW)
    assert view.report is not None
    view = replace(
        view,
        symptoms=(first, *old),
        report=replace(view.report, recovered=(gone,)),
    )
    text = printed(triage_lines(view))
    assert " 2 older than a day: web crashes; disk is full" in text
    folded = said(symptom_lines(view, ground.NOW, first.symptom.id))
    assert any("2 older than a day: web crashes; disk is full" in row for row in folded)
    many = [*old, *(replace(old[0], symptom=replace(old[0].symptom, id=str(n))) for n in range(9))]
    (row,) = said(folded_lines(many))
    assert row.startswith(" 11 older than a day: web crashes; disk is full; ")
    assert row.endswith("; and 7 more")
    unfolded = said(symptom_lines(view, ground.NOW, "web crashes"))
    assert not any("older than a day" in row for row in unfolded), "a chosen one is shown"
    assert any("disk is full" in row for row in unfolded)
    for shown in (view, replace(view, symptoms=())):
        rows = said(symptom_lines(shown, ground.NOW))
        assert any("gone since" in row and "dns is away" in row for row in rows)


def test_beside_notes_alone_old_troubles_stay() -> None:
    view = view_of("coredns-oom")
    first = view.symptoms[0]
    old = [
        replace(first, symptom=replace(first.symptom, id=name, title=name, course=Course.STANDING))
        for name in ("web crashes", "disk is full")
    ]
    note = replace(first, symptom=replace(first.symptom, severity=Severity.INFO, title="a note"))
    text = "\n".join(printed(triage_lines(replace(view, symptoms=(*old, note)), whole=False)))
    assert "older than a day" not in text
    assert text.index("web crashes") < text.index("a note")


def test_the_page_stands_above_what_is_no_failure_and_only_there() -> None:
    view = view_of("dns-latency-ndots")
    assert all(each.symptom.severity is Severity.INFO for each in view.symptoms)
    summary = Summary(page="Slow: one request in thirty takes five seconds")
    view = replace(view, record=replace(view.record, summary=summary))
    for shown in (view, replace(view, symptoms=())):
        first = said(symptom_lines(shown, ground.NOW))[0]
        assert "one request in thirty takes five seconds" in first
    loud = view_of("coredns-oom")
    loud = replace(loud, record=replace(loud.record, summary=summary))
    assert not any("one request in thirty" in row for row in said(symptom_lines(loud, ground.NOW)))


def test_a_symptom_without_objects_has_no_empty_line_of_them() -> None:
    item = view_of("coredns-oom").symptoms[0]
    bare = replace(item, symptom=replace(item.symptom, objects=()))

    def labels(of: SymptomView) -> list[str]:
        return [row.split()[0] for row in said(why_lines(of, 0, ground.NOW)) if row.strip()]

    assert "objects" in labels(item)
    assert "objects" not in labels(bare)
