"""Situations from public reports: the first line names the mechanism and the object, and no story
that does not fit is sure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from cluster.kube.kinds import KINDS
from cluster.live.freshness import Freshness, State
from tests.triage.build import NOW, Cluster, ago, meta, ts
from tests.triage.test_catalogue import background
from tests.triage.test_false_alarms import MATCHER, STORIES
from triage.engine import triage_once
from triage.facts import messages
from triage.facts.finding import Finding, Report, Severity

LIVE = {kind.name: Freshness(kind.name, State.LIVE, heard=NOW) for kind in KINDS}


def look(cluster: Cluster) -> Report:
    return triage_once(cluster.store(), NOW, LIVE)


def first(cluster: Cluster) -> str:
    return look(cluster).symptoms[0].title


def sure(report: Report) -> set[str]:
    """The stories that are confident; a guide of the family may be."""
    found = (m for s in report.symptoms for m in MATCHER.match_symptom(s, report))
    return {m.id for m in found if m.confident and m.id in STORIES}


def found(cluster: Cluster, rule: str) -> list[Finding]:
    return [f for f in look(cluster).findings if f.rule == rule]


def pending(
    cluster: Cluster,
    name: str,
    *,
    node: str = "",
    since: datetime | None = None,
    init: list[dict[str, Any]] | None = None,
    init_states: list[dict[str, Any]] | None = None,
    conditions: list[dict[str, Any]] | None = None,
    phase: str = "Pending",
    **status: Any,
) -> dict[str, Any]:
    since = since or ago(minutes=40)
    return cluster.add(
        "Pod",
        {
            "metadata": meta(name, "shop", created=since, labels={"app": name}),
            "spec": {
                "nodeName": node,
                "containers": [{"name": "main", "image": "app:1"}],
                "initContainers": init or [],
            },
            "status": {
                "phase": phase,
                "startTime": ts(since),
                "conditions": conditions
                or [
                    {
                        "type": "PodScheduled",
                        "status": "True" if node else "False",
                        "reason": "" if node else "Unschedulable",
                        "lastTransitionTime": ts(since),
                    },
                    {"type": "Ready", "status": "False", "lastTransitionTime": ts(since)},
                ],
                "initContainerStatuses": init_states or [],
                "containerStatuses": [
                    {
                        "name": "main",
                        "state": {
                            "waiting": {
                                "reason": "PodInitializing" if init else "ContainerCreating"
                            }
                        },
                    }
                ],
                **status,
            },
        },
    )


def running_init(name: str, since: datetime, *, started: bool | None = None) -> dict[str, Any]:
    return {"name": name, "started": started, "state": {"running": {"startedAt": ts(since)}}}


# ---- init containers and sidecars


def test_an_init_container_that_does_not_end_holds_its_pod() -> None:
    cluster = background()
    pending(
        cluster,
        "quality-0",
        node="n1",
        init=[{"name": "wait-for-db", "image": "busybox"}],
        init_states=[running_init("wait-for-db", ago(minutes=90), started=True)],
    )
    report = look(cluster)
    assert report.symptoms[0].title == "quality-0: waits: init container wait-for-db has not ended"
    assert report.symptoms[0].since == ago(minutes=90)
    assert not sure(report)


def test_a_sidecar_that_is_never_started_holds_its_pod_and_its_probe_says_why() -> None:
    cluster = background()
    pending(
        cluster,
        "cart-2",
        node="n1",
        init=[{"name": "mesh", "image": "mesh:2", "restartPolicy": "Always"}],
        init_states=[running_init("mesh", ago(minutes=39), started=False)],
    )
    cluster.event(
        "Pod",
        "shop",
        "cart-2",
        "Unhealthy",
        'Startup probe failed: Get "http://10.1.0.9:15021/r": dial tcp 10.1.0.9:15021: connect: '
        "connection refused",
        ago(seconds=10),
        ago(minutes=39),
        count=460,
    )
    [finding] = found(cluster, "pod-init-waiting")
    assert (finding.facts["sidecar"], finding.facts["probe"]) == (True, "refused")
    assert "sidecar mesh has not started" in first(cluster)
    assert "connection refused" in first(cluster)


@pytest.mark.parametrize("minutes", [1, 9])
def test_an_init_container_may_run_for_a_while(minutes: int) -> None:
    cluster = background()
    pending(
        cluster,
        "migrate",
        node="n1",
        since=ago(minutes=minutes),
        init=[{"name": "schema", "image": "x"}],
        init_states=[running_init("schema", ago(minutes=minutes), started=True)],
    )
    [finding] = found(cluster, "pod-init-waiting")
    assert (finding.young, finding.severity) == (True, Severity.INFO)


def test_a_sidecar_that_runs_holds_nothing() -> None:
    cluster = background()
    pending(
        cluster,
        "job",
        node="n1",
        init=[
            {"name": "mesh", "image": "mesh:2", "restartPolicy": "Always"},
            {"name": "schema", "image": "x"},
        ],
        init_states=[
            running_init("mesh", ago(minutes=39), started=True),
            running_init("schema", ago(minutes=38), started=True),
        ],
    )
    [finding] = found(cluster, "pod-init-waiting")
    assert (finding.facts["container"], finding.facts["sidecar"]) == ("schema", False)


# ---- admission by the kubelet


@pytest.mark.parametrize(
    ("reason", "message", "said"),
    [
        (
            "SMTAlignmentError",
            "Pod was rejected: SMT Alignment Error: requested 3 cpus not multiple cpus per core = 2",
            "requested 3 cpus not multiple cpus per core = 2",
        ),
        (
            "TopologyAffinityError",
            "Pod was rejected: Resources cannot be allocated with Topology locality",
            "Resources cannot be allocated with Topology locality",
        ),
        ("SomeReasonOfTomorrow", "Pod was rejected: no", "SomeReasonOfTomorrow"),
    ],
)
def test_pods_refused_at_admission_are_one_symptom_that_names_the_node(
    reason: str, message: str, said: str
) -> None:
    cluster = background()
    work = cluster.deployment("trader", "shop", replicas=1, created=ago(minutes=40))
    work["status"].update(readyReplicas=0, availableReplicas=0)
    cluster.raw = [(k, r) for k, r in cluster.raw if r is not work["pods"][0]]
    for number in range(60):
        pod = cluster.pod(
            work, cluster.nodes[0], created=ago(minutes=40 - number // 3), name=f"trader-{number}"
        )
        pod["status"] = {
            "phase": "Failed",
            "reason": reason,
            "message": message,
            "startTime": pod["metadata"]["creationTimestamp"],
        }
    report = look(cluster)
    loud = [s for s in report.symptoms if s.severity is not Severity.INFO]
    assert len(loud) == 1, [s.title for s in loud]
    assert "60 of its pods were refused at admission on n1" in loud[0].title
    assert said in loud[0].title


# ---- pods that are not whole


def two_containers(cluster: Cluster, name: str, policy: str, code: int) -> None:
    raw = pending(cluster, name, node="n1", since=ago(hours=3), phase="Running")
    raw["spec"].update(
        restartPolicy=policy,
        containers=[{"name": "good", "image": "g"}, {"name": "bad", "image": "b"}],
    )
    raw["status"]["containerStatuses"] = [
        {"name": "good", "ready": True, "state": {"running": {"startedAt": ts(ago(hours=3))}}},
        {
            "name": "bad",
            "state": {
                "terminated": {
                    "exitCode": code,
                    "reason": "Error" if code else "Completed",
                    "startedAt": ts(ago(hours=3)),
                    "finishedAt": ts(ago(hours=2)),
                }
            },
        },
    ]


def test_a_half_dead_pod_is_said_as_such() -> None:
    cluster = background()
    two_containers(cluster, "half", "Never", 1)
    assert "half dead: container bad ended with exit 1 and is not restarted" in first(cluster)
    assert not sure(look(cluster))


@pytest.mark.parametrize("policy", ["Never", "OnFailure"])
def test_a_sidecar_that_holds_a_finished_pod_is_said_as_such(policy: str) -> None:
    cluster = background()
    two_containers(cluster, "done", policy, 0)
    assert "does not finish: bad completed, good still runs" in first(cluster)


def test_a_container_that_is_restarted_is_not_half_dead() -> None:
    cluster = background()
    two_containers(cluster, "loop", "Always", 1)
    assert not found(cluster, "pod-half-ended")


@pytest.mark.parametrize(
    ("type_", "reason", "said"),
    [
        ("PodResizePending", "Infeasible", "its resize cannot be done on this node"),
        ("PodResizeInProgress", "Error", "its resize fails"),
    ],
)
def test_a_resize_that_cannot_be_done(type_: str, reason: str, said: str) -> None:
    cluster = background()
    pod = next(r for k, r in cluster.raw if k == "Pod")
    pod["status"]["conditions"].append(
        {
            "type": type_,
            "status": "True",
            "reason": reason,
            "message": "Node didn't have enough capacity: memory",
            "lastTransitionTime": ts(ago(minutes=40)),
        }
    )
    assert said in first(cluster)
    assert first(cluster).endswith("have enough capacity: memory")


# ---- scheduling


@pytest.mark.parametrize(
    ("message", "title"),
    [
        (
            "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. no new claims to deallocate, "
            "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.",
            "insufficient nvidia.com/gpu",
        ),
        (
            "0/3 nodes are available: 3 node(s) had untolerated taint "
            "{node.cloudprovider.kubernetes.io/uninitialized: true}. preemption: 0/3 nodes are "
            "available: 3 Preemption is not helpful for scheduling.",
            "untolerated taint node.cloudprovider.kubernetes.io/uninitialized",
        ),
        (
            'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded',
            "volumes cannot be bound: context deadline exceeded",
        ),
        ("no nodes available to schedule pods", "the cluster has no node"),
        (
            "Pod provisioning timed out (will retry) for pod: shop/batch-0",
            "the provider did not provision a node in time",
        ),
        (
            "Pod not supported on Fargate: volumes not supported: data",
            "the provider refuses the pod: volumes not supported: data",
        ),
        (
            "0/4 nodes are available: 4 cannot allocate all claims. preemption: 0/4 nodes are "
            "available: 4 Preemption is not helpful for scheduling.",
            "dynamic resources cannot be allocated",
        ),
        (
            'Failed to schedule pod, incompatible with nodepool "default", daemonset overhead={}, '
            'no instance type satisfied resources {"cpu":"96"}',
            "no node pool fits",
        ),
        (
            '0/4 nodes are available: persistentvolumeclaim "data-0" not found. preemption: 0/4 '
            "nodes are available: 4 Preemption is not helpful for scheduling.",
            "volume claim data-0 not found",
        ),
        ("something that no scheduler says today", "something that no scheduler says today"),
    ],
)
def test_the_deciding_word_of_the_scheduler_is_in_the_title(message: str, title: str) -> None:
    cluster = background()
    raw = pending(cluster, "train-0", since=ago(minutes=15))
    raw["status"]["conditions"][0]["message"] = message
    assert first(cluster) == f"pods pending: {title}: train-0"
    assert not sure(look(cluster))


# ---- the kubelet's words


def test_unknown_reasons_of_the_kubelet_are_quoted_and_one_cause_is_one_symptom() -> None:
    cluster = background()
    for name in ("orders", "mail", "search", "geo"):
        work = cluster.deployment(name, "shop", replicas=1, created=ago(days=3))
        cluster.raw = [(k, r) for k, r in cluster.raw if r is not work["pods"][0]]
        pod = cluster.pod(work, cluster.nodes[1], created=ago(minutes=14))
        cluster.waiting(pod, "ContainerCreating")
        pod["status"]["conditions"][0]["lastTransitionTime"] = ts(ago(minutes=14))
        work["status"].update(readyReplicas=0, availableReplicas=0)
        cluster.event(
            "Pod",
            "shop",
            pod["metadata"]["name"],
            "FailedCreatePodContainer",
            "unable to ensure pod container exists: failed to create container for [kubepods "
            f"burstable pod3f{len(name)}9] : mkdir /sys/fs/cgroup/memory/kubepods/burstable/"
            f"pod3f{len(name)}9: cannot allocate memory",
            ago(seconds=20),
            ago(minutes=14),
            count=61,
        )
    report = look(cluster)
    loud = [s for s in report.symptoms if s.severity is not Severity.INFO]
    assert len(loud) == 1, [s.title for s in loud]
    assert loud[0].title.startswith("4 pods do not start on n2: FailedCreatePodContainer")
    assert loud[0].title.endswith("cannot allocate memory")
    assert not sure(report)


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (
            'failed to setup network for sandbox "1f": plugin type="calico" failed (add): stat '
            "/var/lib/calico/nodename: no such file or directory",
            "cni-not-ready",
        ),
        (
            "rpc error: code = Unavailable desc = connection error: desc = "
            '"transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: '
            'no such file or directory"',
            "runtime-down",
        ),
        (
            "failed to create containerd task: failed to create shim task: OCI runtime create "
            "failed: runc create failed: container init was OOM-killed (memory limit too low?)",
            "memory-limit",
        ),
    ],
)
def test_who_is_away_when_a_sandbox_fails(message: str, cause: str) -> None:
    assert messages.sandbox_cause(message) == cause


def test_after_a_reboot_pods_that_count_as_running_wait_for_the_network_agent() -> None:
    cluster = background()
    for name in ("orders", "mail", "search"):
        work = cluster.deployment(name, "shop", replicas=1, created=ago(days=30))
        work["status"].update(readyReplicas=0, availableReplicas=0)
        pod = work["pods"][0]
        pod["spec"]["nodeName"] = "n2"
        for condition in pod["status"]["conditions"]:
            if condition["type"] in ("Ready", "ContainersReady"):
                condition.update(status="False", lastTransitionTime=ts(ago(minutes=25)))
        pod["status"]["containerStatuses"][0].update(
            ready=False,
            state={
                "terminated": {
                    "exitCode": 255,
                    "reason": "Unknown",
                    "startedAt": ts(ago(days=30)),
                    "finishedAt": ts(ago(minutes=24)),
                }
            },
        )
        cluster.event(
            "Pod",
            "shop",
            pod["metadata"]["name"],
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup "
            'network for sandbox "1f": plugin type="calico" failed (add): stat '
            "/var/lib/calico/nodename: no such file or directory: check that the calico/node "
            "container is running",
            ago(seconds=20),
            ago(minutes=24),
            count=110,
        )
    report = look(cluster)
    assert report.symptoms[0].title == "pods do not start on n2: the network agent is away"
    assert len([s for s in report.symptoms if s.severity is not Severity.INFO]) == 1
    assert any("calico/node container is running" in f.claim for f in report.symptoms[0].findings)
    assert not sure(report), "the node is not new"


# ---- evictions


@pytest.mark.parametrize(
    "message",
    [
        "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
        'Container main exceeded its local ephemeral storage limit "1Gi". ',
        'Usage of EmptyDir volume "cache" exceeds the limit "100Mi". ',
    ],
)
def test_a_pod_that_exceeds_its_own_limit_leaves_the_node_out(message: str) -> None:
    cluster = background()
    raw = pending(cluster, "scratch", node="n1", phase="Failed")
    raw["status"].update(reason="Evicted", message=message)
    raw["status"]["startTime"] = ts(ago(minutes=8))
    [finding] = found(cluster, "pod-evicted")
    assert finding.facts["own_limit"] is True
    assert "node low" not in finding.claim
    assert first(cluster) == "evicted for its own ephemeral-storage limit: scratch"


# ---- nodes


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
        "n2: probes of 6 pods of 6 owners time out on it, 6 pods were restarted for it"
    ]
    assert loud[0].since == ago(minutes=25)
    assert not [f for f in report.findings if f.rule == "pod-crash-looping"]


def test_probes_that_time_out_on_many_nodes_name_no_node() -> None:
    cluster = background()
    for node in range(4):
        slow_probes(cluster, 3, node)
    assert not found(cluster, "probes-time-out-on-node")


def test_a_kill_by_a_liveness_probe_is_told_once() -> None:
    cluster = background()
    work = cluster.deployment("solo", "shop", replicas=1, created=ago(days=30))
    pod = work["pods"][0]
    cluster.ended(pod, ago(minutes=4), code=137, restarts=4)
    cluster.event(
        "Pod",
        "shop",
        pod["metadata"]["name"],
        "Killing",
        "Container app failed liveness probe, will be restarted",
        ago(minutes=4, seconds=20),
        ago(minutes=20),
        count=4,
        type_="Normal",
    )
    rules = {f.rule for f in look(cluster).findings}
    assert "pod-liveness-killed" in rules
    assert not rules & {"pod-container-lost", "pod-crash-looping"}


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


def test_the_deciding_end_of_a_long_message_is_kept() -> None:
    text = "failed to create container for " + "x y " * 100 + ": cannot allocate memory"
    assert len(messages.quoted(text)) <= messages.QUOTE + 3
    assert messages.quoted(text).endswith("cannot allocate memory")
    one, other = "mkdir /a/pod3f69a0b1: no space", "mkdir /a/pod3f69a0b2: no space"
    assert messages.signature(one) == messages.signature(other)
