"""What may exist in the cluster because of us: a row is written before an object is created, and
one after it is gone.

The incident keeps these rows in its file (intent before, result after), so that `kill -9` between
the two leaves a row that says where to look. An object without a row cannot exist: when `intend`
raises, nothing is created.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cluster.kube.objects import Ref


@dataclass(frozen=True, slots=True)
class Intent:
    """One object that is about to be created. `expires` (UTC) is when it ends by itself; `session`
    is its label's value."""

    session: str
    ref: Ref
    purpose: str
    expires: datetime


class Ledger(Protocol):
    async def intend(self, intent: Intent) -> None:
        """On disk when it returns; raises (anything) when that is not certain, and then nothing is
        created."""
        ...

    def created(self, intent: Intent, uid: str) -> None: ...

    def removed(self, ref: Ref, how: str) -> None:
        """The object is gone, or never came to be; `how` is a short sentence."""
        ...

    async def open_intents(self) -> Sequence[Intent]:
        """Rows without an end, of this and of earlier runs."""
        ...


class MemoryLedger:
    """For one-shot runs without a record and for tests: lives as long as the process."""

    def __init__(self) -> None:
        self._open: dict[Ref, Intent] = {}
        self.lines: list[str] = []

    async def intend(self, intent: Intent) -> None:
        self._open[intent.ref] = intent
        self.lines.append(f"intend {intent.ref}")

    def created(self, intent: Intent, uid: str) -> None:
        self.lines.append(f"created {intent.ref}")

    def removed(self, ref: Ref, how: str) -> None:
        self._open.pop(ref, None)
        self.lines.append(f"removed {ref}: {how}")

    async def open_intents(self) -> Sequence[Intent]:
        return self.rows

    @property
    def rows(self) -> Sequence[Intent]:
        return tuple(self._open.values())
