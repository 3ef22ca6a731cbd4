"""Maintenance in good order, power that came back and refusals that are over are notes, and their
pages are not sure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.triage.build import Cluster, ago, managed, meta, ts
from tests.triage.situation import (
    MATCHER,
    background,
    found,
    look,
    loud,
    one,
    service,
    sure,
)
from triage.facts.finding import Severity

QUOTA = (
    'Error creating: pods "etl-x" is forbidden: exceeded quota: team, requested: pods=1, '
    "used: pods=3, limited: pods=3"
)


def reboot(cluster: Cluster, name: str, minutes: float) -> None:
    cluster.event("Node", "", name, "Rebooted", "boot id: x", ago(minutes=minutes))


@pytest.mark.parametrize(
    ("signs", "planned"),
    [
        ({"NodeNotSchedulable": 45}, True),
        ({"NodeNotSchedulable": 39}, True),  # the kubelet says so when it starts
        ({"NodeSchedulable": 30}, True),
        ({"NodeNotSchedulable": 20, "NodeSchedulable": 10}, False),  # cordoned for what happened
        ({}, False),
    ],
)
def test_a_reboot_is_planned_when_the_node_was_cordoned(
    signs: dict[str, float], planned: bool
) -> None:
    cluster = background()
    reboot(cluster, "n1", 40)
    for reason, minutes in signs.items():
        cluster.event("Node", "", "n1", reason, "x", ago(minutes=minutes), type_="Normal")
    assert one(look(cluster), "node-rebooted").facts["planned"] is planned


def cordon(node: dict[str, Any], minutes: float) -> None:
    node["spec"]["unschedulable"] = True
    node["spec"]["taints"] = [
        {
            "key": "node.kubernetes.io/unschedulable",
            "effect": "NoSchedule",
            "timeAdded": ts(ago(minutes=minutes)),
        }
    ]


@pytest.mark.parametrize(
    ("cordoned", "down", "severity"),
    [
        (5, 2, Severity.WARNING),
        (30, 20, Severity.CRITICAL),  # longer than a reboot
        (2, 5, Severity.CRITICAL),  # it failed first
        (60 * 9, 2, Severity.CRITICAL),  # a cordon of the morning
    ],
)
def test_a_node_that_went_down_after_its_cordon_may_take_a_reboot(
    cordoned: float, down: float, severity: Severity
) -> None:
    cluster = background()
    cordon(cluster.nodes[0], cordoned)
    cluster.not_ready(cluster.nodes[0], ago(minutes=down))
    assert one(look(cluster), "node-not-ready").severity is severity


def test_nodes_that_are_rebooted_in_turn_after_a_cordon_do_not_fail_in_turn() -> None:
    cluster = background()
    for name, minutes in (("n1", 50), ("n2", 30), ("n3", 15)):
        reboot(cluster, name, minutes)
        cluster.event(
            "Node", "", name, "NodeSchedulable", "x", ago(minutes=minutes - 2), type_="Normal"
        )
    assert not loud(look(cluster))


def test_the_only_node_of_a_cluster_was_switched_on() -> None:
    cluster = Cluster(1)
    reboot(cluster, "n1", 5)
    report = look(cluster)
    assert one(report, "node-rebooted").severity is Severity.INFO
    assert not sure(report)


@pytest.mark.parametrize("rebooted", [True, False])
def test_a_control_plane_that_went_down_with_its_nodes_is_not_degraded(rebooted: bool) -> None:
    cluster = background()
    etcd = cluster.deployment(
        "etcd", "kube-system", image="registry.k8s.io/etcd:3.5.16-0", spec={"hostNetwork": True}
    )
    for pod in etcd["pods"]:
        cluster.ended(pod, ago(minutes=20), 255, "Unknown")
        if rebooted:
            reboot(cluster, pod["spec"]["nodeName"], 19)
    assert bool(found(cluster, "control-plane-degraded")) is not rebooted


@pytest.mark.parametrize(("has", "refuses"), [(3, False), (2, True)])
def test_a_quota_that_refused_what_is_there_now_is_over(has: int, refuses: bool) -> None:
    cluster = background()
    work = cluster.deployment("etl", "shop", replicas=3, created=ago(days=9))
    for row in (work, work["set"]):
        row["status"].update(replicas=has, readyReplicas=has)
    cluster.add(
        "ResourceQuota",
        {
            "metadata": meta("team", "shop"),
            "spec": {"hard": {"pods": "9"}},
            "status": {"hard": {"pods": "9"}, "used": {"pods": "3"}},
        },
    )
    name = work["set"]["metadata"]["name"]
    cluster.event("ReplicaSet", "shop", name, "FailedCreate", QUOTA, ago(minutes=12), count=9)
    assert bool(found(cluster, "quota-exceeded")) is refuses
    cluster.raw = [(k, r) for k, r in cluster.raw if r is not work["set"]]
    assert not found(cluster, "quota-exceeded")


def behind_an_ingress(annotations: dict[str, str], manager: str, minutes: float) -> Cluster:
    cluster = background()
    work = cluster.deployment("web", "idle", replicas=0, created=ago(days=30))
    work["metadata"].setdefault("annotations", {}).update(annotations)
    work["metadata"]["managedFields"] = [
        managed(manager, ago(minutes=minutes), {"f:spec": {"f:replicas": {}}}, "scale")
    ]
    service(cluster, "web", "idle", {"app": "web"})
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rule = {"host": "a.example", "http": {"paths": [{"path": "/", "backend": backend}]}}
    cluster.add(
        "Ingress",
        {"metadata": meta("web", "idle", created=ago(days=9)), "spec": {"rules": [rule]}},
    )
    return cluster


@pytest.mark.parametrize(
    ("annotations", "manager", "minutes", "severity"),
    [
        ({}, "kubectl", 40, Severity.CRITICAL),
        ({"downscaler/original-replicas": "2"}, "pykube-ng", 40, Severity.INFO),
        ({"idling.alpha.openshift.io/previous-scale": "1"}, "openshift", 40, Severity.INFO),
        ({}, "keda", 40, Severity.INFO),
        ({}, "argocd-controller", 60 * 24 * 9, Severity.INFO),
    ],
)
def test_zero_by_a_schedule_or_for_days_is_a_note_behind_an_ingress_too(
    annotations: dict[str, str], manager: str, minutes: float, severity: Severity
) -> None:
    [finding] = found(behind_an_ingress(annotations, manager, minutes), "service-no-endpoints")
    assert finding.severity is severity


def test_what_one_hand_scaled_to_zero_within_the_hour_is_one_symptom() -> None:
    cluster = background()
    for name in ("api", "web", "db"):
        work = cluster.deployment(name, "idle", replicas=0, created=ago(days=30))
        work["metadata"]["managedFields"] = [
            managed("kubectl", ago(minutes=2), {"f:spec": {"f:replicas": {}}}, "scale")
        ]
        service(cluster, name, "idle", {"app": name})
    [title] = [s.title for s in look(cluster).symptoms if "scaled to 0" in s.title]
    assert title.endswith("(and 2 more)")


@pytest.mark.parametrize(("later", "failed"), [("EnsuredLoadBalancer", 0), ("", 1)])
def test_a_balancer_that_was_served_at_a_later_try_does_not_fail(later: str, failed: int) -> None:
    cluster = background()
    service(cluster, "edge", "shop", {"app": "web"}, type_="LoadBalancer", address="192.0.2.1")
    reason = "SyncLoadBalancerFailed"
    cluster.event("Service", "shop", "edge", reason, "quota", ago(minutes=9), count=4)
    if later:
        cluster.event("Service", "shop", "edge", later, "done", ago(minutes=8), type_="Normal")
    assert len(found(cluster, "load-balancer-failed")) == failed


@pytest.mark.parametrize(
    ("minutes", "severity"), [(10, Severity.WARNING), (45, Severity.INFO)], ids=["now", "over"]
)
@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("etcd-errors-in-messages", "etcdserver: request timed out"),
        (
            "api-errors-in-messages",
            'Get "https://10.0.0.1:443/api/v1/pods": dial tcp 10.0.0.1:443: connect: '
            "connection refused",
        ),
    ],
)
def test_errors_in_messages_are_a_note_after_half_an_hour(
    rule: str, message: str, minutes: float, severity: Severity
) -> None:
    cluster = background()
    text = f"Error updating Endpoint Slices for Service shop/web: {message}"
    cluster.event("Service", "shop", "web", "FailedToUpdate", text, ago(minutes=minutes), count=4)
    assert [f.severity for f in found(cluster, rule)] == [severity]


@pytest.mark.parametrize(("minutes", "severity"), [(9, Severity.WARNING), (40, Severity.INFO)])
def test_a_node_that_flapped_is_a_note_after_half_an_hour_of_peace(
    minutes: float, severity: Severity
) -> None:
    cluster = background()
    for reason in ("NodeNotReady", "NodeReady"):
        cluster.event("Node", "", "n1", reason, "x", ago(minutes=minutes), ago(minutes=55), count=4)
    assert one(look(cluster), "node-flapping").severity is severity


@pytest.mark.parametrize(("minutes", "severity"), [(9, Severity.CRITICAL), (70, Severity.INFO)])
def test_nodes_that_failed_in_turn_and_are_back_for_an_hour_are_a_note(
    minutes: float, severity: Severity
) -> None:
    cluster = background()
    for number, name in enumerate(("n1", "n2", "n3")):
        reboot(cluster, name, minutes + 10 * number)
    assert one(look(cluster), "nodes-failing-in-turn").severity is severity


@pytest.mark.parametrize(
    ("ran", "runs", "loops"),
    [
        (5, 9, False),  # it settled
        (5, 2, True),
        (240, 9, True),  # its runs have been nearly as long
    ],
)
def test_a_crash_loop_ends_when_a_container_is_ready_for_longer_than_before(
    ran: float, runs: float, loops: bool
) -> None:
    cluster = background()
    work = cluster.deployment("orders", "shop", replicas=1, created=ago(hours=3))
    end = ago(minutes=runs)
    cluster.ended(work["pods"][0], end, 1, restarts=4, ran=timedelta(seconds=ran))
    assert bool(found(cluster, "pod-crash-looping")) is loops


@pytest.mark.parametrize(("age", "told"), [(14, False), (60, True)])
def test_what_ended_at_the_start_of_its_pod_and_is_ready_now_is_no_fault_of_the_node(
    age: float, told: bool
) -> None:
    cluster = background()
    for name in ("a", "b", "c", "etcd"):
        namespace = "kube-system" if name == "etcd" else "shop"
        image = "registry.k8s.io/etcd:3.5.16-0" if name == "etcd" else "app:1"
        work = cluster.deployment(
            f"{name}2", namespace, 2, ago(minutes=age), image=image, spec={"hostNetwork": True}
        )
        for pod in work["pods"]:
            pod["spec"]["nodeName"] = "n1"
            cluster.ended(pod, ago(minutes=12), 1)
    assert bool(found(cluster, "restarts-together-on-node")) is told
    assert bool(found(cluster, "control-plane-degraded")) is told


def evicted(cluster: Cluster, minutes: float, message: str) -> None:
    work = cluster.deployment("coder", "shop", replicas=6, created=ago(days=3))
    for pod in work["pods"]:
        cluster.ended(pod, ago(minutes=minutes))
        pod["status"].update(phase="Failed", reason="Evicted", message=message)
        for container in pod["status"]["containerStatuses"]:
            container.update(ready=False, state=container["lastState"])


@pytest.mark.parametrize(
    ("message", "page"),
    [
        ("The node was low on resource: ephemeral-storage.", "node-pressure-evictions"),
        (
            "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi.",
            "ephemeral-storage-limit",
        ),
    ],
)
def test_evictions_have_the_page_of_their_cause(message: str, page: str) -> None:
    cluster = background()
    evicted(cluster, 10, message)
    pages = {
        m.id
        for report in [look(cluster)]
        for s in report.symptoms
        for m in MATCHER.match_symptom(s, report)
        if m.confident
    }
    mine = {"node-pressure-evictions", "ephemeral-storage-limit", "kubelet-rejects-pod"}
    assert pages & mine == {page}


def test_many_evictions_that_are_over_are_a_note() -> None:
    cluster = background()
    evicted(cluster, 50, "The node was low on resource: memory.")
    assert one(look(cluster), "pods-rejected-in-bulk").severity is Severity.INFO


@pytest.mark.parametrize("queue", ["team-a", ""])
def test_a_job_and_a_pod_that_a_queue_holds_back_wait_by_design(queue: str) -> None:
    cluster = background()
    marks = {"kueue.x-k8s.io/queue-name": queue} if queue else {}
    said = {"type": "Suspended", "status": "True", "lastTransitionTime": ts(ago(minutes=30))}
    cluster.add(
        "Job",
        {
            "metadata": meta("train", "shop", created=ago(minutes=30), labels=marks),
            "spec": {"suspend": True},
            "status": {"conditions": [said]},
        },
    )
    gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
    cluster.add(
        "Pod",
        {
            "metadata": meta("gated", "shop", created=ago(minutes=30), labels=marks),
            "spec": {},
            "status": {"phase": "Pending", "conditions": [gated]},
        },
    )
    report = look(cluster)
    assert one(report, "job-suspended").facts["queue"] == queue
    cause = one(report, "pod-unschedulable").facts["cause"]
    assert cause == ("queued" if queue else "gated")
    pages = {m.id for s in report.symptoms for m in MATCHER.match_symptom(s, report) if m.confident}
    assert bool(pages & {"scheduler-not-working", "job-failed"}) is not bool(queue)


def test_one_job_that_fails_alike_in_several_namespaces_is_one_symptom() -> None:
    cluster = background()
    for namespace in ("ci-1", "ci-2", "ci-3"):
        failed = {
            "type": "Failed",
            "status": "True",
            "reason": "BackoffLimitExceeded",
            "lastTransitionTime": ts(ago(minutes=5)),
        }
        cluster.add(
            "Job",
            {
                "metadata": meta("itest", namespace, created=ago(minutes=9)),
                "spec": {},
                "status": {"failed": 1, "conditions": [failed]},
            },
        )
    titles = [s.title for s in look(cluster).symptoms if "itest" in s.title]
    assert len(titles) == 1
