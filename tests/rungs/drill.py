"""The lowest rung: the embedded cluster, served from a thread of the test process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from drills.scenario.model import parse
from drills.server.http import DrillServer
from drills.server.run import serve_in_thread
from tests.rungs.cluster import Cluster


@dataclass(frozen=True, slots=True)
class DrillCluster(Cluster):
    """The embedded cluster; what the real one needs a user or a restart for is asked of the server
    directly."""

    embedded: DrillServer | None = None

    @property
    def drill(self) -> DrillServer:
        assert self.embedded is not None
        return self.embedded

    @contextmanager
    def silent(self) -> Iterator[None]:
        self.drill.faults.freeze()
        try:
            yield
        finally:
            self.drill.faults.thaw()

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
            client.headers["Authorization"] = "Bearer unknown-token"
            yield client


# One node and no workloads, as the real rungs begin. Embedded pods run no programs: what the
# commands of the contract print stands here.
EMPTY: dict[str, Any] = {
    "id": "empty",
    "title": "An empty cluster",
    "story": {},
    "description": "",
    "answer": {"runbook": ""},
    "background": None,
    "nodes": [{"name": "node-1", "index": 1, "zone": "a"}],
    "namespaces": ["default", "kube-system"],
    "logs": [{"lines": [{"last": "1s", "text": "first"}, {"last": "0s", "text": "second"}]}],
    "exec": {"commands": [{"match": "exit 7", "stdout": "out\n", "stderr": "err\n", "code": 7}]},
}


@contextmanager
def drill_cluster() -> Iterator[Cluster]:
    """An embedded cluster where nothing is wrong and little is there."""
    scenario = parse(EMPTY, "the empty cluster")
    with (
        tempfile.TemporaryDirectory(prefix="stanch-drill-") as folder,
        serve_in_thread(scenario, token="drill-token") as server,
    ):
        kubeconfig = Path(folder) / "kubeconfig"
        server.write_kubeconfig(kubeconfig)
        yield DrillCluster("drill", kubeconfig, Path(folder), embedded=server)
