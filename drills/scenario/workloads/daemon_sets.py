"""DaemonSets: a pod on each node, since the node joined or the set rolled."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta
from typing import Any

from drills.api.objects import Obj, stable_suffix
from drills.api.world import World, Writer
from drills.pods.running import make_pod
from drills.scenario.workloads.ownership import (
    WRITTEN_BY_USER,
    add_controller_revision,
    defaulted,
    owner_meta,
)
from drills.scenario.workloads.templates import labels_of, pod_template


def add_daemon_set(world: World, data: dict[str, Any]) -> None:
    ns, name = str(data["namespace"]), str(data["name"])
    labels = labels_of(data)
    created, rolled = (
        world.ago(data.get("age", "60d")),
        world.ago(data.get("rollout", data.get("age", "60d"))),
    )
    generation = int(data.get("generation", 2))
    meta = owner_meta(data, created, labels)
    meta["generation"] = generation
    meta.setdefault("annotations", {})["deprecated.daemonset.template.generation"] = str(generation)
    template = pod_template(data)
    ds = world.add(
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": meta,
            "spec": {
                "selector": {"matchLabels": labels},
                "template": defaulted(template),
                "revisionHistoryLimit": 10,
                "updateStrategy": data.get(
                    "updateStrategy",
                    {
                        "type": "RollingUpdate",
                        "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0},
                    },
                ),
            },
            "status": {},
        },
        Writer(str(data.get("by", "kubeadm")), rolled, WRITTEN_BY_USER),
        Writer("kube-controller-manager", rolled, ("metadata.annotations",)),
        Writer("kube-controller-manager", rolled + timedelta(seconds=45), ("status",), "status"),
    )
    code = stable_suffix("revision", ns, name, template, size=9)
    add_controller_revision(world, ds, template, code, rolled, generation)
    body = copy.deepcopy(template)
    body["metadata"]["labels"] = {
        **body["metadata"]["labels"],
        "controller-revision-hash": code,
        "pod-template-generation": str(generation),
    }
    workers_only = data.get("where") == "workers"
    for node in sorted(world.of("Node"), key=lambda n: str(n["metadata"]["name"])):
        node_name = node["metadata"]["name"]
        is_control = "node-role.kubernetes.io/control-plane" in node["metadata"]["labels"]
        if workers_only and is_control:
            continue
        joined = _joined(node)
        pod_created = max(rolled, joined) + timedelta(seconds=2)
        make_pod(
            world,
            namespace=ns,
            name=f"{name}-{stable_suffix('ds', world.seed, ns, name, node_name)}",
            template=body,
            created=pod_created,
            node=node_name,
            owner=ds,
            generate_name=f"{name}-",
            daemon=True,
        )


def _joined(node: Obj) -> datetime:
    return datetime.fromisoformat(node["metadata"]["creationTimestamp"].replace("Z", "+00:00"))
