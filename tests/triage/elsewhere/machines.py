"""Clusters on machines of one's own: kubeadm, OpenShift, k3s, RKE2."""

from __future__ import annotations

from datetime import datetime

from tests.triage.elsewhere.objects import PROBES, container, digest, pod_spec
from tests.triage.elsewhere.parts import apps, control_plane, daemon, dns, mess, static
from tests.triage.elsewhere.world import World


def kubeadm(
    now: datetime,
    n: int = 9,
    *,
    minor: int = 27,
    pods: int = 110,
    seed: int = 11,
    cni: str = "calico",
    loud: bool = True,
    docker: bool = False,
    masters: int = 3,
    cpu: str = "4",
) -> World:
    """kubeadm on own machines: stacked etcd, no zones, no cloud."""
    w = World(now, minor=minor, seed=seed)
    tainted = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
    for number in range(masters + n):
        master = number < masters
        w.node(
            f"srv{41 + number}.dc2.corp.example"
            if cni != "weave"
            else f"10.8.{number}.{20 + number}",
            w.ago(days=300 - number),
            kubelet=f"v1.{minor}.4",
            kernel="5.15.0-113-generic",
            os="Ubuntu 22.04.4 LTS",
            runtime="docker://24.0.7" if docker else "containerd://1.6.32",
            taints=list(tainted) if master else None,
            labels={"node-role.kubernetes.io/control-plane": ""} if master else {},
            manager="kubeadm",
            cpu=cpu,
            extra=[("NetworkUnavailable", "CalicoIsUp", "Calico is running on this node")]
            if cni == "calico"
            else [],
        )
    control_plane(w, w.nodes[:masters], version=f"v1.{minor}.4")
    images = {
        "calico": "docker.io/calico/node:v3.26.4",
        "flannel": "docker.io/flannel/flannel:v0.25.1",
        "weave": "docker.io/weaveworks/weave-kube:2.8.1",
    }
    name, space = {
        "calico": ("calico-node", "kube-system"),
        "flannel": ("kube-flannel-ds", "kube-flannel"),
        "weave": ("weave-net", "kube-system"),
    }[cni]
    daemon(w, space, name, images[cni])
    daemon(w, "kube-system", "kube-proxy", f"registry.k8s.io/kube-proxy:v1.{minor}.4")
    daemon(
        w,
        "monitoring",
        "node-exporter",
        "quay.io/prometheus/node-exporter:v1.8.1",
        hostPID=True,
        label="app.kubernetes.io/name",
    )
    dns(w)
    front = w.workload(
        "Deployment",
        "haproxy-controller",
        "haproxy-kubernetes-ingress",
        2,
        image="docker.io/haproxytech/kubernetes-ingress:1.11.4",
    )
    w.service(front, type_="NodePort")
    mess(w, apps(w, pods, ("erp", "hr", "lab", "intranet"), ingress="haproxy"), loud=loud)
    return w


def openshift(
    now: datetime,
    n: int = 9,
    *,
    pods: int = 150,
    seed: int = 13,
    loud: bool = True,
    mixed: bool = False,
) -> World:
    """OpenShift 4.14: CRI-O, DNS as a DaemonSet, router, static pods with guards, finished
    installers."""
    w = World(now, minor=27, seed=seed)
    for number in range(3 + n):
        master = number < 3
        arch = "arm64" if mixed and number % 3 == 2 else "amd64"
        w.node(
            f"{'master' if master else 'worker'}-{number if master else number - 3}.ocp4.example.net",
            w.ago(days=90),
            kubelet="v1.27.11+749fe1d",
            arch=arch,
            kernel="5.14.0-284.59.1.el9_2",
            os="Red Hat Enterprise Linux CoreOS 414.92",
            runtime="cri-o://1.27.4-3.rhaos4.14",
            cpu="8",
            memory="31Gi",
            pods="250",
            taints=[{"key": "node-role.kubernetes.io/master", "effect": "NoSchedule"}]
            if master
            else None,
            labels={
                "node-role.kubernetes.io/master"
                if master
                else "node-role.kubernetes.io/worker": "",
                "topology.kubernetes.io/zone": f"rack{number % 2}",
            },
        )
    for node in w.nodes[:3]:
        for name in (
            "etcd",
            "kube-apiserver",
            "kube-controller-manager",
            "openshift-kube-scheduler",
        ):
            space = f"openshift-{name.removeprefix('openshift-')}"
            static(
                w,
                node,
                space,
                name,
                f"quay.io/openshift-release-dev/ocp-v4.0-art-dev:{name}",
                {"app": name},
            )
            done = static(
                w,
                node,
                space,
                f"installer-7-{name}",
                "quay.io/openshift-release-dev/ocp-v4.0-art-dev:installer",
                {"app": "installer"},
            )
            done["status"]["phase"] = "Succeeded"
            done["status"]["containerStatuses"][0].update(
                ready=False,
                state={
                    "terminated": {
                        "exitCode": 0,
                        "reason": "Completed",
                        "startedAt": "2026-01-01T00:00:00Z",
                        "finishedAt": "2026-01-01T00:01:00Z",
                    }
                },
            )
            for one in done["status"]["conditions"]:
                if one["type"] in ("Ready", "ContainersReady"):
                    one.update(status="False", reason="PodCompleted")
    daemons = [
        daemon(
            w,
            f"openshift-{space}",
            name,
            f"quay.io/openshift-release-dev/ocp-v4.0-art-dev:{name}",
            label="app",
        )
        for space, name in (
            ("ovn-kubernetes", "ovnkube-node"),
            ("multus", "multus"),
            ("machine-config-operator", "machine-config-daemon"),
        )
    ]
    dns(
        w,
        "openshift-dns",
        "dns-default",
        image="quay.io/openshift-release-dev/ocp-v4.0-art-dev:coredns",
        kind="DaemonSet",
        limit="512Mi",
        where=w.nodes,
        label={"dns.operator.openshift.io/daemonset-dns": "default"},
    )
    if mixed:  # CRI-O names the image of the architecture, not the list of them
        arch_of = {n["metadata"]["name"]: n["status"]["nodeInfo"]["architecture"] for n in w.nodes}
        for found in daemons:
            for pod in found.pods:
                for status in pod["status"]["containerStatuses"]:
                    status["imageID"] = (
                        f"quay.io/openshift-release-dev/ocp-v4.0-art-dev@{digest(found.name + arch_of[pod['spec']['nodeName']])}"
                    )
    front = w.workload(
        "Deployment",
        "openshift-ingress",
        "router-default",
        2,
        image="quay.io/openshift-release-dev/ocp-v4.0-art-dev:haproxy-router",
        labels={"ingresscontroller.operator.openshift.io/deployment-ingresscontroller": "default"},
    )
    w.service(front, name="router-internal-default")
    mess(w, apps(w, pods, ("bank-core", "cards", "kyc", "treasury")), loud=loud)
    return w


def k3s(
    now: datetime, n: int = 6, *, pods: int = 80, seed: int = 17, loud: bool = True, minor: int = 31
) -> World:
    """k3s on small machines of two architectures: traefik, service load balancer, flannel and the
    policy controller inside the server."""
    w = World(now, minor=minor, seed=seed)
    for number in range(n):
        arm = number % 2
        w.node(
            f"{'pi' if arm else 'nuc'}-{number}",
            w.ago(days=70 - number),
            kubelet=f"v1.{minor}.4+k3s1",
            kernel="6.6.31+rpt-rpi-v8" if arm else "6.1.0-23-amd64",
            os="Debian GNU/Linux 12 (bookworm)",
            runtime="containerd://1.7.23-k3s2",
            arch="arm64" if arm else "amd64",
            manager="k3s",
            memory="8Gi",
            labels={
                "node-role.kubernetes.io/control-plane": "true",
                "node-role.kubernetes.io/master": "true",
            }
            if number == 0
            else {},
        )
    dns(w, replicas=1, image="rancher/mirrored-coredns-coredns:1.12.0")
    w.workload(
        "Deployment",
        "kube-system",
        "local-path-provisioner",
        1,
        image="rancher/local-path-provisioner:v0.0.30",
    )
    w.workload(
        "Deployment",
        "kube-system",
        "metrics-server",
        1,
        image="rancher/mirrored-metrics-server:v0.7.2",
    )
    front = w.workload(
        "Deployment",
        "kube-system",
        "traefik",
        2,
        image="rancher/mirrored-library-traefik:2.11.10",
        template=pod_spec(
            container(
                "traefik", "rancher/mirrored-library-traefik:2.11.10", limit="300Mi", **PROBES
            )
        ),
    )
    w.service(front, type_="LoadBalancer", address="192.168.7.20")
    daemon(
        w,
        "kube-system",
        "svclb-traefik-4f2a9c",
        "rancher/klipper-lb:v0.4.9",
        host=False,
        label="app",
    )
    mess(w, apps(w, pods, ("home", "factory", "cams"), ingress="traefik"), loud=loud)
    return w


def rke2(
    now: datetime,
    n: int = 11,
    *,
    pods: int = 150,
    seed: int = 19,
    loud: bool = True,
    minor: int = 28,
) -> World:
    """RKE2: canal, ingress-nginx as a DaemonSet, DNS by a chart with a long name."""
    w = World(now, minor=minor, seed=seed)
    for number in range(3 + n):
        master = number < 3
        w.node(
            f"rke-{'s' if master else 'a'}{number:02d}",
            w.ago(days=120),
            kubelet=f"v1.{minor}.11+rke2r1",
            kernel="5.14.21-150500.55.68-default",
            os="SUSE Linux Enterprise Server 15 SP5",
            runtime="containerd://1.7.17-k3s1",
            cpu="8",
            memory="32Gi",
            taints=[{"key": "CriticalAddonsOnly", "value": "true", "effect": "NoExecute"}]
            if master
            else None,
            labels={
                "node-role.kubernetes.io/control-plane": "true",
                "node-role.kubernetes.io/etcd": "true",
            }
            if master
            else {},
        )
    for node in w.nodes[:3]:
        for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"):
            static(
                w,
                node,
                "kube-system",
                name,
                f"docker.io/rancher/hardened-{name}:v1.{minor}.11-rke2r1",
                {"component": name, "tier": "control-plane"},
            )
    daemon(w, "kube-system", "rke2-canal", "docker.io/rancher/hardened-calico:v3.27.3")
    dns(
        w,
        name="rke2-coredns-rke2-coredns",
        image="docker.io/rancher/hardened-coredns:v1.11.1-build20240305",
        limit="128Mi",
        label={"app.kubernetes.io/name": "rke2-coredns", "k8s-app": "kube-dns"},
    )
    edge = container(
        "rke2-ingress-nginx-controller",
        "docker.io/rancher/nginx-ingress-controller:v1.9.6-hardened1",
        limit="1Gi",
        **PROBES,
        ports=[
            {"name": name, "containerPort": port, "hostPort": port, "protocol": "TCP"}
            for name, port in (("http", 80), ("https", 443))
        ],
    )
    daemon(
        w,
        "kube-system",
        "rke2-ingress-nginx-controller",
        "",
        host=False,
        label="app.kubernetes.io/name",
        nodes=w.workers(),
        containers=[edge],
    )
    mess(w, apps(w, pods, ("mes", "plm", "warehouse", "qa"), ingress="nginx"), loud=loud)
    return w
