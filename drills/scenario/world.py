"""The cluster that a scenario expands into: objects by kind, namespace and name, their managers,
and their surroundings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from drills.api.managed_fields import FieldManager, first_entries, record_change
from drills.api.objects import (
    Obj,
    created_at,
    parse_duration,
    rfc3339,
    rfc3339_micro,
    stable_fraction,
    stable_uid,
    zone_of,
)
from drills.controllers.events import TTL, new_event
from drills.controllers.new_objects import new_object
from drills.pods.selection import matches
from drills.pods.surroundings import PodEnvironment

Key = tuple[str, str, str]
"""Kind, namespace, name."""
Data = dict[str, Any]
"""One row of a scenario's section."""
_MICRO = frozenset({"renewTime", "acquireTime", "eventTime"})
"""Fields with microseconds."""


@dataclass(slots=True)
class World:
    """`now` is the moment that ages count back from. `pullable`: new images can be pulled.

    `managers`: who wrote an object that has no managedFields yet; `recorded`: the managedFields of
    objects that were there before a step of the script; `fresh`: nodes so new that only DaemonSets
    run there; `losses`: what happens to pods of lost nodes, once all node states are set; `placed`:
    the node and the controller of each pod that takes room, None when it must be read again;
    `removed`: the former `data` of objects that lost keys."""

    now: datetime
    seed: int = 0
    objects: dict[Key, Obj] = field(default_factory=dict)
    managers: dict[Key, list[FieldManager]] = field(default_factory=dict)
    surroundings: PodEnvironment = field(default_factory=PodEnvironment)
    pullable: bool = True
    next_ip: dict[str, int] = field(default_factory=dict)
    by_kind: dict[str, dict[Key, Obj]] = field(default_factory=dict)
    recorded: dict[Key, list[Obj]] = field(default_factory=dict)
    secret_defaults: Data = field(default_factory=dict)
    renames: dict[str, str] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    losses: list[Callable[[], None]] = field(default_factory=list)
    placed: list[tuple[str, str]] | None = None
    removed: dict[Key, Obj] = field(default_factory=dict)

    def ago(self, text: Any) -> datetime:
        """The time that `text` (`8m`, `-8m`, `+30s`, seconds or a timedelta) means: in the past
        unless it starts with `+`."""
        span = text if isinstance(text, timedelta) else parse_duration(text)
        if isinstance(text, str) and text.strip().startswith("+"):
            return self.now + span
        return self.now - abs(span)

    def timed(self, value: Any, key: str = "") -> Any:
        """A copy in which each text `NOW`, `NOW-18m` or `NOW+3d` is that time, as the field `key`
        writes it."""
        if isinstance(value, dict):
            return {name: self.timed(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [self.timed(one, key) for one in value]
        if not isinstance(value, str) or value[:4] not in ("NOW", "NOW-", "NOW+"):
            return value
        at = self.ago(value[3:] or "0")
        return rfc3339_micro(at) if key in _MICRO else rfc3339(at)

    # --- objects

    def make(
        self,
        kind: str,
        name: str,
        namespace: str,
        created: datetime,
        *managers: FieldManager,
        meta: Obj | None = None,
        **fields: Any,
    ) -> Obj:
        """Put a new object of a built-in kind; see `new_object`."""
        return self.add(new_object(kind, name, namespace, created, meta, **fields), *managers)

    def add(self, obj: Obj, *managers: FieldManager) -> Obj:
        """Put an object; uid and creationTimestamp are filled in when absent."""
        meta, key = obj["metadata"], self.key(obj)
        first = managers[0].at if managers else self.ago("60d")
        created = meta.setdefault("creationTimestamp", rfc3339(first))
        again = created if obj["kind"] == "Pod" else ""  # A recreated pod has another uid.
        meta.setdefault("uid", stable_uid(self.seed, *key, again))
        self._put(obj)
        self.managers[key] = list(managers)
        return obj

    def _put(self, obj: Obj) -> None:
        key = self.key(obj)
        if key[0] == "Pod" and obj["spec"].get("nodeName"):
            self.placed = None
        self.objects[key] = obj
        self.by_kind.setdefault(key[0], {})[key] = obj

    def record_present(self, obj: Obj) -> None:
        """Put an existing object with its managedFields."""
        self._put(obj)
        self.recorded[self.key(obj)] = obj["metadata"].get("managedFields", [])

    def remove(self, obj: Obj) -> None:
        key = self.key(obj)
        if key[0] == "Pod":
            self.placed = None
        self.objects.pop(key, None)
        self.by_kind.get(key[0], {}).pop(key, None)
        self.managers.pop(key, None)

    @staticmethod
    def key(obj: Obj) -> Key:
        return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]

    def get(self, kind: str, namespace: str, name: str) -> Obj | None:
        return self.objects.get((kind, namespace, name))

    def of(self, kind: str) -> Iterator[Obj]:
        yield from list(self.by_kind.get(kind, {}).values())

    def nodes(self) -> list[Obj]:
        """The nodes, sorted by name."""
        return sorted(self.of("Node"), key=lambda n: str(n["metadata"]["name"]))

    def pods_on(self, node: str) -> list[Obj]:
        """The running pods of a node."""
        return self.select("Pod", {"node": node, "phase": "Running", "unsorted": True})

    def sorted_objects(self) -> list[Obj]:
        return [self.objects[k] for k in sorted(self.objects)]

    def zone_of(self, node: str) -> str:
        return zone_of(self.get("Node", "", node))

    # --- selection

    def select(self, kind: str, want: Data) -> list[Obj]:
        """Objects of a kind that match `drills.pods.selection`, createdWithin and olderThan, sorted
        by name; newest: the youngest first. `skip` leaves some out; `count` keeps the first few in
        a stable order other than that of the names (unless `ordered`)."""
        found = [o for o in self.of(kind) if self._fits(o, want)]
        if want.get("unsorted"):
            return found
        drawn = bool(want.get("count")) and not want.get("ordered")

        def order(obj: Obj) -> tuple[float, str, str]:
            name, namespace = obj["metadata"]["name"], obj["metadata"].get("namespace")
            draw = stable_fraction("pick", namespace, name) if drawn else 0.0
            return draw, namespace or "", name

        found.sort(key=order)
        if want.get("newest"):
            found.sort(key=lambda o: str(o["metadata"]["creationTimestamp"]), reverse=True)
        found = found[int(want.get("skip", 0)) :]
        return found[: int(want["count"])] if want.get("count") else found

    def _fits(self, obj: Obj, want: Data) -> bool:
        if not matches(obj, want, self.zone_of):
            return False
        created = created_at(obj)
        if "createdWithin" in want and created < self.ago(want["createdWithin"]):
            return False
        return not ("olderThan" in want and created > self.ago(want["olderThan"]))

    # --- events

    def event(
        self,
        about: Obj,
        reason: str,
        message: str,
        first: datetime,
        last: datetime | None = None,
        count: int = 1,
        **more: str,
    ) -> None:
        """Record an Event as `drills.controllers.events.new_event` makes it. An expired one is left
        out; a repeated one begins at most an hour ago."""
        if (last or first) < self.now - TTL:
            return
        if count > 1:
            first = max(first, self.now - TTL)
        made = new_event(about, reason, message, first, last, count, seed=self.seed, **more)
        self.add(made)

    def warn(
        self, about: Obj, reason: str, message: str, first: datetime, *times: Any, **more: Any
    ) -> None:
        """Record an Event of type Warning; `times` are last and count."""
        self.event(about, reason, message, first, *times, kind="Warning", **more)

    def drop_events(self, about: Obj, reasons: tuple[str, ...] = ()) -> None:
        """Remove the Events about an object, or those with some reasons."""
        for event in self.of("Event"):
            mine = event["involvedObject"].get("uid") == about["metadata"]["uid"]
            if mine and (not reasons or event["reason"] in reasons):
                self.remove(event)

    # --- managedFields

    def seal(self, obj: Obj) -> None:
        """Set an object's managedFields from its managers, once."""
        meta, key = obj["metadata"], self.key(obj)
        if "managedFields" in meta:
            return
        if key in self.recorded:
            meta["managedFields"] = self._renewed(key)
        else:
            meta["managedFields"] = first_entries(obj, self.managers.get(key, ()))

    def _renewed(self, key: Key) -> list[Obj]:
        """The earlier entries, with the times of managers that were added since."""
        out = [dict(e) for e in self.recorded[key]]
        for manager in self.managers.get(key, []):
            for have in out:
                sub = have.get("subresource", "")
                if sub == manager.subresource and (have["manager"] == manager.name or sub):
                    have.update(time=rfc3339(manager.at), manager=manager.name)
        return out

    def wrote_status(self, obj: Obj, manager: str, at: datetime) -> None:
        """Note who wrote the status last, for `seal`."""
        key = self.key(obj)
        kept = [m for m in self.managers.get(key, []) if m.subresource != "status"]
        self.managers[key] = [*kept, FieldManager(manager, at, ("status",), "status")]

    def change(
        self, obj: Obj, new: Obj, *, manager: str, at: datetime, subresource: str = ""
    ) -> None:
        """Replace `obj` by `new`, and record the change in managedFields and generation."""
        self.seal(obj)
        meta = new["metadata"]
        if new.get("spec") != obj.get("spec") and "generation" in meta:
            meta["generation"] = int(meta["generation"]) + 1
        stamp = rfc3339(at)
        meta["managedFields"] = record_change(
            obj, new, manager=manager, at=stamp, subresource=subresource
        )
        self._put(new)
