"""Containers that cannot reach a peer which their last words do not name, and the workload of their
namespace that is down for a cause of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from cluster.kube.objects import Pod, Service
from cluster.kube.selectors import service_selects
from triage.facts.cluster_view import ClusterView
from triage.facts.finding import Finding, Severity
from triage.facts.windows import EDGE, TOGETHER

_OWN = frozenset(
    {
        "pod-config-missing",
        "pod-container-create-failed",
        "pod-image-pull-failed",
        "pod-liveness-killed",
        "pod-oom-killed",
        "pod-unschedulable",
        "pod-volume-failed",
    }
)
"""Rules of pods that name a cause which lies in no peer."""
_OF_A_PEER = frozenset(
    {
        "unreachable",
        "name-not-found",
        "too-many-connections",
        "peer-memory-full",
        "credentials-refused",
        "tls-refused",
    }
)


def complains(finding: Finding) -> bool:
    """Whether its container says that it cannot reach a peer, without a name for it."""
    facts = finding.facts
    return (
        finding.rule == "pod-last-words"
        and facts.get("class") == "unreachable"
        and not facts.get("host")
        and not facts.get("service")
        and finding.severity is not Severity.INFO
    )


def explains(finding: Finding) -> bool:
    """Whether it says why a pod is down, for a cause that lies in no peer."""
    if finding.severity is Severity.INFO:
        return False
    if finding.rule == "pod-last-words":
        return bool(finding.facts.get("class")) and finding.facts.get("class") not in _OF_A_PEER
    return finding.rule in _OWN


def owner_of(finding: Finding) -> tuple[str, str]:
    """(namespace, name) of the workload of a finding about a pod."""
    return finding.object.namespace, str(finding.facts.get("owner") or finding.object.name)


def pairs(findings: Iterable[Finding], view: ClusterView) -> list[tuple[Finding, Finding]]:
    """Findings that belong together: a complaint, and the only server of its namespace that went
    down shortly before."""
    listed = [f for f in findings if f.object.kind == "Pod" and f.since is not None]
    clients = sorted((f for f in listed if complains(f)), key=lambda f: (str(f.since), f.id))
    if not clients:
        return []
    found: list[tuple[Finding, Finding]] = []
    complaining = {owner_of(client) for client in clients}
    down: dict[str, dict[tuple[str, str], Finding]] = {}
    began: dict[tuple[str, str], datetime] = {}
    for finding in listed:
        owner, since = owner_of(finding), finding.since
        if since is None or owner in complaining or finding.severity is Severity.INFO:
            continue
        began[owner] = min(since, began.get(owner, since))
        if explains(finding) and _serves(finding, view):
            down.setdefault(owner[0], {}).setdefault(owner, finding)
    for client in clients:
        near = _before(client, down.get(client.object.namespace, {}), began)
        if len(near) == 1:
            found.append((near[0], client))
    return found


def _before(
    client: Finding,
    down: Mapping[tuple[str, str], Finding],
    began: Mapping[tuple[str, str], datetime],
) -> list[Finding]:
    """What went down at most half an hour before a complaint, or just after it."""
    return [
        finding
        for owner, finding in down.items()
        if client.since is not None and -TOGETHER <= client.since - began[owner] <= EDGE
    ]


def _serves(finding: Finding, view: ClusterView) -> bool:
    """Whether a Service selects the pod."""
    pod = view.store.get(*finding.object)
    return isinstance(pod, Pod) and any(
        isinstance(row, Service) and service_selects(row.spec.selector, pod.metadata.labels)
        for row in view.store.in_namespace("Service", finding.object.namespace).values()
    )
