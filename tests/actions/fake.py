"""A node behind an API that can fail at any step, and a journal that can refuse."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from actions.context import ActionContext
from actions.plan import ActionPlan, ActionResult
from cluster.api.mode import Mode, Purpose
from cluster.errors import ClusterError, Refused
from cluster.live.store import Store


@dataclass
class FakeJournal:
    fails: bool = False
    intents: list[ActionPlan] = field(default_factory=list)
    results: list[ActionResult] = field(default_factory=list)

    async def intend(self, plan: ActionPlan) -> None:
        if self.fails:
            raise OSError("No space left on device")
        self.intents.append(plan)

    def conclude(self, result: ActionResult) -> None:
        if self.fails:
            raise OSError("No space left on device")
        self.results.append(result)


@dataclass
class FakeApi:
    """One node. `on_patch` may raise before or after `applies` decides whether the change takes
    effect."""

    store: Store
    mode: Mode | None = Mode.WRITE
    unschedulable: bool = False
    applies: bool = True
    patch_error: Exception | None = None
    read_error: ClusterError | None = None
    dry_run_error: ClusterError | None = None
    now: datetime = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
    patches: list[Mapping[str, Any]] = field(default_factory=list)
    before_patch: Callable[[], None] = lambda: None

    def context(self, name: str = "lab") -> ActionContext:
        return ActionContext(
            self.store,
            self,
            self,
            name,
            "https://lab:6443",
            clock=lambda: self.now,
            sleep=self.sleep,
        )

    async def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    async def get_json(self, path: str, params: Any = None, *, timeout: float | None = None) -> Any:
        if self.read_error is not None:
            raise self.read_error
        return {"spec": {"unschedulable": True} if self.unschedulable else {}}

    async def patch(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        content_type: str = "",
        dry_run: bool = False,
        purpose: Purpose | None = None,
    ) -> Mapping[str, Any]:
        if dry_run:
            if self.dry_run_error is not None:
                raise self.dry_run_error
            return body
        if self.mode is not Mode.WRITE or purpose is not Purpose.ACTION:
            raise Refused("read-only")
        self.before_patch()
        self.patches.append(body)
        if self.applies:
            self.unschedulable = bool(body["spec"]["unschedulable"])
        if self.patch_error is not None:
            raise self.patch_error
        return body

    async def create(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        dry_run: bool = False,
        purpose: Purpose | None = None,
    ) -> Mapping[str, Any]:
        raise AssertionError("no action creates")

    async def delete(
        self, path: str, *, dry_run: bool = False, purpose: Purpose | None = None
    ) -> Mapping[str, Any]:
        raise AssertionError("no action deletes")

    async def review(
        self, verb: str, resource: str, *, group: str = "", subresource: str = "", name: str = ""
    ) -> tuple[bool, str]:
        return True, ""
