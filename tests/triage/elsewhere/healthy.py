"""Clusters in which nothing is wrong, though much goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from tests.triage.elsewhere import flavours
from tests.triage.elsewhere.objects import container, digest, managed, pod_spec, text
from tests.triage.elsewhere.trouble import CNI_OFF, name_of, ordinary
from tests.triage.elsewhere.world import Workload, World


def rollout_and_a_new_node(now: datetime) -> World:
    """EKS: a node joined three minutes ago and was not ready for its first seconds; a rollout runs;
    a pod has just asked for a node."""
    w = flavours.eks(now, n=24, pods=300, loud=False)
    node = w.node(
        "ip-10-31-77-3.eu-west-1.compute.internal",
        w.ago(3),
        kubelet="v1.29.6-eks-1552ad0",
        kernel="5.10.219-208.866.amzn2.x86_64",
        os="Amazon Linux 2",
        runtime="containerd://1.7.11",
        labels={"karpenter.sh/nodepool": "default", "topology.kubernetes.io/zone": "eu-west-1b"},
    )
    for one in [x for x in w.workloads if x.kind == "DaemonSet"]:
        pod = w.pod(one, node, w.ago(2.9))
        w.event(
            pod,
            "NetworkNotReady",
            f"network is not ready: {CNI_OFF}",
            w.ago(2.7),
            first=w.ago(2.85),
            count=3,
        )
    w.event(
        node,
        "NodeReady",
        f"Node {name_of(node)} status is now: NodeReady",
        w.ago(2.4),
        type_="Normal",
    )
    one = next(x for x in w.workloads if x.kind == "Deployment" and len(x.pods) == 4)
    one.parent["spec"]["replicas"] = 2
    for pod in one.pods[:1]:
        w.terminating(pod, w.ago(seconds=4))
        w.event(pod, "Killing", "Stopping container app", w.ago(seconds=4), type_="Normal")
    one.parent = w.replica_set(one, "5c6f7d8b9", w.ago(0.7), 3, revision=4)
    one.labels = one.labels | {"pod-template-hash": "5c6f7d8b9"}
    fresh = w.pod(one, node, w.ago(seconds=14))
    w.waiting(fresh, w.ago(seconds=14), "ContainerCreating", sandbox=False)
    w.pod(one, node, w.ago(0.6))
    w.event(
        one.object,
        "ScalingReplicaSet",
        "Scaled up replica set to 3 from 2",
        w.ago(0.7),
        type_="Normal",
        component="deployment-controller",
    )
    other = next(x for x in w.workloads if x.kind == "Deployment" and len(x.pods) == 5)
    w.unschedulable(
        other,
        w.ago(seconds=9),
        "0/25 nodes are available: 25 Insufficient cpu. preemption: 0/25 nodes are available: 25 "
        "No preemption victims found for incoming pod.",
    )
    return w


def spot_node_taken_away(now: datetime) -> World:
    """GKE: a preemptible node went; its pods run elsewhere; what it left behind are pods that were
    shut down in order."""
    w = flavours.gke(now, n=13, pods=170, loud=False)
    gone = w.nodes[-1]
    there = ordinary(w, gone)
    victims = [p for p in there if p["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"][:5]
    for pod in there:
        one = next(x for x in w.workloads if pod in x.pods)
        if pod not in victims:
            w.pod(
                one,
                w.workers()[1],
                w.ago(31),
                index=int(pod["metadata"]["name"][-1]) if one.kind == "StatefulSet" else 0,
            )
            continue
        pod["status"] = {
            "phase": "Failed",
            "reason": "Terminated",
            "message": "Pod was terminated in response to imminent node shutdown.",
            "startTime": pod["metadata"]["creationTimestamp"],
            "conditions": [],
        }
        w.pod(one, w.workers()[0], w.ago(31))
        w.event(
            pod,
            "TaintManagerEviction",
            f"Marking for deletion Pod {one.namespace}/{pod['metadata']['name']}",
            w.ago(31),
            type_="Normal",
        )
    w.event(
        gone, "NodeShutdown", "Shutdown manager detected shutdown event", w.ago(32), type_="Normal"
    )
    left = [
        o
        for o in w.objects
        if o["kind"] == "Pod" and o["spec"].get("nodeName") == name_of(gone) and o not in victims
    ]
    held = [
        o
        for o in w.objects
        if o["kind"] == "VolumeAttachment" and o["spec"]["nodeName"] == name_of(gone)
    ]
    w.objects = [o for o in w.objects if o not in left and o not in held]
    w.objects.remove(gone)
    w.nodes.remove(gone)
    w.event(
        gone,
        "RemovingNode",
        f"Node {name_of(gone)} event: Removing Node {name_of(gone)} from Controller",
        w.ago(30.5),
        type_="Normal",
        component="node-controller",
    )
    return w


def two_architectures_and_finished_installers(now: datetime) -> World:
    """OpenShift on amd64 and arm64: image ids differ by architecture, installers are done."""
    return flavours.openshift(now, n=12, pods=180, loud=False, mixed=True)


def small_and_mixed(now: datetime) -> World:
    """k3s: single replicas everywhere, a retried Job that succeeded, a helm install that failed
    once long ago."""
    w = flavours.k3s(now, n=6, pods=80, loud=False)
    one = w.cron_job("home", "backup", "0 3 * * *")
    job = w.job(one, w.ago(690), took=9)
    job["status"]["failed"] = 2
    for k in range(2):
        run = Workload(
            "Job",
            "home",
            job["metadata"]["name"],
            job,
            job,
            one.template,
            job["metadata"]["labels"],
        )
        pod = w.pod(run, w.workers()[k], w.ago(700 - k * 3))
        pod["status"]["phase"] = "Failed"
        pod["status"]["containerStatuses"][0].update(
            ready=False,
            started=False,
            state={
                "terminated": {
                    "exitCode": 1,
                    "reason": "Error",
                    "startedAt": text(w.ago(700)),
                    "finishedAt": text(w.ago(699)),
                }
            },
        )
    return w


def rolling_upgrade(now: datetime) -> World:
    """AKS: node after node gets a new version; one is cordoned and empties just now. All new ones
    are well."""
    w = flavours.aks(now, n=12, minor=28, pods=150, loud=False)
    for k, node in enumerate(w.nodes[:5]):
        node["status"]["nodeInfo"].update(
            kubeletVersion="v1.29.7", kernelVersion="5.15.0-1071-azure"
        )
        at = w.ago(50 - k * 9)
        node["metadata"]["creationTimestamp"] = text(at)
        node["status"]["conditions"][-1]["lastTransitionTime"] = text(at + timedelta(seconds=50))
        w.event(node, "Starting", "Starting kubelet.", at, type_="Normal")
        w.event(
            node,
            "NodeReady",
            f"Node {name_of(node)} status is now: NodeReady",
            at + timedelta(seconds=50),
            type_="Normal",
        )
        w.event(
            node,
            "Rebooted",
            f"Node {name_of(node)} has been rebooted, boot id: {digest(name_of(node))[7:43]}",
            at + timedelta(seconds=5),
        )
        for pod in w.on(name_of(node)):
            pod["metadata"]["creationTimestamp"] = text(at + timedelta(seconds=20))
            w.run(pod, at + timedelta(seconds=20))
    node = w.nodes[5]
    w.cordon(node, w.ago(2), manager="Go-http-client")
    for pod in ordinary(w, node)[:2]:
        w.terminating(pod, w.ago(seconds=6))
        w.event(pod, "Killing", "Stopping container app", w.ago(seconds=6), type_="Normal")
        one = next(x for x in w.workloads if pod in x.pods)
        w.pod(one, w.nodes[0], w.ago(seconds=50), index=7)
    return w


def old_machines(now: datetime) -> World:
    """kubeadm 1.24 on Docker: caches on emptyDir, a CronJob that allows two runs, OOM kills of two
    days ago, a busy reverse proxy on the host network."""
    w = flavours.kubeadm(now, n=9, minor=24, docker=True, cni="flannel", pods=120, loud=False)
    spec = pod_spec(
        container("redis", "docker.io/library/redis:7.2"), volumes=[{"name": "d", "emptyDir": {}}]
    )
    w.workload("StatefulSet", "erp", "session-cache", 3, template=spec)
    one = w.cron_job("lab", "poll-sensors", "*/2 * * * *", policy="Allow")
    for minute in range(11, 0, -2):
        w.job(one, w.ago(minute), took=0.5)
    front = pod_spec(
        container(
            "edge",
            "docker.io/library/haproxy:2.9",
            limit="1Gi",
            securityContext={"privileged": True},
        ),
        hostNetwork=True,
    )
    edge = w.workload("DaemonSet", "edge", "edge", template=front, nodes=w.workers()[:3])
    w.service(
        edge,
        type_="LoadBalancer",
        address="203.0.113.7",
        loadBalancerSourceRanges=["203.0.113.0/24"],
    )
    return w


def batch_day(now: datetime) -> World:
    """RKE2: a parallel Job with sixty pods, an autoscaler that has just scaled up, a probe that
    failed twice."""
    w = flavours.rke2(now, n=16, pods=220, loud=False)
    spec = pod_spec(container("render", "registry.corp.example/plm/render:3.1", cpu="500m"))
    spec["restartPolicy"] = "Never"
    job = w.add(
        "Job",
        "plm",
        "render-q2",
        w.ago(25),
        by="argo",
        spec={"parallelism": 60, "completions": 60, "backoffLimit": 6, "template": {"spec": spec}},
        status={"startTime": text(w.ago(25)), "active": 40, "succeeded": 20},
    )
    run = Workload(
        "Job",
        "plm",
        "render-q2",
        job,
        job,
        spec,
        {"batch.kubernetes.io/job-name": "render-q2", "job-name": "render-q2"},
    )
    for k in range(60):
        pod = w.pod(run, w.workers()[k % len(w.workers())], w.ago(24 - k * 0.1))
        if k < 20:
            pod["status"]["phase"] = "Succeeded"
            pod["status"]["containerStatuses"][0].update(
                ready=False,
                state={
                    "terminated": {
                        "exitCode": 0,
                        "reason": "Completed",
                        "startedAt": text(w.ago(24)),
                        "finishedAt": text(w.ago(6)),
                    }
                },
            )
            for one in pod["status"]["conditions"]:
                if one["type"] in ("Ready", "ContainersReady"):
                    one.update(
                        status="False", reason="PodCompleted", lastTransitionTime=text(w.ago(6))
                    )
    big = next(x for x in w.workloads if x.kind == "Deployment" and len(x.pods) == 5)
    for k in range(4):
        w.pod(big, w.workers()[k], w.ago(4 - k * 0.2))
    big.object["spec"]["replicas"] = big.parent["spec"]["replicas"] = 9
    big.object["metadata"]["managedFields"].append(
        managed(
            "kube-controller-manager",
            w.ago(4),
            {"f:spec": {"f:replicas": {}}},
            sub="scale",
            version="apps/v1",
        )
    )
    w.event(
        big.object,
        "ScalingReplicaSet",
        f"Scaled up replica set {big.parent['metadata']['name']} to 9 from 5",
        w.ago(4),
        type_="Normal",
        component="deployment-controller",
    )
    w.event(
        big.pods[0],
        "Unhealthy",
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
        w.ago(14),
        count=2,
    )
    return w


def control_plane_restarted_last_week(now: datetime) -> World:
    """kops: masters were replaced eight days ago, every component restarted then; sixty nodes, one
    newcomer of yesterday with a newer patch."""
    w = flavours.kops(now, n=57, pods=760, loud=False)
    for pod in [
        p
        for p in w.objects
        if p["kind"] == "Pod" and p["metadata"].get("labels", {}).get("tier") == "control-plane"
    ]:
        w.restarted(pod, w.ago(days=8), code=255, reason="Unknown", times=2)
    w.nodes[9]["status"]["nodeInfo"]["kubeletVersion"] = "v1.26.16"
    w.nodes[9]["metadata"]["creationTimestamp"] = text(w.ago(days=1))
    return w


HEALTHY: tuple[Callable[[datetime], World], ...] = (
    rollout_and_a_new_node,
    spot_node_taken_away,
    two_architectures_and_finished_installers,
    small_and_mixed,
    rolling_upgrade,
    old_machines,
    batch_day,
    control_plane_restarted_last_week,
)
