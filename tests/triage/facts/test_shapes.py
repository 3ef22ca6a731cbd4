"""Unusual but legal shapes: old events, null lists, odd image names, clusters without zones or
leases; and quiet health."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cluster.kube import images, quantity
from cluster.kube.kinds import KINDS
from cluster.live.freshness import Freshness, WatchState
from cluster.live.store import Store
from tests.triage.build import NOW, Cluster, ago, meta, row, ts
from triage.engine import Triage, triage_once
from triage.facts.finding import Severity


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("registry:5000/team/app", ("registry:5000", "team/app", "", "")),
        ("localhost/app:1", ("localhost", "app", "1", "")),
        ("app", ("", "app", "", "")),
        ("docker.io/library/app:1.2@sha256:ab", ("docker.io", "library/app", "1.2", "sha256:ab")),
        ("team/app:latest", ("", "team/app", "latest", "")),
    ],
)
def test_image_names(name: str, expected: tuple[str, str, str, str]) -> None:
    assert tuple(images.parse(name)) == expected


def test_image_names_that_float_and_digests_that_compare() -> None:
    assert [
        images.parse(n).floating
        for n in ("r:5000/a", "a:latest", "a:1", "a@sha256:x", "a:latest@sha256:x")
    ] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert (
        images.digest_of("docker-pullable://a/b@sha256:12")
        == images.digest_of("reg.example/a/b@sha256:12")
        == ("repo", "sha256:12")
    )
    assert (
        images.digest_of("sha256:34")
        == images.digest_of("docker://sha256:34")
        == ("config", "sha256:34")
    )
    assert images.digest_of("") == images.digest_of("a/b:1") == ("", "")


def test_quantities() -> None:
    assert [quantity.parse(t) for t in ("100m", "2", "1Gi", "1e3", "1.5Ki", "x", "")] == [
        0.1,
        2,
        2**30,
        1000,
        1536,
        None,
        None,
    ]


def test_healthy_but_busy_cluster_gives_no_warning() -> None:
    """What a hurried tool calls a fault: completed and retried Jobs, old restarts, limits reached
    by design, starting pods, rollouts."""
    cluster = Cluster(6)
    for name in ("web", "api", "worker"):
        cluster.deployment(name, "shop", replicas=4)
    pods = [r for k, r in cluster.raw if k == "Pod"]
    cluster.ended(pods[0], ago(hours=7), reason="OOMKilled", restarts=2)
    cluster.ended(pods[1], ago(minutes=40), code=1)
    cluster.ended(pods[2], ago(minutes=5), code=0, reason="Completed")
    done = cluster.add(
        "Job",
        {
            "metadata": meta("load", "shop"),
            "spec": {
                "template": {
                    "metadata": {"labels": {}},
                    "spec": {"containers": [{"name": "app", "image": "x"}]},
                }
            },
            "status": {
                "failed": 3,
                "succeeded": 1,
                "conditions": [{"type": "Complete", "status": "True"}],
            },
        },
    )
    for phase, code in (("Succeeded", 0), ("Failed", 1)):
        pod = cluster.pod(done, name=f"load-{phase.lower()}", created=ago(minutes=20))
        pod["status"].update(
            phase=phase,
            conditions=[],
            containerStatuses=[
                {
                    "name": "app",
                    "state": {
                        "terminated": {
                            "exitCode": code,
                            "reason": "Error",
                            "finishedAt": ts(ago(minutes=18)),
                        }
                    },
                }
            ],
        )
    for node in cluster.nodes:
        node["status"]["conditions"] += [
            {"type": "KernelDeadlock", "status": "False"},
            {"type": "ReadonlyFilesystem", "status": "False"},
            {"type": "NetworkingReady", "status": "True"},
        ]
    cluster.nodes[0]["spec"]["unschedulable"] = True
    cluster.add(
        "HorizontalPodAutoscaler",
        {
            "metadata": meta("web", "shop"),
            "spec": {"minReplicas": 4, "maxReplicas": 9},
            "status": {
                "currentReplicas": 4,
                "conditions": [
                    {"type": "ScalingLimited", "status": "True", "reason": "TooFewReplicas"},
                    {"type": "ScalingActive", "status": "False", "reason": "ScalingDisabled"},
                ],
            },
        },
    )
    cluster.add(
        "PodDisruptionBudget",
        {
            "metadata": meta("web", "shop"),
            "status": {
                "currentHealthy": 1,
                "desiredHealthy": 1,
                "disruptionsAllowed": 0,
                "expectedPods": 1,
            },
        },
    )
    cluster.add(
        "ResourceQuota",
        {"metadata": meta("q", "shop"), "status": {"hard": {"pods": "12"}, "used": {"pods": "12"}}},
    )
    cluster.add(
        "PersistentVolumeClaim",
        {"metadata": meta("unused", "shop"), "status": {"phase": "Pending"}},
    )
    cluster.add(
        "Service",
        {
            "metadata": meta("headless", "shop"),
            "spec": {"clusterIP": "None", "selector": {"app": "absent"}},
        },
    )
    rolling = cluster.deployment("fresh", "shop", replicas=3, created=ago(seconds=50))
    for pod in rolling["pods"]:
        cluster.waiting(pod, "ContainerCreating")
        cluster.pod_event(
            pod,
            "FailedMount",
            'MountVolume.SetUp failed for volume "kube-api-access" : object '
            '"shop"/"kube-root-ca.crt" not registered',
            ago(seconds=45),
        )
    rolling["status"].update(readyReplicas=0)
    cluster.event(
        "Node",
        "",
        "n2",
        "NodeNotReady",
        "Node n2 status is now: NodeNotReady",
        ago(hours=5),
        type_="Normal",
    )
    for index, node in enumerate(cluster.nodes):
        cluster.add(
            "Lease",
            {
                "metadata": meta(node["metadata"]["name"], "kube-node-lease"),
                "spec": {"renewTime": ago(minutes=20, seconds=index).isoformat()},
            },
        )
    joining = cluster.node("joining", created=ago(seconds=40))
    cluster.not_ready(
        joining,
        ago(seconds=40),
        "False",
        "KubeletNotReady",
        "container runtime network not ready: cni plugin not initialized",
    )
    report = triage_once(cluster.store(), NOW, {})
    assert [f.id for f in report.findings if f.severity is not Severity.INFO] == []


def test_nodes_without_labels_leases_and_lists() -> None:
    store = Store()
    store.apply(
        "Node",
        [
            row("Node", {"metadata": {"name": "bare"}, "status": {}}),
            row(
                "Node",
                {
                    "metadata": {"name": "odd"},
                    "status": {
                        "conditions": [
                            {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}
                        ]
                    },
                },
            ),
        ],
    )
    store.apply(
        "Pod", [row("Pod", {"metadata": {"name": "p", "namespace": "x"}, "spec": {}, "status": {}})]
    )
    report = triage_once(store, NOW, {})
    assert [f.rule for f in report.findings] == ["node-not-ready"]
    assert report.findings[0].facts["lease_fresh"] is None


def test_a_silent_node_among_renewing_ones_is_told_although_it_counts_as_ready() -> None:
    cluster = Cluster(5)
    for index, node in enumerate(cluster.nodes):
        cluster.add(
            "Lease",
            {
                "metadata": meta(node["metadata"]["name"], "kube-node-lease"),
                "spec": {"renewTime": ago(seconds=95 if index == 3 else 4).isoformat()},
            },
        )
    report = triage_once(cluster.store(), NOW, {})
    assert [(f.rule, f.object.name, f.severity) for f in report.findings] == [
        ("node-lease-stale", "n4", Severity.WARNING)
    ]


def test_time_brings_findings_and_history_takes_them() -> None:
    cluster = Cluster(4)
    cluster.deployment("web", replicas=4)
    pod = next(r for k, r in cluster.raw if k == "Pod")
    cluster.ended(pod, NOW, reason="OOMKilled")
    store = cluster.store()
    moment = [NOW]
    engine = Triage(lambda: moment[0])
    source = cluster.store()
    for kind in (k.name for k in KINDS):
        engine.update(store.apply(kind, ()) or [], store)
    from cluster.live.store import StoreUpdate

    engine.update(
        [
            StoreUpdate(k.name, key, None, r)
            for k in KINDS
            for key, r in source.rows(k.name).items()
        ],
        store,
    )
    severities = []
    for minutes in (1, 31, 61):
        moment[0] = NOW + timedelta(minutes=minutes)
        found = engine.report(moment[0], store, {}).findings
        severities.append([f.severity for f in found])
    assert severities == [[Severity.WARNING], [Severity.INFO], []]


def test_what_could_not_be_seen_is_said() -> None:
    at = datetime(2026, 3, 14, tzinfo=UTC)
    states = {
        "Pod": Freshness("Pod", WatchState.LOADING, count=3500),
        "Secret": Freshness("Secret", WatchState.FORBIDDEN, reason="no permission"),
        "Node": Freshness("Node", WatchState.LIVE, heard=at),
        "ResourceQuota": Freshness("ResourceQuota", WatchState.ABSENT),
    }
    report = triage_once(Store(), NOW, states)
    assert not report.complete
    assert [(g.what, g.why) for g in report.unavailable] == [
        ("Pod", "still loading (3,500 so far)"),
        ("Secret", "forbidden: no permission"),
    ]
    stale = {
        k: Freshness(k, WatchState.STALE, heard=at, reason="connection refused")
        for k in ("Pod", "Node")
    }
    assert [f.rule for f in triage_once(Store(), NOW, stale).findings] == ["api-server-unreachable"]


@pytest.mark.parametrize(
    ("reason", "title"),
    [
        ("connection refused", "the API server does not answer"),
        (
            "list pods: Something in front of the API server answers, not the API server (HTTP 407)",
            "something in front of the API server answers in its place",
        ),
    ],
)
def test_a_server_that_never_answered_is_unheard_since_it_was_first_asked(
    reason: str, title: str
) -> None:
    states = {k: Freshness(k, WatchState.WAITING, reason=reason) for k in ("Pod", "Node")}
    engine = Triage(lambda: NOW)
    for minutes in (0, 5):
        [symptom] = engine.report(NOW + timedelta(minutes=minutes), Store(), states).symptoms
        assert (symptom.title, symptom.since) == (title, NOW)


@pytest.mark.parametrize(
    ("reason", "answer"),
    [
        ("https://api:6443 refuses the connection; the API server is down", "refused"),
        ("10.0.0.1:6443 refuses: the host is up, but nothing listens on the port.", "refused"),
        ("No name server answered for api within 3 s; check DNS and the VPN.", "none"),
        ("no connection to https://api:6443 within the time limit; a firewall", "none"),
        ("Something in front of the API server answers, not the API server (HTTP 503)", "front"),
    ],
)
def test_what_is_heard_in_place_of_the_api_server(reason: str, answer: str) -> None:
    states = {k: Freshness(k, WatchState.WAITING, reason=reason) for k in ("Pod", "Node")}
    [found] = triage_once(Store(), NOW, states).findings
    assert found.facts["answer"] == answer
