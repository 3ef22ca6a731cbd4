"""Symptoms, findings and ranked runbooks of the story."""

from __future__ import annotations

from cluster.kube.objects import Ref
from runbooks.match import Match, Reason
from tests.tui.story import CATALOG, FIRST, NOW, at
from triage.facts.finding import (
    ChangeFact,
    Dependant,
    Evidence,
    Finding,
    Report,
    Severity,
    SharedAttribute,
    SinceSource,
    Symptom,
)


def finding(
    ref: Ref, claim: str, rule: str = "pod-not-ready", severity: Severity = Severity.CRITICAL
) -> Finding:
    return Finding(
        id=f"{rule}:{ref.kind}/{ref.namespace}/{ref.name}",
        rule=rule,
        object=ref,
        claim=claim,
        severity=severity,
        severity_rule="no endpoint is ready",
        since=FIRST,
        since_source=SinceSource.CONDITION,
        evidence=(Evidence("event Unhealthy", "connect: connection refused (24 times)", FIRST),),
    )


def report() -> Report:
    refused = Symptom(
        id="refused-marketplace",
        title="connections refused to marketplace",
        severity=Severity.CRITICAL,
        since=FIRST,
        objects=CATALOG,
        findings=tuple(
            finding(ref, "not ready for 8 min: readiness probe refused, 3 restarts")
            for ref in CATALOG
        ),
        shared=(
            SharedAttribute("node", "node-2", (7, 7), (0, 41), 1e-6, ("CNI image sha256:9fb2…",)),
        ),
        changes=(
            ChangeFact(at(12), "created", Ref("Node", "", "node-2"), "node-joined", "kubelet"),
            ChangeFact(
                at(11),
                'created, image tag "latest" pulled as sha256:9fb2… (8 others run sha256:4f1e…)',
                Ref("Pod", "kube-system", "kube-router-2x7"),
                "image-drift",
                "kube-controller-manager",
            ),
        ),
        blast=(
            Dependant(Ref("Service", "marketplace", "catalog"), "0 of 7 endpoints ready"),
            Dependant(Ref("Ingress", "marketplace", "shop"), "host shop.example.org routes to it"),
        ),
    )
    pending = Symptom(
        id="pending-memory",
        title="pods pending: insufficient memory",
        severity=Severity.WARNING,
        since=at(3),
        objects=tuple(Ref("Pod", "batch", f"report-{i}") for i in range(3)),
        findings=(
            finding(
                Ref("Pod", "batch", "report-0"),
                "pending for 3 min: 0/9 nodes are available: 8 Insufficient memory",
                "pod-pending",
                Severity.WARNING,
            ),
        ),
        shared=(SharedAttribute("zone", "zone-b", (3, 3), (4, 60), 0.01),),
    )
    cordoned = Symptom(
        id="cordoned",
        title="1 node cordoned",
        severity=Severity.INFO,
        since=at(2880),
        objects=(Ref("Node", "", "node-9"),),
        findings=(
            finding(
                Ref("Node", "", "node-9"), "cordoned by kubectl", "node-cordoned", Severity.INFO
            ),
        ),
    )
    symptoms = (refused, pending, cordoned)
    return Report(
        NOW, True, (), symptoms, tuple(f for s in symptoms for f in s.findings), refused.changes
    )


def matches() -> dict[str, tuple[Match, ...]]:
    return {
        "refused-marketplace": (
            Match(
                "network-policy-cni-version-skew",
                "Connection refused across namespaces, only to one node",
                0.91,
                True,
                for_=(
                    Reason(
                        "kube-router on node-2 runs another image (sha256:9fb2…) than 8 of 9 "
                        "nodes, since 02:59"
                    ),
                    Reason("every failing pod is on node-2 (7 of 7; 0 of 41 elsewhere)"),
                ),
                missing=(Reason("refused or rejected on the way? not measured", step="matrix"),),
            ),
            Match(
                "cni-not-ready-on-new-node",
                "Pods start before the network plugin is ready",
                0.38,
                False,
                for_=(Reason("node-2 joined 12 min ago"),),
                against=(Reason("the node has been Ready for 11 min"),),
            ),
        ),
        "pending-memory": (
            Match(
                "nodes-notready-system-oom",
                "Pods without limits, nodes NotReady one after another",
                0.64,
                True,
                for_=(Reason("3 pods pending for memory"),),
                missing=(Reason("SystemOOM events: none seen"),),
            ),
        ),
        "cordoned": (),
    }
