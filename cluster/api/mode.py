"""What may be changed, as values that every folder may name.

The door itself is `cluster.api.write`."""

from __future__ import annotations

import enum


class Mode(enum.StrEnum):
    READ_ONLY = "read-only"
    WRITE = "write"
    """The program was started with --write."""


class Purpose(enum.StrEnum):
    ACTION = "action"
    """A change to the cluster that a human confirmed at the gate. Needs `Mode.WRITE`."""
    DEBUG_POD = "debug-pod"
    """A probe's own pod and its owner, marked as ours and mortal: allowed in both modes. An
    ephemeral container stays: `Mode.WRITE`."""
    REVIEW = "review"
    """A question that is asked by POST: access reviews and dry runs. Allowed in both modes."""
