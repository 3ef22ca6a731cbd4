"""Reads single objects and text pages of other endpoints: cleaned, with a limit in bytes, and no
values of Secrets and ConfigMaps."""

from __future__ import annotations

from typing import Any

from cluster.api.transport import Api
from cluster.errors import Refused, ServerError
from cluster.kube.decode import LAST_APPLIED
from cluster.kube.kinds import NEVER_WHOLE, Kind

TEXT_CAP = 4 << 20
"""Bytes read of a metrics or stats page."""


async def get_object(
    api: Api, kind: Kind, namespace: str, name: str, *, timeout: float = 10.0
) -> dict[str, Any]:
    """One object as plain data, without managedFields and last-applied copies. Raises `ApiError`,
    `Unreachable`, and `Refused` for Secrets and ConfigMaps, of which only metadata is read."""
    shown = f"{kind.name} {namespace}/{name}" if namespace else f"{kind.name} {name}"
    if kind.name in NEVER_WHOLE:
        raise Refused(
            f"{shown} is not fetched: values of Secrets and ConfigMaps are never read, by design."
        )
    path = object_path(kind, namespace, name)
    found = await api.get_json(path, timeout=timeout, what=f"get {shown}")
    if not isinstance(found, dict):
        raise ServerError(
            f"get {shown}: the answer is not an object; something in front of the API server "
            "answers."
        )
    meta = found.get("metadata")
    if isinstance(meta, dict):
        meta.pop("managedFields", None)
        if isinstance(meta.get("annotations"), dict):
            meta["annotations"].pop(LAST_APPLIED, None)
    return found


def object_path(kind: Kind, namespace: str, name: str, subresource: str = "") -> str:
    """Path of one object below the server's root."""
    path = f"{kind.path(namespace)}/{name}"
    return f"{path}/{subresource}" if subresource else path


async def node_text(
    api: Api, node: str, page: str, *, timeout: float = 10.0, cap: int = TEXT_CAP
) -> tuple[str, bool]:
    """(text, whether it was cut) of a page of a node's kubelet (`healthz`, `metrics`,
    `metrics/cadvisor`). Raises `Forbidden` without get on nodes/proxy, `ServerError` when the
    kubelet cannot be reached."""
    return await api.get_text(
        f"/api/v1/nodes/{node}/proxy/{page}",
        timeout=timeout,
        cap=cap,
        what=f"{page} of node {node}",
    )


async def node_stats(api: Api, node: str, *, timeout: float = 10.0) -> dict[str, Any]:
    """The kubelet's stats/summary as plain data, cleaned."""
    return _document(
        await api.get_json(
            f"/api/v1/nodes/{node}/proxy/stats/summary",
            timeout=timeout,
            what=f"stats of node {node}",
        )
    )


async def pod_text(
    api: Api,
    namespace: str,
    pod: str,
    port: int | str,
    page: str,
    *,
    timeout: float = 10.0,
) -> tuple[str, bool]:
    """(text, whether it was cut) of a page of a pod's HTTP port, through the API server."""
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/{page}"
    return await api.get_text(
        path, timeout=timeout, cap=TEXT_CAP, what=f"{page} of pod {namespace}/{pod}"
    )


async def server_text(
    api: Api, path: str, *, timeout: float = 10.0, cap: int = TEXT_CAP
) -> tuple[str, bool]:
    """(text, whether it was cut) of a page of the API server itself, such as `/metrics`."""
    return await api.get_text(path, timeout=timeout, cap=cap, what=f"GET {path}")


def _document(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
