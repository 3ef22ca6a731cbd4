"""Deployments with the ReplicaSets of their revisions, StatefulSets and DaemonSets, with their
pods."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta

from drills.api.managed_fields import FieldManager
from drills.api.objects import Obj, created_at, stable_suffix
from drills.controllers.new_objects import REVISION, controller_revision, defaulted, replica_set
from drills.scenario.nodes import is_control_plane
from drills.scenario.storage import add_claim
from drills.scenario.workloads.placement import place
from drills.scenario.workloads.pods import make_pod
from drills.scenario.workloads.templates import labels_of, pod_template
from drills.scenario.world import Data, World

_CONTROLLER = "kube-controller-manager"
WRITTEN_BY_USER = (
    "spec",
    "metadata.labels",
    "metadata.annotations.meta.helm.sh/release-name",
    "metadata.annotations.meta.helm.sh/release-namespace",
)
"""What the author of a workload owns; the rest belongs to its controller."""


def workload_meta(data: Data) -> Obj:
    """Labels and annotations of a controller, as its author wrote them."""
    labels = {**labels_of(data), **data.get("metaLabels", {})}
    if data.get("by") != "helm":
        return {"labels": labels, "annotations": {}}
    release = {"name": data["name"], "namespace": data["namespace"]}
    annotations = {f"meta.helm.sh/release-{word}": value for word, value in release.items()}
    managed = {"app.kubernetes.io/managed-by": "Helm"}
    return {"labels": {**labels, **managed}, "annotations": annotations}


def _add_set(
    world: World,
    kind: str,
    data: Data,
    meta: Obj,
    template: Obj,
    spec: Obj,
    *,
    age: str,
    settled: int,
    by: str = "argocd-controller",
) -> tuple[Obj, datetime]:
    """The object of a controller, and when it was last rolled out. `settled`: seconds until its
    status was written."""
    created, written = data.get("age", age), data.get("rollout", data.get("age", age))
    rolled = world.ago(written)
    done = rolled + timedelta(seconds=settled)
    obj = world.make(
        kind,
        str(data["name"]),
        str(data["namespace"]),
        world.ago(created),
        FieldManager(str(data.get("by", by)), rolled, WRITTEN_BY_USER),
        FieldManager(_CONTROLLER, rolled, ("metadata.annotations",)),
        FieldManager(_CONTROLLER, done, ("status",), "status"),
        meta=meta,
        spec={
            "selector": {"matchLabels": labels_of(data)},
            "template": defaulted(template),
            "revisionHistoryLimit": 10,
            **spec,
        },
        status={},
    )
    return obj, rolled


def add_deployment(world: World, data: Data) -> None:
    """data: replicas, revisions [{image, age, keep, with}], revision, current (pods of the last
    revision), noPods, paused, strategy, deploymentSpec, podAges, and the words of a template."""
    replicas = int(data.get("replicas", 1))
    rollout = data.get("rollout", data.get("age", "41d"))
    revisions = [*data.get("revisions", []), {"image": data["image"], "age": rollout}]
    number = int(data.get("revision", len(revisions) + 3))
    meta = {**workload_meta(data), "generation": number}
    meta["annotations"][REVISION] = str(number)
    limits = {"maxSurge": "25%", "maxUnavailable": "25%"}
    spec = {
        "replicas": replicas,
        "strategy": data.get("strategy", {"type": "RollingUpdate", "rollingUpdate": limits}),
        "progressDeadlineSeconds": 600,
        **({"paused": True} if data.get("paused") else {}),
        **data.get("deploymentSpec", {}),
    }
    template = pod_template(data)
    deployment, _ = _add_set(world, "Deployment", data, meta, template, spec, age="41d", settled=30)
    ns, name = deployment["metadata"]["namespace"], deployment["metadata"]["name"]
    for step, revision in enumerate(revisions, start=number - len(revisions) + 1):
        at, last = world.ago(revision["age"]), step == number
        wanted = int(data.get("current", replicas)) if last else int(revision.get("keep", 0))
        row = {**data, **revision.get("with", {})}
        body, salt = pod_template(row, str(revision["image"])), revision.get("salt", "")
        code = stable_suffix("template", world.seed, ns, name, body, salt, size=10)
        replicas_of = replica_set(deployment, body, code, at, wanted, step)
        seen = at + timedelta(seconds=20)
        world.add(
            replicas_of,
            FieldManager(_CONTROLLER, at, ("spec", "metadata")),
            FieldManager(_CONTROLLER, seen, ("status",), "status"),
        )
        if not data.get("noPods"):
            _add_replica_pods(world, replicas_of, row, wanted, at)


def _add_replica_pods(world: World, owner: Obj, data: Data, count: int, at: datetime) -> None:
    ns, name = owner["metadata"]["namespace"], owner["metadata"]["name"]
    template, ages = owner["spec"]["template"], data.get("podAges", [])
    for number, node in enumerate(place(world, data, count)):
        created = at + timedelta(seconds=4 * number)
        if number < len(ages):
            created = world.ago(ages[number])
        pods = len(world.by_kind.get("Pod", {}))
        suffix = stable_suffix("pod", world.seed, ns, name, number, pods)
        make_pod(world, ns, f"{name}-{suffix}", template, created, node, owner=owner)


def _add_revision(world: World, owner: Obj, template: Obj, rolled: datetime, revision: int) -> str:
    """The ControllerRevision of a template; returns its hash."""
    meta = owner["metadata"]
    code = stable_suffix("revision", meta["namespace"], meta["name"], template, size=9)
    made = controller_revision(owner, template, code, rolled, revision)
    world.add(made, FieldManager(_CONTROLLER, rolled))
    return code


def _labelled(template: Obj, labels: dict[str, str]) -> Obj:
    """A copy of a template with more labels."""
    out = copy.deepcopy(template)
    out["metadata"]["labels"] = {**out["metadata"]["labels"], **labels}
    return out


def add_daemon_set(world: World, data: Data) -> None:
    """A pod on each node, since the node joined or the set rolled. data: where (workers),
    generation, updateStrategy, and the words of a template."""
    generation = int(data.get("generation", 2))
    meta = {**workload_meta(data), "generation": generation}
    meta["annotations"]["deprecated.daemonset.template.generation"] = str(generation)
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    spec = {"updateStrategy": data.get("updateStrategy", rolling)}
    template = pod_template(data)
    daemon, rolled = _add_set(
        world, "DaemonSet", data, meta, template, spec, age="60d", settled=45, by="kubeadm"
    )
    ns, name = daemon["metadata"]["namespace"], daemon["metadata"]["name"]
    code = _add_revision(world, daemon, template, rolled, generation)
    labels = {"controller-revision-hash": code, "pod-template-generation": str(generation)}
    body = _labelled(template, labels)
    for node in world.nodes():
        if data.get("where") == "workers" and is_control_plane(node):
            continue
        where = node["metadata"]["name"]
        created = max(rolled, created_at(node)) + timedelta(seconds=2)
        pod = f"{name}-{stable_suffix('ds', world.seed, ns, name, where)}"
        make_pod(world, ns, pod, body, created, where, owner=daemon, daemon=True)


def add_stateful_set(world: World, data: Data) -> None:
    """Numbered pods with a claim for each. data: replicas, storage, dataPath, serviceName,
    podManagement, updateStrategy, podAges, revision, ownedBy, and the words of a template."""
    replicas = int(data.get("replicas", 1))
    meta = {**workload_meta(data), "generation": int(data.get("generation", 1))}
    if "ownedBy" in data:
        meta["ownerReferences"] = [copy.deepcopy(data["ownedBy"])]
    template, service = pod_template(data), data.get("serviceName", data["name"])
    claims = []
    if "storage" in data:
        claims = [_claim_template(str(data["storage"]))]
        mount = {"name": "data", "mountPath": data.get("dataPath", "/data")}
        template["spec"]["containers"][0].setdefault("volumeMounts", []).append(mount)
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    spec = {
        "replicas": replicas,
        "serviceName": service,
        "podManagementPolicy": data.get("podManagement", "OrderedReady"),
        "updateStrategy": data.get("updateStrategy", rolling),
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        **({"volumeClaimTemplates": claims} if claims else {}),
    }
    stateful, rolled = _add_set(
        world, "StatefulSet", data, meta, template, spec, age="52d", settled=60
    )
    ns, name = stateful["metadata"]["namespace"], stateful["metadata"]["name"]
    code = _add_revision(world, stateful, template, rolled, int(data.get("revision", 1)))
    ages = data.get("podAges", [])
    for number, node in enumerate(place(world, data, replicas)):
        pod = f"{name}-{number}"
        labels = {
            "controller-revision-hash": f"{name}-{code}",
            "statefulset.kubernetes.io/pod-name": pod,
            "apps.kubernetes.io/pod-index": str(number),
        }
        body = _labelled(template, labels)
        body["spec"].update(hostname=pod, subdomain=service)
        if claims:
            claim = f"data-{pod}"
            volume = {"name": "data", "persistentVolumeClaim": {"claimName": claim}}
            body["spec"].setdefault("volumes", []).append(volume)
            add_claim(
                world,
                namespace=ns,
                name=claim,
                size=str(data["storage"]),
                labels=labels_of(data),
                node=node,
                created=created_at(stateful),
            )
        at = rolled + timedelta(seconds=25 * number)
        if number < len(ages):
            at = world.ago(ages[number])
        make_pod(world, ns, pod, body, at, node, owner=stateful)


def _claim_template(size: str) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "creationTimestamp": None},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}},
            "storageClassName": "gp3",
            "volumeMode": "Filesystem",
        },
        "status": {"phase": "Pending"},
    }
