"""Objects that controllers create: ReplicaSets, ControllerRevisions, Jobs, mirror pods and pods."""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

from drills.api.defaults import NO_EXECUTE_TOLERATIONS, pod_spec, qos_class
from drills.api.kinds import API_VERSIONS
from drills.api.objects import Obj, controlled_by, digest, owner_reference, rfc3339, stable_suffix

REVISION = "deployment.kubernetes.io/revision"
_TOKEN = "kube-api-access"  # noqa: S105  # the name of a volume
DAEMON_TOLERATIONS: list[Obj] = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": effect}
    for key, effect in (
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    )
]


def new_object(
    kind: str, name: str, namespace: str, created: datetime, meta: Obj | None = None, **fields: Any
) -> Obj:
    """An object of a built-in kind without uid. `meta` adds to its metadata (empty values are left
    out), `fields` are spec, status and so on."""
    base: Obj = {"name": name, "creationTimestamp": rfc3339(created)}
    if namespace:
        base["namespace"] = namespace
    base |= {k: v for k, v in (meta or {}).items() if v}
    return {"apiVersion": API_VERSIONS[kind], "kind": kind, "metadata": base, **fields}


def defaulted(template: Obj) -> Obj:
    """A copy of a pod template as a controller stores it."""
    out = copy.deepcopy(template)
    pod_spec(out["spec"])
    out["metadata"].setdefault("creationTimestamp", None)
    return out


def revision_of(obj: Obj) -> int:
    """The revision that a Deployment and its ReplicaSets carry; 0 without one."""
    return int(obj["metadata"].get("annotations", {}).get(REVISION, 0))


def replica_set(
    deployment: Obj, template: Obj, code: str, created: datetime, replicas: int, revision: int
) -> Obj:
    """The ReplicaSet of one revision; `code` is the hash in its name."""
    meta = deployment["metadata"]
    name, namespace = f"{meta['name']}-{code}", meta["namespace"]
    desired = int(deployment["spec"].get("replicas", 1))
    body = defaulted(template)
    labels = {**(body["metadata"].get("labels") or {}), "pod-template-hash": code}
    body["metadata"]["labels"] = labels
    selector = deployment["spec"]["selector"].get("matchLabels", {})
    annotations = {
        "deployment.kubernetes.io/desired-replicas": str(desired),
        "deployment.kubernetes.io/max-replicas": str(desired + max(1, desired // 4)),
        REVISION: str(revision),
    }
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {**selector, "pod-template-hash": code}},
        "template": body,
    }
    owners = {"ownerReferences": controlled_by(deployment)}
    meta = {"labels": labels, "generation": 1, "annotations": annotations, **owners}
    return new_object("ReplicaSet", name, namespace, created, meta, spec=spec, status={})


def revision_data(owner: Obj) -> Obj:
    """What a ControllerRevision stores of a DaemonSet or StatefulSet: its template."""
    return {"spec": {"template": {**owner["spec"]["template"], "$patch": "replace"}}}


def controller_revision(owner: Obj, code: str, created: datetime, revision: int) -> Obj:
    """The stored template of a DaemonSet or StatefulSet; `code` is the hash in its name."""
    meta, selector = owner["metadata"], owner["spec"]["selector"]["matchLabels"]
    labels = {**selector, "controller-revision-hash": code}
    return new_object(
        "ControllerRevision",
        f"{meta['name']}-{code}",
        meta["namespace"],
        created,
        {"labels": labels, "ownerReferences": controlled_by(owner)},
        data=copy.deepcopy(revision_data(owner)),
        revision=revision,
    )


def job_spec(spec: Obj) -> Obj:
    """The spec of a Job with what the API server fills in."""
    return {
        "parallelism": 1,
        "completions": 1,
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "suspend": False,
        "manualSelector": False,
        "podReplacementPolicy": "TerminatingOrFailed",
        **spec,
    }


def new_pod(
    namespace: str,
    name: str,
    template: Obj,
    created: datetime,
    *,
    node: str = "",
    owner: Obj | None = None,
    daemon: bool = False,
    static: bool = False,
) -> Obj:
    """A pod without uid that has not started. `node` binds it; `daemon`: as the DaemonSet
    controller makes it; `static`: the mirror of a static pod, owned by its node."""
    spec = pod_spec(copy.deepcopy(template["spec"]))
    account = spec.setdefault("serviceAccountName", "default")
    spec.update(
        serviceAccount=account,
        priority=spec.get("priority", 0),
        enableServiceLinks=True,
        preemptionPolicy="PreemptLowerPriority",
    )
    if node:
        spec["nodeName"] = node
    meta: Obj = {
        "labels": dict(template.get("metadata", {}).get("labels") or {}),
        "generation": 1,
    }
    if annotations := template.get("metadata", {}).get("annotations"):
        meta["annotations"] = dict(annotations)
    if static:
        spec["tolerations"] = [{"operator": "Exists", "effect": "NoExecute"}]
        words = dict.fromkeys(("hash", "mirror"), digest("static", name))
        words |= {"seen": rfc3339(created), "source": "file"}
        config = {f"kubernetes.io/config.{word}": value for word, value in words.items()}
        meta["annotations"] = {**meta.get("annotations", {}), **config}
    else:
        _mount_token(spec, namespace, name)
        added = DAEMON_TOLERATIONS if daemon else NO_EXECUTE_TOLERATIONS
        spec.setdefault("tolerations", []).extend(copy.deepcopy(added))
    if daemon:
        spec["affinity"] = _only_on(node)
    if owner is not None:
        meta["ownerReferences"] = (
            [owner_reference(owner, controller=True)] if static else controlled_by(owner)
        )
        if not static:
            meta["generateName"] = f"{owner['metadata']['name']}-"
    status = {"phase": "Pending", "qosClass": qos_class(spec)}
    return new_object("Pod", name, namespace, created, meta, spec=spec, status=status)


def _only_on(node: str) -> Obj:
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def _mount_token(spec: Obj, namespace: str, name: str) -> None:
    """The projected token of the service account, as admission adds it."""
    volume = f"{_TOKEN}-{stable_suffix('token', namespace, name)}"
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    ca = {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": ca},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
    ]
    projected = {"name": volume, "projected": {"defaultMode": 420, "sources": sources}}
    spec.setdefault("volumes", []).append(projected)
    path = "/var/run/secrets/kubernetes.io/serviceaccount"
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        mount = {"name": volume, "readOnly": True, "mountPath": path}
        container.setdefault("volumeMounts", []).append(mount)
