"""The objects of the story on real nodes: clients in namespace nginx, servers in namespace
marketplace, on both nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx

from tests.rungs.programs.images import BUSYBOX
from tests.rungs.programs.processes import wait_until

PORT = 8080
SOURCE, TARGET = "nginx", "marketplace"
_SERVE = (
    f"mkdir -p /tmp/www && echo ok > /tmp/www/index.html && exec httpd -f -p {PORT} -h /tmp/www"
)


def deployment(
    namespace: str, name: str, node: str, command: Sequence[str], *, port: int | None = None
) -> dict[str, Any]:
    """A Deployment of one pod, pinned to `node`, that satisfies the restricted Pod Security
    Standard."""
    labels = {"app": name.rsplit("-", 2)[0], "placed-on": node}
    container = {
        "name": "main",
        "image": BUSYBOX,
        "imagePullPolicy": "Never",
        "command": list(command),
        "ports": [{"name": "http", "containerPort": port}] if port else [],
        "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}, "limits": {"memory": "32Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "nodeSelector": {"kubernetes.io/hostname": node},
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


@contextmanager
def play(
    http: httpx.Client, nodes: Sequence[str], *, limit: float = 120.0
) -> Iterator[list[dict[str, Any]]]:
    """Create both namespaces with a pod on each node and the Service `marketplace/identity`; yields
    the ready pods.

    The namespaces are deleted, and awaited, when the block ends.
    """
    for namespace in (SOURCE, TARGET):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        http.post("/api/v1/namespaces", json=body).raise_for_status()
    try:
        for node in nodes:
            _create(http, deployment(SOURCE, f"nginx-{node}", node, ["sleep", "86400"]))
            _create(
                http, deployment(TARGET, f"identity-{node}", node, ["sh", "-c", _SERVE], port=PORT)
            )
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"namespace": TARGET, "name": "identity"},
            "spec": {
                "selector": {"app": "identity"},
                "ports": [{"port": 80, "targetPort": "http"}],
            },
        }
        http.post(f"/api/v1/namespaces/{TARGET}/services", json=service).raise_for_status()
        found: list[dict[str, Any]] = []

        def ready() -> bool:
            found[:] = [pod for namespace in (SOURCE, TARGET) for pod in _pods(http, namespace)]
            return len(found) == 2 * len(nodes) and all(_is_ready(pod) for pod in found)

        wait_until(ready, "the pods of the story ready", limit=limit)
        yield found
    finally:
        for namespace in (SOURCE, TARGET):
            http.delete(f"/api/v1/namespaces/{namespace}")
        paths = [f"/api/v1/namespaces/{namespace}" for namespace in (SOURCE, TARGET)]
        wait_until(
            lambda: all(http.get(path).status_code == 404 for path in paths),
            "the namespaces of the story gone",
            limit=limit,
        )


def _create(http: httpx.Client, body: dict[str, Any]) -> None:
    http.post(
        f"/apis/apps/v1/namespaces/{body['metadata']['namespace']}/deployments", json=body
    ).raise_for_status()


def _pods(http: httpx.Client, namespace: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (
        http.get(f"/api/v1/namespaces/{namespace}/pods").raise_for_status().json()["items"]
    )
    return items


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = {entry["type"]: entry["status"] for entry in pod["status"].get("conditions", [])}
    return conditions.get("Ready") == "True"
