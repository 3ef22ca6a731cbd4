"""What stands in a cluster before anything goes wrong: machines, system workloads by distribution,
applications, noise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tests.triage.elsewhere.second.lab import D, H, Lab, M, Obj, Workload

APPS = {
    "retail": (
        "storefront web:8 cart:3 catalog:4 checkout:2",
        "fulfil picker:2 courier-api:3 labels:1",
        "crm contacts:2 mailer:1",
    ),
    "bank": (
        "ledger-prod postings:4 balances:3 statements:1",
        "cards-prod issuing:3 auth-gw:4",
        "kyc docscan:2 sanctions:1",
        "staging ledger:1",
    ),
    "media": (
        "video ingest:3 packager:4 origin:3",
        "player api-edge:5 ads:2",
        "editorial cms:2 images:3",
    ),
    "lab": ("jupyterhub hub:1 proxy:1", "genomics api:2 viewer:1"),
    "games": (
        "match lobby:4 matchmaker:3 scores:2",
        "live chat:3 presence:4",
        "backoffice admin:1 billing:2",
    ),
    "public": ("portal frontend:3 forms:4", "registry api:3 search:2", "idp keycloak:2"),
}
_DNS_PORTS = [
    {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
    {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
]
_HOST_PATHS = {
    "cni": ("/opt/cni/bin", "/etc/cni/net.d", "/lib/modules", "/run/xtables.lock"),
    "proxy": ("/run/xtables.lock", "/lib/modules"),
    "csi": (
        "/var/lib/kubelet",
        "/var/lib/kubelet/plugins/csi.example/",
        "/var/lib/kubelet/plugins_registry/",
    ),
    "logs": ("/var/log", "/var/lib/docker/containers"),
}
_MANAGED = frozenset({"eks", "gke", "aks", "doks"})


def machines(
    lab: Lab,
    count: int,
    *,
    naming: str,
    pools: Sequence[str] = ("general",),
    zones: Sequence[str] = ("a", "b", "c"),
    age: float = 35 * D,
    control: int = 0,
    **shape: Any,
) -> list[Obj]:
    """``count`` workers (and ``control`` control-plane nodes); ``naming`` is a pattern with ``{i}``
    and ``{x}``."""
    made = []
    for i in range(control):
        lab.node(
            naming.format(i=i + 1, x=lab.code(5), role="cp"),
            age=age + 100 * D,
            zone=zones[i % len(zones)] if zones else None,
            role="control-plane",
            taints=[{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}],
            **shape,
        )
    for i in range(count):
        made.append(
            lab.node(
                naming.format(i=i + 1, x=lab.code(5), role="w"),
                age=age + lab.rng.uniform(-0.2, 0.2) * age,
                zone=zones[i % len(zones)] if zones else None,
                pool=pools[i % len(pools)],
                **shape,
            )
        )
    return made


def base(lab: Lab, age: float = 300 * D, *, system: bool = True) -> None:
    for name in ("default", "kube-node-lease", "kube-public", "kube-system"):
        lab.namespace(name, age)
    made = lab.add(
        "Service",
        "kubernetes",
        "default",
        age=age,
        labels={"component": "apiserver", "provider": "kubernetes"},
        manager="kube-apiserver",
        body={
            "spec": {
                "type": "ClusterIP",
                "clusterIP": "10.96.0.1",
                "clusterIPs": ["10.96.0.1"],
                "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack",
                "sessionAffinity": "None",
                "internalTrafficPolicy": "Cluster",
                "ports": [{"name": "https", "port": 443, "targetPort": 6443, "protocol": "TCP"}],
            },
            "status": {"loadBalancer": {}},
        },
    )
    piece = lab.add(
        "EndpointSlice",
        "kubernetes",
        "default",
        age=age,
        labels={"kubernetes.io/service-name": "kubernetes"},
        manager="kube-apiserver",
    )
    piece.update(
        addressType="IPv4",
        endpoints=[{"addresses": ["10.20.0.4"], "conditions": {"ready": True}}],
        ports=[{"name": "https", "port": 6443, "protocol": "TCP"}],
    )
    for role in (
        "cluster-admin",
        "admin",
        "edit",
        "view",
        "system:node",
        "system:kube-scheduler",
        "system:basic-user",
    ):
        made = lab.add(
            "ClusterRole",
            role,
            age=age,
            labels={"kubernetes.io/bootstrapping": "rbac-defaults"},
            manager="kube-apiserver",
            annotations={"rbac.authorization.kubernetes.io/autoupdate": "true"},
        )
        made["rules"] = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}]
    if system:
        lab.add(
            "ConfigMap",
            "kube-root-ca.crt",
            "kube-system",
            age=age,
            manager="kube-controller-manager",
            body={"data": {"ca.crt": "x"}},
        )
        lab.add(
            "ConfigMap",
            "coredns",
            "kube-system",
            age=age,
            manager="kubeadm",
            body={"data": {"Corefile": ".:53 {\n  forward . /etc/resolv.conf\n}\n"}},
        )


def dns(
    lab: Lab,
    *,
    name: str = "coredns",
    namespace: str = "kube-system",
    image: str = "registry.k8s.io/coredns/coredns:v1.11.3",
    replicas: int = 2,
    limit: str = "170Mi",
    age: float = 200 * D,
    service: str = "kube-dns",
) -> Workload:
    work = lab.deployment(
        namespace,
        name,
        image,
        replicas,
        age=age,
        service=False,
        manager="kubeadm",
        memory="70Mi",
        memory_limit=limit,
        labels={"k8s-app": "kube-dns"},
    )
    lab.service(namespace, service, {"k8s-app": "kube-dns"}, age=age, spec={"ports": _DNS_PORTS})
    return work


def static_pods(lab: Lab, age: float = 60 * D) -> dict[str, list[Obj]]:
    made: dict[str, list[Obj]] = {}
    for node in lab.nodes:
        if "node-role.kubernetes.io/control-plane" not in node["metadata"]["labels"]:
            continue
        for part in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"):
            image = f"registry.k8s.io/{part}:{'3.5.16-0' if part == 'etcd' else node['status']['nodeInfo']['kubeletVersion']}"
            template = lab.template(
                part,
                image,
                cpu="250m",
                memory_limit=None,
                probe=False,
                labels={"component": part, "tier": "control-plane"},
                spec={"hostNetwork": True, "priorityClassName": "system-node-critical"},
            )
            pod = lab.pod(
                f"{part}-{node['metadata']['name']}",
                "kube-system",
                template,
                node["metadata"]["name"],
                age=age,
                owner=node,
            )
            pod["metadata"]["ownerReferences"][0].pop("blockOwnerDeletion")
            pod["metadata"]["annotations"] = {
                "kubernetes.io/config.source": "file",
                "kubernetes.io/config.hash": lab.code(32),
                "kubernetes.io/config.mirror": lab.code(32),
            }
            made.setdefault(part, []).append(pod)
    for part in ("kube-scheduler", "kube-controller-manager"):
        if made:
            lab.add(
                "Lease",
                part,
                "kube-system",
                age=age,
                manager=part,
                body={
                    "spec": {
                        "holderIdentity": f"cp_{lab.code(8)}",
                        "leaseDurationSeconds": 15,
                        "renewTime": lab.micro(1.2),
                        "leaseTransitions": 4,
                    }
                },
            )
    return made


def system(lab: Lab, kind: str, age: float = 200 * D) -> dict[str, Workload]:
    """The system workloads of a distribution, by role: cni, proxy, dns, csi."""
    made: dict[str, Workload] = {}

    def daemon(role: str, name: str, image: str, namespace: str = "kube-system") -> None:
        paths = _HOST_PATHS.get(role, ())
        spec = {
            "volumes": [
                {"name": f"host-{i}", "hostPath": {"path": path, "type": ""}}
                for i, path in enumerate(paths)
            ]
        }
        rights = (
            {"securityContext": {"privileged": True}} if role in ("cni", "proxy", "csi") else {}
        )
        made[role] = lab.daemonset(
            namespace,
            name,
            image,
            age=age,
            memory_limit=None,
            probe=False,
            spec=spec,
            container=rights,
        )

    if kind == "eks":
        daemon(
            "cni", "aws-node", "602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:v1.19.2"
        )
        daemon(
            "proxy",
            "kube-proxy",
            "602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/kube-proxy:v1.31.2-minimal-eksbuild.3",
        )
        daemon("csi", "ebs-csi-node", "public.ecr.aws/ebs-csi-driver/aws-ebs-csi-driver:v1.38.1")
        made["dns"] = dns(
            lab,
            image="602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/coredns:v1.11.3-eksbuild.2",
            age=age,
        )
        lab.deployment(
            "kube-system", "metrics-server", "public.ecr.aws/metrics-server:v0.7.2", 1, age=age
        )
    elif kind == "gke":
        daemon("cni", "netd", "gke.gcr.io/netd:v0.7.22")
        daemon("logs", "fluentbit-gke", "gke.gcr.io/fluent-bit:v1.8.1200-gke.2")
        daemon("csi", "pdcsi-node", "gke.gcr.io/gcp-compute-persistent-disk-csi-driver:v1.15.4")
        made["dns"] = dns(
            lab, name="kube-dns", image="gke.gcr.io/k8s-dns-kube-dns:1.23.0-gke.9", age=age
        )
        lab.deployment(
            "kube-system",
            "konnectivity-agent",
            "gke.gcr.io/proxy-agent:v0.30.3",
            2,
            age=age,
            service=False,
        )
        lab.deployment(
            "gmp-system",
            "gmp-operator",
            "gke.gcr.io/prometheus-engine/operator:v0.13.1",
            1,
            age=age,
        )
        lab.namespace("gmp-system", age)
    elif kind == "aks":
        daemon("cni", "azure-cns", "mcr.microsoft.com/containernetworking/azure-cns:v1.6.18")
        daemon("proxy", "kube-proxy", "mcr.microsoft.com/oss/kubernetes/kube-proxy:v1.31.4")
        daemon(
            "csi",
            "csi-azuredisk-node",
            "mcr.microsoft.com/oss/kubernetes-csi/azuredisk-csi:v1.31.5",
        )
        made["dns"] = dns(lab, image="mcr.microsoft.com/oss/kubernetes/coredns:v1.9.4-6", age=age)
        lab.deployment(
            "kube-system",
            "metrics-server",
            "mcr.microsoft.com/oss/kubernetes/metrics-server:v0.6.3",
            2,
            age=age,
        )
    elif kind == "k3s":
        made["dns"] = dns(lab, image="rancher/mirrored-coredns-coredns:1.11.3", replicas=1, age=age)
        lab.deployment(
            "kube-system",
            "local-path-provisioner",
            "rancher/local-path-provisioner:v0.0.30",
            1,
            age=age,
            service=False,
        )
        lab.deployment(
            "kube-system", "metrics-server", "rancher/mirrored-metrics-server:v0.7.2", 1, age=age
        )
        made["ingress"] = lab.deployment(
            "kube-system", "traefik", "rancher/mirrored-library-traefik:2.11.10", 1, age=age
        )
        daemon("svclb", "svclb-traefik-8f7b", "rancher/klipper-lb:v0.4.9")
    elif kind == "openshift":
        for name in (
            "openshift-dns",
            "openshift-ingress",
            "openshift-ovn-kubernetes",
            "openshift-monitoring",
            "openshift-etcd",
        ):
            lab.namespace(name, age)
        daemon(
            "cni",
            "ovnkube-node",
            "quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:51ab",
            "openshift-ovn-kubernetes",
        )
        daemon(
            "multus",
            "multus",
            "quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:77de",
            "openshift-ovn-kubernetes",
        )
        made["dns"] = lab.daemonset(
            "openshift-dns",
            "dns-default",
            "quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:9c0e",
            age=age,
            host=False,
            memory="70Mi",
            memory_limit=None,
            labels={"dns.operator.openshift.io/daemonset-dns": "default"},
        )
        lab.service(
            "openshift-dns",
            "dns-default",
            {"dns.operator.openshift.io/daemonset-dns": "default"},
            age=age,
            spec={"ports": _DNS_PORTS},
        )
        made["ingress"] = lab.deployment(
            "openshift-ingress",
            "router-default",
            "quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:a1b2",
            2,
            age=age,
        )
        lab.deployment(
            "openshift-monitoring",
            "cluster-monitoring-operator",
            "quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:cd01",
            1,
            age=age,
        )
    else:  # kubeadm, rke2, bare metal: static pods on the control plane
        image = {
            "cilium": "quay.io/cilium/cilium:v1.16.5",
            "calico-node": "docker.io/calico/node:v3.29.1",
            "kube-flannel-ds": "ghcr.io/flannel-io/flannel:v0.26.2",
            "weave-net": "weaveworks/weave-kube:2.8.1",
        }
        cni = kind if kind in image else "calico-node"
        daemon("cni", cni, image[cni])
        daemon("proxy", "kube-proxy", f"registry.k8s.io/kube-proxy:{lab.version}")
        made["dns"] = dns(lab, age=age)
        static_pods(lab)
    return made


def applications(
    lab: Lab, which: str, *, scale: int = 1, age: float = 70 * D
) -> dict[str, Workload]:
    made: dict[str, Workload] = {}
    for line in APPS[which]:
        namespace, *parts = line.split()
        if not any(
            o["kind"] == "Namespace" and o["metadata"]["name"] == namespace for o in lab.objects
        ):
            lab.namespace(namespace, age + 50 * D)
            lab.add(
                "ConfigMap",
                "kube-root-ca.crt",
                namespace,
                age=age + 50 * D,
                manager="kube-controller-manager",
                body={"data": {"ca.crt": "x"}},
            )
        for part in parts:
            name, replicas = part.split(":")
            made[name] = lab.deployment(
                namespace,
                name,
                f"registry.{which}.example/{namespace}/{name}:{lab.rng.randint(3, 9)}.{lab.rng.randint(0, 30)}.1",
                int(replicas) * scale,
                age=age,
                rolled=lab.rng.uniform(2 * D, 20 * D),
            )
            lab.secret(
                namespace,
                f"{name}-config",
                ["DATABASE_URL", "API_TOKEN"],
                age=age,
                manager="terraform",
            )
    return made


def noise(lab: Lab, *, cron: bool = True) -> None:
    """The noise of every cluster in use, which pages no engineer."""
    if not any(o["kind"] == "Namespace" and o["metadata"]["name"] == "dev" for o in lab.objects):
        lab.namespace("dev", 90 * D)
    flaky = lab.deployment(
        "dev", "scratchpad", "registry.example/dev/scratchpad:main-4f2", 1, age=21 * D
    )
    lab.died(flaky.pods[0], 2.2 * D, restarts=3, code=1, ran=1.5 * D)
    if cron:
        nightly = lab.cronjob(
            "dev", "db-backup", "registry.example/ops/backup:1.9", "*/30 * * * *", last=22 * M
        )
        for ago in (22 * M, 52 * M, 82 * M):
            lab.job(nightly, ago, lab.pick(1)[0])
    target = lab.deployment(
        "dev", "preview", "registry.example/dev/preview:pr-118", 1, age=52 * M, rolled=None
    )
    lab.event(
        target.pods[0],
        "FailedScheduling",
        f"0/{len(lab.nodes)} nodes are available: {len(lab.nodes)} Insufficient cpu.",
        51 * M,
        source="default-scheduler",
        modern=True,
    )
    lab.event(
        target.pods[0],
        "Unhealthy",
        'Readiness probe failed: Get "http://10.1.2.3:8080/healthz": dial tcp 10.1.2.3:8080: '
        "connect: connection refused",
        51 * M,
        count=2,
    )
    lab.add(
        "HorizontalPodAutoscaler",
        "preview",
        "dev",
        age=21 * D,
        manager="kubectl-autoscale",
        body={
            "spec": {
                "scaleTargetRef": {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": "preview",
                },
                "minReplicas": 1,
                "maxReplicas": 4,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {
                            "name": "cpu",
                            "target": {"type": "Utilization", "averageUtilization": 80},
                        },
                    }
                ],
            },
            "status": {
                "currentReplicas": 1,
                "desiredReplicas": 1,
                "conditions": [
                    {
                        "type": "AbleToScale",
                        "status": "True",
                        "reason": "ReadyForNewScale",
                        "message": "recommended size matches current size",
                        "lastTransitionTime": lab.at(20 * D),
                    },
                    {
                        "type": "ScalingActive",
                        "status": "True",
                        "reason": "ValidMetricFound",
                        "message": "the HPA was able to successfully calculate a replica count",
                        "lastTransitionTime": lab.at(20 * D),
                    },
                    {
                        "type": "ScalingLimited",
                        "status": "True",
                        "reason": "TooFewReplicas",
                        "message": "the desired replica count is less than the minimum replica count",
                        "lastTransitionTime": lab.at(9 * D),
                    },
                ],
            },
        },
    )


def cluster(
    now: datetime,
    seed: str,
    kind: str,
    workers: int,
    apps: str,
    *,
    naming: str,
    control: int = 0,
    version: str = "v1.31.4",
    scale: int = 1,
    with_noise: bool = True,
    age: float = 200 * D,
    node_age: float = 35 * D,
    **shape: Any,
) -> tuple[Lab, dict[str, Workload], dict[str, Workload]]:
    """A whole healthy cluster to begin from."""
    lab = Lab(now, seed, version)
    lab.applier = {
        "eks": "argocd-controller",
        "gke": "kubectl-client-side-apply",
        "aks": "helm",
        "k3s": "kubectl-client-side-apply",
    }.get(kind, "helm")
    base(lab, age + 20 * D, system=kind != "openshift")
    machines(
        lab,
        workers,
        naming=naming,
        control=0 if kind in _MANAGED else control,
        age=node_age,
        **shape,
    )
    parts = system(lab, kind, age)
    made = applications(lab, apps, scale=scale, age=min(age, 70 * D))
    if with_noise:
        noise(lab)
    return lab, parts, made


__all__ = [
    "APPS",
    "H",
    "applications",
    "base",
    "cluster",
    "dns",
    "machines",
    "noise",
    "static_pods",
    "system",
]
