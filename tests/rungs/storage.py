"""Where the API server keeps an object in etcd, so that objects with a past can be written before
it starts.

Written through the API, an object gets a new uid and creationTimestamp and loses its status;
written to etcd it is served with those it carries. Source of the keys:
`pkg/registry/*/rest/storage_*.go` of Kubernetes (resource prefixes).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Json = dict[str, Any]

_PREFIXES: Mapping[str, str] = {
    # (group/)Kind -> folder below /registry, where it is not the plural of the kind
    "Node": "minions",
    "Service": "services/specs",
    "Endpoints": "services/endpoints",
    "ReplicationController": "controllers",
    "Ingress": "ingress",
    "IngressClass": "ingressclasses",
    "GatewayClass": "gatewayclasses",
    "NetworkPolicy": "networkpolicies",
    "StorageClass": "storageclasses",
    "PriorityClass": "priorityclasses",
    "RuntimeClass": "runtimeclasses",
    "IPAddress": "ipaddresses",
    "CustomResourceDefinition": "apiextensions.k8s.io/customresourcedefinitions",
}
_CLUSTER_SCOPED = frozenset(
    {
        *(
            "Node",
            "Namespace",
            "PersistentVolume",
            "StorageClass",
            "VolumeAttachment",
            "CSINode",
            "CSIDriver",
            "PriorityClass",
        ),
        *(
            "IngressClass",
            "GatewayClass",
            "IPAddress",
            "ServiceCIDR",
            "RuntimeClass",
            "ClusterRole",
            "ClusterRoleBinding",
        ),
        *(
            "CustomResourceDefinition",
            "MutatingWebhookConfiguration",
            "ValidatingWebhookConfiguration",
        ),
    }
)
_BUILT_IN_GROUPS = frozenset(
    {
        *(
            "apps",
            "batch",
            "autoscaling",
            "policy",
            "networking.k8s.io",
            "discovery.k8s.io",
            "coordination.k8s.io",
        ),
        *(
            "storage.k8s.io",
            "rbac.authorization.k8s.io",
            "scheduling.k8s.io",
            "admissionregistration.k8s.io",
            "node.k8s.io",
        ),
        "apiextensions.k8s.io",
    }
)


def key(item: Mapping[str, Any]) -> str:
    """The etcd key of a built-in object or of a custom one (which lies below its group)."""
    kind = str(item["kind"])
    group = str(item["apiVersion"]).rpartition("/")[0]
    folder = _PREFIXES.get(kind, kind.lower() + "s")
    if group and group not in _BUILT_IN_GROUPS:
        folder = f"{group}/{folder}"
    meta = item["metadata"]
    namespace = "" if kind in _CLUSTER_SCOPED else meta.get("namespace", "")
    return "/".join(part for part in ("/registry", folder, namespace, meta["name"]) if part)


def stored(objects: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Json]]:
    """(key, object) pairs as they belong in etcd.

    Drops resourceVersion (the server reads it from etcd), gives each object a uid and
    creationTimestamp if it has none, and adds the IPAddress object of each Service address, without
    which the server's repair loop writes Warning events.
    """
    for source in objects:
        item: Json = dict(source)
        meta: Json = {
            k: v for k, v in item["metadata"].items() if k not in ("resourceVersion", "selfLink")
        }
        where = key(item)
        meta.setdefault("uid", str(uuid.uuid5(uuid.NAMESPACE_URL, where)))
        meta.setdefault("creationTimestamp", "2026-01-01T00:00:00Z")
        item["metadata"] = meta
        yield where, item
        if item["kind"] == "Service":
            for address in _addresses(item.get("spec", {})):
                claim = _ip_address(address, item)
                yield key(claim), claim


def _addresses(spec: Mapping[str, Any]) -> list[str]:
    listed = spec.get("clusterIPs") or [spec.get("clusterIP")]
    return [address for address in listed if address and address != "None"]


def _ip_address(address: str, service: Json) -> Json:
    meta = service["metadata"]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IPAddress",
        "metadata": {
            "name": address,
            "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, address)),
            "creationTimestamp": meta["creationTimestamp"],
            "labels": {
                "ipaddress.kubernetes.io/ip-family": "IPv6" if ":" in address else "IPv4",
                "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
            },
        },
        "spec": {
            "parentRef": {
                "group": "",
                "resource": "services",
                "namespace": meta["namespace"],
                "name": meta["name"],
            },
        },
    }
