"""Situations that a roll-out brings: of nodes, of agents, of applications."""

from __future__ import annotations

from datetime import datetime

from tests.triage.elsewhere import flavours
from tests.triage.elsewhere.case import Truth, case
from tests.triage.elsewhere.objects import container, digest, managed, pod_spec
from tests.triage.elsewhere.trouble import (
    CNI_OFF,
    moved,
    name_of,
    ordinary,
    owner_of,
)
from tests.triage.elsewhere.world import World


@case("cluster-upgrade-breaks-cluster")
def new_node_image_does_not_come_up(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.aks(now, n=14, minor=28, pods=180, patch=9)
    fresh = [
        w.node(
            f"aks-nodepool1-31718369-vmss{40 + k:06x}",
            w.ago(34 - 4 * k),
            kubelet="v1.29.7",
            kernel="5.15.0-1071-azure",
            os="Ubuntu 22.04.5 LTS",
            runtime="containerd://1.7.22-1",
            manager="Go-http-client",
            labels={
                "kubernetes.azure.com/agentpool": "nodepool1",
                "agentpool": "nodepool1",
                "node.kubernetes.io/instance-type": "Standard_D4s_v5",
            },
        )
        for k in range(4)
    ]
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
                w.unschedulable(
                    owner_of(w, pod),
                    w.ago(24),
                    "0/18 nodes are available: 2 node(s) were unschedulable, 4 node(s) had "
                    "untolerated taint "
                    "{node.kubernetes.io/not-ready: }, 12 Insufficient cpu. preemption: 0/18 "
                    "nodes are available: 18 Preemption is not helpful for scheduling.",
                )
    return w, Truth(
        w.ago(33),
        (
            ("kubelet version", "v1.29.7"),
            ("runtime", "containerd://1.7.22-1"),
            ("kernel", "5.15.0-1071-azure"),
        ),
    )


@case("cluster-upgrade-breaks-cluster")
def agent_rollout_breaks_node_after_node(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kops(now, n=18, pods=240)
    agent = next(x for x in w.workloads if x.name == "cilium")
    if fault:
        agent.object["metadata"]["generation"] = 7
        agent.object["metadata"]["managedFields"].append(
            managed(
                "kops-channels",
                w.ago(24),
                {
                    "f:spec": {
                        "f:template": {
                            "f:spec": {"f:containers": {'k:{"name":"cilium"}': {"f:image": {}}}}
                        }
                    }
                },
                operation="Apply",
                version="apps/v1",
            )
        )
        agent.object["spec"]["template"]["spec"]["containers"][0]["image"] = (
            "quay.io/cilium/cilium:v1.14.12"
        )
        w.add(
            "ControllerRevision",
            "kube-system",
            "cilium-7c9d5b",
            w.ago(24),
            owner=agent.object,
            revision=2,
            data={"spec": {}},
        )
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
                w.event(
                    victim,
                    "NetworkNotReady",
                    f"network is not ready: {CNI_OFF}",
                    w.ago(0.4),
                    first=w.ago(at - 2),
                    count=60,
                )
        agent.object["status"] = {"updatedNumberScheduled": len(broken)}
    return w, Truth(
        w.ago(23),
        (
            ("image", "quay.io/cilium/cilium:v1.14.12"),
            ("owner", "DaemonSet kube-system/cilium"),
            ("revision", "7c9d5b"),
        ),
    )


@case("cluster-upgrade-breaks-cluster")
def machine_config_takes_workers_down(now: datetime, fault: bool) -> tuple[World, Truth]:
    """Nodes updated in place: old Node objects, a new version, rebooted one after another, and none
    comes back."""
    w = flavours.openshift(now, n=12, pods=170)
    for number, node in enumerate(w.nodes[4:8] if fault else []):
        at = 41 - 9 * number
        node["status"]["nodeInfo"].update(
            kubeletVersion="v1.28.9+8ca3723",
            osImage="Red Hat Enterprise Linux CoreOS 415.92",
            kernelVersion="5.14.0-284.66.1.el9_2",
            containerRuntimeVersion="cri-o://1.28.6-2.rhaos4.15",
            bootID=digest(name_of(node) + "up")[7:43],
        )
        node["metadata"].setdefault("annotations", {})[
            "machineconfiguration.openshift.io/state"
        ] = "Degraded"
        w.event(
            node,
            "Rebooted",
            f"Node {name_of(node)} has been rebooted, boot id: "
            f"{digest(name_of(node) + 'up')[7:43]}",
            w.ago(at + 0.5),
        )
        w.ready(
            node,
            "False",
            w.ago(at),
            "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
            "message:Network plugin returns error: "
            "No CNI configuration file in /etc/kubernetes/cni/net.d/. Has your network provider "
            "started?",
        )
        for pod in w.on(name_of(node)):
            if pod["metadata"]["labels"].get("app") == "ovnkube-node":
                w.crash_loop(pod, w.ago(at - 0.5), code=1, times=8)
        for pod in ordinary(w, node)[:3]:
            moved(w, pod, w.ago(at - 5))
    return w, Truth(w.ago(41), (("kubelet version", "v1.28.9+8ca3723"),))


@case("errors-during-rollout", ranked_only=True)
def pods_killed_while_still_served(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=12, minor=30, pods=140)
    spec = pod_spec(
        container("web", "registry.corp.example/checkout/web:10.1", cpu="200m"),
        terminationGracePeriodSeconds=2,
    )
    one = w.workload("Deployment", "checkout", "web", 8, template=spec, rolled=w.ago(days=2))
    w.service(one)
    w.ingress("checkout", "web", "www.example.org", "web", "nginx")
    if fault:
        one.object["spec"]["strategy"]["rollingUpdate"] = {"maxSurge": 0, "maxUnavailable": "75%"}
        one.object["metadata"]["generation"] = 12
        one.object["metadata"]["managedFields"].append(
            managed(
                "argocd-controller",
                w.ago(7),
                {
                    "f:spec": {
                        "f:template": {
                            "f:spec": {"f:containers": {'k:{"name":"web"}': {"f:image": {}}}}
                        }
                    }
                },
                operation="Apply",
                version="apps/v1",
            )
        )
        new = pod_spec(
            container("web", "registry.corp.example/checkout/web:10.2", cpu="200m"),
            terminationGracePeriodSeconds=2,
        )
        old = list(one.pods)
        name = one.parent["metadata"]["name"]
        one.parent["spec"]["replicas"] = 2
        one.parent, one.template = (
            w.replica_set(one, "7dd58c4b9f", w.ago(7), 8, new, revision=4),
            new,
        )
        one.labels = one.labels | {"pod-template-hash": "7dd58c4b9f"}
        w.event(
            one.object,
            "ScalingReplicaSet",
            "Scaled up replica set web-7dd58c4b9f to 6 from 0",
            w.ago(7),
            type_="Normal",
            component="deployment-controller",
        )
        w.event(
            one.object,
            "ScalingReplicaSet",
            f"Scaled down replica set {name} to 2 from 8",
            w.ago(6.8),
            type_="Normal",
            component="deployment-controller",
        )
        for number, pod in enumerate(old[:6]):
            w.event(
                pod, "Killing", "Stopping container web", w.ago(6.8), type_="Normal", path="web"
            )
            w.event(
                pod,
                "Unhealthy",
                'Readiness probe failed: Get "http://10.32.1.8:8080/healthz": dial tcp '
                "10.32.1.8:8080: connect: connection refused",
                w.ago(6.7),
            )
            if number < 4:
                w.objects.remove(pod)
            else:
                w.terminating(pod, w.ago(0.4), grace=2)
            fresh = w.pod(one, w.workers()[number], w.ago(6.6 - number))
            if number > 2:
                w.unhealthy(
                    fresh,
                    w.ago(6.6 - number),
                    'Get "http://10.32.4.4:8080/healthz": dial tcp 10.32.4.4:8080: connect: '
                    "connection refused",
                    count=6,
                )
    return w, Truth(w.ago(7), (("owner", "Deployment checkout/web"),))


@case("errors-during-rollout", ranked_only=True)
def new_revision_half_out(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.gke(now, n=11, pods=130)
    spec = pod_spec(container("api", "registry.corp.example/payments/api:77"))
    one = w.workload("Deployment", "payments", "api", 6, template=spec, rolled=w.ago(days=3))
    w.service(one)
    w.ingress("payments", "api", "pay.example.org", "api", "gce")
    if fault:
        one.object["spec"]["strategy"]["rollingUpdate"] = {
            "maxSurge": "25%",
            "maxUnavailable": "50%",
        }
        one.object["metadata"]["managedFields"].append(
            managed(
                "helm",
                w.ago(9),
                {
                    "f:spec": {
                        "f:template": {
                            "f:spec": {"f:containers": {'k:{"name":"api"}': {"f:image": {}}}}
                        }
                    }
                },
                version="apps/v1",
            )
        )
        old = one.parent
        new = pod_spec(container("api", "registry.corp.example/payments/api:78"))
        one.parent, one.template = (
            w.replica_set(one, "68b7d5f4c9", w.ago(9), 5, new, revision=4),
            new,
        )
        one.labels = one.labels | {"pod-template-hash": "68b7d5f4c9"}
        old["spec"]["replicas"] = 3
        for number, pod in enumerate(one.pods[:3]):
            w.event(
                pod,
                "Killing",
                "Stopping container api",
                w.ago(8.8 - number),
                type_="Normal",
                path="api",
            )
            w.event(
                pod,
                "Unhealthy",
                'Readiness probe failed: Get "http://10.4.1.9:8080/healthz": dial tcp '
                "10.4.1.9:8080: connect: connection refused",
                w.ago(8.6 - number),
            )
            w.event(pod, "FailedPreStopHook", "PreStopHook failed", w.ago(8.7 - number), path="api")
            w.objects.remove(pod)
        for number in range(5):
            fresh = w.pod(one, w.workers()[number], w.ago(8.9 - number))
            if number > 2:
                w.unhealthy(
                    fresh, w.ago(8.7 - number), "HTTP probe failed with statuscode: 500", count=30
                )
        w.event(
            one.object,
            "ScalingReplicaSet",
            "Scaled up replica set api-68b7d5f4c9 to 2 from 0",
            w.ago(9),
            type_="Normal",
            component="deployment-controller",
        )
    return w, Truth(w.ago(9), (("image", "registry.corp.example/payments/api:78"),))
