"""Ingresses: classes, backends, ports and TLS Secrets that do not exist, hosts that two of them
claim."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cluster.kube.objects import Ingress, IngressBackend, IngressClass, Ref, Service
from triage.detectors.registry import cluster_detector, object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import field_evidence, make
from triage.facts.finding_index import FindingIndex
from triage.facts.windows import NOTE_AFTER, READY_GRACE


def _backends(row: Ingress) -> Iterator[tuple[str, str, IngressBackend]]:
    """(host, path, backend) of each rule; host "*" for any."""
    for rule in row.spec.rules:
        for path in rule.http.paths if rule.http is not None else ():
            yield rule.host or "*", path.path or "/", path.backend
    if row.spec.default_backend is not None:
        yield "*", "*", row.spec.default_backend


@object_detector("Ingress")
def ingress(row: Ingress, view: ClusterView) -> Iterator[Finding]:
    """Backends, their ports and TLS Secrets that do not exist (only when those kinds are
    readable)."""
    namespace, ref = row.metadata.namespace, ref_of(row)
    created = row.metadata.creation_timestamp
    if not view.older(created, NOTE_AFTER):
        return
    young = view.young(created, READY_GRACE)
    missing: dict[tuple[str, str], set[str]] = {}
    for host, _, backend in _backends(row):
        if backend.service is None or not view.readable("Service"):
            continue
        name = backend.service.name
        service = view.store.get("Service", namespace, name)
        if service is None:
            missing.setdefault((name, ""), set()).add(host)
        elif (port := _absent(backend, service)) != "":
            missing.setdefault((name, port), set()).add(host)
    for (name, port), hosts in sorted(missing.items()):
        what = f"port {port} of Service {name}" if port else f"Service {name}"
        shown = ", ".join(sorted(hosts)[:2])
        yield make(
            "ingress-backend-missing",
            ref,
            f"leads to {what}, which does not exist (host {shown})",
            Severity.WARNING,
            "requests to its hosts fail",
            young=young,
            since=created if young is not None else None,
            evidence=[field_evidence(ref, "spec.rules", f"backend {name} {port}".rstrip())],
            detail=f"{name}:{port}" if port else name,
            facts={"service": name, "port": port, "hosts": tuple(sorted(hosts))},
            related=[Ref("Service", namespace, name)],
        )
    if not view.readable("Secret"):
        return
    for tls in row.spec.tls:
        if tls.secret_name and view.store.get("Secret", namespace, tls.secret_name) is None:
            yield make(
                "ingress-tls-missing",
                ref,
                f"names TLS Secret {tls.secret_name}, which does not exist",
                Severity.WARNING,
                "TLS falls back to a default certificate",
                young=young,
                evidence=[field_evidence(ref, "spec.tls", tls.secret_name)],
                detail=tls.secret_name,
                facts={"secret": tls.secret_name},
                related=[Ref("Secret", namespace, tls.secret_name)],
            )


def _absent(backend: IngressBackend, service: Service) -> str:
    """The port of a backend that its Service does not have, "" when it has it."""
    port = backend.service.port if backend.service is not None else None
    if port is None or not (port.number or port.name) or service.spec.type == "ExternalName":
        return ""
    found = any(
        p.port == port.number if port.number else p.name == port.name for p in service.spec.ports
    )
    return "" if found else str(port.number or port.name)


_CLASS = "kubernetes.io/ingress.class"
_DEFAULT = "ingressclass.kubernetes.io/is-default-class"


@object_detector("Ingress")
def class_missing(row: Ingress, view: ClusterView) -> Iterator[Finding]:
    """A class that does not exist, or none where no class is the default: no controller serves the
    Ingress. One that has an address is served, whatever its class."""
    created = row.metadata.creation_timestamp
    if not view.readable("IngressClass") or not view.older(created, NOTE_AFTER):
        return
    name = row.spec.ingress_class_name
    if row.metadata.annotations.get(_CLASS) or row.status.load_balancer.ingress:
        return
    known = {c.metadata.name: c for c in view.store.all("IngressClass", IngressClass)}
    if name in known or not (name or known):
        return
    if not name and any(c.metadata.annotations.get(_DEFAULT) == "true" for c in known.values()):
        return
    ref, names = ref_of(row), tuple(sorted(known))
    there = f"there is {', '.join(names[:3])}" if names else "there is none"
    what = (
        f"names IngressClass {name}, which does not exist ({there})"
        if name
        else f"names no class, and no IngressClass is the default ({there})"
    )
    yield make(
        "ingress-class-missing",
        ref,
        f"is served by no controller: it {what}",
        Severity.WARNING,
        "requests to its hosts are not answered",
        since=created,
        source=SinceSource.CREATION,
        young=view.young(created, READY_GRACE),
        evidence=[field_evidence(ref, "spec.ingressClassName", name or "not set")],
        facts={"class": name, "known": names},
        related=[Ref("IngressClass", "", name)] if name else [],
    )


_CANARY = "nginx.ingress.kubernetes.io/canary"


@cluster_detector
def hosts_claimed_twice(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """One host and path of one class that Ingresses lead to different Services: which one answers
    depends on the controller."""
    claims: dict[tuple[str, str, str], dict[Ref, Ref]] = {}
    for row in view.store.all("Ingress", Ingress):
        if row.metadata.annotations.get(_CANARY) == "true":
            continue
        for host, path, backend in _backends(row):
            if host != "*" and backend.service is not None:
                target = Ref("Service", row.metadata.namespace, backend.service.name)
                key = (row.spec.ingress_class_name, host, path)
                claims.setdefault(key, {})[ref_of(row)] = target
    reported: set[str] = set()
    for (_, host, path), by in sorted(claims.items()):
        if len(set(by.values())) < 2 or host in reported:
            continue
        reported.add(host)
        rows = sorted(by)
        newest = max(rows, key=lambda r: (_created(r, view) or view.now, r))
        others = [r for r in rows if r != newest]
        yield make(
            "ingress-host-twice",
            newest,
            f"claims {host}{path}, which {others[0]} leads to {by[others[0]]}",
            Severity.WARNING,
            "which of two Ingresses answers is not defined",
            since=_created(newest, view),
            source=SinceSource.CREATION,
            detail=host,
            evidence=[
                field_evidence(r, "spec.rules", f"{host}{path} -> {by[r]}") for r in rows[:4]
            ],
            related=others[:10],
            facts={"host": host, "path": path},
        )


def _created(ref: Ref, view: ClusterView) -> datetime | None:
    row = view.store.get(*ref)
    return row.metadata.creation_timestamp if row is not None else None
