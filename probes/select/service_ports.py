"""The endpoints of a Service, and the port that a pod serves for it."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.api.mode import MANAGED_BY
from cluster.kube.objects import EndpointSlice, Pod, Service, ServicePort
from cluster.live.store import Store
from probes.select.labels import OWN
from probes.select.names import Unusable


def service_port(service: Service, port: int) -> ServicePort:
    meta = service.metadata
    tcp = [p for p in service.spec.ports if (p.protocol or "TCP") == "TCP"]
    if not tcp:
        raise Unusable(
            f"Service {meta.namespace}/{meta.name} has no TCP port; only TCP is measured."
        )
    for each in tcp:
        if port in (each.port, each.target_port):
            return each
    if port:
        listed = ", ".join(str(p.port) for p in tcp)
        raise Unusable(f"Service {meta.namespace}/{meta.name} has no port {port}; it has {listed}.")
    return tcp[0]


def endpoints(store: Store, service: Service) -> Iterable[tuple[Pod | None, bool, dict[str, int]]]:
    """(pod, ready, port numbers by name) of each endpoint, from the EndpointSlices."""
    meta = service.metadata
    rows = store.in_namespace("EndpointSlice", meta.namespace)
    for _, row in sorted(rows.items()):
        if (
            not isinstance(row, EndpointSlice)
            or row.metadata.labels.get("kubernetes.io/service-name") != meta.name
        ):
            continue
        numbers = {(p.name or ""): p.port for p in row.ports if p.port}
        for endpoint in row.endpoints:
            reference = endpoint.target_ref
            pod: Pod | None = (
                store.get("Pod", reference.namespace or meta.namespace, reference.name)
                if reference
                else None
            )
            if pod is not None and pod.metadata.labels.get(MANAGED_BY) == OWN:
                continue
            yield pod, endpoint.conditions.ready is not False, numbers


def target_port(pod: Pod, port: ServicePort) -> int:
    """The number behind a Service's targetPort on one pod; 0 when it is a name that the pod does
    not have."""
    if isinstance(port.target_port, int):
        return port.target_port or port.port
    return next(
        (
            p.container_port
            for c in pod.spec.containers
            for p in c.ports
            if (p.name, p.protocol or "TCP") == (port.target_port, port.protocol or "TCP")
        ),
        0,
    )
