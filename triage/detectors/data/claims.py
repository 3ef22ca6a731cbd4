"""Volume claims that are not bound or not resized, with the mechanism: class, volumes that do not
fit, provisioner, lost volume."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from cluster.kube.objects import PersistentVolume, PersistentVolumeClaim, Pod
from cluster.kube.selectors import matches
from triage.detectors.registry import object_detector
from triage.facts import quantity
from triage.facts.cluster_view import ClusterView, is_finished, ref_of
from triage.facts.events import EventFact
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import condition_evidence, event_evidence, field_evidence, make
from triage.facts.messages.wording import inner_words, quoted
from triage.facts.windows import NOTE_AFTER, READY_GRACE, RECENT, SCHEDULE_GRACE

_CONSUMER = ("WaitForFirstConsumer", "WaitForPodScheduled")
_TOLD = (
    "ProvisioningFailed",
    "FailedBinding",
    "VolumeMismatch",
    "ExternalProvisioning",
    *_CONSUMER,
    "ClaimLost",
    "ClaimMisbound",
)
_CLASS = re.compile(r"storageclass(?:\.storage\.k8s\.io)? \"([^\"]+)\" not found", re.IGNORECASE)
_SELECTED = "volume.kubernetes.io/selected-node"
"""The scheduler's annotation on a claim whose class binds on the first consumer."""
_BY = re.compile(r"external provisioner '([^']+)'")


@object_detector("PersistentVolumeClaim")
def claim(row: PersistentVolumeClaim, view: ClusterView) -> Iterator[Finding]:
    """Pending, and provisioning failed or a pod waits for it; Lost. WaitForFirstConsumer without a
    pod is healthy."""
    phase = row.status.phase
    created = row.metadata.creation_timestamp
    if phase not in ("Pending", "Lost") or not view.older(created, NOTE_AFTER):
        return
    ref = ref_of(row)
    events = [
        e for e in view.events.about(ref) if e.reason in _TOLD and view.now - e.last <= RECENT
    ]
    failed = [e for e in events if e.reason in ("ProvisioningFailed", "VolumeMismatch")]
    waiting = [
        p
        for p in view.store.in_namespace("Pod", ref.namespace).values()
        if not is_finished(p) and ref.name in p.spec.claims
    ]
    if not waiting and not failed and phase != "Lost":
        return
    cause, why = _cause(row, failed or events, view)
    shown = failed or events
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
        e.reason in _CONSUMER for e in view.events.about(ref_of(row))
    )
    asked = [p.metadata.creation_timestamp for p in waiting if p.metadata.creation_timestamp]
    if not consumer or created is None or not asked:
        return created, SinceSource.CREATION
    begun = max(created, min(asked))
    if first is not None and first < begun:  # an earlier pod waited
        return first, SinceSource.EVENT
    return begun, SinceSource.CREATION


def _cause(
    row: PersistentVolumeClaim, events: Sequence[EventFact], view: ClusterView
) -> tuple[str, str]:
    """(cause, words) for a claim that is not bound."""
    storage_class = row.spec.storage_class_name or ""
    text = events[-1].message if events else ""
    reason = events[-1].reason if events else ""
    if row.status.phase == "Lost" or reason in ("ClaimLost", "ClaimMisbound"):
        return "lost", f"its volume {row.spec.volume_name or '?'} is gone or bound elsewhere"
    if found := _CLASS.search(text):
        if offered := _misfits(row, view, offered=True):
            return "no-volume", f"no volume fits: {'; '.join(offered[:2])}"
        return "class-missing", f"StorageClass {found[1]} does not exist"
    if reason == "ProvisioningFailed":
        return "provisioner", f"the provisioner fails: {quoted(text)}"
    if reason == "ExternalProvisioning":
        named = _BY.search(text)
        by = f" {named[1]}" if named else ""
        return "provisioner-away", f"the provisioner{by} of class {storage_class} does not answer"
    if reason in _CONSUMER:
        return "first-consumer", "waits until its pod is scheduled"
    misfits = _misfits(row, view)
    if reason == "VolumeMismatch" and not misfits:
        return "no-volume", quoted(text)
    if misfits:
        return "no-volume", f"no volume fits: {'; '.join(misfits[:2])}"
    if not storage_class:
        return "no-class", "it names no StorageClass, none is the default, and no volume is there"
    return "no-volume", f"no volume of class {storage_class} is there, and none was provisioned"


def _misfits(row: PersistentVolumeClaim, view: ClusterView, offered: bool = False) -> list[str]:
    """Why each volume that is there does not fit, the nearest miss first. `offered`: only free
    volumes of the claim's class, which needs no object for volumes that are made by hand."""
    found: list[tuple[int, str, str]] = []
    for volume in view.store.all("PersistentVolume", PersistentVolume):
        if row.spec.volume_name and volume.metadata.name != row.spec.volume_name:
            continue
        of_class = row.spec.storage_class_name == volume.spec.storage_class_name
        if offered and (not of_class or volume.spec.claim_ref is not None):
            continue
        why = list(_differences(row, volume))
        if why:
            found.append((len(why), volume.metadata.name, ", ".join(why)))
    return [f"{name} {why}" for _, name, why in sorted(found)]


def _differences(row: PersistentVolumeClaim, volume: PersistentVolume) -> Iterator[str]:
    spec, offer = row.spec, volume.spec
    wanted = quantity.parse(spec.resources.requests.get("storage", "")) or 0
    size = quantity.parse(offer.capacity.get("storage", "")) or 0
    mine = (row.metadata.namespace, row.metadata.name)
    if offer.claim_ref is not None and (offer.claim_ref.namespace, offer.claim_ref.name) != mine:
        state = " and only released" if volume.status.phase == "Released" else ""
        yield f"is bound to {offer.claim_ref.namespace}/{offer.claim_ref.name}{state}"
    if (spec.storage_class_name or "") != offer.storage_class_name:
        yield (
            f"is of class {offer.storage_class_name or 'none'}, "
            f"{spec.storage_class_name or 'none'} is wanted"
        )
    if size < wanted:
        yield (
            f"has {offer.capacity.get('storage') or '0'} of "
            f"{spec.resources.requests.get('storage')}"
        )
    lacking = [mode for mode in spec.access_modes if mode not in offer.access_modes]
    if lacking:
        yield f"does not offer {', '.join(lacking)} (only {', '.join(offer.access_modes)})"
    if spec.selector is not None and not matches(spec.selector, volume.metadata.labels):
        yield "does not match the claim's selector"
    if (spec.volume_mode or "Filesystem") != (offer.volume_mode or "Filesystem"):
        yield f"is {offer.volume_mode or 'Filesystem'}, {spec.volume_mode} is wanted"


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
