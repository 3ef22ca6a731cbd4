"""A store and remembered events that note what an evaluation reads of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from cluster.kube.objects import Event, Object, Pod, Ref, Service
from cluster.live.store import Key, Store
from triage.facts.events import EventFact, EventMemory
from triage.facts.messages.control_plane import MessageSigns
from triage.facts.reads.results import EVENTS, Reads

T = TypeVar("T")


class ReadStore(Store):
    """A store that notes what is read. It reads another one, and takes no changes."""

    def __init__(self, store: Store, reads: Reads) -> None:
        self._store, self._noted = store, reads.noted

    def rows(self, kind: str) -> Mapping[Key, Any]:
        self._noted.add(kind)
        return self._store.rows(kind)

    def all(self, kind: str, type_: type[T]) -> Iterator[T]:
        self._noted.add(kind)
        return self._store.all(kind, type_)

    def get(self, kind: str, namespace: str, name: str) -> Any | None:
        self._noted.add((kind, namespace, name))
        return self._store.get(kind, namespace, name)

    def count(self, kind: str) -> int:
        self._noted.add(kind)
        return self._store.count(kind)

    def pods_on(self, node: str) -> Mapping[Key, Pod]:
        self._noted.add(("pods on", node))
        return self._store.pods_on(node)

    def owned_by(self, uid: str) -> Mapping[tuple[str, Key], Object]:
        self._noted.add(("owned by", uid))
        return self._store.owned_by(uid)

    def in_namespace(self, kind: str, namespace: str) -> Mapping[Key, Any]:
        self._noted.add((kind, namespace))
        return self._store.in_namespace(kind, namespace)

    def services_selecting(self, namespace: str, labels: Mapping[str, str]) -> list[Service]:
        self._noted.add(("Service", namespace))
        return self._store.services_selecting(namespace, labels)


class ReadEvents(EventMemory):
    """Remembered events that note what is read. They read others, and take no events."""

    def __init__(self, events: EventMemory, reads: Reads) -> None:
        self._events, self._noted = events, reads.noted

    def __len__(self) -> int:
        self._noted.add(EVENTS)
        return len(self._events)

    def see(self, event: Event) -> Ref | None:
        raise NotImplementedError

    def known(self, ref: Ref) -> bool:
        self._noted.add((EVENTS, ref))
        return self._events.known(ref)

    def about(self, ref: Ref) -> list[EventFact]:
        self._noted.add((EVENTS, ref))
        return self._events.about(ref)

    def reasons(self, *reasons: str) -> list[EventFact]:
        self._noted.update(("reason", reason) for reason in reasons)
        return self._events.reasons(*reasons)

    def all(self) -> Iterator[EventFact]:
        self._noted.add(EVENTS)
        return self._events.all()

    def with_signs(self) -> Iterator[tuple[EventFact, MessageSigns]]:
        self._noted.add(EVENTS)
        return self._events.with_signs()
