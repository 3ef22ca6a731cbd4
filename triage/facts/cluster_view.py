"""The input of a detector: the store, the remembered events, the time; and a way to ask for another
evaluation."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import cast

from cluster.kube.nodes import (
    INSTANCE_TYPE,
    POOL,
    ZONE,
    is_burstable,
    is_control_plane,
    label,
    ready_status,
)
from cluster.kube.objects import (
    DaemonSet,
    Deployment,
    EndpointSlice,
    Node,
    Object,
    Pod,
    Ref,
    Service,
    StatefulSet,
)
from cluster.kube.owners import controller_of, top_owner
from cluster.kube.pods import is_finished, is_ready
from cluster.kube.quantity import parse
from cluster.kube.selectors import service_selects
from cluster.live.freshness import Freshness
from cluster.live.store import Store
from triage.facts import roles
from triage.facts.events import EventFact, EventMemory
from triage.facts.finding import Fact
from triage.facts.measurements import Sources
from triage.facts.odd_objects import odd_time
from triage.facts.reads.recorded import ReadEvents, ReadStore
from triage.facts.reads.results import COUNTS, FRESHNESS, SOURCES, Reads
from triage.facts.windows import NEW_NODE, READY_GRACE

_TICK, _DAY = timedelta(microseconds=1), timedelta(days=1)


def ref_of(row: Object) -> Ref:
    """The reference of a row of a kind that has a type of its own."""
    return Ref(type(row).__name__, row.metadata.namespace, row.metadata.name)


def at_start(pod: Pod, end: datetime) -> bool:
    """Whether a container ended in the first minutes of its pod, which is ready now: it came before
    what it needs."""
    born = pod.metadata.creation_timestamp
    return born is not None and end - born < READY_GRACE and is_ready(pod)


class ClusterView:
    """The cluster at `now`. Cheap to make; its caches live as long as it does."""

    def __init__(
        self,
        store: Store,
        events: EventMemory,
        now: datetime,
        freshness: Mapping[str, Freshness] | None = None,
        slices: Mapping[tuple[str, str], set[str]] | None = None,
        sources: Sources | None = None,
        counts: Sequence[tuple[datetime, Mapping[str, int]]] = (),
        reads: Reads | None = None,
    ) -> None:
        self.store = store if reads is None else ReadStore(store, reads)
        self.events = events if reads is None else ReadEvents(events, reads)
        self._now = now
        self._freshness = freshness or {}
        self._reads = reads
        self.due: datetime | None = None
        """When to look at the present object again, or at several together, if nothing changes
        before."""
        self._sources = sources or Sources()
        self._counts = counts
        self.odd = False
        """Whether the present object contains an impossible time."""
        self._roles: dict[tuple[str, str], str] = {}
        self._selected: tuple[Service, list[Pod]] | None = None
        self._slices = slices
        self._service_namespaces: dict[str, list[str]] | None = None
        self._labels: frozenset[str | tuple[str, str]] | None = None
        self._largest: dict[str, str] = {}

    # -- what is read besides objects and events

    @property
    def now(self) -> datetime:
        """The time of this picture. What depends on it is made again for each report: ask for
        `recent` or `older`, which name the end of their verdict, where there may be much of it."""
        if self._reads is not None:
            self._reads.clock = True
        return self._now

    @property
    def freshness(self) -> Mapping[str, Freshness]:
        """The state of each kind."""
        self.note(FRESHNESS)
        return self._freshness

    @property
    def sources(self) -> Sources:
        """What was measured."""
        self.note(SOURCES)
        return self._sources

    @property
    def counts(self) -> Sequence[tuple[datetime, Mapping[str, int]]]:
        """Counts of objects by kind at earlier times, oldest first."""
        self.note(COUNTS)
        return self._counts

    def note(self, place: Hashable) -> None:
        """Note that something is read at this place (`triage.facts.reads`)."""
        if self._reads is not None:
            self._reads.noted.add(place)

    # -- the time

    def begin(self) -> None:
        """Begin the next object, or the detectors of several."""
        self.due = None
        self.odd = False
        self._selected = None
        if self._reads is not None:
            self._reads.begin()
            self._roles.clear()  # found again, so that what they rest on is noted

    def wake(self, at: datetime) -> None:
        """Ask for another evaluation at `at` (a grace period ends, an event grows old)."""
        if at > self._now and (self.due is None or at < self.due):
            self.due = at

    def older(self, since: datetime | None, span: timedelta) -> bool:
        """Whether `span` has passed since a time; otherwise asks for another evaluation. An unknown
        time is not older."""
        if since is None or self._is_odd(since):
            return False
        if self._now - since >= span:
            return True
        self.wake(since + span)
        return False

    def recent(self, moment: datetime, span: timedelta) -> bool:
        """Whether a time lies at most `span` back, or ahead. Does not ask for another
        evaluation."""
        if self._now - moment > span:
            return False
        if self._reads is not None:
            self._reads.end_at(min(moment, self._now + _DAY) + span + _TICK)
        return True

    def young(self, since: datetime | None, grace: timedelta) -> timedelta | None:
        """The age while it is within the grace, then None; asks for another evaluation."""
        return None if since is None or self.older(since, grace) else self.now - since

    def within(self, moment: datetime | None, span: timedelta) -> bool:
        """Whether a time lies at most `span` back; asks for another evaluation when that ends."""
        if moment is None or self._is_odd(moment) or self._now - moment > span:
            return False
        self.wake(moment + span + timedelta(seconds=1))
        return True

    def _is_odd(self, moment: datetime) -> bool:
        odd = odd_time(moment, self._now)
        self.odd = self.odd or odd
        if odd and self._reads is not None:
            self._reads.clock = True
        return odd

    def readable(self, kind: str) -> bool:
        """Whether absence from the store means absence from the cluster."""
        state = self.freshness.get(kind)
        if state is not None:
            return state.complete()
        return self.store.count(kind) > 0

    # -- objects

    def node(self, name: str) -> Node | None:
        return cast("Node | None", self.store.get("Node", "", name))

    def node_ready(self, name: str) -> bool:
        node = self.node(name)
        return node is not None and ready_status(node) == "True"

    def burstable_control_plane(self) -> bool:
        """Whether a control plane node is of a burstable instance type (story 003 #5: treat T2 with
        care)."""
        nodes = self.store.all("Node", Node)
        return any(is_control_plane(node) and is_burstable(node) for node in nodes)

    def owner(self, pod: Pod) -> Ref:
        return top_owner(pod, self.store)

    def pods_of(self, ref: Ref) -> list[Pod]:
        """The pods that belong to a workload, through its ReplicaSets or Jobs."""
        row = self.store.get(*ref)
        if row is None:
            return []
        found: list[Pod] = []
        for (kind, _), child in self.store.owned_by(row.metadata.uid).items():
            if isinstance(child, Pod):
                found.append(child)
            elif kind in ("ReplicaSet", "Job"):
                found.extend(
                    p
                    for p in self.store.owned_by(child.metadata.uid).values()
                    if isinstance(p, Pod)
                )
        return found

    def events_of(self, pod: Pod) -> list[EventFact]:
        """Events of this very pod (names are used again by StatefulSets), oldest first."""
        ref = ref_of(pod)
        return [
            e
            for e in self.events.about(ref)
            if not e.about_uid or not pod.metadata.uid or e.about_uid == pod.metadata.uid
        ]

    def role(self, row: Pod | Deployment | StatefulSet | DaemonSet) -> str:
        """dns, ingress, cni, proxy, storage, log-shipper, control-plane or "", of a pod or of those
        that a workload makes."""
        return self._pod_role(row) if isinstance(row, Pod) else roles.workload_role(row, self.store)

    def _pod_role(self, pod: Pod) -> str:
        owner = controller_of(pod.metadata)
        key = (
            pod.metadata.namespace,
            f"{owner.kind}/{owner.name}" if owner else f"Pod/{pod.metadata.name}",
        )
        if key not in self._roles:
            if roles.component(pod):
                self._roles[key] = "control-plane"
            else:
                kind = owner.kind if owner else ""
                self._roles[key] = roles.role(
                    pod.metadata.namespace, pod.metadata.labels, pod.spec, kind, self.store
                )
        return self._roles[key]

    def slices_of(self, namespace: str, service: str) -> list[EndpointSlice]:
        """The EndpointSlices of a Service."""
        if self._slices is not None:
            self.note(("EndpointSlice", namespace))
            known = (
                self.store.get("EndpointSlice", namespace, name)
                for name in sorted(self._slices.get((namespace, service), ()))
            )
            return [r for r in known if r is not None]
        rows = self.store.in_namespace("EndpointSlice", namespace).values()
        return [r for r in rows if r.metadata.labels.get("kubernetes.io/service-name") == service]

    def labelled(self, key: str, value: str | None = None) -> bool:
        """Whether a node has a label (of this value)."""
        self.note("Node")
        if self._labels is None:
            rows = [node.metadata.labels for node in self.store.all("Node", Node)]
            pairs = {pair for labels in rows for pair in labels.items()}
            self._labels = frozenset(pairs | {key for labels in rows for key in labels})
        return (key if value is None else (key, value)) in self._labels

    def largest(self, resource: str) -> str:
        """The most of a resource that a node may give, "" where none has any."""
        self.note("Node")
        if resource not in self._largest:
            texts = [n.status.allocatable.get(resource, "") for n in self.store.all("Node", Node)]
            self._largest[resource] = max(texts, key=lambda t: parse(t) or 0, default="")
        return self._largest[resource]

    @property
    def service_namespaces(self) -> Mapping[str, Sequence[str]]:
        """The namespaces in which a Service of a name exists, by name."""
        self.note("Service")
        if self._service_namespaces is None:
            self._service_namespaces = {}
            for namespace, name in self.store.rows("Service"):
                self._service_namespaces.setdefault(name, []).append(namespace)
        return self._service_namespaces

    def selected(self, service: Service) -> list[Pod]:
        """The pods that a Service's selector matches, without finished ones. Cached for the present
        object, because several detectors ask and it walks over the namespace."""
        if self._selected is None or self._selected[0] is not service:
            pods = [
                p
                for p in self.store.in_namespace("Pod", service.metadata.namespace).values()
                if service_selects(service.spec.selector, p.metadata.labels) and not is_finished(p)
            ]
            self._selected = (service, pods)
        return self._selected[1]

    def services_of(self, pod: Pod) -> list[Service]:
        return self.store.services_selecting(pod.metadata.namespace, pod.metadata.labels)

    # -- common facts

    def pod_facts(self, pod: Pod) -> dict[str, Fact]:
        owner = self.owner(pod)
        own = owner.kind != "Pod"
        return {
            "namespace": pod.metadata.namespace,
            "node": pod.spec.node_name,
            "owner": owner.name if own else "",
            "owner_kind": owner.kind if own else "",
            "role": self.role(pod),
        }

    def node_facts(self, node: Node, since: datetime | None = None) -> dict[str, Fact]:
        created = node.metadata.creation_timestamp
        moment = since or self.now
        return {
            "pool": label(node.metadata, POOL) or label(node.metadata, INSTANCE_TYPE),
            "zone": label(node.metadata, ZONE),
            "kubelet": node.status.node_info.kubelet_version,
            "new_node": created is not None and moment - created <= NEW_NODE,
            "control_plane": is_control_plane(node),
        }
