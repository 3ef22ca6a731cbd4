"""Cohorts: the exact test, its correction, ties, small samples; properties with hypothesis."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from cluster.statistics import fisher
from tests.triage.build import NOW, Cluster, ago
from triage.cohorts.cohort import ALPHA, Contingency, judge
from triage.engine import triage_once

whats = st.sampled_from(["node", "zone", "image", "owner", "namespace"])
tables = st.lists(
    st.builds(
        lambda w, v, i, o: (w, str(v), i, o),
        whats,
        st.integers(0, 3),
        st.integers(0, 12),
        st.integers(0, 30),
    ),
    unique_by=lambda t: t[:2],
    max_size=15,
)


@given(tables)
def test_judge_claims_only_what_separates(raw: list[tuple[str, str, int, int]]) -> None:
    tried = [
        Contingency(what, value, (min(k, 12), 12), (min(o, 30), 30)) for what, value, k, o in raw
    ]
    found = judge(tried)
    assert judge(list(reversed(tried))) == found, (
        "the order in which attributes are tried does not matter"
    )
    named = [(s.what, s.value) for s in found]
    assert len(named) == len(set(named))
    for shared in found:
        assert shared.p_value < ALPHA
        assert shared.p_value >= fisher(*shared.inside, *shared.outside) - 1e-12
        assert shared.inside[0] / shared.inside[1] > shared.outside[0] / shared.outside[1]
        for tie in shared.tied_with:
            what, _, value = tie.rpartition(" ")
            assert (what, value) != (shared.what, shared.value)


def test_ties_are_said() -> None:
    found = judge(
        [
            Contingency("zone", "b", (6, 6), (0, 40)),
            Contingency("node", "n1", (6, 6), (0, 40)),
            Contingency("namespace", "x", (3, 6), (20, 40)),
        ]
    )
    assert [(s.what, s.tied_with) for s in found] == [("node", ("zone b",)), ("zone", ("node n1",))]


def test_small_samples_claim_nothing() -> None:
    assert judge([Contingency("node", "n1", (1, 1), (0, 8))]) == ()
    assert (
        judge(
            [
                Contingency("node", "n1", (2, 2), (3, 20)),
                *(Contingency("image", str(i), (1, 2), (1, 20)) for i in range(6)),
            ]
        )
        == ()
    )
    assert math.isclose(fisher(2, 2, 0, 7), 1 / 36)


def test_pods_of_one_zone_that_fail_are_told_from_the_rest() -> None:
    cluster = Cluster(9)
    for namespace in ("shop", "billing", "search"):
        for name in ("web", "api", "worker"):
            cluster.deployment(name, namespace, replicas=6)
    bad = [
        r
        for k, r in cluster.raw
        if k == "Pod"
        and r["spec"]["nodeName"] in ("n2", "n5", "n8")
        and r["metadata"]["labels"]["app"] == "api"
    ]
    for pod in bad:
        cluster.waiting(
            pod,
            "CrashLoopBackOff",
            restarts=5,
            phase="Running",
            last={"exitCode": 1, "reason": "Error", "finishedAt": ago(minutes=2).isoformat()},
        )
    report = triage_once(cluster.store(), NOW, {})
    whats = {(s.what, s.value) for symptom in report.symptoms for s in symptom.shared}
    assert ("zone", "z2") in whats
