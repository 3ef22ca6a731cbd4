"""A pod with a node selector or an affinity: what keeps it off the nodes that it asks for decides,
and not what most nodes lack."""

from __future__ import annotations

from typing import Any

import pytest

from tests.triage.build import Cluster, ago
from tests.triage.situation import MATCHER, background, first, found, look, pending

NVME = {"nodeSelector": {"disk": "nvme"}}
TAINT = [{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]
MOST = "0/6 nodes are available: 1 node(s) {}, 5 node(s) didn't match Pod's node affinity/selector."
TAINTED = MOST.format("had untolerated taint {dedicated: db}")


def asks(cluster: Cluster, said: str, **spec: Any) -> None:
    pod = pending(cluster, "db-0", since=ago(minutes=20))
    pod["spec"].update(spec)
    pod["status"]["conditions"][0]["message"] = said


def affinity(key: str, operator: str, *values: str) -> dict[str, Any]:
    each = {"key": key, "operator": operator, **({"values": list(values)} if values else {})}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [each]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def sure(cluster: Cluster) -> list[str]:
    report = look(cluster)
    return [m.id for m in MATCHER.match_symptom(report.symptoms[0], report) if m.confident]


def test_the_taint_of_the_only_node_that_it_asks_for_decides() -> None:
    cluster = background()
    name = cluster.nodes[2]["metadata"]["name"]
    cluster.nodes[2]["metadata"]["labels"]["disk"] = "nvme"
    cluster.nodes[2]["spec"]["taints"] = TAINT
    asks(cluster, TAINTED, **NVME)
    where = f"on {name}, the only node with disk=nvme"
    assert first(cluster) == f"db-0 is pending: untolerated taint dedicated=db {where}"
    assert sure(cluster) == ["taint-not-tolerated"]
    asks(cluster, TAINTED, **NVME, tolerations=[{"key": "dedicated", "value": "web"}])
    [finding] = found(cluster, "pod-unschedulable")
    assert finding.facts["detail"] == f"dedicated=db (it tolerates dedicated=web) {where}"


def test_the_cordon_of_the_only_node_that_it_asks_for_decides() -> None:
    cluster = background()
    cluster.nodes[2]["metadata"]["labels"]["disk"] = "nvme"
    cluster.nodes[2]["spec"]["unschedulable"] = True
    asks(cluster, MOST.format("were unschedulable"), affinity=affinity("disk", "In", "nvme"))
    name = cluster.nodes[2]["metadata"]["name"]
    said = f"nodes are cordoned: {name}, the only node with disk in (nvme)"
    assert first(cluster) == f"db-0 is pending: {said}"
    assert sure(cluster) == ["taint-not-tolerated"]


def test_a_label_that_no_node_has_decides_though_most_nodes_are_tainted() -> None:
    """Without the taints no node would take it either."""
    cluster = background()
    for node in cluster.nodes[:5]:
        node["spec"]["taints"] = TAINT
    cluster.nodes[5]["metadata"]["labels"]["d-isk"] = "nvme"
    asks(
        cluster,
        "0/6 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, "
        "5 node(s) had untolerated taint {dedicated: db}.",
        **NVME,
    )
    said = "node affinity or selector: no node has disk=nvme, 1 has d-isk=nvme"
    assert first(cluster) == f"db-0 is pending: {said}"
    assert sure(cluster) == ["node-selector-unmet"]


def test_a_node_that_it_asks_for_and_that_is_well_lacks_something_else() -> None:
    cluster = background()
    cluster.nodes[2]["metadata"]["labels"]["disk"] = "nvme"
    asks(cluster, MOST.format("Insufficient memory").replace(" node(s) I", " I"), **NVME)
    assert "insufficient memory" in first(cluster)
    assert sure(cluster) == ["not-enough-capacity"]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (("tier", "NotIn", "old"), "every node has tier=old, which it excludes"),
        (("tier", "DoesNotExist"), "every node has label tier, which it excludes"),
        (("tier", "In", "new", "next"), "no node has tier in (new, next), 9 have tier=old"),
        (("rack", "Exists"), "no node has label rack"),
        (("cores", "Gt", "8"), "no node has cores > 8"),
    ],
)
def test_a_term_that_no_node_meets_is_named(rule: tuple[str, ...], said: str) -> None:
    cluster = background()
    for node in cluster.nodes:
        node["metadata"]["labels"] |= {"tier": "old", "cores": "4"}
    message = "0/6 nodes are available: 6 node(s) didn't match Pod's node affinity/selector."
    asks(cluster, message, affinity=affinity(*rule))
    assert first(cluster) == f"db-0 is pending: node affinity or selector: {said}"


@pytest.mark.parametrize("role", ["node-role.kubernetes.io/control-plane", "kubernetes.io/role"])
def test_a_cordoned_master_is_no_node_that_a_workload_asks_for(role: str) -> None:
    """`NotIn` also holds where the label is missing: on the nodes of the control plane."""
    cluster = background()
    for node in cluster.nodes[1:]:
        node["metadata"]["labels"]["tier"] = "old"
    cluster.nodes[0]["metadata"]["labels"][role] = "master"
    cluster.nodes[0]["spec"]["unschedulable"] = True
    said = MOST.format("were unschedulable")
    asks(cluster, said, affinity=affinity("tier", "NotIn", "old"))
    assert "every node has tier=old, which it excludes" in first(cluster)
    assert sure(cluster) == ["node-selector-unmet"]
    asks(cluster, said, nodeSelector={role: "master"})
    assert "nodes are cordoned" in first(cluster)


def test_anti_affinity_names_the_pods_of_its_expressions() -> None:
    cluster = background()
    each = {"key": "app", "operator": "In", "values": ["db"]}
    term = {
        "labelSelector": {"matchExpressions": [each]},
        "topologyKey": "kubernetes.io/hostname",
    }
    rule = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    said = "0/6 nodes are available: 6 node(s) didn't match pod anti-affinity rules."
    asks(cluster, said, affinity=rule)
    assert "pods with app=db, one for each kubernetes.io/hostname" in first(cluster)
