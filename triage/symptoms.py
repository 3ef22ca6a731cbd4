"""Findings grouped into symptoms: by mechanism and chain of causes, not one for each object.

Each finding has one or more keys; findings that share a key belong together (union-find). Keys say why: the node that failed, the
Secret that is missing, the owner that crashes, the reason why nothing is scheduled. A cluster-wide finding pulls in what it explains.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from cluster.objects import Pod, Ref
from triage import blast, cohort
from triage import changes as change_rules
from triage.finding import ChangeFact, Finding, Severity, SharedAttribute, Symptom
from triage.index import Index
from triage.titles import leading, title
from triage.view import View, is_finished

_ON_NODE = frozenset(
    {
        "pod-not-ready",
        "pod-stuck-terminating",
        "pod-container-lost",
        "pod-restarted",
        "pod-not-starting",
        "pod-evicted",
        "pod-rejected-by-kubelet",
        "pod-crash-looping",
        "pod-oom-killed",
        "pod-liveness-killed",
    }
)
_NODE_TROUBLE = frozenset(
    {
        "node-not-ready",
        "node-system-oom",
        "node-pressure",
        "node-network-unavailable",
        "node-eviction-threshold",
        "node-rebooted",
        "node-problem",
        "restarts-together-on-node",
        "sandboxes-recreated-on-node",
        "pods-stuck-on-node",
        "node-lease-stale",
        "node-disk-reclaim-failed",
        "node-flapping",
        "node-recovered",
        "kubelet-memory-high",
        "node-memory-hot",
        "node-cpu-hot",
        "node-memory-unaccounted",
        "node-cpu-unaccounted",
    }
)
_JOINS_NODES = frozenset({"nodes-failing-in-turn", "nodes-unknown-together", "failures-on-new-nodes", "leases-stale-together"})
_JOINS_PODS = frozenset({"secret-missing-across-namespaces", "secret-keys-lost", "new-pods-failing", "not-ready-together"})
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job", "ReplicaSet")


class _Groups:
    """Union-find over keys."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, key: str) -> str:
        parent = self._parent.setdefault(key, key)
        if parent != key:
            self._parent[key] = parent = self.find(parent)
        return parent

    def join(self, one: str, other: str) -> None:
        first, second = sorted((self.find(one), self.find(other)))
        self._parent[second] = first


def _owner_key(finding: Finding) -> str:
    owner = finding.facts.get("owner")
    if owner:
        return f"owner:{finding.facts.get('owner_kind')}/{finding.object.namespace}/{owner}"
    return f"owner:Pod/{finding.object.namespace}/{finding.object.name}"


def _sick_nodes(index: Index) -> set[str]:
    """Nodes whose own trouble explains trouble of their pods."""
    sick: set[str] = set()
    for rule in (
        "node-not-ready",
        "node-system-oom",
        "restarts-together-on-node",
        "pods-stuck-on-node",
        "node-network-unavailable",
        "node-pressure",
        "node-rebooted",
    ):
        for finding in index.rule(rule):
            if finding.severity is not Severity.INFO:
                sick.add(finding.object.name)
    return sick


def keys(finding: Finding, sick: set[str]) -> Iterator[str]:
    """Why a finding is there, as keys; the first is its own."""
    rule, ref, facts = finding.rule, finding.object, finding.facts
    node = str(facts.get("node") or "")
    if ref.kind == "Node":
        yield f"node:{ref.name}" if rule in _NODE_TROUBLE else f"rule:{rule}"
    elif rule in _ON_NODE and node in sick:
        yield f"node:{node}"
    elif rule == "pod-unschedulable":
        yield f"unschedulable:{facts.get('cause')}"
    elif rule == "pod-config-missing":
        yield f"config:{facts.get('kind')}/{ref.namespace}/{facts.get('name')}"
        yield _owner_key(finding)
    elif rule == "pod-sandbox-failed":
        cause = facts.get("cause")
        yield f"node:{node}" if cause in ("timeout", "name-reserved", "other", "no-space") else f"sandbox:{cause}"
    elif rule == "pod-volume-failed":
        yield "volumes"
        yield _owner_key(finding)
    elif rule in ("volume-attachment-failed", "volume-failed", "claim-pending"):
        yield "volumes"
    elif rule == "pod-evicted":
        yield f"evicted:{facts.get('resource')}"
    elif rule in ("pod-rejected-by-kubelet", "pods-rejected-in-bulk"):
        yield f"rejected:{facts.get('reason')}"
    elif rule == "pod-preempted":
        yield "preempted"
    elif rule == "pod-image-pull-failed":
        yield f"image:{facts.get('image')}" if facts.get("cause") in ("not-found", "invalid-name") else f"registry:{facts.get('registry')}"
        yield _owner_key(finding)
    elif ref.kind == "Pod":
        yield _owner_key(finding)
    elif rule == "create-failed":
        yield f"create:{facts.get('cause')}/{facts.get('detail')}" if facts.get("detail") else f"create:{ref}"
        yield f"owner:{ref.kind}/{ref.namespace}/{ref.name}"
    elif rule == "quota-exceeded":
        yield f"create:quota/{facts.get('quota')}"
    elif ref.kind in _WORKLOADS:
        yield f"owner:{ref.kind}/{ref.namespace}/{ref.name}"
    elif ref.kind == "Service":
        yield f"service:{ref.namespace}/{ref.name}"
    elif rule in _JOINS_NODES:
        yield "nodes"
    else:
        yield f"rule:{rule}:{ref.kind}/{ref.namespace}/{ref.name}"


def group(view: View, index: Index, changes: tuple[ChangeFact, ...]) -> tuple[Symptom, ...]:
    """All symptoms, worst and oldest first. Notes (info) that stand alone are gathered by their rule."""
    findings = list(index.all())
    sick = _sick_nodes(index)
    groups = _Groups()
    first_key: dict[str, str] = {}
    loud: list[Finding] = []
    for finding in findings:
        own = list(keys(finding, sick))
        first_key[finding.id] = own[0]
        if finding.severity is Severity.INFO and finding.object.kind != "Pod" and finding.rule not in _NODE_TROUBLE:
            continue
        loud.append(finding)
        for key in own[1:]:
            groups.join(own[0], key)
    _join_causes(loud, first_key, groups, index, view)
    _join_chains(loud, first_key, groups)
    _join_shared(loud, first_key, groups, index, view)
    members: dict[str, list[Finding]] = {}
    for finding in findings:
        members.setdefault(groups.find(first_key[finding.id]), []).append(finding)
    quiet: dict[str, list[Finding]] = {}
    result: list[Symptom] = []
    failing = _failing_pods(findings, view)
    for key, group_ in sorted(members.items()):
        if all(f.severity is Severity.INFO for f in group_):
            for finding in group_:
                quiet.setdefault(finding.rule, []).append(finding)
        else:
            result.append(_symptom(key, group_, view, index, changes, failing))
    for rule, group_ in sorted(quiet.items()):
        result.append(_symptom(f"note:{rule}", group_, view, index, changes, failing))
    result.sort(key=lambda s: (s.severity.rank, s.since or view.now, s.id))
    return tuple(result)


def _join_causes(findings: Iterable[Finding], first_key: dict[str, str], groups: _Groups, index: Index, view: View) -> None:
    """Let the findings over the whole cluster pull in what they explain."""
    for finding in findings:
        key = first_key[finding.id]
        if finding.rule in _JOINS_NODES:
            for ref in finding.related:
                if ref.kind == "Node":
                    groups.join(key, f"node:{ref.name}")
            if finding.rule == "failures-on-new-nodes":
                for ref in finding.related:
                    for cause in ("cni-not-ready", "cni"):
                        if any(f.facts.get("node") == ref.name and f.facts.get("cause") == cause for f in index.rule("pod-sandbox-failed")):
                            groups.join(key, f"sandbox:{cause}")
        elif finding.rule in _JOINS_PODS:
            for ref in finding.related:
                for other in index.about(ref):
                    if other.rule in ("pod-config-missing", "pod-crash-looping", "pod-not-ready", "pod-container-create-failed"):
                        groups.join(key, first_key[other.id])
        elif finding.rule == "service-no-endpoints":
            service = view.store.get(*finding.object)
            if service is None:
                continue
            for other in index.all():
                if (
                    other.object.kind == "Pod"
                    and other.severity is not Severity.INFO
                    and other.object.namespace == finding.object.namespace
                ):
                    pod = view.store.get(*other.object)
                    if isinstance(pod, Pod) and service in view.services_of(pod):
                        groups.join(first_key[other.id], key)
                        break
        elif finding.rule in _SYSTEM:
            for ref in finding.related:
                for other in index.about(ref):
                    if other.severity is not Severity.INFO:
                        groups.join(key, first_key[other.id])
        elif finding.rule in ("workload-unavailable", "workload-degraded", "rollout-stuck", "daemonset-short"):
            for pod in view.pods_of(finding.object):
                for other in index.about(Ref("Pod", pod.metadata.namespace, pod.metadata.name)):
                    if other.severity is not Severity.INFO:
                        groups.join(first_key[other.id], key)


_SYSTEM = frozenset({"control-plane-degraded", "dns-degraded", "ingress-degraded"})
_CONTROL_PLANE = (
    "etcd-errors-in-messages",
    "leader-changes",
    "api-errors-in-messages",
    "nodes-unknown-together",
    "leases-stale-together",
    "ready-check-failed",
    "api-slow",
)


def _join_chains(findings: list[Finding], first_key: dict[str, str], groups: _Groups) -> None:
    """Chains of causes between whole groups: what follows from DNS, from the control plane, from a flood of Jobs."""
    by_rule: dict[str, list[Finding]] = {}
    for finding in findings:
        by_rule.setdefault(finding.rule, []).append(finding)

    def join(cause: Finding, effects: Iterable[Finding], slack: int = 120) -> None:
        for effect in effects:
            late = cause.since is None or effect.since is None or (effect.since - cause.since).total_seconds() >= -slack
            if late:
                groups.join(first_key[cause.id], first_key[effect.id])

    for dns in by_rule.get("dns-degraded", []):
        join(dns, [*by_rule.get("not-ready-together", []), *by_rule.get("dns-lookups-failing", [])])
    plane = [f for f in by_rule.get("control-plane-degraded", []) if f.facts.get("component") in ("kube-apiserver", "etcd")]
    told = [f for rule in _CONTROL_PLANE for f in by_rule.get(rule, [])]
    if plane or told:
        plane = by_rule.get("control-plane-degraded", [])
    for one, other in zip([*plane, *told], [*plane, *told][1:], strict=False):
        groups.join(first_key[one.id], first_key[other.id])
    for finding in [f for f in plane if f.facts.get("component") in ("kube-apiserver", "etcd")]:
        join(finding, [f for f in by_rule.get("ingress-degraded", []) if not f.facts.get("oom_killed")])
    for flood in by_rule.get("cronjob-flood", []):
        mine = (flood.object.namespace, flood.object.name)
        for cause in {str(f.facts.get("cause")) for f in by_rule.get("pod-unschedulable", [])}:
            pending = [f for f in by_rule["pod-unschedulable"] if f.facts.get("cause") == cause]
            own = [f for f in pending if (f.object.namespace, f.facts.get("owner")) == mine]
            if len(own) * 2 >= len(pending):
                join(flood, pending)
        join(flood, [f for f in (*by_rule.get("quota-exceeded", []), *by_rule.get("create-failed", [])) if f.object.namespace == mine[0]])
        join(flood, [f for f in plane if f.facts.get("component") == "kube-apiserver" and f.facts.get("oom_killed")])


_ALIKE = frozenset(
    {"pod-crash-looping", "pod-not-ready", "pod-liveness-killed", "pod-not-starting", "pod-container-create-failed", "pod-oom-killed"}
)
_JOINING = frozenset(cohort.ORDER) - {"owner", "created after", "namespace", "service account"}


def _join_shared(findings: Iterable[Finding], first_key: dict[str, str], groups: _Groups, index: Index, view: View) -> None:
    """Owners that fail apart and share a node, a zone, an image … that healthy pods do not have belong together.

    Three pods of two groups at least, four fifths of all that fail so (p is below 0.05 after correction).
    """
    pods: dict[Ref, Pod] = {}
    keys_of: dict[Ref, str] = {}
    for finding in findings:
        if finding.rule in _ALIKE and finding.severity is not Severity.INFO and first_key[finding.id].startswith("owner:"):
            pod = view.store.get(*finding.object)
            if isinstance(pod, Pod) and not is_finished(pod):
                pods[finding.object] = pod
                keys_of[finding.object] = first_key[finding.id]
    if len(pods) < 3 or len({groups.find(k) for k in keys_of.values()}) < 2:
        return
    refs = sorted(pods)
    for shared in cohort.of_pods([pods[r] for r in refs], _failing_pods(findings, view), index.population, view):
        if shared.what not in _JOINING or shared.inside[0] * 5 < shared.inside[1] * 4:
            continue
        having = [r for r in refs if cohort.has(pods[r], shared.what, shared.value, view)]
        if len(having) >= 3:
            for ref in having[1:]:
                groups.join(keys_of[having[0]], keys_of[ref])
            return


def _failing_pods(findings: Iterable[Finding], view: View) -> list[Pod]:
    refs = {f.object for f in findings if f.object.kind == "Pod" and f.severity is not Severity.INFO}
    return [p for p in (view.store.get(*r) for r in sorted(refs)) if isinstance(p, Pod)]


def _symptom(key: str, findings: list[Finding], view: View, index: Index, changes: tuple[ChangeFact, ...], failing: list[Pod]) -> Symptom:
    findings = sorted(findings, key=lambda f: (f.severity.rank, f.since or view.now, f.id))
    severity = findings[0].severity
    times = [f.since for f in findings if f.since is not None and (f.severity is not Severity.INFO or severity is Severity.INFO)]
    since = min(times, default=None)
    objects = _objects(findings)
    return Symptom(
        id=key,
        title=title(findings),
        severity=severity,
        since=since,
        objects=objects,
        findings=tuple(findings),
        shared=_shared(findings, objects, view, index, failing) if severity is not Severity.INFO else (),
        changes=related_changes(findings, objects, since, changes, view),
        blast=blast.dependants(objects, view) if severity is not Severity.INFO else (),
        mechanism=leading(findings).rule,
    )


def _objects(findings: list[Finding]) -> tuple[Ref, ...]:
    """What is affected: objects of the findings that count, of the rest when none does; then what cluster-wide findings relate to."""
    worst = findings[0].severity
    found: dict[Ref, None] = {}
    for finding in findings:
        if finding.object.kind != "Cluster" and (finding.severity is not Severity.INFO or worst is Severity.INFO):
            found[finding.object] = None
    if not found:
        for finding in findings:
            found.update(dict.fromkeys(finding.related))
    return tuple(found)


def _shared(findings: list[Finding], objects: tuple[Ref, ...], view: View, index: Index, failing: list[Pod]) -> tuple[SharedAttribute, ...]:
    refs = [r for r in objects if r.kind == "Pod"]
    pods = [p for p in (view.store.get(*r) for r in refs) if isinstance(p, Pod) and not is_finished(p)]
    nodes = [r.name for r in objects if r.kind == "Node"]
    found: list[SharedAttribute] = []
    lead = leading(findings)
    if lead.rule == "cronjob-flood" and lead.since is not None:
        found.append(_flood(lead, view, index))
    elif lead.rule in _SYSTEM:
        # what began it, before what followed from it
        origin = [p for p in (view.store.get(*r) for r in lead.related) if isinstance(p, Pod) and not is_finished(p)]
        found.extend(cohort.of_pods(origin, failing, index.population, view, limit=3))
    if len(nodes) == 1:
        # one node: what happened to its pods says whether it is the node, notes included
        more = {r for f in findings for r in (f.object, *f.related) if r.kind == "Pod"}
        pods = [p for p in (view.store.get(*r) for r in sorted(more)) if isinstance(p, Pod) and not is_finished(p)]
        found.extend(s for s in cohort.of_pods(pods, failing, index.population, view) if s.what == "node")
    for finding in findings:
        if finding.rule == "daemonset-image-drift":
            found.extend(_drift(finding))
        elif finding.rule == "nodes-failing-in-turn":
            found.extend(_suspect(finding, view))
    if len(nodes) >= 2:
        found.extend(cohort.of_nodes(nodes, view))
    if len(pods) >= 2 and not nodes:
        found.extend(cohort.of_pods(pods, failing, index.population, view))
    first: dict[tuple[str, str], SharedAttribute] = {}
    for shared in found:
        first.setdefault((shared.what, shared.value), shared)
    return tuple(first.values())


def _flood(finding: Finding, view: View, index: Index) -> SharedAttribute:
    """How many of the pods created since a flood began are of its CronJob, against the pods before."""
    assert finding.since is not None
    mine = sum(1 for p in view.pods_of(finding.object) if not is_finished(p))
    since = max(index.population.created_since(finding.since), mine)
    before = max(index.population.total - since, 0)
    return SharedAttribute("owner", str(finding.object), (mine, since), (0, before), cohort.fisher(mine, since, 0, before))


def _suspect(finding: Finding, view: View) -> Iterator[SharedAttribute]:
    """The owner that was on the failed nodes, with the p of the best of all owners tried (Bonferroni)."""
    on, nodes, elsewhere, tried = (_count(finding, name) for name in ("suspect_on", "nodes", "suspect_elsewhere", "owners_tried"))
    others = max(0, view.store.count("Node") - nodes)
    if finding.facts["suspect"] and on >= 2:
        p = cohort.fisher(on, nodes, min(elsewhere, others), others) * max(tried, 1)
        yield SharedAttribute("owner", str(finding.facts["suspect"]), (on, nodes), (min(elsewhere, others), others), min(1.0, p))


def _count(finding: Finding, name: str) -> int:
    value = finding.facts.get(name)
    return value if isinstance(value, int) else 0


def _drift(finding: Finding) -> Iterator[SharedAttribute]:
    odd, usual = _count(finding, "odd"), _count(finding, "usual")
    nodes = finding.facts["odd_nodes"]
    if isinstance(nodes, tuple) and len(nodes) == 1:
        digest = str(finding.facts.get("odd_digest") or "")
        p = cohort.fisher(odd, odd, 0, usual)
        yield SharedAttribute("node", nodes[0], (odd, odd), (0, usual), p, (f"image digest {digest}",))
        yield SharedAttribute("image digest", digest, (odd, odd), (0, usual), p, (f"node {nodes[0]}",))


def related_changes(
    findings: list[Finding], objects: tuple[Ref, ...], since: datetime | None, changes: Iterable[ChangeFact], view: View
) -> tuple[ChangeFact, ...]:
    """The changes before or around a symptom, by relation to its objects and closeness in time."""
    direct = set(objects) | {r for f in findings for r in f.related}
    namespaces = {r.namespace for r in objects if r.namespace}
    owners: set[Ref] = set()
    nodes: set[str] = {r.name for r in direct if r.kind == "Node"}
    for ref in list(direct):
        row = view.store.get(*ref) if ref.kind == "Pod" else None
        if isinstance(row, Pod):
            owners.add(view.owner(row))
            if row.spec.node_name:
                nodes.add(row.spec.node_name)
    quiet = all(f.severity is Severity.INFO for f in findings)
    wide = not quiet and any(f.object.kind == "Cluster" for f in findings)
    wide = wide or (not quiet and (len(nodes) > 1 or len(namespaces) > 2))
    has_nodes = any(r.kind == "Node" for r in objects)
    managers = {str(f.facts.get(name)) for f in findings for name in ("manager", "supplier", "edited_by") if f.facts.get(name)}

    def relation(change: ChangeFact) -> int:
        if change.rule == "secrets-written-together":
            return 0 if change.manager in managers else 1
        if change.object.name in managers and change.object.kind in _WORKLOADS:
            return 0  # the supplier itself was changed
        if change.rule in ("workload-created", "service-edited", "ingress-edited", "autoscaler-edited"):
            return 1 if change.object in owners or change.object in direct or change.object.namespace in namespaces else 3 if wide else -1
        if change.object in direct or change.object in owners or (change.manager and change.manager in managers):
            return 0
        if change.object.kind == "Node":
            return 0 if change.object.name in nodes else -1
        if change.object.namespace and change.object.namespace in namespaces:
            return 1
        if change.rule in ("rollout", "scaled", "workload-created", "workload-edited") and (has_nodes or wide):
            return 2
        if change.rule in ("webhook-edited", "crd-edited", "rbac-edited", "helm-release", "secrets-written-together", "policy-edited") and (
            wide or has_nodes
        ):
            return 2
        return 3 if wide else -1

    return change_rules.rank(changes, since, relation)
