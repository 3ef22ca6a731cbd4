"""gateway.networking.k8s.io/v1: GatewayClasses, Gateways and routes, where their CRDs are
installed."""

from __future__ import annotations

from cluster.kube.objects.meta import Condition, ManagedObject, Wire


class GatewayClassStatus(Wire, frozen=True):
    conditions: tuple[Condition, ...] = ()


class GatewayClass(ManagedObject, frozen=True):
    status: GatewayClassStatus = GatewayClassStatus()


class GatewayReference(Wire, frozen=True):
    """What a route or listener names. Without a namespace it is in that of the object itself."""

    group: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    section_name: str = ""
    port: int = 0


class ListenerTLS(Wire, frozen=True):
    certificate_refs: tuple[GatewayReference, ...] = ()


class Listener(Wire, frozen=True):
    name: str = ""
    hostname: str = ""
    port: int = 0
    protocol: str = ""
    tls: ListenerTLS | None = None


class GatewaySpec(Wire, frozen=True):
    gateway_class_name: str = ""
    listeners: tuple[Listener, ...] = ()


class ListenerStatus(Wire, frozen=True):
    name: str = ""
    conditions: tuple[Condition, ...] = ()


class GatewayStatus(Wire, frozen=True):
    conditions: tuple[Condition, ...] = ()
    listeners: tuple[ListenerStatus, ...] = ()


class Gateway(ManagedObject, frozen=True):
    spec: GatewaySpec = GatewaySpec()
    status: GatewayStatus = GatewayStatus()


class RouteRule(Wire, frozen=True):
    backend_refs: tuple[GatewayReference, ...] = ()


class RouteSpec(Wire, frozen=True):
    parent_refs: tuple[GatewayReference, ...] = ()
    hostnames: tuple[str, ...] = ()
    rules: tuple[RouteRule, ...] = ()


class RouteParentStatus(Wire, frozen=True):
    parent_ref: GatewayReference = GatewayReference()
    conditions: tuple[Condition, ...] = ()


class RouteStatus(Wire, frozen=True):
    parents: tuple[RouteParentStatus, ...] = ()


class Route(ManagedObject, frozen=True):
    """What the routes of all protocols have."""

    spec: RouteSpec = RouteSpec()
    status: RouteStatus = RouteStatus()


class HTTPRoute(Route, frozen=True):
    pass


class GRPCRoute(Route, frozen=True):
    pass


class TLSRoute(Route, frozen=True):
    pass
