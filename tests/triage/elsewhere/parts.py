"""What every distribution is made of: agents, DNS, static pods, ordinary services, ordinary
mess."""

from __future__ import annotations

from datetime import datetime

from tests.triage.elsewhere.objects import PROBES, Json, container, digest, pod_spec
from tests.triage.elsewhere.world import Workload, World

WORDS = (
    "accounts",
    "catalog",
    "basket",
    "orders",
    "shipping",
    "pricing",
    "media",
    "notify",
    "fraud",
    "ledger",
    "profile",
    "tracking",
    "export",
    "import",
    "invoices",
    "rating",
    "quotes",
    "stock",
    "labels",
    "returns",
    "geo",
    "feeds",
    "mailer",
    "audit",
)


def _mount(name: str) -> str:
    """Where an agent of this kind reaches into its host."""
    if any(
        word in name
        for word in (
            "aws-node",
            "azure-cns",
            "calico",
            "canal",
            "cilium",
            "flannel",
            "weave-net",
            "ovnkube",
            "multus",
            "netd",
        )
    ):
        return "/etc/cni/net.d"
    if any(word in name for word in ("fluent", "log", "vector")):
        return "/var/log"
    return (
        "/var/lib/kubelet/plugins"
        if "csi" in name or "pdcsi" in name
        else "/run/xtables.lock"
        if "proxy" in name or "npc" in name or "router" in name
        else "/sys"
    )


def daemon(
    w: World,
    namespace: str,
    name: str,
    image: str,
    *,
    host: bool = True,
    label: str = "k8s-app",
    nodes: list[Json] | None = None,
    born: datetime | None = None,
    containers: list[Json] | None = None,
    **more: object,
) -> Workload:
    spec = pod_spec(
        *(containers or [container(name, image, limit="")]),
        volumes=[{"name": "host", "hostPath": {"path": _mount(name)}}],
        hostNetwork=host,
        priorityClassName="system-node-critical",
        **more,
    )
    spec["tolerations"] = [{"operator": "Exists"}]
    found = w.workload(
        "DaemonSet",
        namespace,
        name,
        template=spec,
        labels={label: name},
        nodes=nodes or w.nodes,
        born=born or w.ago(days=180),
        rolled=w.ago(days=33),
    )
    joined = {
        n["metadata"]["name"]: datetime.fromisoformat(n["metadata"]["creationTimestamp"])
        for n in w.nodes
    }
    for pod in found.pods:
        since = joined[pod["spec"]["nodeName"]]
        if since > w.ago(days=33):
            pod["metadata"]["creationTimestamp"] = since.strftime("%Y-%m-%dT%H:%M:%SZ")
            w.run(pod, since)
    return found


def dns(
    w: World,
    namespace: str = "kube-system",
    name: str = "coredns",
    *,
    image: str = "registry.k8s.io/coredns/coredns:v1.11.1",
    replicas: int = 2,
    kind: str = "Deployment",
    limit: str = "170Mi",
    label: Json | None = None,
    where: list[Json] | None = None,
) -> Workload:
    spec = pod_spec(
        container(
            "coredns",
            image,
            limit=limit,
            cpu="100m",
            memory="70Mi",
            **PROBES,
            ports=[
                {"name": "dns", "containerPort": 53, "protocol": "UDP"},
                {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
                {"name": "metrics", "containerPort": 9153, "protocol": "TCP"},
            ],
        ),
        dnsPolicy="Default",
        priorityClassName="system-cluster-critical",
    )
    found = w.workload(
        kind,
        namespace,
        name,
        replicas,
        template=spec,
        labels=label or {"k8s-app": "kube-dns"},
        nodes=where,
    )
    made = w.service(found, name="kube-dns" if namespace == "kube-system" else name, port=53)
    made["spec"]["ports"] = [{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53}]
    return found


def static(w: World, node: Json, namespace: str, name: str, image: str, labels: Json) -> Json:
    """A static pod's mirror, owned by its Node."""
    spec = pod_spec(
        container(name, image, limit=""), hostNetwork=True, priorityClassName="system-node-critical"
    )
    host = node["metadata"]["name"]
    own = Workload("Node", namespace, name, node, node, spec, labels)
    pod = w.pod(own, node, w.ago(days=41))
    pod["metadata"]["name"] = f"{name}-{host}"
    pod["metadata"].pop("generateName")
    pod["metadata"]["annotations"] = {
        "kubernetes.io/config.source": "file",
        "kubernetes.io/config.mirror": digest(name + host)[7:39],
    }
    return pod


def control_plane(
    w: World, nodes: list[Json], *, version: str, namespace: str = "kube-system"
) -> dict[str, list[Json]]:
    """kubeadm's static pods on each control-plane node."""
    found: dict[str, list[Json]] = {}
    for node in nodes:
        for name, image in (
            ("etcd", "registry.k8s.io/etcd:3.5.12-0"),
            ("kube-apiserver", f"registry.k8s.io/kube-apiserver:{version}"),
            ("kube-controller-manager", f"registry.k8s.io/kube-controller-manager:{version}"),
            ("kube-scheduler", f"registry.k8s.io/kube-scheduler:{version}"),
        ):
            found.setdefault(name, []).append(
                static(
                    w, node, namespace, name, image, {"component": name, "tier": "control-plane"}
                )
            )
    return found


def apps(
    w: World, pods: int, namespaces: tuple[str, ...], *, ingress: str = "", cpu: str = "100m"
) -> list[Workload]:
    """Ordinary services of teams: 1 to 5 replicas, some without limits or probes, some behind an
    Ingress."""
    made: list[Workload] = []
    total = 0
    while total < pods:
        number = len(made)
        namespace = namespaces[number % len(namespaces)]
        name = WORDS[number % len(WORDS)] + (
            "" if number < len(WORDS) else f"-{number // len(WORDS)}"
        )
        replicas = (2, 3, 1, 4, 2, 5)[number % 6]
        more: Json = dict(PROBES) if number % 3 else {}
        spec = pod_spec(
            container(
                "app",
                f"registry.corp.example/{namespace}/{name}:3.{number}.2",
                cpu=cpu if number % 7 else "",
                limit="512Mi" if number % 4 else "",
                memory="200Mi",
                **more,
            ),
            container("proxy", "docker.io/envoyproxy/envoy:v1.29.2", cpu="20m", memory="40Mi")
            if number % 5 == 0
            else container("app2", "registry.corp.example/base/sidecar:1.2", cpu="10m"),
        )
        if number % 9 == 8:
            found = w.workload(
                "StatefulSet", namespace, name, min(replicas, 3), template=spec, claims="gp3-ssd"
            )
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
    """Ordinary mess: finished runs, old restarts, an HPA at its minimum, a node cordoned for days;
    `loud`: an image that is not there."""
    nightly = w.cron_job(made[0].namespace, "nightly-report", "15 2 * * *")
    for day in (1, 2, 3):
        w.job(nightly, w.ago(310 + 1440 * day), took=14)
    hourly = w.cron_job(made[1].namespace, "sync-rates", "*/30 * * * *")
    for run in (10, 40, 70):
        w.job(hourly, w.ago(run))
    w.restarted(made[2].pods[0], w.ago(days=2), code=137, reason="OOMKilled")
    w.restarted(made[3].pods[0], w.ago(days=5), code=1, times=2)
    first = made[1]
    w.add(
        "HorizontalPodAutoscaler",
        first.namespace,
        first.name,
        w.ago(days=30),
        by="helm",
        spec={
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": first.name},
            "minReplicas": 2,
            "maxReplicas": 8,
        },
        status={
            "currentReplicas": len(first.pods),
            "desiredReplicas": len(first.pods),
            "conditions": [
                {
                    "type": "AbleToScale",
                    "status": "True",
                    "reason": "ReadyForNewScale",
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                },
                {
                    "type": "ScalingActive",
                    "status": "True",
                    "reason": "ValidMetricFound",
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                },
                {
                    "type": "ScalingLimited",
                    "status": "True",
                    "reason": "TooFewReplicas",
                    "message": "the desired replica count is less than the minimum replica count",
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                },
            ],
        },
    )
    w.add(
        "PodDisruptionBudget",
        first.namespace,
        first.name,
        w.ago(days=30),
        by="helm",
        spec={
            "minAvailable": 1,
            "selector": {"matchLabels": {"app.kubernetes.io/name": first.name}},
        },
        status={
            "disruptionsAllowed": 1,
            "currentHealthy": 2,
            "desiredHealthy": 1,
            "expectedPods": 2,
            "observedGeneration": 1,
        },
    )
    if len(w.workers()) > 6:
        w.cordon(w.workers()[-1], w.ago(days=6))
    if loud:
        broken = w.workload(
            "Deployment",
            "sandbox-tim",
            "experiment",
            1,
            image="registry.corp.example/tim/experiment:no-such-tag",
            rolled=w.ago(300),
        )
        pod = broken.pods[0]
        text_ = 'Back-off pulling image "registry.corp.example/tim/experiment:no-such-tag"'
        w.waiting(pod, w.ago(300), "ImagePullBackOff", text_)
        w.event(pod, "BackOff", text_, w.ago(1), first=w.ago(58), count=260, type_="Normal")
