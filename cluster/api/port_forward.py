"""One connection to a port inside a pod, by port-forward over WebSocket (channel protocol v4).

The container runtime connects to localhost in the network namespace of the pod (containerd:
internal/cri/server/sandbox_portforward_linux.go). So an open port proves that a process listens,
and nothing about the pod network, policies or Services. Channels: 0 data, 1 the error as text; the
first frame of each has the port (kubelet pkg/cri/streaming/portforward/websocket.go).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec

from cluster.api.transport import Api
from cluster.errors import ClusterError, Unreachable
from cluster.kube.text import clean, clean_line

if TYPE_CHECKING:
    from cluster.api.websocket import Channels

PROTOCOLS = ("v4.channel.k8s.io",)
REQUEST = b"GET / HTTP/1.0\r\nConnection: close\r\n\r\n"
"""Sent to provoke an answer; a server of another protocol may stay silent or close."""
SILENCE = 2.0
"""Seconds without an error after which the port counts as open; the runtime reports a refused
connection at once."""
HEARD_CAP = 4096
_DATA, _ERROR = 0, 1


class ForwardResult(msgspec.Struct, frozen=True):
    """`open`: whether the runtime reached a listener; None: not known, and `error` says why.
    `refused`: the runtime's message when it did not. `heard`: the first bytes that came back,
    cleaned."""

    open: bool | None
    heard: str = ""
    refused: str = ""
    error: str = ""


class Forwarder:
    """Tries ports inside the pods of one cluster. Raises no error of server or network."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def __call__(
        self, namespace: str, pod: str, port: int, deadline_s: float = 10.0
    ) -> ForwardResult:
        """Connect to `port` inside the pod and send one HTTP request. `deadline_s` bounds the whole
        call in seconds."""
        from cluster.api.websocket import open_channels

        what = f"port-forward to {namespace}/{pod}:{port}"
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward"
        try:
            async with asyncio.timeout(deadline_s):
                credential = await self._api.credentials.current()
                async with open_channels(
                    self._api, credential, path, [("ports", str(port))], PROTOCOLS, what
                ) as channels:
                    return await _talk(channels, what)
        except TimeoutError:
            return ForwardResult(None, error=f"{what}: not finished within {deadline_s:g} s.")
        except ClusterError as error:
            return ForwardResult(None, error=str(error))


async def _talk(channels: Channels, what: str) -> ForwardResult:
    if channels.protocol not in PROTOCOLS:
        why = f"the server does not speak {PROTOCOLS[0]}; it is too old or behind a proxy"
        return ForwardResult(None, error=f"{what}: {why}.")
    begun: set[int] = set()
    heard, said = bytearray(), bytearray()
    # After a refused connection nothing can be sent, but the reason can be read.
    with contextlib.suppress(Unreachable):
        await channels.send(_DATA, REQUEST)
    while len(heard) < HEARD_CAP:
        try:
            message = await channels.receive(SILENCE)
        except TimeoutError:
            break
        if message is None:
            break
        channel, payload = message
        if channel not in begun:  # the port, two bytes
            begun.add(channel)
            payload = payload[2:]
        if channel == _DATA:
            heard += payload
        elif channel == _ERROR:
            said += payload
    if said:
        return ForwardResult(False, refused=clean_line(said.decode("utf-8", "replace"), 1000))
    if not begun:
        why = "the connection ended at once; nothing is known of the port"
        return ForwardResult(None, error=f"{what}: {why}.")
    return ForwardResult(
        True, heard=clean(bytes(heard[:HEARD_CAP]).decode("utf-8", "replace"), HEARD_CAP)
    )
