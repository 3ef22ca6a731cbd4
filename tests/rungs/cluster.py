"""What a test or a bench sees of a cluster, whichever rung it stands on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.rungs.permissions import all_but
from tests.rungs.programs import etcd
from tests.rungs.programs.apiserver import wait_ready
from tests.rungs.programs.kubeconfig import connect, current
from tests.rungs.programs.processes import Process


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running cluster. `rung` is its name in reports: drill, control plane or nodes."""

    rung: str
    kubeconfig: Path  # of an administrator
    directory: Path  # logs and certificates; gone after the test run
    viewer: Path | None = (
        None  # kubeconfig of a user without any right until a test binds one; None on the drill
    )
    processes: Mapping[str, Process] = field(
        default_factory=dict
    )  # by program name; empty on the drill
    store: str | None = None  # client URL of the store
    images: tuple[
        str, ...
    ] = ()  # names that pods can run without a registry; empty where pods are not real

    @property
    def server(self) -> str:
        server: str = current(self.kubeconfig)[0]["server"]
        return server

    @property
    def real_pods(self) -> bool:
        return bool(self.images)

    def restart_api(self) -> None:
        """Kill the API server and start it again."""
        process = self.processes["kube-apiserver"]
        process.kill()
        process.launch()
        wait_ready(process, self.kubeconfig)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """The API server accepts connections and answers nothing, open streams included."""
        process = self.processes["kube-apiserver"]
        process.freeze()
        try:
            yield
        finally:
            process.thaw()

    def forget_history(self) -> None:
        """Make every older version unreadable: compact the store, and restart the API server, whose
        cache outlives a compaction."""
        assert self.store is not None
        etcd.compact(self.store)
        self.restart_api()

    @contextmanager
    def forbidden(self, resource: str) -> Iterator[httpx.Client]:
        """A client of a user who may read everything but `resource`."""
        assert self.viewer is not None
        with self.client() as admin, connect(self.viewer) as client, all_but(admin, resource):
            yield client

    @contextmanager
    def unauthorized(self) -> Iterator[httpx.Client]:
        """A client with a token that the server does not know."""
        assert self.viewer is not None
        with connect(self.viewer) as client:
            client.headers["Authorization"] = "Bearer unknown-token"
            yield client

    def client(self, *, limit: float = 30.0) -> httpx.Client:
        """A plain HTTP client with the administrator's credentials; `limit` in seconds."""
        return connect(self.kubeconfig, limit=limit)
