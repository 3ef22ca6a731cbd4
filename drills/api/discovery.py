"""What the server says about its resources: versions, groups, resources (legacy and aggregated) and
the OpenAPI stubs that kubectl asks for before it applies or creates anything."""

from __future__ import annotations

from drills.api.kinds import REVIEWS, ApiResource, KindTable
from drills.api.objects import Obj

GIT_VERSION = "v1.34.4"
VERSION: Obj = {
    "major": "1",
    "minor": "34",
    "emulationMajor": "1",
    "emulationMinor": "34",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "33",
    "gitVersion": GIT_VERSION,
    "gitCommit": "0" * 40,
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "go1.24.12",
    "compiler": "gc",
    "platform": "linux/amd64",
}

_SUBRESOURCES = {
    "eviction": ("policy", "v1", "Eviction", "create"),
    "scale": ("autoscaling", "v1", "Scale", "get patch update"),
    "exec": ("", "v1", "PodExecOptions", "create get"),
    "attach": ("", "v1", "PodAttachOptions", "create get"),
    "portforward": ("", "v1", "PodPortForwardOptions", "create get"),
    "log": ("", "v1", "Pod", "get"),
    "binding": ("", "v1", "Binding", "create"),
}
"""Group, version, kind and verbs of subresources that have a kind of their own."""


def _subresource(kind: ApiResource, sub: str) -> tuple[str, str, str, list[str]]:
    group, version, name, verbs = _SUBRESOURCES.get(sub, ("", "", kind.kind, "get patch update"))
    if sub == "proxy":
        name, verbs = f"{kind.kind}ProxyOptions", "create delete get patch update"
    return group, version, name, verbs.split()


def _names(kind: ApiResource) -> Obj:
    out: Obj = {}
    if kind.short:
        out["shortNames"] = list(kind.short)
    if kind.categories:
        out["categories"] = list(kind.categories)
    return out


def _resources(kind: ApiResource) -> list[Obj]:
    rows: list[Obj] = [
        {
            "name": kind.plural,
            "singularName": kind.singular_name,
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": list(kind.verbs),
            **_names(kind),
        }
    ]
    for sub in kind.subresources:
        group, version, name, verbs = _subresource(kind, sub)
        foreign = version and (group, version) != (kind.group, kind.version)
        rows.append(
            {
                "name": f"{kind.plural}/{sub}",
                "singularName": "",
                "namespaced": kind.namespaced,
                "kind": name,
                "verbs": verbs,
                **({"group": group, "version": version} if foreign else {}),
            }
        )
    return rows


def _members(kinds: KindTable, group: str, version: str) -> list[ApiResource]:
    return [k for k in kinds.served() if (k.group, k.version) == (group, version)]


def resource_list(kinds: KindTable, group: str, version: str) -> Obj | None:
    """APIResourceList of one group version; None when the server has no such version."""
    members = _members(kinds, group, version)
    if not members:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": [row for kind in members for row in _resources(kind)],
    }


def api_versions(address: str) -> Obj:
    clients = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": clients}


def group(name: str, versions: list[str]) -> Obj:
    rows = [{"groupVersion": f"{name}/{v}", "version": v} for v in versions]
    return {"name": name, "versions": rows, "preferredVersion": rows[0]}


def group_list(kinds: KindTable) -> Obj:
    rows = [group(name, versions) for name, versions in kinds.groups().items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": rows}


def aggregated(kinds: KindTable, *, core: bool) -> Obj:
    """APIGroupDiscoveryList (apidiscovery.k8s.io/v2), which clients prefer since 1.27."""

    def version(name: str, v: str) -> Obj:
        members = [_aggregated_resource(k) for k in _members(kinds, name, v)]
        return {"version": v, "freshness": "Current", "resources": members}

    groups = {"": ["v1"]} if core else kinds.groups()
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [
            {
                "metadata": {"name": name} if name else {},
                "versions": [version(name, v) for v in versions],
            }
            for name, versions in groups.items()
        ],
    }


def _aggregated_resource(kind: ApiResource) -> Obj:
    def gvk(group: str, version: str, name: str) -> Obj:
        return {"group": group, "version": version, "kind": name}

    subs = []
    for sub in kind.subresources:
        group, version, name, verbs = _subresource(kind, sub)
        answer = gvk(group, version, name) if version else gvk(kind.group, kind.version, name)
        subs.append({"subresource": sub, "verbs": verbs, "responseKind": answer})
    return {
        "resource": kind.plural,
        "responseKind": gvk(kind.group, kind.version, kind.kind),
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular_name,
        "verbs": list(kind.verbs),
        **_names(kind),
        **({"subresources": subs} if subs else {}),
    }


def openapi_v3_index(kinds: KindTable) -> Obj:
    """Paths of /openapi/v3; each leads to a document of one group version."""
    versions = sorted({k.prefix.strip("/") for k in kinds.served()})
    return {"paths": {v: {"serverRelativeURL": f"/openapi/v3/{v}"} for v in versions}}


def openapi_v3(kinds: KindTable, group_name: str, version: str) -> Obj | None:
    """Enough of OpenAPI v3 for kubectl: each kind, and that writes take `fieldValidation`."""
    members = [k for k in _members(kinds, group_name, version) if k.plural not in REVIEWS]
    if not members:
        return None
    parameters = [
        {"name": n, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        for n in ("dryRun", "fieldManager", "fieldValidation")
    ]
    paths: Obj = {}
    schemas: Obj = {}
    for kind in members:
        gvk = {"group": kind.group, "version": kind.version, "kind": kind.kind}
        within = "/namespaces/{namespace}" if kind.namespaced else ""
        base = f"{kind.prefix}{within}/{kind.plural}"
        for path, method, action in (
            (base, "post", "post"),
            (base + "/{name}", "patch", "patch"),
            (base + "/{name}", "put", "put"),
        ):
            paths.setdefault(path, {})[method] = {
                "parameters": parameters,
                "x-kubernetes-group-version-kind": gvk,
                "responses": {"200": {"description": "OK"}},
                "x-kubernetes-action": action,
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
        "info": {"title": "Kubernetes", "version": GIT_VERSION},
        "paths": paths,
        "components": {"schemas": schemas},
    }
