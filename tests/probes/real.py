"""A probe context on a real API server, as an investigation makes it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from cluster.api.exec import Executor
from cluster.api.mode import Mode, Purpose
from cluster.api.port_forward import Forwarder
from cluster.api.transport import Api
from cluster.api.write import Writer
from cluster.connect.kubeconfig import load_access
from cluster.live.live_cluster import LiveCluster
from probes.context import ProbeContext
from probes.ledger import Ledger, MemoryLedger


@contextlib.asynccontextmanager
async def real_context(
    kubeconfig: Path | str, ledger: Ledger | None = None, *, write: bool = False
) -> AsyncIterator[ProbeContext]:
    """A context with the whole live state; read-only, because probes must work so: only an
    ephemeral container needs `write`."""
    mode = Mode.WRITE if write else Mode.READ_ONLY
    api = Api(load_access(explicit=str(kubeconfig)))
    live = LiveCluster(api)
    task = asyncio.create_task(live.run())
    try:
        assert await live.wait_loaded(30), "the live state did not load"
        yield ProbeContext(
            store=live.store,
            api=api,
            writer=Writer(api, mode, Purpose.DEBUG_POD),
            execute=Executor(api),
            forward=Forwarder(api),
            ledger=ledger or MemoryLedger(),
            operator="tester@lab",
            incident="INC-test",
        )
    finally:
        live.stop()
        with contextlib.suppress(asyncio.CancelledError):
            task.cancel()
            await task
        await api.aclose()
