"""Chains of causes between whole groups of findings."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from triage.facts.addresses import Standing
from triage.facts.cluster_view import ClusterView
from triage.facts.finding import Fact, Finding
from triage.symptoms import same_words, unnamed_peers
from triage.symptoms.causes import NETWORK
from triage.symptoms.groups import Groups

_AGENT = (
    "pod-not-ready",
    "pod-crash-looping",
    "pod-not-starting",
    "pod-image-pull-failed",
    "pod-container-create-failed",
)


_CONTROL_PLANE = (
    "etcd-errors-in-messages",
    "leader-changes",
    "api-errors-in-messages",
    "nodes-unknown-together",
    "leases-stale-together",
    "ready-check-failed",
    "api-slow",
)


def join_chains(
    findings: list[Finding], first_key: dict[str, str], groups: Groups, view: ClusterView
) -> None:
    """Chains of causes between whole groups: what follows from DNS, from the control plane, from a
    flood of Jobs, from the one server of a namespace that is down."""
    for server, complaint in (*unnamed_peers.pairs(findings, view), *same_words.pairs(findings)):
        groups.join(first_key[server.id], first_key[complaint.id])
    by_rule: dict[str, list[Finding]] = {}
    for finding in findings:
        by_rule.setdefault(finding.rule, []).append(finding)

    def join(cause: Finding, effects: Iterable[Finding], slack: int = 120) -> None:
        for effect in effects:
            late = (
                cause.since is None
                or effect.since is None
                or (effect.since - cause.since).total_seconds() >= -slack
            )
            if late:
                groups.join(first_key[cause.id], first_key[effect.id])

    for service in by_rule.get("service-no-endpoints", []):
        if not service.facts["selector_matches"]:  # what it led to fails, also without its name
            called = (f"{service.object.namespace}/{service.object.name}", "")
            unreachable = (
                f
                for f in by_rule.get("pod-last-words", [])
                if f.facts["class"] == "unreachable"
                and f.object.namespace == service.object.namespace
                and f.facts["service"] in called
                and (f.facts["service"] or not f.facts["host"])
            )
            join(service, unreachable)
    peers: dict[tuple[Fact, ...], list[Finding]] = {}
    for words in by_rule.get("pod-last-words", []):
        facts = words.facts
        if facts["no_dns"] or (facts["host"] and facts["standing"] == Standing.OUTSIDE):
            peer = () if facts["no_dns"] else (facts["class"], facts["host"], facts["port"])
            peers.setdefault(peer, []).append(words)
    for alike in peers.values():  # one server outside, or name servers that do not answer
        for one, other in pairwise(alike):
            groups.join(first_key[one.id], first_key[other.id])
    lost = [f for f in by_rule.get("pod-last-words", []) if f.facts["no_dns"]]
    together, failing = (
        by_rule.get(rule, []) for rule in ("not-ready-together", "dns-lookups-failing")
    )
    nameless = by_rule.get("service-names-unresolved", [])
    for mesh in by_rule.get("mesh-degraded", []):
        pods = set(mesh.related)
        join(mesh, [f for f in together if len(pods.intersection(f.related)) * 2 > len(f.related)])
    for dns in by_rule.get("dns-degraded", []):
        own = [f for f in by_rule.get("service-no-endpoints", []) if f.object in dns.related]
        join(dns, [*together, *failing, *nameless, *lost, *own])
    plane = [
        f
        for f in by_rule.get("control-plane-degraded", [])
        if f.facts.get("component") in ("kube-apiserver", "etcd")
    ]
    signs = [f for rule in _CONTROL_PLANE for f in by_rule.get(rule, [])]
    if plane or signs:
        plane = by_rule.get("control-plane-degraded", [])
    for one, other in zip([*plane, *signs], [*plane, *signs][1:], strict=False):
        groups.join(first_key[one.id], first_key[other.id])
    for finding in [f for f in plane if f.facts.get("component") in ("kube-apiserver", "etcd")]:
        join(
            finding,
            [f for f in by_rule.get("ingress-degraded", []) if not f.facts.get("oom_killed")],
        )
    agents = [f for rule in _AGENT for f in by_rule.get(rule, []) if f.facts.get("role") == "cni"]
    waiting = [f for f in by_rule.get("pod-sandbox-failed", []) if f.facts.get("cause") in NETWORK]
    refused = [f for f in by_rule.get("pod-last-words", []) if f.facts.get("role") == "cni"]
    unready = [f for f in by_rule.get("node-not-ready", []) if f.facts["cause"] in NETWORK]
    unready += by_rule.get("node-network-unavailable", [])
    for agent in (*agents, *refused):  # A node without its network agent creates no sandboxes.
        node = agent.facts.get("node")
        # of a crash loop the last round is seen, not the first
        join(agent, [f for f in waiting if f.facts.get("node") == node], slack=3600)
        join(agent, [f for f in unready if f.object.name == node], slack=3600)
    for flood in by_rule.get("cronjob-flood", []):
        mine = (flood.object.namespace, flood.object.name)
        for cause in {str(f.facts.get("cause")) for f in by_rule.get("pod-unschedulable", [])}:
            pending = [f for f in by_rule["pod-unschedulable"] if f.facts.get("cause") == cause]
            own = [f for f in pending if (f.object.namespace, f.facts.get("owner")) == mine]
            if len(own) * 2 >= len(pending):
                join(flood, pending)
        join(
            flood,
            [
                f
                for f in (*by_rule.get("quota-exceeded", []), *by_rule.get("create-failed", []))
                if f.object.namespace == mine[0]
            ],
        )
        join(
            flood,
            [
                f
                for f in plane
                if f.facts.get("component") == "kube-apiserver" and f.facts.get("oom_killed")
            ],
        )
