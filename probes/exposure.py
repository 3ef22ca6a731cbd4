"""What of the cluster is open to the outside, and what stands behind it: balancers, node ports, Ingresses, host ports, dashboards.

Configuration only: whether a firewall in front closes it again is not seen from here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cluster.objects import Ingress, Pod, Ref, Service
from probes.context import ProbeContext, Progress
from probes.reading import answer, reading_plan
from probes.result import Component, Conclusion, ProbePlan, ProbeResult, Row

NAME = "exposure"
QUESTION = "What is open to the world, and is an administrative interface among it?"
PARAMETERS = {"namespace": "only this namespace"}
_ADMIN = re.compile(
    r"dashboard|kibana|grafana|prometheus|alertmanager|argocd|argo-server|jenkins|phpmyadmin|adminer|rancher|weave-?scope|cockpit|portainer"
    r"|kubeflow|jupyter|airflow|consul-ui|vault-ui|etcd"
)


async def plan(context: ProbeContext, arguments: Mapping[str, str]) -> ProbePlan:
    method = "configuration from the live state: firewalls outside of the cluster are not seen"
    return reading_plan(NAME, arguments, QUESTION, method=method)


async def run(plan: ProbePlan, context: ProbeContext, progress: Progress | None = None) -> ProbeResult:
    started = context.clock()
    wanted = plan.arguments.get("namespace", "")
    rows: list[Row] = []
    conclusions: list[Conclusion] = []

    def add(ref: Ref, seen: str, open_to_all: bool) -> None:
        admin = _ADMIN.search(f"{ref.name} {seen}".lower()) is not None
        rows.append(Row(ref, seen, False if admin and open_to_all else None, "no administrative interface"))
        if admin and open_to_all:
            conclusions.append(
                Conclusion(
                    f"{ref}: what looks like an administrative interface is open to the outside ({seen})",
                    Component(ref.kind.lower(), f"{ref.namespace}/{ref.name}"), 0.75,
                    "close it (ClusterIP and a port-forward, or source ranges), then look for what came in: new workloads, CPU, RBAC",
                )
            )  # fmt: skip

    store = context.store
    for service in store.all("Service", Service):
        meta, spec = service.metadata, service.spec
        if wanted and meta.namespace != wanted:
            continue
        ref = Ref("Service", meta.namespace, meta.name)
        ports = ", ".join(f"{p.port}" + (f" (node port {p.node_port})" if p.node_port else "") for p in spec.ports)
        if spec.type == "LoadBalancer":
            where = ", ".join(i.ip or i.hostname for i in service.status.load_balancer.ingress) or "address pending"
            limited = ", only from " + ", ".join(spec.load_balancer_source_ranges) if spec.load_balancer_source_ranges else ""
            add(ref, f"load balancer {where}, ports {ports}{limited}", not limited)
        elif spec.type == "NodePort":
            add(ref, f"node port on every node, ports {ports}", True)
    for ingress in store.all("Ingress", Ingress):
        meta = ingress.metadata
        if wanted and meta.namespace != wanted:
            continue
        secured = {host for each in ingress.spec.tls for host in each.hosts}
        for rule in ingress.spec.rules:
            backends = sorted({p.backend.service.name for p in rule.http.paths if p.backend.service} if rule.http else ())
            tls = "TLS" if rule.host in secured else "without TLS"
            add(Ref("Ingress", meta.namespace, meta.name), f"{rule.host or 'any host'} {tls} to {', '.join(backends) or 'nothing'}", True)
    for pod in store.all("Pod", Pod):
        namespace, name = pod.metadata.namespace, pod.metadata.name
        host_ports = sorted({p.host_port for c in pod.spec.containers for p in c.ports if p.host_port})
        if host_ports and not pod.spec.host_network and (not wanted or namespace == wanted):
            add(Ref("Pod", namespace, name), f"host ports {', '.join(map(str, host_ports))} on {pod.spec.node_name}", True)
    return answer(plan, context, started, sorted(rows, key=lambda r: r.subject), conclusions, kinds=("Service", "Ingress", "Pod"))
