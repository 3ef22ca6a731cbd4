"""Values for `cluster.api.write` that every folder may import: the mode, the purpose of a write,
the labels of a probe's objects, the forms of a patch, and what an access review asks for."""

from __future__ import annotations

import enum
from typing import TypedDict

PREFIX = "stanch-probe-"
"""Begins the name of each object that a probe creates."""
MANAGED_BY = "app.kubernetes.io/managed-by"
EXPIRES_AT = "stanch/expires-at"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class Mode(enum.StrEnum):
    READ_ONLY = "read-only"
    WRITE = "write"
    """The program was started with --write."""


class Purpose(enum.StrEnum):
    ACTION = "action"
    """A change that a human confirmed. Needs `Mode.WRITE`."""
    DEBUG_POD = "debug-pod"
    """A pod of a probe and its owner, with the label of stanch and a deadline: allowed in both
    modes. An ephemeral container cannot be removed: needs `Mode.WRITE`."""
    REVIEW = "review"
    """An access review or a dry run. Allowed in both modes."""


class ResourceAttributes(TypedDict, total=False):
    """The optional part of authorization.k8s.io/v1 ResourceAttributes."""

    group: str
    subresource: str
    namespace: str
    name: str
