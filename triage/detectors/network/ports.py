"""Ports and names that do not fit: target ports of Services against the containers behind them,
and names that Services and Ingresses lead to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cluster.kube.managed_fields import last_write
from cluster.kube.objects import ContainerPort, Ref, Service, ServicePort
from cluster.kube.pods import is_ready
from triage.detectors.registry import object_detector
from triage.facts import roles
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import field_evidence, make
from triage.facts.windows import NOTE_AFTER, READY_GRACE

_ASIDE = re.compile(
    r"(?:^|-)(?:metrics?|prom\w*|health\w*|probes?|live|ready|admin|debug|pprof|stats?|monitor\w*"
    r"|jmx)(?:-|$)"
)
"""Names of ports that are declared beside the one that serves, often alone: a mesh gateway declares
its metrics and no port of its listeners."""


@object_detector("Service")
def target_ports(row: Service, view: ClusterView) -> Iterator[Finding]:
    """A target port that no container behind the Service has: a name that none declares, another
    protocol, or numbers of which none is declared.

    Containers need not declare their ports, so a number counts only where the pods declare others
    to serve on (a port for metrics or checks is none) and the Service reaches none of them. A name
    that ready pods do not declare gets no endpoint, however young the Service is.
    """
    pods = view.selected(row)[:5]
    if not pods or not view.older(row.metadata.creation_timestamp, NOTE_AFTER):
        return
    declared = [p for pod in pods for c in pod.spec.containers for p in c.ports]
    wrong = [(port, why) for port in row.spec.ports if (why := _misses(port, declared))]
    reached = len(row.spec.ports) - len(wrong)
    named = [(port, why) for port, why in wrong if isinstance(port.target_port, str)]
    sure = named or [(p, why) for p, why in wrong if "/" in why]
    serves = any(not _ASIDE.search(p.name) for p in declared)
    if not sure and (reached or not serves or roles.system_namespace(row.metadata.namespace)):
        return
    if not wrong:
        return
    port, why = (sure or wrong)[0]
    write = last_write(row.metadata, "f:spec", "f:ports") or last_write(row.metadata, "f:spec")
    since = (write.time if write else None) or row.metadata.creation_timestamp
    certain = bool(named) and any(is_ready(pod) for pod in pods)
    ref = ref_of(row)
    has = ", ".join(sorted({_spoken(p) for p in declared})) or "none"
    yield make(
        "service-port-mismatch",
        ref,
        f"its port {port.port} leads to {why} (they declare {has})",
        Severity.WARNING,
        "a target port that no container behind it has",
        since=since,
        source=SinceSource.MANAGED_FIELDS if write else SinceSource.CREATION,
        young=None if certain else view.young(row.metadata.creation_timestamp, READY_GRACE),
        evidence=[
            field_evidence(
                ref, "spec.ports", f"port {port.port}, targetPort {port.target_port}", since
            )
        ],
        related=[ref_of(pod) for pod in pods],
        facts={
            "port": port.port,
            "target": str(port.target_port or port.port),
            "declared": tuple(sorted({_spoken(p) for p in declared})),
        },
    )


def _spoken(port: ContainerPort) -> str:
    text = f"{port.container_port}/{port.protocol or 'TCP'}"
    return f"{text} ({port.name})" if port.name else text


def _misses(port: ServicePort, declared: list[ContainerPort]) -> str:
    """The target of a port that no container has, "" when one has it."""
    target, protocol = port.target_port or port.port, port.protocol or "TCP"
    if isinstance(target, str) and not target.isdecimal():
        fits = [p for p in declared if p.name == target]
        what = f"port {target}"
    else:
        fits = [p for p in declared if p.container_port == int(target)]
        what = f"port {target}"
    if any((p.protocol or "TCP") == protocol for p in fits):
        return ""
    if fits:
        return f"{what}/{protocol}, which is {fits[0].protocol or 'TCP'} in its pods"
    return f"{what}, which no container of its pods has"


@object_detector("Service")
def external_name(row: Service, view: ClusterView) -> Iterator[Finding]:
    """ExternalName that names a Service of this cluster which does not exist."""
    if row.spec.type != "ExternalName" or not view.readable("Service"):
        return
    labels = row.spec.external_name.lower().rstrip(".").split(".")
    if len(labels) < 3 or labels[2] != "svc":
        return
    target = Ref("Service", labels[1], labels[0])
    if view.store.get(*target) is not None:
        return
    ref = ref_of(row)
    yield make(
        "external-name-missing",
        ref,
        f"is another name for {target}, which does not exist",
        Severity.WARNING,
        "calls of it find no address",
        since=row.metadata.creation_timestamp,
        source=SinceSource.CREATION,
        evidence=[field_evidence(ref, "spec.externalName", row.spec.external_name)],
        related=[target],
        facts={"target": f"{target.namespace}/{target.name}"},
    )
