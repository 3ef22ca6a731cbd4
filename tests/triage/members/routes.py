"""Ingresses and Gateways."""

from __future__ import annotations

from typing import Any

from tests.triage.build import Cluster, ago, meta, ts
from tests.triage.members.member import member
from tests.triage.members.services import served
from tests.triage.situation import service


def routed(cluster: Cluster, class_: str, classes: tuple[str, ...], **spec: Any) -> None:
    served(cluster)
    for name in classes:
        cluster.add("IngressClass", {"metadata": meta(name), "spec": {"controller": f"x/{name}"}})
    backend = {"service": {"name": "api", "port": {"number": 80}}}
    rules = [{"host": "a.example", "http": {"paths": [{"path": "/", "backend": backend}]}}]
    named = {"ingressClassName": class_} if class_ else {}
    cluster.add("Secret", {"metadata": meta("tls", "shop")})
    cluster.add(
        "Ingress",
        {
            "metadata": meta("front", "shop", created=ago(minutes=30)),
            "spec": {"rules": rules, **named, **spec},
        },
    )


def _backend(name: str, port: int) -> list[dict[str, Any]]:
    backend = {"service": {"name": name, "port": {"number": port}}}
    return [{"host": "a.example", "http": {"paths": [{"path": "/", "backend": backend}]}}]


@member("routes", "host twice", "a.example", "leads to", guide="ingress-backend-missing")
def _(cluster: Cluster) -> None:
    routed(cluster, "nginx", ("nginx",))
    service(cluster, "web", "shop", {"app": "api"})
    cluster.add(
        "Ingress",
        {
            "metadata": meta("late", "shop", created=ago(minutes=9)),
            "spec": {"ingressClassName": "nginx", "rules": _backend("web", 80)},
        },
    )


def gatewayed(
    cluster: Cluster,
    gateway: dict[str, Any] | None = None,
    route: dict[str, Any] | None = None,
    accepted: str = "True",
    parents: tuple[dict[str, Any], ...] = (),
    conditions: tuple[dict[str, Any], ...] = (),
    protocol: str = "HTTP",
) -> None:
    served(cluster)
    said = {"lastTransitionTime": ts(ago(minutes=20))}
    state = {
        "type": "Accepted",
        "status": accepted,
        "reason": "InvalidParameters",
        "message": "no such parameters",
        **said,
    }
    cluster.add(
        "GatewayClass", {"metadata": meta("envoy"), "spec": {}, "status": {"conditions": [state]}}
    )
    cluster.add("Secret", {"metadata": meta("tls", "shop")})
    listeners = [
        {
            "name": "web",
            "port": 443,
            "protocol": "HTTPS",
            "tls": {"certificateRefs": [{"name": "tls"}]},
        }
    ]
    cluster.add(
        "Gateway",
        {
            "metadata": meta("edge", "shop", created=ago(minutes=30)),
            "spec": {"gatewayClassName": "envoy", "listeners": listeners, **(gateway or {})},
            "status": {"conditions": [{**c, **said} for c in conditions]},
        },
    )
    cluster.add(
        f"{protocol}Route",
        {
            "metadata": meta("front", "shop", created=ago(minutes=30)),
            "spec": {
                "parentRefs": [{"name": "edge"}],
                "hostnames": ["a.example"],
                "rules": [{"backendRefs": [{"name": "api", "port": 80}]}],
                **(route or {}),
            },
            "status": {
                "parents": [
                    {"parentRef": {"name": "edge"}, "conditions": [{**c, **said} for c in parents]}
                ]
            },
        },
    )
