"""Unusual but legal shapes: old events, null lists, odd image names, clusters without zones or
leases; and quiet health."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.kube import images
from cluster.kube.event_times import last_time
from cluster.kube.kinds import KINDS
from cluster.kube.objects import Event, Ref
from cluster.live.freshness import Freshness, State
from cluster.live.store import Store
from tests.triage.build import NOW, Cluster, ago, meta, row, ts
from triage.engine import Triage, triage_once
from triage.facts import messages, quantity
from triage.facts.events import EventMemory, about
from triage.facts.finding import Report, Severity
from triage.facts.finding_builder import finding_id
from triage.facts.rules import catalogue


def event(**raw: object) -> Event:
    base = {
        "metadata": {
            "name": "e",
            "namespace": "default",
            "uid": "u1",
            "creationTimestamp": ts(ago(hours=1)),
        },
        "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "p"},
    }
    return msgspec.convert({**base, **raw}, Event, strict=False)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            {
                "firstTimestamp": ts(ago(minutes=30)),
                "lastTimestamp": ts(ago(minutes=3)),
                "count": 7,
            },
            ago(minutes=3),
        ),
        (
            {
                "firstTimestamp": None,
                "lastTimestamp": None,
                "eventTime": ago(minutes=9).isoformat(),
                "series": {"count": 4, "lastObservedTime": ago(minutes=2).isoformat()},
            },
            ago(minutes=2),
        ),
        ({"lastTimestamp": None, "eventTime": ago(minutes=9).isoformat()}, ago(minutes=9)),
        ({"lastTimestamp": None}, ago(hours=1)),
    ],
)
def test_an_event_always_has_a_time(raw: dict[str, object], expected: datetime) -> None:
    assert last_time(event(**raw)) == expected


def test_events_about_nodes_have_no_namespace_and_are_kept_beyond_their_hour() -> None:
    memory = EventMemory(limit=3)
    seen = event(
        involvedObject={"kind": "Node", "name": "n1", "namespace": "default"},
        reason="SystemOOM",
        lastTimestamp=ts(ago(minutes=5)),
        message="(combined from similar events): x",
    )
    assert about(seen) == Ref("Node", "", "n1")
    assert memory.see(seen) == Ref("Node", "", "n1")
    assert memory.see(seen) is None, "the same observation says nothing new"
    again = event(
        involvedObject={"kind": "Node", "name": "n1"},
        reason="SystemOOM",
        lastTimestamp=ts(ago(minutes=1)),
        count=3,
    )
    assert memory.see(again) is not None
    kept = memory.reasons("SystemOOM")
    assert (len(kept), kept[0].count, kept[0].times[-1]) == (1, 3, ago(minutes=1))
    for number in range(5):
        memory.see(
            event(
                metadata={
                    "name": f"e{number}",
                    "uid": f"v{number}",
                    "namespace": "shop",
                    "creationTimestamp": ts(NOW),
                }
            )
        )
    assert len(memory) == 3
    memory.forget_before(NOW + timedelta(days=3))
    assert len(memory) == 0


ETCD_GONE, NO_HOST = (
    "rpc error: etcdserver: request timed out",
    "lookup db.shop on 10.0.0.10:53: no such host",
)


def test_what_messages_tell_follows_the_events() -> None:
    memory = EventMemory(limit=2)

    def see(name: str, message: str, minutes: int) -> None:
        memory.see(
            event(
                metadata={"name": name, "uid": name, "namespace": "shop"},
                message=message,
                lastTimestamp=ts(ago(minutes=minutes)),
            )
        )

    def told() -> dict[str, tuple[object, ...]]:
        return {fact.uid: tuple(said) for fact, said in memory.with_signs()}

    see("a", ETCD_GONE, 9)
    see("b", "Started container web", 8)
    assert told() == {"a": ("timeout", False, "")}
    see("a", NO_HOST, 7)  # the same event, with other words by now
    assert told() == {"a": ("", False, "not-found")}
    see("a", "Started container web", 6)
    assert told() == {}
    see("b", ETCD_GONE, 5)
    see("c", "quiet", 4)
    see("d", "quiet", 3)  # the oldest are forgotten
    assert told() == {}


ASCII = st.characters(max_codepoint=127)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.from_regex(messages._ETCD, alphabet=ASCII)
    | st.from_regex(messages._API, alphabet=ASCII)
    | st.from_regex(messages._LOOKUP, alphabet=ASCII)
)
def test_the_quick_look_at_a_message_misses_nothing(message: str) -> None:
    assert messages.message_signs(message) == (
        messages.etcd_error(message),
        messages.api_error(message),
        messages.lookup_failure(message),
    )


def test_most_messages_tell_nothing() -> None:
    assert (
        messages.message_signs("Back-off restarting failed container web in pod web-0_shop(1)")
        is None
    )
    assert (
        messages.message_signs("unable to ensure pod container exists: something else") is None
    )  # a hint alone is not enough


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


@pytest.mark.parametrize(
    ("message", "causes", "nodes"),
    [
        (
            "0/5 nodes are available: 2 Insufficient memory, 3 node(s) had untolerated taint "
            "{node.kubernetes.io/unreachable: }. "
            "preemption: 0/5 nodes are available: 5 x",
            ["node-not-ready", "insufficient-memory"],
            5,
        ),
        (
            "0/4 nodes are available: 4 node(s) had taints that the pod didn't tolerate.",
            ["taint"],
            4,
        ),
        (
            "0/3 nodes are available: 1 Too many pods, 2 node(s) didn't match Pod's node "
            "affinity/selector.",
            ["affinity", "insufficient-pods"],
            3,
        ),
        (
            "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules.",
            ["anti-affinity"],
            3,
        ),
        (
            "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
            ["volume-unbound"],
            0,
        ),
        ('persistentvolumeclaim "x" not found', ["claim-missing"], 0),
        ("0/2 nodes are available: 2 node(s) were unschedulable.", ["cordoned"], 2),
        ("0/2 nodes are available: 2 node(s) exceed max volume count.", ["volume-count"], 2),
    ],
)
def test_scheduler_texts(message: str, causes: list[str], nodes: int) -> None:
    read = messages.scheduling(message)
    assert ([c for c, _ in read.causes], read.nodes) == (causes, nodes)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            'MountVolume.SetUp failed for volume "v" : secret "a-credentials" not found',
            ("Secret", "shop", "a-credentials", ""),
        ),
        (
            'MountVolume.SetUp failed for volume "v" : secrets "a-credentials" not found',
            ("Secret", "shop", "a-credentials", ""),
        ),
        ('secret "s" not found', ("Secret", "shop", "s", "")),
        ('configmap "c" not found', ("ConfigMap", "shop", "c", "")),
        ("couldn't find key url in Secret shop/db", ("Secret", "shop", "db", "url")),
        (
            'MountVolume.SetUp failed for volume "v" : references non-existent secret key: tls.crt',
            ("Secret", "shop", "", "tls.crt"),
        ),
        ("MountVolume.SetUp failed: timed out", None),
    ],
)
def test_missing_configuration(message: str, expected: tuple[str, ...] | None) -> None:
    found = messages.missing_config(message, "shop")
    assert (tuple(found) if found else None) == expected


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
        cluster.event(
            "Pod",
            "shop",
            pod["metadata"]["name"],
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


def test_findings_use_registered_rules_and_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.triage import test_catalogue as cases

    seen = 0
    for name in sorted(vars(cases)):
        if not name.startswith("test_"):
            continue
        reports: list[Report] = []

        def watched(cluster: Cluster, reports: list[Report] = reports) -> Report:
            reports.append(triage_once(cluster.store(), NOW, {}))
            return reports[-1]

        monkeypatch.setattr(cases, "look", watched)
        marks = getattr(vars(cases)[name], "pytestmark", [])
        vars(cases)[name](*(marks[0].args[1][0] if marks else ()))
        for report in reports:
            for finding in report.findings:
                seen += 1
                rule = catalogue.FINDINGS[finding.rule]
                assert set(finding.facts) <= rule.fact_names, (
                    finding.rule,
                    set(finding.facts) - rule.fact_names,
                )
                assert set(rule.facts) <= set(finding.facts), (
                    finding.rule,
                    set(rule.facts) - set(finding.facts),
                )
                assert finding.id.startswith(finding_id(finding.rule, finding.object))
            for change in report.changes:
                assert set(change.facts) <= set(catalogue.CHANGES[change.rule].facts), change.rule
            ids = [f.id for f in report.findings]
            assert len(ids) == len(set(ids))
    assert seen > 60


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
    from cluster.live.store import Change

    engine.update(
        [Change(k.name, key, None, r) for k in KINDS for key, r in source.rows(k.name).items()],
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
        "Pod": Freshness("Pod", State.LOADING, count=3500),
        "Secret": Freshness("Secret", State.FORBIDDEN, reason="no permission"),
        "Node": Freshness("Node", State.LIVE, heard=at),
        "ResourceQuota": Freshness("ResourceQuota", State.ABSENT),
    }
    report = triage_once(Store(), NOW, states)
    assert not report.complete
    assert [(g.what, g.why) for g in report.unavailable] == [
        ("Pod", "still loading (3,500 so far)"),
        ("Secret", "forbidden: no permission"),
    ]
    stale = {
        k: Freshness(k, State.STALE, heard=at, reason="connection refused") for k in ("Pod", "Node")
    }
    assert [f.rule for f in triage_once(Store(), NOW, stale).findings] == ["api-server-unreachable"]
