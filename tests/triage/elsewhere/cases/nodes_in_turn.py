"""Situations in which node after node fails: memory, CPU, the kubelet itself."""

from __future__ import annotations

from datetime import datetime

from tests.triage.elsewhere import flavours
from tests.triage.elsewhere.case import Truth, case
from tests.triage.elsewhere.objects import container, digest, pod_spec, text
from tests.triage.elsewhere.trouble import (
    SANDBOX,
    back_again,
    moved,
    name_of,
    ordinary,
    system_oom,
)
from tests.triage.elsewhere.world import World


@case("cpu-hot-node-kernel-panic", slack=8)
def cpu_burner_panics_one_node_after_another(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.gke(now, n=9, pods=100)
    spec = pod_spec(
        container("encode", "registry.corp.example/media/thumbs:0.9.44", cpu="", limit="")
    )
    w.rng.seed(99)
    burn = w.workload(
        "Deployment",
        "media-jobs",
        "thumbs",
        2,
        template=spec,
        nodes=[w.workers()[6], w.workers()[7]],
        rolled=w.ago(days=3),
    )
    hit = (w.workers()[0], w.workers()[3], w.workers()[6])
    if fault:
        for number, node in enumerate(hit):
            at = 52 - 20 * number
            w.event(
                node,
                "NodeNotReady",
                f"Node {name_of(node)} status is now: NodeNotReady",
                w.ago(at),
                type_="Normal",
                component="node-controller",
            )
            w.event(
                node,
                "Rebooted",
                f"Node {name_of(node)} has been rebooted, boot id: "
                f"{digest(name_of(node) + 'b')[7:43]}",
                w.ago(at - 4),
            )
            w.event(
                node,
                "NodeReady",
                f"Node {name_of(node)} status is now: NodeReady",
                w.ago(at - 3.6),
                type_="Normal",
            )
            w.event(node, "Starting", "Starting kubelet.", w.ago(at - 4.2), type_="Normal")
            node["status"]["nodeInfo"]["bootID"] = digest(name_of(node) + "b")[7:43]
            for one in node["status"]["conditions"]:
                if one["type"] == "Ready":
                    one["lastTransitionTime"] = text(w.ago(at - 3.6))
            ran = w.pod(burn, node, w.ago(at + 6)) if number < 2 else burn.pods[0]
            for pod in w.on(name_of(node)):
                for which in range(len(pod["spec"]["containers"])):
                    if datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) < w.ago(at):
                        w.restarted(pod, w.ago(at - 4), code=255, reason="Unknown", which=which)
                w.event(pod, "SandboxChanged", SANDBOX, w.ago(at - 3.9), type_="Normal")
            if number < 2:
                w.event(
                    ran,
                    "Scheduled",
                    f"Successfully assigned media-jobs/{ran['metadata']['name']} to "
                    f"{name_of(node)}",
                    w.ago(at + 6),
                    type_="Normal",
                    component="default-scheduler",
                )
    return w, Truth(w.ago(52), (("owner", "Deployment media-jobs/thumbs"),))


@case("cpu-hot-node-kernel-panic", slack=8)
def the_third_node_is_down_now(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=11, pods=130)
    spec = pod_spec(
        container("simulate", "registry.corp.example/data/montecarlo:2.2", cpu="", limit="")
    )
    hot = w.workload(
        "StatefulSet",
        "quant",
        "montecarlo",
        2,
        template=spec,
        nodes=[w.workers()[8], w.workers()[9]],
        rolled=w.ago(days=1),
    )
    hit = (w.workers()[2], w.workers()[4], w.workers()[8])
    if fault:
        for number, node in enumerate(hit[:2]):
            at = 49 - 21 * number
            w.event(
                node,
                "Rebooted",
                f"Node {name_of(node)} has been rebooted, boot id: "
                f"{digest(name_of(node) + 'x')[7:43]}",
                w.ago(at - 5),
            )
            back_again(w, node, at, at - 4.8)
            old = w.pod(hot, node, w.ago(at + 7), index=0)
            for pod in w.on(name_of(node)):
                if datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) < w.ago(at):
                    for which in range(len(pod["spec"]["containers"])):
                        w.restarted(pod, w.ago(at - 5), code=255, reason="Unknown", which=which)
                    w.event(pod, "SandboxChanged", SANDBOX, w.ago(at - 4.6), type_="Normal")
            w.objects.remove(old)  # evicted meanwhile, only its event is left
            w.event(
                old,
                "Scheduled",
                f"Successfully assigned quant/{old['metadata']['name']} to {name_of(node)}",
                w.ago(at + 7),
                type_="Normal",
                component="default-scheduler",
            )
            w.event(
                old,
                "TaintManagerEviction",
                f"Marking for deletion Pod quant/{old['metadata']['name']}",
                w.ago(at - 4.9),
                type_="Normal",
            )
        hot.pods[0]["metadata"]["creationTimestamp"] = text(w.ago(14))
        w.ready(hit[2], "Unknown", w.ago(7))
    return w, Truth(
        w.ago(49), (("owner", "StatefulSet quant/montecarlo"), *(("node", name_of(n)) for n in hit))
    )


@case("kubelet-memory-leak", slack=12)
def leak_in_one_kubelet_version(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.rke2(now, n=18, pods=240)
    newer = w.nodes[15:]
    for node in newer:
        node["status"]["nodeInfo"]["kubeletVersion"] = "v1.28.12+rke2r1"
    if fault:
        for number, node in enumerate((newer[1], newer[4], newer[2], newer[5])):
            at = 38 - 9 * number
            w.event(
                node,
                "EvictionThresholdMet",
                "Attempting to reclaim memory",
                w.ago(at + 0.5),
                first=w.ago(at + 9),
                count=11,
            )
            system_oom(w, node, w.ago(at), "containerd")
            system_oom(w, node, w.ago(at - 0.2), "kubelet", pid=1422)
            w.event(node, "Starting", "Starting kubelet.", w.ago(at - 0.6), type_="Normal")
            for pod in w.on(name_of(node)):
                for which in range(len(pod["spec"]["containers"])):
                    w.restarted(pod, w.ago(at - 0.3), code=255, reason="Unknown", which=which)
                w.event(pod, "SandboxChanged", SANDBOX, w.ago(at - 1), type_="Normal")
            w.event(
                node,
                "NodeNotReady",
                f"Node {name_of(node)} status is now: NodeNotReady",
                w.ago(at - 0.1),
                type_="Normal",
                component="node-controller",
            )
            w.event(
                node,
                "NodeReady",
                f"Node {name_of(node)} status is now: NodeReady",
                w.ago(at - 1.4),
                type_="Normal",
            )
            for one in node["status"]["conditions"]:
                if one["type"] == "Ready":
                    one["lastTransitionTime"] = text(w.ago(at - 1.4))
    return w, Truth(w.ago(42), (("kubelet version", "v1.28.12+rke2r1"),))


@case("kubelet-memory-leak", slack=12)
def kernel_names_the_kubelet(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.gke(now, n=16, pods=200)
    newer = w.nodes[8:]
    for node in newer:
        node["status"]["nodeInfo"]["kubeletVersion"] = "v1.30.6-gke.1125000"
    if fault:
        for number, node in enumerate(newer[1:7]):
            at = 47 - 7 * number
            w.event(
                node,
                "OOMKilling",
                "Killed process 1187 (kubelet) total-vm:14980844kB, anon-rss:9663676kB, "
                "file-rss:0kB, shmem-rss:0kB",
                w.ago(at),
                component="kernel-monitor",
            )
            system_oom(w, node, w.ago(at), "kubelet", pid=1187)
            w.event(node, "Starting", "Starting kubelet.", w.ago(at - 0.4), type_="Normal")
            back_again(w, node, at - 0.1, at - 1)
    return w, Truth(w.ago(47), (("kubelet version", "v1.30.6-gke.1125000"),))


@case("nodes-notready-system-oom", slack=8)
def limitless_job_fells_nodes_in_turn(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.aks(now, n=12, pods=170)
    spec = pod_spec(
        container(
            "alerter",
            "registry.corp.example/observ/log-alerter:2.1",
            cpu="50m",
            memory="64Mi",
            limit="",
        )
    )
    hog = w.workload(
        "Deployment",
        "observability",
        "log-alerter",
        1,
        template=spec,
        born=w.ago(95),
        rolled=w.ago(95),
        nodes=[w.workers()[8]],
        by="Helm",
    )
    hog.object["metadata"]["annotations"]["meta.helm.sh/release-name"] = "log-alerter"
    hit = (w.workers()[1], w.workers()[4], w.workers()[6])
    if fault:
        w.objects.remove(hog.pods.pop())
        for number, node in enumerate(hit):
            at = 44 - 15 * number
            pod = w.pod(hog, node, w.ago(at + 5))
            w.event(
                pod,
                "Scheduled",
                f"Successfully assigned observability/{pod['metadata']['name']} to {name_of(node)}",
                w.ago(at + 5),
                type_="Normal",
                component="default-scheduler",
            )
            system_oom(w, node, w.ago(at), "python3", count=4, first=w.ago(at + 2))
            w.ready(node, "Unknown", w.ago(at - 1))
            for other in ordinary(w, node):
                if other is pod:
                    w.terminating(pod, w.ago(at - 6))
                else:
                    moved(w, other, w.ago(at - 6))
    return w, Truth(
        w.ago(45),
        (("owner", "Deployment observability/log-alerter"), *(("node", name_of(n)) for n in hit)),
    )


@case("nodes-notready-system-oom", slack=8)
def metrics_store_moves_and_kills(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=8, minor=27, pods=100)
    spec = pod_spec(
        container(
            "collector",
            "registry.corp.example/lab/collector:9",
            cpu="100m",
            memory="256Mi",
            limit="",
        )
    )
    hog = w.workload(
        "Deployment", "lab", "collector", 1, template=spec, rolled=w.ago(63), nodes=[w.workers()[5]]
    )
    hit = (w.workers()[0], w.workers()[2], w.workers()[5])
    if fault:
        hog.pods[0]["metadata"]["creationTimestamp"] = text(w.ago(16))
        for number, node in enumerate(hit):
            at = 50 - 19 * number
            if number < 2:
                gone = w.pod(hog, node, w.ago(at + 4))
                w.event(
                    gone,
                    "Scheduled",
                    f"Successfully assigned lab/{gone['metadata']['name']} to {name_of(node)}",
                    w.ago(at + 4),
                    type_="Normal",
                    component="default-scheduler",
                )
                w.evicted(
                    gone,
                    w.ago(at + 0.3),
                    "The node was low on resource: memory. Threshold quantity: 100Mi, available: "
                    "40Mi. Container collector was using 13312Mi, "
                    "request is 256Mi, has larger consumption of memory. ",
                )
            system_oom(w, node, w.ago(at), "java", count=3, first=w.ago(at + 1))
            back_again(w, node, at - 0.8, at - 6)
    return w, Truth(
        w.ago(51), (("owner", "Deployment lab/collector"), *(("node", name_of(n)) for n in hit))
    )
