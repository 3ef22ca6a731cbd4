"""The first three stories, from small clusters of other names: findings, cohorts, changes,
symptoms."""

from __future__ import annotations

from datetime import timedelta

from cluster.live.store import Store
from tests.triage.build import NOW, Cluster, ago, managed, meta, ts
from triage.engine import triage_once
from triage.facts.finding import Report, Severity


def look(cluster: Cluster) -> Report:
    return triage_once(cluster.store(), NOW, {})


def rules(report: Report, *severities: Severity) -> set[str]:
    return {f.rule for f in report.findings if not severities or f.severity in severities}


def background(nodes: int = 9) -> Cluster:
    cluster = Cluster(nodes)
    for namespace in ("shop", "billing", "search"):
        for name in ("web", "api", "worker"):
            cluster.deployment(name, namespace, replicas=4)
    return cluster


def test_healthy_cluster_gives_nothing() -> None:
    report = look(background())
    assert report.symptoms == ()
    assert report.findings == ()
    assert look(Cluster(0)).symptoms == ()
    assert triage_once(Store(), NOW, {}).findings == ()


def test_network_agent_with_another_image_on_one_node() -> None:
    cluster = background()
    odd = cluster.nodes[4]
    odd["metadata"]["creationTimestamp"] = ts(ago(minutes=40))
    agent = cluster.deployment(
        "pipes",
        "kube-system",
        kind="DaemonSet",
        image="quay.io/x/pipes",
        spec={
            "hostNetwork": True,
            "volumes": [{"name": "c", "hostPath": {"path": "/etc/cni/net.d"}}],
        },
    )
    pod = agent["pods"][4]
    pod["status"]["containerStatuses"][0]["imageID"] = (
        "docker-pullable://quay.io/x/pipes@sha256:" + "cd" * 32
    )
    pod["metadata"]["creationTimestamp"] = ts(ago(minutes=39))
    pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"] = ts(ago(minutes=39))
    report = look(cluster)
    assert [s.mechanism for s in report.symptoms] == ["daemonset-image-drift"]
    symptom = report.symptoms[0]
    facts = symptom.findings[0].facts
    assert facts["odd_nodes"] == ("n5",)
    assert (
        facts["odd"],
        facts["usual"],
        facts["network"],
        facts["floating"],
        facts["odd_is_newest"],
    ) == (1, 8, True, True, True)
    pinned = str(facts["pinned_image"])
    assert pinned.startswith("quay.io/x/pipes@sha256:")
    assert "cd" * 32 not in pinned
    assert symptom.since == ago(minutes=39)
    assert [(s.what, s.value, s.inside, s.outside) for s in symptom.shared] == [
        ("node", "n5", (1, 1), (0, 8)),
        ("image digest", "sha256:cdcdcdcd", (1, 1), (0, 8)),
    ]
    assert symptom.shared[0].p_value > 0.05, "one pod of nine proves nothing by itself, and says so"
    assert any(c.rule == "node-joined" and c.object.name == "n5" for c in symptom.changes)


def test_architecture_split_is_no_drift() -> None:
    cluster = background(4)
    agent = cluster.deployment("pipes", "kube-system", kind="DaemonSet", image="quay.io/x/pipes:1")
    for index in (0, 1):
        cluster.nodes[index]["status"]["nodeInfo"]["architecture"] = "arm64"
        agent["pods"][index]["status"]["containerStatuses"][0]["imageID"] = (
            "quay.io/x/pipes@sha256:" + "cd" * 32
        )
    agent["pods"][2]["status"]["containerStatuses"][0]["imageID"] = "sha256:" + "ef" * 32
    assert "daemonset-image-drift" not in rules(look(cluster))


def test_nodes_out_of_memory_one_after_another_name_the_common_owner() -> None:
    cluster = background()
    suspect = cluster.deployment("reindex", "ops", replicas=2, created=ago(hours=1, minutes=50))
    del suspect["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    for node, minutes, pod in (
        (cluster.nodes[1], 50, suspect["pods"][0]),
        (cluster.nodes[6], 20, suspect["pods"][1]),
    ):
        name = node["metadata"]["name"]
        pod["spec"]["nodeName"] = name
        cluster.not_ready(node, ago(minutes=minutes))
        cluster.event(
            "Node",
            "",
            name,
            "SystemOOM",
            "System OOM encountered, victim process: python, pid: 31",
            ago(minutes=minutes),
            count=4,
        )
    report = look(cluster)
    assert len([s for s in report.symptoms if s.severity is Severity.CRITICAL]) == 1
    symptom = report.symptoms[0]
    assert symptom.mechanism == "nodes-failing-in-turn"
    turn = next(f for f in symptom.findings if f.rule == "nodes-failing-in-turn")
    assert (turn.facts["suspect"], turn.facts["suspect_on"], turn.facts["suspect_elsewhere"]) == (
        "Deployment ops/reindex",
        2,
        0,
    )
    assert turn.facts["suspect_no_limits"] is True
    assert symptom.since == ago(minutes=50)
    assert any(s.what == "owner" and s.value == "Deployment ops/reindex" for s in symptom.shared)
    assert any("reindex" in c.what for c in symptom.changes)
    assert "node-pressure" not in rules(report)


def test_secrets_without_keys_written_by_one_manager() -> None:
    cluster = background()
    for namespace in ("shop", "billing", "search"):
        for name in ("db", "mail"):
            cluster.add(
                "Secret",
                {
                    "metadata": meta(
                        f"{name}-keys",
                        namespace,
                        created=ago(days=9),
                        managedFields=[
                            managed("filler", ago(minutes=21), {"f:data": {}, "f:type": {}}),
                        ],
                    )
                },
            )
        raw = cluster.deployment("report", namespace, replicas=1, created=ago(minutes=15))
        cluster.waiting(
            raw["pods"][0],
            "CreateContainerConfigError",
            f"couldn't find key password in Secret {namespace}/db-keys",
        )
        raw["status"].update(readyReplicas=0, availableReplicas=0)
    report = look(cluster)
    symptom = report.symptoms[0]
    assert symptom.mechanism == "secret-keys-lost"
    assert ("manager", "filler", (6, 6)) in {(o.what, o.value, o.inside) for o in symptom.shared}
    lost = next(f for f in symptom.findings if f.rule == "secret-keys-lost")
    assert (
        lost.facts["manager"],
        lost.facts["secrets"],
        lost.facts["namespaces"],
        lost.facts["pods"],
    ) == ("filler", 6, 3, 3)
    assert lost.since == ago(minutes=21)
    assert "new-pods-failing" in {f.rule for f in symptom.findings}
    assert [s.what for s in symptom.shared][:1] == ["created after"]
    assert symptom.shared[0].inside == (3, 3)
    assert symptom.shared[0].outside == (0, 36)
    assert any(
        c.rule == "secrets-written-together" and c.manager == "filler" for c in symptom.changes
    )
    assert len([s for s in report.symptoms if s.severity is not Severity.INFO]) == 1


def test_one_secret_that_lost_a_key_is_named() -> None:
    cluster = background()
    lost = managed("filler", ago(minutes=21), {"f:data": {"f:user": {}}, "f:type": {}})
    secret = meta("db-keys", "shop", created=ago(days=9), managedFields=[lost])
    cluster.add("Secret", {"metadata": secret})
    raw = cluster.deployment("report", "shop", replicas=1, created=ago(minutes=15))
    said = "couldn't find key password in Secret shop/db-keys"
    cluster.waiting(raw["pods"][0], "CreateContainerConfigError", said)
    [finding] = [f for f in look(cluster).findings if f.rule == "secret-keys-lost"]
    assert finding.claim == (
        "Secret db-keys in namespace shop lost keys, last written by filler; 1 pod cannot start"
    )


def test_who_wrote_secrets_after_the_pods_had_failed_is_not_named() -> None:
    cluster = background()
    for namespace in ("shop", "billing", "search"):
        back = managed("restorer", ago(minutes=3), {"f:data": {"f:user": {}}, "f:type": {}})
        secret = meta("db-keys", namespace, created=ago(days=9), managedFields=[back])
        cluster.add("Secret", {"metadata": secret})
        raw = cluster.deployment("report", namespace, replicas=1, created=ago(minutes=15))
        cluster.waiting(
            raw["pods"][0],
            "CreateContainerConfigError",
            f"couldn't find key password in Secret {namespace}/db-keys",
        )
    report = look(cluster)
    lost = next(f for f in report.findings if f.rule == "secret-keys-lost")
    assert lost.claim.startswith("3 Secrets in 3 namespaces lost keys; 3 pods")
    assert lost.facts["manager"] == ""
    assert "restorer" not in report.symptoms[0].title


def test_order_of_arrival_does_not_matter() -> None:
    from cluster.kube.kinds import KINDS
    from cluster.live.store import StoreUpdate
    from triage.engine import Triage

    cluster = background(5)
    cluster.waiting(
        cluster.raw[8][1]
        if cluster.raw[8][0] == "Pod"
        else next(r for k, r in cluster.raw if k == "Pod"),
        "CrashLoopBackOff",
        restarts=7,
        phase="Running",
    )
    store = cluster.store()
    expected = triage_once(store, NOW, {})
    for names in ([k.name for k in KINDS], [k.name for k in reversed(KINDS)]):
        engine, growing = Triage(lambda: NOW), Store()
        for name in names:
            changes: list[StoreUpdate] = growing.apply(name, list(store.rows(name).values()))
            engine.update(changes, growing)
            engine.report(NOW - timedelta(seconds=1), growing, {})
        assert engine.report(NOW, growing, {}).symptoms == expected.symptoms
