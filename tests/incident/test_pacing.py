"""How often reports are made."""

from __future__ import annotations

from incident.report.report_schedule import (
    QUIET,
    REPORT_EVERY,
    REPORT_SHARE,
    SEARCH_EVERY,
    WHILE_LOADING,
    WHOLE_PATIENCE,
    Pacing,
)


def test_the_first_news_is_reported_at_once_and_the_next_after_a_pause() -> None:
    pacing = Pacing()
    assert pacing.is_due(10.0, news=True, loaded=False)
    pacing.made(10.0, 0.001, found=False)
    assert not pacing.is_due(10.0 + SEARCH_EVERY / 2, news=True, loaded=False)
    assert pacing.is_due(10.0 + SEARCH_EVERY, news=False, loaded=False), (
        "what came meanwhile is not forgotten"
    )


def test_reports_are_made_less_often_when_everything_has_been_read() -> None:
    pacing = Pacing()
    assert pacing.is_due(10.0, news=True, loaded=True)
    pacing.made(10.0, 0.001, found=False)
    assert not pacing.is_due(10.0 + REPORT_EVERY - 0.05, news=True, loaded=True)
    assert pacing.is_due(10.0 + REPORT_EVERY, news=False, loaded=True)


def test_what_was_found_first_stands_while_the_rest_is_read_and_the_end_of_reading_is_reported_at_once() -> (
    None
):
    pacing = Pacing()
    pacing.made(10.0, 0.001, found=True)
    assert not pacing.is_due(10.0 + WHILE_LOADING - 0.1, news=True, loaded=False)
    assert pacing.is_due(10.2, news=False, loaded=True)


def test_a_slow_report_is_made_less_often() -> None:
    pacing = Pacing()
    assert pacing.is_due(10.0, news=True, loaded=True)
    pacing.made(10.0, 0.1, found=True)
    assert not pacing.is_due(10.0 + 0.1 / REPORT_SHARE - 0.1, news=True, loaded=True)
    assert pacing.is_due(10.0 + 0.1 / REPORT_SHARE, news=True, loaded=True)


def test_a_quiet_cluster_is_looked_at_seldom_but_not_never() -> None:
    pacing = Pacing()
    pacing.is_due(9.0, news=True, loaded=True)
    pacing.made(10.0, 0.001, found=False)
    assert not pacing.is_due(10.0 + QUIET - 0.1, news=False, loaded=True)
    assert pacing.is_due(10.0 + QUIET, news=False, loaded=True)


def test_a_runbook_that_was_edited_is_matched_again_at_once() -> None:
    pacing = Pacing()
    pacing.is_due(9.0, news=True, loaded=True)
    pacing.made(10.0, 0.1, found=True)
    pacing.hurry()
    assert pacing.is_due(10.1, news=False, loaded=True)


def test_a_single_answer_waits_for_the_whole_but_not_for_ever() -> None:
    pacing = Pacing(whole=True)
    assert not pacing.is_due(10.0, news=True, loaded=False)
    assert not pacing.is_due(10.0 + WHOLE_PATIENCE - 0.1, news=True, loaded=False)
    assert pacing.is_due(10.0 + WHOLE_PATIENCE, news=False, loaded=False), (
        "what is there is reported when the rest does not come"
    )
    assert Pacing(whole=True).is_due(10.0, news=False, loaded=True)
