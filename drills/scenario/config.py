"""Namespaces, Secrets, ConfigMaps, accounts, roles, quotas and the other objects that mostly sit
still."""

from __future__ import annotations

import base64
import copy
from typing import Any

from drills.api.kinds import KINDS
from drills.api.objects import Obj, dig, digest, rfc3339, rfc3339_micro
from drills.api.world import World, Writer

_KIND_BY_NAME = {k.kind: k for k in KINDS if k.group != "events.k8s.io"}


def add_namespace(world: World, data: dict[str, Any] | str) -> Obj:
    data = {"name": data} if isinstance(data, str) else data
    name, created = str(data["name"]), world.ago(data.get("age", "61d"))
    by = str(
        data.get(
            "by",
            "kube-apiserver"
            if name.startswith("kube-") or name == "default"
            else "argocd-controller",
        )
    )
    add_config_map(
        world,
        {
            "namespace": name,
            "name": "kube-root-ca.crt",
            "keys": ["ca.crt"],
            "by": "kube-controller-manager",
            "age": data.get("age", "61d"),
        },
    )
    add_account(
        world,
        {
            "namespace": name,
            "name": "default",
            "by": "kube-controller-manager",
            "age": data.get("age", "61d"),
        },
    )
    return world.add(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "creationTimestamp": rfc3339(created),
                "labels": {"kubernetes.io/metadata.name": name, **data.get("labels", {})},
            },
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        },
        Writer(by, created),
    )


def add_secret(world: World, data: dict[str, Any]) -> Obj:
    """data: namespace, name, keys, type (Opaque), by, age, labels. Values are placeholders."""
    created = world.ago(data.get("age", "52d"))
    by = str(data.get("by", "external-secrets"))
    return world.add(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": data["name"],
                "namespace": data["namespace"],
                "creationTimestamp": rfc3339(created),
                **({"labels": dict(data["labels"])} if data.get("labels") else {}),
                **({"annotations": dict(data["annotations"])} if data.get("annotations") else {}),
                **(
                    {"ownerReferences": copy.deepcopy(data["ownerReferences"])}
                    if data.get("ownerReferences")
                    else {}
                ),
            },
            "type": data.get("type", "Opaque"),
            "data": {
                k: base64.b64encode(
                    digest("secret", data["namespace"], data["name"], k, size=24).encode()
                ).decode()
                for k in data.get("keys", ["value"])
            },
        },
        Writer(by, created),
    )


def add_config_map(world: World, data: dict[str, Any]) -> Obj:
    """data: namespace, name, keys or data, by, age."""
    created = world.ago(data.get("age", "52d"))
    content = data.get("data") or {k: f"# {k}\n" for k in data.get("keys", ["config.yaml"])}
    return world.add(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": data["name"],
                "namespace": data["namespace"],
                "creationTimestamp": rfc3339(created),
            },
            "data": dict(content),
        },
        Writer(str(data.get("by", "argocd-controller")), created),
    )


def add_account(world: World, data: dict[str, Any]) -> Obj:
    created = world.ago(data.get("age", "52d"))
    return world.add(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {
                "name": data["name"],
                "namespace": data["namespace"],
                "creationTimestamp": rfc3339(created),
                **({"annotations": dict(data["annotations"])} if data.get("annotations") else {}),
            },
        },
        Writer(str(data.get("by", "argocd-controller")), created),
    )


def add_definition(world: World, data: dict[str, Any]) -> Obj:
    """A CustomResourceDefinition, established. data: group, kind, plural, short, scope, versions
    (v1), age, by."""
    created = world.ago(data.get("age", "52d"))
    kind, plural = str(data["kind"]), str(data["plural"])
    names: Obj = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
    }
    if "short" in data:
        names["shortNames"] = list(data["short"])
    versions = list(data.get("versions", ["v1"]))
    stamp = rfc3339(created)
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return world.add(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": f"{plural}.{data['group']}",
                "creationTimestamp": stamp,
                "generation": 1,
            },
            "spec": {
                "group": data["group"],
                "scope": data.get("scope", "Namespaced"),
                "conversion": {"strategy": "None"},
                "names": names,
                "versions": [
                    {
                        "name": v,
                        "served": True,
                        "storage": v == versions[-1],
                        "schema": copy.deepcopy(schema),
                    }
                    for v in versions
                ],
            },
            "status": {
                "acceptedNames": dict(names),
                "storedVersions": [versions[-1]],
                "conditions": [
                    {
                        "type": "NamesAccepted",
                        "status": "True",
                        "lastTransitionTime": stamp,
                        "reason": "NoConflicts",
                        "message": "no conflicts found",
                    },
                    {
                        "type": "Established",
                        "status": "True",
                        "lastTransitionTime": stamp,
                        "reason": "InitialNamesAccepted",
                        "message": "the initial names have been accepted",
                    },
                ],
            },
        },
        Writer(str(data.get("by", "helm")), created, ("spec", "metadata")),
        Writer("kube-apiserver", created, ("status",), "status"),
    )


def add_helm_release(world: World, data: dict[str, Any]) -> Obj:
    """The Secret that `helm upgrade` leaves. data: namespace, name, revision, age, status."""
    created = world.ago(data["age"])
    revision = int(data.get("revision", 1))
    return add_secret(
        world,
        {
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
                "modifiedAt": str(int(created.timestamp())),
            },
        },
    )


def add_object(world: World, data: dict[str, Any]) -> Obj:
    """A raw object of `objects:`; apiVersion may be left out for a built-in kind. `age` and `by`
    are taken off."""
    obj = {k: copy.deepcopy(v) for k, v in data.items() if k not in {"age", "by"}}
    if dig(obj, "spec", "renewTime") == "NOW":
        obj["spec"]["renewTime"] = rfc3339_micro(world.now)
    known = _KIND_BY_NAME.get(str(obj["kind"]))
    if known is not None:
        obj.setdefault("apiVersion", known.api_version)
    created = world.ago(data.get("age", "52d"))
    obj["metadata"].setdefault("creationTimestamp", rfc3339(created))
    if "spec" in obj and str(obj["kind"]) not in {"Namespace", "Node", "ServiceAccount"}:
        obj["metadata"].setdefault("generation", 1)
    return world.add(
        {"apiVersion": obj.pop("apiVersion"), "kind": obj.pop("kind"), **obj},
        Writer(str(data.get("by", "argocd-controller")), created),
    )


def ensure_references(world: World) -> None:
    """Every Secret, ConfigMap and ServiceAccount that a workload names exists, with the keys that
    it asks for."""
    wanted: dict[tuple[str, str, str], set[str]] = {}
    for pod in world.of("Pod"):
        ns, spec = pod["metadata"]["namespace"], pod["spec"]
        wanted.setdefault(("ServiceAccount", ns, spec.get("serviceAccountName", "default")), set())
        for container in spec["containers"]:
            for env in container.get("env") or []:
                source = env.get("valueFrom") or {}
                for field, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
                    if field in source:
                        wanted.setdefault((kind, ns, source[field]["name"]), set()).add(
                            source[field]["key"]
                        )
        for volume in spec.get("volumes") or []:
            if "secret" in volume:
                wanted.setdefault(("Secret", ns, volume["secret"]["secretName"]), set())
            if "configMap" in volume:
                wanted.setdefault(("ConfigMap", ns, volume["configMap"]["name"]), set())
    for ingress in world.of("Ingress"):
        for tls in ingress["spec"].get("tls") or []:
            key = ("Secret", ingress["metadata"]["namespace"], tls["secretName"])
            if key not in world.objects:
                add_secret(
                    world,
                    {
                        "namespace": key[1],
                        "name": key[2],
                        "keys": ["tls.crt", "tls.key"],
                        "type": "kubernetes.io/tls",
                        "by": "cert-manager-certificates-issuing",
                        "age": "21d",
                    },
                )
    for key, names in wanted.items():
        if key in world.objects:
            continue
        data = {"namespace": key[1], "name": key[2]}
        if key[0] == "ServiceAccount":
            add_account(world, data)
        elif key[0] == "Secret":
            if key[1] in world.secret_defaults.get("namespaces", [key[1]]):
                data = {
                    **{k: v for k, v in world.secret_defaults.items() if k != "namespaces"},
                    **data,
                }
            add_secret(world, {**data, "keys": sorted(names) or ["credentials"]})
        else:
            add_config_map(world, {**data, "keys": sorted(names) or ["config.yaml"]})
