"""Deletions that hang: namespaces that wait for an aggregated API, or for objects whose finalizer
nobody removes (kubernetes/kubernetes#60807)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from cluster.kube.objects import Namespace, Ref
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import condition_evidence, make

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
        why = f"waits for the finalizer {finalizer[1]} of {finalizer[2]} objects"
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
