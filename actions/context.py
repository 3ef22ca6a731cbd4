"""What an action is given from outside: the wire, the write door, the live state, the record, the
clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from actions.plan import ActionPlan, ActionResult
from cluster.api.mode import Mode, Purpose
from cluster.api.transport import Api
from cluster.api.write import Writer
from cluster.live.store import Store


class ApiReader(Protocol):
    """The reading half of `cluster.api.transport.Api`. Raises `cluster.errors.ClusterError`."""

    async def get_json(
        self,
        path: str,
        params: Mapping[str, str | int | list[str]] | None = None,
        *,
        timeout: float | None = None,
    ) -> Any: ...


class ActionWriter(Protocol):
    """The write door. Raises `Refused` (nothing sent), `ApiError` (the server said no),
    `OutcomeUnknown` (it may have taken effect)."""

    @property
    def mode(self) -> Mode | None: ...

    async def create(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        dry_run: bool = False,
        purpose: Purpose | None = None,
    ) -> Mapping[str, Any]: ...

    async def patch(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        content_type: str = "",
        dry_run: bool = False,
        purpose: Purpose | None = None,
    ) -> Mapping[str, Any]: ...

    async def delete(
        self, path: str, *, dry_run: bool = False, purpose: Purpose | None = None
    ) -> Mapping[str, Any]: ...

    async def review(
        self, verb: str, resource: str, *, group: str = "", subresource: str = "", name: str = ""
    ) -> tuple[bool, str]: ...


class Journal(Protocol):
    """The record as the gate needs it."""

    async def intend(self, plan: ActionPlan) -> None:
        """On disk when it returns. Raises (anything) when that is not certain: then nothing is
        sent."""
        ...

    def conclude(self, result: ActionResult) -> None:
        """What became of it, also refused and declined plans."""
        ...


@dataclass(frozen=True, slots=True)
class ActionContext:
    """Everything an action may use. `context` and `server` are shown with every plan;
    `unavailable`: kinds that could not be read."""

    store: Store
    api: ApiReader
    writer: ActionWriter
    context: str
    server: str
    unavailable: Mapping[str, str] = field(default_factory=dict)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


def action_writer(api: Api, mode: Mode) -> Writer:
    """Opens the one door for writing to actions: with --write only, and with a purpose named at
    each call."""
    return Writer(api, mode)
