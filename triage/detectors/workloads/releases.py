"""Helm releases that an interrupted run left pending, by the labels of their Secrets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from cluster.kube.objects import PartialObject, Ref
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import field_evidence, make
from triage.facts.windows import NOTE_AFTER, STANDING

WAITING = timedelta(minutes=10)
"""`helm --wait` gives up after 5 min by default; hooks may run before and after that."""


@object_detector("Secret")
def pending(row: PartialObject, view: ClusterView) -> Iterator[Finding]:
    """The newest revision of a release has the status pending-install, -upgrade or -rollback: Helm
    refuses each later run (helm pkg/action, errPending). A release that nobody has touched for a
    day is a note."""
    labels, created = row.metadata.labels, row.metadata.creation_timestamp
    status, release = labels.get("status", ""), labels.get("name", "")
    if labels.get("owner") != "helm" or not status.startswith("pending-") or created is None:
        return
    if not view.older(created, NOTE_AFTER) or _superseded(row, view):
        return
    ref = Ref("Secret", row.metadata.namespace, row.metadata.name)
    yield make(
        "helm-release-pending",
        ref,
        f"Helm release {release} stays {status}: each later run "
        "is refused (another operation is in progress)",
        Severity.INFO if view.older(created, STANDING) else Severity.WARNING,
        "pending for over 10 min; a note after a day",
        since=created,
        source=SinceSource.CREATION,
        young=view.young(created, WAITING),
        evidence=[field_evidence(ref, "metadata.labels.status", status, created)],
        facts={"release": release, "status": status, "revision": _revision(row)},
    )


def _superseded(row: PartialObject, view: ClusterView) -> bool:
    """Whether the release has a newer revision."""
    labels = row.metadata.labels
    others = view.store.in_namespace("Secret", row.metadata.namespace).values()
    return any(
        isinstance(other, PartialObject)
        and other.metadata.labels.get("owner") == "helm"
        and other.metadata.labels.get("name") == labels.get("name")
        and _revision(other) > _revision(row)
        for other in others
    )


def _revision(row: PartialObject) -> int:
    text = row.metadata.labels.get("version", "")
    return int(text) if text.isdecimal() else 0
