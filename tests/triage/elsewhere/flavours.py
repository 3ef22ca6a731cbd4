"""Clusters as distributions make them: names, labels, versions, agents, control plane. Each gives a healthy World with ordinary mess."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from tests.triage.elsewhere.objects import PROBES, Json, container, digest, pod_spec, suffix
from tests.triage.elsewhere.world import World, Workload

NPD = [(t, f"No{t}", "all is well") for t in ("KernelDeadlock", "ReadonlyFilesystem", "FrequentKubeletRestart", "CorruptDockerOverlay2")]
WORDS = ("accounts", "catalog", "basket", "orders", "shipping", "pricing", "media", "notify", "fraud", "ledger", "profile", "tracking",
         "export", "import", "invoices", "rating", "quotes", "stock", "labels", "returns", "geo", "feeds", "mailer", "audit")  # fmt: skip


def daemon(w: World, namespace: str, name: str, image: str, *, host: bool = True, label: str = "k8s-app", nodes: list[Json] | None = None,
           born: datetime | None = None, containers: list[Json] | None = None, **more: object) -> Workload:  # fmt: skip
    spec = pod_spec(*(containers or [container(name, image, limit="")]), volumes=[{"name": "run", "hostPath": {"path": "/run/xtables.lock"}}],
                    hostNetwork=host, priorityClassName="system-node-critical", **more)  # fmt: skip
    spec["tolerations"] = [{"operator": "Exists"}]
    found = w.workload("DaemonSet", namespace, name, template=spec, labels={label: name}, nodes=nodes or w.nodes, born=born or w.ago(days=180),
                       rolled=w.ago(days=33))  # fmt: skip
    joined = {n["metadata"]["name"]: datetime.fromisoformat(n["metadata"]["creationTimestamp"]) for n in w.nodes}
    for pod in found.pods:
        since = joined[pod["spec"]["nodeName"]]
        if since > w.ago(days=33):
            pod["metadata"]["creationTimestamp"] = since.strftime("%Y-%m-%dT%H:%M:%SZ")
            w.run(pod, since)
    return found


def dns(w: World, namespace: str = "kube-system", name: str = "coredns", *, image: str = "registry.k8s.io/coredns/coredns:v1.11.1",
        replicas: int = 2, kind: str = "Deployment", limit: str = "170Mi", label: Json | None = None, where: list[Json] | None = None) -> Workload:  # fmt: skip
    spec = pod_spec(container("coredns", image, limit=limit, cpu="100m", memory="70Mi", **PROBES, ports=[
        {"name": "dns", "containerPort": 53, "protocol": "UDP"}, {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
        {"name": "metrics", "containerPort": 9153, "protocol": "TCP"}]), dnsPolicy="Default", priorityClassName="system-cluster-critical")  # fmt: skip
    found = w.workload(kind, namespace, name, replicas, template=spec, labels=label or {"k8s-app": "kube-dns"}, nodes=where)
    made = w.service(found, name="kube-dns" if namespace == "kube-system" else name, port=53)
    made["spec"]["ports"] = [{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53}]
    return found


def static(w: World, node: Json, namespace: str, name: str, image: str, labels: Json) -> Json:
    """A static pod's mirror, owned by its Node."""
    spec = pod_spec(container(name, image, limit=""), hostNetwork=True, priorityClassName="system-node-critical")
    host = node["metadata"]["name"]
    own = Workload("Node", namespace, name, node, node, spec, labels)
    pod = w.pod(own, node, w.ago(days=41))
    pod["metadata"]["name"] = f"{name}-{host}"
    pod["metadata"].pop("generateName")
    pod["metadata"]["annotations"] = {"kubernetes.io/config.source": "file", "kubernetes.io/config.mirror": digest(name + host)[7:39]}
    return pod


def control_plane(w: World, nodes: list[Json], *, version: str, namespace: str = "kube-system") -> dict[str, list[Json]]:
    """kubeadm's static pods on each control-plane node."""
    found: dict[str, list[Json]] = {}
    for node in nodes:
        for name, image in (("etcd", "registry.k8s.io/etcd:3.5.12-0"), ("kube-apiserver", f"registry.k8s.io/kube-apiserver:{version}"),
                            ("kube-controller-manager", f"registry.k8s.io/kube-controller-manager:{version}"),
                            ("kube-scheduler", f"registry.k8s.io/kube-scheduler:{version}")):  # fmt: skip
            found.setdefault(name, []).append(static(w, node, namespace, name, image, {"component": name, "tier": "control-plane"}))
    return found


def apps(w: World, pods: int, namespaces: tuple[str, ...], *, ingress: str = "", cpu: str = "100m") -> list[Workload]:
    """Ordinary services of teams: 1 to 5 replicas, some without limits or probes, some behind an Ingress."""
    made: list[Workload] = []
    total = 0
    while total < pods:
        number = len(made)
        namespace = namespaces[number % len(namespaces)]
        name = WORDS[number % len(WORDS)] + ("" if number < len(WORDS) else f"-{number // len(WORDS)}")
        replicas = (2, 3, 1, 4, 2, 5)[number % 6]
        more: Json = dict(PROBES) if number % 3 else {}
        spec = pod_spec(container("app", f"registry.corp.example/{namespace}/{name}:3.{number}.2", cpu=cpu if number % 7 else "", limit="512Mi" if number % 4
                                  else "", memory="200Mi", **more), container("proxy", "docker.io/envoyproxy/envoy:v1.29.2", cpu="20m", memory="40Mi")
                        if number % 5 == 0 else container("app2", "registry.corp.example/base/sidecar:1.2", cpu="10m"))  # fmt: skip
        if number % 9 == 8:
            found = w.workload("StatefulSet", namespace, name, min(replicas, 3), template=spec, claims="gp3-ssd")
        else:
            found = w.workload("Deployment", namespace, name, replicas, template=spec)
        total += len(found.pods)
        made.append(found)
        if number % 2 == 0:
            w.service(found)
            if ingress and number % 4 == 0:
                w.ingress(namespace, name, f"{name}.{namespace}.example.org", name, ingress)
    return made


def mess(w: World, made: list[Workload], *, loud: bool = True) -> None:
    """Ordinary mess: finished runs, old restarts, an HPA at its minimum, a node cordoned for days; `loud` adds one image that is not there."""
    nightly = w.cron_job(made[0].namespace, "nightly-report", "15 2 * * *")
    for day in (1, 2, 3):
        w.job(nightly, w.ago(310 + 1440 * day), took=14)
    hourly = w.cron_job(made[1].namespace, "sync-rates", "*/30 * * * *")
    for run in (10, 40, 70):
        w.job(hourly, w.ago(run))
    w.restarted(made[2].pods[0], w.ago(days=2), code=137, reason="OOMKilled")
    w.restarted(made[3].pods[0], w.ago(days=5), code=1, times=2)
    first = made[1]
    w.add("HorizontalPodAutoscaler", first.namespace, first.name, w.ago(days=30), by="helm", spec={
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": first.name}, "minReplicas": 2, "maxReplicas": 8,
    }, status={"currentReplicas": len(first.pods), "desiredReplicas": len(first.pods), "conditions": [
        {"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        {"type": "ScalingLimited", "status": "True", "reason": "TooFewReplicas", "message": "the desired replica count is less than the minimum replica count",
         "lastTransitionTime": "2026-01-01T00:00:00Z"}]})  # fmt: skip
    w.add("PodDisruptionBudget", first.namespace, first.name, w.ago(days=30), by="helm", spec={
        "minAvailable": 1, "selector": {"matchLabels": {"app.kubernetes.io/name": first.name}}},
        status={"disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1, "expectedPods": 2, "observedGeneration": 1})  # fmt: skip
    if len(w.workers()) > 6:
        w.cordon(w.workers()[-1], w.ago(days=6))
    if loud:
        broken = w.workload("Deployment", "sandbox-tim", "experiment", 1, image="registry.corp.example/tim/experiment:no-such-tag",
                            rolled=w.ago(300))  # fmt: skip
        pod = broken.pods[0]
        text_ = 'Back-off pulling image "registry.corp.example/tim/experiment:no-such-tag"'
        w.waiting(pod, w.ago(300), "ImagePullBackOff", text_)
        w.event(pod, "BackOff", text_, w.ago(1), first=w.ago(58), count=260, type_="Normal")


# ---- distributions


def eks(now: datetime, n: int = 14, *, minor: int = 29, pods: int = 160, seed: int = 3, fresh: int = 0, kernel: str = "5.10.219-208.866.amzn2.x86_64",
        loud: bool = True) -> World:  # fmt: skip
    """EKS: aws-node, no control plane in sight; `fresh` of the nodes were added by Karpenter a day ago."""
    w = World(now, minor=minor, seed=seed)
    for number in range(n):
        zone = "eu-west-1" + "abc"[number % 3]
        w.node(f"ip-10-{30 + number % 3}-{number * 11 % 250}-{17 + number * 7 % 220}.eu-west-1.compute.internal", w.ago(days=1.2 if number < fresh else 12 + number),
               kubelet=f"v1.{minor}.6-eks-1552ad0", kernel=kernel, os="Amazon Linux 2", runtime="containerd://1.7.11", pods="58", labels={
                   "eks.amazonaws.com/nodegroup": "general" if number % 4 else "memory", "topology.kubernetes.io/zone": zone,
                   "topology.kubernetes.io/region": "eu-west-1", "node.kubernetes.io/instance-type": "m6i.xlarge" if number % 4 else "r6i.xlarge"})  # fmt: skip
    daemon(w, "kube-system", "aws-node", "602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:v1.16.4")
    daemon(w, "kube-system", "kube-proxy", f"602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/kube-proxy:v1.{minor}.3-minimal-eksbuild.2")
    daemon(w, "kube-system", "ebs-csi-node", "public.ecr.aws/ebs-csi-driver/aws-ebs-csi-driver:v1.30.0", host=False, label="app")
    daemon(w, "logging", "fluent-bit", "public.ecr.aws/aws-observability/aws-for-fluent-bit:2.32.2", host=False, label="app.kubernetes.io/name")
    dns(w, image="602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/coredns:v1.11.1-eksbuild.4")
    w.workload("Deployment", "kube-system", "karpenter", 2, image="public.ecr.aws/karpenter/controller:0.36.1")
    front = w.workload("Deployment", "ingress-nginx", "ingress-nginx-controller", 3, image="registry.k8s.io/ingress-nginx/controller:v1.10.1",
                       labels={"app.kubernetes.io/name": "ingress-nginx", "app.kubernetes.io/component": "controller"})  # fmt: skip
    w.service(front, type_="LoadBalancer", address="198.51.100.7", externalTrafficPolicy="Cluster")
    mess(w, apps(w, pods, ("checkout", "search", "partner-api", "backoffice", "data"), ingress="nginx"), loud=loud)
    return w


def gke(now: datetime, n: int = 12, *, minor: int = 30, pods: int = 140, seed: int = 5, loud: bool = True) -> World:
    """GKE: kube-dns, node-problem-detector's conditions, kube-proxy as static pods."""
    w = World(now, minor=minor, seed=seed)
    for number in range(n):
        w.node(f"gke-main-pool-{1 + number % 2}-{digest(str(number % 2))[7:15]}-{suffix(f'n{number}', 4)}", w.ago(days=9 + number),
               kubelet=f"v1.{minor}.5-gke.1014001", kernel="6.1.85+", os="Container-Optimized OS from Google", runtime="containerd://1.7.15",
               cpu="8", memory="30110Mi", extra=[*NPD, ("NetworkUnavailable", "RouteCreated", "NodeController create implicit route")], labels={
                   "cloud.google.com/gke-nodepool": f"pool-{1 + number % 2}", "topology.kubernetes.io/zone": f"europe-west4-{'abc'[number % 3]}",
                   "node.kubernetes.io/instance-type": "n2-standard-8"})  # fmt: skip
        static(w, w.nodes[-1], "kube-system", "kube-proxy", f"gke.gcr.io/kube-proxy-amd64:v1.{minor}.5-gke.1014001", {"component": "kube-proxy"})
    daemon(w, "kube-system", "fluentbit-gke", "gke.gcr.io/fluent-bit:v1.8.12-gke.41")
    daemon(w, "kube-system", "gke-metadata-server", "gke.gcr.io/gke-metadata-server:gke_metadata_server_20240730")
    daemon(w, "kube-system", "pdcsi-node", "gke.gcr.io/gcp-compute-persistent-disk-csi-driver:v1.13.4")
    dns(w, name="kube-dns", image="gke.gcr.io/k8s-dns-kube-dns:1.23.0-gke.9")
    w.workload("Deployment", "kube-system", "konnectivity-agent", 3, image="gke.gcr.io/proxy-agent:v0.30.3-gke.0")
    mess(w, apps(w, pods, ("web", "jobs", "realtime", "payments")), loud=loud)
    return w


def aks(now: datetime, n: int = 10, *, minor: int = 28, pods: int = 130, seed: int = 7, loud: bool = True, patch: int = 9) -> World:
    """AKS: azure CNI, vmss names, more conditions of its own node agent, no zones."""
    w = World(now, minor=minor, seed=seed)
    for number in range(n):
        w.node(f"aks-nodepool1-31718369-vmss{number:06x}", w.ago(days=20 + number), kubelet=f"v1.{minor}.{patch}", kernel="5.15.0-1064-azure",
               os="Ubuntu 22.04.4 LTS", runtime="containerd://1.7.15-1", manager="Go-http-client",
               extra=[(t, f"No{t}", "ok") for t in ("KubeletProblem", "ContainerRuntimeProblem", "VMEventScheduled", "FilesystemCorruptionProblem")],
               labels={"kubernetes.azure.com/agentpool": "nodepool1", "agentpool": "nodepool1", "node.kubernetes.io/instance-type": "Standard_D4s_v5"})  # fmt: skip
    for name in ("azure-cns", "kube-proxy", "csi-azuredisk-node", "cloud-node-manager"):
        daemon(w, "kube-system", name, f"mcr.microsoft.com/oss/kubernetes/{name}:v1.{minor}.1")
    dns(w, image="mcr.microsoft.com/oss/kubernetes/coredns:v1.9.4-hotfix.20240704", limit="500Mi")
    w.workload("Deployment", "kube-system", "coredns-autoscaler", 1, image="mcr.microsoft.com/oss/kubernetes/autoscaler/cluster-proportional-autoscaler:1.8.11")
    mess(w, apps(w, pods, ("shopfront", "crm", "reporting")), loud=loud)
    return w


def kubeadm(now: datetime, n: int = 9, *, minor: int = 27, pods: int = 110, seed: int = 11, cni: str = "calico", loud: bool = True,
            docker: bool = False, masters: int = 3, cpu: str = "4") -> World:  # fmt: skip
    """kubeadm on own machines: stacked etcd, no zones, no cloud."""
    w = World(now, minor=minor, seed=seed)
    tainted = [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
    for number in range(masters + n):
        master = number < masters
        w.node(f"srv{41 + number}.dc2.corp.example" if cni != "weave" else f"10.8.{number}.{20 + number}", w.ago(days=300 - number), kubelet=f"v1.{minor}.4",
               kernel="5.15.0-113-generic", os="Ubuntu 22.04.4 LTS", runtime="docker://24.0.7" if docker else "containerd://1.6.32",
               taints=list(tainted) if master else None, labels={"node-role.kubernetes.io/control-plane": ""} if master else {}, manager="kubeadm",
               cpu=cpu, extra=[("NetworkUnavailable", "CalicoIsUp", "Calico is running on this node")] if cni == "calico" else [])  # fmt: skip
    control_plane(w, w.nodes[:masters], version=f"v1.{minor}.4")
    images = {"calico": "docker.io/calico/node:v3.26.4", "flannel": "docker.io/flannel/flannel:v0.25.1", "weave": "docker.io/weaveworks/weave-kube:2.8.1"}
    name, space = {"calico": ("calico-node", "kube-system"), "flannel": ("kube-flannel-ds", "kube-flannel"), "weave": ("weave-net", "kube-system")}[cni]
    daemon(w, space, name, images[cni])
    daemon(w, "kube-system", "kube-proxy", f"registry.k8s.io/kube-proxy:v1.{minor}.4")
    daemon(w, "monitoring", "node-exporter", "quay.io/prometheus/node-exporter:v1.8.1", hostPID=True, label="app.kubernetes.io/name")
    dns(w)
    front = w.workload("Deployment", "haproxy-controller", "haproxy-kubernetes-ingress", 2, image="docker.io/haproxytech/kubernetes-ingress:1.11.4")
    w.service(front, type_="NodePort")
    mess(w, apps(w, pods, ("erp", "hr", "lab", "intranet"), ingress="haproxy"), loud=loud)
    return w


def openshift(now: datetime, n: int = 9, *, pods: int = 150, seed: int = 13, loud: bool = True, mixed: bool = False) -> World:
    """OpenShift 4.14: CRI-O, DNS as a DaemonSet, router, static pods with guards, finished installers."""
    w = World(now, minor=27, seed=seed)
    for number in range(3 + n):
        master = number < 3
        arch = "arm64" if mixed and number % 3 == 2 else "amd64"
        w.node(f"{'master' if master else 'worker'}-{number if master else number - 3}.ocp4.example.net", w.ago(days=90), kubelet="v1.27.11+749fe1d", arch=arch,
               kernel="5.14.0-284.59.1.el9_2", os="Red Hat Enterprise Linux CoreOS 414.92", runtime="cri-o://1.27.4-3.rhaos4.14", cpu="8", memory="31Gi", pods="250",
               taints=[{"key": "node-role.kubernetes.io/master", "effect": "NoSchedule"}] if master else None,
               labels={"node-role.kubernetes.io/master" if master else "node-role.kubernetes.io/worker": "", "topology.kubernetes.io/zone": f"rack{number % 2}"})  # fmt: skip
    for node in w.nodes[:3]:
        for name in ("etcd", "kube-apiserver", "kube-controller-manager", "openshift-kube-scheduler"):
            space = f"openshift-{name.removeprefix('openshift-')}"
            static(w, node, space, name, f"quay.io/openshift-release-dev/ocp-v4.0-art-dev:{name}", {"app": name})
            done = static(w, node, space, f"installer-7-{name}", "quay.io/openshift-release-dev/ocp-v4.0-art-dev:installer", {"app": "installer"})
            done["status"]["phase"] = "Succeeded"
            done["status"]["containerStatuses"][0].update(ready=False, state={"terminated": {"exitCode": 0, "reason": "Completed",
                "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:01:00Z"}})  # fmt: skip
            for one in done["status"]["conditions"]:
                if one["type"] in ("Ready", "ContainersReady"):
                    one.update(status="False", reason="PodCompleted")
    daemons = [daemon(w, f"openshift-{space}", name, f"quay.io/openshift-release-dev/ocp-v4.0-art-dev:{name}", label="app")
               for space, name in (("ovn-kubernetes", "ovnkube-node"), ("multus", "multus"), ("machine-config-operator", "machine-config-daemon"))]  # fmt: skip
    dns(w, "openshift-dns", "dns-default", image="quay.io/openshift-release-dev/ocp-v4.0-art-dev:coredns", kind="DaemonSet", limit="512Mi", where=w.nodes,
        label={"dns.operator.openshift.io/daemonset-dns": "default"})  # fmt: skip
    if mixed:  # CRI-O names the image of the architecture, not the list of them
        arch = {n["metadata"]["name"]: n["status"]["nodeInfo"]["architecture"] for n in w.nodes}
        for found in daemons:
            for pod in found.pods:
                for status in pod["status"]["containerStatuses"]:
                    status["imageID"] = f"quay.io/openshift-release-dev/ocp-v4.0-art-dev@{digest(found.name + arch[pod['spec']['nodeName']])}"
    front = w.workload("Deployment", "openshift-ingress", "router-default", 2, image="quay.io/openshift-release-dev/ocp-v4.0-art-dev:haproxy-router",
                       labels={"ingresscontroller.operator.openshift.io/deployment-ingresscontroller": "default"})  # fmt: skip
    w.service(front, name="router-internal-default")
    mess(w, apps(w, pods, ("bank-core", "cards", "kyc", "treasury")), loud=loud)
    return w


def k3s(now: datetime, n: int = 6, *, pods: int = 80, seed: int = 17, loud: bool = True, minor: int = 31) -> World:
    """k3s on small machines of two architectures: traefik, service load balancer, flannel and the policy controller inside the server."""
    w = World(now, minor=minor, seed=seed)
    for number in range(n):
        arm = number % 2
        w.node(f"{'pi' if arm else 'nuc'}-{number}", w.ago(days=70 - number), kubelet=f"v1.{minor}.4+k3s1", kernel="6.6.31+rpt-rpi-v8" if arm else "6.1.0-23-amd64",
               os="Debian GNU/Linux 12 (bookworm)", runtime="containerd://1.7.23-k3s2", arch="arm64" if arm else "amd64", manager="k3s", memory="8Gi",
               labels={"node-role.kubernetes.io/control-plane": "true", "node-role.kubernetes.io/master": "true"} if number == 0 else {})  # fmt: skip
    dns(w, replicas=1, image="rancher/mirrored-coredns-coredns:1.12.0")
    w.workload("Deployment", "kube-system", "local-path-provisioner", 1, image="rancher/local-path-provisioner:v0.0.30")
    w.workload("Deployment", "kube-system", "metrics-server", 1, image="rancher/mirrored-metrics-server:v0.7.2")
    front = w.workload("Deployment", "kube-system", "traefik", 2, image="rancher/mirrored-library-traefik:2.11.10",
                       template=pod_spec(container("traefik", "rancher/mirrored-library-traefik:2.11.10", limit="300Mi", **PROBES)))  # fmt: skip
    w.service(front, type_="LoadBalancer", address="192.168.7.20")
    daemon(w, "kube-system", "svclb-traefik-4f2a9c", "rancher/klipper-lb:v0.4.9", host=False, label="app")
    mess(w, apps(w, pods, ("home", "factory", "cams"), ingress="traefik"), loud=loud)
    return w


def rke2(now: datetime, n: int = 11, *, pods: int = 150, seed: int = 19, loud: bool = True, minor: int = 28) -> World:
    """RKE2: canal, ingress-nginx as a DaemonSet, DNS by a chart with a long name."""
    w = World(now, minor=minor, seed=seed)
    for number in range(3 + n):
        master = number < 3
        w.node(f"rke-{'s' if master else 'a'}{number:02d}", w.ago(days=120), kubelet=f"v1.{minor}.11+rke2r1", kernel="5.14.21-150500.55.68-default",
               os="SUSE Linux Enterprise Server 15 SP5", runtime="containerd://1.7.17-k3s1", cpu="8", memory="32Gi",
               taints=[{"key": "CriticalAddonsOnly", "value": "true", "effect": "NoExecute"}] if master else None,
               labels={"node-role.kubernetes.io/control-plane": "true", "node-role.kubernetes.io/etcd": "true"} if master else {})  # fmt: skip
    for node in w.nodes[:3]:
        for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"):
            static(w, node, "kube-system", name, f"docker.io/rancher/hardened-{name}:v1.{minor}.11-rke2r1", {"component": name, "tier": "control-plane"})
    daemon(w, "kube-system", "rke2-canal", "docker.io/rancher/hardened-calico:v3.27.3")
    dns(w, name="rke2-coredns-rke2-coredns", image="docker.io/rancher/hardened-coredns:v1.11.1-build20240305", limit="128Mi",
        label={"app.kubernetes.io/name": "rke2-coredns", "k8s-app": "kube-dns"})  # fmt: skip
    daemon(w, "kube-system", "rke2-ingress-nginx-controller", "docker.io/rancher/nginx-ingress-controller:v1.9.6-hardened1", host=False,
           label="app.kubernetes.io/name", nodes=w.workers())  # fmt: skip
    mess(w, apps(w, pods, ("mes", "plm", "warehouse", "qa"), ingress="nginx"), loud=loud)
    return w


def kops(now: datetime, n: int = 16, *, minor: int = 26, pods: int = 200, seed: int = 23, loud: bool = True, kernel: str = "5.15.0-1061-aws") -> World:
    """kops: nodes are instance ids, cilium, three masters in three zones."""
    w = World(now, minor=minor, seed=seed)
    for number in range(3 + n):
        master = number < 3
        zone = "us-east-1" + "abc"[number % 3]
        w.node(f"i-0{digest(f'kops{number}')[7:23]}", w.ago(days=30 + number), kubelet=f"v1.{minor}.15", kernel=kernel, os="Ubuntu 22.04.4 LTS",
               runtime="containerd://1.6.28", taints=[{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}] if master else None, labels={
                   "kops.k8s.io/instancegroup": f"control-plane-{zone}" if master else f"nodes-{zone}", "topology.kubernetes.io/zone": zone,
                   "node.kubernetes.io/instance-type": "c5.large" if master else "m5.xlarge",
                   **({"node-role.kubernetes.io/control-plane": ""} if master else {"node-role.kubernetes.io/node": ""})})  # fmt: skip
    control_plane(w, w.nodes[:3], version=f"v1.{minor}.15")
    daemon(w, "kube-system", "cilium", "quay.io/cilium/cilium:v1.13.17")
    daemon(w, "kube-system", "ebs-csi-node", "registry.k8s.io/provider-aws/aws-ebs-csi-driver:v1.14.1")
    dns(w, replicas=3)
    front = w.workload("Deployment", "edge", "contour-envoy", 3, image="docker.io/envoyproxy/envoy:v1.29.5")
    w.service(front, type_="LoadBalancer", address="203.0.113.80")
    mess(w, apps(w, pods, ("identity", "market", "bids", "feed", "ops"), ingress="contour"), loud=loud)
    return w


ALL: dict[str, Callable[..., World]] = {
    "eks": eks, "gke": gke, "aks": aks, "kubeadm": kubeadm, "openshift": openshift, "k3s": k3s, "rke2": rke2, "kops": kops,
}  # fmt: skip
