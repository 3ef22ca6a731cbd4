"""The kinds that are watched, in the order in which they are asked for: first what says that
something is wrong."""

from __future__ import annotations

import msgspec

from cluster.kube import objects as k


class Kind(msgspec.Struct, frozen=True):
    """One watched kind.

    `metadata_only`: requested as PartialObjectMetadata, so that values (of Secrets above all) never
    leave the server.
    `order`: start order; kinds with the same order start together. `optional`: its absence (404,
    403) does not make an answer partial.
    """

    name: str
    plural: str
    group: str
    version: str
    type: type[k.Object]
    order: int
    namespaced: bool = True
    metadata_only: bool = False
    optional: bool = False
    field_selector: str = ""
    bulky: bool = False
    """Comes in thousands: a first page, then all in one answer from the watch cache, also where the
    server streams lists. A stream sends each object by itself: 10,000 pods over TLS cost the reader
    1.25 s of CPU, in pages or in one answer 0.8 s. Pages come from etcd and cost the server 1.8 s
    of CPU, the one answer 0.4 s (Kubernetes 1.34, measured)."""

    poll: float = 0.0
    """Seconds between two lists instead of a watch; 0 watches. For what only ever says "still
    here": 200 nodes renew 20 Leases a second, and to hear of each costs as much as all else that a
    quiet cluster does to its watcher."""

    gather: float = 0.1
    """Seconds after which a watch that has said all for now is listened to again: what comes
    meanwhile is read together, at less cost."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "") -> str:
        """Collection path below the server's root, for one namespace or ("") for all."""
        prefix = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if namespace and self.namespaced:
            return f"{prefix}/namespaces/{namespace}/{self.plural}"
        return f"{prefix}/{self.plural}"


KINDS: tuple[Kind, ...] = (
    Kind(
        "Node", "nodes", "", "v1", k.Node, 0, namespaced=False, gather=0.5
    ),  # most of what they say is that they are still there
    Kind("Event", "events", "", "v1", k.Event, 0, bulky=True),
    Kind("Pod", "pods", "", "v1", k.Pod, 0, bulky=True),
    Kind("Namespace", "namespaces", "", "v1", k.Namespace, 1, namespaced=False),
    Kind("Deployment", "deployments", "apps", "v1", k.Deployment, 2, bulky=True),
    Kind("DaemonSet", "daemonsets", "apps", "v1", k.DaemonSet, 2),
    Kind("StatefulSet", "statefulsets", "apps", "v1", k.StatefulSet, 2),
    Kind("ReplicaSet", "replicasets", "apps", "v1", k.ReplicaSet, 2, bulky=True),
    Kind("Service", "services", "", "v1", k.Service, 3),
    Kind(
        "EndpointSlice", "endpointslices", "discovery.k8s.io", "v1", k.EndpointSlice, 3, bulky=True
    ),
    Kind("Lease", "leases", "coordination.k8s.io", "v1", k.Lease, 3, poll=8.0),
    Kind("Job", "jobs", "batch", "v1", k.Job, 3, bulky=True),
    Kind("CronJob", "cronjobs", "batch", "v1", k.CronJob, 3),
    Kind("Secret", "secrets", "", "v1", k.PartialObject, 4, metadata_only=True, bulky=True),
    Kind("ConfigMap", "configmaps", "", "v1", k.PartialObject, 4, metadata_only=True, bulky=True),
    Kind("Ingress", "ingresses", "networking.k8s.io", "v1", k.Ingress, 4),
    Kind("NetworkPolicy", "networkpolicies", "networking.k8s.io", "v1", k.NetworkPolicy, 4),
    Kind("PersistentVolumeClaim", "persistentvolumeclaims", "", "v1", k.PersistentVolumeClaim, 4),
    Kind(
        "PersistentVolume", "persistentvolumes", "", "v1", k.PersistentVolume, 4, namespaced=False
    ),
    Kind(
        "VolumeAttachment",
        "volumeattachments",
        "storage.k8s.io",
        "v1",
        k.VolumeAttachment,
        4,
        namespaced=False,
    ),
    Kind(
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        "autoscaling",
        "v2",
        k.HorizontalPodAutoscaler,
        4,
    ),
    Kind("PodDisruptionBudget", "poddisruptionbudgets", "policy", "v1", k.PodDisruptionBudget, 4),
    Kind(
        "ControllerRevision",
        "controllerrevisions",
        "apps",
        "v1",
        k.ControllerRevision,
        5,
        optional=True,
        bulky=True,
    ),
    Kind("ResourceQuota", "resourcequotas", "", "v1", k.ResourceQuota, 5, optional=True),
    Kind(
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        "admissionregistration.k8s.io",
        "v1",
        k.WebhookConfiguration,
        5,
        namespaced=False,
        optional=True,
    ),
    Kind(
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        "admissionregistration.k8s.io",
        "v1",
        k.WebhookConfiguration,
        5,
        namespaced=False,
        optional=True,
    ),
    Kind(
        "CustomResourceDefinition",
        "customresourcedefinitions",
        "apiextensions.k8s.io",
        "v1",
        k.PartialObject,
        5,
        namespaced=False,
        metadata_only=True,
        optional=True,
    ),
    Kind(
        "ClusterRole",
        "clusterroles",
        "rbac.authorization.k8s.io",
        "v1",
        k.PartialObject,
        5,
        namespaced=False,
        metadata_only=True,
        optional=True,
    ),
    Kind(
        "ClusterRoleBinding",
        "clusterrolebindings",
        "rbac.authorization.k8s.io",
        "v1",
        k.PartialObject,
        5,
        namespaced=False,
        metadata_only=True,
        optional=True,
    ),
)

BY_NAME: dict[str, Kind] = {kind.name: kind for kind in KINDS}


def _other(
    name: str,
    plural: str,
    group: str,
    version: str,
    *,
    namespaced: bool = True,
    metadata_only: bool = False,
) -> Kind:
    return Kind(
        name, plural, group, version, k.PartialObject, 9, namespaced, metadata_only, optional=True
    )


READABLE: dict[str, Kind] = BY_NAME | {
    kind.name: kind
    for kind in (
        _other("Endpoints", "endpoints", "", "v1"),
        _other("LimitRange", "limitranges", "", "v1"),
        _other("ServiceAccount", "serviceaccounts", "", "v1"),
        _other("Role", "roles", "rbac.authorization.k8s.io", "v1"),
        _other("RoleBinding", "rolebindings", "rbac.authorization.k8s.io", "v1"),
        _other("StorageClass", "storageclasses", "storage.k8s.io", "v1", namespaced=False),
        _other("CSIDriver", "csidrivers", "storage.k8s.io", "v1", namespaced=False),
        _other("CSINode", "csinodes", "storage.k8s.io", "v1", namespaced=False),
        _other("PriorityClass", "priorityclasses", "scheduling.k8s.io", "v1", namespaced=False),
        _other("APIService", "apiservices", "apiregistration.k8s.io", "v1", namespaced=False),
        _other("PodMetrics", "pods", "metrics.k8s.io", "v1beta1"),
        _other("NodeMetrics", "nodes", "metrics.k8s.io", "v1beta1", namespaced=False),
    )
}
"""Kinds that a check may read on demand: the watched ones and a few more."""
