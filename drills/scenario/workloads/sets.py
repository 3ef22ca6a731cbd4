"""Deployments, StatefulSets and DaemonSets as their authors wrote them, each revision at its time.
The controllers do the rest."""

from __future__ import annotations

from datetime import datetime, timedelta

from drills.api.managed_fields import FieldManager
from drills.api.objects import Obj
from drills.controllers.context import CONTROLLER
from drills.controllers.new_objects import REVISION, defaulted
from drills.scenario.simulation import Simulation
from drills.scenario.workloads.templates import labels_of, pod_template
from drills.scenario.world import Data, World

WRITTEN_BY_USER = (
    "spec",
    "metadata.labels",
    "metadata.annotations.meta.helm.sh/release-name",
    "metadata.annotations.meta.helm.sh/release-namespace",
)
"""Fields that the author of a workload owns; its controller owns the rest."""


def workload_meta(data: Data) -> Obj:
    """Labels and annotations of a controller, as its author wrote them."""
    labels = labels_of(data)
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
        FieldManager(CONTROLLER, rolled, ("metadata.annotations",)),
        FieldManager(CONTROLLER, done, ("status",), "status"),
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
    revision), noPods, podAges, and the words of a template."""
    replicas = int(data.get("replicas", 1))
    rollout = data.get("rollout", data.get("age", "41d"))
    revisions = [*data.get("revisions", []), {"image": data["image"], "age": rollout}]
    number = int(data.get("revision", len(revisions) + 3))
    meta = {**workload_meta(data), "generation": number}
    meta["annotations"][REVISION] = str(number)
    limits = {"maxSurge": "25%", "maxUnavailable": "25%"}
    spec = {
        "replicas": replicas,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": limits},
        "progressDeadlineSeconds": 600,
    }
    deployment, _ = _add_set(
        world, "Deployment", data, meta, pod_template(data), spec, age="41d", settled=30
    )
    meta = deployment["metadata"]
    meta["annotations"][REVISION] = str(number - len(revisions))
    for revision in revisions:
        last = revision is revisions[-1]
        row = {**data, **({} if last else {"podAges": []}), **revision.get("with", {})}
        at, template = world.ago(revision["age"]), pod_template(row, str(revision["image"]))
        simulation = Simulation(world, row, at)
        simulation.template, deployment["spec"]["template"] = template, defaulted(template)
        current = int(data.get("current", replicas)) if last else replicas
        keep = int(revisions[-2].get("keep", 0)) if last and len(revisions) > 1 else 0
        simulation.run(simulation.workloads.roll_out(deployment, current, keep))


def add_daemon_set(world: World, data: Data) -> None:
    """A pod on each node, since the node joined or the set rolled. data: generation,
    and the words of a template."""
    generation = int(data.get("generation", 2))
    meta = {**workload_meta(data), "generation": generation}
    meta["annotations"]["deprecated.daemonset.template.generation"] = str(generation)
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    spec = {"updateStrategy": rolling}
    daemon, rolled = _add_set(
        world,
        "DaemonSet",
        data,
        meta,
        pod_template(data),
        spec,
        age="60d",
        settled=45,
        by="kubeadm",
    )
    simulation = Simulation(world, data, rolled)
    simulation.run(simulation.workloads.sync(daemon))


def add_stateful_set(world: World, data: Data) -> None:
    """Numbered pods with a claim for each. data: replicas, storage, dataPath, serviceName,
    podManagement, podAges, and the words of a template."""
    replicas = int(data.get("replicas", 1))
    meta = {**workload_meta(data), "generation": int(data.get("generation", 1))}
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
        "updateStrategy": rolling,
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        **({"volumeClaimTemplates": claims} if claims else {}),
    }
    stateful, rolled = _add_set(
        world, "StatefulSet", data, meta, template, spec, age="52d", settled=60
    )
    simulation = Simulation(world, data, rolled)
    simulation.run(simulation.workloads.sync(stateful))


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
