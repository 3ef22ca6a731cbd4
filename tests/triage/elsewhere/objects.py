"""Complete Kubernetes objects as the API server stores them: uids, times, owners, managers, status.
Independent of the drills."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
LOCAL = {"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet", "ControllerRevision"}
VERSIONS = {
    **dict.fromkeys(LOCAL, "apps/v1"),
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "Ingress": "networking.k8s.io/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "EndpointSlice": "discovery.k8s.io/v1",
    "Lease": "coordination.k8s.io/v1",
    "VolumeAttachment": "storage.k8s.io/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "PodDisruptionBudget": "policy/v1",
    "ClusterRole": "rbac.authorization.k8s.io/v1",
    "ClusterRoleBinding": "rbac.authorization.k8s.io/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "ValidatingWebhookConfiguration": "admissionregistration.k8s.io/v1",
    "MutatingWebhookConfiguration": "admissionregistration.k8s.io/v1",
}


def text(at: datetime | None, *, micro: bool = False) -> str | None:
    """RFC 3339; with microseconds for the MicroTime of leases and new events."""
    if at is None:
        return None
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")


def uid(*parts: object) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(map(str, parts))))


def digest(of: str) -> str:
    return "sha256:" + hashlib.sha256(of.encode()).hexdigest()


def suffix(of: str, length: int = 5) -> str:
    """The letters that Kubernetes generates names from."""
    letters = "bcdfghjklmnpqrstvwxz2456789"
    value = int(hashlib.sha256(of.encode()).hexdigest(), 16)
    return "".join(letters[value // 27**n % 27] for n in range(length))


def managed(
    manager: str,
    at: datetime,
    fields: Json,
    *,
    sub: str = "",
    operation: str = "Update",
    version: str = "v1",
) -> Json:
    found: Json = {
        "manager": manager,
        "operation": operation,
        "apiVersion": version,
        "time": text(at),
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    return found | ({"subresource": sub} if sub else {})


def obj(
    kind: str,
    namespace: str,
    name: str,
    born: datetime,
    *,
    labels: Json | None = None,
    annotations: Json | None = None,
    owner: Json | None = None,
    by: str = "",
    fields: list[Json] | None = None,
    **rest: Any,
) -> Json:
    """One object; `owner` is the object that controls it, `by` the manager that created it."""
    version = VERSIONS.get(kind, "v1")
    meta: Json = {
        "name": name,
        "uid": uid(kind, namespace, name, born),
        "creationTimestamp": text(born),
    }
    if namespace:
        meta["namespace"] = namespace
    if labels:
        meta["labels"] = dict(labels)
    if annotations:
        meta["annotations"] = dict(annotations)
    if owner is not None:
        meta["ownerReferences"] = [
            {
                "apiVersion": owner["apiVersion"],
                "kind": owner["kind"],
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
    if fields is None:
        known: Json = {
            "f:metadata": {"f:labels": {".": {}, **{f"f:{k}": {} for k in labels or {}}}}
        }
        if "spec" in rest:
            known["f:spec"] = {f"f:{key}": {} for key in rest["spec"]}
        fields = [managed(by or "kube-controller-manager", born, known, version=version)]
    meta["managedFields"] = fields
    if kind in LOCAL:
        meta["generation"] = 1
    return {"apiVersion": version, "kind": kind, "metadata": meta, **rest}


def condition(
    type_: str,
    status: str,
    reason: str,
    message: str,
    since: datetime,
    beat: datetime | None = None,
) -> Json:
    found: Json = {"type": type_, "status": status, "lastTransitionTime": text(since)}
    if reason:
        found["reason"] = reason
    if message:
        found["message"] = message
    if beat:
        found["lastHeartbeatTime"] = text(beat)
    return found


def env_secret(variable: str, secret: str, key: str) -> Json:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


PROBES: Json = {
    "readinessProbe": {
        "httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
        "periodSeconds": 10,
        "timeoutSeconds": 1,
        "successThreshold": 1,
        "failureThreshold": 3,
    },
    "livenessProbe": {
        "httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
        "periodSeconds": 10,
        "timeoutSeconds": 1,
        "successThreshold": 1,
        "failureThreshold": 3,
    },
}


def container(
    name: str,
    image: str,
    *,
    cpu: str = "100m",
    memory: str = "128Mi",
    limit: str = "256Mi",
    **more: Any,
) -> Json:
    """One container; `limit` "" for none, `cpu` "" for no request at all."""
    resources: Json = {}
    if cpu:
        resources["requests"] = {"cpu": cpu, "memory": memory}
    if limit:
        resources["limits"] = {"memory": limit}
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "Always" if image.endswith(":latest") else "IfNotPresent",
        "resources": resources,
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        **more,
    }


def pod_spec(*containers: Json, volumes: list[Json] | None = None, **more: Any) -> Json:
    return {
        "containers": list(containers),
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "enableServiceLinks": True,
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{key}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            }
            for key in ("not-ready", "unreachable")
        ],
        "volumes": [
            *(volumes or []),
            {"name": "kube-api-access-x2lqp", "projected": {"defaultMode": 420, "sources": []}},
        ],
        **more,
    }
