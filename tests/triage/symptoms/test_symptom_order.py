"""The first line is the incident: new and wide above old and small; one cause is one symptom."""

from __future__ import annotations

from typing import Any

import pytest

from tests.triage.build import Cluster, ago, managed, meta, ts
from tests.triage.situation import background, look, old_crash_loop, service
from triage.facts.finding import Severity


def loud(cluster: Cluster) -> list[str]:
    return [s.title for s in look(cluster).symptoms if s.severity is not Severity.INFO]


def condition(node: dict[str, Any], type_: str, minutes: float, message: str = "") -> None:
    node["status"]["conditions"].append(
        {
            "type": type_,
            "status": "True",
            "reason": "x",
            "message": message,
            "lastTransitionTime": ts(ago(minutes=minutes)),
        }
    )


def test_a_disk_that_filled_now_stands_above_a_test_pod_that_has_crashed_for_days() -> None:
    cluster = background()
    old_crash_loop(cluster, "experiment", 6)
    condition(cluster.nodes[3], "DiskPressure", 27)
    cluster.nodes[3]["status"]["conditions"][1]["status"] = "False"
    titles = loud(cluster)
    assert "disk pressure" in titles[0]
    assert "experiment" in titles[-1]


def test_what_goes_on_stands_above_what_has_recovered() -> None:
    cluster = background()
    dns = cluster.deployment("names", "kube-system", replicas=2, image="mirror/coredns:1.11")
    service(cluster, "resolver", "kube-system", {"app": "names"}, port=53)
    for pod in dns["pods"]:
        cluster.ended(pod, ago(minutes=14), reason="OOMKilled", restarts=2)
    condition(cluster.nodes[3], "DiskPressure", 200)
    titles = loud(cluster)
    assert "disk pressure" in titles[0]
    assert "DNS" in titles[1]


def scaled_to_zero(cluster: Cluster, name: str, minutes: float, manager: str = "kubectl") -> None:
    """A workload without a caller, behind a Service."""
    work = cluster.deployment(name, "shop", replicas=0, created=ago(days=30))
    work["metadata"]["managedFields"] = [
        managed(manager, ago(minutes=minutes), {"f:spec": {"f:replicas": {}}}, "scale")
    ]
    service(cluster, name, "shop", {"app": name})


def test_what_was_scaled_to_zero_now_stands_between_new_troubles_and_those_of_days() -> None:
    cluster = background()
    old_crash_loop(cluster, "experiment", 6)
    scaled_to_zero(cluster, "ledger", 30)
    scaled_to_zero(cluster, "attic", 60 * 9)
    symptoms = look(cluster).symptoms
    assert ["ledger" in s.title for s in symptoms] == [True, False, False]
    assert ["experiment" in s.title for s in symptoms] == [False, True, False]
    assert symptoms[0].severity is Severity.INFO
    condition(cluster.nodes[3], "DiskPressure", 27)
    cluster.nodes[3]["status"]["conditions"][1]["status"] = "False"
    order = [s.title for s in look(cluster).symptoms]
    assert "disk pressure" in order[0]
    assert "ledger" in order[1]


def test_many_that_were_scaled_to_zero_now_are_one_line() -> None:
    cluster = background()
    old_crash_loop(cluster, "experiment", 6)
    for number in range(12):
        scaled_to_zero(cluster, f"ledger{number}", 30)
    assert ["ledger" in s.title for s in look(cluster).symptoms] == [True, False]


@pytest.mark.parametrize(
    ("minutes", "manager"),
    [(30, "keda-operator"), (30, "kube-downscaler"), (30, "stanch"), (60 * 5, "kubectl")],
)
def test_what_is_idle_at_zero_stays_below(minutes: float, manager: str) -> None:
    """Scaled by a rule, by the responder, or hours ago."""
    cluster = background()
    old_crash_loop(cluster, "experiment", 6)
    scaled_to_zero(cluster, "ledger", minutes, manager)
    assert "experiment" in look(cluster).symptoms[0].title
    assert len(loud(cluster)) == 1


def test_a_job_that_gave_up_hours_ago_stands_above_a_crash_of_days() -> None:
    cluster = background()
    old_crash_loop(cluster, "experiment", 6)
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
    cluster.add(
        "Job",
        {
            "metadata": meta("nightly", "shop", created=ago(hours=4)),
            "spec": {"template": {"metadata": {}, "spec": {"containers": []}}},
            "status": {"conditions": [{**failed, "lastTransitionTime": ts(ago(hours=3))}]},
        },
    )
    titles = [s.title for s in look(cluster).symptoms]
    assert "nightly" in titles[0]
    assert "experiment" in titles[1]


def test_critical_stands_above_warnings_of_the_same_age() -> None:
    cluster = background()
    condition(cluster.nodes[3], "DiskPressure", 20)
    cluster.not_ready(cluster.nodes[4], ago(minutes=20))
    symptoms = [s for s in look(cluster).symptoms if s.severity is not Severity.INFO]
    assert [s.severity for s in symptoms] == sorted(
        (s.severity for s in symptoms), key=lambda s: s.rank
    )
    assert {s.severity for s in symptoms} == {Severity.CRITICAL, Severity.WARNING}


def test_nodes_that_flap_alike_and_share_their_image_are_one_symptom_that_names_it() -> None:
    cluster = background(12)
    for node in cluster.nodes[:3]:
        node["status"]["nodeInfo"].update(kernelVersion="6.8.0-bad", osImage="Linux 2")
        for reason in ("NodeNotReady", "NodeReady"):
            cluster.event(
                "Node",
                "",
                node["metadata"]["name"],
                reason,
                "x",
                ago(minutes=3),
                ago(minutes=50),
                count=4,
            )
    symptoms = [s for s in look(cluster).symptoms if s.severity is not Severity.INFO]
    assert len(symptoms) == 1, [s.title for s in symptoms]
    shared = {(one.what, one.value) for one in symptoms[0].shared}
    assert {("kernel version", "6.8.0-bad"), ("os image", "Linux 2")} <= shared


def test_completed_init_containers_after_a_deploy_are_no_ends_together() -> None:
    cluster = background()
    for number in range(6):
        work = cluster.deployment(f"mesh{number}", "shop", replicas=1, created=ago(minutes=10))
        pod = work["pods"][0]
        pod["spec"]["nodeName"] = "n1"
        pod["status"]["initContainerStatuses"] = [
            {
                "name": "istio-init",
                "ready": True,
                "restartCount": 0,
                "state": {
                    "terminated": {
                        "exitCode": 0,
                        "reason": "Completed",
                        "startedAt": ts(ago(minutes=10)),
                        "finishedAt": ts(ago(minutes=9, seconds=50)),
                    }
                },
            }
        ]
    assert not [f for f in look(cluster).findings if f.rule == "restarts-together-on-node"]


def test_nodes_that_were_powered_on_at_once_did_not_fail_in_turn() -> None:
    cluster = background()
    for node in cluster.nodes[:5]:
        name = node["metadata"]["name"]
        cluster.event(
            "Node",
            "",
            name,
            "Rebooted",
            f"Node {name} has been rebooted, boot id: x",
            ago(minutes=20),
        )
    assert not [f for f in look(cluster).findings if f.rule == "nodes-failing-in-turn"]


def test_one_change_of_a_leader_is_no_news_however_old_its_event() -> None:
    cluster = background()
    cluster.event(
        "Lease",
        "kube-system",
        "kube-scheduler",
        "LeaderElection",
        "cp-1 became leader",
        ago(minutes=5),
        ago(days=9),
        count=6,
        type_="Normal",
    )
    assert not [f for f in look(cluster).findings if f.rule == "leader-changes"]


def restarted_scheduler() -> Cluster:
    cluster = background()
    for number in range(4):
        cluster.event(
            "Lease",
            "kube-system",
            "kube-scheduler",
            "LeaderElection",
            f"cp-1_{number} became leader",
            ago(minutes=5 + 10 * number),
            type_="Normal",
        )
    return cluster


def test_what_a_scheduler_leaves_undone_stands_above_its_changes_of_leader() -> None:
    cluster = restarted_scheduler()
    assert look(cluster).symptoms[0].severity is Severity.WARNING
    waiting = cluster.deployment("shop", "shop", replicas=1, created=ago(seconds=90))["pods"][0]
    waiting["spec"].pop("nodeName")
    waiting["status"] = {"phase": "Pending"}
    first = look(cluster).symptoms[0]
    assert {f.rule for f in first.findings} >= {"pod-not-scheduled"}
    [leader] = (f for f in look(cluster).findings if f.rule == "leader-changes")
    assert leader.severity is Severity.INFO


def test_messages_about_pods_that_are_gone_do_not_rank() -> None:
    cluster = background()
    for number in range(6):
        cluster.event(
            "Pod",
            "shop",
            f"gone-{number}",
            "FailedMount",
            "etcdserver: request timed out",
            ago(minutes=25 + number),
        )
    assert not [f for f in look(cluster).findings if f.rule == "etcd-errors-in-messages"]


def test_a_service_account_that_does_not_exist_is_said() -> None:
    cluster = background()
    work = cluster.deployment("robot", "shop", replicas=1, created=ago(hours=2))
    work["set"]["status"].update(replicas=0, readyReplicas=0)
    work["status"].update(replicas=0, readyReplicas=0)
    cluster.raw = [(k, r) for k, r in cluster.raw if r is not work["pods"][0]]
    cluster.event(
        "ReplicaSet",
        "shop",
        work["set"]["metadata"]["name"],
        "FailedCreate",
        'Error creating: pods "robot-" is forbidden: error looking up service account shop/robot: '
        'serviceaccount "robot" not found',
        ago(minutes=1),
        ago(minutes=50),
        count=17,
    )
    assert "ServiceAccount robot does not exist" in "\n".join(loud(cluster))


def test_a_cluster_that_was_switched_on_has_no_node_that_failed() -> None:
    """Its nodes come up over some minutes, and every container of them has ended with 255."""
    cluster = background(4)
    for number, node in enumerate(cluster.nodes):
        name = node["metadata"]["name"]
        message = f"Node {name} has been rebooted, boot id: x"
        cluster.event("Node", "", name, "Rebooted", message, ago(minutes=20 - 2 * number))
    for kind, raw in cluster.raw:
        if kind == "Pod":
            cluster.ended(raw, ago(minutes=20), code=255, reason="Unknown")
    assert not {f.rule for f in look(cluster).findings if f.severity is not Severity.INFO} & {
        "nodes-failing-in-turn",
        "node-rebooted",
        "restarts-together-on-node",
    }


def test_new_sandboxes_of_pods_that_are_gone_do_not_speak_against_their_node() -> None:
    cluster = background()
    for number in range(6):
        cluster.event(
            "Pod",
            "shop",
            f"gone-{number}",
            "SandboxChanged",
            "Pod sandbox changed, it will be killed and re-created.",
            ago(minutes=25),
            type_="Normal",
            source={"host": "n1", "component": "kubelet"},
        )
    assert not [f for f in look(cluster).findings if f.rule == "sandboxes-recreated-on-node"]
