"""Starts servers of rendered answers (`bench.rendered`), each in a process of its own, and asks
them what they sent."""

from __future__ import annotations

import json
import os
import ssl
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, Popen

import yaml


def scratch_folder(scratch: Path, pods: int) -> Path:
    """A folder of its own for one server."""
    folder = scratch / f"rendered-{pods}-{os.urandom(4).hex()}"
    folder.mkdir()
    return folder


@contextmanager
def rendered(folder: Path, pods: int, *options: str) -> Iterator[Path]:
    """A server in a process of its own; gives its kubeconfig. Raises RuntimeError when it does not
    start within 300 s."""
    kubeconfig = folder / "kubeconfig"
    kubeconfig.unlink(missing_ok=True)
    command = [sys.executable, "-m", "bench.rendered", str(folder), str(pods), *options]
    with Popen(command, stdin=DEVNULL) as server:
        try:
            for _ in range(3_000):
                if kubeconfig.exists():
                    break
                if server.poll() is not None:
                    raise RuntimeError("the rendered server did not start")
                time.sleep(0.1)
            else:
                raise RuntimeError("the rendered server did not start within 300 s")
            yield kubeconfig
        finally:
            server.terminate()


def load(kubeconfig: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads(ask(kubeconfig, "/bench/load"))
    return found


def ask(kubeconfig: Path, path: str, *, post: bool = False) -> bytes:
    server = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    request = urllib.request.Request(server + path, method="POST" if post else "GET")  # noqa: S310  # loopback, from our own file
    authority = kubeconfig.with_name("server.crt")
    trusted = ssl.create_default_context(cafile=authority) if authority.exists() else None
    with urllib.request.urlopen(request, timeout=30, context=trusted) as answer:  # noqa: S310  # as above
        body: bytes = answer.read()
    return body
