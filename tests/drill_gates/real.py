"""Drills on a real API server: their objects are written into etcd with all of their past, before
the server starts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cli.connection import read_once
from drills.scenario.catalogue import load
from drills.scenario.expand import objects
from incident.options import Options
from incident.session import LiveInvestigation
from incident.view import View
from tests.rungs.cluster import Cluster
from tests.rungs.controlplane import control_plane
from tests.rungs.fixtures import or_missing

PATIENCE = 60.0
"""Seconds for one reading of the whole cluster; measured 1 to 2."""


@contextmanager
def loaded(name: str) -> Iterator[Cluster]:
    """Rung 1 with a drill that began now."""
    with or_missing(
        "control plane", control_plane(objects=objects(load(name), datetime.now(UTC)))
    ) as cluster:
        yield cluster


def triage(kubeconfig: Path, folder: Path) -> View:
    """What `stanch triage` reads and concludes."""

    async def once() -> View:
        investigation = LiveInvestigation(
            Options(
                kubeconfig=str(kubeconfig),
                state=folder / "state",
                config=folder / "config",
                write=False,
                record=False,
            )
        )
        await investigation.start()
        try:
            return await read_once(investigation, PATIENCE)
        finally:
            await investigation.stop()

    return asyncio.run(once())
