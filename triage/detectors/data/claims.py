"""Volume claims that are not bound or not resized, with the mechanism: class, volumes that do not
fit, provisioner, lost volume."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from cluster.kube.objects import PersistentVolumeClaim, Pod
from cluster.kube.pods import is_finished
from triage.detectors.data.unbound import CONSUMER, FAILED, events_of, unbound
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.events import EventFact
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import condition_evidence, event_evidence, field_evidence, make
from triage.facts.messages.wording import inner_words, quoted
from triage.facts.windows import NOTE_AFTER, READY_GRACE, RECENT, SCHEDULE_GRACE

_SELECTED = "volume.kubernetes.io/selected-node"
"""The scheduler's annotation on a claim whose class binds on the first consumer."""


@object_detector("PersistentVolumeClaim")
def claim(row: PersistentVolumeClaim, view: ClusterView) -> Iterator[Finding]:
    """Pending, and provisioning failed or a pod waits for it; Lost. WaitForFirstConsumer without a
    pod is healthy."""
    phase = row.status.phase
    created = row.metadata.creation_timestamp
    if phase not in ("Pending", "Lost") or not view.older(created, NOTE_AFTER):
        return
    ref = ref_of(row)
    shown = events_of(row, view)
    failed = [e for e in shown if e.reason in FAILED]
    waiting = [
        p
        for p in view.store.in_namespace("Pod", ref.namespace).values()
        if not is_finished(p) and ref.name in p.spec.claims
    ]
    if not waiting and not failed and phase != "Lost":
        return
    cause, why = unbound(row, view)
    since, source = _since(row, waiting, shown, view)
    slow = cause in ("first-consumer", "provisioner-away")  # both are said of what soon succeeds
    yield make(
        "claim-pending",
        ref,
        f"not bound: {why}",
        Severity.INFO if cause == "first-consumer" else Severity.WARNING,
        "a claim that a pod needs is not bound (a note where it only waits for the pod)",
        since=since,
        source=source,
        young=view.young(created, READY_GRACE if slow else SCHEDULE_GRACE),
        evidence=[event_evidence(e) for e in shown[-2:]]
        or [field_evidence(ref, "status.phase", phase)],
        related=[ref_of(p) for p in waiting[:10]],
        facts={
            "storage_class": row.spec.storage_class_name or "",
            "reason": shown[-1].reason if shown else phase,
            "cause": cause,
        },
    )


def _since(
    row: PersistentVolumeClaim,
    waiting: Sequence[Pod],
    shown: Sequence[EventFact],
    view: ClusterView,
) -> tuple[datetime | None, SinceSource]:
    """The first sign and where it stands. A pending claim was never bound (Kubernetes, Persistent
    Volumes, Phase), so it waits from its creation, or from its first pod where its class binds on
    the first consumer; a series of events may have begun long after that. A lost claim was bound,
    and only its events tell until when."""
    first = min((e.first for e in shown if e.type == "Warning"), default=None)
    created = row.metadata.creation_timestamp
    if row.status.phase == "Lost":
        return first or created, SinceSource.EVENT if first else SinceSource.CREATION
    consumer = _SELECTED in row.metadata.annotations or any(
        e.reason in CONSUMER for e in view.events.about(ref_of(row))
    )
    asked = [p.metadata.creation_timestamp for p in waiting if p.metadata.creation_timestamp]
    if not consumer or created is None or not asked:
        return created, SinceSource.CREATION
    begun = max(created, min(asked))
    if first is not None and first < begun:  # an earlier pod waited
        return first, SinceSource.EVENT
    return begun, SinceSource.CREATION


@object_detector("PersistentVolumeClaim")
def resize(row: PersistentVolumeClaim, view: ClusterView) -> Iterator[Finding]:
    """A larger size that is not there yet: refused by the driver, or waiting for the file system to
    be grown when a pod mounts it again."""
    if row.status.phase != "Bound":
        return
    ref = ref_of(row)
    failed = [
        e
        for e in view.events.about(ref)
        if e.reason in ("VolumeResizeFailed", "FileSystemResizeFailed")
        and view.now - e.last <= RECENT
    ]
    pending = next(
        (
            c
            for c in row.status.conditions
            if c.status == "True" and c.type in ("FileSystemResizePending", "Resizing")
        ),
        None,
    )
    if pending is None or not (failed or view.older(pending.last_transition_time, READY_GRACE)):
        return
    wanted = row.spec.resources.requests.get("storage", "?")
    size = row.status.capacity.get("storage", "?")
    why = "its file system grows when a pod mounts it again"
    if failed:
        why = quoted(inner_words(failed[-1].message))
    elif pending.type == "Resizing":
        why = "the driver has not done it"
    yield make(
        "claim-resize-pending",
        ref,
        f"stays at {size} of {wanted} wanted: {why}",
        Severity.WARNING,
        "a resize that does not end within 5 min",
        since=pending.last_transition_time,
        source=SinceSource.CONDITION,
        evidence=[condition_evidence(ref, pending), *(event_evidence(e) for e in failed[-1:])],
        facts={"cause": "failed" if failed else pending.type, "wanted": wanted, "size": size},
    )
