"""What the objects of a symptom share: from the cohort test where pods or nodes can be compared,
else from the finding."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.kube.managed_fields import writes
from cluster.kube.objects import Pod, Ref
from cluster.kube.pods import is_finished
from cluster.statistics import fisher
from triage.cohorts import cohort
from triage.cohorts.healthy import HealthyCounts
from triage.facts.cluster_view import ClusterView
from triage.facts.cooperative import Cooperative
from triage.facts.finding import Finding, SharedAttribute
from triage.facts.finding_index import FindingIndex
from triage.symptoms.causes import SYSTEM
from triage.symptoms.leading import leading


def shared_by(
    findings: list[Finding],
    objects: tuple[Ref, ...],
    view: ClusterView,
    index: FindingIndex,
    healthy: HealthyCounts,
) -> Cooperative[tuple[SharedAttribute, ...]]:
    refs = [r for r in objects if r.kind == "Pod"]
    pods = [
        p for p in (view.store.get(*r) for r in refs) if isinstance(p, Pod) and not is_finished(p)
    ]
    nodes = [r.name for r in objects if r.kind == "Node"]
    found: list[SharedAttribute] = []
    lead = leading(findings)
    if lead.rule == "cronjob-flood" and lead.since is not None:
        found.append(_flood(lead, view, index))
    elif lead.rule in SYSTEM:
        # Causes before their effects.
        origin = [
            p
            for p in (view.store.get(*r) for r in lead.related)
            if isinstance(p, Pod) and not is_finished(p)
        ]
        found.extend((yield from cohort.of_pods(origin, healthy, view, limit=3)))
    if len(nodes) == 1:
        # For one node its pods say whether the node is the cause, notes included.
        more = {r for f in findings for r in (f.object, *f.related) if r.kind == "Pod"}
        pods = [
            p
            for p in (view.store.get(*r) for r in sorted(more))
            if isinstance(p, Pod) and not is_finished(p)
        ]
        of_node = yield from cohort.of_pods(pods, healthy, view)
        found.extend(s for s in of_node if s.what == "node")
    compared = list(cohort.of_nodes(nodes, view)) if len(nodes) >= 2 else []
    for finding in findings:
        if finding.rule == "daemonset-image-drift":
            found.extend(_drift(finding))
        elif finding.rule == "daemonset-update-failing":
            found.extend(_update(finding))
        elif finding.rule == "replicas-on-one-node" and lead is finding:
            found.append(_packed(finding, view, index))
        elif finding.rule == "nodes-failing-in-turn":
            # A suspect that may be there by chance comes after what is certain.
            suspects = list(_suspect(finding, view))
            certain = [s for s in suspects if s.p_value < cohort.ALPHA]
            compared = [*certain, *compared, *(s for s in suspects if s.p_value >= cohort.ALPHA)]
    found.extend(compared)
    if len(pods) >= 2 and not nodes:
        found.extend((yield from cohort.of_pods(pods, healthy, view)))
    found.extend(_writer(f, view) for f in findings if _has_writer(f))
    first: dict[tuple[str, str], SharedAttribute] = {}
    for shared in found:
        first.setdefault((shared.what, shared.value), shared)
    return tuple(first.values())


def _has_writer(finding: Finding) -> bool:
    return finding.rule == "secret-keys-lost" and bool(finding.facts.get("manager"))


def _writer(finding: Finding, view: ClusterView) -> SharedAttribute:
    """The manager that wrote the Secrets which lost their keys, against all other Secrets."""
    manager, lost = str(finding.facts["manager"]), _count(finding, "secrets")
    written = sum(
        any(w.manager == manager for w in writes(row.metadata)[:1])
        for row in view.store.rows("Secret").values()
    )
    others = max(view.store.count("Secret") - lost, 0)
    outside = (min(max(written - lost, 0), others), others)
    p = fisher(lost, lost, *outside)
    return SharedAttribute("manager", manager, (lost, lost), outside, p, subject="emptied")


def _flood(finding: Finding, view: ClusterView, index: FindingIndex) -> SharedAttribute:
    """How many of the pods created since a flood began are of its CronJob, against the pods
    before."""
    assert finding.since is not None
    mine = sum(1 for p in view.pods_of(finding.object) if not is_finished(p))
    since = max(index.population.created_since(finding.since), mine)
    before = max(index.population.total - since, 0)
    share, p = (mine, since), fisher(mine, since, 0, before)
    return SharedAttribute(
        "owner", str(finding.object), share, (0, before), p, subject="pods since then"
    )


def _suspect(finding: Finding, view: ClusterView) -> Iterator[SharedAttribute]:
    """The owner that was on the failed nodes, with the p of the best of all owners tried
    (Bonferroni)."""
    on, nodes, elsewhere, tried = (
        _count(finding, name)
        for name in ("suspect_on", "nodes", "suspect_elsewhere", "owners_tried")
    )
    others = max(0, view.store.count("Node") - nodes)
    if finding.facts["suspect"] and on >= 2:
        p = fisher(on, nodes, min(elsewhere, others), others) * max(tried, 1)
        yield SharedAttribute(
            "owner",
            str(finding.facts["suspect"]),
            (on, nodes),
            (min(elsewhere, others), others),
            min(1.0, p),
        )


def _count(finding: Finding, name: str) -> int:
    value = finding.facts.get(name)
    return value if isinstance(value, int) else 0


def _update(finding: Finding) -> Iterator[SharedAttribute]:
    """The image and the revision that came with an update whose pods fail."""
    failing, updated, old_failing, old = (
        _count(finding, name) for name in ("failing", "updated", "old_failing", "old")
    )
    total_failing, total = failing + old_failing, updated + old
    inside, outside = (failing, total_failing), (updated - failing, total - total_failing)
    p = fisher(*inside, *outside)
    texts = (("image", str(finding.facts.get("image") or "")), ("owner", str(finding.object)))
    for what, value in texts:
        yield SharedAttribute(
            what, value, inside, outside, p, tuple(f"{w} {v}" for w, v in texts if w != what)
        )


def _packed(finding: Finding, view: ClusterView, index: FindingIndex) -> SharedAttribute:
    """The node on which all replicas are, against all other pods of the cluster."""
    node, replicas = str(finding.facts.get("node") or ""), _count(finding, "replicas")
    there = sum(1 for p in view.store.pods_on(node).values() if not is_finished(p))
    others = max(index.population.total - replicas, 0)
    outside = (min(max(there - replicas, 0), others), others)
    p = fisher(replicas, replicas, *outside)
    return SharedAttribute("node", node, (replicas, replicas), outside, p, subject="its replicas")


def _drift(finding: Finding) -> Iterator[SharedAttribute]:
    odd, usual = _count(finding, "odd"), _count(finding, "usual")
    nodes = finding.facts["odd_nodes"]
    if isinstance(nodes, tuple) and len(nodes) == 1:
        digest = str(finding.facts.get("odd_digest") or "")
        p = fisher(odd, odd, 0, usual)
        yield SharedAttribute(
            "node", nodes[0], (odd, odd), (0, usual), p, (f"image digest {digest}",), "differing"
        )
        yield SharedAttribute(
            "image digest", digest, (odd, odd), (0, usual), p, (f"node {nodes[0]}",), "differing"
        )
