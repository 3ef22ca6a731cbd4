"""What the server says about itself: versions, groups, resources (legacy and aggregated) and the
OpenAPI stubs that kubectl asks for before it applies or creates anything."""

from __future__ import annotations

from collections.abc import Iterable

from drills.api.kinds import REVIEWS, Kind, KindTable
from drills.api.objects import Obj

VERSION: Obj = {
    "major": "1",
    "minor": "34",
    "emulationMajor": "1",
    "emulationMinor": "34",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "33",
    "gitVersion": "v1.34.4",
    "gitCommit": "0000000000000000000000000000000000000000",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "go1.24.12",
    "compiler": "gc",
    "platform": "linux/amd64",
}

_SUBRESOURCE_KIND = {
    "eviction": ("policy", "v1", "Eviction", ["create"]),
    "scale": ("autoscaling", "v1", "Scale", ["get", "patch", "update"]),
    "exec": ("", "v1", "PodExecOptions", ["create", "get"]),
    "attach": ("", "v1", "PodAttachOptions", ["create", "get"]),
    "portforward": ("", "v1", "PodPortForwardOptions", ["create", "get"]),
    "log": ("", "v1", "Pod", ["get"]),
    "binding": ("", "v1", "Binding", ["create"]),
}


def _resources(kinds: Iterable[Kind]) -> list[Obj]:
    out: list[Obj] = []
    for kind in kinds:
        row: Obj = {
            "name": kind.plural,
            "singularName": kind.singular_name,
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": list(kind.verbs),
        }
        if kind.short:
            row["shortNames"] = list(kind.short)
        if kind.categories:
            row["categories"] = list(kind.categories)
        out.append(row)
        for sub in kind.subresources:
            group, version, name, verbs = _SUBRESOURCE_KIND.get(
                sub, ("", "", kind.kind, ["get", "patch", "update"])
            )
            if sub == "proxy":
                name, verbs = (
                    kind.kind + "ProxyOptions",
                    ["create", "delete", "get", "patch", "update"],
                )
            row = {
                "name": f"{kind.plural}/{sub}",
                "singularName": "",
                "namespaced": kind.namespaced,
                "kind": name,
                "verbs": verbs,
            }
            if version and (group, version) != (kind.group, kind.version):
                row.update(group=group, version=version)
            out.append(row)
    return out


def resource_list(kinds: KindTable, group: str, version: str) -> Obj | None:
    """APIResourceList of one group version; None when the server has no such version."""
    members = [k for k in kinds if (k.group, k.version) == (group, version)]
    if not members:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": _resources(members),
    }


def api_versions(address: str) -> Obj:
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def group(name: str, versions: list[str]) -> Obj:
    rows = [{"groupVersion": f"{name}/{v}", "version": v} for v in versions]
    return {"name": name, "versions": rows, "preferredVersion": rows[0]}


def group_list(kinds: KindTable) -> Obj:
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [group(n, v) for n, v in kinds.groups().items()],
    }


def aggregated(kinds: KindTable, *, core: bool) -> Obj:
    """APIGroupDiscoveryList (apidiscovery.k8s.io/v2), which clients prefer since 1.27."""
    groups = {"": ["v1"]} if core else kinds.groups()
    items = []
    for name, versions in groups.items():
        items.append(
            {
                "metadata": {"name": name} if name else {},
                "versions": [
                    {
                        "version": v,
                        "freshness": "Current",
                        "resources": [
                            _aggregated_resource(k)
                            for k in kinds
                            if (k.group, k.version) == (name, v)
                        ],
                    }
                    for v in versions
                ],
            }
        )
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _aggregated_resource(kind: Kind) -> Obj:
    out: Obj = {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular_name,
        "verbs": list(kind.verbs),
    }
    if kind.short:
        out["shortNames"] = list(kind.short)
    if kind.categories:
        out["categories"] = list(kind.categories)
    subs = []
    for row in _resources([kind])[1:]:
        subs.append(
            {
                "subresource": row["name"].split("/", 1)[1],
                "verbs": row["verbs"],
                "responseKind": {
                    "group": row.get("group", kind.group),
                    "version": row.get("version", kind.version),
                    "kind": row["kind"],
                },
            }
        )
    if subs:
        out["subresources"] = subs
    return out


def openapi_v3_index(kinds: KindTable) -> Obj:
    """Paths of /openapi/v3; each leads to a document of one group version."""
    versions = {("api/v1" if not k.group else f"apis/{k.group}/{k.version}") for k in kinds}
    return {"paths": {v: {"serverRelativeURL": f"/openapi/v3/{v}"} for v in sorted(versions)}}


def openapi_v3(kinds: KindTable, group_name: str, version: str) -> Obj | None:
    """Enough of OpenAPI v3 for kubectl: each kind, and that writes take `fieldValidation`."""
    members = [
        k
        for k in kinds
        if (k.group, k.version) == (group_name, version) and k.plural not in REVIEWS
    ]
    if not members:
        return None
    paths: Obj = {}
    schemas: Obj = {}
    for kind in members:
        gvk = {"group": kind.group, "version": kind.version, "kind": kind.kind}
        base = (
            f"{kind.prefix}/namespaces/{{namespace}}/{kind.plural}"
            if kind.namespaced
            else f"{kind.prefix}/{kind.plural}"
        )
        parameters = [
            {"name": n, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
            for n in ("dryRun", "fieldManager", "fieldValidation")
        ]
        operation: Obj = {
            "parameters": parameters,
            "x-kubernetes-group-version-kind": gvk,
            "responses": {"200": {"description": "OK"}},
        }
        paths[base] = {"post": {**operation, "x-kubernetes-action": "post"}}
        paths[base + "/{name}"] = {
            "patch": {**operation, "x-kubernetes-action": "patch"},
            "put": {**operation, "x-kubernetes-action": "put"},
        }
        schemas[f"io.k8s.{kind.group or 'core'}.{kind.version}.{kind.kind}"] = {
            "type": "object",
            "x-kubernetes-group-version-kind": [gvk],
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {"type": "object"},
            },
        }
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.34.4"},
        "paths": paths,
        "components": {"schemas": schemas},
    }
