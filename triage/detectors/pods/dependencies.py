"""Services that fail their clients, told by the clients' last words."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from cluster.kube.objects import Ref, Service
from cluster.kube.selectors import service_selects
from triage.facts.addresses import Standing
from triage.facts.cluster_view import ClusterView
from triage.facts.finding import Finding, Severity
from triage.facts.finding_builder import make
from triage.facts.finding_index import FindingIndex
from triage.facts.messages.wording import first_two

FULL = {"too-many-connections": "connection", "peer-memory-full": "memory"}
"""Classes in which the peer answers, and says what it has used up."""
_SHARED = frozenset({*FULL, "unreachable", "name-not-found", "credentials-refused"})
"""Classes that are the peer's fault when several workloads report them."""
_MANY = 3
"""Number of workloads from which a shared fault is critical."""


def failing_services(
    words: Collection[Finding], view: ClusterView, index: FindingIndex, by_dns: frozenset[Ref]
) -> Iterator[Finding]:
    """Services that fail their clients: no free connections, no ready pod, or named by several.
    Where a pod behind one fails with known words of its own, they are quoted. The names of those in
    `by_dns` are not found, which is no fault of the Services."""
    callers: dict[tuple[str, str], list[Finding]] = {}
    full = _full(words, view)
    for finding in words:
        service, class_ = str(finding.facts["service"]), str(finding.facts["class"])
        if not finding.facts["host"]:
            service = service or full.get((finding.object.namespace, class_), "")
        if service and class_ in _SHARED and not finding.facts["no_dns"]:
            callers.setdefault((service, class_), []).append(finding)
    for (service, class_), found in sorted(callers.items()):
        namespace, name = service.split("/")
        own = Ref("Service", namespace, name)
        if class_ == "name-not-found" and own in by_dns:
            continue
        behind = _behind(own, view)
        theirs = [f for f in found if f.object not in behind]
        owners = sorted({str(f.facts.get("owner") or f.object.name) for f in theirs})
        first = min(theirs, key=lambda f: (f.severity.rank, f.id), default=None)
        if first is None:
            continue
        standing = first.facts["standing"]
        over = not any(f.active for f in theirs)
        used_up = class_ in FULL
        down = standing == Standing.NO_ENDPOINT and not used_up
        own_words = [f for f in words if f.object in behind and f.facts["class"] and f.active]
        said = str(first.facts["sentence"])
        if down and own_words:
            said = f"{own_words[0].object.name} {own_words[0].claim}"
        if len(owners) < 2 and not used_up and standing != Standing.NO_ENDPOINT:
            continue
        yield make(
            "dependency-failing",
            own,
            _told(class_, owners, said, str(standing), over),
            _severity(theirs, owners),
            "critical where three workloads or more fail at it",
            since=min((f.since for f in theirs if f.since is not None), default=None),
            source=first.since_source,
            detail=class_,
            active=not over,
            evidence=[f.evidence[0] for f in theirs[:3]],
            facts={
                "class": class_,
                "callers": tuple(owners),
                "count": len(owners),
                "standing": standing,
                "port": first.facts["port"],
            },
            related=[
                *(f.object for f in theirs),
                *(ref for ref in sorted(behind) if index.about(ref)),
            ],
        )


def _full(words: Collection[Finding], view: ClusterView) -> dict[tuple[str, str], str]:
    """The Service of the only server of a namespace whose own probe says what its clients say, by
    namespace and class: a server that is full may be Ready."""
    found: dict[tuple[str, str], set[Ref]] = {}
    for finding in words:
        facts = finding.facts
        if facts["class"] in FULL and not facts["container"]:  # the output of its probe
            services = _services(finding.object, str(facts["owner"]), view)
            found.setdefault((finding.object.namespace, str(facts["class"])), set()).update(
                services
            )
    return {
        key: f"{one.namespace}/{one.name}"
        for key, services in found.items()
        if len(services) == 1
        for one in services
    }


def _services(pod: Ref, owner: str, view: ClusterView) -> list[Ref]:
    """The Service in front of a pod that has the name of its workload, or the first one."""
    fronts = [
        Ref("Service", *key)
        for key in sorted(view.store.in_namespace("Service", pod.namespace))
        if pod in _behind(Ref("Service", *key), view)
    ]
    return sorted(fronts, key=lambda ref: (ref.name != owner, ref.name))[:1]


def _severity(theirs: list[Finding], owners: list[str]) -> Severity:
    if all(f.severity is Severity.INFO for f in theirs):
        return Severity.INFO
    return Severity.CRITICAL if len(owners) >= _MANY else Severity.WARNING


def _told(class_: str, owners: list[str], sentence: str, standing: str, over: bool) -> str:
    who = first_two(owners)
    ask = "asks" if len(owners) == 1 else "ask"
    if class_ in FULL:
        return f"has no {FULL[class_]} left for {who}: {sentence}"
    if standing == Standing.NO_SERVICE:
        return f"does not exist, and {who} {ask} for it: {sentence}"
    if class_ == "credentials-refused":
        return f"refuses the credentials of {who}: {sentence}"
    why = " and has no ready pod" if standing == Standing.NO_ENDPOINT else ""
    return f"{'did' if over else 'does'} not answer {who}{why}: {sentence}"


def _behind(service: Ref, view: ClusterView) -> set[Ref]:
    """The pods that a Service selects."""
    row = view.store.get(*service)
    if not isinstance(row, Service) or not row.spec.selector:
        return set()
    return {
        Ref("Pod", *key)
        for key, pod in view.store.in_namespace("Pod", service.namespace).items()
        if service_selects(row.spec.selector, pod.metadata.labels)
    }
