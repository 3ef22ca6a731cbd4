"""networking.k8s.io/v1 and discovery.k8s.io/v1: Ingresses, NetworkPolicies, EndpointSlices."""

from __future__ import annotations

import msgspec

from cluster.kube.objects.core import LoadBalanced
from cluster.kube.objects.meta import LabelSelector, ManagedObject, Object, ObjectReference, Wire


class EndpointConditions(Wire, frozen=True):
    ready: bool | None = None


class Endpoint(Wire, frozen=True):
    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions = EndpointConditions()
    node_name: str = ""
    zone: str = ""
    target_ref: ObjectReference | None = None


class EndpointPort(Wire, frozen=True):
    name: str | None = None
    port: int | None = None
    protocol: str = "TCP"


class EndpointSlice(Object, frozen=True):
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class BackendPort(Wire, frozen=True):
    number: int = 0
    name: str = ""


class IngressServiceBackend(Wire, frozen=True):
    name: str = ""
    port: BackendPort | None = None


class IngressBackend(Wire, frozen=True):
    service: IngressServiceBackend | None = None


class IngressPath(Wire, frozen=True):
    path: str = ""
    backend: IngressBackend = IngressBackend()


class IngressHTTP(Wire, frozen=True):
    paths: tuple[IngressPath, ...] = ()


class IngressRule(Wire, frozen=True):
    host: str = ""
    http: IngressHTTP | None = None


class IngressTLS(Wire, frozen=True):
    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class IngressSpec(Wire, frozen=True):
    ingress_class_name: str = ""
    default_backend: IngressBackend | None = None
    rules: tuple[IngressRule, ...] = ()
    tls: tuple[IngressTLS, ...] = ()


class Ingress(ManagedObject, frozen=True):
    spec: IngressSpec = IngressSpec()
    status: LoadBalanced = LoadBalanced()


class IngressClassSpec(Wire, frozen=True):
    controller: str = ""


class IngressClass(ManagedObject, frozen=True):
    spec: IngressClassSpec = IngressClassSpec()


class IPBlock(Wire, frozen=True):
    cidr: str = ""
    except_: tuple[str, ...] = msgspec.field(default=(), name="except")


class NetworkPolicyPeer(Wire, frozen=True):
    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IPBlock | None = None


class NetworkPolicyPort(Wire, frozen=True):
    protocol: str = "TCP"
    port: int | str | None = None
    end_port: int | None = None


class NetworkPolicyIngressRule(Wire, frozen=True):
    from_: tuple[NetworkPolicyPeer, ...] = msgspec.field(default=(), name="from")
    ports: tuple[NetworkPolicyPort, ...] = ()


class NetworkPolicyEgressRule(Wire, frozen=True):
    to: tuple[NetworkPolicyPeer, ...] = ()
    ports: tuple[NetworkPolicyPort, ...] = ()


class NetworkPolicySpec(Wire, frozen=True):
    pod_selector: LabelSelector = LabelSelector()
    ingress: tuple[NetworkPolicyIngressRule, ...] = ()
    egress: tuple[NetworkPolicyEgressRule, ...] = ()
    policy_types: tuple[str, ...] = ()


class NetworkPolicy(ManagedObject, frozen=True):
    spec: NetworkPolicySpec = NetworkPolicySpec()
