"""Controllers with the pods that they made, by kind; static pods."""

from __future__ import annotations

from typing import Any

from drills.api.world import World
from drills.pods.running import make_pod
from drills.scenario.network import add_pdb, add_service
from drills.scenario.workloads.autoscaling import add_hpa
from drills.scenario.workloads.daemon_sets import add_daemon_set
from drills.scenario.workloads.deployments import add_deployment
from drills.scenario.workloads.jobs import add_cron_job, add_job
from drills.scenario.workloads.stateful_sets import add_stateful_set
from drills.scenario.workloads.templates import pod_template


def add_workload(world: World, data: dict[str, Any]) -> None:
    """Expand one entry of `workloads:`. Raises KeyError for a missing field, ValueError for an
    unknown kind."""
    kind = data.get("kind", "Deployment")
    makers = {
        "Deployment": add_deployment,
        "DaemonSet": add_daemon_set,
        "StatefulSet": add_stateful_set,
        "CronJob": add_cron_job,
        "Job": add_job,
        "StaticPods": _static_pods,
    }
    if kind not in makers:
        raise ValueError(
            f"workload {data.get('name')}: kind {kind} is not one of {', '.join(makers)}"
        )
    makers[kind](world, data)
    if kind in {"Deployment", "StatefulSet", "DaemonSet"}:
        if data.get("service", bool(data.get("port"))):
            add_service(world, data)
        if "pdb" in data:
            add_pdb(world, data)
        if "hpa" in data:
            add_hpa(world, data)


def _static_pods(world: World, data: dict[str, Any]) -> None:
    """Mirror pods of a control-plane component, one on each control-plane node."""
    for node in sorted(world.of("Node"), key=lambda n: str(n["metadata"]["name"])):
        if "node-role.kubernetes.io/control-plane" not in node["metadata"]["labels"]:
            continue
        name = node["metadata"]["name"]
        template = pod_template(
            {"hostNetwork": True, "priorityClass": "system-node-critical", "probes": False, **data}
        )
        template["metadata"]["labels"] = {"component": str(data["name"]), "tier": "control-plane"}
        make_pod(
            world,
            namespace="kube-system",
            name=f"{data['name']}-{name}",
            template=template,
            node=name,
            owner=node,
            created=world.ago(data.get("age", "34d")),
            static=True,
        )
