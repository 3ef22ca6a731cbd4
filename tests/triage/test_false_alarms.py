"""What healthy clusters and hands do, and what must not be made of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.triage.build import NOW, Cluster, ago, meta, ts
from tests.triage.members.nodes import static
from tests.triage.situation import (
    MATCHER,
    STORIES,
    background,
    look,
    loud,
    pending,
    service,
    sure,
)
from triage.facts.finding import Report


def listed(report: Report) -> set[str]:
    found = (m.id for s in report.symptoms for m in MATCHER.match_symptom(s, report))
    return {id_ for id_ in found if id_ in STORIES}


def finished(cluster: Cluster, job: str, number: int) -> dict[str, Any]:
    raw = cluster.add("Job", {"metadata": meta(f"{job}-{number}", "shop", created=ago(days=2))})
    pod = cluster.add(
        "Pod",
        {
            "metadata": meta(f"{job}-{number}-x", "shop", created=ago(days=2), owner=("Job", raw)),
            "spec": {"nodeName": "n1", "containers": [{"name": "main", "image": "x"}]},
            "status": {"phase": "Succeeded"},
        },
    )
    cluster.raw = [(kind, row) for kind, row in cluster.raw if row is not raw]
    return pod


def test_old_jobs_deleted_by_hand_are_no_loss() -> None:
    cluster = background()
    for number in range(49):
        finished(cluster, "report", number)
    assert loud(look(cluster)) == set()


def test_a_namespace_that_is_deleted_takes_its_objects_along() -> None:
    cluster = background()
    cluster.add(
        "Namespace",
        {"metadata": {**meta("shop"), "deletionTimestamp": ts(ago(minutes=1))}},
    )
    cluster.raw = [
        (kind, row)
        for kind, row in cluster.raw
        if not (kind in ("Deployment", "ReplicaSet") and row["metadata"]["namespace"] == "shop")
    ]
    assert loud(look(cluster)) == set()


def test_a_new_workload_and_its_service_speak_for_no_story() -> None:
    cluster = background()
    work = cluster.deployment("newapp", "shop", replicas=2, created=ago(minutes=30))
    service(cluster, "newapp", "shop", {"app": "newapp"}, ready=False)
    cluster.raw[-2][1]["metadata"]["creationTimestamp"] = ts(ago(minutes=30))
    for pod in work["pods"]:
        cluster.waiting(
            pod, "CreateContainerConfigError", 'secret "db-credentials" not found', phase="Pending"
        )
    work["status"].update(readyReplicas=0, availableReplicas=0)
    found = listed(look(cluster))
    assert "secret-not-found-blocks-deployments" in found
    assert not found & {"cryptomining-exposed-dashboard", "replicas-packed-on-one-node"}


def test_an_effect_alone_lists_no_story() -> None:
    cluster = background()
    work = cluster.deployment("web2", "shop", replicas=2, created=ago(hours=3))
    for pod in work["pods"]:
        cluster.waiting(
            pod,
            "CrashLoopBackOff",
            restarts=9,
            phase="Running",
            last={
                "exitCode": 1,
                "reason": "Error",
                "startedAt": ts(ago(minutes=6)),
                "finishedAt": ts(NOW),
            },
        )
    work["status"].update(readyReplicas=0, availableReplicas=0)
    assert listed(look(cluster)) == set()


def runtime_down(cluster: Cluster) -> None:
    node = cluster.nodes[2]
    cluster.not_ready(
        node, ago(minutes=20), "False", "KubeletNotReady", "container runtime is down"
    )


def plugin_down(cluster: Cluster) -> None:
    said = (
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
        "message:Network plugin returns error: cni plugin not initialized"
    )
    cluster.not_ready(cluster.nodes[2], ago(minutes=20), "False", "KubeletNotReady", said)


def disk_pressure(cluster: Cluster) -> None:
    node = cluster.nodes[2]
    for condition in node["status"]["conditions"]:
        if condition["type"] == "DiskPressure":
            condition.update(status="True", lastTransitionTime=ts(ago(minutes=20)))
    said = "Attempting to reclaim ephemeral-storage"
    cluster.event("Node", "", "n3", "EvictionThresholdMet", said, ago(minutes=19))


def reboots(cluster: Cluster) -> None:
    for name, minutes in (("n3", 48), ("n6", 15)):
        said = f"Node {name} has been rebooted, boot id: 4a6f"
        cluster.event("Node", "", name, "Rebooted", said, ago(minutes=minutes))


def old_kubelet(cluster: Cluster) -> None:
    cluster.nodes[2]["status"]["nodeInfo"]["kubeletVersion"] = "v1.29.1"
    cluster.not_ready(cluster.nodes[2], ago(minutes=20))


def dns_crashes(cluster: Cluster) -> None:
    work = cluster.deployment(
        "coredns", "kube-system", replicas=2, labels={"k8s-app": "kube-dns"}, image="coredns:1.11"
    )
    for pod in work["pods"]:
        pod["metadata"]["labels"]["k8s-app"] = "kube-dns"
        end = {
            "exitCode": 1,
            "reason": "Error",
            "startedAt": ts(ago(minutes=6)),
            "finishedAt": ts(ago(minutes=6)),
        }
        cluster.waiting(pod, "CrashLoopBackOff", restarts=9, phase="Running", last=end)
    work["status"].update(readyReplicas=0, availableReplicas=0)
    service(cluster, "kube-dns", "kube-system", {"k8s-app": "kube-dns"}, ready=False)


def balancer_refused(cluster: Cluster) -> None:
    cluster.deployment("front", "shop", replicas=2)
    service(
        cluster, "front", "shop", {"app": "front"}, type_="LoadBalancer", address="198.51.100.7"
    )
    said = "Error syncing load balancer: failed to ensure load balancer: AccessDenied"
    cluster.event(
        "Service", "shop", "front", "SyncLoadBalancerFailed", said, ago(minutes=1), ago(minutes=20)
    )


def mount_fails(cluster: Cluster) -> None:
    pod = pending(cluster, "db-0", node="n3", since=ago(minutes=20))
    said = 'MountVolume.SetUp failed for volume "d" : rpc error: code = Internal desc = exit 3'
    cluster.pod_event(pod, "FailedMount", said, ago(minutes=1), ago(minutes=20), count=9)


def replicas_wait(cluster: Cluster, message: str) -> None:
    work = cluster.deployment("report", "shop", replicas=3, created=ago(minutes=30))
    for pod in work["pods"]:
        cluster.waiting(pod, "CreateContainerConfigError", message, phase="Pending")
    work["status"].update(readyReplicas=0, availableReplicas=0)
    cluster.add("Secret", {"metadata": meta("db", "shop")})


def ended_together(cluster: Cluster) -> None:
    """A database that all of them use went away: they end, and their sandboxes stay."""
    end = {
        "exitCode": 1,
        "reason": "Error",
        "startedAt": ts(ago(hours=9)),
        "finishedAt": ts(ago(minutes=12)),
    }
    for number in range(4):
        work = cluster.deployment(f"app{number}", "shop", replicas=1, created=ago(days=3))
        (pod,) = work["pods"]
        pod["spec"]["nodeName"] = "n3"
        state = pod["status"]["containerStatuses"][0]
        state.update(restartCount=1, lastState={"terminated": end})
        state["state"] = {"running": {"startedAt": ts(ago(minutes=11))}}
        cluster.pod_event(pod, "Started", "Started container app", ago(minutes=11), type_="Normal")


@pytest.mark.parametrize(
    ("make", "listed_too"),
    [
        (runtime_down, "container-runtime-crash-memory-leak"),
        (plugin_down, "cni-not-ready-on-new-node"),
        (disk_pressure, "node-disk-full-container-logs"),
        (reboots, "cpu-hot-node-kernel-panic"),
        (partial(static, component="etcd"), "etcd-connectivity-api-latency"),
        (partial(static, component="kube-apiserver"), "ingress-routes-lost-api-server-down"),
        (old_kubelet, "cluster-upgrade-breaks-cluster"),
        (dns_crashes, "coredns-oom"),
        (balancer_refused, "load-balancer-backends-flapping"),
        (mount_fails, "volume-attach-stuck"),
        (
            partial(replicas_wait, message='secret "gone" not found'),
            "secret-not-found-blocks-deployments",
        ),
        (
            partial(replicas_wait, message="couldn't find key url in Secret shop/db"),
            "secrets-emptied-by-controller",
        ),
        (ended_together, "container-runtime-crash-memory-leak"),
    ],
)
def test_what_several_causes_have_lists_a_story_and_makes_none_sure(
    make: Callable[[Cluster], None], listed_too: str
) -> None:
    """Without evidence of the story's own mechanism, also beside a workload created lately."""
    cluster = background()
    cluster.deployment("newapp", "shop", replicas=2, created=ago(minutes=40))
    make(cluster)
    report = look(cluster)
    assert listed_too in listed(report)
    assert sure(report) == set()
