"""Rights for the user `viewer` of a real API server, for as long as a test needs them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_API = "rbac.authorization.k8s.io/v1"


@contextmanager
def all_but(admin: httpx.Client, *resources: str) -> Iterator[None]:
    """Let `viewer` get, list and watch everything except `resources` (plural names), by RBAC."""
    rules = [
        {
            "apiGroups": [group],
            "resources": [name for name in sorted(names) if name not in resources],
            "verbs": ["get", "list", "watch"],
        }
        for group, names in _served(admin).items()
        if names - set(resources)
    ]
    role = {
        "apiVersion": _API,
        "kind": "ClusterRole",
        "metadata": {"generateName": "viewer-"},
        "rules": rules,
    }
    made = (
        admin.post(f"{_RBAC}/clusterroles", json=role).raise_for_status().json()["metadata"]["name"]
    )
    binding: dict[str, Any] = {
        "apiVersion": _API,
        "kind": "ClusterRoleBinding",
        "metadata": {"name": made},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": made},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "viewer"}],
    }
    admin.post(f"{_RBAC}/clusterrolebindings", json=binding).raise_for_status()
    try:
        _await_binding(admin, made)
        yield
    finally:
        admin.delete(f"{_RBAC}/clusterrolebindings/{made}").raise_for_status()
        admin.delete(f"{_RBAC}/clusterroles/{made}").raise_for_status()


def _served(admin: httpx.Client) -> dict[str, set[str]]:
    paths = {"": "/api/v1"}
    for group in admin.get("/apis").raise_for_status().json()["groups"]:
        paths[group["name"]] = f"/apis/{group['preferredVersion']['groupVersion']}"
    return {
        group: {entry["name"] for entry in admin.get(path).raise_for_status().json()["resources"]}
        for group, path in paths.items()
    }


def _await_binding(admin: httpx.Client, name: str) -> None:
    """The authorizer reads bindings from a cache; ask it until it knows the new one."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": "viewer",
            "resourceAttributes": {"verb": "list", "resource": "namespaces"},
        },
    }
    for _ in range(200):
        answer = (
            admin.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", json=review)
            .raise_for_status()
            .json()
        )
        if name in answer["status"].get("reason", ""):
            return
    raise TimeoutError(f"the API server does not honour ClusterRoleBinding {name}")
