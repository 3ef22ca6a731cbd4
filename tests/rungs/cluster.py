"""What a test or a bench sees of a cluster, whichever rung it stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.rungs.kubeconfig import connect, current
from tests.rungs.processes import Process


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running cluster. `rung` is its name in reports: drill, control plane or nodes."""

    rung: str
    kubeconfig: Path  # of an administrator
    directory: Path  # logs and certificates; gone after the test run
    viewer: Path | None = None  # kubeconfig of a user without any right until a test binds one; None on the drill
    processes: Mapping[str, Process] = field(default_factory=dict)  # by program name; empty on the drill
    images: tuple[str, ...] = ()  # names that pods can run without a registry; empty where pods are not real

    @property
    def server(self) -> str:
        server: str = current(self.kubeconfig)[0]["server"]
        return server

    @property
    def real_pods(self) -> bool:
        return bool(self.images)

    def client(self, *, limit: float = 30.0) -> httpx.Client:
        """A plain HTTP client with the administrator's credentials; `limit` in seconds."""
        return connect(self.kubeconfig, limit=limit)
