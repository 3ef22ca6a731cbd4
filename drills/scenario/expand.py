"""Applies the sections of a scenario to a world, in a fixed order: background, additions,
faults."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from drills.api.managed_fields import FieldManager
from drills.api.objects import Obj, created_at, stable_uid
from drills.api.patch import merge_patch, strategic_merge
from drills.controllers.endpoint_slices import create_slice
from drills.controllers.new_objects import new_pod
from drills.controllers.status_sync import status_updates
from drills.pods.pod_status import image_id
from drills.pods.surroundings import SECTIONS
from drills.scenario import config, events, network
from drills.scenario.model import Scenario, ScenarioError, load_background, sections_of
from drills.scenario.nodes import add_node, list_images
from drills.scenario.renaming import Renamer, mapping
from drills.scenario.simulation import Simulation
from drills.scenario.states.nodes import set_node_state
from drills.scenario.states.pods import set_pod_state
from drills.scenario.states.workloads import set_workload_state
from drills.scenario.workloads.workload import add_workload
from drills.scenario.world import Data, World


def expand(scenario: Scenario, now: datetime) -> World:
    """The scenario at `now` (aware), with what surrounds its objects. Raises ScenarioError with the
    scenario's id when its data does not fit."""
    data, world = scenario.data, World(now=now, seed=scenario.seed)
    world.pullable = bool(data.get("pullable", True))
    try:
        world.secret_defaults = world.timed(data.get("secretDefaults", {}))
        own = world.timed(sections_of(data))
        background = world.timed(load_background(data.get("background", "standard")))
        nodes = [*background.get("nodes", []), *own.get("nodes", [])]
        add_all(world, {**background, "nodes": nodes})
        add_all(world, {k: v for k, v in own.items() if k != "nodes"})
        finish_adding(world)
        surround(world, background)
        go_wrong(world, own)
        finish(world)
        _identify(world, scenario.id)
        if "shuffle" in data:
            _rename(world, int(data["shuffle"]))
    except (KeyError, ValueError, TypeError) as error:
        raise ScenarioError(f"scenario {scenario.id}: {type(error).__name__}: {error}") from error
    return world


def objects(scenario: Scenario, now: datetime) -> list[Obj]:
    """Every object of the scenario at `now` (aware), with uid, creationTimestamp, managedFields and
    status, sorted by kind, namespace and name. Raises ScenarioError when the data does not fit."""
    return expand(scenario, now).sorted_objects()


def _identify(world: World, name: str) -> None:
    """Each drill is a cluster of its own: the uid of kube-system tells clusters apart."""
    system = world.objects.get(("Namespace", "", "kube-system"))
    if system is not None:
        system["metadata"]["uid"] = stable_uid("cluster", name)


def _add_workload(world: World, row: Data) -> None:
    try:
        add_workload(world, row)
    except KeyError as error:
        raise ValueError(
            f"workload {row.get('namespace')}/{row.get('name')}: no {error}"
        ) from error


def _add_secrets(world: World, row: Data) -> None:
    for name in row["names"] if "names" in row else [row["name"]]:
        config.add_secret(world, {**row, "name": name})


def _add_policies(world: World, row: Data) -> None:
    for namespace in row["namespaces"] if "namespaces" in row else [row["namespace"]]:
        network.add_policy(world, {**row, "namespace": namespace})


def _add_pod(world: World, row: Data) -> None:
    """Add a pod that a person created."""
    created = world.ago(row.get("age", "1d"))
    template = {"metadata": {"labels": row.get("labels", {})}, "spec": row["spec"]}
    pod = new_pod(row["namespace"], row["name"], template, created, node=row["node"])
    who = FieldManager(
        str(row.get("by", "kubectl-client-side-apply")), created, ("metadata", "spec")
    )
    simulation = Simulation(world, row, created)
    simulation.run(simulation.kubelets.run(world.add(pod, who)))


_ADD: dict[str, Callable[[World, Any], object]] = {
    "nodes": lambda world, row: add_node(world, str(row["name"]), row),
    "namespaces": config.add_namespace,
    "workloads": _add_workload,
    "definitions": config.add_definition,
    "helm": config.add_helm_release,
    "secrets": _add_secrets,
    "configmaps": config.add_config_map,
    "ingresses": network.add_ingress,
    "policies": _add_policies,
    "pods": _add_pod,
    "objects": config.add_object,
}
"""Sections that add objects, in order."""


def add_all(world: World, data: Data) -> None:
    """Apply the sections that add objects."""
    for section, add in _ADD.items():
        for row in data.get(section, []):
            add(world, row)


def finish_adding(world: World) -> None:
    """Add what the cluster itself creates: Secrets that pods name, slices, lists of images."""
    config.ensure_references(world)
    simulation = Simulation(world, {}, world.ago("1d"))
    for service in world.of("Service"):
        create_slice(simulation, service)
    list_images(world)


def go_wrong(world: World, data: Data) -> None:
    """Apply the sections that change objects and surroundings. Raises ValueError when a selection
    is empty."""
    for row in data.get("nodeStates", []):
        for node in _selected(world, "Node", row):
            set_node_state(world, node, row)
    for lose in world.losses:
        lose()
    world.losses.clear()
    for row in data.get("podStates", []):
        for pod in _selected(world, "Pod", row):
            set_pod_state(world, pod, row)
    for row in data.get("workloadStates", []):
        for owner in _selected(world, str(row["kind"]), row):
            set_workload_state(world, owner, row)
    for row in data.get("images", []):
        for pod in _selected(world, "Pod", row):
            for status in pod["status"].get("containerStatuses", []):
                status["imageID"] = image_id(status["image"], str(row["build"]))
    _sync_statuses(world)
    for row in data.get("patch", []):
        _patch(world, row)
    for row in data.get("delete", []):
        for obj in _selected(world, str(row["kind"]), row):
            world.remove(obj)
    for row in data.get("events", []):
        events.add_named_event(world, row)
    surround(world, data)


def surround(world: World, data: Data) -> None:
    """Apply the sections about logs, figures, answers of containers, health and faults."""
    known = (*SECTIONS, "exec", "health")
    filled = _fill_addresses(world, {k: data[k] for k in known if k in data})
    world.surroundings.add(filled, world.now)


def _rename(world: World, seed: int) -> None:
    """Rename everything in the world as `world.renames` says."""
    world.renames = mapping(world.objects.values(), seed)
    renamer = Renamer(world.renames)
    old, managers = world.sorted_objects(), world.managers
    world.objects, world.by_kind, world.managers = {}, {}, {}
    for obj in old:
        world.add(renamer.data(obj), *managers.get(world.key(obj), []))
    world.next_ip = {renamer.text(k): v for k, v in world.next_ip.items()}
    world.removed = renamer.data(world.removed)
    world.surroundings.rename(renamer.data)


_ADDRESS = re.compile(r"\{ip:([^/}]+)/([^/}]+)(?:/([^}]+))?\}")


def _fill_addresses(world: World, value: Any) -> Any:
    """Replace `{ip:NAMESPACE/APP}` and `{ip:NAMESPACE/APP/NODE}` in any text by the address of such
    a pod."""
    if isinstance(value, dict):
        return {k: _fill_addresses(world, v) for k, v in value.items()}
    if isinstance(value, list):
        return [_fill_addresses(world, v) for v in value]
    if not isinstance(value, str) or "{ip:" not in value:
        return value

    def address(match: re.Match[str]) -> str:
        words = zip(("namespace", "app", "node"), match.groups(), strict=True)
        pods = world.select("Pod", {k: v for k, v in words if v})
        found = next((p["status"]["podIP"] for p in pods if p["status"].get("podIP")), None)
        if found is None:
            raise ValueError(f"no pod has an address for {match.group(0)}")
        return str(found)

    return _ADDRESS.sub(address, value)


def finish(world: World) -> None:
    """Fill in statuses, images of nodes and managedFields, after all sections."""
    _sync_statuses(world)
    list_images(world)
    for obj in list(world.objects.values()):
        world.seal(obj)


def _selected(world: World, kind: str, row: Data) -> list[Obj]:
    want = row.get("select") or {w: row[w] for w in ("name", "namespace") if w in row}
    found = world.select(kind, want)
    if not found:
        raise ValueError(f"no {kind} matches {want}")
    return found


def _patch(world: World, row: Data) -> None:
    """One entry of `patch:`: kind, selection (namespace, name or select), merge (RFC 7386) or
    strategic, by, at, subresource; removeKeys takes keys out of `data`, restoreKeys (true) puts
    back what such a row took. A row without `by` leaves no trace in managedFields."""
    for obj in _selected(world, str(row["kind"]), row):
        new = strategic_merge(copy.deepcopy(obj), copy.deepcopy(row.get("strategic", {})))
        new = merge_patch(new, copy.deepcopy(row.get("merge", {})))
        gone = row.get("removeKeys", [])
        if row.get("restoreKeys"):
            new["data"] = {**world.removed.get(world.key(obj), {}), **new.get("data", {})}
        elif "data" in new:
            if gone:
                world.removed[world.key(obj)] = dict(new["data"])
            new["data"] = {k: v for k, v in new["data"].items() if not {k, "*"} & set(gone)}
            if not new["data"]:
                del new["data"]
        if "by" in row:
            at = max(world.ago(row.get("at", "10m")), created_at(obj))
            sub = str(row.get("subresource", ""))
            world.change(obj, new, manager=str(row["by"]), at=at, subresource=sub)
        else:
            obj.clear()
            obj.update(new)
            obj["metadata"].pop("managedFields", None)


def _sync_statuses(world: World) -> None:
    for obj, fields in status_updates(world.of, world.now):
        obj.update(fields)
