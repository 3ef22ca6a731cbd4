"""The state that a scenario is expanded into: objects by kind, namespace and name, and what
surrounds them."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from drills.api.managed_fields import Path, entry, paths, record_change
from drills.api.objects import (
    Obj,
    controller_of,
    dig,
    parse_duration,
    parse_time,
    rfc3339,
    stable_fraction,
    stable_uid,
)
from drills.api.surroundings import Surroundings

Key = tuple[str, str, str]  # kind, namespace, name


@dataclass(frozen=True, slots=True)
class Writer:
    """Who wrote part of an object: fields below one of the prefixes (`spec`, `metadata.labels`), or
    all with ()."""

    manager: str
    at: datetime
    prefixes: tuple[str, ...] = ()
    subresource: str = ""
    operation: str = "Update"

    def owns(self, path: Path) -> bool:
        plain = tuple(s[2:] if s.startswith("f:") else s for s in path)
        return not self.prefixes or any(
            plain[: p.count(".") + 1] == tuple(p.split(".")) for p in self.prefixes
        )


@dataclass(slots=True)
class World:
    """`now` is the moment that ages count back from. `pullable` says whether new images can be
    pulled."""

    now: datetime
    seed: int = 0
    objects: dict[Key, Obj] = field(default_factory=dict)
    writers: dict[Key, list[Writer]] = field(default_factory=dict)
    surroundings: Surroundings = field(default_factory=Surroundings)
    pullable: bool = True
    next_ip: dict[str, int] = field(default_factory=dict)
    since: dict[Key, datetime] = field(default_factory=dict)
    by_kind: dict[str, dict[Key, Obj]] = field(default_factory=dict)
    touched: set[Key] = field(default_factory=set)
    recorded: dict[Key, list[Obj]] = field(default_factory=dict)
    secret_defaults: dict[str, Any] = field(default_factory=dict)
    renames: dict[str, str] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    losses: list[Callable[[], None]] = field(default_factory=list)

    def ago(self, text: str | int | float | timedelta) -> datetime:
        """The moment that `text` (`8m`, `-8m`, `+30s`) means: past unless it starts with `+`."""
        if isinstance(text, timedelta):
            return self.now - abs(text)
        span = parse_duration(text)
        if isinstance(text, str) and text.strip().startswith("+"):
            return self.now + span
        return self.now - abs(span)

    def add(self, obj: Obj, *writers: Writer) -> Obj:
        """Put an object; uid and creationTimestamp are filled in when absent."""
        meta = obj["metadata"]
        key = (obj["kind"], meta.get("namespace", ""), meta["name"])
        meta.setdefault("creationTimestamp", rfc3339(writers[0].at if writers else self.ago("60d")))
        meta.setdefault(
            "uid",
            stable_uid(self.seed, *key, meta["creationTimestamp"] if obj["kind"] == "Pod" else ""),
        )
        self.objects[key] = obj
        self.by_kind.setdefault(obj["kind"], {})[key] = obj
        self.touched.add(key)
        self.writers[key] = list(writers)
        return obj

    def remove(self, obj: Obj) -> None:
        key = self.key(obj)
        self.objects.pop(key, None)
        self.by_kind.get(key[0], {}).pop(key, None)
        self.writers.pop(key, None)
        self.touched.add(key)

    @staticmethod
    def key(obj: Obj) -> Key:
        return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]

    def get(self, kind: str, namespace: str, name: str) -> Obj | None:
        return self.objects.get((kind, namespace, name))

    def of(self, kind: str) -> Iterator[Obj]:
        yield from list(self.by_kind.get(kind, {}).values())

    def of_all(self) -> Iterator[Obj]:
        yield from list(self.objects.values())

    def touch(self, obj: Obj) -> None:
        """Say that an object was changed in place, so that a running server sends it to its
        watchers."""
        self.touched.add(self.key(obj))

    def sorted_objects(self) -> list[Obj]:
        return [self.objects[k] for k in sorted(self.objects)]

    # --- selection
    # -----------------------------------------------------------------------------------------------

    def select(self, kind: str, want: dict[str, Any]) -> list[Obj]:
        """Objects of a kind that fit: namespace, name (globs, or lists of them), labels, app, owner
        (`ReplicaSet/x*`), node, zone, phase, createdWithin, olderThan, notReady; `count` keeps the
        first few in a stable order, `skip` leaves some out."""
        found = [o for o in self.of(kind) if self._fits(o, want)]
        found.sort(
            key=lambda o: (
                stable_fraction("pick", o["metadata"].get("namespace"), o["metadata"]["name"])
                if want.get("count") and not want.get("ordered")
                else 0.0,
                o["metadata"].get("namespace", ""),
                o["metadata"]["name"],
            )
        )
        if want.get("newest"):
            found.sort(key=lambda o: str(o["metadata"]["creationTimestamp"]), reverse=True)
        found = found[int(want.get("skip", 0)) :]
        return found[: int(want["count"])] if want.get("count") else found

    def _fits(self, o: Obj, want: dict[str, Any]) -> bool:
        if not matches(o, want, self.zone_of):
            return False
        created = parse_time(o["metadata"]["creationTimestamp"])
        if "createdWithin" in want and created < self.ago(want["createdWithin"]):
            return False
        return not ("olderThan" in want and created > self.ago(want["olderThan"]))

    def zone_of(self, node: str) -> str:
        obj = self.get("Node", "", node)
        return (
            str(dig(obj, "metadata", "labels", "topology.kubernetes.io/zone", default=""))
            if obj
            else ""
        )

    # --- managedFields
    # -------------------------------------------------------------------------------------------

    def seal(self, obj: Obj) -> None:
        """Give an object its managedFields from its writers, once."""
        meta = obj["metadata"]
        if "managedFields" in meta:
            return
        key = self.key(obj)
        if key in self.recorded:
            meta["managedFields"] = self._renewed(key)
            return
        left = paths(obj)
        out: list[Obj] = []
        for writer in self.writers.get(key) or [
            Writer("kubectl-client-side-apply", parse_time(meta["creationTimestamp"]))
        ]:
            mine = {p for p in left if writer.owns(p)}
            left -= mine
            if mine:
                out.append(
                    entry(
                        writer.manager,
                        writer.operation,
                        rfc3339(writer.at),
                        obj["apiVersion"],
                        mine,
                        writer.subresource,
                    )
                )
        if left and out:
            first = self.writers[key][0] if self.writers.get(key) else None
            if first is not None:
                out.append(
                    entry(
                        "kube-controller-manager",
                        "Update",
                        rfc3339(first.at),
                        obj["apiVersion"],
                        left,
                    )
                )
        meta["managedFields"] = out

    def _renewed(self, key: Key) -> list[Obj]:
        """The entries from before, with the times of the writers that were added since."""
        out = [dict(e) for e in self.recorded[key]]
        for writer in self.writers.get(key, []):
            for have in out:
                if have.get("subresource", "") == writer.subresource and (
                    have["manager"] == writer.manager or writer.subresource
                ):
                    have.update(time=rfc3339(writer.at), manager=writer.manager)
        return out

    def change(
        self, obj: Obj, new: Obj, *, manager: str, at: datetime, subresource: str = ""
    ) -> Obj:
        """Replace `obj` by `new`, with the change on record in managedFields and in generation."""
        self.seal(obj)
        meta = new["metadata"]
        if new.get("spec") != obj.get("spec") and "generation" in meta:
            meta["generation"] = int(meta["generation"]) + 1
        meta["managedFields"] = record_change(
            obj, new, manager=manager, operation="Update", at=rfc3339(at), subresource=subresource
        )
        key = self.key(new)
        self.objects[key] = new
        self.by_kind[key[0]][key] = new
        self.touched.add(key)
        return new


def matches(o: Obj, want: dict[str, Any], zone_of: Callable[[str], str]) -> bool:
    """Whether an object fits the plain fields of a selection: namespace, name, node, app, phase,
    type, notNamespace, notApp, owner, zone, labels."""
    meta = o["metadata"]
    labels = meta.get("labels") or {}
    for word, value in (
        ("namespace", meta.get("namespace", "")),
        ("name", meta["name"]),
        ("node", dig(o, "spec", "nodeName", default="")),
        ("app", _app(labels)),
        ("phase", dig(o, "status", "phase", default="")),
        ("type", o.get("type", "")),
    ):
        if word in want and not _glob(value, want[word]):
            return False
    for word, value in (
        ("notNamespace", meta.get("namespace", "")),
        ("notApp", _app(labels)),
        ("notName", meta["name"]),
        ("notNode", dig(o, "spec", "nodeName", default="")),
    ):
        if word in want and _glob(value, want[word]):
            return False
    if "hostNetwork" in want and bool(dig(o, "spec", "hostNetwork")) != want["hostNetwork"]:
        return False
    if want.get("usesSecret") and not any(
        "secretKeyRef" in (e.get("valueFrom") or {})
        for c in dig(o, "spec", "containers", default=[])
        for e in c.get("env") or []
    ):
        return False
    if "owner" in want:
        ref = controller_of(o) or {}
        if not _glob(f"{ref.get('kind', '')}/{ref.get('name', '')}", want["owner"]):
            return False
    if "zone" in want:
        zone = labels.get("topology.kubernetes.io/zone") or zone_of(
            dig(o, "spec", "nodeName", default="")
        )
        if not _glob(zone, want["zone"]):
            return False
    return all(labels.get(k) == v for k, v in (want.get("labels") or {}).items())


def _app(labels: dict[str, str]) -> str:
    return labels.get("app.kubernetes.io/name", labels.get("component", ""))


def _glob(value: Any, pattern: Any) -> bool:
    patterns = pattern if isinstance(pattern, list) else [pattern]
    return any(fnmatch.fnmatchcase(str(value), str(p)) for p in patterns)
