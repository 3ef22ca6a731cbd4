"""Deletions that hang: namespaces that wait for an aggregated API or for objects with a finalizer
that stays (kubernetes/kubernetes#60807), and objects whose finalizer stays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from cluster.kube import durations
from cluster.kube.objects import Namespace, Object, ObjectReference, PersistentVolume, Pod, Ref
from cluster.kube.pods import has_ended, is_finished
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import condition_evidence, event_evidence, field_evidence, make
from triage.facts.messages.wording import quoted
from triage.facts.windows import NOTE_AFTER, RECENT, TERMINATION_GRACE

GRACE = timedelta(minutes=10)
"""A namespace with many objects takes minutes to go."""

_CAUSES = {
    "NamespaceDeletionDiscoveryFailure": "discovery",
    "NamespaceDeletionGroupVersionParsingFailure": "discovery",
    "NamespaceFinalizersRemaining": "finalizers",
    "NamespaceDeletionContentFailure": "content",
    "NamespaceContentRemaining": "content",
}
"""Condition -> cause, the one that explains most first."""
_FINALIZER = re.compile(r"remaining: (\S+) in (\d+) resource")
_API = re.compile(r"server APIs: ([\w.-]+/\w+)")


@object_detector("Namespace")
def stuck_namespace(row: Namespace, view: ClusterView) -> Iterator[Finding]:
    """A namespace that is Terminating for longer than the grace."""
    since = row.metadata.deletion_timestamp
    if since is None or not view.older(since, GRACE):
        return
    true = {c.type: c for c in row.status.conditions if c.status == "True"}
    deciding = next((true[kind] for kind in _CAUSES if kind in true), None)
    cause = _CAUSES[deciding.type] if deciding is not None else "other"
    message = deciding.message if deciding is not None else ""
    finalizer, api = _FINALIZER.search(message), _API.search(message)
    ref = Ref("Namespace", "", row.metadata.name)
    why = message or "no condition says why"
    if finalizer is not None:
        why = f"waits for the finalizer {finalizer[1]} of {finalizer[2]} object"
        why += "" if finalizer[2] == "1" else "s"
    elif api is not None:
        why = f"the API {api[1]} does not answer, so its objects cannot be listed"
    yield make(
        "namespace-stuck",
        ref,
        f"cannot be deleted: {why}",
        Severity.WARNING,
        "Terminating for longer than ten minutes",
        since=since,
        source=SinceSource.STATUS,
        evidence=[condition_evidence(ref, deciding)] if deciding is not None else [],
        facts={
            "cause": cause,
            "finalizer": finalizer[1] if finalizer is not None else "",
            "api": api[1] if api is not None else "",
        },
    )


_KINDS = (
    "PersistentVolumeClaim",
    "PersistentVolume",
    "Service",
    "Node",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "ReplicaSet",
    "Job",
    "CronJob",
    "Ingress",
    "VolumeAttachment",
)


@object_detector(*_KINDS)
def stuck(row: Object, view: ClusterView) -> Iterator[Finding]:
    """An object that is deleted and stays for longer than the grace, for its finalizer."""
    yield from _stuck(ref_of(row), row, view)


@object_detector("CustomResourceDefinition")
def stuck_definition(row: Object, view: ClusterView) -> Iterator[Finding]:
    """As `stuck`: objects of the kind remain, or the API does not answer."""
    yield from _stuck(Ref("CustomResourceDefinition", "", row.metadata.name), row, view)


@object_detector("Pod")
def stuck_pod(pod: Pod, view: ClusterView) -> Iterator[Finding]:
    """As `stuck`, once the kubelet has done its part: no container runs. The API server has removed
    a pod without finalizers by then."""
    if has_ended(pod):
        yield from _stuck(ref_of(pod), pod, view, TERMINATION_GRACE)


def _stuck(ref: Ref, row: Object, view: ClusterView, grace: timedelta = GRACE) -> Iterator[Finding]:
    since, finalizers = row.metadata.deletion_timestamp, row.metadata.finalizers
    if since is None or not finalizers or not view.older(since, 4 * NOTE_AFTER):
        return
    failed = [
        e for e in view.events.about(ref) if e.type == "Warning" and view.now - e.last <= RECENT
    ]
    why, related = _holder(ref, row, finalizers[0], view)
    said = f" ({quoted(failed[-1].message)})" if failed else ""
    yield make(
        "deletion-stuck",
        ref,
        f"cannot be deleted: its finalizer {finalizers[0]} stays: {why}{said}",
        Severity.WARNING,
        f"being deleted for longer than {durations.words(grace)}",
        since=since,
        source=SinceSource.STATUS,
        young=view.young(since, grace),
        evidence=[
            field_evidence(ref, "metadata.finalizers", ", ".join(finalizers), since),
            *(event_evidence(e) for e in failed[-1:]),
        ],
        related=related,
        facts={"finalizer": finalizers[0], "finalizers": finalizers},
    )


def _holder(ref: Ref, row: Object, finalizer: str, view: ClusterView) -> tuple[str, list[Ref]]:
    """What a finalizer waits for, in words, and the objects that hold it."""
    if finalizer == "kubernetes.io/pvc-protection":
        users = [
            ref_of(p)
            for p in view.store.in_namespace("Pod", ref.namespace).values()
            if not is_finished(p) and ref.name in p.spec.claims
        ]
        return (f"{users[0]} still uses it", users[:10]) if users else (_NO_HOLDER, [])
    if finalizer == "kubernetes.io/pv-protection" and isinstance(row, PersistentVolume):
        claim = row.spec.claim_ref
        if claim is not None and view.store.get("PersistentVolumeClaim", *_key(claim)) is not None:
            bound = Ref("PersistentVolumeClaim", *_key(claim))
            return f"{bound} is still bound to it", [bound]
        return _NO_HOLDER, []
    if finalizer == "foregroundDeletion":
        left = [Ref(kind, *key) for kind, key in view.store.owned_by(row.metadata.uid)]
        return (
            (f"{len(left)} dependants remain, {left[0]}", left[:10]) if left else (_NO_HOLDER, [])
        )
    return _FINALIZERS.get(finalizer, _NO_HOLDER), []


def _key(claim: ObjectReference) -> tuple[str, str]:
    return claim.namespace, claim.name


_NO_HOLDER = "the controller that set it does not remove it"
_FINALIZERS = {
    "batch.kubernetes.io/job-tracking": "the Job controller has not counted it",
    "service.kubernetes.io/load-balancer-cleanup": "the cloud has not removed its load balancer",
    "customresourcecleanup.apiextensions.k8s.io": "objects of its kind remain",
    "external-provisioner.volume.kubernetes.io/finalizer": "the driver has not deleted the volume",
}
