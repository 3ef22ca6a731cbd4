"""StatefulSets with numbered pods and a claim for each."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

from drills.api.objects import stable_suffix
from drills.api.world import World, Writer
from drills.pods.running import make_pod
from drills.scenario.storage import add_claim
from drills.scenario.workloads.ownership import (
    WRITTEN_BY_USER,
    add_controller_revision,
    defaulted,
    owner_meta,
)
from drills.scenario.workloads.placement import place
from drills.scenario.workloads.templates import labels_of, pod_template


def add_stateful_set(world: World, data: dict[str, Any]) -> None:
    ns, name, replicas = str(data["namespace"]), str(data["name"]), int(data.get("replicas", 1))
    labels = labels_of(data)
    created, rolled = (
        world.ago(data.get("age", "52d")),
        world.ago(data.get("rollout", data.get("age", "52d"))),
    )
    meta = owner_meta(data, created, labels)
    meta["generation"] = int(data.get("generation", 1))
    if "ownedBy" in data:
        meta["ownerReferences"] = [copy.deepcopy(data["ownedBy"])]
    template = pod_template(data)
    claims = []
    if "storage" in data:
        claims = [
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": "data", "creationTimestamp": None},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": data["storage"]}},
                    "storageClassName": "gp3",
                    "volumeMode": "Filesystem",
                },
                "status": {"phase": "Pending"},
            }
        ]
        template["spec"]["containers"][0].setdefault("volumeMounts", []).append(
            {"name": "data", "mountPath": data.get("dataPath", "/data")}
        )
    sts = world.add(
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": meta,
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": defaulted(template),
                "serviceName": data.get("serviceName", name),
                "podManagementPolicy": data.get("podManagement", "OrderedReady"),
                "updateStrategy": data.get(
                    "updateStrategy", {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
                ),
                "revisionHistoryLimit": 10,
                "persistentVolumeClaimRetentionPolicy": {
                    "whenDeleted": "Retain",
                    "whenScaled": "Retain",
                },
                **({"volumeClaimTemplates": claims} if claims else {}),
            },
            "status": {},
        },
        Writer(str(data.get("by", "argocd-controller")), rolled, WRITTEN_BY_USER),
        Writer("kube-controller-manager", rolled + timedelta(seconds=60), ("status",), "status"),
    )
    code = f"{stable_suffix('revision', ns, name, template, size=9)}"
    add_controller_revision(world, sts, template, code, rolled, int(data.get("revision", 1)))
    nodes = place(world, data, replicas)
    ages = data.get("podAges", [])
    for number in range(replicas):
        body = copy.deepcopy(template)
        body["metadata"]["labels"] = {
            **body["metadata"]["labels"],
            "controller-revision-hash": f"{name}-{code}",
            "statefulset.kubernetes.io/pod-name": f"{name}-{number}",
            "apps.kubernetes.io/pod-index": str(number),
        }
        body["spec"]["hostname"] = f"{name}-{number}"
        body["spec"]["subdomain"] = data.get("serviceName", name)
        if claims:
            claim = f"data-{name}-{number}"
            body["spec"].setdefault("volumes", []).append(
                {"name": "data", "persistentVolumeClaim": {"claimName": claim}}
            )
            add_claim(
                world,
                namespace=ns,
                name=claim,
                size=str(data["storage"]),
                labels=labels,
                node=nodes[number],
                created=created,
            )
        at = (
            world.ago(ages[number])
            if number < len(ages)
            else rolled + timedelta(seconds=25 * number)
        )
        make_pod(
            world,
            namespace=ns,
            name=f"{name}-{number}",
            template=body,
            created=at,
            node=nodes[number],
            owner=sts,
            generate_name=f"{name}-",
        )
