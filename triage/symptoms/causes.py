"""Groups findings by cause: keys that explain a finding, and the chains of causes between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import pairwise

from cluster.kube.objects import Pod, Ref
from cluster.kube.owners import WORKLOADS
from cluster.kube.selectors import service_selects
from triage.cohorts import cohort
from triage.cohorts.healthy import COUNTED, HealthyCounts
from triage.facts.addresses import Standing
from triage.facts.cluster_view import ClusterView, is_finished, ref_of
from triage.facts.cooperative import Cooperative
from triage.facts.finding import Fact, Finding, Severity
from triage.facts.finding_index import FindingIndex
from triage.facts.rules.catalogue import EFFECTS
from triage.facts.windows import INCIDENT
from triage.symptoms import unnamed_peers
from triage.symptoms.order import same_nodes

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


_JOINS_NODES = frozenset(
    {
        "nodes-failing-in-turn",
        "nodes-unknown-together",
        "failures-on-new-nodes",
        "leases-stale-together",
    }
)


_JOINS_PODS = frozenset(
    {
        "secret-missing-across-namespaces",
        "secret-keys-lost",
        "new-pods-failing",
        "not-ready-together",
    }
)


class Groups:
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
    elif rule in _JOINS_NODES:
        yield "nodes"
    else:
        yield f"rule:{rule}:{ref.kind}/{ref.namespace}/{ref.name}"


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
        if finding.rule in _JOINS_NODES:
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
                if any(f.facts.get("cause") in _NETWORK for f in index.about(ref)):
                    groups.join(key, f"node:{ref.name}")
            if any(
                f.facts.get("node") in _names(finding)
                for f in index.rule("pod-sandbox-failed")
                if f.facts.get("cause") in _NETWORK
            ):
                for cause in _NETWORK:
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


_NETWORK = ("cni-not-ready", "cni", "network-plugin")


_AGENT = (
    "pod-not-ready",
    "pod-crash-looping",
    "pod-not-starting",
    "pod-image-pull-failed",
    "pod-container-create-failed",
)


def _names(finding: Finding) -> set[str]:
    return {ref.name for ref in finding.related if ref.kind == "Node"}


SYSTEM = frozenset({"control-plane-degraded", "dns-degraded", "ingress-degraded"})


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
    for server, complaint in unnamed_peers.pairs(findings, view):
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
    waiting = [f for f in by_rule.get("pod-sandbox-failed", []) if f.facts.get("cause") in _NETWORK]
    refused = [f for f in by_rule.get("pod-last-words", []) if f.facts.get("role") == "cni"]
    unready = [f for f in by_rule.get("node-not-ready", []) if f.facts["cause"] in _NETWORK]
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


_ALIKE = frozenset(
    {
        "pod-crash-looping",
        "pod-not-ready",
        "pod-liveness-killed",
        "pod-not-starting",
        "pod-container-create-failed",
        "pod-oom-killed",
    }
)


_JOINING = frozenset(cohort.ORDER) - {"owner", "created after", "namespace", "service account"}


def join_shared(
    findings: Iterable[Finding],
    healthy: HealthyCounts,
    first_key: dict[str, str],
    groups: Groups,
    view: ClusterView,
) -> Cooperative[None]:
    """Owners that fail apart and share a node, a zone, an image … that healthy pods do not have
    belong together.

    Three pods of two groups at least, four fifths of all that fail so (p is below 0.05 after
    correction).
    """
    pods: dict[Ref, Pod] = {}
    keys_of: dict[Ref, str] = {}
    for finding in findings:
        if (
            finding.rule in _ALIKE
            and finding.severity is not Severity.INFO
            and first_key[finding.id].startswith("owner:")
        ):
            pod = view.store.get(*finding.object)
            if isinstance(pod, Pod) and not is_finished(pod):
                pods[finding.object] = pod
                keys_of[finding.object] = first_key[finding.id]
    if len(pods) < 3 or len({groups.find(k) for k in keys_of.values()}) < 2:
        return
    refs = sorted(pods)
    for shared in (yield from cohort.of_pods([pods[r] for r in refs], healthy, view)):
        if shared.what not in _JOINING or shared.inside[0] * 5 < shared.inside[1] * 4:
            continue
        having = []
        for number, ref in enumerate(refs, 1):
            if cohort.has(pods[ref], shared.what, shared.value, view):
                having.append(ref)
            if number % COUNTED == 0:
                yield
        if len(having) >= 3:
            for ref in having[1:]:
                groups.join(keys_of[having[0]], keys_of[ref])
            return


def failing_pods(findings: Iterable[Finding], view: ClusterView) -> list[Pod]:
    refs = {
        f.object for f in findings if f.object.kind == "Pod" and f.severity is not Severity.INFO
    }
    return [p for p in (view.store.get(*r) for r in sorted(refs)) if isinstance(p, Pod)]


def join_nodes(findings: list[Finding], groups: Groups, view: ClusterView) -> None:
    """Nodes with the same trouble belong together where they share an attribute (image, kernel,
    kubelet, pool) that the other nodes do not have, or are three of a cluster."""
    for nodes in same_nodes(findings).values():
        names = sorted({ref.name for ref in nodes})
        if len(names) >= 3 or (len(names) == 2 and cohort.of_nodes(names, view)):
            for name in names[1:]:
                groups.join(f"node:{names[0]}", f"node:{name}")
