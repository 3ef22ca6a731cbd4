"""Replicas that share one node or one zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cluster.kube.nodes import ZONE, label
from cluster.kube.objects import Node, Ref
from cluster.kube.pods import is_finished, is_ready
from triage.detectors.registry import object_detector
from triage.detectors.workloads.rollouts import Scalable
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import field_evidence, make
from triage.facts.placement import eligible, fits
from triage.facts.windows import READY_GRACE, STANDING


@object_detector("Deployment", "StatefulSet")
def spread(row: Scalable, view: ClusterView) -> Iterator[Finding]:
    """All ready replicas on one node (story 000): a warning where the template prefers otherwise, a
    note where it says nothing.

    A hard rule (required anti-affinity, DoNotSchedule) cannot end so, and a node selector or volume
    may leave no choice.
    """
    if row.spec.replicas < 2:
        return
    template = row.spec.template.spec
    pods = [
        p
        for p in view.pods_of(ref_of(row))
        if not is_finished(p)
        and p.metadata.deletion_timestamp is None
        and is_ready(p)
        and p.spec.node_name
    ]
    if len(pods) < 2:
        return
    names = {p.spec.node_name for p in pods}
    affinity = template.affinity
    anti = affinity.pod_anti_affinity if affinity else None
    preferred = bool(anti and anti.preferred and not anti.required)
    soft = any(
        c.when_unsatisfiable == "ScheduleAnyway" for c in template.topology_spread_constraints
    )
    ref = ref_of(row)
    since = max(
        (p.metadata.creation_timestamp for p in pods if p.metadata.creation_timestamp), default=None
    )
    if not view.older(since, READY_GRACE):
        return  # Replicas may still move while nodes come and go.
    if len(names) == 1:
        name = next(iter(names))
        others = [
            n
            for n in view.store.all("Node", Node)
            if n.metadata.name != name and eligible(template, n)
        ]
        if not others:
            return
        free = sum(1 for n in others if fits(template, n))
        services = tuple(sorted(s.metadata.name for s in view.services_of(pods[0])))
        # Nodes that joined later took no part in the choice: kubeadm and kind place DNS on the
        # first node. And what was placed long ago is known.
        choice = any(_there(n, since) for n in others)
        given_up = (preferred or soft) and choice and view.within(since, STANDING)
        rule = (
            "anti-affinity is only preferred"
            if preferred
            else "spread is only preferred"
            if soft
            else "no rule spreads them"
        )
        yield make(
            "replicas-on-one-node",
            ref,
            f"all {len(pods)} ready replicas are on {name}, {free} of {len(others)} other nodes "
            f"would take them; {rule}",
            Severity.WARNING
            if given_up and len(pods) * 3 >= row.spec.replicas * 2
            else Severity.INFO,
            "a stated preference that was given up within a day is a warning; no preference, no "
            "choice, or replicas that are down elsewhere, a note",
            since=since,
            source=SinceSource.CREATION,
            related=[Ref("Node", "", name)],
            evidence=[
                field_evidence(ref_of(p), "spec.nodeName", name, p.metadata.creation_timestamp)
                for p in pods[:4]
            ],
            facts={
                "replicas": len(pods),
                "node": name,
                "preferred": preferred,
                "spread": soft,
                "given_up": given_up,
                "other_nodes": len(others),
                "free_nodes": free,
                "services": services,
            },
        )
        return
    if not (preferred or soft):
        return
    zones = {label(n.metadata, ZONE) for n in map(view.node, names) if n is not None}
    every = {label(n.metadata, ZONE) for n in view.store.all("Node", Node) if fits(template, n)}
    if len(zones) == 1 and "" not in zones and len(every) > 1:
        zone = next(iter(zones))
        yield make(
            "replicas-in-one-zone",
            ref,
            f"all {len(pods)} ready replicas are in zone {zone}",
            Severity.INFO,
            "one zone is a note",
            since=since,
            source=SinceSource.CREATION,
            facts={"replicas": len(pods), "zone": zone},
            evidence=[field_evidence(ref, "pods", f"zone {zone}")],
        )


def _there(node: Node, at: datetime | None) -> bool:
    """Whether a node had joined at that moment."""
    joined = node.metadata.creation_timestamp
    return joined is None or at is None or joined < at
