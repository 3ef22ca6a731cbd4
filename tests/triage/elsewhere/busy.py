"""More clusters in which nothing is wrong, each with what looks like one of the situations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from tests.triage.elsewhere import flavours
from tests.triage.elsewhere.objects import PROBES, container, digest, managed, pod_spec, text
from tests.triage.elsewhere.trouble import name_of, ordinary
from tests.triage.elsewhere.world import World


def mesh_with_a_proxy_beside_everything(now: datetime) -> World:
    """A service mesh: every pod runs a proxy as well; two of them were restarted an hour and a half
    ago."""
    w = flavours.eks(now, n=10, pods=60, loud=False)
    for space in ("checkout", "search", "data"):
        for k in range(4):
            spec = pod_spec(
                container("app", f"registry.corp.example/{space}/meshed-{k}:1.0", **PROBES),
                container("istio-proxy", "docker.io/istio/proxyv2:1.22.3", cpu="100m", limit="1Gi"),
            )
            one = w.workload("Deployment", space, f"meshed-{k}", 3, template=spec)
            w.service(one)
            if k == 1:
                w.restarted(one.pods[0], w.ago(95), code=137, reason="OOMKilled", which=1)
    return w


def agents_are_updated(now: datetime) -> World:
    """The network agent gets a new version node by node, and each comes up; the newest is
    starting."""
    w = flavours.kops(now, n=14, pods=170, loud=False)
    one = next(x for x in w.workloads if x.name == "cilium")
    one.object["metadata"]["managedFields"].append(
        managed("kops-channels", w.ago(11), {"f:spec": {"f:template": {}}}, version="apps/v1")
    )
    one.object["spec"]["template"]["spec"]["containers"][0]["image"] = (
        "quay.io/cilium/cilium:v1.13.18"
    )
    one.template["containers"][0]["image"] = "quay.io/cilium/cilium:v1.13.18"
    one.labels = one.labels | {"controller-revision-hash": "5f6d7"}
    for k, pod in enumerate(one.pods[:8]):
        w.objects.remove(pod)
        node = next(n for n in w.nodes if name_of(n) == pod["spec"]["nodeName"])
        new = w.pod(one, node, w.ago(10.5 - 1.4 * k))
        if k == 7:
            w.waiting(new, w.ago(0.3), "PodInitializing")
            new["metadata"]["creationTimestamp"] = text(w.ago(0.3))
    one.object["status"] = {"updatedNumberScheduled": 8}
    return w


def secrets_are_rotated(now: datetime) -> World:
    """A controller writes sixty Secrets within two minutes, as every hour; each keeps its keys. New
    pods start with them."""
    w = flavours.aks(now, n=11, pods=130, loud=False)
    for k in range(60):
        space = ("shopfront", "crm", "reporting", "b2b")[k % 4]
        w.secret(
            space,
            f"synced-{k}",
            ("user", "password"),
            w.ago(days=120),
            "external-secrets",
            w.ago(9, seconds=-2 * k),
        )
    for space in ("shopfront", "crm"):
        spec = pod_spec(
            container(
                "svc",
                f"registry.corp.example/{space}/fresh:1",
                envFrom=[{"secretRef": {"name": "synced-0"}}],
            )
        )
        w.workload("Deployment", space, f"fresh-{space}", 3, template=spec, rolled=w.ago(7))
    return w


def nodes_leave_in_order(now: datetime) -> World:
    """The autoscaler takes two nodes away: tainted, emptied, one has gone and one is shutting
    down."""
    w = flavours.gke(now, n=15, pods=150, loud=False)
    leaving = w.nodes[-2]
    for pod in ordinary(w, leaving):
        one = next(x for x in w.workloads if pod in x.pods)
        w.objects.remove(pod)
        w.pod(
            one,
            w.workers()[3],
            w.ago(6),
            index=int(pod["metadata"]["name"][-1]) if one.kind == "StatefulSet" else 0,
        )
        w.event(
            pod,
            "ScaleDown",
            "deleting pod for node scale down",
            w.ago(6.2),
            type_="Normal",
            component="cluster-autoscaler",
        )
        w.event(pod, "Killing", "Stopping container app", w.ago(6.1), type_="Normal", path="app")
    for kind, reason in (
        ("ToBeDeletedByClusterAutoscaler", "ScaleDown"),
        ("DeletionCandidateOfClusterAutoscaler", "ScaleDown"),
    ):
        leaving["spec"].setdefault("taints", []).append(
            {"key": kind, "value": "1779286000", "effect": "NoSchedule"}
        )
        w.event(
            leaving,
            reason,
            "marked the node as toBeDeleted/unschedulable",
            w.ago(6.5),
            type_="Normal",
            component="cluster-autoscaler",
        )
    w.objects = [
        o
        for o in w.objects
        if not (o["kind"] == "VolumeAttachment" and o["spec"]["nodeName"] == name_of(leaving))
    ]
    return w


def switched_off_and_internal(now: datetime) -> World:
    """Workloads scaled to zero with their Services; a privileged console behind an internal
    balancer; two replicas where only one node fits."""
    w = flavours.eks(now, n=9, pods=90, loud=False)
    for k in range(3):
        off = w.workload("Deployment", "backoffice", f"seasonal-{k}", 0)
        w.service(off)
    spec = pod_spec(
        container("web", "docker.io/amir20/host-console:6.1", securityContext={"privileged": True}),
        hostPID=True,
    )
    console = w.workload("Deployment", "tools", "console", 1, template=spec)
    made = w.service(console, type_="LoadBalancer", address="10.30.9.9")
    made["metadata"]["annotations"] = {
        "service.beta.kubernetes.io/aws-load-balancer-internal": "true"
    }
    soft = {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 1, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname"}}
            ]
        }
    }
    node = w.workers()[2]
    node["metadata"]["labels"]["disk"] = "nvme"
    pinned = pod_spec(
        container("db", "registry.corp.example/data/cache:4"),
        affinity=soft,
        nodeSelector={"disk": "nvme"},
    )
    w.service(w.workload("Deployment", "data", "pinned", 2, template=pinned, nodes=[node]))
    return w


def a_hundred_schedules(now: datetime) -> World:
    """Forty CronJobs that run every five minutes with policy Allow, each done in one; one run
    failed and its retry worked."""
    w = flavours.rke2(now, n=10, pods=120, loud=False)
    for k in range(40):
        one = w.cron_job(
            ("mes", "plm", "qa")[k % 3],
            f"poll-{k}",
            "*/5 * * * *",
            policy="Allow" if k % 2 else "Forbid",
        )
        for run in (11, 6, 1):
            w.job(one, w.ago(run), took=0.7, state="running" if run == 1 and k < 25 else "done")
    return w


def rebuilt_runtime_on_a_drained_node(now: datetime) -> World:
    """kubeadm: a node was cordoned, emptied, patched and rebooted; it is back and still
    cordoned."""
    w = flavours.kubeadm(now, n=9, minor=29, pods=100, loud=False)
    node = w.workers()[1]
    for pod in ordinary(w, node):
        one = next(x for x in w.workloads if pod in x.pods)
        w.objects.remove(pod)
        w.pod(
            one,
            w.workers()[4],
            w.ago(22),
            index=int(pod["metadata"]["name"][-1]) if one.kind == "StatefulSet" else 0,
        )
    w.objects = [
        o
        for o in w.objects
        if not (o["kind"] == "VolumeAttachment" and o["spec"]["nodeName"] == name_of(node))
    ]
    w.cordon(node, w.ago(24))
    w.event(
        node,
        "NodeNotReady",
        f"Node {name_of(node)} status is now: NodeNotReady",
        w.ago(16),
        type_="Normal",
        component="node-controller",
    )
    w.event(
        node,
        "Rebooted",
        f"Node {name_of(node)} has been rebooted, boot id: {digest('patched')[7:43]}",
        w.ago(14),
    )
    w.event(
        node,
        "NodeReady",
        f"Node {name_of(node)} status is now: NodeReady",
        w.ago(13.8),
        type_="Normal",
    )
    for one in node["status"]["conditions"]:
        if one["type"] == "Ready":
            one["lastTransitionTime"] = text(w.ago(13.8))
    for pod in w.on(name_of(node)):
        w.restarted(pod, w.ago(14), code=255, reason="Unknown")
        w.event(
            pod,
            "SandboxChanged",
            "Pod sandbox changed, it will be killed and re-created.",
            w.ago(13.9),
            type_="Normal",
        )
    return w


def shop_is_rolled_out(now: datetime) -> World:
    """The shop is rolled out without a preStop hook, as is usual; every pod became ready and no
    connection was cut."""
    w = flavours.kubeadm(now, n=9, minor=30, pods=90, loud=False)
    spec = pod_spec(container("web", "registry.corp.example/erp/web:41", **PROBES))
    one = w.workload("Deployment", "erp", "web", 4, template=spec, rolled=w.ago(days=3))
    w.service(one)
    w.ingress("erp", "web", "erp.example.org", "web", "haproxy")
    one.parent["spec"]["replicas"] = 0
    for pod in one.pods:
        w.objects.remove(pod)
        w.event(pod, "Killing", "Stopping container web", w.ago(5), type_="Normal", path="web")
    one.template = pod_spec(container("web", "registry.corp.example/erp/web:42", **PROBES))
    one.parent = w.replica_set(one, "6d7c8b9f5", w.ago(6), 4, one.template, revision=4)
    one.labels = one.labels | {"pod-template-hash": "6d7c8b9f5"}
    for k in range(4):
        pod = w.pod(one, w.workers()[k], w.ago(5.8 - k * 0.3))
        w.event(
            pod,
            "Unhealthy",
            'Readiness probe failed: Get "http://10.1.2.3:8080/healthz": dial tcp 10.1.2.3:8080: '
            "connect: connection refused",
            w.ago(5.7 - k * 0.3),
        )
    return w


def restored_years_ago(now: datetime) -> World:
    """kube-system is younger than a node: the cluster was restored long ago."""
    w = flavours.kubeadm(now, n=7, minor=27, pods=80, loud=False)
    w.add(
        "Namespace",
        "",
        "kube-system",
        w.ago(days=240),
        labels={"kubernetes.io/metadata.name": "kube-system"},
        by="kube-apiserver",
        spec={"finalizers": ["kubernetes"]},
        status={"phase": "Active"},
    )
    return w


BUSY: tuple[Callable[[datetime], World], ...] = (
    mesh_with_a_proxy_beside_everything,
    agents_are_updated,
    secrets_are_rotated,
    nodes_leave_in_order,
    switched_off_and_internal,
    a_hundred_schedules,
    rebuilt_runtime_on_a_drained_node,
    shop_is_rolled_out,
    restored_years_ago,
)
