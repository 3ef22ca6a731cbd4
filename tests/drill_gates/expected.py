"""What each drill has to be seen as: the table that every gate holds against."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Told:
    """mechanism: rule that names the symptom on which the runbook ranks. since: minutes before the
    start, where it is not the answer's. shared: (attribute, value) as the cohort says it. says:
    what the symptom's title or object names instead, where one object or one moment is all that
    there is."""

    mechanism: str
    since: float | None = None
    shared: tuple[str, str] | None = None
    says: str = ""
    fallback: str = ""
    """The runbook that rightly takes over once the signal is missing that alone tells the two
    apart."""
    leads: str = ""
    """Mechanism of the first symptom on the screen, where it is another one."""


TOLD = {
    "cluster-upgrade-breaks-cluster": Told(
        "failures-on-new-nodes", shared=("kubelet version", "v1.34.4")
    ),
    "cni-not-ready-on-new-node": Told("failures-on-new-nodes", shared=("node", "node-c8")),
    "container-runtime-crash-memory-leak": Told("node-system-oom", shared=("node", "node-b3")),
    "container-runtime-hung": Told("pods-stuck-on-node", shared=("node", "node-c3")),
    "coredns-oom": Told("dns-degraded", shared=("owner", "Deployment kube-system/coredns")),
    "cpu-hot-node-kernel-panic": Told(
        "nodes-failing-in-turn", shared=("owner", "Deployment media/renderer")
    ),
    "cronjob-pod-flood": Told("cronjob-flood", shared=("owner", "CronJob analytics/fx-rates")),
    # the miner itself leaves nothing in the API: seen are the door, and the grant that a stranger
    # made a day ago
    "cryptomining-exposed-dashboard": Told("exposed-privileged-workload", says="tools/topology"),
    "errors-during-rollout": Told("rollout-not-graceful", says="marketplace/checkout"),
    "etcd-connectivity-api-latency": Told(
        "nodes-unknown-together",
        says="7 of 15 nodes",
        fallback="ingress-routes-lost-api-server-down",
    ),
    "etcd-data-deleted": Told("system-namespaces-recreated", says="kube-system"),
    "ingress-controller-oom": Told(
        "ingress-degraded", shared=("owner", "Deployment nginx/ingress-nginx-controller")
    ),
    "ingress-routes-lost-api-server-down": Told(
        "control-plane-degraded", shared=("image", "registry.k8s.io/kube-apiserver:v1.34.4")
    ),
    "kubelet-memory-leak": Told(
        "node-system-oom",
        shared=("node", "node-a2"),
        fallback="container-runtime-crash-memory-leak",
    ),
    "network-policy-cni-version-skew": Told("daemonset-image-drift", shared=("node", "node-b2")),
    "node-disk-full-container-logs": Told("node-pressure", says="node-a4"),
    "nodes-notready-system-oom": Told(
        "nodes-failing-in-turn", shared=("owner", "Deployment logging/elastalert")
    ),
    "pod-ip-exhaustion": Told("pod-sandbox-failed", shared=("zone", "eu-west-1b")),
    "replicas-packed-on-one-node": Told("replicas-on-one-node", says="node-b6"),
    "secret-not-found-blocks-deployments": Told(
        "secret-missing-across-namespaces", shared=("created after", "2026-11-21T02:26:00+00:00")
    ),
    "secrets-emptied-by-controller": Told("secret-keys-lost", says="credentials-controller"),
    "stateful-operator-data-loss": Told("stateful-on-emptydir", says="identity/rfr-sessions-store"),
    # the node that holds the volumes went silent before the pods came up elsewhere
    "volume-attach-stuck": Told(
        "pod-volume-failed", since=21, shared=("node", "node-b3"), leads="node-not-ready"
    ),
}
SILENT = (
    "cpu-throttling-below-limit",
    "dns-latency-ndots",
    "egress-snat-misconfigured",
    "load-balancer-backends-flapping",
    "log-shipper-stalled-on-node",
)
DRILLS = tuple(sorted([*TOLD, *SILENT]))
