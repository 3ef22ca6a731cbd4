"""Namespaces, Secrets, ConfigMaps, accounts, definitions and other objects that rarely change."""

from __future__ import annotations

import base64
import copy
from typing import Any

from drills.api.kinds import API_VERSIONS
from drills.api.managed_fields import FieldManager
from drills.api.objects import Obj, dig, digest, new_condition, rfc3339
from drills.controllers.namespaces import furnish
from drills.pods.selection import secret_keys
from drills.scenario.simulation import Simulation
from drills.scenario.world import Data, World


def author(world: World, data: Data, *prefixes: str, age: str = "52d") -> FieldManager:
    """The manager of an object of a scenario (`by`: argocd-controller) and the age of its write."""
    by, at = str(data.get("by", "argocd-controller")), world.ago(data.get("age", age))
    return FieldManager(by, at, prefixes)


def add_namespace(world: World, data: Data | str) -> None:
    data = {"name": data} if isinstance(data, str) else data
    name = str(data["name"])
    system = name.startswith("kube-") or name == "default"
    by = {"by": "kube-apiserver"} if system else {}
    who = author(world, {**by, **data}, age="61d")
    labels = {"kubernetes.io/metadata.name": name, **data.get("labels", {})}
    spec, status = {"finalizers": ["kubernetes"]}, {"phase": "Active"}
    meta = {"labels": labels}
    made = world.make("Namespace", name, "", who.at, who, meta=meta, spec=spec, status=status)
    furnish(Simulation(world, {}, who.at), made)


def add_secret(world: World, data: Data) -> None:
    """data: namespace, name, keys, type (Opaque), by, age, labels, annotations, ownerReferences.
    Values are placeholders."""
    name, namespace = data["name"], data["namespace"]
    who = author(world, {"by": "external-secrets", **data})
    kept = ("labels", "annotations", "ownerReferences")
    meta = {word: copy.deepcopy(data.get(word)) for word in kept}
    values = {
        key: base64.b64encode(digest("secret", namespace, name, key, size=24).encode()).decode()
        for key in data.get("keys", ["value"])
    }
    kind = data.get("type", "Opaque")
    world.make("Secret", name, namespace, who.at, who, meta=meta, type=kind, data=values)


def add_config_map(world: World, data: Data) -> None:
    """data: namespace, name, keys or data, by, age."""
    who = author(world, data)
    content = data.get("data") or {k: f"# {k}\n" for k in data.get("keys", ["config.yaml"])}
    world.make("ConfigMap", data["name"], data["namespace"], who.at, who, data=dict(content))


def _add_account(world: World, data: Data) -> None:
    who = author(world, data)
    world.make("ServiceAccount", data["name"], data["namespace"], who.at, who)


def add_definition(world: World, data: Data) -> None:
    """A CustomResourceDefinition, established. data: group, kind, plural, short, scope,
    age, by."""
    who = author(world, {"by": "helm", **data}, "spec", "metadata")
    kind, plural, stamp = str(data["kind"]), str(data["plural"]), rfc3339(who.at)
    names: Obj = {"kind": kind, "listKind": f"{kind}List", "plural": plural}
    names["singular"] = kind.lower()
    if "short" in data:
        names["shortNames"] = list(data["short"])
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    established = "the initial names have been accepted"
    world.make(
        "CustomResourceDefinition",
        f"{plural}.{data['group']}",
        "",
        who.at,
        who,
        FieldManager("kube-apiserver", who.at, ("status",), "status"),
        meta={"generation": 1},
        spec={
            "group": data["group"],
            "scope": data.get("scope", "Namespaced"),
            "conversion": {"strategy": "None"},
            "names": names,
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
        status={
            "acceptedNames": dict(names),
            "storedVersions": ["v1"],
            "conditions": [
                new_condition("NamesAccepted", True, stamp, "NoConflicts", "no conflicts found"),
                new_condition("Established", True, stamp, "InitialNamesAccepted", established),
            ],
        },
    )


def add_helm_release(world: World, data: Data) -> None:
    """The Secret that `helm upgrade` leaves. data: namespace, name, revision, age, status."""
    revision = int(data.get("revision", 1))
    release = {
        "namespace": data["namespace"],
        "name": f"sh.helm.release.v1.{data['name']}.v{revision}",
        "keys": ["release"],
        "type": "helm.sh/release.v1",
        "by": "helm",
        "age": data["age"],
        "labels": {
            "name": data["name"],
            "owner": "helm",
            "status": data.get("status", "deployed"),
            "version": str(revision),
            "modifiedAt": str(int(world.ago(data["age"]).timestamp())),
        },
    }
    add_secret(world, release)


def add_object(world: World, data: Data) -> None:
    """A raw object of `objects:`; apiVersion may be left out for a built-in kind. `age` and `by`
    are taken off."""
    obj = {k: copy.deepcopy(v) for k, v in data.items() if k not in {"age", "by"}}
    kind, who = str(obj["kind"]), author(world, data)
    obj["metadata"].setdefault("creationTimestamp", rfc3339(who.at))
    if "spec" in obj and kind not in {"Namespace", "Node", "ServiceAccount"}:
        obj["metadata"].setdefault("generation", 1)
    world.add({"apiVersion": obj.get("apiVersion") or API_VERSIONS[kind], **obj}, who)


def ensure_references(world: World) -> None:
    """Make every Secret, ConfigMap and ServiceAccount that a workload names, with the keys that it
    needs."""
    for ingress in world.of("Ingress"):
        for tls in ingress["spec"].get("tls") or []:
            row = {"namespace": ingress["metadata"]["namespace"], "name": tls["secretName"]}
            if world.get("Secret", row["namespace"], row["name"]) is None:
                by, keys = "cert-manager-certificates-issuing", ["tls.crt", "tls.key"]
                secret = {"type": "kubernetes.io/tls", "by": by, "age": "21d", "keys": keys}
                add_secret(world, {**row, **secret})
    for (kind, namespace, name), asked in _references(world).items():
        if world.get(kind, namespace, name) is not None:
            continue
        data: Data = {"namespace": namespace, "name": name}
        if kind == "ServiceAccount":
            _add_account(world, data)
        elif kind == "ConfigMap":
            add_config_map(world, {**data, "keys": sorted(asked) or ["config.yaml"]})
        else:
            defaults = dict(world.secret_defaults)
            if namespace not in defaults.pop("namespaces", [namespace]):
                defaults = {}
            add_secret(world, {**defaults, **data, "keys": sorted(asked) or ["credentials"]})


def _references(world: World) -> dict[tuple[str, str, str], set[str]]:
    """(kind, namespace, name) that pods name -> the keys that they ask for."""
    wanted: dict[tuple[str, str, str], set[str]] = {}

    def want(kind: str, namespace: str, name: Any, *keys: str) -> None:
        wanted.setdefault((kind, namespace, str(name)), set()).update(keys)

    for pod in world.of("Pod"):
        ns, spec = pod["metadata"]["namespace"], pod["spec"]
        want("ServiceAccount", ns, spec.get("serviceAccountName", "default"))
        for ref in secret_keys(pod):
            want("Secret", ns, ref["name"], ref["key"])
        for container in spec["containers"]:
            for env in container.get("env") or []:
                if ref := dig(env, "valueFrom", "configMapKeyRef"):
                    want("ConfigMap", ns, ref["name"], ref["key"])
        for volume in spec.get("volumes") or []:
            if "secret" in volume:
                want("Secret", ns, volume["secret"]["secretName"])
            if "configMap" in volume:
                want("ConfigMap", ns, volume["configMap"]["name"])
    return wanted
