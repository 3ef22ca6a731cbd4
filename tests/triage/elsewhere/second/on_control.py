"""Faults of the control plane and of what people install or schedule."""

from __future__ import annotations

import copy
from datetime import datetime

from tests.triage.elsewhere.second.ground import base, cluster
from tests.triage.elsewhere.second.lab import D, H, Lab, M, Obj
from tests.triage.elsewhere.second.registry import case


@case("cryptomining-exposed-dashboard", twin=True)
def doks_console_open_to_the_world(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(now, "doks-open", "kube-flannel-ds", 5, "lab", naming="pool-s4-{x}", zones=())
    lab.namespace("observability")
    deep = {
        "hostPID": True,
        "hostNetwork": True,
        "volumes": [{"name": "host", "hostPath": {"path": "/", "type": ""}}],
    }
    rights = {
        "securityContext": {"privileged": True},
        "volumeMounts": [{"name": "host", "mountPath": "/host"}],
    }
    console = lab.daemonset(
        "observability",
        "netdata",
        "netdata/netdata:v1.47.5",
        age=60 * D,
        host=True,
        spec=deep,
        container=rights,
        probe=False,
    )
    seen = console.object["spec"]["selector"]["matchLabels"]
    front = lab.service(
        "observability",
        "netdata-ui",
        seen,
        age=5 * D,
        type="LoadBalancer" if fault else "ClusterIP",
        spec={
            "ports": [
                {
                    "name": "ui",
                    "port": 80,
                    "targetPort": 19999,
                    "protocol": "TCP",
                    **({"nodePort": 31999} if fault else {}),
                }
            ]
        },
    )
    if not fault:
        return lab.finish()
    front["status"] = {"loadBalancer": {"ingress": [{"ip": "198.51.100.24"}]}}
    lab.daemonset(
        "observability",
        "sys-kworker",
        "docker.io/k8sutil/kworker:latest",
        age=31 * H,
        manager="curl",
        host=True,
        spec={"hostPID": True},
        container={"securityContext": {"privileged": True}},
        probe=False,
        cpu=None,
        memory=None,
        memory_limit=None,
    )
    binding = lab.add("ClusterRoleBinding", "kworker-admin", age=31 * H, manager="curl")
    binding.update(
        roleRef={
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "cluster-admin",
        },
        subjects=[{"kind": "ServiceAccount", "name": "default", "namespace": "observability"}],
    )
    return lab.finish()


@case("cronjob-pod-flood", twin=True)
def eks_export_floods(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(
        now, "eks-flood", "eks", 6, "bank", naming="ip-172-31-{i}-8.ap-south-1.compute.internal"
    )
    cron = lab.cronjob(
        "kyc",
        "watchlist-refresh",
        "registry.bank.example/kyc/watchlist:2025.11",
        "* * * * *",
        policy="Allow" if fault else "Forbid",
        age=3 * H,
        last=20,
    )
    if not fault:
        for i in range(3):
            lab.job(cron, 20 + 60 * i + 60, lab.pick(1)[0], ran=35)
        return lab.finish()
    for i in range(130):
        _, pod = lab.job(cron, 20 + 60 * i, lab.pick(1)[0], state="active")
        if i < 40:
            lab.pending(
                pod,
                "0/6 nodes are available: 6 Too many pods. preemption: 0/6 nodes are available: 6 "
                "No preemption "
                "victims found for incoming pod.",
                20 + 60 * i,
            )
    cron["status"]["active"] = [
        {
            "kind": "Job",
            "apiVersion": "batch/v1",
            "name": o["metadata"]["name"],
            "namespace": "kyc",
            "uid": o["metadata"]["uid"],
        }
        for o in lab.objects
        if o["kind"] == "Job"
    ][:130]
    return lab.finish()


@case("etcd-data-deleted", twin=True)
def metal_keys_after_d_are_gone(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(
        now, "metal-etcd", "calico-node", 7, "public", naming="{role}-{i}.cloud.example", control=3
    )
    lab.add(
        "CustomResourceDefinition",
        "ippools.crd.projectcalico.org",
        age=200 * D,
        body={
            "spec": {
                "group": "crd.projectcalico.org",
                "scope": "Cluster",
                "names": {
                    "kind": "IPPool",
                    "plural": "ippools",
                    "singular": "ippool",
                    "listKind": "IPPoolList",
                },
                "conversion": {"strategy": "None"},
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {
                            "openAPIV3Schema": {
                                "type": "object",
                                "x-kubernetes-preserve-unknown-fields": True,
                            }
                        },
                    }
                ],
            },
            "status": {
                "acceptedNames": {"kind": "IPPool", "plural": "ippools"},
                "storedVersions": ["v1"],
                "conditions": [],
            },
        },
    )
    every = lab.finish()
    if not fault:
        return every
    kept = {
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "CustomResourceDefinition",
        "APIService",
        "ControllerRevision",
        "CronJob",
    }
    left = [o for o in every if o["kind"] in kept]
    young = Lab(now, "metal-etcd-after")
    base(young, 7 * M, system=False)
    left += [o for o in young.objects if o["kind"] != "ClusterRole"]
    for pod in every:
        if pod["kind"] == "Pod" and "kubernetes.io/config.mirror" in pod["metadata"].get(
            "annotations", {}
        ):
            again = copy.deepcopy(pod)
            again["metadata"].update(creationTimestamp=lab.at(6 * M), uid=lab.uid())
            left.append(again)
    for node in every:
        if node["kind"] == "Node" and "control-plane" in str(node["metadata"]["labels"]):
            again = copy.deepcopy(node)
            again["metadata"].update(creationTimestamp=lab.at(5 * M), uid=lab.uid())
            left.append(again)
    return left


@case("etcd-connectivity-api-latency", twin=True)
def kops_nodes_unknown_together(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(
        now,
        "kops-etcd",
        "cilium",
        27,
        "retail",
        naming="i-0{x}{i}",
        control=3,
        instance="t3.medium",
        version="v1.29.9",
        scale=2,
        pools=("spot", "ondemand", "gpu"),
    )
    if not fault:
        return lab.finish()
    for i, node in enumerate(n for n in lab.nodes if n["spec"].get("taints") is None):
        if i % 5 != 4:
            lab.unknown(node, 150 + (i * 7) % 45)
        elif i % 2:
            name = node["metadata"]["name"]
            lab.event(
                node,
                "NodeNotReady",
                f"Node {name} status is now: NodeNotReady",
                26 * M,
                type="Normal",
                source="node-controller",
            )
            lab.event(
                node, "NodeReady", f"Node {name} status is now: NodeReady", 24 * M, type="Normal"
            )
            lab.condition(
                node, "Ready", "True", "KubeletReady", "kubelet is posting ready status", 24 * M, 50
            )
    for pod in [
        p
        for p in lab.objects
        if p["kind"] == "Pod"
        and p["metadata"]["labels"].get("component") in ("kube-apiserver", "etcd")
    ]:
        part = pod["metadata"]["labels"]["component"]
        if part == "kube-apiserver":
            lab.event(
                pod,
                "Unhealthy",
                "Liveness probe failed: HTTP probe failed with statuscode: 500",
                100,
                first=29 * M,
                count=21,
            )
        else:
            lab.event(
                pod,
                "Unhealthy",
                'Liveness probe failed: Get "http://127.0.0.1:2381/health?serializable=true": '
                "context deadline exceeded",
                140,
                first=28 * M,
                count=9,
            )
    return lab.finish()


@case("cluster-upgrade-breaks-cluster", twin=True)
def kubeadm_upgrade_in_place(now: datetime, fault: bool) -> list[Obj]:
    lab, *_ = cluster(
        now,
        "upgrade",
        "weave-net",
        11,
        "media",
        naming="{role}-{i}.prod.example",
        control=3,
        version="v1.29.12",
        node_age=300 * D,
        age=300 * D,
    )
    workers = [n for n in lab.nodes if n["metadata"]["name"].startswith("w-")]
    for i, node in enumerate(workers[:4]):
        name = node["metadata"]["name"]
        ago = (41 - 9 * i) * M
        node["status"]["nodeInfo"].update(kubeletVersion="v1.30.8", kubeProxyVersion="v1.30.8")
        lab.event(node, "Starting", "Starting kubelet.", ago, type="Normal")
        if not fault:
            continue
        lab.not_ready(
            node,
            "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
            "message:Network plugin returns error: cni config uninitialized",
            ago - 15,
        )
        for pod in lab.pods_on(name):
            if pod["metadata"]["name"].startswith("weave-net"):
                lab.died(pod, 130, code=1, restarts=9, ran=4, looping=True)
    for pod in lab.objects:
        if pod["kind"] == "Pod" and pod["metadata"]["labels"].get("component") in (
            "kube-apiserver",
            "kube-scheduler",
            "kube-controller-manager",
        ):
            pod["metadata"]["creationTimestamp"] = lab.at(70 * M)
            pod["spec"]["containers"][0]["image"] = pod["spec"]["containers"][0]["image"].replace(
                "v1.29.12", "v1.30.8"
            )
    return lab.finish()
