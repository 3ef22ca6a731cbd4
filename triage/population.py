"""Who is there: counters over all pods that are not finished, kept up to date per change.

Cohorts compare the failing objects with all others; counting all others anew for every report would cost the whole cluster each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from cluster.objects import Pod, Ref
from cluster.store import Change, Key, Store
from triage import images, roles
from triage.owners import controller_of
from triage.view import is_finished

Attribute = tuple[str, str]
"""(what, value)."""

_OWNER_KINDS = frozenset({"ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod"})


def attributes(pod: Pod) -> Iterator[Attribute]:
    """What a pod says of itself alone. Attributes of its node are derived from `node`, owners from `controller`."""
    meta, spec = pod.metadata, pod.spec
    yield ("namespace", meta.namespace)
    if spec.node_name:
        yield ("node", spec.node_name)
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
    for volume in spec.volumes:
        if volume.persistent_volume_claim is not None:
            yield ("claim", f"{meta.namespace}/{volume.persistent_volume_claim.claim_name}")


class Population:
    """Counts of attributes over the pods that are not finished, their creation times, and references to owners that are gone."""

    def __init__(self) -> None:
        self.counts: Counter[Attribute] = Counter()
        self.claims: set[Attribute] = set()
        """The attributes that name volume claims."""
        self.total = 0
        self.created: Counter[int] = Counter()
        """Pods by creation, in seconds since the epoch."""
        self.control_plane: dict[Key, str] = {}
        """Pods of control plane components: key -> component."""
        self.missing_owners: dict[str, Ref] = {}
        """Owners by uid that objects name and that are not in the store."""
        self._references: Counter[str] = Counter()
        self._owners: dict[str, Ref] = {}
        self._live: set[str] = set()

    def apply(self, change: Change) -> None:
        """Take one change of the store."""
        if change.kind == "Pod":
            for row, sign in ((change.old, -1), (change.new, 1)):
                if isinstance(row, Pod) and not is_finished(row):
                    self._count(row, sign)
            self._component(change)
        if change.kind in _OWNER_KINDS:
            self._refer(change)

    def created_since(self, moment: datetime) -> int:
        """How many of the pods were created at that second or later."""
        edge = int(moment.timestamp())
        return sum(count for second, count in self.created.items() if second >= edge)

    def _count(self, pod: Pod, sign: int) -> None:
        counts = self.counts
        for attribute in attributes(pod):
            count = counts.get(attribute, 0) + sign
            if count:
                counts[attribute] = count
                if attribute[0] == "claim":
                    self.claims.add(attribute)
            else:
                counts.pop(attribute, None)
                self.claims.discard(attribute)
        self.total += sign
        if pod.metadata.creation_timestamp is not None:
            second = int(pod.metadata.creation_timestamp.timestamp())
            count = self.created.get(second, 0) + sign
            if count:
                self.created[second] = count
            else:
                self.created.pop(second, None)

    def _component(self, change: Change) -> None:
        new = change.new
        if not isinstance(new, Pod):
            self.control_plane.pop(change.key, None)
        elif not isinstance(change.old, Pod) or change.old.spec is not new.spec:
            name = roles.component(new)
            if name:
                self.control_plane[change.key] = name
            else:
                self.control_plane.pop(change.key, None)

    def _refer(self, change: Change) -> None:
        """Keep which owners are named by live objects and are not there; each step costs the change alone."""
        for row, sign in ((change.old, -1), (change.new, 1)):
            if row is None:
                continue
            meta = row.metadata
            if meta.uid and (change.old is None) != (change.new is None):
                self._live.add(meta.uid) if sign > 0 else self._live.discard(meta.uid)
                self._weigh(meta.uid)
            owner = next((o for o in meta.owner_references if o.controller), None)
            if owner is not None and owner.uid and owner.kind in _OWNER_KINDS:
                self._references[owner.uid] += sign
                self._owners[owner.uid] = Ref(owner.kind, meta.namespace, owner.name)
                self._weigh(owner.uid)
        if change.old is not None and change.new is not None and change.old.metadata.uid != change.new.metadata.uid:
            self._live.discard(change.old.metadata.uid)
            self._live.add(change.new.metadata.uid)
            self._weigh(change.old.metadata.uid)
            self._weigh(change.new.metadata.uid)

    def _weigh(self, uid: str) -> None:
        if self._references.get(uid, 0) > 0 and uid not in self._live:
            self.missing_owners[uid] = self._owners[uid]
        else:
            self.missing_owners.pop(uid, None)
            if not self._references.get(uid):
                self._references.pop(uid, None)
                self._owners.pop(uid, None)


class Outside:
    """Counts over all pods that are not failing. Asking costs nothing per pod of the population."""

    def __init__(self, population: Population, failing: Iterable[Pod]) -> None:
        self._population = population
        self._failing: Counter[Attribute] = Counter()
        self.total = population.total
        for pod in failing:
            if not is_finished(pod):
                self.total -= 1
                self._failing.update(attributes(pod))
        self.total = max(self.total, 0)

    def count(self, attribute: Attribute) -> int:
        return max(0, self._population.counts.get(attribute, 0) - self._failing.get(attribute, 0))

    def claims(self) -> Iterator[tuple[str, int]]:
        """Volume claims in use, as namespace/name, with the number of pods."""
        for what, value in self._population.claims:
            count = self.count((what, value))
            if count:
                yield value, count


def load(store: Store) -> Population:
    """The population of a store as it stands."""
    population = Population()
    for kind in sorted(_OWNER_KINDS):
        for key, row in store.rows(kind).items():
            population.apply(Change(kind, key, None, row))
    return population
