"""A real control plane with controllers and played kubelets, and actions on it as an investigation
runs them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from actions import catalogue
from actions.context import ActionContext, action_writer
from actions.plan import ActionPlan, ActionResult, Outcome
from cluster.api.mode import Mode
from cluster.api.transport import Api
from cluster.connect.kubeconfig import load_access
from cluster.live.live_cluster import LiveCluster
from tests.actions.fake import FakeJournal
from tests.rungs.programs.kwok import ANNOTATION

Json = dict[str, Any]
LIMIT_S = 60.0


@dataclass
class RealCluster:
    """`context` acts; `http` is an administrator who looks and meddles."""

    context: ActionContext
    http: httpx.Client
    journal: FakeJournal

    async def plan(self, name: str, **arguments: str) -> ActionPlan:
        return await catalogue.plan(name, self.context, arguments)

    async def do(self, name: str, **arguments: str) -> ActionResult:
        """Plans, confirms and expects it to be done. Confirms the plan of the new state when a
        controller changed the object meanwhile."""
        plan = await self.plan(name, **arguments)
        for _ in range(5):
            assert plan.refused == "", plan.refused
            assert plan.dry_run_ok is True, plan.dry_run
            result = await catalogue.run(plan, plan.confirmation, self.context, self.journal)
            if result.again is None:
                break
            plan = result.again
        assert result.outcome is Outcome.DONE, result.sentence
        return result

    async def undo(self) -> ActionResult:
        """Undoes the newest change from what was recorded of it."""
        return await self.do("undo", change="newest")

    def get(self, path: str) -> Json:
        answer: Json = self.http.get(path).raise_for_status().json()
        return answer

    def exists(self, path: str) -> bool:
        return self.http.get(path).status_code == httpx.codes.OK

    def create(self, collection: str, body: Mapping[str, Any]) -> Json:
        answer = self.http.post(collection, json=body)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        made: Json = answer.json()
        return made

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Waits until the live state or the cluster is as wanted."""
        async with asyncio.timeout(LIMIT_S):
            while not holds():  # noqa: ASYNC110  # a server's state sets no event
                await asyncio.sleep(0.1)

    async def known(self, kind: str, namespace: str, name: str) -> None:
        """Waits until the live state has an object."""
        store = self.context.store
        await self.until(lambda: store.get(kind, namespace, name) is not None, f"{kind} {name}")


@contextlib.asynccontextmanager
async def acting(kubeconfig: Path, http: httpx.Client) -> AsyncIterator[RealCluster]:
    """Actions with write access on this cluster, with the whole live state."""
    api = Api(load_access(explicit=str(kubeconfig)))
    live = LiveCluster(api)
    task = asyncio.create_task(live.run())
    journal = FakeJournal()
    try:
        assert await live.wait_loaded(30), "the live state did not load"
        context = ActionContext(
            live.store,
            api,
            action_writer(api, Mode.WRITE),
            "rung",
            live.access.server,
            recorded=journal.recorded,
        )
        yield RealCluster(context, http, journal)
    finally:
        live.stop()
        with contextlib.suppress(asyncio.CancelledError):
            task.cancel()
            await task
        await api.aclose()


def kwok_node(name: str) -> Json:
    resources = {"cpu": "8", "memory": "16Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {ANNOTATION: "fake"},
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
        },
        "status": {"allocatable": resources, "capacity": resources},
    }


def deployment(name: str, replicas: int, image: str) -> Json:
    labels = {"app": name}
    resources = {"requests": {"memory": "64Mi"}, "limits": {"memory": "128Mi"}}
    container = {"name": "web", "image": image, "resources": resources}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
            },
        },
    }
