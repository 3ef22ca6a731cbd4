"""Why a claim is not bound: its class, the volumes that do not fit, the provisioner, a lost volume.
Used for findings of the claim and of the pod that waits for it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cluster.kube import quantity
from cluster.kube.objects import LabelSelector, PersistentVolume, PersistentVolumeClaim, PodSpec
from cluster.kube.selectors import matches
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.events import EventFact
from triage.facts.messages.wording import quoted
from triage.facts.windows import RECENT

CONSUMER = ("WaitForFirstConsumer", "WaitForPodScheduled")
_TOLD = (
    "ProvisioningFailed",
    "FailedBinding",
    "VolumeMismatch",
    "ExternalProvisioning",
    *CONSUMER,
    "ClaimLost",
    "ClaimMisbound",
)
FAILED = ("ProvisioningFailed", "VolumeMismatch")
_CLASS = re.compile(r"storageclass(?:\.storage\.k8s\.io)? \"([^\"]+)\" not found", re.IGNORECASE)
_BY = re.compile(r"external provisioner '([^']+)'")


def events_of(row: PersistentVolumeClaim, view: ClusterView) -> list[EventFact]:
    """What the controllers said of the claim within the hour; failures alone, where there are."""
    events = [
        e
        for e in view.events.about(ref_of(row))
        if e.reason in _TOLD and view.now - e.last <= RECENT
    ]
    return [e for e in events if e.reason in FAILED] or events


def unbound(
    row: PersistentVolumeClaim, view: ClusterView, none_found: bool = False
) -> tuple[str, str]:
    """(cause, words) for a claim that is not bound. `none_found`: the scheduler has looked for a
    volume for it, so it does not only wait for its pod."""
    events = events_of(row, view)
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
    if reason in CONSUMER and not none_found:
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
            f"{spec.resources.requests.get('storage')} asked"
        )
    lacking = [mode for mode in spec.access_modes if mode not in offer.access_modes]
    if lacking:
        yield f"does not offer {', '.join(lacking)} (only {', '.join(offer.access_modes)})"
    if spec.selector is not None and not matches(spec.selector, volume.metadata.labels):
        yield _unselected(spec.selector, volume)
    if (spec.volume_mode or "Filesystem") != (offer.volume_mode or "Filesystem"):
        yield f"is {offer.volume_mode or 'Filesystem'}, {spec.volume_mode} is wanted"


def _unselected(selector: LabelSelector, volume: PersistentVolume) -> str:
    """`does not match the claim's selector (has disk=hdd, disk=ssd is asked)`."""
    labels = volume.metadata.labels
    missed = [
        (key, value)
        for key, value in sorted(selector.match_labels.items())
        if labels.get(key) != value
    ]
    text = "does not match the claim's selector"
    if not missed:
        return text
    key, value = missed[0]
    has = f"{key}={labels[key]}" if key in labels else f"no label {key}"
    return f"{text} (has {has}, {key}={value} is asked)"


def unbound_of(spec: PodSpec, namespace: str, view: ClusterView, none_found: bool = False) -> str:
    """`claim data is not bound: …` for the first claim of a pod that is not, "" for none."""
    for name in spec.claims:
        row = view.store.get("PersistentVolumeClaim", namespace, name)
        if isinstance(row, PersistentVolumeClaim) and row.status.phase in ("Pending", "Lost"):
            return f"claim {name} is not bound: {unbound(row, view, none_found)[1]}"
    return ""
