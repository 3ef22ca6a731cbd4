"""The role of a pod in the cluster, from its structure: ports, host mounts, Services in front of
it, well-known images. Names of objects are not used, because they differ between clusters."""

from __future__ import annotations

import re
from functools import lru_cache

from cluster.kube.images import parse
from cluster.kube.objects import (
    DaemonSet,
    Deployment,
    Ingress,
    Pod,
    PodSpec,
    Service,
    StatefulSet,
)
from cluster.kube.owners import MIRROR
from cluster.live.store import Store

CONTROL_PLANE = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "etcd",
    "cloud-controller-manager",
)
_SYSTEM = re.compile(r"^(kube-system|openshift-.*|.*-system|kube-.*)$")
_CNI_PATHS = (
    "/etc/cni",
    "/opt/cni",
    "/etc/kubernetes/cni",
    "/home/kubernetes/bin",
    "/var/run/multus",
)
_CNI_IMAGE = re.compile(
    r"(^|/)(calico/node|cilium|flannel|kube-router|canal|weave-(kube|npc)|antrea-agent\S*|ovn-kube\S*|ovn-kubernetes"
    r"|kindnetd|amazon-k8s-cni"
    r"|azure-(cni|cns|npm)|netd|multus-cni)$"
)
_STORAGE_PATHS = ("/var/lib/kubelet/plugins", "/var/lib/kubelet/plugins_registry")
_LOG_PATHS = (
    "/var/log",
    "/var/log/pods",
    "/var/log/containers",
    "/var/lib/docker/containers",
    "/var/lib/containerd/containers",
)
_INGRESS_IMAGE = re.compile(
    r"ingress|skipper|traefik|contour|^kong|ambassador|emissary|gloo|^router$|haproxy-router"
)
_PROXY_IMAGE = re.compile(r"^envoy|^proxyv2$|^haproxy|nginx-plus")
"""Proxies that also run as a sidecar: they make a pod an ingress only when it runs nothing else."""
_DNS_IMAGE = re.compile(r"^coredns$|kube-?dns|k8s-dns|dnsmasq|node-cache")


@lru_cache(maxsize=4096)
def system_namespace(namespace: str) -> bool:
    return bool(_SYSTEM.match(namespace))


def host_paths(spec: PodSpec) -> tuple[str, ...]:
    return tuple(
        v.host_path.path.rstrip("/") or "/" for v in spec.volumes if v.host_path is not None
    )


def component(pod: Pod) -> str:
    """Which control plane component a pod is (`kube-apiserver`, `etcd`, …), or "".

    Static pods and those of system namespaces only: control planes of other clusters and etcds of
    applications do not count.
    """
    meta = pod.metadata
    static = MIRROR in meta.annotations
    for owner in meta.owner_references:
        static = static or owner.kind == "Node"
    if not static and not system_namespace(meta.namespace):
        return ""
    images = {parse(c.image).short for c in pod.spec.containers}
    for name in CONTROL_PLANE:
        found = any(image == name or image.startswith(f"{name}-") for image in images)
        if found and (name != "etcd" or static or pod.spec.host_network):
            return name
    label = meta.labels.get("component", "")
    return label if static and label in CONTROL_PLANE else ""


def ingress_addresses(store: Store) -> frozenset[str]:
    """The addresses that Ingresses report: those of the controller that serves them."""
    found: set[str] = set()
    for ingress in store.rows("Ingress").values():
        for at in ingress.status.load_balancer.ingress:
            found.add(at.ip or at.hostname)
    return frozenset(found - {""})


def is_backend(service: Service, store: Store) -> bool:
    """Whether an Ingress leads to this Service."""
    ingresses = store.in_namespace("Ingress", service.metadata.namespace).values()
    return any(service.metadata.name in backends(ingress) for ingress in ingresses)


def backends(ingress: Ingress) -> set[str]:
    """Names of the Services that an Ingress leads to."""
    spec = ingress.spec
    names = {
        p.backend.service.name
        for r in spec.rules
        if r.http
        for p in r.http.paths
        if p.backend.service
    }
    if spec.default_backend is not None and spec.default_backend.service:
        names.add(spec.default_backend.service.name)
    return names


def workload_role(row: Deployment | StatefulSet | DaemonSet, store: Store) -> str:
    """The role that the pods of its template have, as `role` says it."""
    meta, template = row.metadata, row.spec.template
    kind = type(row).__name__
    return role(meta.namespace, template.metadata.labels, template.spec, kind, store)


def role(
    namespace: str, labels: dict[str, str], spec: PodSpec, owner_kind: str, store: Store
) -> str:
    """dns, ingress, cni, proxy, storage, log-shipper or "" for a pod template; control plane pods:
    see `component`."""
    images = [parse(c.image).short for c in (*spec.containers, *spec.init_containers)]
    paths = host_paths(spec)
    if owner_kind == "DaemonSet":
        if any(p.startswith(prefix) for p in paths for prefix in _CNI_PATHS):
            return "cni"
        if any(_CNI_IMAGE.search(parse(c.image).repository) for c in spec.containers):
            return "cni"
        if any("kube-proxy" in image for image in images) or (
            "/run/xtables.lock" in paths and spec.host_network
        ):
            return "proxy"
        if any(p.startswith(prefix) for p in paths for prefix in _STORAGE_PATHS):
            return "storage"
    if any(_DNS_IMAGE.search(image) for image in images):
        return "dns"
    services = store.services_selecting(namespace, labels)
    system = system_namespace(namespace) or spec.priority_class_name.startswith("system-")
    if system and any(port.port == 53 for s in services for port in s.spec.ports):
        return "dns"  # a DNS server of an application has neither
    if _is_ingress(images, spec, services, store):
        return "ingress"
    if owner_kind == "DaemonSet" and any(p in _LOG_PATHS for p in paths):
        return "log-shipper"
    return ""


def _is_ingress(images: list[str], spec: PodSpec, services: list[Service], store: Store) -> bool:
    web = {80, 443}
    beside = [parse(c.image).short for c in spec.containers]
    hinted = any(_INGRESS_IMAGE.search(image) for image in images)
    hinted = hinted or all(_PROXY_IMAGE.search(image) for image in beside)
    host_ports = {p.host_port for c in spec.containers for p in c.ports} & web
    if hinted and (host_ports or spec.host_network):
        return True
    outward = [s for s in services if s.spec.type in ("LoadBalancer", "NodePort")]
    if hinted and (outward or any({p.port for p in s.spec.ports} & web for s in services)):
        return True
    if not store.count("Ingress"):
        return False
    addresses = ingress_addresses(store) if outward else frozenset()
    for service in outward:
        own = {at.ip or at.hostname for at in service.status.load_balancer.ingress}
        if own & addresses:
            return True
        if (
            service.spec.type == "LoadBalancer"
            and web <= {p.port for p in service.spec.ports}
            and not addresses
            and not is_backend(service, store)
        ):
            return True
    return bool(host_ports == web and spec.host_network)
