"""The kinds that the embedded cluster serves, and their names. The rest of the server is generic
over this table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from drills.api.objects import Obj

_ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class ApiResource:
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


_TABLE = """
v1 Node cluster short=no /status /proxy
v1 Pod all short=po /status /log /exec /attach /portforward /proxy /eviction /ephemeralcontainers \
/resize /binding
v1 Event short=ev
v1 Namespace cluster short=ns /status /finalize
v1 Service all short=svc /status /proxy
v1 Endpoints short=ep
v1 PersistentVolumeClaim short=pvc /status
v1 PersistentVolume cluster short=pv /status
v1 Secret
v1 ConfigMap short=cm
v1 ServiceAccount short=sa /token
v1 ResourceQuota short=quota /status
v1 LimitRange short=limits
v1 ReplicationController all short=rc /status /scale
v1 PodTemplate
apps/v1 Deployment all short=deploy /status /scale
apps/v1 ReplicaSet all short=rs /status /scale
apps/v1 DaemonSet all short=ds /status
apps/v1 StatefulSet all short=sts /status /scale
apps/v1 ControllerRevision
batch/v1 Job all /status
batch/v1 CronJob all short=cj /status
discovery.k8s.io/v1 EndpointSlice
networking.k8s.io/v1 Ingress short=ing /status
networking.k8s.io/v1 IngressClass cluster
networking.k8s.io/v1 NetworkPolicy short=netpol
autoscaling/v2 HorizontalPodAutoscaler all short=hpa /status
policy/v1 PodDisruptionBudget short=pdb /status
coordination.k8s.io/v1 Lease
events.k8s.io/v1 Event short=ev
storage.k8s.io/v1 StorageClass cluster short=sc
storage.k8s.io/v1 VolumeAttachment cluster /status
storage.k8s.io/v1 CSINode cluster
storage.k8s.io/v1 CSIDriver cluster
scheduling.k8s.io/v1 PriorityClass cluster short=pc
admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration cluster
admissionregistration.k8s.io/v1 MutatingWebhookConfiguration cluster
apiextensions.k8s.io/v1 CustomResourceDefinition cluster short=crd short=crds /status
apiregistration.k8s.io/v1 APIService cluster /status
rbac.authorization.k8s.io/v1 ClusterRole cluster
rbac.authorization.k8s.io/v1 ClusterRoleBinding cluster
rbac.authorization.k8s.io/v1 Role
rbac.authorization.k8s.io/v1 RoleBinding
authorization.k8s.io/v1 SelfSubjectAccessReview cluster create-only
authorization.k8s.io/v1 SelfSubjectRulesReview cluster create-only
authentication.k8s.io/v1 SelfSubjectReview cluster create-only
"""
"""The built-in kinds, one a line. CustomResourceDefinitions of a scenario add theirs."""


def _plural(name: str) -> str:
    if name == "Endpoints":
        return "endpoints"
    if name.endswith("y"):
        return f"{name[:-1].lower()}ies"
    return name.lower() + ("es" if name.endswith("s") else "s")


def _row(line: str) -> ApiResource:
    api_version, name, *words = line.split()
    group, _, version = api_version.rpartition("/")
    return ApiResource(
        group,
        version,
        name,
        _plural(name),
        "cluster" not in words,
        tuple(w.removeprefix("short=") for w in words if w.startswith("short=")),
        ("all",) if "all" in words else (),
        tuple(w[1:] for w in words if w.startswith("/")),
        ("create",) if "create-only" in words else _ALL_VERBS,
        "endpoints" if name == "Endpoints" else "",
    )


KINDS = tuple(_row(line) for line in _TABLE.strip().splitlines())
API_VERSIONS = {k.kind: k.api_version for k in KINDS if k.group != "events.k8s.io"}
"""Kind -> apiVersion of the built-in kinds."""
REVIEWS = frozenset({"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"})


class KindTable:
    """Look-up by URL and by object; grows when a CustomResourceDefinition appears."""

    def __init__(self) -> None:
        self._by_url = {(k.group, k.version, k.plural): k for k in KINDS}
        self._by_object = {(k.api_version, k.kind): k for k in KINDS}

    def __iter__(self) -> Iterator[ApiResource]:
        """Each kind once; events.k8s.io shows the core group's Events."""
        return (k for k in list(self._by_url.values()) if k.group != "events.k8s.io")

    def served(self) -> list[ApiResource]:
        """Every kind as discovery lists it."""
        return list(self._by_url.values())

    def add(self, kind: ApiResource) -> None:
        self._by_url[(kind.group, kind.version, kind.plural)] = kind
        self._by_object[(kind.api_version, kind.kind)] = kind

    def add_definition(self, definition: Obj) -> None:
        """Serve the kind of a CustomResourceDefinition."""
        spec = definition["spec"]
        names, namespaced = spec["names"], spec.get("scope", "Namespaced") == "Namespaced"
        for version in spec["versions"]:
            self.add(
                ApiResource(
                    spec["group"],
                    version["name"],
                    names["kind"],
                    names["plural"],
                    namespaced,
                    tuple(names.get("shortNames", ())),
                    subresources=("status",),
                    singular=names.get("singular", ""),
                )
            )

    def by_url(self, group: str, version: str, plural: str) -> ApiResource | None:
        return self._by_url.get((group, version, plural))

    def by_object(self, api_version: str, kind: str) -> ApiResource | None:
        return self._by_object.get((api_version, kind))

    def named(self, name: str) -> ApiResource:
        """The kind of this name, in any group. Raises KeyError."""
        found = next((k for k in self if k.kind == name), None)
        if found is None:
            raise KeyError(f"no kind {name}")
        return found

    def groups(self) -> dict[str, list[str]]:
        """Group -> versions without the core group, in the order of the table."""
        out: dict[str, list[str]] = {}
        for kind in self.served():
            if kind.group and kind.version not in out.setdefault(kind.group, []):
                out[kind.group].append(kind.version)
        return out
