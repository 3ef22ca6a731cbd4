"""Joins the findings over the whole cluster with those that they explain."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.kube.objects import Pod
from cluster.kube.owners import WORKLOADS
from cluster.kube.selectors import service_selects
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Finding, Severity
from triage.facts.finding_index import FindingIndex
from triage.facts.windows import INCIDENT
from triage.symptoms.groups import Groups
from triage.symptoms.keys import JOINS_NODES

_JOINS_PODS = frozenset(
    {
        "secret-missing-across-namespaces",
        "secret-keys-lost",
        "new-pods-failing",
        "not-ready-together",
    }
)


def join_causes(
    findings: Iterable[Finding],
    first_key: dict[str, str],
    groups: Groups,
    index: FindingIndex,
    view: ClusterView,
) -> None:
    """Let the findings over the whole cluster pull in what they explain."""
    failing_in: dict[str, list[Finding]] = {}
    """Findings of pods by namespace, notes left out."""
    for finding in index.all():
        if finding.object.kind == "Pod" and finding.severity is not Severity.INFO:
            failing_in.setdefault(finding.object.namespace, []).append(finding)
    for finding in findings:
        key = first_key[finding.id]
        if finding.rule in JOINS_NODES:
            for ref in finding.related:
                if ref.kind == "Node":
                    groups.join(key, f"node:{ref.name}")
            if finding.rule == "failures-on-new-nodes":
                for ref in finding.related:
                    for cause in ("cni-not-ready", "cni"):
                        if any(
                            f.facts.get("node") == ref.name and f.facts.get("cause") == cause
                            for f in index.rule("pod-sandbox-failed")
                        ):
                            groups.join(key, f"sandbox:{cause}")
        elif finding.rule == "daemonset-update-failing" and finding.facts.get("role") in (
            "cni",
            "proxy",
        ):
            for ref in (
                finding.related
            ):  # a node without its network agent is not ready, and its pods do not start
                if any(f.facts.get("cause") in NETWORK for f in index.about(ref)):
                    groups.join(key, f"node:{ref.name}")
            if any(
                f.facts.get("node") in _names(finding)
                for f in index.rule("pod-sandbox-failed")
                if f.facts.get("cause") in NETWORK
            ):
                for cause in NETWORK:
                    groups.join(key, f"sandbox:{cause}")
        elif finding.rule in _JOINS_PODS:
            for ref in finding.related:
                for other in index.about(ref):
                    if other.rule in (
                        "pod-config-missing",
                        "pod-crash-looping",
                        "pod-not-ready",
                        "pod-container-create-failed",
                    ):
                        groups.join(key, first_key[other.id])
        elif finding.rule == "service-no-endpoints":
            service = view.store.get(*finding.object)
            if service is None:
                continue
            for ref in finding.related:
                if ref.kind in WORKLOADS:  # it has no pod, and says itself why
                    for other in index.about(ref):
                        groups.join(first_key[other.id], key)
            for other in failing_in.get(finding.object.namespace, ()):
                pod = view.store.get(*other.object)
                if isinstance(pod, Pod) and service_selects(
                    service.spec.selector, pod.metadata.labels
                ):
                    groups.join(first_key[other.id], key)
                    break
        elif finding.rule == "component-away":
            for other in index.rule("control-plane-degraded"):
                if other.facts["component"] == finding.facts["component"]:
                    groups.join(key, first_key[other.id])  # its own pods say why
            for rule in _STOPS.get(str(finding.facts.get("component")), ()):
                for other in index.rule(rule):
                    if _stopped(other, finding):
                        groups.join(key, first_key[other.id])
        elif finding.rule == "claim-pending":
            for ref in finding.related:
                for other in index.about(ref):
                    if other.rule == "pod-unschedulable":
                        groups.join(key, first_key[other.id])
        elif finding.rule in SYSTEM or finding.rule in (
            "dependency-failing",
            "mesh-degraded",
            "pulls-failing-on-node",
            "service-names-unresolved",
            "pod-preempted",
            "quota-exceeded",
            "apiservice-unavailable",
            "gateway-not-working",
            "load-balancer-pending",
            "webhook-backend-down",
        ):
            for ref in finding.related:
                for other in index.about(ref):
                    if other.severity is not Severity.INFO:
                        groups.join(key, first_key[other.id])
        elif finding.rule in (
            "workload-unavailable",
            "workload-degraded",
            "rollout-stuck",
            "daemonset-short",
        ):
            for pod in view.pods_of(finding.object):
                for other in index.about(ref_of(pod)):
                    if other.severity is not Severity.INFO:
                        groups.join(first_key[other.id], key)


_STOPS = {
    "kube-scheduler": ("pod-not-scheduled",),
    "kube-controller-manager": ("generation-not-observed", "deletion-stuck", "cronjob-missed"),
}
"""What stops without a component."""


def _stopped(finding: Finding, component: Finding) -> bool:
    """Whether something stands still since the component is away: it is not hours older (a crash
    loop renews its Lease now and then), and gives no reason of its own."""
    began, away = finding.since, component.since
    older = began is not None and away is not None and away - began > INCIDENT
    return not older and finding.facts.get("reason") in (None, "Late")


NETWORK = ("cni-not-ready", "cni", "network-plugin")


def _names(finding: Finding) -> set[str]:
    return {ref.name for ref in finding.related if ref.kind == "Node"}


SYSTEM = frozenset({"control-plane-degraded", "dns-degraded", "ingress-degraded"})
