"""The finding of a symptom that says most about its mechanism."""

from __future__ import annotations

from collections.abc import Sequence

from triage.facts.finding import Finding
from triage.symptoms.unnamed_peers import complains, explains, owner_of

_TELLING = (
    "api-server-unreachable",
    "component-away",
    "objects-vanished",
    "system-namespaces-recreated",
    "system-workloads-missing",
    "owners-missing",
    "nodes-unknown-together",
    "secret-keys-lost",
    "secret-missing-across-namespaces",
    "nodes-failing-in-turn",
    "daemonset-update-failing",
    "failures-on-new-nodes",
    "cronjob-flood",
    "control-plane-degraded",
    "node-system-oom",
    "dns-degraded",
    "mesh-degraded",
    "ingress-degraded",
    "service-names-unresolved",
    "etcd-errors-in-messages",
    "leader-changes",
    "daemonset-image-drift",
    "webhook-backend-down",
    "apiservice-unavailable",
    "exposed-privileged-workload",
    "stateful-on-emptydir",
    "pods-stuck-on-node",
    "probes-time-out-on-node",
    "node-not-ready",
    "node-network-unavailable",
    "node-pressure",
    "node-rebooted",
    "restarts-together-on-node",
    "sandboxes-recreated-on-node",
    "node-lease-stale",
    "node-flapping",
    "dependency-failing",
    "not-ready-together",
    "pod-sandbox-failed",
    "pod-volume-failed",
    "volume-attachment-failed",
    "issuer-not-ready",
    "certificate-failing",
    "pod-config-missing",
    "pod-container-create-failed",
    "create-failed",
    "quota-exceeded",
    "pods-rejected-in-bulk",
    "pulls-failing-on-node",
    "pod-image-pull-failed",
    "pod-oom-killed",
    "pod-last-words",
    "service-reference-wrong",
    "new-pods-failing",
    "pod-liveness-killed",
    "pod-crash-looping",
    "pod-init-waiting",
    "claim-pending",
    "pod-preempted",
    "pod-unschedulable",
    "pod-evicted",
    "pod-rejected-by-kubelet",
    "statefulset-waits",
    "generation-not-observed",
    "endpoints-not-updated",
)


_RANK = {rule: rank for rank, rule in enumerate(_TELLING)}


def leading(findings: Sequence[Finding]) -> Finding:
    """The finding that says most about the mechanism, among those that count."""
    worst = min(f.severity.rank for f in findings)
    loud = [f for f in findings if f.severity.rank <= max(worst, 1)] or list(findings)
    complaining = {owner_of(f) for f in loud if complains(f)}
    if complaining:  # what they cannot reach says why
        pods = [f for f in loud if f.object.kind == "Pod" and explains(f)]
        loud = [f for f in pods if owner_of(f) not in complaining] or loud
    return min(loud, key=lambda f: (_rank(f), f.severity.rank, f.id))


def _rank(finding: Finding) -> int:
    """How much a finding says about the mechanism. DNS or ingress that only misses a pod is an
    effect."""
    facts = finding.facts
    if finding.rule == "pod-sandbox-failed" and facts.get("cause") == "image":
        return _RANK["failures-on-new-nodes"] - 1  # nothing starts, the network agent included
    if finding.rule == "pod-sandbox-failed" and facts.get("cause") in ("cni-not-ready", "cni"):
        return _RANK["node-rebooted"] - 1
    if (
        finding.rule in ("dns-degraded", "ingress-degraded")
        and facts.get("ready")
        and not facts.get("oom_killed")
        and not facts.get("restarted")
    ):
        return len(_RANK)
    if finding.rule == "pod-not-ready" and facts.get("probe") not in ("", "unseen", None):
        return len(_RANK)  # the probe says more than the count of replicas
    if finding.rule == "service-no-endpoints" and not facts.get("selector_matches"):
        return _RANK["dependency-failing"] - 1  # why those that call it fail
    if finding.rule == "service-port-mismatch":
        return len(_RANK)  # it says why no endpoint is there
    return _RANK.get(finding.rule, len(_RANK) + 1)
