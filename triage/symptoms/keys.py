"""Why a finding is there, as keys: findings that share one have one cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from cluster.kube.owners import WORKLOADS
from triage.facts.finding import Finding, Severity
from triage.facts.finding_index import FindingIndex
from triage.facts.rules.catalogue import EFFECTS
from triage.facts.windows import INCIDENT

_ON_NODE = EFFECTS - {"workload-unavailable", "workload-degraded", "service-no-endpoints"}
"""Rules that follow from a fault of the pod's node."""


NODE_TROUBLE = frozenset(
    {
        "node-not-ready",
        "node-system-oom",
        "node-pressure",
        "node-network-unavailable",
        "node-eviction-threshold",
        "node-rebooted",
        "node-problem",
        "restarts-together-on-node",
        "probes-time-out-on-node",
        "sandboxes-recreated-on-node",
        "pods-stuck-on-node",
        "node-lease-stale",
        "node-disk-reclaim-failed",
        "node-disk-used",
        "node-flapping",
        "node-recovered",
        "kubelet-memory-high",
        "node-memory-hot",
        "node-cpu-hot",
        "node-memory-unaccounted",
        "node-cpu-unaccounted",
        "proxy-rules-behind",
    }
)


JOINS_NODES = frozenset(
    {
        "nodes-failing-in-turn",
        "nodes-unknown-together",
        "failures-on-new-nodes",
        "leases-stale-together",
    }
)


def _owner_key(finding: Finding) -> str:
    owner = finding.facts.get("owner")
    if owner:
        return f"owner:{finding.facts.get('owner_kind')}/{finding.object.namespace}/{owner}"
    return f"owner:Pod/{finding.object.namespace}/{finding.object.name}"


def sick_nodes(index: FindingIndex) -> dict[str, datetime | None]:
    """Nodes with a fault that explains the faults of their pods, and when it began."""
    sick: dict[str, datetime | None] = {}
    for rule in (
        "node-not-ready",
        "node-system-oom",
        "restarts-together-on-node",
        "probes-time-out-on-node",
        "pods-stuck-on-node",
        "node-network-unavailable",
        "node-pressure",
        "node-rebooted",
    ):
        for finding in index.rule(rule):
            name, since = finding.object.name, finding.since
            if finding.severity is not Severity.INFO:
                known = sick.get(name, since)
                sick[name] = min(since, known) if since and known else None
    return sick


def _follows(finding: Finding, sick: Mapping[str, datetime | None]) -> bool:
    """Whether a fault of a pod can follow from that of its node: it is not hours older."""
    node = str(finding.facts.get("node") or "")
    began = sick.get(node)
    earlier = began is not None and finding.since is not None and began - finding.since > INCIDENT
    return node in sick and not earlier


def keys(finding: Finding, sick: Mapping[str, datetime | None]) -> Iterator[str]:
    """Reasons of a finding, as keys; the first is its own."""
    rule, ref, facts = finding.rule, finding.object, finding.facts
    node = str(facts.get("node") or "")
    if ref.kind == "Node":
        yield f"node:{ref.name}" if rule in NODE_TROUBLE else f"rule:{rule}"
    elif rule in _ON_NODE and _follows(finding, sick):
        yield f"node:{node}"
    elif rule == "pod-unschedulable" and facts.get("cause") == "volume-unbound":
        yield _owner_key(finding)
    elif rule == "pod-unschedulable" and facts.get("cause") == "claim-missing":
        yield f"unschedulable:claim-missing:{ref.namespace}"
    elif rule == "pod-unschedulable":
        yield f"unschedulable:{facts.get('cause')}:{facts.get('detail') or ''}"
    elif rule == "pod-config-missing":
        yield f"config:{facts.get('kind')}/{ref.namespace}/{facts.get('name')}"
        yield _owner_key(finding)
    elif rule == "certificate-failing":
        yield f"config:Secret/{ref.namespace}/{facts.get('secret')}"
        if str(facts.get("cause")).startswith("issuer"):
            yield f"issuer:{facts.get('issuer')}"
    elif rule == "issuer-not-ready":
        yield f"issuer:{ref}"
    elif rule == "ingress-tls-missing":
        yield f"rule:{rule}:{ref.kind}/{ref.namespace}/{ref.name}"
        yield from (f"config:Secret/{one.namespace}/{one.name}" for one in finding.related)
    elif rule == "pod-sandbox-failed":
        cause = facts.get("cause")
        own = cause in ("timeout", "name-reserved", "runtime-down", "other", "no-space")
        if own or node in sick:
            yield f"node:{node}"
        if not own:
            yield f"sandbox:{cause}"
    elif rule == "pod-volume-failed":
        yield "volumes"
        yield _owner_key(finding)
    elif rule == "claim-pending":
        cause = facts.get("cause")
        shared = cause in ("class-missing", "provisioner", "provisioner-away")
        yield f"claim:{facts.get('storage_class')}/{cause}" if shared else f"claim:{ref}"
    elif rule in ("volume-attachment-failed", "volume-failed"):
        yield "volumes"
    elif rule == "node-lease-stale":
        yield f"node:{ref.name}"
    elif rule == "webhook-backend-down":
        yield f"create:webhook/{facts.get('webhook')}"
    elif rule == "pod-evicted":
        if facts.get("own_limit"):
            yield _owner_key(finding)
        else:
            yield f"evicted:{facts.get('resource')}"
    elif rule in ("pod-rejected-by-kubelet", "pods-rejected-in-bulk"):
        yield f"rejected:{facts.get('reason')}"
    elif rule == "pod-preempted":
        yield f"preempted:{facts.get('by')}"
        yield _owner_key(finding)
    elif rule == "pod-image-pull-failed":
        yield (
            f"image:{facts.get('image')}"
            if facts.get("cause") in ("not-found", "invalid-name")
            else f"registry:{facts.get('registry')}"
        )
        yield _owner_key(finding)
    elif rule == "pod-container-create-failed":
        yield _owner_key(finding)
        yield f"start:{facts.get('reason')}:{facts.get('message')}"
    elif rule == "deletion-stuck" and ref.kind == "Pod":
        yield f"finalizer:{facts.get('finalizer')}"
    elif ref.kind == "Pod":
        yield _owner_key(finding)
    elif rule == "create-failed":
        yield (
            f"create:{facts.get('cause')}/{facts.get('detail')}"
            if facts.get("detail")
            else f"create:{ref}"
        )
        yield f"owner:{ref.kind}/{ref.namespace}/{ref.name}"
    elif rule == "quota-exceeded":
        yield f"create:quota/{facts.get('quota')}"
    elif rule == "job-failed":  # one test or task, in each of its namespaces
        yield f"owner:{ref.kind}/{ref.namespace}/{ref.name}"
        if facts.get("cronjob"):
            yield f"owner:CronJob/{ref.namespace}/{facts.get('cronjob')}"
        else:
            yield f"job:{ref.name}/{finding.claim}"
    elif ref.kind in WORKLOADS:
        yield f"owner:{ref.kind}/{ref.namespace}/{ref.name}"
        if rule == "service-reference-wrong":
            yield f"service:{facts.get('service')}"
        elif facts.get("cronjob"):  # what its pods say has that owner
            yield f"owner:CronJob/{ref.namespace}/{facts.get('cronjob')}"
        elif rule == "cpu-throttled-below-limit":
            yield f"throttled:{facts.get('kernel')}"
    elif ref.kind == "Service":
        yield f"service:{ref.namespace}/{ref.name}"
        if facts.get("scaled_by"):  # one hand or scaler that scaled several within the hour
            yield f"scaled:{facts['scaled_by']}/{facts.get('scaled_hour')}"
    elif rule in JOINS_NODES:
        yield "nodes"
    else:
        yield f"rule:{rule}:{ref.kind}/{ref.namespace}/{ref.name}"
