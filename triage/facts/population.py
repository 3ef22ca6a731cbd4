"""Counters over all pods that are not finished, updated with each change.

Cohorts compare the failing objects with all others; a count of all others for each report would
cost a walk over the whole cluster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Set
from datetime import datetime
from typing import TypeVar

from cluster.kube import images
from cluster.kube.objects import OwnerReference, Pod, Ref
from cluster.kube.owners import controller_of
from cluster.kube.pods import is_finished
from cluster.live.store import Key, Store, StoreUpdate
from triage.facts import roles

Attribute = tuple[str, str]
"""(what, value)."""

K = TypeVar("K", bound=Hashable)
_HOUR = 3600
OWNER_KINDS = frozenset({"ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"})
"""Not pods, of which some own others (the driver of a Spark job): they end, and what they own is
collected a moment later."""


def attributes(pod: Pod) -> Iterator[Attribute]:
    """Attributes from the pod alone. Attributes of its node are derived from `node`, owners from
    `controller`."""
    if pod.spec.node_name:
        yield ("node", pod.spec.node_name)
    yield from _of_template(pod)


def _of_template(pod: Pod) -> Iterator[Attribute]:
    """Attributes that the pods of one controller share."""
    meta, spec = pod.metadata, pod.spec
    yield ("namespace", meta.namespace)
    owner = controller_of(meta)
    if owner is not None:
        yield ("controller", f"{owner.kind}/{owner.namespace}/{owner.name}")
    if spec.service_account_name:
        yield ("service account", f"{meta.namespace}/{spec.service_account_name}")
    if spec.priority_class_name:
        yield ("priority class", spec.priority_class_name)
    for image in {c.image for c in spec.containers}:
        yield ("image", image)
    for digest in {images.digest_of(s.image_id)[1] for s in pod.status.container_statuses} - {""}:
        yield ("image digest", digest)
    for claim in spec.claims:
        yield ("claim", f"{meta.namespace}/{claim}")


class _Siblings:
    """Caches the attributes of the last pod.

    Lists come in the order of names, so the pods of one controller follow each other; as they share
    what is equal (`cluster.kube.interning`), they are compared by identity.
    """

    def __init__(self) -> None:
        self._pod: Pod | None = None
        self._known: tuple[Attribute, ...] = ()

    def attributes(self, pod: Pod) -> tuple[Attribute, ...]:
        """As `_of_template`."""
        if self._pod is None or not _alike(pod, self._pod):
            self._known = tuple(_of_template(pod))
        self._pod = pod
        return self._known


def _alike(pod: Pod, other: Pod) -> bool:
    """Whether `_of_template` gives the same for both, as far as identity shows."""
    return (
        pod.metadata.owner_references is other.metadata.owner_references
        and pod.spec.containers is other.spec.containers
        and pod.spec.volumes is other.spec.volumes
        and pod.spec.service_account_name is other.spec.service_account_name
        and pod.spec.priority_class_name is other.spec.priority_class_name
        and pod.metadata.namespace is other.metadata.namespace
        and _same_images(pod, other)
    )


def _same_images(pod: Pod, other: Pod) -> bool:
    mine, theirs = pod.status.container_statuses, other.status.container_statuses
    if len(mine) != len(theirs):
        return False
    for one, another in zip(mine, theirs, strict=True):  # noqa: SIM110  # three times as fast
        if one.image_id is not another.image_id:
            return False
    return True


class Creations:
    """How many pods were created when. Asking costs the hours and the seconds of one hour, not the
    pods."""

    def __init__(self) -> None:
        self._hours: dict[int, int] = {}
        self._seconds: dict[int, dict[int, int]] = {}
        """Of each hour, by the second since the epoch."""

    def add(self, moment: datetime, number: int) -> None:
        """One pod more (1) or less (-1) was created at this moment."""
        second = int(moment.timestamp())
        hour = second // _HOUR
        add(self._hours, hour, number)
        seconds = self._seconds.setdefault(hour, {})
        add(seconds, second, number)
        if not seconds:
            del self._seconds[hour]

    def since(self, moment: datetime) -> int:
        """How many were created at that second or later."""
        edge = int(moment.timestamp())
        first = edge // _HOUR
        later = sum(count for hour, count in self._hours.items() if hour > first)
        seconds = self._seconds.get(first, {})
        return later + sum(count for second, count in seconds.items() if second >= edge)

    def copy(self) -> Creations:
        other = Creations()
        other._hours = self._hours.copy()
        other._seconds = {hour: seconds.copy() for hour, seconds in self._seconds.items()}
        return other


def add(counts: dict[K, int], key: K, number: int) -> None:
    """Add to one of these counts; those of nothing are left out."""
    count = counts.get(key, 0) + number
    if count:
        counts[key] = count
    else:
        counts.pop(key, None)


class Population:
    """Counts of attributes over the pods that are not finished, their creation times, and
    references to owners that are gone."""

    def __init__(self) -> None:
        self._counts: Counter[Attribute] = Counter()
        self._claims: set[Attribute] = set()
        self.total = 0
        self.created = Creations()
        self.moved: set[str] = set()
        """Nodes that changed, or the number of whose pods did, since `triage.cohorts.healthy` took
        them."""
        self.version = 0
        """Grows with each change of a count."""
        self.control_plane: dict[Key, str] = {}
        """Pods of control plane components: key -> component."""
        self.missing_owners: dict[str, Ref] = {}
        """Owners by uid that objects name and that are not in the store."""
        self._references: dict[str, int] = {}
        self._owners: dict[str, Ref] = {}
        self._live: set[str] = set()
        self._siblings = _Siblings()
        self._run: tuple[Attribute, ...] = ()
        """Attributes of the pods that came last, one after another from one controller."""
        self._run_length = 0
        """How many of them are not in the counts yet."""

    @property
    def counts(self) -> Mapping[Attribute, int]:
        """Pods by attribute."""
        self._end_run()
        return self._counts

    @property
    def claims(self) -> Set[Attribute]:
        """The attributes that name volume claims."""
        self._end_run()
        return self._claims

    def apply(self, change: StoreUpdate) -> None:
        """Take one change of the store."""
        if change.kind == "Pod":
            for row, sign in ((change.old, -1), (change.new, 1)):
                if isinstance(row, Pod) and not is_finished(row):
                    self._count(row, sign)
            self._component(change)
        elif change.kind == "Node":
            self.moved.add(change.key[1])
        if change.kind == "Pod" or change.kind in OWNER_KINDS:
            self._refer(change)

    def created_since(self, moment: datetime) -> int:
        """How many of the pods were created at that second or later."""
        return self.created.since(moment)

    def _count(self, pod: Pod, sign: int) -> None:
        self.version += 1
        if pod.spec.node_name:
            self.moved.add(pod.spec.node_name)
            self._add(("node", pod.spec.node_name), sign)
        attributes = self._siblings.attributes(pod)
        if attributes is not self._run:
            self._end_run()
            self._run = attributes
        self._run_length += sign
        self.total += sign
        if pod.metadata.creation_timestamp is not None:
            self.created.add(pod.metadata.creation_timestamp, sign)

    def _end_run(self) -> None:
        """Count the pods of one controller together: six attributes of each pod were a tenth of a
        triage of 150,000."""
        if self._run_length:
            for attribute in self._run:
                self._add(attribute, self._run_length)
            self._run_length = 0

    def _add(self, attribute: Attribute, number: int) -> None:
        add(self._counts, attribute, number)
        if attribute[0] == "claim":
            present = attribute in self._counts
            self._claims.add(attribute) if present else self._claims.discard(attribute)

    def _component(self, change: StoreUpdate) -> None:
        new = change.new
        if not isinstance(new, Pod):
            self.control_plane.pop(change.key, None)
        elif not isinstance(change.old, Pod) or change.old.spec is not new.spec:
            name = roles.component(new)
            if name:
                self.control_plane[change.key] = name
            else:
                self.control_plane.pop(change.key, None)

    def _refer(self, change: StoreUpdate) -> None:
        """Track which owners live objects name without being there; each step costs only the
        change."""
        old, new = change.old, change.new
        before = old.metadata.uid if old is not None else ""
        after = new.metadata.uid if new is not None else ""
        if before != after:
            if before and change.kind != "Pod":
                self._live.discard(before)
                self._weigh(before)
            if after and change.kind != "Pod":
                self._live.add(after)
                self._weigh(after)
        elif (
            old is not None
            and new is not None
            and old.metadata.owner_references is new.metadata.owner_references
        ):
            return
        for row, sign in ((new, 1), (old, -1)):
            if row is None:
                continue
            for owner in row.metadata.owner_references:
                if owner.controller:
                    if owner.uid and owner.kind in OWNER_KINDS:
                        self._name(owner, row.metadata.namespace, sign)
                    break

    def _name(self, owner: OwnerReference, namespace: str, sign: int) -> None:
        """One object more or less names this owner."""
        uid = owner.uid
        count = self._references.get(uid, 0) + sign
        self._references[uid] = count
        if uid not in self._owners:
            self._owners[uid] = Ref(owner.kind, namespace, owner.name)
        if count <= 1:
            self._weigh(uid)

    def _weigh(self, uid: str) -> None:
        named = self._references.get(uid, 0)
        if named > 0 and uid not in self._live:
            self.missing_owners[uid] = self._owners[uid]
        else:
            self.missing_owners.pop(uid, None)
            if not named:
                self._references.pop(uid, None)
                self._owners.pop(uid, None)


def load(store: Store) -> Population:
    """The population of a store as it stands."""
    population = Population()
    for kind in sorted({*OWNER_KINDS, "Node", "Pod"}):
        for key, row in store.rows(kind).items():
            population.apply(StoreUpdate(kind, key, None, row))
    return population
