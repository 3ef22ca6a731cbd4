"""One object at a time: names, times counted back from one `now`, who wrote it and when."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

Obj = dict[str, Any]

S, M, H, D = 1, 60, 3600, 86400
_ALNUM = "bcdfghjklmnpqrstvwxz2456789"
_CLUSTER_SCOPED = (
    "Node Namespace PersistentVolume StorageClass VolumeAttachment ClusterRole ClusterRoleBinding "
    "CustomResourceDefinition IngressClass"
)
_API = {
    "apps/v1": "Deployment ReplicaSet DaemonSet StatefulSet ControllerRevision",
    "batch/v1": "Job CronJob",
    "networking.k8s.io/v1": "Ingress IngressClass NetworkPolicy",
    "discovery.k8s.io/v1": "EndpointSlice",
    "coordination.k8s.io/v1": "Lease",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    "policy/v1": "PodDisruptionBudget",
    "storage.k8s.io/v1": "StorageClass CSIDriver CSINode VolumeAttachment",
    "rbac.authorization.k8s.io/v1": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "admissionregistration.k8s.io/v1": "ValidatingWebhookConfiguration MutatingWebhookConfiguration",
    "apiextensions.k8s.io/v1": "CustomResourceDefinition",
    "apiregistration.k8s.io/v1": "APIService",
    "scheduling.k8s.io/v1": "PriorityClass",
    "certificates.k8s.io/v1": "CertificateSigningRequest",
}
BY_SERVER = (
    *(("Namespace", name) for name in ("default", "kube-system", "kube-public", "kube-node-lease")),
    ("Service", "kubernetes"),
    ("EndpointSlice", "kubernetes"),
)
"""Kind and name of what an API server makes by itself."""
API_VERSION = {kind: version for version, kinds in _API.items() for kind in kinds.split()}


def reference(owner: Obj) -> Obj:
    meta = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_ready(pod: Obj) -> bool:
    return any(
        c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", [])
    )


def seconds(now: datetime, stamp: str) -> float:
    return (
        now - datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=now.tzinfo)
    ).total_seconds()


class Objects:
    """The objects of one cluster."""

    def __init__(
        self, now: datetime, seed: str, version: str = "v1.31.4", pod_net: str = "10.244"
    ) -> None:
        self.now = now.replace(microsecond=0)
        self.rng = random.Random(seed)
        self.version = version
        self.objects: list[Obj] = []
        self.nodes: list[Obj] = []
        self.applier = "helm"
        self.pod_net = pod_net
        self._pod_ip = 10
        self._cluster_ip = 20

    def at(self, ago: float) -> str:
        return (self.now - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def micro(self, ago: float) -> str:
        return (self.now - timedelta(seconds=ago)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def code(self, size: int) -> str:
        return "".join(self.rng.choice(_ALNUM) for _ in range(size))

    def uid(self) -> str:
        text = f"{self.rng.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    def add(
        self,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        age: float = 40 * D,
        body: Obj | None = None,
        labels: dict[str, str] | None = None,
        annotations: dict[str, str] | None = None,
        owner: Obj | None = None,
        manager: str | None = None,
        touched: float | None = None,
    ) -> Obj:
        """Adds one object; ``manager`` wrote it at ``age`` and, if ``touched`` is given, once more
        then."""
        meta: Obj = {"name": name, "uid": self.uid(), "creationTimestamp": self.at(age)}
        if kind not in _CLUSTER_SCOPED.split():
            meta["namespace"] = namespace or "default"
        if labels:
            meta["labels"] = dict(labels)
        if annotations:
            meta["annotations"] = dict(annotations)
        if owner is not None:
            meta["ownerReferences"] = [reference(owner)]
        api = API_VERSION.get(kind, "v1")
        made: Obj = {"apiVersion": api, "kind": kind, "metadata": meta, **(body or {})}
        fields: Obj = {}
        for part in ("spec", "data", "webhooks", "rules"):
            if isinstance(made.get(part), dict):
                fields[f"f:{part}"] = {f"f:{key}": {} for key in made[part]}
            elif part in made:
                fields[f"f:{part}"] = {}
        meta["managedFields"] = [
            self.managed(
                api,
                manager or self.applier,
                age if touched is None else touched,
                fields or {"f:metadata": {"f:labels": {}}},
            )
        ]
        self.objects.append(made)
        return made

    def managed(
        self,
        api: str,
        manager: str,
        ago: float,
        fields: Obj,
        *,
        status: bool = False,
        operation: str = "Update",
    ) -> Obj:
        entry: Obj = {
            "manager": manager,
            "operation": operation,
            "apiVersion": api,
            "time": self.at(ago),
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        }
        if status:
            entry["subresource"] = "status"
        return entry

    def namespace(self, name: str, age: float = 200 * D, **labels: str) -> Obj:
        return self.add(
            "Namespace",
            name,
            age=age,
            labels={"kubernetes.io/metadata.name": name, **labels},
            body={"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}},
            manager="kubectl-create",
        )

    def event(
        self,
        about: Obj,
        reason: str,
        message: str,
        last: float,
        *,
        type: str = "Warning",
        first: float | None = None,
        count: int = 1,
        source: str = "kubelet",
        host: str | None = None,
        modern: bool = False,
    ) -> Obj:
        meta = about["metadata"]
        namespace = meta.get("namespace") or "default"
        first = last if first is None else first
        ref: Obj = {
            "kind": about["kind"],
            "name": meta["name"],
            "apiVersion": about["apiVersion"],
            "uid": meta["name"] if about["kind"] == "Node" and source == "kubelet" else meta["uid"],
        }
        if "namespace" in meta:
            ref["namespace"] = meta["namespace"]
        if host is None and source == "kubelet":
            host = (
                meta["name"] if about["kind"] == "Node" else about.get("spec", {}).get("nodeName")
            )
        made = self.add(
            "Event",
            f"{meta['name']}.{self.rng.getrandbits(60):x}",
            namespace,
            age=first,
            manager=source,
        )
        made.update(involvedObject=ref, reason=reason, message=message, type=type)
        if modern:
            made.update(
                eventTime=self.micro(first),
                reportingComponent=source,
                reportingInstance=f"{source}-0",
                action="Scheduling",
                firstTimestamp=None,
                lastTimestamp=None,
                source={},
            )
            if count > 1:
                made["series"] = {"count": count, "lastObservedTime": self.micro(last)}
        else:
            made.update(
                firstTimestamp=self.at(first),
                lastTimestamp=self.at(last),
                count=count,
                eventTime=None,
                source={"component": source, **({"host": host} if host else {})},
                reportingComponent=source,
                reportingInstance=host or "",
            )
        made["metadata"]["managedFields"] = []
        return made
