"""One entry of `workloads:`: a controller with its pods, Service, budget and autoscaler."""

from __future__ import annotations

from collections.abc import Callable

from drills.scenario.network import add_budget, add_service
from drills.scenario.nodes import is_control_plane
from drills.scenario.simulation import Simulation
from drills.scenario.workloads.autoscaling import add_autoscaler
from drills.scenario.workloads.jobs import add_cron_job, add_job
from drills.scenario.workloads.sets import add_daemon_set, add_deployment, add_stateful_set
from drills.scenario.workloads.templates import pod_template
from drills.scenario.world import Data, World


def add_workload(world: World, data: Data) -> None:
    """Raises KeyError for a missing field, ValueError for an unknown kind."""
    kind = data.get("kind", "Deployment")
    if kind not in _MAKERS:
        known = ", ".join(_MAKERS)
        raise ValueError(f"workload {data.get('name')}: kind {kind} is not one of {known}")
    _MAKERS[kind](world, data)
    if kind in {"Deployment", "StatefulSet", "DaemonSet"}:
        if data.get("service", bool(data.get("port"))):
            add_service(world, data)
        if "pdb" in data:
            add_budget(world, data)
        if "hpa" in data:
            add_autoscaler(world, data)


def _add_static_pods(world: World, data: Data) -> None:
    """Mirror pods of a control-plane component, one on each control-plane node."""
    defaults = {"hostNetwork": True, "priorityClass": "system-node-critical", "probes": False}
    for node in world.nodes():
        if not is_control_plane(node):
            continue
        template = pod_template({**defaults, **data})
        template["metadata"]["labels"] = {"component": str(data["name"]), "tier": "control-plane"}
        simulation = Simulation(world, data, world.ago(data.get("age", "34d")))
        name = f"{data['name']}-{node['metadata']['name']}"
        simulation.run(simulation.kubelets.mirror(node, "kube-system", name, template))


_MAKERS: dict[str, Callable[[World, Data], object]] = {
    "Deployment": add_deployment,
    "DaemonSet": add_daemon_set,
    "StatefulSet": add_stateful_set,
    "CronJob": add_cron_job,
    "Job": add_job,
    "StaticPods": _add_static_pods,
}
