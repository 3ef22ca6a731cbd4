"""What is worth a line in the record, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from cluster.kube.text import clean_uncut
from incident.cadence import Cadence
from incident.report.observer import Observer
from incident.view import ApiView, Connection, HopView, SymptomView
from tests.incident.build import NOW, match, report, symptom, view
from timeline.journal.journal import Journal
from triage.facts.finding import Severity


def test_a_new_symptom_is_written_once_with_the_time_it_began() -> None:
    observer, seen = Observer(), symptom()
    first = list(observer.observe(report(seen), view(seen), NOW))
    assert [draft.kind for draft in first] == ["observation", "milestone"]
    assert first[0].occurred_at == seen.since
    assert first[0].time_source == "cluster"
    assert list(observer.observe(report(seen), view(seen), NOW + timedelta(seconds=1))) == []


def test_an_entry_is_made_when_it_is_taken_so_that_no_key_waits_for_thousands() -> None:
    looked, seen = list[str](), [replace(symptom(), id=f"s{n}") for n in range(3)]

    def views() -> Iterator[SymptomView]:
        for each in seen:
            looked.append(each.id)
            yield from view(each)

    drafts = Observer().observe(report(*seen), views(), NOW)
    assert looked == []
    next(drafts)
    assert looked == ["s0"]
    assert [draft.kind for draft in drafts] == ["milestone", "observation", "observation"]


def test_a_symptom_of_no_object_ends_with_its_title() -> None:
    seen = symptom(count=0)
    first = next(Observer().observe(report(seen), view(seen), NOW))
    assert first.text == seen.title


def test_one_more_pod_is_no_news_but_a_doubling_is() -> None:
    observer = Observer()
    list(observer.observe(report(symptom(count=5)), view(symptom(count=5)), NOW))
    assert list(observer.observe(report(symptom(count=6)), view(symptom(count=6)), NOW)) == []
    grown = list(observer.observe(report(symptom(count=12)), view(symptom(count=12)), NOW))
    assert [draft.data["event"] for draft in grown] == ["changed"]


def test_flicker_is_one_symptom_and_clearing_takes_its_time() -> None:
    observer, seen = Observer(), symptom()
    list(observer.observe(report(seen), view(seen), NOW))
    assert list(observer.observe(report(), (), NOW + timedelta(seconds=1))) == []
    assert list(observer.observe(report(seen), view(seen), NOW + timedelta(seconds=2))) == []
    assert list(observer.observe(report(), (), NOW + timedelta(seconds=3))) == []
    cleared = list(observer.observe(report(), (), NOW + timedelta(seconds=4 + Cadence().cleared)))
    assert [draft.data["event"] for draft in cleared] == ["cleared"]
    assert cleared[0].occurred_at == NOW + timedelta(seconds=3)


def test_not_seen_is_not_gone_while_something_could_not_be_read() -> None:
    observer, seen = Observer(), symptom()
    list(observer.observe(report(seen), view(seen), NOW))
    for seconds in (1, 100, 1000):
        assert (
            list(observer.observe(report(complete=False), (), NOW + timedelta(seconds=seconds)))
            == []
        )


def test_the_leading_runbook_is_written_when_it_changes_and_only_if_it_fits() -> None:
    observer, seen = Observer(), symptom()
    first = list(observer.observe(report(seen), view(seen, matches=(match(confident=False),)), NOW))
    assert [draft.kind for draft in first] == ["observation", "milestone"]
    second = list(observer.observe(report(seen), view(seen, matches=(match(),)), NOW))
    assert [(draft.kind, draft.data["runbook"]) for draft in second] == [
        ("match", "nodes-notready-system-oom")
    ]
    assert list(observer.observe(report(seen), view(seen, matches=(match(),)), NOW)) == []


def test_a_runbook_is_written_with_the_symptom_that_shows_it_and_not_with_one_beside_it() -> None:
    seen = symptom()
    for rests_on in ((), ("secret-keys-lost:Secret/shop/db",)):
        beside = match("secrets-emptied-by-controller", rests_on=rests_on)
        drafts = Observer().observe(report(seen), view(seen, matches=(beside, match())), NOW)
        led = [draft.data["runbook"] for draft in drafts if draft.kind == "match"]
        assert led == ["nodes-notready-system-oom"]


def test_what_is_only_worth_knowing_does_not_begin_the_incident() -> None:
    observer, seen = Observer(), symptom(severity=Severity.INFO)
    drafts = list(observer.observe(report(seen), view(seen), NOW))
    assert [draft.kind for draft in drafts] == ["note"]
    assert drafts[0].occurred_at == NOW
    worse = symptom()
    assert [draft.kind for draft in list(observer.observe(report(worse), view(worse), NOW))] == [
        "observation",
        "milestone",
    ]


def test_a_restart_does_not_write_again_what_the_record_holds(tmp_path: Path) -> None:
    seen = symptom()
    with Journal.create(tmp_path, "test", clean=clean_uncut) as journal:
        for draft in list(Observer().observe(report(seen), view(seen, matches=(match(),)), NOW)):
            journal.append(draft)
        again = Observer(sorted(journal.entries(), key=lambda entry: entry.seq))
        assert list(again.observe(report(seen), view(seen, matches=(match(),)), NOW)) == []


def test_loss_of_the_api_is_written_with_the_hop_that_fails_and_its_return_too() -> None:
    observer = Observer()
    lost = ApiView(
        Connection.LOST,
        NOW,
        "no answer within 2 s",
        hops=(HopView("TCP", False, 2.0, "timed out"),),
    )
    assert observer.reach(ApiView(Connection.LIVE, NOW)) == []
    first = observer.reach(lost)
    assert first[0].kind == "connectivity"
    assert first[0].data["hops"] == [{"name": "TCP", "ok": False, "detail": "timed out"}]
    assert observer.reach(lost) == []
    assert observer.reach(ApiView(Connection.DEGRADED, NOW)) == []
    assert [draft.text for draft in observer.reach(ApiView(Connection.LIVE, NOW))] == [
        "API server answers again"
    ]
