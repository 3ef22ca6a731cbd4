"""Which objects need evaluation: those that changed, and those whose verdict may depend on them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from cluster.kube.objects import OwnerReference, Pod, Ref
from cluster.kube.owners import controller_of
from cluster.kube.pods import statuses
from cluster.live.store import Store, StoreUpdate
from triage.detectors.registry import OBJECT_DETECTORS
from triage.facts.events import EventMemory
from triage.facts.finding import Finding


class Marks:
    """The objects to evaluate, `dirty`. `found` are those with findings, `due` those whose verdict
    falls due by time: kept by the engine, read here; what became plain is due no more."""

    def __init__(
        self, found: Collection[Ref], due: dict[Ref, datetime], events: EventMemory
    ) -> None:
        self._found = found
        self._due_at = due
        self._events = events
        self.dirty: set[Ref] = set()
        self.odd: set[Ref] = set()
        """Pods that need evaluation."""
        self.rollouts: set[Ref] = set()
        """Owners with a new revision: its changes depend on its siblings."""
        self.renamed: set[tuple[str, str]] = set()
        """(kind, namespace) of objects that may name a Service that came or went."""
        self.slices: dict[tuple[str, str], set[str]] = {}
        """EndpointSlices by (namespace, Service)."""
        self._watching: dict[Ref, set[Ref]] = {}
        """Objects whose findings depend on another object: related object -> objects to evaluate
        again."""
        self._marked: tuple[str, tuple[OwnerReference, ...]] = ("", ())
        """The owners marked last in this update: pods of one controller come one after another."""

    def begin(self) -> None:
        """Begin an update."""
        self._marked = ("", ())

    def take(self, change: StoreUpdate, store: Store) -> None:
        """Mark what a significant change of an object other than an event may concern."""
        kind, ref = change.kind, change.ref
        if kind in ("ReplicaSet", "ControllerRevision") and change.old is None:
            owner = controller_of(change.new.metadata) if change.new is not None else None
            if owner is not None:
                self.rollouts.add(owner)
        if watching := self._watching.get(ref):
            self.dirty |= watching
        if kind == "Pod":
            self._sort_out(change, ref)
            self._touch_pod(change, store)
        elif kind in OBJECT_DETECTORS or ref in self._found:
            self.dirty.add(ref)
        if kind in ("ReplicaSet", "Job"):
            row = change.new or change.old
            owner = controller_of(row.metadata) if row is not None else None
            if owner is not None and owner.kind in OBJECT_DETECTORS:
                self.dirty.add(owner)
        elif kind == "EndpointSlice":
            row = change.new or change.old
            name = (
                row.metadata.labels.get("kubernetes.io/service-name", "") if row is not None else ""
            )
            if name:
                self.dirty.add(Ref("Service", ref.namespace, name))
                group = self.slices.setdefault((ref.namespace, name), set())
                group.discard(ref.name) if change.new is None else group.add(ref.name)
        elif kind == "Service" and (change.old is None or change.new is None):
            naming = ("Ingress",) if change.new is not None else _NAMING_SERVICES
            self.renamed.update((each, ref.namespace) for each in naming)

    def _sort_out(self, change: StoreUpdate, ref: Ref) -> None:
        """Decide whether a changed pod needs evaluation."""
        new = change.new
        if isinstance(new, Pod) and not _plain(new):
            self.odd.add(ref)
        else:
            self.odd.discard(ref)
        if self.is_plain(ref):
            self._due_at.pop(ref, None)
            self.dirty.discard(ref)
        else:
            self.dirty.add(ref)

    def is_plain(self, ref: Ref) -> bool:
        """Whether a pod is healthy or deleted, and has no findings or events: it needs no
        evaluation."""
        return ref not in self.odd and ref not in self._found and not self._events.known(ref)

    def touch_about(self, about: Ref, store: Store) -> None:
        if about.kind in OBJECT_DETECTORS:
            self.dirty.add(about)
        if about.kind in ("ReplicaSet", "Job"):
            row = store.get(*about)
            owner = controller_of(row.metadata) if row is not None else None
            if owner is not None and owner.kind in OBJECT_DETECTORS:
                self.dirty.add(owner)

    def _touch_pod(self, change: StoreUpdate, store: Store) -> None:
        """Mark what a pod's change may concern: its owners always, its node only for restarts and
        ends."""
        old, new = change.old, change.new
        before = _signature(old) if isinstance(old, Pod) else None
        if before is not None and isinstance(new, Pod) and before == _signature(new):
            return
        for row in (old, new):
            if not isinstance(row, Pod):
                continue
            self._mark_owners(row, store)
            if row.spec.node_name and (
                before is None or any(s.restart_count or s.state.terminated for s in statuses(row))
            ):
                self.dirty.add(Ref("Node", "", row.spec.node_name))

    def _mark_owners(self, pod: Pod, store: Store) -> None:
        namespace, owners = pod.metadata.namespace, pod.metadata.owner_references
        if not owners or (owners is self._marked[1] and namespace == self._marked[0]):
            return
        self._marked = (namespace, owners)
        owner = controller_of(pod.metadata)
        while owner is not None:
            if owner.kind in OBJECT_DETECTORS:
                self.dirty.add(owner)
            above = store.get(*owner) if owner.kind in ("ReplicaSet", "Job") else None
            owner = controller_of(above.metadata) if above is not None else None

    def unwatch(self, ref: Ref, findings: Iterable[Finding]) -> None:
        for finding in findings:
            for related in finding.related:
                group = self._watching.get(related)
                if group is not None:
                    group.discard(ref)
                    if not group:
                        del self._watching[related]

    def watch(self, ref: Ref, findings: Iterable[Finding]) -> None:
        """Evaluate `ref` again when an object changes that its findings are related to."""
        for finding in findings:
            for related in finding.related:
                self._watching.setdefault(related, set()).add(ref)


def _plain(pod: Pod) -> bool:
    """Running, ready, never restarted, not terminating. Most pods are, and are skipped."""
    status = pod.status
    if (
        status.phase != "Running"
        or pod.metadata.deletion_timestamp is not None
        or status.init_container_statuses
    ):
        return False
    for container in status.container_statuses:
        if container.restart_count or container.state.running is None:
            return False
    ready = False
    for condition in status.conditions:  # a loop: called for every pod
        if condition.type == "Ready":
            ready = condition.status == "True"
        elif condition.type.startswith("PodResize"):
            return False
    return ready


def _signature(pod: Pod) -> tuple[object, ...]:
    """The parts of a pod that matter to its owners and its node."""
    return (
        pod.status.phase,
        pod.spec.node_name,
        pod.metadata.deletion_timestamp is None,
        next((c.status for c in pod.status.conditions if c.type == "Ready"), ""),
        tuple(
            (s.restart_count, s.image_id, s.state.waiting.reason if s.state.waiting else "")
            for s in statuses(pod)
        ),
    )


_NAMING_SERVICES = (
    "Ingress",
    "HTTPRoute",
    "GRPCRoute",
    "TLSRoute",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "CronJob",
)
"""Kinds that name Services of their namespace: evaluated again when one is deleted. One that is
missed is watched for."""
