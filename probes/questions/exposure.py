"""What is reachable from outside, and the pods behind it: load balancers, node ports, Ingresses,
host ports, dashboards.

From configuration only; firewalls outside of the cluster are not seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cluster.kube.objects import Ingress, Pod, Ref, Service
from cluster.live.store import Store
from probes.context import ProbeContext, Progress
from probes.read_only import Findings, read_only_probe
from probes.result import Component, Conclusion, Row

_ADMIN = re.compile(
    r"dashboard|kibana|grafana|prometheus|alertmanager|argocd|argo-server|jenkins|phpmyadmin"
    r"|adminer|rancher|weave-?scope|cockpit|portainer"
    r"|kubeflow|jupyter|airflow|consul-ui|vault-ui|weaveworks/scope|octant|headlamp"
)


async def look(context: ProbeContext, arguments: Mapping[str, str], progress: Progress) -> Findings:
    wanted = arguments.get("namespace", "")
    rows: list[Row] = []
    conclusions: list[Conclusion] = []

    def add(
        ref: Ref, seen: str, open_to_all: bool, services: tuple[str, ...], *, behind_login: bool
    ) -> None:
        pods = [p for name in services for p in behind(context.store, ref.namespace, name)]
        images = " ".join(c.image for p in pods for c in p.spec.containers)
        found = _ADMIN.search(f"{ref.name} {seen} {images}".lower())
        strong = any(
            p.spec.host_pid
            or any(c.security_context and c.security_context.privileged for c in p.spec.containers)
            for p in pods
        )
        bad = open_to_all and (found is not None or strong)
        what = [f"looks like {found.group()}"] if found else []
        what += ["its pods reach into the node (privileged or host processes)"] if strong else []
        rows.append(
            Row(
                ref, "; ".join([seen, *what]), False if bad else None, "no administrative interface"
            )
        )
        if bad:
            conclusions.append(
                Conclusion(
                    f"{ref} is open to the outside and {' and '.join(what)}: {seen}",
                    Component(ref.kind.lower(), f"{ref.namespace}/{ref.name}"),
                    0.9 if strong else 0.5 if behind_login else 0.75,
                    "close it (ClusterIP and a port-forward, or source ranges), then look for "
                    "what came in: new workloads, CPU, RBAC",
                )
            )

    store = context.store
    for service in store.all("Service", Service):
        meta, spec = service.metadata, service.spec
        if wanted and meta.namespace != wanted:
            continue
        ref = Ref("Service", meta.namespace, meta.name)
        ports = ", ".join(
            f"{p.port}" + (f" (node port {p.node_port})" if p.node_port else "") for p in spec.ports
        )
        if spec.type == "LoadBalancer":
            where = (
                ", ".join(i.ip or i.hostname for i in service.status.load_balancer.ingress)
                or "address pending"
            )
            limited = (
                ", only from " + ", ".join(spec.load_balancer_source_ranges)
                if spec.load_balancer_source_ranges
                else ""
            )
            add(
                ref,
                f"load balancer {where}, ports {ports}{limited}",
                not limited,
                (meta.name,),
                behind_login=False,
            )
        elif spec.type == "NodePort":
            add(
                ref,
                f"node port on every node, ports {ports}",
                True,
                (meta.name,),
                behind_login=False,
            )
    for ingress in store.all("Ingress", Ingress):
        meta = ingress.metadata
        if wanted and meta.namespace != wanted:
            continue
        secured = {host for each in ingress.spec.tls for host in each.hosts}
        for rule in ingress.spec.rules:
            backends = sorted(
                {p.backend.service.name for p in rule.http.paths if p.backend.service}
                if rule.http
                else ()
            )
            tls = "TLS" if rule.host in secured else "without TLS"
            seen = f"{rule.host or 'any host'} {tls} to {', '.join(backends) or 'nothing'}"
            # Behind an Ingress with TLS a login is usual; whether there is one cannot be seen from
            # here.
            add(
                Ref("Ingress", meta.namespace, meta.name),
                seen,
                True,
                tuple(backends),
                behind_login=rule.host in secured,
            )
    for pod in store.all("Pod", Pod):
        namespace, name = pod.metadata.namespace, pod.metadata.name
        host_ports = sorted(
            {p.host_port for c in pod.spec.containers for p in c.ports if p.host_port}
        )
        if host_ports and not pod.spec.host_network and (not wanted or namespace == wanted):
            seen = f"host ports {', '.join(map(str, host_ports))} on {pod.spec.node_name}"
            add(Ref("Pod", namespace, name), seen, True, (), behind_login=False)
    return Findings(sorted(rows, key=lambda r: r.subject), conclusions)


def behind(store: Store, namespace: str, name: str) -> list[Pod]:
    """The pods that a Service selects."""
    service: Service | None = store.get("Service", namespace, name)
    if service is None or not service.spec.selector:
        return []
    wanted = service.spec.selector.items()
    pods = store.in_namespace("Pod", namespace).values()
    return [
        p
        for p in pods
        if isinstance(p, Pod) and all(p.metadata.labels.get(key) == value for key, value in wanted)
    ]


PROBE = read_only_probe(
    "exposure",
    "What is open to the world, and is an administrative interface among it?",
    {"namespace": "only this namespace"},
    look,
    kinds=("Service", "Ingress", "Pod"),
    method="configuration from the live state: firewalls outside of the cluster are not seen",
)
