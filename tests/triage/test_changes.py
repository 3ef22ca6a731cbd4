"""What changed, from the API alone; and what depends on what fails."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from cluster.kube.managed_fields import data_keys
from cluster.kube.objects import ObjectMeta, Ref
from cluster.live.freshness import Freshness, WatchState
from cluster.live.store import Store, StoreUpdate
from tests.triage.build import NOW, Cluster, ago, managed, meta, row, ts
from triage.engine import Triage, triage_once
from triage.facts.finding import ChangeFact


def changes(cluster: Cluster, rule: str) -> list[ChangeFact]:
    return [c for c in triage_once(cluster.store(), NOW, {}).changes if c.rule == rule]


def test_a_rollout_says_which_image_became_which_and_who_did_it() -> None:
    cluster = Cluster(3)
    raw = cluster.deployment(
        "web",
        managedFields=[
            managed("helm", ago(minutes=20), {"f:spec": {"f:template": {"f:spec": {}}}})
        ],
    )
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "app", "image": "registry.example:5000/app:1.3"}]},
    }
    cluster.add(
        "ReplicaSet",
        {
            "metadata": meta("web-new", "shop", created=ago(minutes=20), owner=("Deployment", raw)),
            "spec": {"replicas": 3, "template": template},
        },
    )
    (found,) = changes(cluster, "rollout")
    assert (found.at, found.object, found.manager) == (
        ago(minutes=20),
        Ref("Deployment", "shop", "web"),
        "helm",
    )
    assert (found.facts["image_from"], found.facts["image_to"]) == (
        "registry.example:5000/app:1.2",
        "registry.example:5000/app:1.3",
    )


@pytest.mark.parametrize("seconds", [0, 2])
def test_what_a_controller_notes_at_once_does_not_make_it_the_creator(seconds: int) -> None:
    cluster = Cluster(1)
    born = ago(minutes=5)
    noted = managed(
        "kube-controller-manager", born + timedelta(seconds=seconds), {"f:metadata": {}}
    )
    made = managed("argocd-controller", born, {"f:metadata": {}, "f:spec": {}})
    cluster.deployment("web", creationTimestamp=ts(born), managedFields=[noted, made])
    assert [c.manager for c in changes(cluster, "workload-created")] == ["argocd-controller"]


def test_status_writes_are_no_changes_and_key_names_are_read_without_values() -> None:
    cluster = Cluster(1)
    cluster.deployment(
        "web",
        managedFields=[
            managed(
                "kube-controller-manager",
                ago(minutes=1),
                {"f:status": {"f:readyReplicas": {}}},
                "status",
            )
        ],
    )
    secret = cluster.add(
        "Secret",
        {
            "metadata": meta(
                "s",
                "shop",
                created=ago(days=2),
                managedFields=[
                    managed(
                        "vault", ago(hours=1), {"f:data": {".": {}, "f:user": {}, "f:password": {}}}
                    ),
                    managed("someone", ago(minutes=9), {"f:metadata": {"f:labels": {}}}),
                ],
            )
        },
    )
    assert changes(cluster, "workload-edited") == []
    assert data_keys(cast("ObjectMeta", row("Secret", secret).metadata)) == frozenset(
        {"user", "password"}
    )
    assert [
        (c.manager, c.facts["keys"], c.facts["emptied"]) for c in changes(cluster, "secret-written")
    ] == [("vault", 2, False)]


def test_a_helm_release_a_scaling_a_cordon_and_a_policy() -> None:
    cluster = Cluster(2)
    cluster.deployment("web")
    cluster.event(
        "Deployment",
        "shop",
        "web",
        "ScalingReplicaSet",
        "Scaled down replica set web-7d4b9c to 1 from 3",
        ago(minutes=12),
        type_="Normal",
    )
    cluster.add(
        "Secret",
        {
            "metadata": meta(
                "sh.helm.release.v1.web.v4",
                "shop",
                created=ago(minutes=15),
                labels={"owner": "helm", "name": "web", "version": "4", "status": "deployed"},
            )
        },
    )
    cluster.add(
        "NetworkPolicy",
        {
            "metadata": meta(
                "deny",
                "shop",
                created=ago(days=4),
                managedFields=[
                    managed("kubectl-edit", ago(minutes=8), {"f:spec": {"f:ingress": {}}})
                ],
            )
        },
    )
    cluster.nodes[1]["spec"] = {
        "unschedulable": True,
        "taints": [
            {
                "key": "node.kubernetes.io/unschedulable",
                "effect": "NoSchedule",
                "timeAdded": ts(ago(minutes=30)),
            }
        ],
    }
    (scaled,) = changes(cluster, "scaled")
    assert (scaled.facts["replicas_from"], scaled.facts["replicas_to"], scaled.facts["down"]) == (
        3,
        1,
        True,
    )
    assert [(c.facts["release"], c.facts["version"]) for c in changes(cluster, "helm-release")] == [
        ("web", "4")
    ]
    assert [(c.manager, c.at) for c in changes(cluster, "policy-edited") if c.manager] == [
        ("kubectl-edit", ago(minutes=8))
    ]
    assert [c.at for c in changes(cluster, "node-cordoned")] == [ago(minutes=30)]


def test_what_can_only_be_seen_as_it_happens() -> None:
    store, moment = Store(), NOW
    engine = Triage(lambda: moment)

    def write(kind: str, *raw: dict[str, Any]) -> None:
        engine.update(store.apply(kind, [row(kind, r) for r in raw]), store)

    node: dict[str, Any] = {
        "metadata": {"name": "n1", "uid": "u", "resourceVersion": "1"},
        "status": {"nodeInfo": {"bootID": "a", "kernelVersion": "5.1"}},
    }
    secret = {
        "metadata": {
            "name": "s",
            "namespace": "x",
            "uid": "v",
            "resourceVersion": "1",
            "managedFields": [managed("m", ago(hours=2), {"f:data": {"f:a": {}, "f:b": {}}})],
        }
    }
    write("Node", node)
    write("Secret", secret)
    write(
        "Node",
        {
            "metadata": {**node["metadata"], "resourceVersion": "2"},
            "status": {"nodeInfo": {"bootID": "b", "kernelVersion": "5.2"}},
        },
    )
    write(
        "Secret",
        {
            "metadata": {
                **secret["metadata"],
                "resourceVersion": "2",
                "managedFields": [managed("thief", ago(seconds=4), {"f:data": {"f:a": {}}})],
            }
        },
    )
    found = {c.rule: c for c in engine.report(moment, store, {}).changes}
    assert found["node-rebooted"].facts["boot_id"] == "b"
    assert (found["node-version"].facts["before"], found["node-version"].facts["after"]) == (
        "5.1",
        "5.2",
    )
    lost = [c for c in engine.report(moment, store, {}).changes if c.facts.get("lost")]
    assert [(c.manager, c.facts["lost"]) for c in lost] == [("thief", ("b",))]
    engine.update(store.apply("Secret", (), [("x", "s")]), store)
    assert "secret-deleted" in {c.rule for c in engine.report(moment, store, {}).changes}


def test_counts_that_fall_are_noticed_only_for_kinds_that_are_heard() -> None:
    from cluster.live.freshness import Freshness, WatchState

    cluster = Cluster(3)
    for number in range(8):
        cluster.deployment(f"a{number}", replicas=2)
    store, moment = cluster.store(), [NOW]
    engine = Triage(lambda: moment[0])
    live = {
        k: Freshness(k, WatchState.LIVE, heard=NOW)
        for k in ("Pod", "Deployment", "ReplicaSet", "Node")
    }
    engine.update(
        [StoreUpdate(k, key, None, r) for k in live for key, r in store.rows(k).items()], store
    )
    assert engine.report(moment[0], store, live).findings == ()
    moment[0] += timedelta(minutes=2)
    for kind in ("Pod", "Deployment", "ReplicaSet"):
        engine.update(store.apply(kind, (), list(store.rows(kind))), store)
    (found,) = (
        f for f in engine.report(moment[0], store, live).findings if f.rule == "objects-vanished"
    )
    assert (found.facts["kinds"], found.facts["before"], found.facts["after"]) == (
        ("Deployment", "Pod", "ReplicaSet"),
        32,
        0,
    )


def _revision(
    cluster: Cluster,
    owner: dict[str, Any],
    number: int,
    created: datetime,
    images: dict[str, str],
    **more: Any,
) -> dict[str, Any]:
    kind = (
        "DaemonSet" if "DaemonSet" in {k for k, r in cluster.raw if r is owner} else "StatefulSet"
    )
    spec = {"containers": [{"name": name, "image": image} for name, image in images.items()]}
    return cluster.add(
        "ControllerRevision",
        {
            "metadata": meta(
                f"{owner['metadata']['name']}-{number}",
                owner["metadata"]["namespace"],
                created,
                owner=(kind, owner),
                **more,
            ),
            "data": {"spec": {"template": {"spec": spec, "$patch": "replace"}}},
            "revision": number,
        },
    )


@pytest.mark.parametrize("kind", ["DaemonSet", "StatefulSet"])
def test_a_revision_tells_what_a_rollout_changed_who_and_when(kind: str) -> None:
    cluster = Cluster(3)
    agent = cluster.deployment("agent", "kube-system", kind=kind, image="registry.example/agent:2")
    wrote = managed(
        "ci-deployer", ago(minutes=12), {"f:spec": {"f:template": {"f:spec": {"f:containers": {}}}}}
    )
    agent["metadata"]["managedFields"] = [wrote]
    _revision(
        cluster,
        agent,
        1,
        ago(days=30),
        {"agent": "registry.example/agent:1", "side": "registry.example/side:7"},
    )
    _revision(
        cluster,
        agent,
        2,
        ago(minutes=12),
        {"agent": "registry.example/agent:2", "side": "registry.example/side:7"},
    )
    (rollout,) = [
        c
        for c in triage_once(cluster.store(), NOW, {}).changes
        if c.rule == "rollout" and c.object.name == "agent"
    ]
    assert (
        rollout.what
        == f"rollout of {kind} agent: registry.example/agent:1 -> registry.example/agent:2"
    )
    assert (rollout.manager, rollout.at, rollout.facts["images"], rollout.facts["revision"]) == (
        "ci-deployer",
        ago(minutes=12),
        True,
        "2",
    )


def test_a_rollback_takes_an_old_revision_out_again() -> None:
    cluster = Cluster(3)
    agent = cluster.deployment(
        "agent", "kube-system", kind="DaemonSet", image="registry.example/agent:1"
    )
    renumbered = managed(
        "kube-controller-manager", ago(minutes=5), {"f:revision": {}, "f:data": {}}
    )
    _revision(cluster, agent, 2, ago(days=10), {"agent": "registry.example/agent:2"})
    _revision(
        cluster,
        agent,
        3,
        ago(days=30),
        {"agent": "registry.example/agent:1"},
        managedFields=[renumbered],
    )
    told = [c for c in triage_once(cluster.store(), NOW, {}).changes if c.rule == "rollout"]
    assert [(c.what, c.at) for c in told if c.at > ago(days=1)] == [
        (
            "rollback of DaemonSet agent: registry.example/agent:2 -> registry.example/agent:1",
            ago(minutes=5),
        )
    ]


def test_revisions_of_others_and_of_other_shapes_are_survived() -> None:
    cluster = Cluster(3)
    agent = cluster.deployment("agent", "kube-system", kind="DaemonSet")
    bare = _revision(cluster, agent, 2, ago(minutes=5), {})
    bare["data"] = {}
    lost = _revision(cluster, agent, 3, ago(minutes=4), {"a": "b"})
    lost["metadata"]["ownerReferences"] = []
    told = [c.what for c in triage_once(cluster.store(), NOW, {}).changes if c.rule == "rollout"]
    assert told == ["rollout of DaemonSet agent: template changed"]


def test_revisions_that_may_not_be_read_are_a_quiet_gap() -> None:
    read = {
        "ControllerRevision": Freshness("ControllerRevision", WatchState.FORBIDDEN, 0, heard=NOW)
    }
    report = triage_once(Cluster(3).store(), NOW, read)
    assert [(gap.what, gap.quiet) for gap in report.unavailable] == [("ControllerRevision", True)]
    assert report.complete
