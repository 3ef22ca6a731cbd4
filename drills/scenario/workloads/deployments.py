"""Deployments with the ReplicaSets of their revisions and the pods of the last."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from drills.api.objects import Obj, rfc3339, stable_suffix
from drills.api.world import World, Writer
from drills.pods.running import make_pod
from drills.scenario.workloads.ownership import WRITTEN_BY_USER, defaulted, owner_meta
from drills.scenario.workloads.placement import place
from drills.scenario.workloads.templates import labels_of, pod_template


def add_deployment(world: World, data: dict[str, Any]) -> None:
    ns, name, replicas = str(data["namespace"]), str(data["name"]), int(data.get("replicas", 1))
    labels = labels_of(data)
    created = world.ago(data.get("age", "41d"))
    rolled = world.ago(data.get("rollout", data.get("age", "41d")))
    by = str(data.get("by", "argocd-controller"))
    revisions = [
        *data.get("revisions", []),
        {"image": data["image"], "age": data.get("rollout", data.get("age", "41d"))},
    ]
    number = int(data.get("revision", len(revisions) + 3))
    meta = owner_meta(data, created, labels)
    meta["generation"] = number
    meta.setdefault("annotations", {})["deployment.kubernetes.io/revision"] = str(number)
    if data.get("paused"):
        data.setdefault("deploymentSpec", {})["paused"] = True
    template = pod_template(data)
    deployment: Obj = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": defaulted(template),
            "strategy": data.get(
                "strategy",
                {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
                },
            ),
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
            **data.get("deploymentSpec", {}),
        },
        "status": {},
    }
    world.add(
        deployment,
        Writer(by, rolled, WRITTEN_BY_USER),
        Writer("kube-controller-manager", rolled, ("metadata.annotations",)),
        Writer("kube-controller-manager", rolled + timedelta(seconds=30), ("status",), "status"),
    )
    for step, revision in enumerate(revisions):
        last = step == len(revisions) - 1
        at = world.ago(revision["age"])
        wanted = int(data.get("current", replicas)) if last else int(revision.get("keep", 0))
        body = pod_template({**data, **revision.get("with", {})}, str(revision["image"]))
        code = stable_suffix(
            "template", world.seed, ns, name, body, revision.get("salt", ""), size=10
        )
        rs = _replica_set(
            world, deployment, body, code, at, wanted, number - (len(revisions) - 1 - step)
        )
        if not data.get("noPods"):
            _replica_pods(world, rs, {**data, **revision.get("with", {})}, wanted, at)


def _replica_set(
    world: World,
    deployment: Obj,
    template: Obj,
    code: str,
    created: datetime,
    replicas: int,
    revision: int,
) -> Obj:
    meta = deployment["metadata"]
    labels = {**template["metadata"]["labels"], "pod-template-hash": code}
    body = defaulted(template)
    body["metadata"]["labels"] = labels
    desired = deployment["spec"]["replicas"]
    return world.add(
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"{meta['name']}-{code}",
                "namespace": meta["namespace"],
                "labels": labels,
                "generation": 1,
                "creationTimestamp": rfc3339(created),
                "annotations": {
                    "deployment.kubernetes.io/desired-replicas": str(desired),
                    "deployment.kubernetes.io/max-replicas": str(desired + max(1, desired // 4)),
                    "deployment.kubernetes.io/revision": str(revision),
                },
                "ownerReferences": [
                    {
                        "apiVersion": "apps/v1",
                        "kind": "Deployment",
                        "name": meta["name"],
                        "uid": meta["uid"],
                        "controller": True,
                        "blockOwnerDeletion": True,
                    }
                ],
            },
            "spec": {
                "replicas": replicas,
                "selector": {
                    "matchLabels": {
                        **deployment["spec"]["selector"]["matchLabels"],
                        "pod-template-hash": code,
                    }
                },
                "template": body,
            },
            "status": {},
        },
        Writer("kube-controller-manager", created, ("spec", "metadata")),
        Writer("kube-controller-manager", created + timedelta(seconds=20), ("status",), "status"),
    )


def _replica_pods(world: World, rs: Obj, data: dict[str, Any], count: int, at: datetime) -> None:
    ns, name = rs["metadata"]["namespace"], rs["metadata"]["name"]
    ages = data.get("podAges", [])
    nodes = place(world, data, count)
    for number in range(count):
        created = (
            world.ago(ages[number]) if number < len(ages) else at + timedelta(seconds=4 * number)
        )
        suffix = stable_suffix(
            "pod", world.seed, ns, name, number, len(world.by_kind.get("Pod", {}))
        )
        make_pod(
            world,
            namespace=ns,
            name=f"{name}-{suffix}",
            template=rs["spec"]["template"],
            created=created,
            node=nodes[number],
            owner=rs,
            generate_name=f"{name}-",
        )
