"""What an action receives: API access, the writer, the live state, the record, clocks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, Unpack

from actions.plan import ActionPlan, ActionResult, Target, TargetResult
from cluster.api.mode import Mode, Purpose, ResourceAttributes
from cluster.api.transport import Api
from cluster.api.write import Writer
from cluster.live.store import Store

JSON = "application/json"
Progress = Callable[[str], None]


class ObjectReader(Protocol):
    """The reading half of `cluster.api.transport.Api`. Raises `cluster.errors.ClusterError`."""

    async def get_json(
        self,
        path: str,
        params: Mapping[str, str | int | list[str]] | None = None,
        *,
        timeout: float | None = None,
        accept: str = JSON,
    ) -> Any: ...


class ActionWriter(Protocol):
    """Sends changes, bound to `Purpose.ACTION`. Raises `Refused` (nothing sent), `ApiError`
    (the server refused), `OutcomeUnknown` (it may have taken effect)."""

    @property
    def mode(self) -> Mode | None: ...

    async def create(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        dry_run: bool = False,
    ) -> Mapping[str, Any]: ...

    async def patch(
        self,
        path: str,
        body: Mapping[str, Any] | list[Any],
        *,
        content_type: str = "",
        dry_run: bool = False,
        accept: str = JSON,
    ) -> Mapping[str, Any]: ...

    async def delete(
        self,
        path: str,
        *,
        uid: str = "",
        grace_seconds: int | None = None,
        dry_run: bool = False,
    ) -> Mapping[str, Any]: ...

    async def review(
        self, verb: str, resource: str, **attributes: Unpack[ResourceAttributes]
    ) -> tuple[bool, str]:
        """SelfSubjectAccessReview: (allowed, reason)."""
        ...


class ActionJournal(Protocol):
    """The record as the gate needs it."""

    async def intend(self, plan: ActionPlan) -> None:
        """Stores the intent on disk. Raises any exception when that is not certain: then nothing
        is sent."""
        ...

    async def begin(self, plan: ActionPlan, target: Target) -> None:
        """Stores, on disk, that one of several targets is sent next. Raises as `intend` does."""
        ...

    def finish(self, plan: ActionPlan, result: TargetResult) -> None:
        """Stores the result of one of several targets."""
        ...

    def conclude(self, result: ActionResult) -> None:
        """Stores the result of the plan, also of refused and declined ones."""
        ...


def no_record(change: str) -> Mapping[str, Any] | None:
    return None


@dataclass(frozen=True, slots=True)
class ActionContext:
    """What an action may use. Every plan shows `context` and `server`."""

    store: Store
    api: ObjectReader
    writer: ActionWriter
    context: str
    server: str
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """Kind -> why it could not be read."""
    recorded: Callable[[str], Mapping[str, Any] | None] = no_record
    """The document of a recorded plan, by the id of its intent."""
    beside: str = ""
    """Why the record's entries go to the sidecar, "" while they go to its file."""
    prohibitions: tuple[str, ...] = ()
    """What the runbook forbids, one sentence each."""
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


def action_writer(api: Api, mode: Mode) -> Writer:
    """The writer for actions: it allows changes in `Mode.WRITE` only."""
    return Writer(api, mode, Purpose.ACTION)
