"""Clusters as clouds make them: names, labels, versions, agents. Each gives a healthy World with
ordinary mess."""

from __future__ import annotations

from datetime import datetime

from tests.triage.elsewhere.objects import digest, suffix
from tests.triage.elsewhere.parts import apps, control_plane, daemon, dns, mess, static
from tests.triage.elsewhere.world import World

NPD = [
    (t, f"No{t}", "all is well")
    for t in (
        "KernelDeadlock",
        "ReadonlyFilesystem",
        "FrequentKubeletRestart",
        "CorruptDockerOverlay2",
    )
]


def eks(
    now: datetime,
    n: int = 14,
    *,
    minor: int = 29,
    pods: int = 160,
    seed: int = 3,
    fresh: int = 0,
    kernel: str = "5.10.219-208.866.amzn2.x86_64",
    loud: bool = True,
) -> World:
    """EKS: aws-node, no control plane in sight; `fresh` of the nodes were added by Karpenter a day
    ago."""
    w = World(now, minor=minor, seed=seed)
    for number in range(n):
        zone = "eu-west-1" + "abc"[number % 3]
        w.node(
            f"ip-10-{30 + number % 3}-{number * 11 % 250}-{17 + number * 7 % 220}.eu-west-1.compute.internal",
            w.ago(days=1.2 if number < fresh else 12 + number),
            kubelet=f"v1.{minor}.6-eks-1552ad0",
            kernel=kernel,
            os="Amazon Linux 2",
            runtime="containerd://1.7.11",
            pods="58",
            labels={
                "eks.amazonaws.com/nodegroup": "general" if number % 4 else "memory",
                "topology.kubernetes.io/zone": zone,
                "topology.kubernetes.io/region": "eu-west-1",
                "node.kubernetes.io/instance-type": "m6i.xlarge" if number % 4 else "r6i.xlarge",
            },
        )
    daemon(
        w,
        "kube-system",
        "aws-node",
        "602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:v1.16.4",
    )
    daemon(
        w,
        "kube-system",
        "kube-proxy",
        f"602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/kube-proxy:v1.{minor}.3-minimal-eksbuild.2",
    )
    daemon(
        w,
        "kube-system",
        "ebs-csi-node",
        "public.ecr.aws/ebs-csi-driver/aws-ebs-csi-driver:v1.30.0",
        host=False,
        label="app",
    )
    daemon(
        w,
        "logging",
        "fluent-bit",
        "public.ecr.aws/aws-observability/aws-for-fluent-bit:2.32.2",
        host=False,
        label="app.kubernetes.io/name",
    )
    dns(w, image="602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/coredns:v1.11.1-eksbuild.4")
    w.workload(
        "Deployment",
        "kube-system",
        "karpenter",
        2,
        image="public.ecr.aws/karpenter/controller:0.36.1",
    )
    front = w.workload(
        "Deployment",
        "ingress-nginx",
        "ingress-nginx-controller",
        3,
        image="registry.k8s.io/ingress-nginx/controller:v1.10.1",
        labels={
            "app.kubernetes.io/name": "ingress-nginx",
            "app.kubernetes.io/component": "controller",
        },
    )
    w.service(front, type_="LoadBalancer", address="198.51.100.7", externalTrafficPolicy="Cluster")
    mess(
        w,
        apps(w, pods, ("checkout", "search", "partner-api", "backoffice", "data"), ingress="nginx"),
        loud=loud,
    )
    return w


def gke(
    now: datetime,
    n: int = 12,
    *,
    minor: int = 30,
    pods: int = 140,
    seed: int = 5,
    loud: bool = True,
) -> World:
    """GKE: kube-dns, node-problem-detector's conditions, kube-proxy as static pods."""
    w = World(now, minor=minor, seed=seed)
    for number in range(n):
        w.node(
            f"gke-main-pool-{1 + number % 2}-{digest(str(number % 2))[7:15]}-{suffix(f'n{number}', 4)}",
            w.ago(days=9 + number),
            kubelet=f"v1.{minor}.5-gke.1014001",
            kernel="6.1.85+",
            os="Container-Optimized OS from Google",
            runtime="containerd://1.7.15",
            cpu="8",
            memory="30110Mi",
            extra=[
                *NPD,
                ("NetworkUnavailable", "RouteCreated", "NodeController create implicit route"),
            ],
            labels={
                "cloud.google.com/gke-nodepool": f"pool-{1 + number % 2}",
                "topology.kubernetes.io/zone": f"europe-west4-{'abc'[number % 3]}",
                "node.kubernetes.io/instance-type": "n2-standard-8",
            },
        )
        static(
            w,
            w.nodes[-1],
            "kube-system",
            "kube-proxy",
            f"gke.gcr.io/kube-proxy-amd64:v1.{minor}.5-gke.1014001",
            {"component": "kube-proxy"},
        )
    daemon(w, "kube-system", "fluentbit-gke", "gke.gcr.io/fluent-bit:v1.8.12-gke.41")
    daemon(
        w,
        "kube-system",
        "gke-metadata-server",
        "gke.gcr.io/gke-metadata-server:gke_metadata_server_20240730",
    )
    daemon(
        w, "kube-system", "pdcsi-node", "gke.gcr.io/gcp-compute-persistent-disk-csi-driver:v1.13.4"
    )
    dns(w, name="kube-dns", image="gke.gcr.io/k8s-dns-kube-dns:1.23.0-gke.9")
    w.workload(
        "Deployment",
        "kube-system",
        "konnectivity-agent",
        3,
        image="gke.gcr.io/proxy-agent:v0.30.3-gke.0",
    )
    mess(w, apps(w, pods, ("web", "jobs", "realtime", "payments")), loud=loud)
    return w


def aks(
    now: datetime,
    n: int = 10,
    *,
    minor: int = 28,
    pods: int = 130,
    seed: int = 7,
    loud: bool = True,
    patch: int = 9,
) -> World:
    """AKS: azure CNI, vmss names, more conditions of its own node agent, no zones."""
    w = World(now, minor=minor, seed=seed)
    for number in range(n):
        w.node(
            f"aks-nodepool1-31718369-vmss{number:06x}",
            w.ago(days=20 + number),
            kubelet=f"v1.{minor}.{patch}",
            kernel="5.15.0-1064-azure",
            os="Ubuntu 22.04.4 LTS",
            runtime="containerd://1.7.15-1",
            manager="Go-http-client",
            extra=[
                (t, f"No{t}", "ok")
                for t in (
                    "KubeletProblem",
                    "ContainerRuntimeProblem",
                    "VMEventScheduled",
                    "FilesystemCorruptionProblem",
                )
            ],
            labels={
                "kubernetes.azure.com/agentpool": "nodepool1",
                "agentpool": "nodepool1",
                "node.kubernetes.io/instance-type": "Standard_D4s_v5",
            },
        )
    for name in ("azure-cns", "kube-proxy", "csi-azuredisk-node", "cloud-node-manager"):
        daemon(w, "kube-system", name, f"mcr.microsoft.com/oss/kubernetes/{name}:v1.{minor}.1")
    dns(w, image="mcr.microsoft.com/oss/kubernetes/coredns:v1.9.4-hotfix.20240704", limit="500Mi")
    w.workload(
        "Deployment",
        "kube-system",
        "coredns-autoscaler",
        1,
        image="mcr.microsoft.com/oss/kubernetes/autoscaler/cluster-proportional-autoscaler:1.8.11",
    )
    mess(w, apps(w, pods, ("shopfront", "crm", "reporting")), loud=loud)
    return w


def kops(
    now: datetime,
    n: int = 16,
    *,
    minor: int = 26,
    pods: int = 200,
    seed: int = 23,
    loud: bool = True,
    kernel: str = "5.15.0-1061-aws",
) -> World:
    """kops: nodes are instance ids, cilium, three masters in three zones."""
    w = World(now, minor=minor, seed=seed)
    for number in range(3 + n):
        master = number < 3
        zone = "us-east-1" + "abc"[number % 3]
        w.node(
            f"i-0{digest(f'kops{number}')[7:23]}",
            w.ago(days=30 + number),
            kubelet=f"v1.{minor}.15",
            kernel=kernel,
            os="Ubuntu 22.04.4 LTS",
            runtime="containerd://1.6.28",
            taints=[{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
            if master
            else None,
            labels={
                "kops.k8s.io/instancegroup": f"control-plane-{zone}" if master else f"nodes-{zone}",
                "topology.kubernetes.io/zone": zone,
                "node.kubernetes.io/instance-type": "c5.large" if master else "m5.xlarge",
                **(
                    {"node-role.kubernetes.io/control-plane": ""}
                    if master
                    else {"node-role.kubernetes.io/node": ""}
                ),
            },
        )
    control_plane(w, w.nodes[:3], version=f"v1.{minor}.15")
    daemon(w, "kube-system", "cilium", "quay.io/cilium/cilium:v1.13.17")
    daemon(
        w, "kube-system", "ebs-csi-node", "registry.k8s.io/provider-aws/aws-ebs-csi-driver:v1.14.1"
    )
    dns(w, replicas=3)
    front = w.workload(
        "Deployment", "edge", "contour-envoy", 3, image="docker.io/envoyproxy/envoy:v1.29.5"
    )
    w.service(front, type_="LoadBalancer", address="203.0.113.80")
    mess(
        w,
        apps(w, pods, ("identity", "market", "bids", "feed", "ops"), ingress="contour"),
        loud=loud,
    )
    return w
