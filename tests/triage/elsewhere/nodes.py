"""Situations in which nodes fail."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.triage.elsewhere import flavours
from tests.triage.elsewhere.case import Truth, case
from tests.triage.elsewhere.objects import Json, container, digest, managed, pod_spec, text
from tests.triage.elsewhere.world import World, Workload

SANDBOX = "Pod sandbox changed, it will be killed and re-created."
CNI_OFF = ("container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
           "message:Network plugin returns error: cni plugin not initialized")  # fmt: skip


def name_of(node: Json) -> str:
    return str(node["metadata"]["name"])


def ordinary(w: World, node: Json) -> list[Json]:
    """Pods of ReplicaSets and StatefulSets on a node, as taint eviction would take."""
    return [p for p in w.on(name_of(node)) if p["metadata"].get("ownerReferences", [{}])[0].get("kind") in ("ReplicaSet", "StatefulSet")]


def owner_of(w: World, pod: Json) -> Workload:
    return next(one for one in w.workloads if pod in one.pods)


def moved(w: World, pod: Json, at: datetime, to: Json | None = None) -> Json:
    """A replacement of `pod` on another node; the old one terminates there."""
    w.terminating(pod, at)
    w.event(pod, "TaintManagerEviction", f"Marking for deletion Pod {pod['metadata']['namespace']}/{pod['metadata']['name']}", at, type_="Normal",
            component="taint-eviction-controller")  # fmt: skip
    for one in pod["status"]["conditions"]:
        if one["type"] == "DisruptionTarget":
            return pod
    pod["status"]["conditions"].append({"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint", "lastTransitionTime": text(at)})  # fmt: skip
    target = to or next(n for n in w.workers() if name_of(n) != pod["spec"]["nodeName"])
    return w.pod(owner_of(w, pod), target, at + timedelta(seconds=2))


def system_oom(w: World, node: Json, at: datetime, victim: str, pid: int = 21841, count: int = 1, first: datetime | None = None) -> None:
    w.event(node, "SystemOOM", f"System OOM encountered, victim process: {victim}, pid: {pid}", at, first=first, count=count)


def pressure(w: World, node: Json, type_: str, since: datetime) -> None:
    reason = {"MemoryPressure": "KubeletHasInsufficientMemory", "DiskPressure": "KubeletHasDiskPressure"}[type_]
    for one in node["status"]["conditions"]:
        if one["type"] == type_:
            one.update(status="True", reason=reason, lastTransitionTime=text(since))
    key = {"MemoryPressure": "memory-pressure", "DiskPressure": "disk-pressure"}[type_]
    node["spec"].setdefault("taints", []).append({"key": f"node.kubernetes.io/{key}", "effect": "NoSchedule", "timeAdded": text(since)})


@case("container-runtime-crash-memory-leak")
def leaking_service_kills_containerd(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kops(now)
    spec = pod_spec(container("server", "registry.corp.example/identity/sessions:4.12.0", cpu="250m", memory="300Mi", limit=""))
    leak = w.workload("Deployment", "identity", "sessions", 6, template=spec, rolled=w.ago(days=2.4))
    w.service(leak)
    node = next(n for n in w.nodes if name_of(n) == leak.pods[0]["spec"]["nodeName"])
    if fault:
        w.event(node, "EvictionThresholdMet", "Attempting to reclaim memory", w.ago(19), first=w.ago(22), count=3)
        system_oom(w, node, w.ago(18.5), "containerd")
        w.evicted(leak.pods[0], w.ago(21), "The node was low on resource: memory. Threshold quantity: 100Mi, available: 61240Ki. "
                  "Container server was using 11861124Ki, request is 300Mi, has larger consumption of memory. ")  # fmt: skip
        w.pod(leak, w.workers()[2], w.ago(20.8))
        old = ordinary(w, node)
        w.ready(node, "False", w.ago(18), "[container runtime is down, PLEG is not healthy: pleg was last seen active 16m12s ago; threshold is 3m0s]")
        for number, pod in enumerate(p for p in old if p["status"]["phase"] == "Running"):
            w.event(pod, "SandboxChanged", SANDBOX, w.ago(17.5), type_="Normal")
            if number < 5:
                moved(w, pod, w.ago(13), w.workers()[number % 3])
            else:
                w.terminating(pod, w.ago(13))
                w.unschedulable(owner_of(w, pod), w.ago(12.9), "0/19 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }, "
                                "3 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 15 Insufficient memory. preemption: 0/19 nodes are available: "
                                "15 No preemption victims found for incoming pod, 4 Preemption is not helpful for scheduling..", index=90 + number)  # fmt: skip
    return w, Truth(w.ago(20), (("node", name_of(node)),))


@case("container-runtime-crash-memory-leak")
def dockerd_dies_and_comes_back(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=14, minor=24, docker=True, cni="flannel", pods=220)
    spec = pod_spec(container("jvm", "registry.corp.example/erp/posting-engine:7.2", cpu="500m", memory="1Gi", limit=""))
    leak = w.workload("Deployment", "erp", "posting-engine", 5, template=spec, rolled=w.ago(days=6))
    node = next(n for n in w.nodes if name_of(n) == leak.pods[1]["spec"]["nodeName"])
    if fault:
        pressure_at = w.ago(13)
        w.event(node, "NodeHasInsufficientMemory", f"Node {name_of(node)} status is now: NodeHasInsufficientMemory", pressure_at, type_="Normal")
        w.event(node, "EvictionThresholdMet", "Attempting to reclaim memory", w.ago(11.5), first=pressure_at, count=4)
        system_oom(w, node, w.ago(11.2), "dockerd")
        for pod in w.on(name_of(node)):
            if pod["status"]["phase"] != "Running":
                continue
            for which in range(len(pod["spec"]["containers"])):
                w.restarted(pod, w.ago(11, seconds=which * 3), code=137, reason="Error", which=which)
            w.event(pod, "SandboxChanged", SANDBOX, w.ago(10.5), type_="Normal")
        for one in node["status"]["conditions"]:
            if one["type"] == "Ready":
                one["lastTransitionTime"] = text(w.ago(9.5))
        w.event(node, "NodeNotReady", f"Node {name_of(node)} status is now: NodeNotReady", w.ago(11), type_="Normal")
        w.event(node, "NodeReady", f"Node {name_of(node)} status is now: NodeReady", w.ago(9.5), type_="Normal")
    return w, Truth(w.ago(12), (("node", name_of(node)),))


@case("container-runtime-hung")
def crio_stops_answering(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.openshift(now)
    node = w.workers()[3]
    if fault:
        w.ready(node, "False", w.ago(16), "PLEG is not healthy: pleg was last seen active 19m3.402s ago; threshold is 3m0s")
        stuck = ordinary(w, node)[:4]
        for pod in stuck:
            moved(w, pod, w.ago(11), w.workers()[0])
            w.event(pod, "Killing", f"Stopping container {pod['spec']['containers'][0]['name']}", w.ago(11), type_="Normal")
        for number, one in enumerate([x for x in w.workloads if x.kind == "Deployment"][8:12]):
            pod = w.pod(one, node, w.ago(18 - number * 0.5))
            w.waiting(pod, w.ago(18 - number * 0.5), "ContainerCreating", sandbox=False)
            w.event(pod, "FailedCreatePodSandBox", "Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = context deadline exceeded", w.ago(14),
                    first=w.ago(16), count=2)  # fmt: skip
            w.event(pod, "FailedCreatePodSandBox", "Failed to create pod sandbox: rpc error: code = Unknown desc = error reserving pod name k8s_"
                    f"{pod['metadata']['name']}_0 for id 5f2a: name is reserved", w.ago(0.5), first=w.ago(13.5), count=55)  # fmt: skip
    return w, Truth(w.ago(18), (("node", name_of(node)),))


@case("container-runtime-hung")
def containerd_hangs_while_node_says_ready(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.gke(now, n=22, pods=320)
    node = w.workers()[7]
    if fault:
        for number, one in enumerate([x for x in w.workloads if x.kind == "Deployment" and x.namespace in ("web", "jobs", "realtime")][3:9]):
            pod = w.pod(one, node, w.ago(13 - number))
            w.waiting(pod, w.ago(13 - number), "ContainerCreating", sandbox=False)
            w.event(pod, "FailedCreatePodSandBox", "Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = failed to start sandbox container task "
                    '"a81c": context deadline exceeded', w.ago(9 - number), count=1)  # fmt: skip
            w.event(pod, "FailedCreatePodSandBox", "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to reserve sandbox name "
                    f'"{pod["metadata"]["name"]}_{one.namespace}_0": name "{pod["metadata"]["name"]}_{one.namespace}_0" is reserved for "a81c"', w.ago(0.3),
                    first=w.ago(8 - number), count=30)  # fmt: skip
        for pod in ordinary(w, node)[:3]:
            w.terminating(pod, w.ago(12))
            w.event(pod, "FailedKillPod", 'error killing pod: [failed to "KillContainer" for "app" with KillContainerError: "rpc error: code = DeadlineExceeded '
                    'desc = context deadline exceeded"]', w.ago(1), first=w.ago(10), count=9)  # fmt: skip
    return w, Truth(w.ago(13), (("node", name_of(node)),))


@case("cpu-hot-node-kernel-panic", slack=8)
def cpu_burner_panics_one_node_after_another(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.gke(now, n=9, pods=100)
    spec = pod_spec(container("encode", "registry.corp.example/media/thumbs:0.9.44", cpu="", limit=""))
    w.rng.seed(99)
    burn = w.workload("Deployment", "media-jobs", "thumbs", 2, template=spec, nodes=[w.workers()[6], w.workers()[7]], rolled=w.ago(days=3))
    hit = (w.workers()[0], w.workers()[3], w.workers()[6])
    if fault:
        for number, node in enumerate(hit):
            at = 52 - 20 * number
            w.event(node, "NodeNotReady", f"Node {name_of(node)} status is now: NodeNotReady", w.ago(at), type_="Normal", component="node-controller")
            w.event(node, "Rebooted", f"Node {name_of(node)} has been rebooted, boot id: {digest(name_of(node) + 'b')[7:43]}", w.ago(at - 4))
            w.event(node, "NodeReady", f"Node {name_of(node)} status is now: NodeReady", w.ago(at - 3.6), type_="Normal")
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
                w.event(ran, "Scheduled", f"Successfully assigned media-jobs/{ran['metadata']['name']} to {name_of(node)}", w.ago(at + 6), type_="Normal",
                        component="default-scheduler")  # fmt: skip
    return w, Truth(w.ago(52), (("owner", "Deployment media-jobs/thumbs"),))


@case("kubelet-memory-leak", slack=12)
def leak_in_one_kubelet_version(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.rke2(now, n=18, pods=240)
    newer = w.nodes[12:]
    for node in newer:
        node["status"]["nodeInfo"]["kubeletVersion"] = "v1.28.12+rke2r1"
    if fault:
        for number, node in enumerate((newer[1], newer[4], newer[2], newer[5])):
            at = 38 - 9 * number
            w.event(node, "EvictionThresholdMet", "Attempting to reclaim memory", w.ago(at + 0.5), first=w.ago(at + 9), count=11)
            system_oom(w, node, w.ago(at), "containerd")
            system_oom(w, node, w.ago(at - 0.2), "kubelet", pid=1422)
            w.event(node, "Starting", "Starting kubelet.", w.ago(at - 0.6), type_="Normal")
            for pod in w.on(name_of(node)):
                for which in range(len(pod["spec"]["containers"])):
                    w.restarted(pod, w.ago(at - 0.3), code=255, reason="Unknown", which=which)
                w.event(pod, "SandboxChanged", SANDBOX, w.ago(at - 1), type_="Normal")
            w.event(node, "NodeNotReady", f"Node {name_of(node)} status is now: NodeNotReady", w.ago(at - 0.1), type_="Normal", component="node-controller")
            w.event(node, "NodeReady", f"Node {name_of(node)} status is now: NodeReady", w.ago(at - 1.4), type_="Normal")
            for one in node["status"]["conditions"]:
                if one["type"] == "Ready":
                    one["lastTransitionTime"] = text(w.ago(at - 1.4))
    return w, Truth(w.ago(42), (("kubelet version", "v1.28.12+rke2r1"),))


@case("node-disk-full-container-logs")
def logs_fill_the_disk(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=10, minor=25, docker=True, pods=140)
    spec = pod_spec(container("gateway", "registry.corp.example/lab/mqtt-gateway:1.0", limit="1Gi"))
    chatty = w.workload("Deployment", "lab", "mqtt-gateway", 2, template=spec, rolled=w.ago(days=9))
    node = next(n for n in w.nodes if name_of(n) == chatty.pods[0]["spec"]["nodeName"])
    if fault:
        pressure(w, node, "DiskPressure", w.ago(17))
        w.event(node, "NodeHasDiskPressure", f"Node {name_of(node)} status is now: NodeHasDiskPressure", w.ago(17), type_="Normal")
        w.event(node, "EvictionThresholdMet", "Attempting to reclaim ephemeral-storage", w.ago(1), first=w.ago(17.2), count=70)
        w.event(node, "FreeDiskSpaceFailed", "Failed to garbage collect required amount of images. Attempted to free 9663676416 bytes, but only found 0 bytes "
                "eligible to free.", w.ago(2), first=w.ago(21), count=4)  # fmt: skip
        w.event(node, "ImageGCFailed", "Failed to garbage collect required amount of images. Attempted to free 9663676416 bytes, but only found 0 bytes eligible "
                "to free.", w.ago(2), first=w.ago(21), count=4)  # fmt: skip
        for number, pod in enumerate(ordinary(w, node)):
            own = pod in chatty.pods
            used = "51239816Ki" if own else "48Ki"
            w.evicted(pod, w.ago(16 - number * 1.2), "The node was low on resource: ephemeral-storage. Threshold quantity: 4293918720, available: 3122004Ki. "
                      f"Container {pod['spec']['containers'][0]['name']} was using {used}, request is 0, has larger consumption of ephemeral-storage. ")  # fmt: skip
            w.pod(owner_of(w, pod), next(n for n in w.workers() if n is not node), w.ago(16 - number * 1.2))
    return w, Truth(w.ago(18), (("node", name_of(node)),))


@case("cni-not-ready-on-new-node")
def calico_not_up_on_new_nodes(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=10, minor=29, pods=150, cni="calico")
    fresh = [w.node(f"srv{70 + k}.dc2.corp.example", w.ago(26 - k), kubelet="v1.29.4", kernel="5.15.0-113-generic", os="Ubuntu 22.04.4 LTS",
                    runtime="containerd://1.6.32", manager="kubeadm") for k in range(2)]  # fmt: skip
    agents = [x for x in w.workloads if x.name in ("calico-node", "kube-proxy", "node-exporter")]
    first = w.ago(25)
    for node in fresh:
        for one in agents:
            pod = w.pod(one, node, w.ago(25.5))
            if fault and one.name == "calico-node":
                w.unhealthy(pod, w.ago(24), "calico/node is not ready: BIRD is not ready: Failed to stat() nodename file: stat /var/lib/calico/nodename: no such "
                            "file or directory", count=140)  # fmt: skip
    for number, one in enumerate([x for x in w.workloads if x.kind == "Deployment" and x.namespace in ("erp", "hr", "lab")][:7]):
        pod = w.pod(one, fresh[number % 2], w.ago(20 - number))
        if fault:
            w.waiting(pod, w.ago(20 - number), "ContainerCreating", sandbox=False)
            w.event(pod, "FailedCreatePodSandBox", 'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "91ad": plugin '
                    'type="calico" failed (add): stat /var/lib/calico/nodename: no such file or directory: check that the calico/node container is running and has '
                    "mounted /var/lib/calico/", w.ago(0.4), first=w.ago(19.8 - number), count=80)  # fmt: skip
    return w, Truth(first, (("node", name_of(fresh[0])), ("node", name_of(fresh[1])), ("node created after", ""), ("created after", "")))


@case("cni-not-ready-on-new-node")
def pods_before_network_on_scaled_up_nodes(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=20, minor=30, pods=260)
    sample = w.nodes[1]
    labels = {k: v for k, v in sample["metadata"]["labels"].items() if "hostname" not in k}
    fresh = [w.node(f"ip-10-32-{200 + k}-9.eu-west-1.compute.internal", w.ago(11 - k * 0.5), kubelet="v1.30.6-eks-1552ad0", kernel="5.10.219-208.866.amzn2.x86_64",
                    os="Amazon Linux 2", runtime="containerd://1.7.11", labels=labels) for k in range(3)]  # fmt: skip
    for node in fresh:
        for one in [x for x in w.workloads if x.name in ("aws-node", "kube-proxy", "ebs-csi-node", "fluent-bit")]:
            pod = w.pod(one, node, w.ago(10.5))
            if fault and one.name == "aws-node":
                w.crash_loop(pod, w.ago(10), code=1, times=5)
        if fault:
            w.ready(node, "False", datetime.fromisoformat(node["metadata"]["creationTimestamp"]), CNI_OFF, event=False)
            for number, one in enumerate([x for x in w.workloads if x.kind == "Deployment" and x.namespace == "search"][:2]):
                pod = w.pod(one, node, w.ago(9 - number))
                w.waiting(pod, w.ago(9 - number), "ContainerCreating", sandbox=False)
                w.event(pod, "NetworkNotReady", f"network is not ready: {CNI_OFF}", w.ago(0.2), first=w.ago(9 - number), count=200)
    return w, Truth(w.ago(11), (("node created after", ""),))


@case("nodes-notready-system-oom", slack=8)
def limitless_job_fells_nodes_in_turn(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.aks(now, n=12, pods=170)
    spec = pod_spec(container("alerter", "registry.corp.example/observ/log-alerter:2.1", cpu="50m", memory="64Mi", limit=""))
    hog = w.workload("Deployment", "observability", "log-alerter", 1, template=spec, born=w.ago(95), rolled=w.ago(95), nodes=[w.workers()[8]], by="Helm")
    hog.object["metadata"]["annotations"]["meta.helm.sh/release-name"] = "log-alerter"
    hit = (w.workers()[1], w.workers()[4], w.workers()[6])
    if fault:
        w.objects.remove(hog.pods.pop())
        for number, node in enumerate(hit):
            at = 44 - 15 * number
            pod = w.pod(hog, node, w.ago(at + 5))
            w.event(pod, "Scheduled", f"Successfully assigned observability/{pod['metadata']['name']} to {name_of(node)}", w.ago(at + 5), type_="Normal",
                    component="default-scheduler")  # fmt: skip
            system_oom(w, node, w.ago(at), "python3", count=4, first=w.ago(at + 2))
            w.ready(node, "Unknown", w.ago(at - 1))
            for other in ordinary(w, node):
                if other is pod:
                    w.terminating(pod, w.ago(at - 6))
                else:
                    moved(w, other, w.ago(at - 6), w.workers()[number])
    return w, Truth(w.ago(45), (("owner", "Deployment observability/log-alerter"), *(("node", name_of(n)) for n in hit)))


@case("cluster-upgrade-breaks-cluster")
def new_node_image_does_not_come_up(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.aks(now, n=14, minor=28, pods=180, patch=9)
    fresh = [w.node(f"aks-nodepool1-31718369-vmss{40 + k:06x}", w.ago(34 - 4 * k), kubelet="v1.29.7", kernel="5.15.0-1071-azure", os="Ubuntu 22.04.5 LTS",
                    runtime="containerd://1.7.22-1", manager="Go-http-client", labels={"kubernetes.azure.com/agentpool": "nodepool1", "agentpool": "nodepool1",
                    "node.kubernetes.io/instance-type": "Standard_D4s_v5"}) for k in range(4)]  # fmt: skip
    for node in fresh:
        for one in [x for x in w.workloads if x.kind == "DaemonSet"]:
            pod = w.pod(one, node, w.ago(28))
            if fault and one.name == "azure-cns":
                w.crash_loop(pod, w.ago(27), code=255, times=9)
    if fault:
        for k, node in enumerate(fresh):
            w.ready(node, "False", w.ago(33.8 - 4 * k), CNI_OFF)
        for node in w.nodes[:2]:
            w.cordon(node, w.ago(36), manager="Go-http-client")
            for pod in ordinary(w, node)[:5]:
                w.objects.remove(pod)
                owner_of(w, pod)
                w.unschedulable(owner_of(w, pod), w.ago(24), "0/18 nodes are available: 2 node(s) were unschedulable, 4 node(s) had untolerated taint "
                                "{node.kubernetes.io/not-ready: }, 12 Insufficient cpu. preemption: 0/18 nodes are available: 18 Preemption is not helpful for scheduling.")  # fmt: skip
    return w, Truth(w.ago(33), (("kubelet version", "v1.29.7"), ("runtime", "containerd://1.7.22-1"), ("kernel", "5.15.0-1071-azure")))


@case("cluster-upgrade-breaks-cluster")
def agent_rollout_breaks_node_after_node(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kops(now, n=18, pods=240)
    agent = next(x for x in w.workloads if x.name == "cilium")
    if fault:
        agent.object["metadata"]["generation"] = 7
        agent.object["metadata"]["managedFields"].append(managed("kops-channels", w.ago(24), {"f:spec": {"f:template": {"f:spec": {"f:containers": {
            'k:{"name":"cilium"}': {"f:image": {}}}}}}}, operation="Apply", version="apps/v1"))  # fmt: skip
        agent.object["spec"]["template"]["spec"]["containers"][0]["image"] = "quay.io/cilium/cilium:v1.14.12"
        w.add("ControllerRevision", "kube-system", "cilium-7c9d5b", w.ago(24), owner=agent.object, revision=2, data={"spec": {}})
        broken = agent.pods[3:13]
        for number, pod in enumerate(broken):
            at = 23.5 - number * 1.2
            w.objects.remove(pod)
            node = next(n for n in w.nodes if name_of(n) == pod["spec"]["nodeName"])
            agent.labels = agent.labels | {"controller-revision-hash": "7c9d5b"}
            agent.template["containers"][0]["image"] = "quay.io/cilium/cilium:v1.14.12"
            new = w.pod(agent, node, w.ago(at))
            w.crash_loop(new, w.ago(at - 0.5), code=1, times=7)
            w.ready(node, "False", w.ago(at - 1), CNI_OFF)
            for victim in ordinary(w, node)[:2]:
                w.waiting(victim, w.ago(at - 2), "ContainerCreating", sandbox=False)
                w.event(victim, "NetworkNotReady", f"network is not ready: {CNI_OFF}", w.ago(0.4), first=w.ago(at - 2), count=60)
        agent.object["status"] = {"updatedNumberScheduled": len(broken)}
    return w, Truth(w.ago(23), (("image", "quay.io/cilium/cilium:v1.14.12"), ("owner", "DaemonSet kube-system/cilium"), ("revision", "7c9d5b")))
