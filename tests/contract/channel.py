"""`pods/exec` over a WebSocket as the API server serves it, read frame by frame."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.rungs.programs.kubeconfig import current, headers, trust

STDOUT, STDERR, ERROR = 1, 2, 3
V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came over the channels: bytes by channel number, the Status of channel 3, and the
    protocol that was agreed."""

    output: dict[int, bytes]
    status: dict[str, Any]
    protocol: str | None


async def execute(
    kubeconfig: Path,
    pod: str,
    command: Sequence[str],
    *,
    protocols: Sequence[str] = (V5, V4),
    container: str = "main",
    limit: float = 20.0,
) -> Outcome:
    """Run `command` in a container of the pod at path `pod` and wait for the end of the stream,
    `limit` seconds at most.

    Raises aiohttp.WSServerHandshakeError when the server refuses the upgrade.
    """
    query = [
        *(("command", part) for part in command),
        ("container", container),
        ("stdout", "true"),
        ("stderr", "true"),
    ]
    output: defaultdict[int, bytes] = defaultdict(bytes)
    tls = trust(kubeconfig)
    server = current(kubeconfig)[0]["server"]
    async with (
        asyncio.timeout(limit),
        aiohttp.ClientSession(server, headers=headers(kubeconfig)) as session,
        session.ws_connect(
            f"{pod}/exec", params=query, protocols=protocols, ssl=tls or True
        ) as socket,
    ):
        async for message in socket:
            assert message.type == aiohttp.WSMsgType.BINARY, message
            output[message.data[0]] += message.data[1:]
        agreed = socket.protocol
    return Outcome(dict(output), json.loads(output[ERROR] or b"{}"), agreed)
