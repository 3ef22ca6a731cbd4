"""A Helm release whose newest revision stays pending is told; one that was taken further is not."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.triage.build import Cluster, ago, meta
from tests.triage.situation import MATCHER, background, look
from triage.facts.finding import Finding, Severity


def revision(cluster: Cluster, number: int, status: str, at: datetime) -> None:
    """The Secret of one revision of the release `shop`, as Helm 3 labels it."""
    labels = {"owner": "helm", "name": "shop", "status": status, "version": str(number)}
    name = f"sh.helm.release.v1.shop.v{number}"
    cluster.add("Secret", {"metadata": meta(name, "shop", created=at, labels=labels)})


def told(cluster: Cluster) -> list[Finding]:
    return [one for one in look(cluster).findings if one.rule == "helm-release-pending"]


@pytest.mark.parametrize("status", ["pending-install", "pending-upgrade", "pending-rollback"])
def test_a_release_that_stays_pending_is_told_with_its_page(status: str) -> None:
    cluster = background()
    revision(cluster, 9, "deployed", ago(days=3))
    revision(cluster, 10, status, ago(minutes=30))
    report = look(cluster)
    symptom = report.symptoms[0]
    assert symptom.title.startswith(f"Helm release shop stays {status}: each later run is refused")
    assert symptom.since == ago(minutes=30)
    matches = MATCHER.match_symptom(symptom, report)
    assert [one.id for one in matches if one.confident] == ["helm-release-pending"]


@pytest.mark.parametrize("last", ["deployed", "failed", "superseded", ""])
def test_a_release_that_was_taken_further_is_not_told(last: str) -> None:
    cluster = background()
    revision(cluster, 9, "pending-upgrade", ago(minutes=30))
    revision(cluster, 10, last, ago(minutes=20))
    assert told(cluster) == []


def test_a_run_that_may_still_go_on_is_young_and_one_that_nobody_misses_a_note() -> None:
    for at, severity, young in (
        (ago(minutes=4), Severity.INFO, True),
        (ago(minutes=30), Severity.WARNING, False),
        (ago(days=40), Severity.INFO, False),
    ):
        cluster = background()
        revision(cluster, 10, "pending-upgrade", at)
        [one] = told(cluster)
        assert (one.severity, one.young) == (severity, young)
