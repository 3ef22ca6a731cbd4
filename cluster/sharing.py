"""Lets equal parts of many objects be one object in memory.

Pods of one owner repeat their labels, containers, volumes and tolerations word for word; at 10,000 pods that is half of all memory. Right
after decoding, before anybody else sees an object, such parts are replaced by the first equal one. Objects are immutable, so sharing is
not visible to readers.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import force_setattr

from cluster.objects import ContainerState, ContainerStatus, LeanMeta, Pod

LIMIT = 100_000
"""Parts remembered at most; beyond that the memory of them starts afresh."""
_META_PARTS = ("labels", "annotations", "owner_references", "finalizers")
_SPEC_PARTS = ("containers", "init_containers", "volumes", "tolerations", "affinity", "topology_spread_constraints", "dns_config")
_SPEC_TEXTS = ("node_name", "service_account_name", "priority_class_name", "restart_policy", "dns_policy")
_STATUS_TEXTS = ("phase", "reason", "message", "host_ip", "qos_class")
_STATUS_NAMES = ("name", "image", "image_id")
_CONDITION_TEXTS = ("type", "status", "reason", "message")
_NOTHING = ContainerState()
_encode = msgspec.json.Encoder().encode


class Sharing:
    """The parts seen so far."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._parts: dict[tuple[str, bytes], Any] = {}

    def share(self, value: object) -> None:
        """Replace what `value` has in common with earlier ones. Only right after decoding."""
        if len(self._texts) > LIMIT:
            self._texts.clear()
        if len(self._parts) > LIMIT:
            self._parts.clear()
        meta: LeanMeta = value.metadata  # type: ignore[attr-defined]  # every decoded object has metadata
        self._text(meta, ("namespace",))
        for part in _META_PARTS:
            if getattr(meta, part):
                self._part(meta, part)
        if isinstance(value, Pod):
            self._pod(value)

    def _pod(self, pod: Pod) -> None:
        spec, status = pod.spec, pod.status
        self._text(spec, _SPEC_TEXTS)
        for part in _SPEC_PARTS:
            if getattr(spec, part):
                self._part(spec, part)
        self._text(status, _STATUS_TEXTS)
        for condition in status.conditions:
            self._text(condition, _CONDITION_TEXTS)
        for container in status.container_statuses:
            self._status(container)
        for container in status.init_container_statuses:
            self._status(container)

    def _status(self, status: ContainerStatus) -> None:
        self._text(status, _STATUS_NAMES)
        if status.last_state == _NOTHING:
            force_setattr(status, "last_state", _NOTHING)

    def _text(self, owner: msgspec.Struct, names: tuple[str, ...]) -> None:
        texts = self._texts
        for name in names:
            text = getattr(owner, name)
            if text:
                known = texts.setdefault(text, text)
                if known is not text:
                    force_setattr(owner, name, known)

    def _part(self, owner: msgspec.Struct, name: str) -> None:
        value = getattr(owner, name)
        key = (name, _encode(value))
        known = self._parts.setdefault(key, value)
        if known is not value:
            force_setattr(owner, name, known)
