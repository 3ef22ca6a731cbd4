"""Rows for every object that a probe creates: one before it is created, one after it is removed.

The incident stores the rows, so that after `kill -9` an open row says where to look. When `intend`
raises, nothing is created, so no object exists without a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cluster.kube.objects import Ref


@dataclass(frozen=True, slots=True)
class Intent:
    """One object that will be created. At `expires` (UTC) it ends by itself; `session` is the value
    of its label."""

    session: str
    ref: Ref
    purpose: str
    expires: datetime


class Ledger(Protocol):
    async def intend(self, intent: Intent) -> None:
        """Stores the row on disk. Raises any exception when that is not certain: then nothing is
        created."""
        ...

    def created(self, intent: Intent, uid: str, version: str = "") -> None:
        """The server has created it, with this uid and resourceVersion, "" where not told."""
        ...

    def removed(self, ref: Ref, how: str) -> None:
        """The object was removed or never created; `how` is a short sentence."""
        ...

    async def open_intents(self) -> Sequence[Intent]:
        """Rows without an end, from this and earlier runs."""
        ...


class MemoryLedger:
    """Keeps the rows in memory, for single runs without a record and for tests."""

    def __init__(self) -> None:
        self._open: dict[Ref, Intent] = {}
        self.lines: list[str] = []

    async def intend(self, intent: Intent) -> None:
        self._open[intent.ref] = intent
        self.lines.append(f"intend {intent.ref}")

    def created(self, intent: Intent, uid: str, version: str = "") -> None:
        self.lines.append(f"created {intent.ref}")

    def removed(self, ref: Ref, how: str) -> None:
        self._open.pop(ref, None)
        self.lines.append(f"removed {ref}: {how}")

    async def open_intents(self) -> Sequence[Intent]:
        return self.rows

    @property
    def rows(self) -> Sequence[Intent]:
        return tuple(self._open.values())
