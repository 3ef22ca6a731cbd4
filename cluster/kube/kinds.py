"""The kinds of the Kubernetes API that the product knows, one row each.

To watch another kind: a type in `cluster/kube/objects/`, a row here, and, where name and age are
not enough, its columns in `incident/tables/columns.py`.
"""

from __future__ import annotations

import re

import msgspec

from cluster.kube import objects as k


class Kind(msgspec.Struct, frozen=True):
    """One kind. Rows stand in the order in which the object browser goes through them."""

    name: str
    plural: str
    """As in the path of the collection."""

    api_version: str
    """`v1` or `apps/v1`."""

    type: type[k.Object]
    stage: int = 9
    """Load order: the kinds of stage 0, which say that something is wrong, are asked for first.
    Kinds of one stage start together."""

    short_names: tuple[str, ...] = ()
    """As kubectl abbreviates it."""

    words: str = ""
    """The plural that people read, where it is not the name in words (`stateful sets`)."""

    namespaced: bool = True
    metadata_only: bool = False
    """Requested as PartialObjectMetadata, so that values (of Secrets above all) never leave the
    server."""

    optional: bool = False
    """Its absence (404, 403) does not make an answer partial."""

    needs: str = ""
    """A kind that a server offers wherever it offers this one: it is asked for first, and while it
    is absent this one is not asked for."""

    spare: bool = False
    """Many roles leave it out and other kinds replace it in part: that it is forbidden is listed
    quietly."""

    searched: bool = False
    """Whether the palette finds its objects by name."""

    bulky: bool = False
    """Comes in thousands: a first page, then all in one answer from the watch cache, also where the
    server streams lists. A stream sends each object by itself: 10,000 pods over TLS cost the reader
    1.25 s of CPU, in pages or in one answer 0.8 s. Pages come from etcd and cost the server 1.8 s
    of CPU, the one answer 0.4 s (Kubernetes 1.34, measured)."""

    poll: float = 0.0
    """Seconds between two lists instead of a watch; 0 watches. For objects that change only as a
    heartbeat: 200 nodes renew 20 Leases a second, and reading each costs as much CPU as all other
    changes of a quiet cluster."""

    gather: float = 0.1
    """Seconds between two reads of a watch that has sent all for now: what comes meanwhile is read
    together, at less cost."""

    @property
    def group(self) -> str:
        """The API group, "" for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def spellings(self) -> tuple[str, ...]:
        """The words that name it on a command line, in lower case."""
        return (self.name.lower(), self.plural, *self.short_names)

    def path(self, namespace: str = "") -> str:
        """Collection path below the server's root, for one namespace or ("") for all."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        within = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return f"{root}{within}/{self.plural}"


KINDS: tuple[Kind, ...] = (
    Kind("Pod", "pods", "v1", k.Pod, 0, ("po",), searched=True, bulky=True),
    Kind(
        "Node",
        "nodes",
        "v1",
        k.Node,
        0,
        ("no",),
        namespaced=False,
        searched=True,
        gather=0.5,  # most updates of a node are heartbeats
    ),
    Kind("Event", "events", "v1", k.Event, 0, ("ev",), bulky=True),
    Kind(
        "Deployment",
        "deployments",
        "apps/v1",
        k.Deployment,
        2,
        ("deploy",),
        searched=True,
        bulky=True,
    ),
    Kind("DaemonSet", "daemonsets", "apps/v1", k.DaemonSet, 2, ("ds",), searched=True),
    Kind("StatefulSet", "statefulsets", "apps/v1", k.StatefulSet, 2, ("sts",), searched=True),
    Kind("ReplicaSet", "replicasets", "apps/v1", k.ReplicaSet, 2, ("rs",), bulky=True),
    Kind("Job", "jobs", "batch/v1", k.Job, 3, bulky=True),
    Kind("CronJob", "cronjobs", "batch/v1", k.CronJob, 3, ("cj",), "cron jobs"),
    Kind("Service", "services", "v1", k.Service, 3, ("svc",), searched=True),
    Kind("EndpointSlice", "endpointslices", "discovery.k8s.io/v1", k.EndpointSlice, 3, bulky=True),
    Kind("Ingress", "ingresses", "networking.k8s.io/v1", k.Ingress, 4, ("ing",)),
    Kind(
        "NetworkPolicy", "networkpolicies", "networking.k8s.io/v1", k.NetworkPolicy, 4, ("netpol",)
    ),
    Kind(
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        "v1",
        k.PersistentVolumeClaim,
        4,
        ("pvc",),
        "volume claims",
    ),
    Kind(
        "PersistentVolume",
        "persistentvolumes",
        "v1",
        k.PersistentVolume,
        4,
        ("pv",),
        "volumes",
        namespaced=False,
    ),
    Kind(
        "VolumeAttachment",
        "volumeattachments",
        "storage.k8s.io/v1",
        k.VolumeAttachment,
        4,
        namespaced=False,
    ),
    Kind(
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        "autoscaling/v2",
        k.HorizontalPodAutoscaler,
        4,
        ("hpa",),
        "autoscalers",
    ),
    Kind(
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        "policy/v1",
        k.PodDisruptionBudget,
        4,
        ("pdb",),
        "disruption budgets",
    ),
    Kind("Secret", "secrets", "v1", k.PartialObject, 4, metadata_only=True, bulky=True),
    Kind(
        "ConfigMap", "configmaps", "v1", k.PartialObject, 4, ("cm",), metadata_only=True, bulky=True
    ),
    Kind("Namespace", "namespaces", "v1", k.Namespace, 1, ("ns",), namespaced=False),
    Kind("Lease", "leases", "coordination.k8s.io/v1", k.Lease, 3, poll=8.0),
    Kind(
        "ControllerRevision",
        "controllerrevisions",
        "apps/v1",
        k.ControllerRevision,
        5,
        optional=True,
        spare=True,
        bulky=True,
    ),
    Kind(
        "ResourceQuota",
        "resourcequotas",
        "v1",
        k.ResourceQuota,
        5,
        ("quota",),
        "quotas",
        optional=True,
    ),
    Kind(
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        "admissionregistration.k8s.io/v1",
        k.WebhookConfiguration,
        5,
        words="validating webhooks",
        namespaced=False,
        optional=True,
    ),
    Kind(
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        "admissionregistration.k8s.io/v1",
        k.WebhookConfiguration,
        5,
        words="mutating webhooks",
        namespaced=False,
        optional=True,
    ),
    Kind(
        "IngressClass",
        "ingressclasses",
        "networking.k8s.io/v1",
        k.IngressClass,
        4,
        words="ingress classes",
        namespaced=False,
        optional=True,
        spare=True,
    ),
    Kind(
        "GatewayClass",
        "gatewayclasses",
        "gateway.networking.k8s.io/v1",
        k.GatewayClass,
        5,
        ("gc",),
        "gateway classes",
        namespaced=False,
        optional=True,
        spare=True,
    ),
    Kind(
        "Gateway",
        "gateways",
        "gateway.networking.k8s.io/v1",
        k.Gateway,
        5,
        ("gtw",),
        optional=True,
        needs="GatewayClass",
        spare=True,
    ),
    Kind(
        "HTTPRoute",
        "httproutes",
        "gateway.networking.k8s.io/v1",
        k.HTTPRoute,
        5,
        words="HTTP routes",
        optional=True,
        needs="GatewayClass",
        spare=True,
    ),
    Kind(
        "GRPCRoute",
        "grpcroutes",
        "gateway.networking.k8s.io/v1",
        k.GRPCRoute,
        5,
        words="gRPC routes",
        optional=True,
        needs="GatewayClass",
        spare=True,
    ),
    Kind(
        "TLSRoute",
        "tlsroutes",
        "gateway.networking.k8s.io/v1",  # since Gateway API 1.5; v1alpha2 before is not read
        k.TLSRoute,
        5,
        words="TLS routes",
        optional=True,
        needs="GatewayClass",
        spare=True,
    ),
    Kind(
        "Certificate",
        "certificates",
        "cert-manager.io/v1",
        k.Certificate,
        5,
        ("cert", "certs"),
        optional=True,
        spare=True,
    ),
    Kind(
        "Issuer",
        "issuers",
        "cert-manager.io/v1",
        k.Issuer,
        5,
        optional=True,
        needs="Certificate",
        spare=True,
    ),
    Kind(
        "ClusterIssuer",
        "clusterissuers",
        "cert-manager.io/v1",
        k.ClusterIssuer,
        5,
        words="cluster issuers",
        namespaced=False,
        optional=True,
        needs="Certificate",
        spare=True,
    ),
    Kind(
        "Challenge",
        "challenges",
        "acme.cert-manager.io/v1",
        k.Challenge,
        5,
        words="ACME challenges",
        optional=True,
        needs="Certificate",
        spare=True,
    ),
    Kind(
        "APIService",
        "apiservices",
        "apiregistration.k8s.io/v1",
        k.APIService,
        5,
        words="API services",
        namespaced=False,
        optional=True,
        spare=True,
    ),
    Kind(
        "CustomResourceDefinition",
        "customresourcedefinitions",
        "apiextensions.k8s.io/v1",
        k.PartialObject,
        5,
        ("crd", "crds"),
        "CRDs",
        namespaced=False,
        metadata_only=True,
        optional=True,
    ),
    Kind(
        "ClusterRole",
        "clusterroles",
        "rbac.authorization.k8s.io/v1",
        k.PartialObject,
        5,
        namespaced=False,
        metadata_only=True,
        optional=True,
    ),
    Kind(
        "ClusterRoleBinding",
        "clusterrolebindings",
        "rbac.authorization.k8s.io/v1",
        k.PartialObject,
        5,
        namespaced=False,
        metadata_only=True,
        optional=True,
    ),
)
"""The kinds that are watched."""


def _on_demand(name: str, plural: str, api_version: str, namespaced: bool = True) -> Kind:
    return Kind(name, plural, api_version, k.PartialObject, namespaced=namespaced, optional=True)


BY_NAME: dict[str, Kind] = {kind.name: kind for kind in KINDS}
"""The kinds that are watched, by name."""

NEVER_WHOLE = frozenset({"Secret", "ConfigMap"})
"""Kinds whose values are never read. Others that are watched as metadata only are large."""
READABLE: dict[str, Kind] = BY_NAME | {
    kind.name: kind
    for kind in (
        _on_demand("Endpoints", "endpoints", "v1"),
        _on_demand("LimitRange", "limitranges", "v1"),
        _on_demand("ServiceAccount", "serviceaccounts", "v1"),
        _on_demand("Role", "roles", "rbac.authorization.k8s.io/v1"),
        _on_demand("RoleBinding", "rolebindings", "rbac.authorization.k8s.io/v1"),
        _on_demand("StorageClass", "storageclasses", "storage.k8s.io/v1", False),
        _on_demand("CSIDriver", "csidrivers", "storage.k8s.io/v1", False),
        _on_demand("CSINode", "csinodes", "storage.k8s.io/v1", False),
        _on_demand("PriorityClass", "priorityclasses", "scheduling.k8s.io/v1", False),
        _on_demand(
            "CertificateSigningRequest",
            "certificatesigningrequests",
            "certificates.k8s.io/v1",
            False,
        ),
        _on_demand("PodMetrics", "pods", "metrics.k8s.io/v1beta1"),
        _on_demand("NodeMetrics", "nodes", "metrics.k8s.io/v1beta1", False),
    )
}
"""The kinds that a check may read on demand: the watched ones and a few more, by name."""

BY_SPELLING: dict[str, Kind] = {word: kind for kind in KINDS for word in kind.spellings}
"""The kinds that are watched, by each word that names them on a command line."""


_WORD = re.compile(r"[A-Z]+[a-z]*")


def is_namespaced(name: str) -> bool:
    """Whether objects of this kind have a namespace; a kind that is not known is taken to have
    one."""
    kind = READABLE.get(name)
    return kind is None or kind.namespaced


def plural_words(name: str) -> str:
    """The plural of a kind as people read it: `pods`, `volume claims`."""
    kind = READABLE.get(name)
    if kind is None:
        return name.lower() + "s"
    *first, last = _WORD.findall(name)
    start = "".join(first).lower()
    split = kind.plural.startswith(start + last[:1].lower())
    words = " ".join([*first, kind.plural[len(start) :]]).lower() if split else kind.plural
    return kind.words or words
