"""A served healthy cluster, and a client for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from drills.scenario.model import Scenario, parse
from drills.server.http import DrillServer
from drills.server.run import serve_in_thread

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
PATIENCE = 60.0
"""Seconds for an answer: a machine that runs everything else at once keeps a drill waiting."""


def scenario(**data: Any) -> Scenario:
    """A scenario without a story, on the standard background unless told otherwise."""
    return parse(
        {
            "id": "test",
            "title": "test",
            "story": {},
            "description": "",
            "answer": {"runbook": ""},
            **data,
        },
        "test",
    )


@pytest.fixture(scope="module")
def server() -> Iterator[DrillServer]:
    with serve_in_thread(scenario(), speed=20.0) as running:
        yield running


@pytest.fixture
def http(server: DrillServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
        yield client
        server.faults.clear()


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[DrillServer, httpx.Client]]]:
    """Serve a scenario of the test's own: serve(data, **options)."""
    open_: list[Any] = []

    def start(data: dict[str, Any], **options: Any) -> tuple[DrillServer, httpx.Client]:
        context = serve_in_thread(scenario(**data), **{"speed": 20.0, **options})
        running = context.__enter__()
        client = httpx.Client(base_url=running.url, timeout=PATIENCE)
        open_.append((context, client))
        return running, client

    yield start
    for context, client in reversed(open_):
        client.close()
        context.__exit__(None, None, None)
