"""Services that exist and whose names are not resolved: the name servers are at fault."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.kube.objects import Ref, Service
from triage.facts.addresses import Standing
from triage.facts.cluster_view import ClusterView
from triage.facts.finding import Finding, Severity
from triage.facts.finding_builder import CLUSTER, make
from triage.facts.finding_index import FindingIndex
from triage.facts.messages.wording import first_owners, first_two

_MANY = 3
"""Number of workloads from which it is critical."""


def names_an_existing_service(words: Finding, view: ClusterView) -> bool:
    """Whether a container does not find the name of a Service that the name servers must know. A
    headless Service without endpoints has no address, and an ExternalName leads to another name."""
    facts = words.facts
    if facts["class"] != "name-not-found" or not facts["service"]:
        return False
    namespace, _, name = str(facts["service"]).partition("/")
    row = view.store.get("Service", namespace, name)
    if not isinstance(row, Service) or row.spec.external_name:
        return False
    return facts["standing"] != Standing.NO_ENDPOINT or row.spec.cluster_ip not in ("", "None")


def unresolved(words: Iterable[Finding], view: ClusterView, index: FindingIndex) -> Finding | None:
    """Several workloads that do not find the names of several Services that exist."""
    found = [f for f in words if f.active and names_an_existing_service(f, view)]
    services = sorted({str(f.facts["service"]) for f in found})
    owners = {(f.object.namespace, str(f.facts["owner"] or f.object.name)) for f in found}
    if len(services) < 2 or len(owners) < 2:
        return None
    first = min(found, key=lambda f: (f.since or view.now, f.id))
    sick = any(f.severity is not Severity.INFO for f in index.rule("dns-degraded"))
    names = first_two(each.partition("/")[2] for each in services)
    notes = all(f.severity is Severity.INFO for f in found)
    return make(
        "service-names-unresolved",
        CLUSTER,
        f"{first_owners(owners)} cannot resolve {names}, which exist: "
        + ("the cluster's DNS is at fault" if sick else "the cluster's DNS is suspected"),
        Severity.INFO if notes else Severity.CRITICAL if len(owners) >= _MANY else Severity.WARNING,
        "critical where three workloads or more do not find names that exist",
        since=first.since,
        source=first.since_source,
        related=sorted({f.object for f in found}),
        evidence=[f.evidence[0] for f in found[:3]],
        facts={
            "owners": len(owners),
            "services": tuple(services[:10]),
            "dns_degraded": sick,
        },
    )


def services_of(words: Iterable[Finding], view: ClusterView) -> frozenset[Ref]:
    """The Services whose names are not found though they exist."""
    named = (
        str(f.facts["service"]).partition("/") for f in words if names_an_existing_service(f, view)
    )
    return frozenset(Ref("Service", namespace, name) for namespace, _, name in named)
