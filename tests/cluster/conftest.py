from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cluster.api.transport import Api, Limits
from cluster.connect.access import Access
from tests.cluster.fake import FakeCluster


@pytest.fixture
async def fake() -> AsyncIterator[FakeCluster]:
    server = FakeCluster()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def api(fake: FakeCluster) -> AsyncIterator[Api]:
    found = Api(Access(server=fake.url), limits=Limits(connect=1, read=1, write=1, pool=1))
    yield found
    await found.aclose()
