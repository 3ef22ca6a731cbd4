"""Which kinds the embedded cluster serves, and under which names. Everything else is generic over
this table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

_ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Kind:
    """One resource as discovery describes it. `group` is empty for the core group."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = _ALL_VERBS
    singular: str = field(default="")

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def prefix(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    @property
    def qualified(self) -> str:
        """`deployments.apps`, the form that error messages use."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def singular_name(self) -> str:
        return self.singular or self.kind.lower()


_RBAC = "rbac.authorization.k8s.io"
_SCALABLE = ("status", "scale")

KINDS: tuple[Kind, ...] = (
    Kind("", "v1", "Node", "nodes", False, ("no",), (), ("status", "proxy")),
    Kind(
        "",
        "v1",
        "Pod",
        "pods",
        True,
        ("po",),
        ("all",),
        (
            "status",
            "log",
            "exec",
            "attach",
            "portforward",
            "proxy",
            "eviction",
            "ephemeralcontainers",
            "resize",
            "binding",
        ),
    ),
    Kind("", "v1", "Event", "events", True, ("ev",)),
    Kind("", "v1", "Namespace", "namespaces", False, ("ns",), (), ("status", "finalize")),
    Kind("", "v1", "Service", "services", True, ("svc",), ("all",), ("status", "proxy")),
    Kind("", "v1", "Endpoints", "endpoints", True, ("ep",), singular="endpoints"),
    Kind(
        "", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", True, ("pvc",), (), ("status",)
    ),
    Kind("", "v1", "PersistentVolume", "persistentvolumes", False, ("pv",), (), ("status",)),
    Kind("", "v1", "Secret", "secrets"),
    Kind("", "v1", "ConfigMap", "configmaps", True, ("cm",)),
    Kind("", "v1", "ServiceAccount", "serviceaccounts", True, ("sa",), (), ("token",)),
    Kind("", "v1", "ResourceQuota", "resourcequotas", True, ("quota",), (), ("status",)),
    Kind("", "v1", "LimitRange", "limitranges", True, ("limits",)),
    Kind(
        "",
        "v1",
        "ReplicationController",
        "replicationcontrollers",
        True,
        ("rc",),
        ("all",),
        _SCALABLE,
    ),
    Kind("", "v1", "PodTemplate", "podtemplates"),
    Kind("apps", "v1", "Deployment", "deployments", True, ("deploy",), ("all",), _SCALABLE),
    Kind("apps", "v1", "ReplicaSet", "replicasets", True, ("rs",), ("all",), _SCALABLE),
    Kind("apps", "v1", "DaemonSet", "daemonsets", True, ("ds",), ("all",), ("status",)),
    Kind("apps", "v1", "StatefulSet", "statefulsets", True, ("sts",), ("all",), _SCALABLE),
    Kind("apps", "v1", "ControllerRevision", "controllerrevisions"),
    Kind("batch", "v1", "Job", "jobs", True, (), ("all",), ("status",)),
    Kind("batch", "v1", "CronJob", "cronjobs", True, ("cj",), ("all",), ("status",)),
    Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
    Kind("networking.k8s.io", "v1", "Ingress", "ingresses", True, ("ing",), (), ("status",)),
    Kind("networking.k8s.io", "v1", "IngressClass", "ingressclasses", False),
    Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", True, ("netpol",)),
    Kind(
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        True,
        ("hpa",),
        ("all",),
        ("status",),
    ),
    Kind(
        "policy",
        "v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        True,
        ("pdb",),
        (),
        ("status",),
    ),
    Kind("coordination.k8s.io", "v1", "Lease", "leases"),
    Kind("events.k8s.io", "v1", "Event", "events", True, ("ev",)),
    Kind("storage.k8s.io", "v1", "StorageClass", "storageclasses", False, ("sc",)),
    Kind(
        "storage.k8s.io", "v1", "VolumeAttachment", "volumeattachments", False, (), (), ("status",)
    ),
    Kind("storage.k8s.io", "v1", "CSINode", "csinodes", False),
    Kind("storage.k8s.io", "v1", "CSIDriver", "csidrivers", False),
    Kind("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", False, ("pc",)),
    Kind(
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        False,
    ),
    Kind(
        "admissionregistration.k8s.io",
        "v1",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        False,
    ),
    Kind(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        False,
        ("crd", "crds"),
        (),
        ("status",),
    ),
    Kind("apiregistration.k8s.io", "v1", "APIService", "apiservices", False, (), (), ("status",)),
    Kind(_RBAC, "v1", "ClusterRole", "clusterroles", False),
    Kind(_RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", False),
    Kind(_RBAC, "v1", "Role", "roles"),
    Kind(_RBAC, "v1", "RoleBinding", "rolebindings"),
    Kind(
        "authorization.k8s.io",
        "v1",
        "SelfSubjectAccessReview",
        "selfsubjectaccessreviews",
        False,
        verbs=("create",),
    ),
    Kind(
        "authorization.k8s.io",
        "v1",
        "SelfSubjectRulesReview",
        "selfsubjectrulesreviews",
        False,
        verbs=("create",),
    ),
    Kind(
        "authentication.k8s.io",
        "v1",
        "SelfSubjectReview",
        "selfsubjectreviews",
        False,
        verbs=("create",),
    ),
)
"""The built-in kinds. CustomResourceDefinitions of a scenario add theirs when the server starts."""

REVIEWS = frozenset({"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"})


class KindTable:
    """Look-up by URL and by object; grows when a CustomResourceDefinition appears."""

    def __init__(self, kinds: tuple[Kind, ...] = KINDS) -> None:
        self._by_url = {(k.group, k.version, k.plural): k for k in kinds}
        self._by_object = {(k.api_version, k.kind): k for k in kinds}

    def __iter__(self) -> Iterator[Kind]:
        return iter(list(self._by_url.values()))

    def add(self, kind: Kind) -> None:
        self._by_url[(kind.group, kind.version, kind.plural)] = kind
        self._by_object[(kind.api_version, kind.kind)] = kind

    def by_url(self, group: str, version: str, plural: str) -> Kind | None:
        return self._by_url.get((group, version, plural))

    def by_object(self, api_version: str, kind: str) -> Kind | None:
        return self._by_object.get((api_version, kind))

    def groups(self) -> dict[str, list[str]]:
        """Group -> versions, the core group left out, in the order of the table."""
        out: dict[str, list[str]] = {}
        for kind in self:
            if kind.group:
                versions = out.setdefault(kind.group, [])
                if kind.version not in versions:
                    versions.append(kind.version)
        return out
