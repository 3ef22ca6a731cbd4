"""Pods that fail in bulk: one owner's pods are rejected or evicted, and its controller makes more
and more."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.kube.objects import Ref
from triage.detectors.registry import cluster_detector
from triage.facts.cluster_view import ClusterView
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import make
from triage.facts.finding_index import FindingIndex

LEAST = 5


@cluster_detector
def rejected(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Five or more pods of one owner rejected by the kubelet or evicted within the hour (the
    OutOfpods loop)."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for rule in ("pod-rejected-by-kubelet", "pod-evicted"):
        for finding in index.rule(rule):
            facts = finding.facts
            if facts.get("owner"):
                groups.setdefault(
                    (str(facts["owner_kind"]), finding.object.namespace, str(facts["owner"])), []
                ).append(finding)
    for key, group in sorted(groups.items()):
        if len(group) < LEAST:
            continue
        reason = str(
            group[0].facts.get("reason") or f"Evicted ({group[0].facts.get('resource') or '?'})"
        )
        nodes = sorted({str(f.facts.get("node")) for f in group} - {""})
        on = f" on {nodes[0]}" if len(nodes) == 1 else f" on {len(nodes)} nodes"
        cause = group[-1].claim.partition(": ")[2] or reason
        evicted = group[-1].rule == "pod-evicted"
        verb = "evicted" if evicted else "refused at admission"
        fresh = any(f.active for f in group)
        yield make(
            "pods-rejected-in-bulk",
            Ref(*key),
            f"{len(group)} of its pods were {verb}{on} within the hour: {cause}",
            Severity.WARNING if fresh else Severity.INFO,
            "five or more pods of one owner within the hour (a note when the last is over)",
            since=min((f.since for f in group if f.since), default=None),
            source=SinceSource.STATUS,
            evidence=[e for f in group[:4] for e in f.evidence[:1]],
            related=[*(Ref("Node", "", n) for n in nodes[:5]), *(f.object for f in group[:20])],
            active=fresh,
            facts={"owner": key[2], "pods": len(group), "reason": reason, "evicted": evicted},
        )
