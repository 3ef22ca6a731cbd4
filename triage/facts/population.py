"""Counters over all pods that are not finished, updated with each change.

Cohorts compare the failing objects with all others; a count of all others for each report would
cost a walk over the whole cluster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from datetime import datetime

from cluster.kube import images
from cluster.kube.objects import OwnerReference, Pod, Ref
from cluster.kube.owners import controller_of
from cluster.live.store import Key, Store, StoreUpdate
from triage.facts import roles
from triage.facts.cluster_view import is_finished

Attribute = tuple[str, str]
"""(what, value)."""

_OWNER_KINDS = frozenset({"ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"})
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


class Population:
    """Counts of attributes over the pods that are not finished, their creation times, and
    references to owners that are gone."""

    def __init__(self) -> None:
        self._counts: Counter[Attribute] = Counter()
        self._claims: set[Attribute] = set()
        self.total = 0
        self.created: Counter[int] = Counter()
        """Pods by creation, in seconds since the epoch."""
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
        if change.kind == "Pod" or change.kind in _OWNER_KINDS:
            self._refer(change)

    def created_since(self, moment: datetime) -> int:
        """How many of the pods were created at that second or later."""
        edge = int(moment.timestamp())
        return sum(count for second, count in self.created.items() if second >= edge)

    def _count(self, pod: Pod, sign: int) -> None:
        if pod.spec.node_name:
            self._add(("node", pod.spec.node_name), sign)
        attributes = self._siblings.attributes(pod)
        if attributes is not self._run:
            self._end_run()
            self._run = attributes
        self._run_length += sign
        self.total += sign
        if pod.metadata.creation_timestamp is not None:
            second = int(pod.metadata.creation_timestamp.timestamp())
            count = self.created.get(second, 0) + sign
            if count:
                self.created[second] = count
            else:
                self.created.pop(second, None)

    def _end_run(self) -> None:
        """Count the pods of one controller together: six attributes of each pod were a tenth of a
        triage of 150,000."""
        if self._run_length:
            for attribute in self._run:
                self._add(attribute, self._run_length)
            self._run_length = 0

    def _add(self, attribute: Attribute, number: int) -> None:
        count = self._counts.get(attribute, 0) + number
        if count:
            self._counts[attribute] = count
        else:
            self._counts.pop(attribute, None)
        if attribute[0] == "claim":
            self._claims.add(attribute) if count else self._claims.discard(attribute)

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
                    if owner.uid and owner.kind in _OWNER_KINDS:
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


class HealthyCounts:
    """Counts over all pods that are not failing. Asking costs nothing per pod of the population."""

    def __init__(self, population: Population) -> None:
        self._population = population
        self._left_out: set[Key] = set()
        self._failing: Counter[Attribute] = Counter()
        self._created: Counter[int] = Counter()
        """Failing pods by creation, in seconds since the epoch."""
        self.total = population.total
        self.on_nodes: Mapping[Attribute, int] | None = None
        """All pods by the attributes of their nodes; None until `triage.cohorts.cohort` counts."""
        self.born: Mapping[str, datetime] = {}
        """Creation times of the nodes, counted with them."""

    def leave_out(self, pod: Pod, of_node: Iterable[Attribute]) -> None:
        """Count a pod as failing, once; `of_node`: the attributes of its node."""
        if self.leaves_out(pod):
            return
        self._left_out.add((pod.metadata.namespace, pod.metadata.name))
        if is_finished(pod):
            return
        self.total = max(0, self.total - 1)
        self._failing.update(attributes(pod))
        self._failing.update(of_node)
        if pod.metadata.creation_timestamp is not None:
            self._created[int(pod.metadata.creation_timestamp.timestamp())] += 1

    def leaves_out(self, pod: Pod) -> bool:
        return (pod.metadata.namespace, pod.metadata.name) in self._left_out

    def copy(self) -> HealthyCounts:
        """The same counts, from which other pods can be left out."""
        other = HealthyCounts(self._population)
        other._left_out, other._failing = self._left_out.copy(), self._failing.copy()
        other._created, other.total = self._created.copy(), self.total
        other.on_nodes, other.born = self.on_nodes, self.born
        return other

    def count(self, attribute: Attribute) -> int:
        known = self._population.counts.get(attribute)
        if known is None:
            known = (self.on_nodes or {}).get(attribute, 0)
        return max(0, known - self._failing.get(attribute, 0))

    def created_since(self, moment: datetime) -> int:
        """How many were created at that second or later."""
        edge = int(moment.timestamp())
        failing = sum(count for second, count in self._created.items() if second >= edge)
        return max(0, self._population.created_since(moment) - failing)

    def claims(self) -> Iterator[tuple[str, int]]:
        """Volume claims in use, as namespace/name, with the number of pods."""
        for what, value in self._population.claims:
            count = self.count((what, value))
            if count:
                yield value, count


def load(store: Store) -> Population:
    """The population of a store as it stands."""
    population = Population()
    for kind in sorted({*_OWNER_KINDS, "Pod"}):
        for key, row in store.rows(kind).items():
            population.apply(StoreUpdate(kind, key, None, row))
    return population
