"""Groups that fail apart and share what healthy pods or nodes do not have."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.kube.objects import Pod, Ref
from cluster.kube.pods import is_finished
from triage.cohorts import cohort
from triage.cohorts.healthy import COUNTED, HealthyCounts
from triage.facts.cluster_view import ClusterView
from triage.facts.cooperative import Cooperative
from triage.facts.finding import Finding, Severity
from triage.symptoms.groups import Groups
from triage.symptoms.order import same_nodes

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
