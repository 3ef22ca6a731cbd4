"""The workloads that name a Service."""

from __future__ import annotations

from cluster.kube.objects import Ref
from triage.facts.addresses import resolve
from triage.facts.cluster_view import ClusterView, ref_of
from triage.logs.address import Address


def callers_of(service: Ref, view: ClusterView) -> list[str]:
    """The workloads with replicas whose variables name a Service."""
    found = set()
    for kind in ("Deployment", "StatefulSet"):
        for row in view.store.rows(kind).values():
            if row.spec.replicas == 0:
                continue
            texts = (
                text
                for container in row.spec.template.spec.containers
                for variable in container.env
                for text in variable.value.split()
            )
            hosts = {text.partition(":")[0] for text in texts}
            if any(
                resolve(Address(host, 0), row.metadata.namespace, view).service == service
                for host in hosts
                if not host.isdecimal()
            ):
                found.add(str(ref_of(row)))
    return sorted(found)
