"""In which order symptoms are shown."""

from __future__ import annotations

from incident.report.ranking import Ranking
from runbooks.match import Match
from tests.incident.build import match, report, symptom
from triage.facts.cooperative import run
from triage.facts.finding import Report, Severity, Symptom


def order(fitting: str, *given: Symptom) -> list[str]:
    def matches(found: Symptom, _: Report) -> list[Match]:
        return [match(confident=found.id == fitting)]

    return [view.symptom.id for view in run(Ranking(matches).rank(report(*given)))]


def test_of_what_is_only_worth_knowing_the_one_that_fits_a_runbook_leads() -> None:
    cordoned, rollout = symptom("cordoned", Severity.INFO), symptom("rollout", Severity.INFO)
    assert order("rollout", cordoned, rollout) == ["rollout", "cordoned"]
    assert order("", cordoned, rollout) == ["cordoned", "rollout"]


def test_what_is_worse_stays_first_and_in_the_order_of_the_report() -> None:
    worst, next_, info = (
        symptom("worst"),
        symptom("next", Severity.WARNING),
        symptom("info", Severity.INFO),
    )
    assert order("info", worst, next_, info) == ["worst", "next", "info"]
    assert order("next", worst, next_, info) == ["worst", "next", "info"]


def test_a_note_that_the_report_puts_above_an_old_trouble_stays_there() -> None:
    new, old = symptom("scaled", Severity.INFO), symptom("old", Severity.WARNING)
    notes = symptom("one", Severity.INFO), symptom("other", Severity.INFO)
    assert order("other", new, old, *notes) == ["scaled", "old", "other", "one"]


def test_an_unchanged_symptom_is_the_same_view_so_that_it_is_not_drawn_again() -> None:
    ranks = {"fits": True, "turns": False}

    def matches(found: Symptom, _: Report) -> list[Match]:
        return [match(confident=ranks[found.id])]

    ranking, given = Ranking(matches), (symptom("fits"), symptom("turns"))
    before = run(ranking.rank(report(*given)))
    ranks["turns"] = True
    after = run(ranking.rank(report(symptom("fits"), given[1])))
    assert after[0] is before[0]
    assert after[1] is not before[1]
