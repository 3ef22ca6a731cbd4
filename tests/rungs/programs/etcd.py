"""etcd for a test cluster, and loading objects into it before an API server looks."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import httpx

from tests.rungs import storage
from tests.rungs.programs.processes import Process, flags, free_port, start, wait_until

TRANSACTION = 128  # etcd's default --max-txn-ops


def start_etcd(
    stack: ExitStack,
    binary: Path,
    directory: Path,
    *,
    address: str = "127.0.0.1",
    enter: Sequence[str] = (),
) -> tuple[Process, str]:
    """Start etcd on `address` with its data below `directory`; returns the process and the client
    URL."""
    client, peer = (
        f"http://{address}:{port}"
        for port in ((2379, 2380) if enter else (free_port(), free_port()))
    )
    process = start(
        stack,
        "etcd",
        [
            binary,
            "--unsafe-no-fsync",
            *flags(
                {
                    "data-dir": directory / "etcd",
                    "listen-client-urls": client,
                    "advertise-client-urls": client,
                    "listen-peer-urls": peer,
                    "initial-advertise-peer-urls": peer,
                    "initial-cluster": f"default={peer}",
                    "log-level": "warn",
                }
            ),
        ],
        directory,
        enter=enter,
    )

    def healthy() -> bool:
        try:
            return httpx.get(f"{client}/health", timeout=1, trust_env=False).is_success
        except httpx.TransportError:
            return False

    wait_until(healthy, "etcd /health", process=process, limit=60)
    return process, client


def load(client: str, objects: Iterable[Mapping[str, Any]]) -> int:
    """Write `objects` (JSON as an API server would return them) into etcd; returns how many keys
    were written.

    The API server must not run yet: its watch cache and its allocators would not notice all of it
    in order.
    """
    pairs = iter(storage.stored(objects))
    written = 0
    with httpx.Client(base_url=client, timeout=30, trust_env=False) as http:
        while batch := list(islice(pairs, TRANSACTION)):
            puts = [
                {
                    "request_put": {
                        "key": _b64(key.encode()),
                        "value": _b64(json.dumps(item).encode()),
                    }
                }
                for key, item in batch
            ]
            http.post("/v3/kv/txn", json={"success": puts}).raise_for_status()
            written += len(batch)
    return written


def compact(client: str) -> None:
    """Forget every version but the present one, as etcd's compaction does: reading an older one is
    an error from then on."""
    with httpx.Client(base_url=client, timeout=10, trust_env=False) as http:
        present = (
            http.post("/v3/kv/range", json={"key": _b64(b"/")})
            .raise_for_status()
            .json()["header"]["revision"]
        )
        http.post(
            "/v3/kv/compaction", json={"revision": present, "physical": True}
        ).raise_for_status()


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
