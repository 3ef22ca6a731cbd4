"""Faults of machines: runtimes, kubelets, memory, processors, disks."""

from __future__ import annotations

from datetime import datetime

from tests.triage.elsewhere.second.ground import cluster
from tests.triage.elsewhere.second.lab import D, H, M, Obj
from tests.triage.elsewhere.second.registry import case


@case("container-runtime-crash-memory-leak", twin=True)
def aks_runtime_down_after_leak(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(
        now,
        "aks-leak",
        "aks",
        6,
        "retail",
        naming="aks-user1-31822-vmss00000{i}",
        runtime="containerd://1.7.23-1",
        kernel="5.15.0-1075-azure",
    )
    lab.namespace("pricing")
    leak = lab.deployment(
        "pricing",
        "quote-engine",
        "acr.example/pricing/quote-engine:2.44.0",
        6,
        rolled=19 * H,
        nodes=[n["metadata"]["name"] for n in lab.nodes],
        memory_limit=None,
        memory="300Mi",
    )
    if not fault:
        return lab.finish()
    bad = lab.nodes[3]
    name = bad["metadata"]["name"]
    lab.event(
        bad,
        "SystemOOM",
        "System OOM encountered, victim process: dotnet, pid: 91822",
        14 * M,
        first=16 * M,
        count=3,
    )
    lab.event(
        bad, "SystemOOM", "System OOM encountered, victim process: containerd, pid: 1411", 13 * M
    )
    for i, pod in enumerate(lab.pods_on(name)):
        lab.died(
            pod,
            12 * M + 7 * (i % 9),
            code=255 if i % 3 else 137,
            reason="Unknown" if i % 3 else "Error",
            restarts=1,
            ran=3 * D,
            back=150,
        )
        lab.event(
            pod,
            "SandboxChanged",
            "Pod sandbox changed, it will be killed and re-created.",
            9 * M,
            type="Normal",
        )
    lab.not_ready(bad, "container runtime is down", 6 * M)
    lab.event(
        bad,
        "ContainerGCFailed",
        'rpc error: code = Unavailable desc = connection error: desc = "transport: Error while '
        "dialing: "
        'dial unix /run/containerd/containerd.sock: connect: connection refused"',
        40,
        first=6 * M,
        count=6,
    )
    waiting = lab.replica(leak.sets[-1], None, 55)
    lab.pending(
        waiting,
        "0/6 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: "
        "}, 5 "
        "Insufficient memory. preemption: 0/6 nodes are available: 6 No preemption victims found "
        "for "
        "incoming pod.",
        55,
    )
    leak.pods.append(waiting)
    return lab.finish()


@case("replicas-packed-on-one-node", twin=True)
def gke_replicas_side_by_side(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(
        now,
        "gke-packed",
        "gke",
        9,
        "bank",
        naming="gke-prod-pool-2-7c1f-{x}",
        os="Container-Optimized OS from Google",
        kernel="6.1.100+",
    )
    lab.namespace("sessions")
    prefer = {
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 100,
                        "podAffinityTerm": {
                            "topologyKey": "kubernetes.io/hostname",
                            "labelSelector": {
                                "matchLabels": {"app.kubernetes.io/name": "session-store"}
                            },
                        },
                    }
                ]
            }
        }
    }
    one = lab.nodes[4]["metadata"]["name"]
    spread = [n["metadata"]["name"] for n in lab.nodes[2:6]]
    store = lab.deployment(
        "sessions",
        "session-store",
        "eu.gcr.io/acme/session-store:14",
        4,
        rolled=47 * M,
        nodes=[one] * 4 if fault else spread,
        spec=prefer,
        manager="kubectl-client-side-apply",
    )
    lab.event(
        store.object,
        "ScalingReplicaSet",
        f"Scaled up replica set {store.sets[-1]['metadata']['name']} to 4 from 3",
        45 * M,
        type="Normal",
        source="deployment-controller",
    )
    if fault:
        for node in lab.nodes:
            if node["metadata"]["name"] != one:
                lab.deployment(
                    "sessions",
                    f"warm-{node['metadata']['name'][-3:]}",
                    "eu.gcr.io/acme/warm:3",
                    1,
                    nodes=[node["metadata"]["name"]],
                    cpu="3200m",
                    memory="2Gi",
                    memory_limit="2Gi",
                    service=False,
                )
    return lab.finish()


@case("cpu-hot-node-kernel-panic", twin=True)
def hetzner_nodes_panic_in_turn(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(
        now,
        "hetzner-panic",
        "kube-flannel-ds",
        7,
        "games",
        naming="fsn1-{role}-{i}",
        control=1,
        cpu=8,
        instance="cpx41",
        kernel="5.10.0-32-amd64",
        os="Debian GNU/Linux 11 (bullseye)",
    )
    lab.namespace("replay")
    workers = [n for n in lab.nodes if "-w-" in n["metadata"]["name"]]
    names = [n["metadata"]["name"] for n in workers]
    hot = lab.deployment(
        "replay",
        "replay-encoder",
        "ghcr.io/guild/replay-encoder:0.9",
        4,
        rolled=2 * D,
        nodes=[names[1], names[2], names[4], names[4]],
        cpu=None,
        memory="200Mi",
        service=False,
        pod_ages=[71 * M, 38 * M, 12 * M, 12 * M] if fault else [2 * D] * 4,
    )
    if not fault:
        return lab.finish()
    for node, down, back in ((workers[1], 66 * M, 61 * M), (workers[2], 33 * M, 28 * M)):
        name = node["metadata"]["name"]
        boot = lab.uid()
        node["status"]["nodeInfo"]["bootID"] = boot
        lab.event(
            node,
            "NodeNotReady",
            f"Node {name} status is now: NodeNotReady",
            down,
            type="Normal",
            source="node-controller",
        )
        lab.event(node, "Starting", "Starting kubelet.", back + 20, type="Normal")
        lab.event(node, "Rebooted", f"Node {name} has been rebooted, boot id: {boot}", back + 15)
        lab.event(node, "NodeReady", f"Node {name} status is now: NodeReady", back, type="Normal")
        lab.condition(
            node, "Ready", "True", "KubeletReady", "kubelet is posting ready status", back, 40
        )
        for pod in lab.pods_on(name):
            if pod["metadata"]["creationTimestamp"] < lab.at(down):
                lab.died(pod, back + 10, code=255, reason="Unknown", ran=4 * D, restarts=1)
                lab.event(
                    pod,
                    "SandboxChanged",
                    "Pod sandbox changed, it will be killed and re-created.",
                    back,
                    type="Normal",
                )
    lab.unknown(workers[4], 3 * M)
    del hot
    return lab.finish()


@case("kubelet-memory-leak", twin=True)
def rke2_kubelet_grows(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(
        now,
        "rke2-kubelet",
        "calico-node",
        16,
        "public",
        naming="rke2-{role}-{i:02d}.dc2.example",
        control=3,
        version="v1.30.6+rke2r1",
        memory_gi=32,
        cpu=8,
        os="SUSE Linux Enterprise Server 15 SP5",
        kernel="5.14.21-150500.55-default",
        zones=(),
    )
    workers = [n for n in lab.nodes if "-w-" in n["metadata"]["name"]]
    newer = workers[6:12]
    for node in newer:
        node["status"]["nodeInfo"]["kubeletVersion"] = "v1.30.8+rke2r1"
    if not fault:
        return lab.finish()
    for node, ago, victim, now_bad in (
        (newer[0], 50 * M, "kubelet", False),
        (newer[3], 21 * M, "containerd", False),
        (newer[1], 5 * M, "containerd", True),
    ):
        name = node["metadata"]["name"]
        lab.event(
            node,
            "SystemOOM",
            f"System OOM encountered, victim process: {victim}, pid: {lab.rng.randint(900, 3000)}",
            ago,
            first=ago + 20,
            count=2,
        )
        lab.event(node, "Starting", "Starting kubelet.", ago - 25, type="Normal")
        for i, pod in enumerate(lab.pods_on(name)):
            lab.died(
                pod, ago - 10 - i % 5, code=255, reason="Unknown", ran=6 * D, restarts=1, back=30
            )
            lab.event(
                pod,
                "SandboxChanged",
                "Pod sandbox changed, it will be killed and re-created.",
                ago - 40,
                type="Normal",
            )
        if now_bad:
            lab.not_ready(node, "container runtime is down", ago - 20)
        else:
            lab.event(
                node,
                "NodeNotReady",
                f"Node {name} status is now: NodeNotReady",
                ago - 5,
                type="Normal",
            )
            lab.event(
                node, "NodeReady", f"Node {name} status is now: NodeReady", ago - 90, type="Normal"
            )
            lab.condition(
                node,
                "Ready",
                "True",
                "KubeletReady",
                "kubelet is posting ready status",
                ago - 90,
                30,
            )
    return lab.finish()


@case("container-runtime-hung", twin=True)
def bare_metal_runtime_freezes(now: datetime, fault: bool) -> list[Obj]:
    lab, _, apps = cluster(
        now,
        "metal-hung",
        "cilium",
        12,
        "media",
        naming="blade-{role}{i:02d}",
        control=3,
        cpu=64,
        memory_gi=256,
        instance="r650",
        zones=("row-1", "row-2"),
        version="v1.29.12",
    )
    bad = next(n for n in lab.nodes if n["metadata"]["name"] == "blade-w07")
    if not fault:
        return lab.finish()
    name = bad["metadata"]["name"]
    running = lab.pods_on(name)
    for pod in [p for p in running if p["metadata"]["namespace"] in ("video", "player")][:2]:
        lab.terminating(pod, 17 * M)
        lab.event(
            pod,
            "FailedKillPod",
            'error killing pod: [failed to "KillContainer" for "app" with KillContainerError: '
            '"rpc error: '
            'code = DeadlineExceeded desc = context deadline exceeded"',
            2 * M,
            first=15 * M,
            count=5,
        )
    for app in ("packager", "ads"):
        stuck = lab.replica(apps[app].sets[-1], name, 16 * M)
        lab.waiting(stuck, "ContainerCreating", "", 16 * M, sandbox=False)
        lab.event(
            stuck,
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = context "
            "deadline exceeded",
            12 * M,
        )
        lab.event(
            stuck,
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to reserve "
            "sandbox name "
            f'"{stuck["metadata"]["name"]}_0": name "{stuck["metadata"]["name"]}_0" is reserved '
            'for "c19e"',
            25,
            first=11 * M,
            count=48,
        )
        apps[app].pods.append(stuck)
        apps[app].object["spec"]["replicas"] = apps[app].object["spec"]["replicas"] + (
            1 if app == "ads" else 0
        )
    lab.not_ready(
        bad,
        "PLEG is not healthy: pleg was last seen active 9m41s ago; threshold is 3m0s",
        6 * M + 40,
    )
    return lab.finish()


@case("node-disk-full-container-logs", twin=True, ranked_only=True)
def vsphere_logs_fill_disks(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(
        now,
        "vsphere-disk",
        "calico-node",
        8,
        "bank",
        naming="tkg-{role}-{x}",
        control=3,
        instance="best-effort-large",
        os="VMware Photon OS/Linux",
        kernel="5.10.212-4.ph4",
    )
    lab.namespace("trace")
    chatty = lab.deployment(
        "trace",
        "audit-relay",
        "harbor.example/trace/audit-relay:debug-77",
        4,
        rolled=7 * H,
        service=False,
    )
    if not fault:
        return lab.finish()
    hit = sorted({p["spec"]["nodeName"] for p in chatty.pods})[:3]
    for i, name in enumerate(hit):
        node = next(n for n in lab.nodes if n["metadata"]["name"] == name)
        since = (34 - 11 * i) * M
        lab.condition(
            node,
            "DiskPressure",
            "True",
            "KubeletHasDiskPressure",
            "kubelet has disk pressure",
            since,
        )
        node["spec"].setdefault("taints", []).append(
            {
                "key": "node.kubernetes.io/disk-pressure",
                "effect": "NoSchedule",
                "timeAdded": lab.at(since),
            }
        )
        lab.event(
            node,
            "NodeHasDiskPressure",
            f"Node {name} status is now: NodeHasDiskPressure",
            since,
            type="Normal",
        )
        lab.event(
            node,
            "EvictionThresholdMet",
            "Attempting to reclaim ephemeral-storage",
            50,
            first=since,
            count=40,
        )
        lab.event(
            node,
            "FreeDiskSpaceFailed",
            "Failed to garbage collect required amount of images. Attempted to free 6442450944 "
            "bytes, but "
            "only found 0 bytes eligible to free.",
            3 * M,
            first=since,
            count=5,
        )
        for pod in [
            p for p in lab.pods_on(name) if p["metadata"]["namespace"] not in ("kube-system",)
        ][:3]:
            lab.evicted(
                pod,
                since - 30,
                "The node was low on resource: ephemeral-storage. Threshold quantity: 8053063680, "
                "available: 6712340Ki. ",
            )
    fresh = lab.replica(chatty.sets[-1], None, 9 * M)
    lab.pending(
        fresh,
        "0/11 nodes are available: 3 node(s) had untolerated taint "
        "{node-role.kubernetes.io/control-plane: }, 3 node(s) had untolerated taint "
        "{node.kubernetes.io/disk-pressure: }, 5 Insufficient cpu.",
        9 * M,
    )
    chatty.pods.append(fresh)
    return lab.finish()


@case("nodes-notready-system-oom", twin=True)
def eks_nodes_out_of_memory_in_turn(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(
        now,
        "eks-oom",
        "eks",
        8,
        "media",
        naming="ip-10-61-{i}-44.eu-central-1.compute.internal",
        node_age=5 * D,
        instance="m6i.large",
        cpu=2,
        memory_gi=8,
    )
    lab.namespace("insights")
    names = [n["metadata"]["name"] for n in lab.nodes]
    hungry = lab.deployment(
        "insights",
        "log-query-alerts",
        "ghcr.io/acme/log-query-alerts:1.3.0",
        3,
        age=26 * H,
        rolled=80 * M,
        memory_limit=None,
        memory=None,
        cpu="50m",
        service=False,
        nodes=[names[0], names[2], names[6]],
        pod_ages=[62 * M, 36 * M, 11 * M] if fault else [80 * M] * 3,
        manager="helm",
    )
    if not fault:
        return lab.finish()
    for index, ago, down in ((0, 58 * M, False), (2, 31 * M, True), (6, 7 * M, True)):
        node = lab.nodes[index]
        name = node["metadata"]["name"]
        lab.event(
            node,
            "SystemOOM",
            "System OOM encountered, victim process: python3, pid: 22871",
            ago,
            first=ago + 200,
            count=4,
        )
        lab.event(
            node,
            "EvictionThresholdMet",
            "Attempting to reclaim memory",
            ago,
            first=ago + 60,
            count=3,
        )
        if down:
            lab.unknown(node, ago - 60)
        else:
            lab.event(
                node,
                "NodeNotReady",
                f"Node {name} status is now: NodeNotReady",
                ago - 30,
                type="Normal",
                source="node-controller",
            )
            lab.event(
                node,
                "NodeReady",
                f"Node {name} status is now: NodeReady",
                ago - 5 * M,
                type="Normal",
            )
            lab.condition(
                node,
                "Ready",
                "True",
                "KubeletReady",
                "kubelet is posting ready status",
                ago - 5 * M,
                30,
            )
    for pod in hungry.pods[:1]:
        lab.died(pod, 56 * M, code=137, reason="Error", restarts=2, ran=4 * M)
    return lab.finish()


@case("cpu-throttling-below-limit", silent=True)
def kops_throttled_on_old_kernel(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(
        now,
        "kops-cfs",
        "calico-node",
        22,
        "public",
        naming="ip-172-20-{i}-9-{role}.us-west-2.compute.internal",
        control=3,
        version="v1.24.17",
        kernel="4.14.336-257.566.amzn2.x86_64",
        os="Amazon Linux 2",
        runtime="docker://20.10.25",
        cpu=16,
    )
    lab.deployment(
        "portal",
        "gateway",
        "registry.example/portal/gateway:4.2",
        6,
        cpu="500m",
        cpu_limit="1",
        memory_limit="1Gi",
    )
    return lab.finish()


@case("log-shipper-stalled-on-node", silent=True)
def doks_one_shipper_silent(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(now, "doks-logs", "cilium", 7, "retail", naming="pool-n2{x}-r8{i}", zones=())
    lab.namespace("logging")
    lab.daemonset(
        "logging", "vector-agent", "timberio/vector:0.43.1-distroless-libc", host=False, probe=False
    )
    lab.statefulset(
        "logging",
        "opensearch",
        "opensearchproject/opensearch:2.18.0",
        3,
        claim="do-block-storage",
        driver="dobs.csi.digitalocean.com",
    )
    return lab.finish()
