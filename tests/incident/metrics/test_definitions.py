"""CustomResourceDefinitions of which the watched metadata says too little are read, once a
version."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

from cluster.errors import Unreachable
from cluster.kube.objects import Ref
from cluster.live.live_cluster import LiveCluster
from cluster.live.store import Store
from incident.metrics.definitions import DefinitionsReader
from tests.triage.build import NOW, ago, managed, meta, row

CRD = "CustomResourceDefinition"
WEBHOOK: dict[str, Any] = {"f:spec": {"f:conversion": {"f:webhook": {}}}}


class Server:
    """Answers a GET of a definition, and counts them."""

    def __init__(self, status: dict[str, Any]) -> None:
        self.asked: list[str] = []
        self.away = False
        self._body = json.dumps(
            {
                "metadata": {"name": "queues.mq.example.com"},
                "spec": {
                    "names": {"kind": "Queue"},
                    "versions": [{"schema": {"openAPIV3Schema": {"type": "object"}}}],
                    "conversion": {
                        "webhook": {
                            "clientConfig": {"service": {"namespace": "mq", "name": "hook"}}
                        }
                    },
                },
                "status": status,
            }
        ).encode()

    @contextlib.asynccontextmanager
    async def open(self, path: str, **_: Any) -> AsyncIterator[Any]:
        self.asked.append(path.rpartition("/")[2])
        if self.away:
            raise Unreachable("no answer")

        async def read() -> tuple[bytes, bool]:
            return self._body, False

        yield SimpleNamespace(read=read)


def reader(server: Server, store: Store) -> DefinitionsReader:
    live = cast(LiveCluster, SimpleNamespace(store=store, api=server))
    return DefinitionsReader(live, lambda: NOW)


def stored(*rows: dict[str, Any]) -> Store:
    store = Store()
    store.apply(CRD, [row(CRD, {"metadata": each}) for each in rows])
    return store


async def test_only_new_ones_and_those_with_a_webhook_are_read_once() -> None:
    old = [managed("helm", ago(days=90), {})]
    store = stored(
        meta("old.x.io", managedFields=old),
        meta("queues.mq.example.com", managedFields=[managed("helm", ago(days=90), WEBHOOK)]),
        meta("young.x.io", created=ago(hours=1)),
    )
    refused = {"type": "NamesAccepted", "status": "False", "reason": "KindConflict"}
    server = Server({"conditions": [refused]})
    found = reader(server, store)
    assert found.sample is None
    assert await found.read(found.unread())
    assert sorted(server.asked) == ["queues.mq.example.com", "young.x.io"]
    assert found.sample is not None
    one = found.sample.values[0]
    assert (one.name, one.kind, one.conversion) == (
        "queues.mq.example.com",
        "Queue",
        Ref("Service", "mq", "hook"),
    )
    assert [c.reason for c in one.conditions] == ["KindConflict"]
    assert found.unread() == ()


async def test_a_definition_that_is_not_answered_costs_nothing() -> None:
    server = Server({})
    server.away = True
    found = reader(server, stored(meta("young.x.io", created=NOW - timedelta(minutes=5))))
    assert not await found.read(found.unread())
    assert found.sample is None
