"""Each action on the real API server with its controllers: seen to act and to be undone there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from actions import catalogue
from actions.changes import finalizer
from actions.changes.cordon import takes_pods
from actions.changes.rollout import rollout_state
from actions.context import action_writer
from actions.plan import Outcome
from cluster.api.mode import Mode
from cluster.api.transport import Api
from cluster.connect.kubeconfig import load_access
from tests.actions.fake import FakeJournal
from tests.actions.real import RealCluster, acting, deployment, kwok_node
from tests.rungs.cluster import Cluster

NS = "shop"
NODES = ("act-1", "act-2", "act-3")
FIRST, SECOND = (f"registry.test/web@sha256:{each * 64}" for each in "ab")
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NS}/deployments"
PODS = f"/api/v1/namespaces/{NS}/pods"


@pytest.fixture(scope="module")
def admin(workloads: Cluster) -> Iterator[httpx.Client]:
    with workloads.client() as http:
        for name in NODES:
            http.post("/api/v1/nodes", json=kwok_node(name)).raise_for_status()
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NS}}
        http.post("/api/v1/namespaces", json=body).raise_for_status()
        yield http
        for name in NODES:
            http.delete(f"/api/v1/nodes/{name}").raise_for_status()


@pytest.fixture
async def real(workloads: Cluster, admin: httpx.Client) -> AsyncIterator[RealCluster]:
    async with acting(workloads.kubeconfig, admin) as cluster:
        restore(admin)
        for name in NODES:
            await cluster.until(partial(ready, cluster, name), f"node {name}")
        yield cluster


def restore(admin: httpx.Client) -> None:
    """Undoes what a test that failed has left on the nodes."""
    for name in NODES:
        admin.patch(
            f"/api/v1/nodes/{name}",
            json={"spec": {"unschedulable": None, "taints": None}},
            headers={"Content-Type": "application/merge-patch+json"},
        ).raise_for_status()


def ready(cluster: RealCluster, name: str) -> bool:
    row = cluster.context.store.get("Node", "", name)
    return row is not None and takes_pods(row)


@pytest.fixture
async def web(real: RealCluster) -> AsyncIterator[str]:
    """A Deployment of three pods that run, with its budget."""
    name = f"web-{id(real) % 10_000}"
    real.create(DEPLOYMENTS, deployment(name, 3, FIRST))
    await real.until(lambda: len(pods_of(real, name)) == 3, "three pods run")
    yield name
    real.http.delete(f"{DEPLOYMENTS}/{name}").raise_for_status()
    await real.until(lambda: not pods_of(real, name), "its pods are gone")


def pods_of(cluster: RealCluster, app: str) -> list[Any]:
    """The ready pods of an app in the live state."""
    return [
        pod
        for pod in cluster.context.store.in_namespace("Pod", NS).values()
        if pod.metadata.labels.get("app") == app
        and any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions)
    ]


def newest_image(cluster: RealCluster, name: str) -> str:
    """The image of the newest revision in the live state, "" while the Deployment has not been
    observed."""
    found = cluster.get(f"{DEPLOYMENTS}/{name}")
    if found["status"].get("observedGeneration", 0) < found["metadata"]["generation"]:
        return ""
    revision = found["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
    for row in cluster.context.store.in_namespace("ReplicaSet", NS).values():
        if row.metadata.annotations.get("deployment.kubernetes.io/revision") == revision and any(
            owner.name == name for owner in row.metadata.owner_references
        ):
            return str(row.spec.template.spec.containers[0].image)
    return ""


def container(cluster: RealCluster, name: str) -> dict[str, Any]:
    found = cluster.get(f"{DEPLOYMENTS}/{name}")
    first: dict[str, Any] = found["spec"]["template"]["spec"]["containers"][0]
    return first


async def test_cordon_and_uncordon(real: RealCluster) -> None:
    path = "/api/v1/nodes/act-1"
    await real.do("cordon", node="act-1")
    assert real.get(path)["spec"]["unschedulable"] is True
    await real.until(lambda: not ready(real, "act-1"), "the live state shows it")
    await real.undo()
    assert not real.get(path)["spec"].get("unschedulable")
    await real.do("cordon", node="act-1")
    await real.do("uncordon", node="act-1")
    assert not real.get(path)["spec"].get("unschedulable")
    await real.undo()
    assert real.get(path)["spec"]["unschedulable"] is True
    await real.until(lambda: not ready(real, "act-1"), "the live state shows it again")
    await real.do("uncordon", node="act-1")


async def test_the_server_refuses_what_changed_meanwhile(real: RealCluster) -> None:
    plan = await real.plan("label", object="node/act-2", label="zone=b")
    real.http.patch(
        "/api/v1/nodes/act-2",
        json={"metadata": {"labels": {"zone": "a"}}},
        headers={"Content-Type": "application/merge-patch+json"},
    ).raise_for_status()
    result = await catalogue.run(plan, plan.confirmation, real.context, FakeJournal())
    assert result.outcome is Outcome.REFUSED
    assert result.again is not None
    assert "zone" in result.sentence
    await real.do("label", object="node/act-2", label="zone-")
    assert "zone" not in real.get("/api/v1/nodes/act-2")["metadata"]["labels"]
    await real.undo()
    assert real.get("/api/v1/nodes/act-2")["metadata"]["labels"]["zone"] == "a"


async def test_taints(real: RealCluster) -> None:
    path = "/api/v1/nodes/act-2"
    await real.do("add-taint", node="act-2", taint="broken=yes:NoSchedule")
    assert {"key": "broken", "value": "yes", "effect": "NoSchedule"} in real.get(path)["spec"][
        "taints"
    ]
    await real.do("remove-taint", node="act-2", taint="broken:NoSchedule")
    assert not real.get(path)["spec"].get("taints")
    await real.undo()
    assert len(real.get(path)["spec"]["taints"]) == 1
    await real.do("remove-taint", node="act-2", taint="broken:NoSchedule")


async def test_drain_honours_a_budget_and_is_undone(real: RealCluster, web: str) -> None:
    budgets = f"/apis/policy/v1/namespaces/{NS}/poddisruptionbudgets"
    real.create(
        budgets,
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": web},
            "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": web}}},
        },
    )
    await real.known("PodDisruptionBudget", NS, web)
    node = max(NODES, key=lambda n: sum(p.spec.node_name == n for p in pods_of(real, web)))
    least: list[int] = []

    def watch(_: str) -> None:
        least.append(len(pods_of(real, web)))

    plan = await real.plan("drain", node=node)
    assert plan.refused == "", plan.refused
    result = await catalogue.run(plan, plan.confirmation, real.context, real.journal, watch)
    assert result.outcome is Outcome.DONE, result.sentence
    assert real.get(f"/api/v1/nodes/{node}")["spec"]["unschedulable"] is True
    await real.until(
        lambda: (
            len(pods_of(real, web)) == 3
            and not any(pod.spec.node_name == node for pod in pods_of(real, web))
        ),
        "replaced elsewhere",
    )
    assert min(least) >= 2
    await real.undo()
    assert not real.get(f"/api/v1/nodes/{node}")["spec"].get("unschedulable")
    real.http.delete(f"{budgets}/{web}").raise_for_status()


async def test_a_drain_that_the_budget_never_allows_says_so_and_can_be_stopped(
    real: RealCluster, web: str
) -> None:
    budgets = f"/apis/policy/v1/namespaces/{NS}/poddisruptionbudgets"
    body = {"minAvailable": 3, "selector": {"matchLabels": {"app": web}}}
    meta = {"name": web}
    real.create(
        budgets,
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": body},
    )
    await real.known("PodDisruptionBudget", NS, web)
    node = pods_of(real, web)[0].spec.node_name
    told: list[str] = []
    plan = await real.plan("drain", node=node)
    result = await catalogue.run(
        plan,
        plan.confirmation,
        real.context,
        real.journal,
        told.append,
        lambda: any("does not allow" in line for line in told),
    )
    assert result.outcome is Outcome.PART, result.sentence
    assert "stopped by a human" in result.sentence
    assert any("does not allow" in line for line in told)
    assert len(pods_of(real, web)) == 3
    evict = await real.plan("evict-pod", pod=f"{NS}/{pods_of(real, web)[0].metadata.name}")
    assert "Do the disruption budgets allow it?" in evict.refused
    await real.undo()
    real.http.delete(f"{budgets}/{web}").raise_for_status()


async def test_delete_and_evict_a_pod(real: RealCluster, web: str) -> None:
    for action in ("delete-pod", "evict-pod"):
        await real.until(lambda: len(pods_of(real, web)) == 3, "three pods run")
        name = pods_of(real, web)[0].metadata.name
        await real.do(action, pod=f"{NS}/{name}")
        assert not real.exists(f"{PODS}/{name}")
        await real.until(
            partial(lambda name: real.context.store.get("Pod", NS, name) is None, name), "gone"
        )


async def test_rollouts(real: RealCluster, web: str) -> None:
    path = f"{DEPLOYMENTS}/{web}"
    workload = f"deployment/{NS}/{web}"
    before = {pod.metadata.name for pod in pods_of(real, web)}
    await real.do("rollout-restart", workload=workload)
    await real.until(
        lambda: (
            before.isdisjoint(pod.metadata.name for pod in pods_of(real, web))
            and len(pods_of(real, web)) == 3
        ),
        "all pods are new",
    )
    await real.do("set-image", workload=workload, container="web", image=SECOND)
    assert container(real, web)["image"] == SECOND
    await real.undo()
    assert container(real, web)["image"] == FIRST
    await real.do("set-image", workload=workload, container="web", image=SECOND)
    await real.until(lambda: newest_image(real, web) == SECOND, "its ReplicaSet is the newest")
    await real.do("rollout-undo", workload=workload)
    assert container(real, web)["image"] == FIRST
    await real.undo()
    assert container(real, web)["image"] == SECOND
    await real.do("rollout-pause", workload=workload)
    assert real.get(path)["spec"]["paused"] is True
    await real.do("rollout-resume", workload=workload)
    assert not real.get(path)["spec"].get("paused")
    await real.undo()
    assert real.get(path)["spec"]["paused"] is True
    await real.do("rollout-resume", workload=workload)


async def test_scale_and_resources(real: RealCluster, web: str) -> None:
    workload = f"deployment/{NS}/{web}"
    await real.do("scale", workload=workload, replicas="5")
    assert real.get(f"{DEPLOYMENTS}/{web}")["spec"]["replicas"] == 5
    await real.undo()
    assert real.get(f"{DEPLOYMENTS}/{web}")["spec"]["replicas"] == 3
    given = {"workload": workload, "container": "web", "resource": "cpu"}
    await real.do("set-resource", **given, kind="limit", amount="0.5")
    assert container(real, web)["resources"]["limits"]["cpu"] == "500m"
    await real.undo()
    assert "cpu" not in container(real, web)["resources"]["limits"]


async def test_cronjob_and_jobs(real: RealCluster) -> None:
    spec = {"containers": [{"name": "main", "image": FIRST}], "restartPolicy": "Never"}
    template = {"metadata": {"labels": {"app": "report"}}, "spec": spec}
    cronjobs, jobs = (f"/apis/batch/v1/namespaces/{NS}/{each}" for each in ("cronjobs", "jobs"))
    real.create(
        cronjobs,
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "report"},
            "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}},
        },
    )
    await real.do("suspend-cronjob", cronjob=f"{NS}/report")
    assert real.get(f"{cronjobs}/report")["spec"]["suspend"] is True
    await real.undo()
    assert not real.get(f"{cronjobs}/report")["spec"].get("suspend")
    await real.do("suspend-cronjob", cronjob=f"{NS}/report")
    await real.do("resume-cronjob", cronjob=f"{NS}/report")
    await real.undo()
    assert real.get(f"{cronjobs}/report")["spec"]["suspend"] is True
    await real.do("resume-cronjob", cronjob=f"{NS}/report")
    for number in range(3):
        meta = {"name": f"report-{number}", "labels": {"app": "report"}}
        body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta}
        real.create(jobs, {**body, "spec": {"template": template, "suspend": True}})
        await real.known("Job", NS, f"report-{number}")
    given = {"namespace": NS, "selector": "app=report", "which": "running", "keep": "1"}
    result = await real.do("delete-jobs", **given)
    assert len(result.targets) == 2
    assert len(real.get(jobs)["items"]) == 1
    real.http.delete(f"{cronjobs}/report").raise_for_status()
    real.http.delete(f"{jobs}/{real.get(jobs)['items'][0]['metadata']['name']}").raise_for_status()


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
async def test_controller_revisions(real: RealCluster, kind: str) -> None:
    collection, name = f"/apis/apps/v1/namespaces/{NS}/{kind.lower()}s", kind.lower()
    body = deployment(name, 2, FIRST)
    if kind == "DaemonSet":
        del body["spec"]["replicas"]
        body["spec"]["updateStrategy"] = {"type": "OnDelete"}  # revisions without waiting for pods
    real.create(collection, {**body, "kind": kind})
    path, given = f"{collection}/{name}", {"workload": f"{kind.lower()}/{NS}/{name}"}

    def image() -> str:
        found = real.get(path)
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"])

    await real.until(lambda: rollout_state(real.get(path))[0], "it runs")
    await real.do("set-image", **given, container="web", image=SECOND)
    result = await real.do("rollout-undo", **given)
    assert "revision 1 replaces that of 2: web image" in result.plan.change.summary
    assert image() == FIRST
    again = await real.plan("rollout-undo", **given)
    assert "revision 2 replaces that of 3" in again.change.summary, (
        "the controller gives it a new number"
    )
    if kind == "StatefulSet":
        restart = await real.do("rollout-restart", **given)
        assert restart.observed.endswith("pods are ready")
    await real.do("rollout-undo", **given, revision="2")
    assert image() == SECOND
    await real.undo()
    assert image() == FIRST
    real.http.delete(path).raise_for_status()
    await real.until(lambda: not pods_of(real, name), "its pods are gone")


async def test_a_claim_is_expanded_when_its_class_allows_it(control_plane: Cluster) -> None:
    """Without controllers: the test plays binder and driver, which write the status."""
    claims = "/api/v1/namespaces/default/persistentvolumeclaims"
    classes = "/apis/storage.k8s.io/v1/storageclasses"
    storage = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "csi.test"}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "grows"}}
    spec = {
        "storageClassName": "grows",
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "volumeName": "grows-1",
    }
    path = f"{claims}/grows"
    with control_plane.client() as http:

        def write(size: str) -> None:
            status = {"status": {"phase": "Bound", "capacity": {"storage": size}}}
            merge = {"Content-Type": "application/merge-patch+json"}
            http.patch(f"{path}/status", json=status, headers=merge).raise_for_status()

        async with acting(control_plane.kubeconfig, http) as bare:
            meta = {"name": "grows"}
            bare.create(classes, {**storage, "metadata": meta, "allowVolumeExpansion": True})
            bare.create(claims, {**claim, "spec": spec})
            write("1Gi")
            less = await bare.plan("expand-claim", claim="default/grows", size="512Mi")
            assert "never shrinks" in less.refused
            plan = await bare.plan("expand-claim", claim="default/grows", size="2Gi")
            assert (plan.refused, plan.dry_run_ok) == ("", True), plan.dry_run
            result = await catalogue.run(
                plan, plan.confirmation, bare.context, bare.journal, lambda _: write("2Gi")
            )
            assert result.outcome is Outcome.DONE, result.sentence
            assert bare.get(path)["spec"]["resources"]["requests"]["storage"] == "2Gi"
            bare.http.delete(path).raise_for_status()
            bare.http.delete(f"{classes}/grows").raise_for_status()


async def test_network_policy_comes_back_from_its_manifest(real: RealCluster) -> None:
    policies = f"/apis/networking.k8s.io/v1/namespaces/{NS}/networkpolicies"
    spec = {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]}
    body = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
    made = real.create(policies, {**body, "metadata": {"name": "deny"}, "spec": spec})
    await real.known("NetworkPolicy", NS, "deny")
    await real.do("delete-network-policy", policy=f"{NS}/deny")
    assert not real.exists(f"{policies}/deny")
    await real.undo()
    again = real.get(f"{policies}/deny")
    assert again["spec"] == made["spec"]
    assert again["metadata"]["uid"] != made["metadata"]["uid"]
    real.http.delete(f"{policies}/deny").raise_for_status()


async def test_secret_keys_are_restored_and_never_shown(real: RealCluster, tmp_path: Path) -> None:
    secrets = f"/api/v1/namespaces/{NS}/secrets"
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}}
    real.create(secrets, {**body, "stringData": {"user": "web"}})
    await real.known("Secret", NS, "login")
    path = tmp_path / "login.env"
    path.write_text("password=correct-horse-battery\n")
    given = {"secret": f"{NS}/login", "file": str(path), "keys": "password"}
    result = await real.do("restore-secret-keys", **given)
    data = real.get(f"{secrets}/login")["data"]
    assert data["password"] == "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5"
    assert set(data) == {"user", "password"}
    shown = repr(result) + repr(result.plan.document)
    assert "correct-horse" not in shown
    assert data["password"] not in shown
    assert result.plan.undo_action == ""
    real.http.delete(f"{secrets}/login").raise_for_status()


async def test_a_finalizer_is_removed_only_when_its_controller_had_time(
    real: RealCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = f"/api/v1/namespaces/{NS}/configmaps"
    meta = {"name": "held", "finalizers": ["example.test/cleanup"]}
    real.create(maps, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    given = {"object": f"configmap/{NS}/held", "finalizer": "example.test/cleanup"}
    plan = await real.plan("remove-finalizer", **given)
    assert "it is not deleted" in plan.refused
    real.http.delete(f"{maps}/held").raise_for_status()
    plan = await real.plan("remove-finalizer", **given)
    assert "are asked" in plan.refused
    monkeypatch.setattr(finalizer, "WAITED_S", 0.0)
    await real.do("remove-finalizer", **given)
    assert not real.exists(f"{maps}/held")


async def test_a_volume_attachment_of_a_lost_node_is_deleted(control_plane: Cluster) -> None:
    """Without controllers, because the attach-detach controller removes such a thing itself."""
    attachments = "/apis/storage.k8s.io/v1/volumeattachments"
    source = {"persistentVolumeName": "pv-1"}
    spec = {"attacher": "csi.test", "nodeName": "act-gone", "source": source}
    body = {"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment"}
    node = kwok_node("act-ready")
    node["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    with control_plane.client() as http:
        async with acting(control_plane.kubeconfig, http) as bare:
            bare.create("/api/v1/nodes", node)
            for name, where in (("csi-1", "act-gone"), ("csi-2", "act-ready")):
                meta = {"name": name}
                bare.create(
                    attachments, {**body, "metadata": meta, "spec": {**spec, "nodeName": where}}
                )
            await bare.known("Node", "", "act-ready")
            plan = await bare.plan("delete-volume-attachment", attachment="csi-2")
            assert "is Ready" in plan.refused
            await bare.do("delete-volume-attachment", attachment="csi-1")
            assert not bare.exists(f"{attachments}/csi-1")
            bare.http.delete(f"{attachments}/csi-2").raise_for_status()
            bare.http.delete("/api/v1/nodes/act-ready").raise_for_status()


async def test_without_the_right_no_dry_run_is_sent(real: RealCluster, workloads: Cluster) -> None:
    assert workloads.viewer is not None
    api = Api(load_access(explicit=str(workloads.viewer)))
    viewer = replace(real.context, writer=action_writer(api, Mode.WRITE))
    plan = await catalogue.plan("cordon", viewer, {"node": "act-1"})
    await api.aclose()
    assert "may not do it" in plan.refused
    assert plan.dry_run == "not asked"
