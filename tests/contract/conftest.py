"""The same behaviours on every rung: the tests here are first true of the real API server, then
asked of the embedded cluster."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import httpx
import pytest

from tests.rungs.cluster import Cluster

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def http(rung: Cluster) -> Iterator[httpx.Client]:
    """A plain client with an administrator's rights on the rung."""
    with rung.client() as client:
        yield client


@pytest.fixture
def namespace(http: httpx.Client) -> str:
    """A namespace of the test's own. It stays: without controllers nothing would finish its
    deletion."""
    name = f"contract-{next(_NUMBERS)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    http.post("/api/v1/namespaces", json=body).raise_for_status()
    return name
