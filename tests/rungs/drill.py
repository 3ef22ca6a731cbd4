"""The lowest rung: the embedded cluster, served from a thread of the test process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from drills.run import serve_in_thread
from drills.server import DrillServer
from tests.rungs.cluster import Cluster


@dataclass(frozen=True, slots=True)
class DrillCluster(Cluster):
    """The embedded cluster; what the real one needs a user or a restart for is asked of the server directly."""

    embedded: DrillServer | None = None

    @property
    def drill(self) -> DrillServer:
        assert self.embedded is not None
        return self.embedded

    def forget_history(self) -> None:
        self.drill.store.compact()

    @contextmanager
    def forbidden(self, resource: str) -> Iterator[httpx.Client]:
        rule = self.drill.faults.forbid(resource)
        try:
            with self.client() as client:
                yield client
        finally:
            self.drill.faults.remove(rule)

    @contextmanager
    def unauthorized(self) -> Iterator[httpx.Client]:
        with self.client() as client:
            client.headers["Authorization"] = "Bearer nobody-knows-this"
            yield client


@contextmanager
def drill_cluster() -> Iterator[Cluster]:
    """An embedded cluster without a scenario."""
    with tempfile.TemporaryDirectory(prefix="stanch-drill-") as folder, serve_in_thread(None, token="drill-token") as server:
        kubeconfig = Path(folder) / "kubeconfig"
        server.write_kubeconfig(kubeconfig)
        yield DrillCluster("drill", kubeconfig, Path(folder), embedded=server)
