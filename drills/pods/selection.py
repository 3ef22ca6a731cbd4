"""Selects the objects of a scenario's rule: by namespace, name, app, owner, node, zone, labels …"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from typing import Any

from drills.api.objects import Obj, controller_of, dig

ZoneOf = Callable[[str], str]
"""Node name -> zone, empty for an unknown node."""


def matches(obj: Obj, want: dict[str, Any] | None, zone_of: ZoneOf) -> bool:
    """Whether an object matches the fields of a selection.

    Names are globs; a list means any of its items; `notNamespace`, `notApp` … exclude. The caller
    handles the fields of time and number (`count`, `createdWithin`).
    """
    for word, pattern in (want or {}).items():
        opposite = word.startswith("not")
        plain = word[3:4].lower() + word[4:] if opposite else word
        if plain in _VALUES:
            if _glob(_VALUES[plain](obj), pattern) == opposite:
                return False
        elif word == "zone":
            if not _glob(_zone(obj, zone_of), pattern):
                return False
        elif word == "hostNetwork":
            if bool(dig(obj, "spec", "hostNetwork")) != pattern:
                return False
        elif word == "usesSecret":
            if pattern and not any(secret_keys(obj)):
                return False
        elif word == "labels":
            labels = obj["metadata"].get("labels") or {}
            if any(labels.get(k) != v for k, v in pattern.items()):
                return False
    return True


def secret_keys(pod: Obj) -> list[Obj]:
    """The secretKeyRefs in the environment of a pod's containers."""
    return [
        env["valueFrom"]["secretKeyRef"]
        for container in dig(pod, "spec", "containers", default=[])
        for env in container.get("env") or []
        if "secretKeyRef" in (env.get("valueFrom") or {})
    ]


def _app(obj: Obj) -> str:
    labels = obj["metadata"].get("labels") or {}
    return str(labels.get("app.kubernetes.io/name", labels.get("component", "")))


def _owner(obj: Obj) -> str:
    ref = controller_of(obj) or {}
    return f"{ref.get('kind', '')}/{ref.get('name', '')}"


def _zone(obj: Obj, zone_of: ZoneOf) -> str:
    labels = obj["metadata"].get("labels") or {}
    own = labels.get("topology.kubernetes.io/zone")
    return str(own or zone_of(dig(obj, "spec", "nodeName", default="")))


def _memory_limit(obj: Obj) -> str:
    """Of the first container."""
    first: Obj = next(iter(dig(obj, "spec", "containers", default=[])), {})
    return str(dig(first, "resources", "limits", "memory", default=""))


_VALUES: dict[str, Callable[[Obj], Any]] = {
    "namespace": lambda o: o["metadata"].get("namespace", ""),
    "name": lambda o: o["metadata"]["name"],
    "node": lambda o: dig(o, "spec", "nodeName", default=""),
    "app": _app,
    "phase": lambda o: dig(o, "status", "phase", default=""),
    "type": lambda o: o.get("type", ""),
    "owner": _owner,
    "memoryLimit": _memory_limit,
}


def _glob(value: Any, pattern: Any) -> bool:
    patterns = pattern if isinstance(pattern, list) else [pattern]
    return any(fnmatch.fnmatchcase(str(value), str(p)) for p in patterns)
