"""Clusters in which nothing is wrong, however busy, small or young they are."""

from __future__ import annotations

from datetime import datetime

from tests.triage.elsewhere.second.ground import (
    applications,
    base,
    cluster,
    machines,
    noise,
    system,
)
from tests.triage.elsewhere.second.lab import D, H, Lab, M, Obj
from tests.triage.elsewhere.second.registry import case


@case(None)
def fresh_install_ten_minutes_old(now: datetime, fault: bool) -> list[Obj]:
    lab = Lab(now, "fresh", "v1.34.1")
    base(lab, 11 * M)
    machines(lab, 3, naming="{role}-{i}", control=1, age=9 * M)
    for node in lab.nodes:
        node["metadata"]["creationTimestamp"] = lab.at(8 * M)
    parts = system(lab, "kube-flannel-ds", 9 * M)
    for pod in parts["dns"].pods:
        pod["metadata"]["creationTimestamp"] = lab.at(9 * M)
        lab.event(
            pod,
            "FailedScheduling",
            "0/1 nodes are available: 1 node(s) had untolerated taint "
            "{node.kubernetes.io/not-ready: }. "
            "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
            8.5 * M,
            source="default-scheduler",
            modern=True,
        )
        lab.event(
            pod,
            "NetworkNotReady",
            "network is not ready: container runtime network not ready: NetworkReady=false "
            "reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not "
            "initialized",
            8.2 * M,
            count=4,
        )
    for node in lab.nodes:
        name = node["metadata"]["name"]
        lab.event(node, "InvalidDiskCapacity", "invalid capacity 0 on image filesystem", 8 * M)
        lab.event(
            node,
            "RegisteredNode",
            f"Node {name} event: Registered Node {name} in Controller",
            8 * M,
            type="Normal",
            source="node-controller",
        )
        lab.event(
            node, "NodeReady", f"Node {name} status is now: NodeReady", 7.2 * M, type="Normal"
        )
        lab.condition(
            node, "Ready", "True", "KubeletReady", "kubelet is posting ready status", 7.2 * M, 20
        )
    return lab.finish()


@case(None)
def rollout_under_way(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(
        now, "roll", "eks", 9, "retail", naming="ip-10-3-{i}-201.eu-north-1.compute.internal"
    )
    work = lab.deployment(
        "crm",
        "inbox",
        "registry.retail.example/crm/inbox:5.2.0",
        6,
        age=100 * D,
        rolled=70,
        pod_ages=[65, 64, 40, 38, 6, 5],
    )
    for pod in work.pods[4:]:
        lab.waiting(pod, "ContainerCreating", "", 5, sandbox=False)
    for _ in range(2):
        pod = lab.replica(work.sets[0], lab.pick(1)[0], 8 * D)
        if _:
            lab.terminating(pod, 9)
    lab.event(
        work.pods[2],
        "Unhealthy",
        'Readiness probe failed: Get "http://10.0.3.3:8080/healthz": dial tcp 10.0.3.3:8080: '
        "connect: connection refused",
        35,
        count=1,
    )
    lab.event(
        work.object,
        "ScalingReplicaSet",
        f"Scaled up replica set {work.sets[-1]['metadata']['name']} to 6 from 4",
        6,
        type="Normal",
        source="deployment-controller",
    )
    return lab.finish()


@case(None)
def nodes_upgraded_one_by_one(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(
        now,
        "nodes-up",
        "aks",
        12,
        "public",
        naming="aks-sys-77-vmss0000{i:02d}",
        version="v1.30.7",
        node_age=90 * D,
    )
    for i, node in enumerate(lab.nodes[:5]):
        node["status"]["nodeInfo"].update(
            kubeletVersion="v1.31.3",
            kubeProxyVersion="v1.31.3",
            kernelVersion="5.15.0-1081-azure",
            bootID=lab.uid(),
        )
        name, ago = node["metadata"]["name"], (58 - 11 * i) * M
        node["metadata"]["creationTimestamp"] = lab.at(ago)
        lab.condition(
            node, "Ready", "True", "KubeletReady", "kubelet is posting ready status", ago - 40, 20
        )
        lab.event(node, "Starting", "Starting kubelet.", ago, type="Normal")
        lab.event(node, "InvalidDiskCapacity", "invalid capacity 0 on image filesystem", ago)
        lab.event(
            node, "NodeReady", f"Node {name} status is now: NodeReady", ago - 40, type="Normal"
        )
        for pod in lab.pods_on(name):
            pod["metadata"]["creationTimestamp"] = lab.at(ago - 30 - lab.rng.randint(1, 20))
    lab.cordon(lab.nodes[5], 2 * M, "aks-upgrade")
    lab.event(
        lab.nodes[5],
        "Drain",
        f"Draining node: {lab.nodes[5]['metadata']['name']}",
        110,
        type="Normal",
        source="upgrader",
    )
    return lab.finish()


@case(None)
def spot_nodes_come_and_go(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(
        now,
        "spot",
        "eks",
        15,
        "media",
        naming="ip-10-88-{i}-5.us-east-2.compute.internal",
        pools=("spot", "base"),
    )
    for i in (0, 2, 4):
        node = lab.nodes[i]
        ago = (50 - 20 * (i // 2)) * M
        node["metadata"]["creationTimestamp"] = lab.at(ago)
        lab.condition(
            node, "Ready", "True", "KubeletReady", "kubelet is posting ready status", ago - 35, 20
        )
        for pod in lab.pods_on(node["metadata"]["name"]):
            pod["metadata"]["creationTimestamp"] = lab.at(ago - 31)
            if pod["metadata"]["namespace"] == "kube-system":
                continue
            lab.event(
                pod,
                "FailedCreatePodSandBox",
                "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup "
                "network for "
                'sandbox "12": plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed '
                "to assign an "
                "IP address to container",
                ago - 33,
            )
    gone: Obj = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "ip-10-88-99-5.us-east-2.compute.internal", "uid": lab.uid()},
    }
    lab.event(
        gone,
        "RemovingNode",
        "Node ip-10-88-99-5.us-east-2.compute.internal event: Removing Node from Controller",
        31 * M,
        type="Normal",
        source="node-controller",
    )
    lab.event(
        gone,
        "NodeNotReady",
        "Node ip-10-88-99-5.us-east-2.compute.internal status is now: NodeNotReady",
        32 * M,
        type="Normal",
        source="node-controller",
    )
    return lab.finish()


@case(None)
def many_cronjobs(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(now, "crons", "kube-flannel-ds", 5, "public", naming="{role}{i}", control=1)
    lab.namespace("batch")
    for i in range(18):
        often = i % 3 == 0
        cron = lab.cronjob(
            "batch",
            f"feed-{i:02d}",
            f"registry.public.example/feeds:{i}",
            "*/2 * * * *" if often else "17 * * * *",
            policy=("Forbid", "Allow", "Replace")[i % 3],
            last=50 if often else 43 * M,
        )
        for k in range(3):
            lab.job(cron, (50 + 120 * k) if often else 43 * M + H * k, lab.pick(1)[0], ran=30)
        if i == 4:
            lab.job(cron, 7 * H, lab.pick(1)[0], state="failed")
        if i == 9:
            lab.job(cron, 65, lab.pick(1)[0], state="active")
    return lab.finish()


@case(None)
def autoscaler_at_its_minimum(now: datetime, fault: bool) -> list[Obj]:
    lab, _, apps = cluster(now, "hpa", "gke", 4, "games", naming="gke-hpa-{x}")
    for name in ("lobby", "chat", "presence"):
        meta = apps[name].object["metadata"]
        n = apps[name].object["spec"]["replicas"]
        lab.add(
            "HorizontalPodAutoscaler",
            name,
            meta["namespace"],
            age=90 * D,
            body={
                "spec": {
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                    "minReplicas": n,
                    "maxReplicas": n * 3,
                    "metrics": [
                        {
                            "type": "Resource",
                            "resource": {
                                "name": "cpu",
                                "target": {"type": "Utilization", "averageUtilization": 70},
                            },
                        }
                    ],
                },
                "status": {
                    "currentReplicas": n,
                    "desiredReplicas": n,
                    "lastScaleTime": lab.at(12 * M),
                    "conditions": [
                        {
                            "type": "AbleToScale",
                            "status": "True",
                            "reason": "ScaleDownStabilized",
                            "message": "recent recommendations were higher than current one",
                            "lastTransitionTime": lab.at(90 * D),
                        },
                        {
                            "type": "ScalingActive",
                            "status": "True",
                            "reason": "ValidMetricFound",
                            "message": "ok",
                            "lastTransitionTime": lab.at(12 * M),
                        },
                        {
                            "type": "ScalingLimited",
                            "status": "True",
                            "reason": "TooFewReplicas",
                            "message": "the desired replica count is less than the minimum replica count",
                            "lastTransitionTime": lab.at(12 * M),
                        },
                    ],
                },
            },
        )
        lab.event(
            apps[name].object,
            "ScalingReplicaSet",
            f"Scaled down replica set {apps[name].sets[-1]['metadata']['name']} to {n} from "
            f"{n + 4}",
            12 * M,
            type="Normal",
            source="deployment-controller",
        )
        lab.add(
            "PodDisruptionBudget",
            name,
            meta["namespace"],
            age=90 * D,
            body={
                "spec": {"minAvailable": 1, "selector": apps[name].object["spec"]["selector"]},
                "status": {
                    "currentHealthy": n,
                    "desiredHealthy": 1,
                    "disruptionsAllowed": n - 1,
                    "expectedPods": n,
                    "observedGeneration": 1,
                },
            },
        )
    return lab.finish()


@case(None)
def autoscaler_adds_nodes(now: datetime, fault: bool) -> list[Obj]:
    lab, _, apps = cluster(now, "grow", "aks", 6, "media", naming="aks-burst-50-vmss0000{x}")
    extra = [
        lab.node(
            f"aks-burst-50-vmss0000{i}x",
            age=(95 - 20 * i) if i else 4 * M,
            zone="a",
            pool="general",
        )
        for i in range(3)
    ]
    for node in extra:
        lab.event(
            node,
            "RegisteredNode",
            "Registered Node in Controller",
            60,
            type="Normal",
            source="node-controller",
        )
    young = extra[2]
    lab.condition(
        young,
        "Ready",
        "False",
        "KubeletNotReady",
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
        "message:Network plugin returns error: cni plugin not initialized",
        25,
        10,
    )
    young["metadata"]["creationTimestamp"] = lab.at(25)
    lab.taint(young, "node.kubernetes.io/not-ready", 25)
    work = apps["packager"]
    for i in range(3):
        pod = lab.replica(
            work.sets[-1], extra[0]["metadata"]["name"] if i else None, 3 * M if i else 70
        )
        work.pods.append(pod)
        work.object["spec"]["replicas"] += 1
        if not i:
            lab.pending(
                pod,
                "0/8 nodes are available: 8 Insufficient cpu. preemption: 0/8 nodes are "
                "available: 8 No "
                "preemption victims found for incoming pod.",
                70,
            )
            lab.event(
                pod,
                "TriggeredScaleUp",
                "pod triggered scale-up: [{aks-burst 6->9 (max: 20)}]",
                60,
                type="Normal",
                source="cluster-autoscaler",
            )
    return lab.finish()


@case(None)
def big_batch_namespace(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(
        now,
        "batch",
        "cilium",
        30,
        "lab",
        naming="hpc-{role}-{i:03d}",
        control=3,
        cpu=64,
        memory_gi=512,
    )
    lab.namespace("sweeps")
    lab.add(
        "ResourceQuota",
        "compute",
        "sweeps",
        age=90 * D,
        body={
            "spec": {"hard": {"pods": "600", "requests.cpu": "1800"}},
            "status": {
                "hard": {"pods": "600", "requests.cpu": "1800"},
                "used": {"pods": "221", "requests.cpu": "884"},
            },
        },
    )
    template = lab.template(
        "fit",
        "registry.lab.example/sweeps/fit:2",
        cpu="4",
        memory="16Gi",
        memory_limit="20Gi",
        probe=False,
        spec={"restartPolicy": "Never"},
    )
    job = lab.add(
        "Job",
        "fit-2025-11",
        "sweeps",
        age=5 * H,
        manager="argo-workflows",
        body={
            "spec": {
                "parallelism": 200,
                "completions": 900,
                "backoffLimit": 40,
                "completionMode": "Indexed",
                "template": template,
                "suspend": False,
            },
            "status": {
                "active": 200,
                "ready": 200,
                "succeeded": 21,
                "failed": 2,
                "startTime": lab.at(5 * H),
            },
        },
    )
    for i in range(221):
        pod = lab.pod(
            f"fit-2025-11-{i}-{lab.code(5)}",
            "sweeps",
            template,
            lab.pick(1)[0],
            age=(5 * H if i < 21 else lab.rng.uniform(10 * M, 2 * H)),
            owner=job,
            labels={"batch.kubernetes.io/job-name": "fit-2025-11"},
        )
        if i < 21:
            lab.succeeded(pod, 2.5 * H, failed=i < 2, ran=2 * H)
    return lab.finish()


@case(None)
def k3s_on_one_board(now: datetime, fault: bool) -> list[Obj]:
    lab = Lab(now, "one-board", "v1.31.3+k3s1")
    base(lab, 400 * D)
    machines(
        lab,
        1,
        naming="raspi5",
        zones=(),
        age=400 * D,
        cpu=4,
        memory_gi=8,
        kernel="6.6.51+rpt-rpi-2712",
        os="Debian GNU/Linux 12 (bookworm)",
        labels={
            "node-role.kubernetes.io/control-plane": "true",
            "node-role.kubernetes.io/master": "true",
        },
    )
    system(lab, "k3s", 400 * D)
    applications(lab, "lab")
    lab.namespace("home")
    lab.deployment(
        "home",
        "assistant",
        "ghcr.io/home-assistant/home-assistant:2024.12",
        1,
        rolled=3 * D,
        strategy={"type": "Recreate"},
    )
    for pod in lab.pods_on("raspi5"):
        if pod["metadata"]["namespace"] == "kube-system":
            lab.died(pod, 9 * D, code=255, reason="Unknown", restarts=14, ran=20 * D)
    return lab.finish()


@case(None)
def server_started_minutes_ago(now: datetime, fault: bool) -> list[Obj]:
    """What the server makes by itself is minutes old; nodes and applications were loaded with their
    own ages."""
    lab = Lab(now, "loaded", "v1.34.1")
    base(lab, 4 * M)
    machines(lab, 8, naming="kube-{x}", age=120 * D)
    applications(lab, "bank", age=120 * D)
    return lab.finish()


@case(None)
def loaded_without_system_workloads(now: datetime, fault: bool) -> list[Obj]:
    lab = Lab(now, "loaded-2", "v1.34.1")
    base(lab, 90, system=False)
    lab.objects = [o for o in lab.objects if o["kind"] != "ClusterRole"]
    machines(lab, 40, naming="n{i:03d}", age=300 * D)
    applications(lab, "media", scale=4, age=200 * D)
    applications(lab, "retail", scale=2, age=200 * D)
    noise(lab)
    return lab.finish()


@case(None)
def a_large_quiet_cluster(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(
        now,
        "large",
        "eks",
        80,
        "retail",
        naming="ip-10-{i}-7-1.eu-west-1.compute.internal",
        scale=6,
        pools=("a", "b", "c", "d"),
    )
    for node in lab.nodes[:70:9]:
        node["status"]["conditions"].append(
            {
                "type": "KernelDeadlock",
                "status": "False",
                "reason": "KernelHasNoDeadlock",
                "message": "kernel has no deadlock",
                "lastTransitionTime": lab.at(30 * D),
                "lastHeartbeatTime": lab.at(60),
            }
        )
    lab.cordon(lab.nodes[11], 3 * D)
    return lab.finish()
