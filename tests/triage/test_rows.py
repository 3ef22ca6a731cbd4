"""Row by row: the signals that other tools detect or miss (tables 1.2 and 1.3 of the reference),
each seen by a rule of ours.

Rows that rest on measurements are in `test_measured.py`, those of the workstation's ladder with the
probes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.triage.build import NOW, Cluster, ago, managed, meta, ts
from tests.triage.test_catalogue import background, one, service
from triage.engine import triage_once
from triage.facts.finding import Finding, Report, Severity


def look(cluster: Cluster) -> Report:
    return triage_once(cluster.store(), NOW, {})


def pod_of(cluster: Cluster, **deployment: Any) -> dict[str, Any]:
    pod: dict[str, Any] = cluster.deployment("odd", "shop", replicas=1, **deployment)["pods"][0]
    return pod


def about(report: Report, rule: str, name: str) -> Finding:
    return next(f for f in report.findings if f.rule == rule and f.object.name.startswith(name))


# ---- pods and containers


@pytest.mark.parametrize(
    ("reason", "message", "cause"),
    [
        (
            "Unschedulable",
            "0/6 nodes are available: 6 Insufficient memory. preemption: 0/6 nodes are available.",
            "insufficient-memory",
        ),
        ("SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates", "gated"),
    ],
)
def test_not_scheduled(reason: str, message: str, cause: str) -> None:
    cluster = background()
    pod = pod_of(cluster)
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": reason,
        "message": message,
        "lastTransitionTime": ts(ago(minutes=8)),
    }
    pod["spec"]["nodeName"] = ""
    pod["metadata"]["creationTimestamp"] = ts(ago(minutes=12))
    pod["status"] = {"phase": "Pending", "conditions": [condition]}
    assert about(look(cluster), "pod-unschedulable", "odd").facts["cause"] == cause


def test_evicted() -> None:
    cluster = background()
    pod = pod_of(cluster)
    pod["status"] = {
        "phase": "Failed",
        "reason": "Evicted",
        "message": "The node was low on resource: memory.",
        "startTime": ts(ago(hours=1)),
    }
    pod["status"]["conditions"] = [
        {"type": "DisruptionTarget", "status": "True", "lastTransitionTime": ts(ago(minutes=9))}
    ]
    assert about(look(cluster), "pod-evicted", "odd").facts["resource"] == "memory"


def test_crash_loop_and_its_last_end() -> None:
    cluster = background()
    last = {
        "exitCode": 1,
        "reason": "Error",
        "startedAt": ts(ago(minutes=4)),
        "finishedAt": ts(ago(minutes=3)),
    }
    cluster.waiting(
        pod_of(cluster), "CrashLoopBackOff", "back-off 5m0s", restarts=6, last=last, phase="Running"
    )
    found = about(look(cluster), "pod-crash-looping", "odd")
    assert (found.facts["exit_code"], found.facts["restarts"]) == (1, 6)


def test_a_crash_that_is_over_and_one_oom_kill_of_a_container_that_runs_again() -> None:
    cluster = background()
    cluster.ended(pod_of(cluster), ago(minutes=10), code=3, reason="Error")
    assert about(look(cluster), "pod-restarted", "odd").facts["exit_code"] == 3
    cluster = background()
    cluster.ended(pod_of(cluster), ago(minutes=10), reason="OOMKilled")
    found = about(look(cluster), "pod-oom-killed", "odd")
    assert (found.severity, found.facts["running_again"]) == (Severity.WARNING, True)


@pytest.mark.parametrize(
    ("reason", "rule"),
    [
        *(
            (r, "pod-image-pull-failed")
            for r in ("ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull")
        ),
        ("ImageInspectError", "pod-image-pull-failed"),
        ("CreateContainerConfigError", "pod-container-create-failed"),
        *(
            (r, "pod-container-create-failed")
            for r in ("CreateContainerError", "PreCreateHookError", "PreStartHookError")
        ),
        *((r, "pod-container-create-failed") for r in ("RunContainerError", "PostStartHookError")),
    ],
)
@pytest.mark.parametrize("where", ["containerStatuses", "initContainerStatuses"])
def test_waiting_reasons_of_containers_and_init_containers(
    reason: str, rule: str, where: str
) -> None:
    cluster = background()
    pod = pod_of(cluster)
    pod["metadata"]["creationTimestamp"] = ts(ago(minutes=20))
    cluster.waiting(pod, reason, "it does not work")
    if where == "initContainerStatuses":
        pod["status"][where] = pod["status"].pop("containerStatuses")
        pod["spec"]["initContainers"] = pod["spec"]["containers"]
    assert about(look(cluster), rule, "odd").severity is Severity.WARNING


@pytest.mark.parametrize(
    ("reason", "message", "rule"),
    [
        (
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = x",
            "pod-sandbox-failed",
        ),
        (
            "FailedMount",
            'MountVolume.SetUp failed for volume "v" : secret "token" not found',
            "pod-config-missing",
        ),
        (
            "FailedAttachVolume",
            'Multi-Attach error for volume "pvc-1" Volume is already used by pod(s)',
            "pod-volume-failed",
        ),
    ],
)
def test_containers_that_are_not_created_although_a_later_normal_event_hides_the_cause(
    reason: str, message: str, rule: str
) -> None:
    cluster = background()
    pod = pod_of(cluster)
    pod["metadata"]["creationTimestamp"] = ts(ago(minutes=15))
    cluster.waiting(pod, "ContainerCreating")
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    cluster.event(
        "Pod", "shop", name, reason, message, ago(minutes=2), ago(minutes=14), count=9, uid_=uid
    )
    cluster.event(
        "Pod",
        "shop",
        name,
        "Pulled",
        "Successfully pulled image",
        ago(seconds=20),
        type_="Normal",
        uid_=uid,
    )
    late = cluster.event(
        "Pod", "shop", name, "Scheduled", "assigned", ago(seconds=10), type_="Normal", uid_=uid
    )
    late.update(firstTimestamp=None, lastTimestamp=None, eventTime=ts(ago(seconds=10)))
    assert about(look(cluster), rule, "odd")


def test_a_bare_pod_that_failed_is_a_note_and_the_pod_of_a_job_is_none() -> None:
    cluster = background()
    for owned in (False, True):
        pod = pod_of(cluster)
        ended = {
            "exitCode": 3,
            "reason": "Error",
            "finishedAt": ts(ago(minutes=6)),
            "startedAt": ts(ago(minutes=7)),
        }
        pod["status"] = {
            "phase": "Failed",
            "containerStatuses": [{"name": "app", "state": {"terminated": ended}}],
        }
        if not owned:
            pod["metadata"].pop("ownerReferences")
            pod["metadata"]["name"] = "bare"
    found = one(look(cluster), "pod-failed")
    assert (found.object.name, found.severity, found.facts["exit_code"]) == (
        "bare",
        Severity.INFO,
        3,
    )


def test_not_ready_and_why() -> None:
    cluster = background()
    pod = pod_of(cluster)
    for condition in pod["status"]["conditions"]:
        if condition["type"] == "Ready":
            condition.update(status="False", lastTransitionTime=ts(ago(minutes=7)))
    pod["status"]["containerStatuses"][0]["ready"] = False
    text = (
        'Readiness probe failed: Get "http://10.1.0.9:80/": dial tcp 10.1.0.9:80: connect: '
        "connection refused"
    )
    cluster.event(
        "Pod",
        "shop",
        pod["metadata"]["name"],
        "Unhealthy",
        text,
        ago(seconds=30),
        count=40,
        uid_=pod["metadata"]["uid"],
    )
    assert about(look(cluster), "pod-not-ready", "odd").facts["probe"] == "refused"


# ---- nodes

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


# ---- controllers, network, configuration, storage


def test_short_and_stuck_workloads() -> None:
    cluster = background()
    raw = cluster.deployment("odd", replicas=3)
    stuck = {
        "type": "Progressing",
        "status": "False",
        "reason": "ProgressDeadlineExceeded",
        "lastTransitionTime": ts(ago(minutes=12)),
    }
    raw["status"].update(readyReplicas=1, availableReplicas=1, conditions=[stuck])
    for pod in raw["pods"][1:]:
        cluster.waiting(
            pod,
            "CrashLoopBackOff",
            restarts=9,
            last={"exitCode": 1, "finishedAt": ts(ago(minutes=2))},
            phase="Running",
        )
    rules = {f.rule for f in look(cluster).findings if f.object.name == "odd"}
    assert {"rollout-stuck", "workload-degraded"} <= rules


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_a_change_that_no_controller_has_seen(kind: str) -> None:
    def made(minutes: float, observed: int) -> Report:
        cluster = background()
        raw = cluster.deployment(
            "odd",
            replicas=3,
            kind=kind,
            managedFields=[managed("helm", ago(minutes=minutes), {"f:spec": {}})],
        )
        raw["metadata"]["generation"] = 4
        raw["status"]["observedGeneration"] = observed
        return look(cluster)

    found = one(made(9, 3), "generation-not-observed")
    assert (found.severity, found.since, found.facts["manager"]) == (
        Severity.WARNING,
        ago(minutes=9),
        "helm",
    )
    for minutes, observed in ((2, 3), (9, 4), (9, 0)):  # fresh, seen, and copied without its status
        assert not [
            f for f in made(minutes, observed).findings if f.rule == "generation-not-observed"
        ], (minutes, observed)


def test_a_replica_set_that_cannot_create_also_while_some_of_its_pods_run() -> None:
    cluster = background()
    raw = cluster.deployment("odd", replicas=3)
    name = raw["set"]["metadata"]["name"]
    text = (
        'Error creating: pods "odd-x" is forbidden: exceeded quota: pods, requested: pods=1, '
        "used: pods=9, limited: pods=9"
    )
    cluster.event(
        "ReplicaSet", "shop", name, "FailedCreate", text, ago(minutes=1), ago(minutes=20), count=14
    )
    raw["set"]["status"].update(replicas=2, readyReplicas=2)
    assert (
        next(f for f in look(cluster).findings if f.rule == "create-failed").facts["cause"]
        == "quota"
    )


def test_a_stateful_set_without_its_service() -> None:
    cluster = background()
    service(cluster, "web", "shop", {"app": "web"})
    cluster.deployment("odd", kind="StatefulSet")["spec"]["serviceName"] = "odd-headless"
    assert one(look(cluster), "governing-service-missing").facts["service"] == "odd-headless"


def test_a_job_that_gave_up_and_one_that_was_tried_again() -> None:
    cluster = background()
    failed = {
        "type": "Failed",
        "status": "True",
        "reason": "BackoffLimitExceeded",
        "lastTransitionTime": ts(ago(minutes=8)),
    }
    cluster.add(
        "Job",
        {
            "metadata": meta("gave-up", "shop", ago(minutes=30)),
            "status": {"failed": 7, "conditions": [failed]},
        },
    )
    cluster.add(
        "Job",
        {
            "metadata": meta("retried", "shop", ago(minutes=30)),
            "status": {"failed": 2, "active": 1},
        },
    )
    done = {"type": "Complete", "status": "True", "lastTransitionTime": ts(ago(minutes=8))}
    cluster.add(
        "Job",
        {
            "metadata": meta("done", "shop", ago(minutes=30)),
            "status": {"failed": 2, "succeeded": 1, "conditions": [done]},
        },
    )
    assert one(look(cluster), "job-failed").object.name == "gave-up"


@pytest.mark.parametrize(
    "reason", ["UnparseableSchedule", "TooManyMissedTimes", "UnknownTimeZone", "FailedCreate"]
)
def test_a_schedule_that_does_not_run(reason: str) -> None:
    cluster = background()
    cluster.add(
        "CronJob", {"metadata": meta("nightly", "shop"), "spec": {"schedule": "61 * * * *"}}
    )
    cluster.event("CronJob", "shop", "nightly", reason, "unparseable schedule", ago(minutes=4))
    assert one(look(cluster), "cronjob-missed").facts["reason"] == reason


def hpa(cluster: Cluster, type_: str, status: str, reason: str, replicas: int = 3) -> None:
    condition = {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": "-",
        "lastTransitionTime": ts(ago(minutes=30)),
    }
    spec = {
        "minReplicas": 2,
        "maxReplicas": 10,
        "scaleTargetRef": {"kind": "Deployment", "name": "web"},
    }
    body = {
        "metadata": meta("web", "shop"),
        "spec": spec,
        "status": {"currentReplicas": replicas, "conditions": [condition]},
    }
    cluster.add("HorizontalPodAutoscaler", body)


@pytest.mark.parametrize(
    ("type_", "status", "reason", "rule"),
    [
        ("ScalingActive", "False", "FailedGetResourceMetric", "hpa-cannot-scale"),
        ("AbleToScale", "False", "FailedGetScale", "hpa-cannot-scale"),  # its target is missing
        ("ScalingLimited", "True", "TooManyReplicas", "hpa-maxed"),
        ("ScalingLimited", "True", "TooFewReplicas", ""),  # at its minimum: healthy
        ("ScalingActive", "False", "ScalingDisabled", ""),
    ],
)
def test_autoscalers(type_: str, status: str, reason: str, rule: str) -> None:
    cluster = background()
    hpa(cluster, type_, status, reason)
    assert [f.rule for f in look(cluster).findings] == [rule] * bool(rule)


def test_a_budget_that_blocks() -> None:
    cluster = background()
    status = {"disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 2, "expectedPods": 3}
    cluster.add(
        "PodDisruptionBudget", {"metadata": meta("web", "shop"), "spec": {}, "status": status}
    )
    assert one(look(cluster), "pdb-blocking").facts["healthy"] == 1


def test_services_balancers_and_what_leads_to_them() -> None:
    cluster = background()
    service(cluster, "web", "shop", {"app": "web"}, ready=False)
    service(cluster, "front", "shop", {"app": "api"}, type_="LoadBalancer", address="192.0.2.9")
    cluster.event(
        "Service",
        "shop",
        "front",
        "SyncLoadBalancerFailed",
        "Error syncing load balancer: quota",
        ago(minutes=3),
        count=5,
    )
    cluster.event(
        "Service",
        "shop",
        "front",
        "FailedToUpdateEndpointSlices",
        "Error updating Endpoint Slices",
        ago(minutes=3),
        count=5,
    )
    path = {"path": "/", "backend": {"service": {"name": "gone", "port": {"number": 80}}}}
    rules = [{"host": "a.example", "http": {"paths": [path]}}]
    cluster.add(
        "Ingress",
        {"metadata": meta("a", "shop"), "spec": {"rules": rules, "tls": [{"secretName": "cert"}]}},
    )
    cluster.add("Secret", {"metadata": meta("other", "shop")})
    found = {f.rule for f in look(cluster).findings}
    assert {
        "service-no-endpoints",
        "load-balancer-failed",
        "endpoints-not-updated",
        "ingress-backend-missing",
        "ingress-tls-missing",
    } <= found


def test_one_conflict_over_endpoints_is_no_trouble() -> None:
    cluster = background()
    service(cluster, "web", "shop", {"app": "web"})
    cluster.event(
        "Service",
        "shop",
        "web",
        "FailedToUpdateEndpoint",
        "the object has been modified",
        ago(minutes=3),
    )
    assert look(cluster).findings == ()


def test_claims_and_volumes() -> None:
    cluster = background()
    claim = {
        "metadata": meta("data", "shop", ago(minutes=20)),
        "spec": {"storageClassName": "none"},
        "status": {"phase": "Pending"},
    }
    cluster.add("PersistentVolumeClaim", claim)
    text = 'storageclass.storage.k8s.io "none" not found'
    cluster.event(
        "PersistentVolumeClaim",
        "shop",
        "data",
        "ProvisioningFailed",
        text,
        ago(minutes=1),
        ago(minutes=19),
        count=60,
    )
    cluster.add(
        "PersistentVolume",
        {"metadata": meta("pv-1"), "status": {"phase": "Failed", "message": "cannot be deleted"}},
    )
    cluster.add(
        "PersistentVolume", {"metadata": meta("pv-2"), "status": {"phase": "Released"}}
    )  # how Retain ends
    found = {f.rule: f.object.name for f in look(cluster).findings}
    assert found == {"claim-pending": "data", "volume-failed": "pv-1"}


# ---- 1.3: what none of the tools sees


def test_which_services_die_with_a_node() -> None:
    cluster = background()
    raw = cluster.deployment("odd", replicas=3)
    for pod in raw["pods"]:
        pod["spec"]["nodeName"] = "n1"
    service(cluster, "odd", "shop", {"app": "odd"})
    found = one(look(cluster), "replicas-on-one-node")
    assert (found.facts["node"], found.facts["replicas"]) == ("n1", 3)


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


# ---- errors of others that must not be repeated


def healthy(change: Callable[[Cluster], None]) -> list[str]:
    cluster = background()
    change(cluster)
    return [f.claim for f in look(cluster).findings if f.severity is not Severity.INFO]


def test_succeeded_pods_are_healthy() -> None:
    def change(cluster: Cluster) -> None:
        pod = pod_of(cluster)
        cluster.waiting(pod, "Completed")
        pod["metadata"]["ownerReferences"][0]["kind"] = "Job"
        pod["status"].update(phase="Succeeded")
        pod["status"]["containerStatuses"][0]["state"] = {
            "terminated": {"exitCode": 0, "reason": "Completed"}
        }

    assert [c for c in healthy(change) if "odd" in c] == []


def test_settled_restarts_are_history() -> None:
    assert (
        healthy(
            lambda cluster: cluster.ended(
                pod_of(cluster), ago(hours=5), reason="OOMKilled", restarts=40
            )
        )
        == []
    )
