"""Nodes: conditions, problems that daemons report, and pods that fail together on one node."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.triage.build import NOW, Cluster, ago, meta, ts
from tests.triage.situation import (
    MATCHER,
    background,
    first,
    found,
    look,
    loud,
    one,
)
from triage.engine import Triage
from triage.facts.finding import Severity

NPD = (
    "KernelDeadlock",
    "ReadonlyFilesystem",
    "FrequentContainerdRestart",
    "CorruptDockerOverlay2",
    "ContainerRuntimeUnhealthy",
)


@pytest.mark.parametrize("type_", NPD)
def test_a_problem_condition_counts_when_it_is_true_and_never_when_it_is_false(type_: str) -> None:
    for status, expected in (("True", 1), ("False", 0), ("Unknown", 0)):
        cluster = background()
        condition = {
            "type": type_,
            "status": status,
            "reason": "x",
            "lastTransitionTime": ts(ago(minutes=9)),
        }
        cluster.nodes[0]["status"]["conditions"].append(condition)
        assert len([f for f in look(cluster).findings if f.rule == "node-problem"]) == expected, (
            status
        )


@pytest.mark.parametrize(
    "reason",
    ["TaskHung", "KernelOops", "Ext4Error", "IOError", "UnregisterNetDevice", "ConntrackFull"],
)
def test_a_problem_that_a_daemon_reported(reason: str) -> None:
    cluster = background()
    cluster.event(
        "Node",
        "",
        "n1",
        reason,
        "INFO: task dockerd:20744 blocked for more than 120 seconds.",
        ago(minutes=5),
    )
    assert one(look(cluster), "node-problem").object.name == "n1"


@pytest.mark.parametrize(
    ("type_", "pressure"),
    [("MemoryPressure", "memory"), ("DiskPressure", "disk"), ("PIDPressure", "pid")],
)
def test_pressure_is_true_and_not_unknown(type_: str, pressure: str) -> None:
    for status in ("True", "Unknown"):
        cluster = background()
        for condition in cluster.nodes[0]["status"]["conditions"]:
            if condition["type"] == type_:
                condition.update(status=status, lastTransitionTime=ts(ago(minutes=9)))
        assert [
            f.facts["pressure"] for f in look(cluster).findings if f.rule == "node-pressure"
        ] == [pressure] * (status == "True")


def test_a_dead_kubelet_is_one_finding_and_no_pressure() -> None:
    cluster = background()
    cluster.not_ready(cluster.nodes[0], ago(minutes=6))
    rules = [
        f.rule
        for f in look(cluster).findings
        if f.object.kind == "Node" and f.severity is not Severity.INFO
    ]
    assert rules == ["node-not-ready"]


def test_pleg_runtime_and_network_are_told_apart() -> None:
    texts = {
        "pleg": "PLEG is not healthy: pleg was last seen active 3m5s ago; threshold is 3m0s.",
        "runtime-down": "container runtime is down",
        "network-plugin": "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:cni",
    }
    for cause, message in texts.items():
        cluster = background()
        cluster.not_ready(cluster.nodes[0], ago(minutes=6), "False", "KubeletNotReady", message)
        assert one(look(cluster), "node-not-ready").facts["cause"] == cause


def test_cordoned_full_and_flapping_nodes() -> None:
    cluster = background()
    cluster.nodes[0]["spec"]["unschedulable"] = True
    cluster.nodes[1]["status"]["allocatable"]["pods"] = "2"
    for minutes in (50, 40, 30, 20):
        cluster.event(
            "Node",
            "",
            "n3",
            "NodeNotReady",
            "Node n3 status is now: NodeNotReady",
            ago(minutes=minutes),
            type_="Normal",
        )
        cluster.event(
            "Node",
            "",
            "n3",
            "NodeReady",
            "Node n3 status is now: NodeReady",
            ago(minutes=minutes - 2),
            type_="Normal",
        )
    found = {f.rule: f.object.name for f in look(cluster).findings if f.object.kind == "Node"}
    assert {k: found.get(k) for k in ("node-cordoned", "node-pods-full", "node-flapping")} == {
        "node-cordoned": "n1",
        "node-pods-full": "n2",
        "node-flapping": "n3",
    }


def test_an_old_kernel_and_a_lease_that_stands_still() -> None:
    cluster = background()
    cluster.nodes[0]["status"]["nodeInfo"]["kernelVersion"] = "4.14.104+"
    for pod in (r for k, r in cluster.raw if k == "Pod" and r["spec"]["nodeName"] == "n1"):
        pod["spec"]["containers"] = [
            {"name": "app", "image": "x", "resources": {"limits": {"cpu": "1"}}}
        ]
    for node in cluster.nodes:
        renewed = ago(minutes=4) if node["metadata"]["name"] == "n2" else ago(seconds=5)
        lease = {
            "metadata": meta(node["metadata"]["name"], "kube-node-lease"),
            "spec": {"renewTime": renewed.isoformat()},
        }
        cluster.add("Lease", lease)
    found = {f.rule: f.object.name for f in look(cluster).findings}
    assert found == {"node-kernel-cfs-bug": "n1", "node-lease-stale": "n2"}


@pytest.mark.parametrize(("late", "soon"), [(5, False), (25, True), (240, False)])
def test_a_lease_that_may_turn_stale_is_looked_at_again_soon(late: float, soon: bool) -> None:
    """Renewed Leases are no news, so only time makes the next report."""
    cluster = Cluster()
    for node in cluster.nodes:
        renewed = ago(seconds=late if node["metadata"]["name"] == "n2" else 4)
        metadata = meta(node["metadata"]["name"], "kube-node-lease")
        cluster.add("Lease", {"metadata": metadata, "spec": {"renewTime": renewed.isoformat()}})
    engine = Triage(lambda: NOW)
    engine.report(NOW, cluster.store(), {})
    end = engine.next_end()
    assert (end is not None and end <= NOW + timedelta(seconds=5)) is soon


def test_a_silent_node_and_its_lease_are_one_symptom() -> None:
    cluster = background()
    cluster.not_ready(cluster.nodes[1], ago(minutes=4))
    for node in cluster.nodes:
        renewed = ago(minutes=5) if node["metadata"]["name"] == "n2" else ago(seconds=5)
        metadata = meta(node["metadata"]["name"], "kube-node-lease")
        cluster.add("Lease", {"metadata": metadata, "spec": {"renewTime": renewed.isoformat()}})
    report = look(cluster)
    assert {"node-not-ready", "node-lease-stale"} <= {f.rule for f in report.symptoms[0].findings}
    assert "node-lease-stale" not in {f.rule for s in report.symptoms[1:] for f in s.findings}


def test_runtime_crash_restarts_pods_of_many_owners_on_one_node() -> None:
    cluster = background()
    on = [r for k, r in cluster.raw if k == "Pod" and r["spec"]["nodeName"] == "n3"]
    for number, pod in enumerate(on):
        cluster.ended(
            pod, ago(minutes=12, seconds=number * 7), code=255, reason="ContainerStatusUnknown"
        )
        cluster.pod_event(
            pod,
            "SandboxChanged",
            "Pod sandbox changed, it will be killed and re-created.",
            ago(minutes=11),
            type_="Normal",
        )
    cluster.event(
        "Node",
        "",
        "n3",
        "SystemOOM",
        "System OOM encountered, victim process: dockerd, pid: 977",
        ago(minutes=12, seconds=40),
    )
    cluster.not_ready(
        cluster.nodes[2],
        ago(minutes=11),
        "False",
        "KubeletNotReady",
        "container runtime is down, PLEG is not healthy: pleg was last seen active 3m5s ago",
    )
    report = look(cluster)
    node = one(report, "node-not-ready")
    assert (node.facts["cause"], node.facts["causes"]) == ("runtime-down", ("runtime-down", "pleg"))
    assert one(report, "restarts-together-on-node").facts["owners"] == len(
        {p["metadata"]["ownerReferences"][0]["uid"] for p in on}
    )
    assert one(report, "sandboxes-recreated-on-node").facts["pods"] == len(on)
    assert one(report, "node-system-oom").facts["victim_runtime"] is True
    assert len([s for s in report.symptoms if s.severity is not Severity.INFO]) == 1


def test_new_nodes_with_another_version_fail() -> None:
    cluster = background(8)
    for number in range(3):
        node = cluster.node(f"fresh{number}", kubelet="v1.34.1", created=ago(minutes=45 - number))
        cluster.not_ready(
            node,
            ago(minutes=44 - number),
            "False",
            "KubeletNotReady",
            "container runtime network not ready: "
            "NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns "
            "error: cni plugin not initialized",
        )
    report = look(cluster)
    finding = one(report, "failures-on-new-nodes")
    assert (
        finding.facts["nodes"],
        finding.facts["version"],
        finding.facts["version_differs"],
        finding.facts["by"],
    ) == (
        3,
        "v1.34.1",
        True,
        "kubelet version",
    )
    assert {f.facts["cause"] for f in report.findings if f.rule == "node-not-ready"} == {
        "network-plugin"
    }
    symptom = next(s for s in report.symptoms if s.mechanism == "failures-on-new-nodes")
    assert symptom.shared[0].what == "kubelet version"
    assert any(t.startswith("node created after") for t in symptom.shared[0].tied_with)


def test_one_new_node_that_fails_is_named_with_its_reason() -> None:
    cluster = background(8)
    node = cluster.node("fresh", created=ago(minutes=45))
    cluster.not_ready(
        node,
        ago(minutes=44),
        "False",
        "KubeletNotReady",
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
        "message:Network plugin returns error: cni plugin not initialized",
    )
    claim = one(look(cluster), "failures-on-new-nodes").claim
    assert claim.startswith("fresh, the only node that joined since")
    assert "fails: the network plugin is not ready, 8 older are fine" in claim


def test_runtime_hangs_on_one_node_before_its_conditions_say_so() -> None:
    cluster = background()
    for number, namespace in enumerate(("shop", "billing", "search")):
        raw = cluster.deployment(f"late{number}", namespace, replicas=1, created=ago(minutes=8))
        pod = raw["pods"][0]
        pod["spec"]["nodeName"] = "n4"
        cluster.waiting(pod, "ContainerCreating")
        text = (
            "Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = context "
            "deadline exceeded"
            if number
            else (
                'rpc error: code = Unknown desc = failed to reserve sandbox name "late_shop_1": '
                'name "late_shop_1" is reserved for "5ab"'
            )
        )
        cluster.event(
            "Pod",
            namespace,
            pod["metadata"]["name"],
            "FailedCreatePodSandBox",
            text,
            ago(minutes=1),
            first=ago(minutes=6),
            count=5,
        )
    gone = next(r for k, r in cluster.raw if k == "Pod" and r["spec"]["nodeName"] == "n4")
    gone["metadata"]["deletionTimestamp"] = ts(ago(minutes=9))
    report = look(cluster)
    stuck = one(report, "pods-stuck-on-node")
    assert (
        stuck.object.name,
        stuck.facts["creating"],
        stuck.facts["terminating"],
        stuck.facts["node_ready"],
    ) == ("n4", 3, 1, True)
    assert {f.facts["cause"] for f in report.findings if f.rule == "pod-sandbox-failed"} == {
        "timeout",
        "name-reserved",
    }


def test_full_disk_evicts() -> None:
    cluster = background()
    node = cluster.nodes[1]
    for condition in node["status"]["conditions"]:
        if condition["type"] == "DiskPressure":
            condition.update(
                status="True",
                reason="KubeletHasDiskPressure",
                lastTransitionTime=ts(ago(minutes=12)),
            )
    cluster.event(
        "Node",
        "",
        "n2",
        "EvictionThresholdMet",
        "Attempting to reclaim ephemeral-storage",
        ago(minutes=3),
        first=ago(minutes=12),
        count=8,
    )
    cluster.event(
        "Node",
        "",
        "n2",
        "FreeDiskSpaceFailed",
        "Failed to garbage collect required amount of images. Attempted to free 2147483648 bytes, "
        "but only found 0 bytes eligible to free.",
        ago(minutes=4),
    )
    pod = next(r for k, r in cluster.raw if k == "Pod" and r["spec"]["nodeName"] == "n2")
    pod["status"].update(
        phase="Failed",
        reason="Evicted",
        message=(
            "The node was low on resource: ephemeral-storage. Threshold quantity: 2Gi, available: "
            "900Mi. "
        ),
        startTime=ts(ago(minutes=11)),
        conditions=[],
        containerStatuses=[],
    )
    report = look(cluster)
    assert (
        one(report, "node-pressure").facts["pressure"],
        one(report, "node-eviction-threshold").facts["resource"],
    ) == (
        "disk",
        "ephemeral-storage",
    )
    assert one(report, "pod-evicted").facts["resource"] == "ephemeral-storage"
    assert one(report, "node-disk-reclaim-failed")


@pytest.mark.parametrize(
    ("resource", "type_"),
    [
        ("ephemeral-storage", "DiskPressure"),
        ("memory", "MemoryPressure"),
        ("pids", "PIDPressure"),
    ],
)
@pytest.mark.parametrize(("ended", "over"), [(6, True), (20, False)])
def test_what_a_node_reclaimed_is_over_once_its_pressure_has_ended(
    resource: str, type_: str, ended: int, over: bool
) -> None:
    cluster = background()
    for condition in cluster.nodes[1]["status"]["conditions"]:
        if condition["type"] == type_:
            condition["lastTransitionTime"] = ts(ago(minutes=ended))
    said = f"Attempting to reclaim {resource}"
    cluster.event("Node", "", "n2", "EvictionThresholdMet", said, ago(minutes=15))
    finding = one(look(cluster), "node-eviction-threshold")
    assert (finding.severity is Severity.INFO, finding.active) == (over, not over)
    assert ("reclaimed" in finding.claim) is over


def test_nodes_rebooting_in_turn_name_the_burner() -> None:
    cluster = background(8)
    burner = cluster.deployment("render", "media", replicas=2)
    burner["spec"]["template"]["spec"]["containers"][0]["resources"] = {}
    for index, minutes in ((1, 48), (4, 15)):
        name = cluster.nodes[index]["metadata"]["name"]
        burner["pods"][0 if index == 1 else 1]["spec"]["nodeName"] = name
        cluster.event(
            "Node",
            "",
            name,
            "Rebooted",
            f"Node {name} has been rebooted, boot id: 4a6f",
            ago(minutes=minutes),
        )
    report = look(cluster)
    turn = one(report, "nodes-failing-in-turn")
    assert (turn.facts["reboots"], turn.facts["suspect"], turn.facts["oom"]) == (
        2,
        "Deployment media/render",
        0,
    )
    for node in cluster.nodes:
        node["spec"]["unschedulable"] = True
    assert "nodes-failing-in-turn" not in loud(look(cluster)), (
        "a rolling upgrade cordons before it reboots"
    )


def slow_probes(cluster: Cluster, owners: int, node: int, killed: bool = True) -> None:
    for number in range(owners):
        work = cluster.deployment(f"app{number}", "shop", replicas=1, created=ago(days=30))
        pod = work["pods"][0]
        pod["spec"]["nodeName"] = cluster.nodes[node]["metadata"]["name"]
        name = pod["metadata"]["name"]
        if killed:
            cluster.ended(pod, ago(minutes=2 + number), code=143, restarts=5)
        cluster.event(
            "Pod",
            "shop",
            name,
            "Unhealthy",
            f'Liveness probe failed: Get "http://10.1.0.{number}:8080/health": context deadline '
            "exceeded (Client.Timeout exceeded while awaiting headers)",
            ago(minutes=1),
            ago(minutes=25),
            count=17,
        )
        if killed:
            cluster.event(
                "Pod",
                "shop",
                name,
                "Killing",
                "Container app failed liveness probe, will be restarted",
                ago(minutes=2 + number),
                ago(minutes=24),
                count=5,
                type_="Normal",
            )


def test_probes_that_time_out_on_one_node_are_one_symptom_of_the_node() -> None:
    cluster = background()
    slow_probes(cluster, 6, 1)
    report = look(cluster)
    loud = [s for s in report.symptoms if s.severity is not Severity.INFO]
    assert [s.title for s in loud] == [
        "n2: probes of 6 pods of app0, app1 and 4 more time out on it, 6 pods were restarted for it"
    ]
    assert loud[0].since == ago(minutes=25)
    assert not [f for f in report.findings if f.rule == "pod-crash-looping"]


def test_probes_that_time_out_on_many_nodes_name_no_node() -> None:
    cluster = background()
    for node in range(4):
        slow_probes(cluster, 3, node)
    assert not found(cluster, "probes-time-out-on-node")


@pytest.mark.parametrize(
    ("type_", "message", "said", "severity"),
    [
        (
            "VMEventScheduled",
            "Preempt Scheduled: Sat, 14 Mar 2026 09:40:00 GMT. DurationInSeconds: -1.",
            "it will be preempted at Sat, 14 Mar 2026 09:40:00 GMT",
            Severity.WARNING,
        ),
        (
            "VMEventScheduled",
            "Freeze Scheduled: Sat, 14 Mar 2026 10:00:00 GMT. DurationInSeconds: 9",
            "it will be frozen for some seconds at Sat, 14 Mar 2026 10:00:00 GMT",
            Severity.INFO,
        ),
        ("RebootScheduled", "", "it will be rebooted soon", Severity.WARNING),
    ],
)
def test_what_a_provider_announces_is_said_with_its_time(
    type_: str, message: str, said: str, severity: Severity
) -> None:
    cluster = background()
    cluster.nodes[0]["status"]["conditions"].append(
        {
            "type": type_,
            "status": "True",
            "reason": type_,
            "message": message,
            "lastTransitionTime": ts(ago(minutes=9)),
        }
    )
    [finding] = found(cluster, "node-event-announced")
    assert said in finding.claim
    assert finding.severity is severity


def test_conditions_of_providers_speak_only_when_they_are_wrong() -> None:
    cluster = background()
    fine = {
        "VMEventScheduled": "False",
        "PreemptScheduled": "False",
        "EtcdIsVoter": "True",
        "KernelReady": "True",
        "DeprecatedAuthsFieldInContainerdConfiguration": "False",
        "NTPProblem": "Unknown",
    }
    for node in cluster.nodes:
        node["status"]["conditions"] += [
            {"type": t, "status": s, "lastTransitionTime": ts(ago(days=9))} for t, s in fine.items()
        ]
    assert not look(cluster).findings
    cluster.nodes[2]["status"]["conditions"].append(
        {
            "type": "EtcdIsVoter",
            "status": "False",
            "message": "Node has not been promoted to voting member of the etcd cluster",
            "lastTransitionTime": ts(ago(hours=3)),
        }
    )
    assert "has not been promoted" in first(cluster)


@pytest.mark.parametrize(
    "labels",
    [{"eks.amazonaws.com/compute-type": "fargate"}, {"type": "virtual-kubelet"}],
    ids=str,
)
def test_a_virtual_node_is_no_news(labels: dict[str, str]) -> None:
    cluster = background()
    node = cluster.node("virtual", kubelet="v1.25.0-vk", created=ago(days=9), **labels)
    node["status"]["allocatable"]["pods"] = "1"
    cluster.deployment("solo", "shop", replicas=0)
    raw = next(r for k, r in cluster.raw if k == "Deployment" and r["metadata"]["name"] == "solo")
    cluster.pod(raw, node)
    rules = {f.rule for f in look(cluster).findings}
    assert not rules & {"node-pods-full", "node-version-outlier"}


@pytest.mark.parametrize(
    "message",
    [
        "Attempted to free 2147483648 bytes, but only found 0 bytes eligible to free.",
        "invalid capacity 0 on image filesystem",
    ],
)
def test_no_event_of_a_full_disk_makes_it_sure_that_logs_fill_it(message: str) -> None:
    cluster = background()
    for condition in cluster.nodes[1]["status"]["conditions"]:
        if condition["type"] == "DiskPressure":
            condition.update(status="True", lastTransitionTime=ts(ago(minutes=12)))
    cluster.event("Node", "", "n2", "ImageGCFailed", message, ago(minutes=4), count=5)
    report = look(cluster)
    matches = MATCHER.match_symptom(report.symptoms[0], report)
    found = {match.id: match.confident for match in matches}
    assert found["node-disk-full-container-logs"] is False
