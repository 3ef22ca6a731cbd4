"""Every attribute that failing pods may share, every kind of change before it, and every kind of
dependant: each is seen by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cluster.kube.kinds import BY_NAME
from cluster.kube.objects import Pod, Ref
from cluster.live.store import StoreUpdate
from cluster.statistics import holm
from tests.triage.build import NOW, Cluster, ago, managed, meta, row, ts
from tests.triage.situation import background, service
from triage.cohorts.cohort import ALPHA, of_pods
from triage.cohorts.healthy import HealthyCounts
from triage.engine import Triage, triage_once
from triage.facts import blast_radius as blast
from triage.facts.cluster_view import ClusterView
from triage.facts.cooperative import run
from triage.facts.events import EventMemory
from triage.facts.finding import ChangeFact, SharedAttribute
from triage.facts.population import load

BAD = 6


def shared(cluster: Cluster, bad: list[dict[str, Any]]) -> dict[str, SharedAttribute]:
    """What the pods `bad` share against all others, by attribute."""
    store = cluster.store()
    pods = [store.get("Pod", raw["metadata"]["namespace"], raw["metadata"]["name"]) for raw in bad]
    view = ClusterView(store, EventMemory(), NOW, {}, None)
    healthy = HealthyCounts(load(store))
    run(healthy.take((), view))
    found = run(of_pods([p for p in pods if isinstance(p, Pod)], healthy, view, limit=40))
    assert all(one.p_value < ALPHA for one in found)
    return {one.what: one for one in found}


def scattered(cluster: Cluster) -> list[dict[str, Any]]:
    """Six pods of six owners, namespaces mixed, on six nodes: nothing in common."""
    chosen: dict[str, dict[str, Any]] = {}
    nodes: set[str] = set()
    for kind, raw in cluster.raw:
        if kind != "Pod":
            continue
        owner, node = (
            f"{raw['metadata']['namespace']}/{raw['metadata']['labels']['app']}",
            raw["spec"]["nodeName"],
        )
        if owner not in chosen and node not in nodes:
            chosen[owner] = raw
            nodes.add(node)
    return list(chosen.values())[:BAD]


def on_node(cluster: Cluster, bad: list[dict[str, Any]], value: str) -> str:
    for raw in bad:
        raw["spec"]["nodeName"] = "n1"
    return "n1"


def of_node(path: str, label: str = "") -> Any:
    def change(cluster: Cluster, bad: list[dict[str, Any]], value: str) -> str:
        names = {raw["spec"]["nodeName"] for raw in bad[:2]}
        for raw in bad:
            raw["spec"]["nodeName"] = sorted(names)[raw is bad[0]]
        for node in cluster.nodes:
            if node["metadata"]["name"] in names:
                if label:
                    node["metadata"]["labels"][label] = value
                else:
                    node["status"]["nodeInfo"][path] = value
        return value

    return change


def in_spec(name: str, value_of: Any = lambda value: value) -> Any:
    def change(cluster: Cluster, bad: list[dict[str, Any]], value: str) -> str:
        for raw in bad:
            raw["spec"][name] = value_of(value)
        return value

    return change


def digest(cluster: Cluster, bad: list[dict[str, Any]], value: str) -> str:
    for raw in bad:
        raw["status"]["containerStatuses"][0]["imageID"] = f"registry.example/app@sha256:{value}"
    return f"sha256:{value}"


def of_owner(cluster: Cluster, bad: list[dict[str, Any]], value: str) -> str:
    bad[:] = cluster.deployment(value, "shop", replicas=BAD)["pods"]
    return f"Deployment shop/{value}"


def in_namespace(cluster: Cluster, bad: list[dict[str, Any]], value: str) -> str:
    bad[:] = [
        pod for n in range(3) for pod in cluster.deployment(f"w{n}", value, replicas=2)["pods"]
    ]
    return value


def account(cluster: Cluster, bad: list[dict[str, Any]], value: str) -> str:
    bad[:] = [
        pod for n in range(3) for pod in cluster.deployment(f"w{n}", "shop", replicas=2)["pods"]
    ]
    for raw in bad:
        raw["spec"]["serviceAccountName"] = value
    return f"shop/{value}"


def driver(cluster: Cluster, bad: list[dict[str, Any]], value: str) -> str:
    for number, raw in enumerate(bad):
        name, namespace = f"data-{number}", raw["metadata"]["namespace"]
        raw["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]
        claim = {
            "metadata": meta(name, namespace),
            "spec": {"volumeName": f"pv-{number}"},
            "status": {"phase": "Bound"},
        }
        cluster.add("PersistentVolumeClaim", claim)
        volume = {
            "metadata": meta(f"pv-{number}"),
            "spec": {"csi": {"driver": value, "volumeHandle": "v"}},
            "status": {"phase": "Bound"},
        }
        cluster.add("PersistentVolume", volume)
    return value


def young(cluster: Cluster, bad: list[dict[str, Any]], value: str) -> str:
    for raw in bad:
        raw["metadata"]["creationTimestamp"] = ts(ago(minutes=20))
    return ago(minutes=20).isoformat()


@pytest.mark.parametrize(
    ("what", "change", "value"),
    [
        ("node", on_node, ""),
        ("zone", of_node("", "topology.kubernetes.io/zone"), "z9"),
        ("instance type", of_node("", "node.kubernetes.io/instance-type"), "t3.small"),
        ("kubelet version", of_node("kubeletVersion"), "v1.34.1"),
        ("kernel version", of_node("kernelVersion"), "6.8.0"),
        ("container runtime", of_node("containerRuntimeVersion"), "containerd://2.1.0"),
        (
            "image",
            in_spec("containers", lambda value: [{"name": "app", "image": value}]),
            "registry.example/base:9",
        ),
        ("image digest", digest, "cd" * 32),
        ("owner", of_owner, "cart"),
        ("namespace", in_namespace, "lab"),
        ("service account", account, "reader"),
        ("priority class", in_spec("priorityClassName"), "batch"),
        ("volume driver", driver, "ebs.csi.aws.com"),
        ("created after", young, ""),
    ],
)
def test_each_attribute_is_found_and_counted(what: str, change: Any, value: str) -> None:
    cluster = background()
    bad = scattered(cluster)
    assert len(bad) == BAD
    assert shared(cluster, bad) == {}, "they had nothing in common"
    told = change(cluster, bad, value)
    found = shared(cluster, bad)
    total = sum(1 for kind, _ in cluster.raw if kind == "Pod")
    assert what in found, sorted(found)
    assert (found[what].value, found[what].inside, found[what].outside[1]) == (
        told,
        (BAD, BAD),
        total - BAD,
    )
    assert found[what].outside[0] * 2 <= found[what].outside[1], "fewer of the healthy ones have it"


def test_the_more_attributes_are_tried_the_more_it_takes() -> None:
    assert holm([0.02]) == [0.02]
    assert holm([0.02, 0.5, 0.6])[0] == pytest.approx(0.06)


def test_what_the_data_cannot_tell_apart_is_said() -> None:
    cluster = background()
    bad = scattered(cluster)
    in_spec("priorityClassName")(cluster, bad, "batch")
    digest(cluster, bad, "cd" * 32)
    found = shared(cluster, bad)
    assert "image digest sha256:cdcdcdcd" in found["priority class"].tied_with
    assert "priority class batch" in found["image digest"].tied_with


# ---- changes


def changes(cluster: Cluster) -> list[ChangeFact]:
    return list(triage_once(cluster.store(), NOW, {}).changes)


@pytest.mark.parametrize(
    ("kind", "rule", "fields"),
    [
        ("NetworkPolicy", "policy-edited", {"f:spec": {}}),
        ("ValidatingWebhookConfiguration", "webhook-edited", {"f:webhooks": {}}),
        ("MutatingWebhookConfiguration", "webhook-edited", {"f:webhooks": {}}),
        ("CustomResourceDefinition", "crd-edited", {"f:spec": {}}),
        ("ClusterRole", "rbac-edited", {"f:rules": {}}),
        ("ClusterRoleBinding", "rbac-edited", {"f:subjects": {}}),
        ("Ingress", "ingress-edited", {"f:spec": {}}),
        ("Service", "service-edited", {"f:spec": {}}),
        ("HorizontalPodAutoscaler", "autoscaler-edited", {"f:spec": {}}),
        ("CronJob", "cronjob-edited", {"f:spec": {}}),
        ("Secret", "secret-written", {"f:data": {"f:token": {}}}),
        ("ConfigMap", "configmap-written", {"f:data": {"f:Corefile": {}}}),
    ],
)
def test_an_edit_says_who_and_when(kind: str, rule: str, fields: dict[str, Any]) -> None:
    cluster = Cluster(3)
    namespace = "shop" if BY_NAME[kind].namespaced else ""
    cluster.add(
        kind,
        {
            "metadata": meta(
                "one", namespace, managedFields=[managed("kubectl-edit", ago(minutes=11), fields)]
            )
        },
    )
    (told,) = [c for c in changes(cluster) if c.rule == rule and c.at > ago(days=1)]
    assert (told.object, told.manager, told.at) == (
        Ref(kind, namespace, "one"),
        "kubectl-edit",
        ago(minutes=11),
    )


def test_a_node_that_joined_and_one_that_was_drained() -> None:
    cluster = background()
    cluster.node("n99", kubelet="v1.34.1", created=ago(minutes=15))
    for name in ("n1", "n2"):
        node = next(n for n in cluster.nodes if n["metadata"]["name"] == name)
        taint = {
            "key": "node.kubernetes.io/unschedulable",
            "effect": "NoSchedule",
            "timeAdded": ts(ago(minutes=8)),
        }
        node["spec"] = {"unschedulable": True, "taints": [taint]}
    for pod in [r for k, r in cluster.raw if k == "Pod" and r["spec"]["nodeName"] == "n1"]:
        pod["spec"]["nodeName"] = "n3"
    told = {c.what: c for c in changes(cluster) if c.at > ago(hours=1)}
    assert "node n99 joined (kubelet v1.34.1)" in told
    assert {"node n1 cordoned and drained", "node n2 cordoned"} <= set(told)
    assert told["node n1 cordoned and drained"].facts["drained"] is True


def test_a_kubelet_that_was_upgraded_in_place() -> None:
    cluster = Cluster(3)
    store = cluster.store()
    clock = [NOW]
    engine = Triage(lambda: clock[0])
    engine.update(
        [StoreUpdate("Node", key, None, node) for key, node in store.rows("Node").items()], store
    )
    cluster.nodes[0]["status"]["nodeInfo"]["kubeletVersion"] = "v1.34.0"
    new = row("Node", cluster.nodes[0])
    old = store.get("Node", "", "n1")
    clock[0] = NOW + timedelta(minutes=3)
    store.apply("Node", [new])
    engine.update([StoreUpdate("Node", ("", "n1"), old, new)], store)
    told = [c for c in engine.report(clock[0], store, {}).changes if c.rule == "node-version"]
    assert [(c.what, c.at) for c in told] == [
        ("kubelet version of n1: v1.33.2 -> v1.34.0", clock[0])
    ]


# ---- what depends on it


def test_each_kind_of_dependant_is_named() -> None:
    cluster = background()
    raw = cluster.deployment("cart", "shop", replicas=1)
    pod = raw["pods"][0]
    pod["spec"]["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "cart-data"}}]
    cluster.waiting(pod, "CrashLoopBackOff", restarts=4, phase="Running")
    service(cluster, "cart", "shop", {"app": "cart"}, ready=False)
    path = {"path": "/", "backend": {"service": {"name": "cart", "port": {"number": 80}}}}
    cluster.add(
        "Ingress",
        {
            "metadata": meta("cart", "shop"),
            "spec": {"rules": [{"host": "cart.example", "http": {"paths": [path]}}]},
        },
    )
    spec = {"selector": {"matchLabels": {"app": "cart"}}}
    cluster.add(
        "PodDisruptionBudget",
        {"metadata": meta("cart", "shop"), "spec": spec, "status": {"disruptionsAllowed": 0}},
    )
    view = ClusterView(cluster.store(), EventMemory(), NOW, {}, None)
    told = {
        d.object.kind: d.why
        for d in blast.dependants((Ref("Pod", "shop", pod["metadata"]["name"]),), view)
    }
    assert told == {
        "Service": "no ready endpoint, Ingress hosts cart.example",
        "Deployment": "its only replica is not ready",
        "PodDisruptionBudget": "allows no eviction now",
        "PersistentVolumeClaim": f"used by {pod['metadata']['name']}",
    }
