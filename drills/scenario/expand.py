"""The sections of a scenario applied to a world, in a fixed order: background, what is added, what
goes wrong."""

from __future__ import annotations

import copy
import re
from collections.abc import Collection
from datetime import datetime
from typing import Any

from drills.api.objects import Obj, dig, parse_time
from drills.api.patch import merge_patch, strategic_merge
from drills.api.world import Key, World
from drills.controllers import events
from drills.controllers.status_sync import settle
from drills.pods.running import image_id, make_pod
from drills.scenario import config, network, storage
from drills.scenario.model import Scenario, ScenarioError, load_background, with_decoys
from drills.scenario.nodes import add_node, list_images
from drills.scenario.renaming import Renamer, mapping
from drills.scenario.states.nodes import set_node_state
from drills.scenario.states.pods import set_pod_state
from drills.scenario.workloads.kinds import add_workload

SECTIONS = (
    "nodes",
    "namespaces",
    "workloads",
    "definitions",
    "helm",
    "secrets",
    "configmaps",
    "ingresses",
    "policies",
    "claims",
    "objects",
    "nodeStates",
    "podStates",
    "images",
    "patch",
    "delete",
    "events",
    "logs",
    "stats",
    "metrics",
    "exec",
    "health",
    "faults",
    "configz",
)


def expand(scenario: Scenario, now: datetime) -> World:
    """Raises ScenarioError with the scenario's id when its data does not fit."""
    world = World(now=now, seed=scenario.seed)
    world.pullable = bool(scenario.data.get("pullable", True))
    world.secret_defaults = dict(scenario.data.get("secretDefaults", {}))
    try:
        data = with_decoys(scenario.data)
        background = load_background(scenario.data.get("background", "standard"))
        own = {k: data[k] for k in _ADDS if k in data}
        add_all(
            world, {**background, "nodes": [*background.get("nodes", []), *own.pop("nodes", [])]}
        )
        add_all(world, own)
        finish_adding(world)
        go_wrong(world, data)
        finish(world)
        if "shuffle" in data:
            rename(world, int(data["shuffle"]))
    except (KeyError, ValueError, TypeError) as error:
        raise ScenarioError(f"scenario {scenario.id}: {type(error).__name__}: {error}") from error
    return world


def objects(scenario: Scenario, now: datetime) -> list[Obj]:
    """Every object of the scenario at `now` (aware), with uid, creationTimestamp, managedFields and
    status, sorted by kind, namespace and name. Raises ScenarioError when the data does not fit."""
    return expand(scenario, now).sorted_objects()


_ADDS = (
    "nodes",
    "namespaces",
    "workloads",
    "definitions",
    "helm",
    "secrets",
    "configmaps",
    "ingresses",
    "policies",
    "claims",
    "objects",
    "pods",
)


def add_all(world: World, data: dict[str, Any]) -> None:
    """Sections that bring objects into being."""
    for row in data.get("nodes", []):
        add_node(world, str(row["name"]), row)
    for row in data.get("namespaces", []):
        config.add_namespace(world, row)
    for row in data.get("workloads", []):
        try:
            add_workload(world, {**data.get("defaults", {}), **row})
        except KeyError as error:
            raise ValueError(
                f"workload {row.get('namespace')}/{row.get('name')}: no {error}"
            ) from error
    for row in data.get("definitions", []):
        config.add_definition(world, row)
    for row in data.get("helm", []):
        config.add_helm_release(world, row)
    for row in data.get("secrets", []):
        for name in row["names"] if "names" in row else [row["name"]]:
            config.add_secret(world, {**row, "name": name})
    for row in data.get("configmaps", []):
        config.add_config_map(world, row)
    for row in data.get("ingresses", []):
        network.add_ingress(world, row)
    for row in data.get("policies", []):
        for namespace in row["namespaces"] if "namespaces" in row else [row["namespace"]]:
            network.add_policy(world, {**row, "namespace": namespace})
    for row in data.get("claims", []):
        storage.add_claim(
            world,
            namespace=row["namespace"],
            name=row["name"],
            size=str(row.get("size", "20Gi")),
            labels=row.get("labels", {}),
            node=row.get("node"),
            created=world.ago(row.get("age", "52d")),
            attached_to=row.get("attachedTo"),
        )
    for row in data.get("pods", []):
        template = {
            "metadata": {"labels": row.get("labels", {})},
            "spec": copy.deepcopy(row["spec"]),
        }
        make_pod(
            world,
            namespace=row["namespace"],
            name=row["name"],
            template=template,
            node=row["node"],
            created=world.ago(row.get("age", "1d")),
        )
    for row in data.get("objects", []):
        config.add_object(world, row)


def finish_adding(world: World, present: Collection[Key] = ()) -> None:
    """What the cluster makes of what was added: Secrets that are named, slices, the events of young
    pods and Jobs.
    `present` are the objects that were there before and have their events."""
    config.ensure_references(world)
    for service in world.of("Service"):
        network.add_slice(world, service)
    list_images(world)
    events.add_lives([p for p in world.of("Pod") if world.key(p) not in present], world)
    events.add_job_events([j for j in world.of("Job") if world.key(j) not in present], world)


def go_wrong(world: World, data: dict[str, Any]) -> None:
    """Sections that change what is there, and what surrounds it. Raises ValueError when a selection
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
    for row in data.get("images", []):
        for pod in _selected(world, "Pod", row):
            _other_build(world, pod, str(row["build"]))
    _settle(world)
    for row in data.get("patch", []):
        patch(world, row)
    for row in data.get("delete", []):
        for obj in _selected(world, str(row["kind"]), row):
            world.remove(obj)
    for row in data.get("events", []):
        events.from_data(world, row)
    surround(world, data)


def surround(world: World, data: dict[str, Any]) -> None:
    around = world.surroundings
    data = fill_addresses(
        world,
        {
            k: data[k]
            for k in ("logs", "stats", "metrics", "exec", "health", "configz", "faults")
            if k in data
        },
    )
    for section in ("logs", "stats", "metrics"):
        getattr(around, section).extend((world.now, row) for row in data.get(section, []))
    answers = data.get("exec", {})
    around.connect[:0] = answers.get("connect", [])
    around.commands[:0] = answers.get("commands", [])
    around.names[:0] = answers.get("names", [])
    around.health = merge_patch(around.health, data.get("health", {}))
    around.configz.extend(data.get("configz", []))
    around.faults.extend(data.get("faults", []))


def rename(world: World, seed: int) -> None:
    """Give everything in the world other names; `world.renames` says which."""
    world.renames = mapping(world.objects.values(), seed)
    renamer = Renamer(world.renames)
    old, writers = world.sorted_objects(), world.writers
    world.objects, world.by_kind, world.writers = {}, {}, {}
    for obj in old:
        key = world.key(obj)
        world.add(renamer.data(obj), *writers.get(key, []))
    world.next_ip = {renamer.text(k): v for k, v in world.next_ip.items()}
    around = world.surroundings
    for section in ("logs", "stats", "metrics"):
        setattr(around, section, [(at, renamer.data(row)) for at, row in getattr(around, section)])
    for section in ("connect", "commands", "names", "configz", "faults"):
        setattr(around, section, renamer.data(getattr(around, section)))


_ADDRESS = re.compile(r"\{ip:([^/}]+)/([^/}]+)(?:/([^}]+))?\}")


def fill_addresses(world: World, value: Any) -> Any:
    """`{ip:NAMESPACE/APP}` and `{ip:NAMESPACE/APP/NODE}` in any text become the address of such a
    pod."""
    if isinstance(value, dict):
        return {k: fill_addresses(world, v) for k, v in value.items()}
    if isinstance(value, list):
        return [fill_addresses(world, v) for v in value]
    if not isinstance(value, str) or "{ip:" not in value:
        return value

    def address(match: re.Match[str]) -> str:
        want = {
            "namespace": match.group(1),
            "app": match.group(2),
            **({"node": match.group(3)} if match.group(3) else {}),
        }
        pods = [p for p in world.select("Pod", want) if dig(p, "status", "podIP")]
        if not pods:
            raise ValueError(f"no pod has an address for {match.group(0)}")
        return str(pods[0]["status"]["podIP"])

    return _ADDRESS.sub(address, value)


def finish(world: World) -> None:
    _settle(world)
    list_images(world)
    for obj in world.of_all():
        world.seal(obj)


def _selected(world: World, kind: str, row: dict[str, Any]) -> list[Obj]:
    want = dict(row.get("select", {}))
    for word in ("name", "namespace"):
        if word in row and "select" not in row:
            want[word] = row[word]
    found = world.select(kind, want)
    if not found and not row.get("optional"):
        raise ValueError(f"no {kind} matches {want}")
    return found


def _other_build(world: World, pod: Obj, build: str) -> None:
    """The node pulled another build under the same tag."""
    for status in pod["status"].get("containerStatuses", []):
        status["imageID"] = image_id(status["image"], build)
    world.touch(pod)


def patch(world: World, row: dict[str, Any]) -> None:
    """One entry of `patch:`: kind, selection (namespace, name or select), merge (RFC 7386) or
    strategic, by, at, subresource; removeKeys takes keys out of `data`. A row without `by` leaves
    no trace in managedFields."""
    for obj in _selected(world, str(row["kind"]), row):
        new = copy.deepcopy(obj)
        if "strategic" in row:
            new = strategic_merge(new, copy.deepcopy(row["strategic"]))
        if "merge" in row:
            new = merge_patch(new, copy.deepcopy(row["merge"]))
        for key in row.get("removeKeys", []):
            names = list(new.get("data", {})) if key == "*" else [key]
            for name in names:
                new.get("data", {}).pop(name, None)
        if "data" in new and not new["data"]:
            del new["data"]
        if "by" in row:
            at = world.ago(row.get("at", "10m"))
            world.change(
                obj,
                new,
                manager=str(row["by"]),
                at=max(at, parse_time(obj["metadata"]["creationTimestamp"])),
                subresource=str(row.get("subresource", "")),
            )
        else:
            obj.clear()
            obj.update(new)
            obj["metadata"].pop("managedFields", None)
            world.touch(obj)


def _settle(world: World) -> None:
    for obj, fields in settle(world.of, world.now):
        obj.update(fields)
        world.touch(obj)
