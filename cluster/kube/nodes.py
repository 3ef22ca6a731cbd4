"""What the labels, taints and conditions of a node say about it."""

from __future__ import annotations

import re

from cluster.kube.conditions import condition_of
from cluster.kube.objects import LeanMeta, Node

ZONE = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")
INSTANCE_TYPE = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")
POOL = (
    "eks.amazonaws.com/nodegroup",
    "alpha.eksctl.io/nodegroup-name",
    "karpenter.sh/nodepool",
    "karpenter.sh/provisioner-name",
    "cloud.google.com/gke-nodepool",
    "kubernetes.azure.com/agentpool",
    "agentpool",
    "node.kubernetes.io/pool",
    "nodepool",
    "machine.openshift.io/cluster-api-machineset",
    "kops.k8s.io/instancegroup",
    "doks.digitalocean.com/node-pool",
    "lke.linode.com/pool-id",
    "node-pool",
    "pool",
)
_CONTROL_PLANE = (
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/master",
    "node-role.kubernetes.io/controlplane",
)


def label(meta: LeanMeta, names: tuple[str, ...]) -> str:
    """The first of these labels that is set."""
    return next((meta.labels[n] for n in names if meta.labels.get(n)), "")


def is_control_plane(node: Node) -> bool:
    """By its role labels: those of kubeadm, or `kubernetes.io/role`, which kops and kubeasz set."""
    labels = node.metadata.labels
    return labels.get("kubernetes.io/role") in ("master", "control-plane") or any(
        name in labels for name in _CONTROL_PLANE
    )


_VIRTUAL = ("virtual-kubelet", "virtual-kubelet.io/provider", "liqo.io/type")


def is_virtual(node: Node) -> bool:
    """Whether a provider made the node for pods elsewhere (Fargate, ACI, virtual kubelet): its
    capacity and versions are the provider's."""
    labels = node.metadata.labels
    return (
        labels.get("eks.amazonaws.com/compute-type") == "fargate"
        or labels.get("type") in _VIRTUAL
        or any(name in labels for name in _VIRTUAL)
        or any(t.key in _VIRTUAL for t in node.spec.taints)
    )


def ready_status(node: Node) -> str:
    """Status of the Ready condition, "" when the node has none yet."""
    ready = condition_of(node.status.conditions, "Ready")
    return ready.status if ready is not None else ""


_BURSTABLE = re.compile(
    r"^(t[1-4][a-z]*\.|Standard_B|e2-(micro|small|medium)|f1-|g1-)", re.IGNORECASE
)


def is_burstable(node: Node) -> bool:
    """Whether its instance type gets CPU credits, not CPU (t2, t3, t4g, B, e2-micro, f1, g1)."""
    return _BURSTABLE.match(label(node.metadata, INSTANCE_TYPE)) is not None
