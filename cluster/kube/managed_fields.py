"""What `metadata.managedFields` tells: which manager wrote which fields, when, and the names of the
data keys of Secrets and ConfigMaps. Field names only; no value is in there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cluster.kube.objects import ManagedFields, ObjectMeta

DATA_FIELDS = ("f:data", "f:stringData", "f:binaryData")
"""The fields of a Secret or ConfigMap that hold keys."""


def writes(meta: ObjectMeta, *path: str) -> list[ManagedFields]:
    """Writes to an object other than to its status, newest first; with a path (`f:spec`,
    `f:replicas`) only those that touched this field."""
    found = [
        each
        for each in meta.managed_fields
        if each.time is not None
        and each.subresource != "status"
        and subtree(each.fields_v1, *path) is not None
    ]
    return sorted(
        found,
        key=lambda each: (each.time.timestamp() if each.time else 0.0, each.manager),
        reverse=True,
    )


def last_write(meta: ObjectMeta, *path: str) -> ManagedFields | None:
    """The latest of `writes`, None when there is none."""
    return next(iter(writes(meta, *path)), None)


def data_keys(meta: ObjectMeta) -> frozenset[str] | None:
    """Names of the data keys of a Secret or ConfigMap; None when no manager is recorded, so that
    nothing can be said."""
    if not meta.managed_fields:
        return None
    return key_names(each.fields_v1 for each in meta.managed_fields)


def key_names(trees: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Names of the data keys that are in any of these fieldsV1 trees."""
    return frozenset(
        name.removeprefix("f:")
        for tree in trees
        for field in DATA_FIELDS
        for name in subtree(tree, field) or ()
        if name.startswith("f:")
    )


def subtree(tree: Mapping[str, Any], *path: str) -> Mapping[str, Any] | None:
    """The part of a fieldsV1 tree below `path`, None when it is not there."""
    for step in path:
        below = tree.get(step)
        if not isinstance(below, Mapping):
            return None
        tree = below
    return tree
