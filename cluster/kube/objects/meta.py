"""Metadata, conditions, selectors and references, which objects of every group have."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, NamedTuple

import msgspec

Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""An aware time. One without a zone could not be compared: `cluster.kube.decode` drops it."""


class Ref(NamedTuple):
    """Which object: kind, namespace ("" for cluster-scoped), name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return (
            f"{self.kind} {self.namespace}/{self.name}"
            if self.namespace
            else f"{self.kind} {self.name}"
        )


class Wire(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """Common settings: camelCase on the wire, immutable, not tracked by the garbage collector (no
    cycles)."""


class OwnerReference(Wire, frozen=True):
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class ManagedFields(Wire, frozen=True):
    """One field manager: who wrote which fields, when. `fields_v1` is the tree of `f:` keys, names
    only, never values."""

    manager: str = ""
    operation: str = ""
    subresource: str = ""
    time: Time | None = None
    fields_v1: dict[str, Any] = msgspec.field(default_factory=dict, name="fieldsV1")


class LeanMeta(Wire, frozen=True):
    """Metadata without managedFields, for the kinds that come in tens of thousands."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()


class ObjectMeta(LeanMeta, frozen=True):
    managed_fields: tuple[ManagedFields, ...] = ()


class Condition(Wire, frozen=True):
    """A condition of any kind. `status` is "True", "False" or "Unknown"."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: Time | None = None


class LabelSelectorRequirement(Wire, frozen=True):
    key: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()


class LabelSelector(Wire, frozen=True):
    match_labels: dict[str, str] = {}
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


class ObjectReference(Wire, frozen=True):
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    field_path: str = ""


class Object(Wire, frozen=True):
    """An object of any kind, without managedFields."""

    metadata: LeanMeta = LeanMeta()


class ManagedObject(Object, frozen=True):
    """An object with managedFields."""

    metadata: ObjectMeta = ObjectMeta()


class PartialObject(ManagedObject, frozen=True):
    """An object of which only metadata is requested: managed_fields has the names of its keys."""
