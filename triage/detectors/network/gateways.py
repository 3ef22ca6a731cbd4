"""Gateways and routes of the Gateway API: classes, listeners, backends and certificates that do
not exist, and what their conditions say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cluster.kube.objects import Condition, Gateway, GatewayReference, Ref, Route, Service
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Evidence, Finding, Severity, SinceSource
from triage.facts.finding_builder import condition_evidence, field_evidence, make
from triage.facts.messages.wording import quoted
from triage.facts.windows import NOTE_AFTER, READY_GRACE


@object_detector("Gateway")
def gateway(row: Gateway, view: ClusterView) -> Iterator[Finding]:
    """A class that does not exist or is not accepted, conditions Accepted or Programmed that are
    False, and certificates that do not exist."""
    ref, created = ref_of(row), row.metadata.creation_timestamp
    if not view.older(created, NOTE_AFTER):
        return
    name, reason, claim = row.spec.gateway_class_name, "", ""
    class_ = view.store.get("GatewayClass", "", name)
    refused = _false(class_.status.conditions, "Accepted") if class_ is not None else None
    said = _false(row.status.conditions, "Accepted", "Programmed")
    if class_ is None and view.readable("GatewayClass"):
        reason, claim = "ClassMissing", f"names GatewayClass {name}, which does not exist"
    elif refused is not None:
        reason = "ClassNotAccepted"
        claim = f"its GatewayClass {name} is not accepted: {_words(refused)}"
    elif said is not None:
        state = "accepted" if said.type == "Accepted" else "programmed"
        reason, claim = said.reason, f"is not {state}: {_words(said)}"
    if reason:
        deciding = refused or said
        yield make(
            "gateway-not-working",
            ref,
            claim,
            Severity.WARNING,
            "requests to its listeners are not answered",
            since=_since(deciding, created),
            source=SinceSource.CONDITION if deciding is not None else SinceSource.CREATION,
            young=view.young(created, READY_GRACE),
            evidence=_evidence(ref, deciding, "spec.gatewayClassName", name),
            facts={"class": name, "reason": reason},
            related=[Ref("GatewayClass", "", name)],
        )
    if not view.readable("Secret"):
        return
    for listener in row.spec.listeners:
        for named in listener.tls.certificate_refs if listener.tls is not None else ():
            secret = Ref("Secret", named.namespace or ref.namespace, named.name)
            if named.kind in ("", "Secret") and view.store.get(*secret) is None:
                yield make(
                    "ingress-tls-missing",
                    ref,
                    f"its listener {listener.name} names TLS {secret}, which does not exist",
                    Severity.WARNING,
                    "the listener answers no TLS",
                    young=view.young(created, READY_GRACE),
                    evidence=[
                        field_evidence(ref, f"spec.listeners[{listener.name}].tls", str(secret))
                    ],
                    detail=f"{secret.namespace}/{secret.name}",
                    facts={"secret": secret.name},
                    related=[secret],
                )


@object_detector("HTTPRoute", "GRPCRoute", "TLSRoute")
def route(row: Route, view: ClusterView) -> Iterator[Finding]:
    """Backends that do not exist, and parents that do not exist or do not take the route."""
    created = row.metadata.creation_timestamp
    if not view.older(created, NOTE_AFTER):
        return
    yield from _backends(row, view)
    yield from _parents(row, view)


def _backends(row: Route, view: ClusterView) -> Iterator[Finding]:
    ref, created = ref_of(row), row.metadata.creation_timestamp
    if not view.readable("Service"):
        return
    hosts = tuple(sorted(row.spec.hostnames))
    told: set[tuple[Ref, int]] = set()
    for named in (each for rule in row.spec.rules for each in rule.backend_refs):
        target = Ref("Service", named.namespace or ref.namespace, named.name)
        port = _absent_port(view.store.get(*target), named)
        if named.kind not in ("", "Service") or port is None or (target, port) in told:
            continue
        told.add((target, port))
        what = f"port {port} of {target}" if port else str(target)
        host = f" (host {', '.join(hosts[:2])})" if hosts else ""
        yield make(
            "ingress-backend-missing",
            ref,
            f"leads to {what}, which does not exist{host}",
            Severity.WARNING,
            "requests to its hosts fail",
            young=view.young(created, READY_GRACE),
            evidence=[
                field_evidence(ref, "spec.rules.backendRefs", f"{named.name} {port or ''}".rstrip())
            ],
            detail=f"{target.namespace}/{target.name}:{port}",
            facts={"service": target.name, "port": str(port or ""), "hosts": hosts},
            related=[target],
        )


def _absent_port(service: Service | None, named: GatewayReference) -> int | None:
    """The port that a Service does not have, 0 where the Service does not exist, None where all is
    there."""
    if service is None:
        return 0
    if service.spec.type == "ExternalName" or not named.port:
        return None
    return None if any(p.port == named.port for p in service.spec.ports) else named.port


def _parents(row: Route, view: ClusterView) -> Iterator[Finding]:
    ref, created = ref_of(row), row.metadata.creation_timestamp
    for parent in row.spec.parent_refs:
        if parent.kind not in ("", "Gateway"):
            continue
        at = Ref("Gateway", parent.namespace or ref.namespace, parent.name)
        found = view.store.get(*at)
        said = next(
            (
                condition
                for status in row.status.parents
                if status.parent_ref.name == parent.name
                and status.parent_ref.section_name in ("", parent.section_name)
                and (condition := _false(status.conditions, "Accepted", "ResolvedRefs")) is not None
            ),
            None,
        )
        listeners = [each.name for each in found.spec.listeners] if found is not None else []
        if found is None and view.readable("Gateway"):
            reason, claim = "GatewayMissing", f"names {at}, which does not exist"
        elif found is not None and parent.section_name and parent.section_name not in listeners:
            reason = "ListenerMissing"
            has = ", ".join(listeners) or "none"
            claim = f"names listener {parent.section_name} of {at}, which has {has}"
        elif said is not None and said.reason != "BackendNotFound":
            reason = said.reason
            verb = "does not take it" if said.type == "Accepted" else "cannot follow it"
            claim = f"{at} {verb}: {_words(said)}"
        else:
            continue
        yield make(
            "route-not-accepted",
            ref,
            claim,
            Severity.WARNING,
            "requests to its hosts do not reach its backends",
            since=_since(said, created),
            source=SinceSource.CONDITION if said is not None else SinceSource.CREATION,
            young=view.young(created, READY_GRACE),
            evidence=_evidence(
                ref, said, "spec.parentRefs", f"{parent.name} {parent.section_name}"
            ),
            detail=f"{at.namespace}/{at.name}/{parent.section_name}",
            facts={"gateway": f"{at.namespace}/{at.name}", "reason": reason},
            related=[at],
        )


def _false(conditions: tuple[Condition, ...], *types: str) -> Condition | None:
    """The first of these conditions that is False; Pending is the state before a controller has
    looked."""
    return next(
        (
            c
            for type_ in types
            for c in conditions
            if c.type == type_ and c.status == "False" and c.reason != "Pending"
        ),
        None,
    )


def _words(condition: Condition) -> str:
    return (
        f"{condition.reason}: {quoted(condition.message)}"
        if condition.message
        else condition.reason
    )


def _since(condition: Condition | None, created: datetime | None) -> datetime | None:
    return (condition.last_transition_time if condition is not None else None) or created


def _evidence(ref: Ref, condition: Condition | None, path: str, text: str) -> list[Evidence]:
    if condition is not None:
        return [condition_evidence(ref, condition)]
    return [field_evidence(ref, path, text.rstrip())]
