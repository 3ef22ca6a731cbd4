"""How symptoms go on: new, standing, worse, recovering, and gone for less than an hour."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from cluster.kube.objects import Ref
from tests.triage.build import NOW, Cluster, ago, ts
from tests.triage.situation import background, look, old_crash_loop, pending, service
from triage.facts.cooperative import run
from triage.facts.finding import Course, Severity, Symptom
from triage.facts.finding_builder import make
from triage.symptoms.history import SymptomHistory


def symptom(count: int, since: datetime, *, active: bool = True) -> Symptom:
    refs = tuple(Ref("Pod", "shop", f"web-{n}") for n in range(count))
    findings = tuple(
        make("pod-crash-looping", r, "crashes", Severity.WARNING, "x", since=since, active=active)
        for r in refs
    )
    return Symptom("owner:web", "crash loop: web", Severity.WARNING, since, refs, findings)


def course(*counts: int, step: int = 6, age: timedelta = timedelta(hours=1)) -> Course:
    history = SymptomHistory()
    for number, count in enumerate(counts):
        now = NOW + timedelta(minutes=step * number)
        [found], _ = run(history.follow([symptom(count, NOW - age)], now))
    return found.course


def test_what_began_within_half_an_hour_is_new() -> None:
    assert course(1, age=timedelta(minutes=5)) is Course.NEW
    assert course(1) is Course.ONGOING


def test_what_is_old_and_small_stands() -> None:
    assert course(1, age=timedelta(days=3)) is Course.STANDING


def test_it_gets_worse_when_it_reaches_more_objects() -> None:
    assert course(3, 6) is Course.WORSE
    assert course(3, 4) is Course.ONGOING
    assert course(3, 6, step=1) is Course.ONGOING, "within a minute it is noise"


def test_it_recovers_when_half_of_its_objects_are_well_or_its_edges_are_over() -> None:
    assert course(6, 3) is Course.RECOVERING
    [found], _ = run(SymptomHistory().follow([symptom(1, ago(minutes=5), active=False)], NOW))
    assert found.course is Course.RECOVERING


def test_a_trouble_of_the_cluster_itself_does_not_recover_while_it_stands() -> None:
    """Its symptom lists no object, so that no number of objects can become half."""
    history, cluster = SymptomHistory(), Ref("Cluster", "", "")
    away = make("component-away", cluster, "away", Severity.CRITICAL, "x", since=ago(minutes=5))
    standing = replace(symptom(0, ago(minutes=5)), findings=(away,))
    for minutes in range(3):
        now = NOW + timedelta(minutes=minutes)
        [found], _ = run(history.follow([standing], now))
        assert found.course is Course.NEW


def test_what_is_gone_is_listed_for_an_hour_and_no_longer_when_it_comes_back() -> None:
    history, one = SymptomHistory(), symptom(2, ago(minutes=40))
    run(history.follow([one], NOW))
    at = NOW + timedelta(minutes=3)
    _, [gone] = run(history.follow([], at))
    assert (gone.id, gone.course, gone.gone) == (one.id, Course.RECOVERED, at)
    assert run(history.follow([], at + timedelta(minutes=59)))[1][0].gone == at
    assert run(history.follow([one], at + timedelta(minutes=59)))[1] == ()
    run(history.follow([], at + timedelta(minutes=60)))
    assert run(history.follow([], at + timedelta(minutes=122)))[1] == ()


def test_a_measured_note_keeps_its_first_sign_when_it_is_measured_again() -> None:
    history, one = SymptomHistory(), replace(symptom(1, NOW), severity=Severity.INFO)
    run(history.follow([one], NOW))
    later = NOW + timedelta(minutes=2)
    [found], _ = run(history.follow([replace(one, since=later)], later))
    assert found.since == NOW


def test_a_young_fault_stands_above_what_has_stood_for_days() -> None:
    cluster = background()
    old_crash_loop(cluster, "experiment", 6)
    raw = pending(cluster, "cart-0", since=ago(seconds=45))
    raw["status"]["conditions"][0]["message"] = "0/9 nodes are available: 9 Insufficient memory."
    titles = [s.title for s in look(cluster).symptoms]
    assert titles[0] == "cart-0 is pending: insufficient memory (young)"
    assert "experiment" in titles[1]


def test_a_symptom_that_became_part_of_another_one_has_not_recovered() -> None:
    history, one = SymptomHistory(), symptom(2, ago(minutes=5))
    run(history.follow([one], NOW))
    whole = replace(symptom(6, ago(minutes=5)), id="secrets:emptied")
    assert run(history.follow([whole], NOW + timedelta(minutes=1)))[1] == ()


def test_since_does_not_move_when_the_objects_that_showed_it_first_are_deleted() -> None:
    history = SymptomHistory()
    run(history.follow([symptom(2, ago(minutes=40))], NOW))
    later = NOW + timedelta(minutes=1)
    [found], _ = run(history.follow([symptom(2, ago(minutes=2))], later))
    assert found.since == ago(minutes=40)
    [found], _ = run(history.follow([symptom(2, ago(minutes=2))], later))
    assert found.since == ago(minutes=40)
    [found], _ = run(history.follow([replace(symptom(2, NOW), mechanism="another")], later))
    assert found.since == NOW, "another fault of the same owner has its own beginning"


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "CrashLoopBackOff"])
def test_a_workload_is_away_since_it_lacks_its_pods_though_the_first_are_deleted(
    reason: str,
) -> None:
    cluster = background()
    work = cluster.deployment("cart", "shop", replicas=1)
    work["status"].update(
        readyReplicas=0,
        availableReplicas=0,
        conditions=[
            {
                "type": "Available",
                "status": "False",
                "reason": "MinimumReplicasUnavailable",
                "lastTransitionTime": ts(ago(minutes=40)),
            }
        ],
    )
    pod = work["pods"][0]
    pod["metadata"]["creationTimestamp"] = ts(ago(minutes=4))
    end = {"exitCode": 1, "startedAt": ts(ago(minutes=2)), "finishedAt": ts(ago(minutes=1))}
    last = end if reason.startswith("Crash") else None
    cluster.waiting(pod, reason, "not found", restarts=4, last=last)
    [symptom] = [s for s in look(cluster).symptoms if s.severity is not Severity.INFO]
    assert symptom.since == ago(minutes=40)


def test_a_note_begins_with_the_objects_that_it_names_now() -> None:
    """A cordon of yesterday that was taken back does not date those of this minute."""
    history = SymptomHistory()

    def begun(since: datetime, *nodes: str) -> datetime | None:
        refs = tuple(Ref("Node", "", name) for name in nodes)
        note = replace(symptom(1, since), severity=Severity.INFO, objects=refs)
        [found], _ = run(history.follow([note], NOW))
        return found.since

    assert begun(ago(days=1), "node-1") == ago(days=1)
    assert begun(ago(days=1), "node-1", "node-2") == ago(days=1)
    assert begun(ago(minutes=1), "node-2") == ago(minutes=1)


def dead(cluster: Cluster, name: str, since: datetime) -> None:
    """A Deployment of two whose pods crash."""
    work = cluster.deployment(name, "shop", replicas=2, created=since)
    work["status"].update(
        readyReplicas=0,
        availableReplicas=0,
        conditions=[{"type": "Available", "status": "False", "lastTransitionTime": ts(since)}],
    )
    for pod in work["pods"]:
        cluster.waiting(pod, "CrashLoopBackOff", restarts=900, phase="Running")


def test_a_small_trouble_of_days_is_a_warning_and_a_new_one_critical() -> None:
    cluster = background()
    dead(cluster, "attic", ago(days=41))
    [old] = (s for s in look(cluster).symptoms if s.severity is not Severity.INFO)
    assert (old.severity, old.course) == (Severity.WARNING, Course.STANDING)
    dead(cluster, "payments", ago(minutes=40))
    first, second = (s for s in look(cluster).symptoms if s.severity is not Severity.INFO)
    assert first.severity is Severity.CRITICAL
    assert "payments" in first.title
    assert "attic" in second.title


def test_a_cause_that_others_depend_on_stays_critical_for_days() -> None:
    cluster = background()
    dns = cluster.deployment(
        "names", "kube-system", replicas=2, image="mirror/coredns:1.11", created=ago(days=3)
    )
    service(cluster, "resolver", "kube-system", {"app": "names"}, port=53, ready=False)
    dns["status"].update(readyReplicas=0, availableReplicas=0)
    for pod in dns["pods"]:
        cluster.waiting(pod, "CrashLoopBackOff", restarts=900, phase="Running")
    assert look(cluster).symptoms[0].severity is Severity.CRITICAL
