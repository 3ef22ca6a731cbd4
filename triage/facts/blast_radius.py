"""Blast radius: what depends on the failing objects, and its state."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.kube.objects import Pod, PodDisruptionBudget, Ref, Service
from cluster.kube.pods import is_finished, is_ready
from cluster.kube.selectors import matches
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Dependant

_LIMIT = 20


def ready_endpoints(namespace: str, service: str, view: ClusterView) -> list[tuple[str, str]]:
    """Ready endpoints of a Service as (node, address). `ready` unset means ready (EndpointSlice
    API)."""
    found: list[tuple[str, str]] = []
    for row in view.slices_of(namespace, service):
        for endpoint in row.endpoints:
            if endpoint.conditions.ready is not False:
                found.extend((endpoint.node_name, address) for address in endpoint.addresses[:1])
    return sorted(set(found))


def hosts_of(namespace: str, service: str, view: ClusterView) -> tuple[str, ...]:
    """Ingress hosts that lead to a Service ("*" for a rule without host)."""
    hosts: set[str] = set()
    for ingress in view.store.in_namespace("Ingress", namespace).values():
        for rule in ingress.spec.rules:
            if rule.http and any(
                p.backend.service and p.backend.service.name == service for p in rule.http.paths
            ):
                hosts.add(rule.host or "*")
        default = ingress.spec.default_backend
        if default is not None and default.service is not None and default.service.name == service:
            hosts.add("*")
    return tuple(sorted(hosts))


def dependants(objects: tuple[Ref, ...], view: ClusterView) -> tuple[Dependant, ...]:
    """Dependants of these objects: Services without ready endpoints first, then hosts, budgets,
    single replicas and volumes."""
    pods: dict[Ref, Pod] = {}
    nodes: list[str] = []
    services: dict[Ref, Service] = {}
    for ref in objects:
        row = view.store.get(*ref)
        if isinstance(row, Pod):
            pods[ref] = row
        elif ref.kind == "Node":
            nodes.append(ref.name)
        elif isinstance(row, Service):
            services[ref] = row
        elif ref.kind in ("Deployment", "StatefulSet", "DaemonSet"):
            pods.update({ref_of(p): p for p in view.pods_of(ref)})
    for name in nodes:
        pods.update({Ref("Pod", *key): p for key, p in view.store.pods_on(name).items()})
    seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    for pod in pods.values():
        group = (pod.metadata.namespace, tuple(sorted(pod.metadata.labels.items())))
        if group not in seen:
            seen.add(group)
            services.update({ref_of(s): s for s in view.services_of(pod)})
    found: list[tuple[int, Dependant]] = []
    down = set(nodes)
    for ref, _ in sorted(services.items()):
        ends = ready_endpoints(ref.namespace, ref.name, view)
        alive = [e for e in ends if e[0] not in down]
        hosts = hosts_of(ref.namespace, ref.name, view)
        behind = f", Ingress hosts {', '.join(hosts[:3])}" if hosts else ""
        if not ends:
            found.append((0, Dependant(ref, f"no ready endpoint{behind}")))
        elif not alive:
            found.append(
                (
                    1,
                    Dependant(
                        ref,
                        f"all {len(ends)} ready endpoints are on the failing "
                        f"node{'s' if len(down) > 1 else ''}{behind}",
                    ),
                )
            )
        elif not nodes:
            found.append(
                (
                    3,
                    Dependant(
                        ref, f"{len(ends)} ready endpoint{'s' if len(ends) != 1 else ''}{behind}"
                    ),
                )
            )
    found.extend((2, d) for d in _singles(pods.values(), view))
    found.extend((4, d) for d in _budgets(pods.values(), view))
    found.extend((5, d) for d in _volumes(pods.values()))
    found.sort(key=lambda item: (item[0], item[1].object))
    return tuple(d for _, d in found[:_LIMIT])


def _singles(pods: Iterable[Pod], view: ClusterView) -> list[Dependant]:
    found: dict[Ref, Dependant] = {}
    for pod in pods:
        owner = view.owner(pod)
        row = view.store.get(*owner) if owner.kind in ("Deployment", "StatefulSet") else None
        if (
            row is not None
            and row.spec.replicas == 1
            and not is_ready(pod)
            and not is_finished(pod)
        ):
            found[owner] = Dependant(owner, "its only replica is not ready")
    return list(found.values())


def _budgets(pods: Iterable[Pod], view: ClusterView) -> list[Dependant]:
    found: dict[Ref, Dependant] = {}
    for pod in pods:
        for row in view.store.in_namespace("PodDisruptionBudget", pod.metadata.namespace).values():
            if (
                isinstance(row, PodDisruptionBudget)
                and row.status.disruptions_allowed == 0
                and matches(row.spec.selector, pod.metadata.labels)
            ):
                ref = ref_of(row)
                found[ref] = Dependant(ref, "allows no eviction now")
    return list(found.values())


def _volumes(pods: Iterable[Pod]) -> list[Dependant]:
    found: dict[Ref, Dependant] = {}
    for pod in pods:
        for claim in () if is_ready(pod) else pod.spec.claims:
            ref = Ref("PersistentVolumeClaim", pod.metadata.namespace, claim)
            found[ref] = Dependant(ref, f"used by {pod.metadata.name}")
    return list(found.values())
