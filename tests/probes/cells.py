"""Cells and small clusters for tests."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from cluster.kube.kinds import BY_NAME
from cluster.live.store import Store
from probes.result import Cell, Destination, Expectation, Place, ResultClass, Try


def cell(
    source: tuple[str, str],
    target: tuple[str, str],
    verdict: ResultClass = ResultClass.OK,
    *,
    tries: int = 5,
    sender: str = "",
    expected: Expectation = Expectation.ALLOW,
    service: str = "",
    failed: int | None = None,
    port: int = 8080,
) -> Cell:
    """`source` (namespace, node), `target` (namespace, node) or with `service` (namespace, "")."""
    bad = (0 if verdict is ResultClass.OK else tries) if failed is None else failed
    icmp = "3/3" if verdict is ResultClass.REJECTED else ""
    series = tuple(Try(verdict, 1000, None, icmp, sender) for _ in range(bad)) + tuple(
        Try(ResultClass.OK, 5) for _ in range(tries - bad)
    )
    pod = "" if service else f"{target[0]}-{target[1]}"
    goal = Destination(
        target[0],
        target[1],
        pod,
        f"10.0.{abs(hash(target)) % 250}.1" if pod else "10.96.0.9",
        port,
        service,
    )
    return Cell(
        Place(source[0], source[1], f"probe-{source[0]}-{source[1]}"),
        goal,
        expected,
        "no policy",
        series,
    )


def store(*documents: dict[str, Any]) -> Store:
    """A store with these objects, given as the API's JSON."""
    found = Store()
    for document in documents:
        kind = BY_NAME[document["kind"]]
        found.apply(kind.name, [msgspec.convert(document, kind.type)])
    return found


def meta(name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{namespace}-{name}",
        "resourceVersion": "1",
        **more,
    }


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"kind": "Namespace", "metadata": meta(name, labels=labels)}


def node(
    name: str,
    *,
    ready: bool = True,
    images: tuple[str, ...] = (),
    unschedulable: bool = False,
    created: str = "2026-01-01T00:00:00Z",
    taints: tuple[dict[str, str], ...] = (),
) -> dict[str, Any]:
    number = name.rpartition("-")[2]
    return {
        "kind": "Node",
        "metadata": meta(name, creationTimestamp=created, labels={"kubernetes.io/hostname": name}),
        "spec": {
            "podCIDR": f"10.244.{number}.0/24",
            "unschedulable": unschedulable,
            "taints": list(taints),
        },
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "addresses": [{"type": "InternalIP", "address": f"192.168.0.{number}"}],
            "images": [{"names": [image]} for image in images],
            "nodeInfo": {"architecture": "amd64"},
        },
    }


def pod(
    name: str,
    namespace_: str,
    node_: str,
    *,
    labels: dict[str, str] | None = None,
    ip: str = "",
    port: int = 8080,
    image: str = "app:1",
    image_id: str = "",
    host_network: bool = False,
    owner: tuple[str, str] | None = None,
    phase: str = "Running",
) -> dict[str, Any]:
    owners = (
        [
            {
                "kind": owner[0],
                "name": owner[1],
                "uid": f"uid-{namespace_}-{owner[1]}",
                "controller": True,
            }
        ]
        if owner
        else []
    )
    return {
        "kind": "Pod",
        "metadata": meta(name, namespace_, labels=labels or {}, ownerReferences=owners),
        "spec": {
            "nodeName": node_,
            "hostNetwork": host_network,
            "containers": [
                {
                    "name": "main",
                    "image": image,
                    "ports": [{"name": "http", "containerPort": port}] if port else [],
                }
            ],
        },
        "status": {
            "phase": phase,
            "podIP": ip,
            "containerStatuses": [
                {
                    "name": "main",
                    "image": image,
                    "imageID": image_id,
                    "state": {"running": {}},
                    "ready": True,
                }
            ],
        },
    }


def service(
    name: str,
    namespace_: str,
    *,
    selector: dict[str, str],
    port: int = 80,
    target: int | str = "http",
    **spec: Any,
) -> dict[str, Any]:
    ports = [{"port": port, "targetPort": target, "protocol": "TCP"}]
    body = {"clusterIP": "10.96.0.9", "selector": selector, "ports": ports, **spec}
    return {"kind": "Service", "metadata": meta(name, namespace_), "spec": body}


def slice_of(
    service_: str, namespace_: str, pods: list[tuple[str, str, str]], *, port: int = 8080
) -> dict[str, Any]:
    """`pods`: (name, address, node)."""
    return {
        "kind": "EndpointSlice",
        "metadata": meta(
            f"{service_}-x", namespace_, labels={"kubernetes.io/service-name": service_}
        ),
        "addressType": "IPv4",
        "ports": [{"name": "", "port": port, "protocol": "TCP"}],
        "endpoints": [
            {
                "addresses": [ip],
                "conditions": {"ready": True},
                "nodeName": where,
                "targetRef": {"kind": "Pod", "namespace": namespace_, "name": name},
            }
            for name, ip, where in pods
        ],
    }


def policy(name: str, namespace_: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "NetworkPolicy", "metadata": meta(name, namespace_), "spec": spec}


_FOUR_TO_SIX = (
    (r"10\.244\.(\d+)\.0/24", r"fd00:244:\1::/64"),
    (r"10\.244\.(\d+)\.(\d+)", r"fd00:244:\1::\2"),
    (r"192\.168\.0\.(\d+)", r"fd00:192:168::\1"),
    (r"10\.96\.0\.(\d+)", r"fd00:96::\1"),
)


def story(
    *, drifted: bool = True, more: tuple[dict[str, Any], ...] = (), six: bool = False
) -> Store:
    """Three nodes, clients in nginx and shop, servers in marketplace on each node; the network
    agent differs on node-3.

    `six`: with IPv6 addresses.
    """
    documents: list[dict[str, Any]] = [
        namespace("nginx"),
        namespace("marketplace"),
        namespace("shop"),
        namespace("kube-system"),
    ]
    backends = []
    for number in (1, 2, 3):
        name = f"node-{number}"
        documents.append(
            node(
                name,
                images=("docker.io/library/busybox:1.36",),
                created=f"2026-0{number}-01T00:00:00Z",
            )
        )
        documents.append(
            pod(
                f"nginx-{number}",
                "nginx",
                name,
                labels={"app": "nginx"},
                ip=f"10.244.{number}.10",
                owner=("ReplicaSet", "nginx-1"),
            )
        )
        documents.append(
            pod(f"shop-{number}", "shop", name, labels={"app": "shop"}, ip=f"10.244.{number}.11")
        )
        documents.append(
            pod(
                f"identity-{number}",
                "marketplace",
                name,
                labels={"app": "identity"},
                ip=f"10.244.{number}.12",
            )
        )
        backends.append((f"identity-{number}", f"10.244.{number}.12", name))
        digest = "b" * 64 if drifted and number == 3 else "a" * 64
        documents.append(
            pod(
                f"kube-router-{number}",
                "kube-system",
                name,
                host_network=True,
                image="cloudnativelabs/kube-router",
                port=0,
                image_id=f"docker.io/cloudnativelabs/kube-router@sha256:{digest}",
                owner=("DaemonSet", "kube-router"),
            )
        )
    selector = {"matchLabels": {"k8s-app": "kube-router"}}
    documents.append(
        {
            "kind": "DaemonSet",
            "metadata": meta("kube-router", "kube-system"),
            "spec": {"selector": selector},
        }
    )
    documents.append(service("identity", "marketplace", selector={"app": "identity"}))
    documents.append(slice_of("identity", "marketplace", backends))
    if six:
        text = json.dumps(documents)
        for four, other in _FOUR_TO_SIX:
            text = re.sub(four, other, text)
        documents = json.loads(text)
    return store(*documents, *more)
