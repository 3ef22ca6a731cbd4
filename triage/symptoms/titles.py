"""Short titles for symptoms, made from the finding that says most about the mechanism."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from triage.facts.finding import Finding
from triage.facts.messages.scheduler import scheduling_text

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
    "dns-degraded",
    "ingress-degraded",
    "etcd-errors-in-messages",
    "leader-changes",
    "daemonset-image-drift",
    "webhook-backend-down",
    "apiservice-unavailable",
    "exposed-privileged-workload",
    "stateful-on-emptydir",
    "node-system-oom",
    "pods-stuck-on-node",
    "probes-time-out-on-node",
    "node-not-ready",
    "node-network-unavailable",
    "node-pressure",
    "restarts-together-on-node",
    "sandboxes-recreated-on-node",
    "node-rebooted",
    "node-lease-stale",
    "node-flapping",
    "dependency-failing",
    "not-ready-together",
    "pod-sandbox-failed",
    "pod-volume-failed",
    "volume-attachment-failed",
    "pod-config-missing",
    "pod-container-create-failed",
    "create-failed",
    "pods-rejected-in-bulk",
    "pod-image-pull-failed",
    "pod-oom-killed",
    "pod-last-words",
    "service-reference-wrong",
    "new-pods-failing",
    "pod-crash-looping",
    "pod-init-waiting",
    "claim-pending",
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
    return min(loud, key=lambda f: (_rank(f), f.severity.rank, f.id))


def _rank(finding: Finding) -> int:
    """How much a finding says about the mechanism. DNS or ingress that only misses a pod is an
    effect."""
    facts = finding.facts
    if finding.rule == "pod-sandbox-failed" and facts.get("cause") in ("cni-not-ready", "cni"):
        return _RANK["restarts-together-on-node"] - 1
    if (
        finding.rule in ("dns-degraded", "ingress-degraded")
        and facts.get("ready")
        and not facts.get("oom_killed")
        and not facts.get("restarted")
    ):
        return len(_RANK)
    if finding.rule in ("pod-not-ready", "pod-liveness-killed") and facts.get("probe"):
        return len(_RANK)  # the probe says more than the count of replicas
    return _RANK.get(finding.rule, len(_RANK) + 1)


_AGE = re.compile(
    r"(?:(?: for| after|, the oldest) \d+ (?:s|min|h|d)| \d+ (?:s|min|h|d) ago)(?=[ :;,.]|$)"
)
_YOUNG = re.compile(r" \(young: [^)]*\)")
"""`for 21 min`, `18 min ago`: true for a minute. A title stays; what shows it says the age beside
it."""


def title(findings: Sequence[Finding]) -> str:
    """One short line: what, where, how many. Does not change with time."""
    text = _AGE.sub("", _YOUNG.sub("", _title(findings)))
    return f"{text} (young)" if leading(findings).young else text


def _title(findings: Sequence[Finding]) -> str:
    lead = leading(findings)
    facts, same = lead.facts, [f for f in findings if f.rule == lead.rule]
    count = len({f.object for f in same})
    rule = lead.rule
    if lead.object.kind == "Cluster":
        return lead.claim.split("; ")[0]
    where = _where(same)
    if rule == "pod-unschedulable":
        detail = str(facts.get("detail") or "")
        why = scheduling_text(str(facts.get("cause")), detail)
        asked = {str(f.facts.get("asked") or "") for f in same}
        more = f": {min(asked)}" if len(asked) == 1 and asked != {""} else ""
        return f"pods pending: {why}{where}{more}"
    if rule == "pod-sandbox-failed":
        causes = {
            "ip-exhausted": "no pod addresses left",
            "cni-not-ready": "network plugin not ready",
            "timeout": "container runtime does not answer",
            "name-reserved": "container runtime does not answer",
            "runtime-down": "container runtime does not answer",
            "memory-limit": "killed for memory as they start",
        }
        why = causes.get(str(facts.get("cause")), "sandbox fails")
        if any(f.facts.get("agent_away") for f in same):
            why = "the network agent is away"
        return f"pods do not start{_on(same)}: {why}"
    if rule == "pod-volume-failed":
        if len({f.facts.get("owner") or f.object.name for f in same}) == 1:
            return f"{lead.facts.get('owner') or lead.object.name}: {lead.claim}"
        return f"volumes do not attach or mount: {count} pods"
    if rule == "pod-config-missing":
        what = f"key {facts.get('key')} of " if facts.get("key") else ""
        return f"{what}{facts.get('kind')} {facts.get('name')} missing{where}"
    if rule == "pod-last-words":
        return _last_words(same)
    if rule == "pod-crash-looping":
        return f"crash loop{where}"
    if rule == "pod-oom-killed":
        return f"killed at the memory limit{where}"
    if rule == "pod-evicted" and facts.get("own_limit"):
        return f"evicted for its own {facts.get('resource')} limit{where}"
    if rule == "pod-evicted":
        return f"pods evicted: {facts.get('resource') or 'node pressure'}"
    if rule == "pod-container-create-failed" and count > 1:
        text = lead.claim.removeprefix("does not start: ")
        return f"{count} pods do not start{_on(same)}: {text.split('cannot be created: ')[-1]}"
    if rule == "pods-rejected-in-bulk":
        return f"{lead.object.name}: {lead.claim}"
    if rule == "pod-image-pull-failed":
        images = {str(f.facts.get("image")) for f in same}
        name = f"image {min(images)}" if len(images) == 1 else "images"
        return f"{name} cannot be pulled ({facts.get('cause')}){where}"
    if rule == "pod-rejected-by-kubelet" and count == 1:
        return f"{lead.object.name}: {lead.claim}"
    if lead.object.kind == "Node" and count > 1:
        return f"{count} nodes: {lead.claim}"
    if rule in (
        "pod-not-ready",
        "pod-not-starting",
        "pod-stuck-terminating",
        "pod-liveness-killed",
        "pod-restarted",
        "pod-container-lost",
    ):
        probe = f"{facts.get('probe_kind') or 'liveness'} probe"
        text = {
            "pod-not-ready": "not ready",
            "pod-not-starting": "does not start",
            "pod-stuck-terminating": "stuck terminating",
            "pod-liveness-killed": f"restarted by its {probe}",
            "pod-restarted": "restarted",
            "pod-container-lost": "lost a container",
        }[rule]
        return f"{text}{where}{_because(lead)}"
    if count > 1:
        others = len({f.object.name for f in same} - {lead.object.name})
        more = f" and {others} more" if others else ""
        return f"{lead.object.name}{more}: {lead.claim}"
    return f"{lead.object.name}: {lead.claim.split('; ')[0]}"


def _last_words(findings: Sequence[Finding]) -> str:
    """`orders exits 1: access denied …`, and how many other workloads fail in the same way."""
    lead = findings[0]
    owner = str(lead.facts.get("owner") or lead.object.name)
    others = {str(f.facts.get("owner") or f.object.name) for f in findings} - {owner}
    more = f" and {len(others)} more" if others else ""
    verb = "" if lead.facts.get("class") else ", "
    return f"{owner}{more} {verb}{lead.claim}"


def _because(finding: Finding) -> str:
    """`; its readiness probe is refused on port 8080`: the reason that a claim gives."""
    why = finding.claim.partition(": ")[2] if finding.facts.get("probe_kind") else ""
    return f"; {why}" if why else ""


def _on(findings: Sequence[Finding]) -> str:
    """The node, when all are on one."""
    nodes = {str(f.facts.get("node") or "") for f in findings}
    return f" on {min(nodes)}" if len(nodes) == 1 and nodes != {""} else ""


def _where(findings: Sequence[Finding]) -> str:
    owners = Counter(str(f.facts.get("owner") or f.object.name) for f in findings)
    pods = len({f.object for f in findings})
    name = min(owners, key=lambda o: (-owners[o], o))
    if len(owners) > 1:
        return f": {pods} pods of {len(owners)} owners"
    return f": {name}" + (f", {pods} pods" if pods > 1 else "")
