"""How often reports are made."""

from __future__ import annotations

import math

import pytest

from incident.cadence import Cadence
from incident.report.report_schedule import ReportSchedule

CADENCE = Cadence()


def test_the_first_news_is_reported_at_once_and_the_next_after_a_pause() -> None:
    schedule = ReportSchedule(CADENCE)
    assert schedule.is_due(10.0, news=True, loaded=False)
    schedule.made(10.0, 0.001, found=False)
    assert not schedule.is_due(10.0 + CADENCE.search / 2, news=True, loaded=False)
    assert schedule.is_due(10.0 + CADENCE.search, news=False, loaded=False), (
        "what came meanwhile is not forgotten"
    )


def test_reports_are_made_less_often_when_everything_has_been_read() -> None:
    schedule = ReportSchedule(CADENCE)
    assert schedule.is_due(10.0, news=True, loaded=True)
    schedule.made(10.0, 0.001, found=False)
    assert not schedule.is_due(10.0 + CADENCE.report - 0.05, news=True, loaded=True)
    assert schedule.is_due(10.0 + CADENCE.report, news=False, loaded=True)


def test_what_was_found_first_stands_while_the_rest_is_read_and_the_end_of_reading_is_reported_at_once() -> (
    None
):
    schedule = ReportSchedule(CADENCE)
    schedule.made(10.0, 0.001, found=True)
    assert not schedule.is_due(10.0 + CADENCE.report_loading - 0.1, news=True, loaded=False)
    assert schedule.is_due(10.2, news=False, loaded=True)


def test_a_slow_report_is_made_less_often() -> None:
    schedule = ReportSchedule(CADENCE)
    assert schedule.is_due(10.0, news=True, loaded=True)
    schedule.made(10.0, 0.1, found=True)
    assert not schedule.is_due(10.0 + 0.1 / CADENCE.report_share - 0.1, news=True, loaded=True)
    assert schedule.is_due(10.0 + 0.1 / CADENCE.report_share, news=True, loaded=True)


def test_news_after_a_quiet_time_is_reported_at_once_however_slow_reports_are() -> None:
    schedule = ReportSchedule(CADENCE)
    schedule.is_due(10.0, news=True, loaded=True)
    schedule.made(10.0, 0.01, found=True)
    quiet = 10.0 + CADENCE.report_saved / CADENCE.report_share
    schedule.made(quiet, 0.1, found=True)
    assert schedule.is_due(quiet + CADENCE.report, news=True, loaded=True)
    schedule.made(quiet + CADENCE.report, CADENCE.report_saved, found=True)
    assert not schedule.is_due(quiet + 2 * CADENCE.report, news=True, loaded=True), (
        "what was saved is used up"
    )


def test_the_slowest_report_is_repeated_after_the_longest_pause() -> None:
    schedule = ReportSchedule(CADENCE)
    schedule.is_due(10.0, news=True, loaded=True)
    schedule.made(10.0, 20.0, found=True)
    assert not schedule.is_due(10.0 + CADENCE.report_longest - 0.1, news=True, loaded=True)
    assert schedule.is_due(10.0 + CADENCE.report_longest, news=True, loaded=True)


def test_a_quiet_cluster_is_looked_at_seldom_but_not_never() -> None:
    schedule = ReportSchedule(CADENCE)
    schedule.is_due(9.0, news=True, loaded=True)
    schedule.made(10.0, 0.001, found=False)
    assert not schedule.is_due(10.0 + CADENCE.report_idle - 0.1, news=False, loaded=True)
    assert schedule.is_due(10.0 + CADENCE.report_idle, news=False, loaded=True)


def test_a_grace_period_that_ends_is_reported_before_the_next_look() -> None:
    schedule = ReportSchedule(CADENCE)
    schedule.is_due(9.0, news=True, loaded=True)
    schedule.made(10.0, 0.001, found=False, ends=CADENCE.report_due + 2)
    end = 10.0 + CADENCE.report_due + 2
    assert end < 10.0 + CADENCE.report_idle
    assert not schedule.is_due(end - 0.1, news=False, loaded=True)
    assert schedule.is_due(end, news=False, loaded=True)
    schedule.made(end, 0.001, found=False, ends=0.1)
    assert not schedule.is_due(end + 0.2, news=False, loaded=True), "many ends are one report"
    assert schedule.is_due(end + CADENCE.report_due, news=False, loaded=True)


def test_a_runbook_that_was_edited_is_matched_again_at_once() -> None:
    schedule = ReportSchedule(CADENCE)
    schedule.is_due(9.0, news=True, loaded=True)
    schedule.made(10.0, 0.1, found=True)
    schedule.hurry()
    assert schedule.is_due(10.1, news=False, loaded=True)


def test_a_single_answer_waits_for_the_whole_but_not_for_ever() -> None:
    schedule = ReportSchedule(CADENCE, whole=True)
    assert not schedule.is_due(10.0, news=True, loaded=False)
    last = 10.0 + 5 * CADENCE.whole
    assert not schedule.is_due(last, news=True, loaded=False), "more is being read"
    assert not schedule.is_due(last + CADENCE.whole - 0.1, news=False, loaded=False)
    assert schedule.is_due(last + CADENCE.whole, news=False, loaded=False), (
        "what is there is reported when the rest does not come"
    )
    assert ReportSchedule(CADENCE, whole=True).is_due(10.0, news=False, loaded=True)


def test_a_single_answer_whose_time_is_up_is_made_of_what_is_there() -> None:
    schedule = ReportSchedule(CADENCE, whole=True)
    assert not schedule.is_due(10.0, news=True, loaded=False)
    schedule.answer_now()
    assert schedule.is_due(10.1, news=True, loaded=False)


def test_news_that_came_during_a_pause_are_reported_at_its_end() -> None:
    """Nothing may come then that would wake the session: the first finding waited 0.3 s for the
    next page."""
    schedule = ReportSchedule(CADENCE)
    schedule.is_due(10.0, news=True, loaded=False)
    schedule.made(10.0, 0.001, found=False)
    assert schedule.left(10.01) == math.inf, "there is no news"
    schedule.is_due(10.01, news=True, loaded=False)
    left = schedule.left(10.01)
    assert left == pytest.approx(CADENCE.search - 0.01)
    assert schedule.is_due(10.01 + left, news=False, loaded=False)
    assert schedule.left(10.01 + left) == math.inf, "a report that is due waits for no time"


def test_what_asks_for_a_report_during_one_gets_the_next_at_once() -> None:
    """The end of the report took the question away: runbooks that were read while it was made
    ranked nothing until something in the cluster changed."""
    schedule = ReportSchedule(CADENCE)
    assert schedule.is_due(10.0, news=True, loaded=True)
    schedule.hurry()
    schedule.made(10.5, 0.5, found=True)
    assert schedule.is_due(10.6, news=False, loaded=True)
    schedule.made(11.0, 0.5, found=True)
    assert not schedule.is_due(11.1, news=False, loaded=True)
