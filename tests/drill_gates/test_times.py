"""How times are told: as a time of day in UTC, never as machines write them; a title stays while
time passes."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from cluster.kube import durations
from cluster.kube.objects import Ref
from tests.drill_gates.expected import DRILLS
from tests.drill_gates.ground import seen
from tests.triage.build import NOW, Cluster, ago
from triage.engine import triage_once
from triage.facts.finding import spoken

RAW = re.compile(r"\d{4}-\d\d-\d\dT|\d\d:\d\d\+00:00")
AGE = re.compile(r"\d+ (?:s|min|h|d) ago| for \d+ (?:s|min|h|d)\b")


@pytest.mark.parametrize("name", DRILLS)
def test_no_sentence_of_a_drill_holds_a_raw_timestamp(name: str) -> None:
    texts: list[str] = []
    for view in seen(name).symptoms:
        symptom = view.symptom
        assert AGE.search(symptom.title) is None, symptom.title
        texts += [
            symptom.title,
            *(finding.claim for finding in symptom.findings),
            *(change.what for change in symptom.changes),
        ]
        texts += [evidence.text for finding in symptom.findings for evidence in finding.evidence]
        texts += [shared.spoken for shared in symptom.shared] + [
            tie for shared in symptom.shared for tie in shared.tied_with
        ]
        texts += [
            reason.text
            for match in view.matches
            for reason in (*match.for_, *match.missing, *match.against)
        ]
    assert texts, name
    assert [text for text in texts if RAW.search(text)] == []


def test_a_title_stays_while_time_passes() -> None:
    cluster = Cluster(6)
    cluster.not_ready(cluster.nodes[0], ago(minutes=7))
    store = cluster.store()
    titles = {
        triage_once(store, NOW + timedelta(minutes=m), {}).symptoms[0].title for m in (0, 4, 200)
    }
    claims = {
        triage_once(store, NOW + timedelta(minutes=m), {}).symptoms[0].findings[0].claim
        for m in (0, 4)
    }
    assert titles == {"n1 is not ready: the kubelet stopped posting its status"}
    assert len(claims) == 2, "the claim carries the number"


def test_a_moment_has_its_date_when_that_is_not_today() -> None:
    assert durations.utc_clock(ago(minutes=20), NOW) == "09:06 UTC"
    assert durations.utc_clock(ago(days=1), NOW, seconds=True) == "2026-03-13 09:26:00 UTC"
    assert spoken("node created after", "2026-03-13T09:26:00+00:00") == "2026-03-13 09:26 UTC"
    assert spoken("created after", "soon") == "soon"
    assert spoken("image", str(Ref("Pod", "a", "b"))) == "Pod a/b"
