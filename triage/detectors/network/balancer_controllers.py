"""What gives addresses to Services of type LoadBalancer: a cloud provider, or a controller that
runs in the cluster."""

from __future__ import annotations

import re

from cluster.kube.objects import DaemonSet, Node, Pod, PodSpec, Service
from triage.facts.cluster_view import ClusterView, ref_of

_IMAGE = re.compile(
    r"metallb|(?:^|/)(?:[\w.-]*cloud-controller-manager[\w.-]*|cilium/operator[\w.-]*"
    r"|[\w.-]*load-?balancer-controller[\w.-]*|kube-vip[\w.-]*|purelb[\w.-]*|openelb[\w.-]*"
    r"|klipper-lb|cloud-provider-kind|loxilb[\w.-]*|inlets-operator|k8s-operator)(?=:|$)"
)
"""Images of controllers, without their digests. The operator of Cilium gives addresses where it has
pools."""
_LEASES = re.compile(r"cloud-controller-manager|^plndr-svcs-lock|load-?balancer-controller|metallb")
_WITHOUT = ("", "kind", "minikube", "k3s")
"""Schemes of provider ids whose provider gives no addresses by itself: k3s runs klipper-lb."""
LOOKED_AT = ("Node", "Deployment", "DaemonSet", "StatefulSet")
"""Kinds that must be readable before a missing controller is reported."""
LOOKED_FOR = (
    "a cloud provider of the nodes, a cloud or load balancer controller, MetalLB, kube-vip, "
    "Cilium, PureLB, OpenELB, klipper-lb, another Service with an address"
)


def forwarder(row: Service, view: ClusterView) -> DaemonSet | None:
    """The DaemonSet that k3s makes for this Service alone (`svclb-NAME-` and eight characters of
    its uid): the address is that of its pods' nodes."""
    name = re.compile(rf"svclb-{re.escape(row.metadata.name)}-[0-9a-f]{{8}}")
    rows = view.store.in_namespace("DaemonSet", "kube-system").values()
    own = (one for one in rows if isinstance(one, DaemonSet) and name.fullmatch(one.metadata.name))
    return next(own, None)


def giver_of_addresses(row: Service, view: ClusterView) -> str:
    """What may give the Service an address, in words; "" where nothing is seen."""
    for node in view.store.all("Node", Node):
        scheme = node.spec.provider_id.partition(":")[0]
        if scheme not in _WITHOUT:
            return f"the provider of the nodes ({scheme})"
    for kind in ("Deployment", "DaemonSet", "StatefulSet"):
        for work in view.store.rows(kind).values():
            if _gives(work.spec.template.spec):
                return str(ref_of(work))
    for pod in view.store.in_namespace("Pod", "kube-system").values():
        if isinstance(pod, Pod) and _gives(pod.spec):
            return str(ref_of(pod))
    for _, name in sorted(view.store.in_namespace("Lease", "kube-system")):
        if _LEASES.search(name):
            return f"Lease kube-system/{name}"
    for other in view.store.all("Service", Service):
        if other.spec.type == "LoadBalancer" and other.status.load_balancer.ingress:
            return f"what gave {ref_of(other)} its address"
    return ""


def _gives(spec: PodSpec) -> bool:
    return any(_IMAGE.search(each.image.partition("@")[0]) for each in spec.containers)
