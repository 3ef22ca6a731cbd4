"""The control plane of a service mesh that is down, with the sidecars that wait for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from cluster.kube.images import parse
from cluster.kube.objects import Deployment, Pod, Ref, StatefulSet
from cluster.kube.pods import statuses
from triage.detectors.registry import cluster_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Finding, Severity
from triage.facts.finding_builder import field_evidence, make
from triage.facts.finding_index import FindingIndex
from triage.facts.messages.wording import first_owners

_MESHES = (
    ("Istio", "istio-proxy", re.compile(r"(^|/)pilot$")),
    ("Linkerd", "linkerd-proxy", re.compile(r"(^|/)linkerd/(controller|identity)$")),
    ("Consul", "consul-dataplane", re.compile(r"(^|/)consul(-enterprise)?$")),
    ("Kuma", "kuma-sidecar", re.compile(r"(^|/)kuma-cp$")),
)
"""The name that each mesh gives to the sidecars that it injects, and the image of what they get
their configuration and certificates from."""
_SLACK = timedelta(minutes=5)
"""Longest delay between the sidecars of a workload that is down and its own status."""


@cluster_detector
def mesh(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """A mesh whose control plane has no ready replica while sidecars of other workloads are not
    ready: new sidecars get no configuration, and no certificate."""
    down = [f for f in index.rule("workload-unavailable") if f.severity is not Severity.INFO]
    for name, sidecar, image in _MESHES if down else ():
        planes = [f for f in down if _runs(f.object, image, view)]
        if not planes:
            continue
        plane = min(planes, key=lambda f: (f.since or view.now, f.id))
        waiting: list[tuple[Ref, Ref]] = []
        for finding in index.rule("pod-not-ready"):
            pod = view.store.get(*finding.object)
            late = not (plane.since and finding.since) or finding.since >= plane.since - _SLACK
            if isinstance(pod, Pod) and late and _waits(pod, sidecar):
                owner = view.owner(pod)
                if all(owner != each.object for each in planes):
                    waiting.append((owner, ref_of(pod)))
        owners = {owner for owner, _ in waiting}
        if not owners:
            continue
        named = first_owners((owner.namespace, owner.name) for owner in owners)
        yield make(
            "mesh-degraded",
            plane.object,
            f"the control plane of the mesh {name}: {plane.claim}; sidecars of {named} are not "
            "ready",
            Severity.CRITICAL,
            "no replica of a mesh's control plane is ready, and sidecars wait for it",
            since=plane.since,
            source=plane.since_source,
            evidence=[
                *plane.evidence[:1],
                *(
                    field_evidence(ref, f"status.containerStatuses[{sidecar}].ready", "false")
                    for _, ref in waiting[:3]
                ),
            ],
            related=[ref for _, ref in waiting[:300]],
            facts={"mesh": name, "owners": len(owners), "pods": len(waiting)},
        )


def _runs(ref: Ref, image: re.Pattern[str], view: ClusterView) -> bool:
    row = view.store.get(*ref)
    if not isinstance(row, (Deployment, StatefulSet)):
        return False
    spec = row.spec.template.spec
    return any(image.search(parse(c.image).repository) for c in spec.containers)


def _waits(pod: Pod, sidecar: str) -> bool:
    """Whether its sidecar, an init container that keeps running or a container, is not ready."""
    return any(status.name == sidecar and not status.ready for status in statuses(pod))
