"""Pods that no node takes: which node decides, and a machine which the provider does not have."""

from __future__ import annotations

import pytest

from tests.triage.build import Cluster, ago
from tests.triage.situation import about, background, look, pending

MASTER = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
DEDICATED = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
REFUSED = (
    "NodeClaim gpu-x2vkp event: creating instance, insufficient capacity: We currently do not have "
    "sufficient g5.xlarge capacity in the Availability Zone you requested"
)
NO_NODE = "0/9 nodes are available: 9 node(s) didn't match Pod's node affinity/selector."


@pytest.mark.parametrize(
    ("pool", "nominated", "minutes", "cause"),
    [
        ("gpu", "", 10, "no-machine"),
        ("", "gpu-x2vkp", 10, "no-machine"),
        ("gpu-spot", "", 10, "affinity"),  # of another node pool
        ("gpu", "", 90, "affinity"),  # long ago
    ],
)
def test_a_provider_without_machines_is_the_cause(
    pool: str, nominated: str, minutes: int, cause: str
) -> None:
    cluster = background()
    pod = pending(cluster, "train", since=ago(minutes=30))
    pod["status"]["conditions"][0]["message"] = NO_NODE
    pod["spec"]["nodeSelector"] = {"karpenter.sh/nodepool": pool} if pool else {"gpu": "yes"}
    if nominated:
        said = f"Pod should schedule on: nodeclaim/{nominated}"
        cluster.pod_event(pod, "Nominated", said, ago(minutes=29))
    at = ago(minutes=minutes)
    cluster.event("NodeClaim", "", "gpu-x2vkp", "InsufficientCapacityError", REFUSED, at)
    finding = about(look(cluster), "pod-unschedulable", "train")
    assert finding.facts["cause"] == cause
    assert ("g5.xlarge" in finding.claim) is (cause == "no-machine")


@pytest.mark.parametrize(
    ("keyed", "masters", "said"),
    [
        (True, 3, "insufficient cpu on 2 of 2 nodes, beside 3 of the control plane"),
        (False, 3, "insufficient cpu on 2 of 2 nodes, beside 3 of the control plane"),
        (False, 0, "untolerated taint dedicated=db on 3, insufficient cpu on 2 of 5 nodes"),
    ],
)
def test_what_could_take_the_pod_is_counted(keyed: bool, masters: int, said: str) -> None:
    cluster = Cluster(5)
    for number in range(3):
        cluster.nodes[number]["spec"]["taints"] = [MASTER if number < masters else DEDICATED]
    pod = pending(cluster, "web", since=ago(minutes=30))
    taint = f"taint {{{MASTER['key']}: }}" if keyed else "taint(s)"
    message = f"0/5 nodes are available: 2 Insufficient cpu, 3 node(s) had untolerated {taint}."
    pod["status"]["conditions"][0]["message"] = message
    assert f"not scheduled: {said}" in about(look(cluster), "pod-unschedulable", "web").claim


def agent(cluster: Cluster, node: str, message: str) -> None:
    """A pod of a DaemonSet, made for that node and pending."""
    pod = pending(cluster, "agent", since=ago(minutes=30))
    fields = [{"key": "metadata.name", "operator": "In", "values": [node]}]
    terms = {"nodeSelectorTerms": [{"matchFields": fields}]}
    pod["spec"]["affinity"] = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}
    }
    pod["status"]["conditions"][0]["message"] = message


@pytest.mark.parametrize(
    ("node", "own", "cause"),
    [
        ("n2", "1 Insufficient memory, 6 node(s) had untolerated taint {dedicated: db}", "memory"),
        ("n2", "1 Insufficient memory, 6 node(s) were unschedulable", "memory"),
        ("n1", "1 Insufficient memory, 6 node(s) had untolerated taint {dedicated: db}", "taint"),
        ("n2", "7 node(s) had untolerated taint {dedicated: db}", "taint"),  # alone it stands
    ],
)
def test_the_node_of_a_daemonset_pod_decides(node: str, own: str, cause: str) -> None:
    cluster = background()
    cluster.nodes[0]["spec"]["taints"] = [DEDICATED]
    others = "2 node(s) didn't satisfy plugin(s) [NodeAffinity]"
    agent(cluster, node, f"0/9 nodes are available: {own}, {others}. preemption: x")
    finding = about(look(cluster), "pod-unschedulable", "agent")
    assert str(finding.facts["cause"]).endswith(cause)
    assert f"(it is for {node} alone)" in finding.claim
