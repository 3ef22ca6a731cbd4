"""The manifest of the probe pod: small, restricted, labelled, owned and limited in time.

Three limits end it without this program: its process (`sleep`), activeDeadlineSeconds, and the
expiry annotation that every sweep reads. Its owner is a ConfigMap in the same namespace, so that
deleting the ConfigMap removes the pods. A readiness gate that is never set keeps it out of
Services. Sources: Pod Security Standards (restricted), Kubernetes documentation on owners and
dependents.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cluster.api.mode import EXPIRES_AT, MANAGED_BY, PREFIX
from cluster.kube.objects import Node, Ref, Toleration
from probes.select.image import ImageChoice
from probes.select.labels import INCIDENT, OPERATOR, OWN, SESSION

CONTAINER = "probe"
GATE = "stanch/never-ready"
USER = 65532
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, slots=True)
class Identity:
    """Labels and annotations of everything that one run creates. `expires` in UTC."""

    session: str
    operator: str
    incident: str
    expires: datetime

    def labels(self) -> dict[str, str]:
        return {MANAGED_BY: OWN, SESSION: self.session}

    def annotations(self) -> dict[str, str]:
        marks = {EXPIRES_AT: self.expires.strftime("%Y-%m-%dT%H:%M:%SZ"), OPERATOR: self.operator}
        if self.incident:
            marks[INCIDENT] = self.incident
        return marks


def new_name(session: str) -> str:
    """A name that is known before the object exists, for the intent row."""
    return f"{PREFIX}{session[:8]}-{''.join(secrets.choice(_ALPHABET) for _ in range(5))}"


def owner_manifest(name: str, namespace: str, identity: Identity) -> dict[str, Any]:
    """The ConfigMap that owns the probe pods of a namespace. It has no data."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": identity.labels(),
            "annotations": identity.annotations(),
        },
    }


def pod_manifest(
    name: str,
    namespace: str,
    node: Node | str,
    image: ImageChoice,
    identity: Identity,
    *,
    labels: Mapping[str, str],
    tolerations: tuple[Toleration, ...] = (),
    deadline_s: int = 600,
) -> dict[str, Any]:
    """The pod as it is sent.

    `node`: the object of the live state, for its hostname label and resources, or a name;
    `labels`: the client's, already checked; `deadline_s`: seconds. Its owner is added when that
    exists.
    """
    requests = {"cpu": "10m", "memory": "32Mi"}
    limits = {"cpu": "200m", "memory": "64Mi"}
    if isinstance(node, Node) and "ephemeral-storage" in node.status.allocatable:
        # A node without this resource could not satisfy the request.
        requests["ephemeral-storage"], limits["ephemeral-storage"] = "16Mi", "64Mi"
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "labels": {**labels, **identity.labels(), "sidecar.istio.io/inject": "false"},
        "annotations": {**identity.annotations(), "linkerd.io/inject": "disabled"},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": deadline_s,
            # With 0 the API server removes the pod before the kubelet has ended it.
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "readinessGates": [{"conditionType": GATE}],
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [_term(node)]
                    }
                }
            },
            "tolerations": [
                *(_toleration(t) for t in tolerations if t.effect != "NoExecute" and t.key),
                _CORDONED,
            ],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "runAsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": CONTAINER,
                    "image": image.image,
                    "imagePullPolicy": image.pull_policy,
                    "command": ["sleep", str(deadline_s)],
                    "resources": {"requests": requests, "limits": limits},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }


def ephemeral_container(name: str, image: ImageChoice, seconds: int) -> dict[str, Any]:
    """The container that is added to a client's pod: kubectl's restricted profile, and a process
    that ends by itself."""
    return {
        "name": name,
        "image": image.image,
        "imagePullPolicy": image.pull_policy,
        "command": ["sleep", str(seconds)],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def unclonable(manifest: Mapping[str, Any], server: Mapping[str, Any]) -> tuple[str, ...]:
    """What admission changed, in words: added containers, another image or pull policy."""
    changes: list[str] = []
    sent, got = manifest["spec"], server.get("spec") or {}
    extra = [
        c.get("name", "?")
        for c in [*(got.get("containers") or ()), *(got.get("initContainers") or ())]
        if c.get("name") != CONTAINER
    ]
    if extra:
        changes.append(
            f"admission adds containers ({', '.join(extra[:4])}): a connect would end in that "
            "sidecar"
        )
    for container in got.get("containers") or ():
        if container.get("name") == CONTAINER:
            mine = sent["containers"][0]
            if container.get("image") != mine["image"]:
                changes.append(f"admission changes the image to {container.get('image')}")
            if container.get("imagePullPolicy") not in (None, mine["imagePullPolicy"]):
                changes.append(
                    f"admission changes the pull policy to {container.get('imagePullPolicy')}: a "
                    "registry must answer"
                )
    return tuple(changes)


def pod_ref(manifest: Mapping[str, Any]) -> Ref:
    return Ref(manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"])


def collection(kind: str, namespace: str) -> str:
    """Path of a namespace's pods or configmaps."""
    return f"/api/v1/namespaces/{namespace}/{'pods' if kind == 'Pod' else 'configmaps'}"


def path_of(ref: Ref) -> str:
    return f"{collection(ref.kind, ref.namespace)}/{ref.name}"


_CORDONED = {
    "key": "node.kubernetes.io/unschedulable",
    "operator": "Exists",
    "effect": "NoSchedule",
}


def _term(node: Node | str) -> dict[str, Any]:
    hostname = (
        node.metadata.labels.get("kubernetes.io/hostname", "") if isinstance(node, Node) else node
    )
    if hostname:
        return {
            "matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": [hostname]}
            ]
        }
    assert isinstance(node, Node)
    return {
        "matchFields": [{"key": "metadata.name", "operator": "In", "values": [node.metadata.name]}]
    }


def _toleration(toleration: Toleration) -> dict[str, str]:
    parts = {
        "key": toleration.key,
        "operator": toleration.operator,
        "value": toleration.value,
        "effect": toleration.effect,
    }
    return {key: value for key, value in parts.items() if value}
