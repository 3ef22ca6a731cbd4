"""pods/exec over WebSocket: subprotocols v5.channel.k8s.io and v4.channel.k8s.io, exit status on
channel 3."""

from __future__ import annotations

import asyncio
import json

from aiohttp import WSMsgType, web

from drills.api.objects import Obj
from drills.api.problems import success
from drills.pods.shell import Exit, Shell, StreamOutput

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_ERROR = b"\x03"


def _status(end: Exit) -> bytes:
    body = success()
    if end.message or end.code:
        reason, cause = "InternalError", {"message": end.message}
        text = end.message
        if not end.message:
            reason, cause = "NonZeroExitCode", {"reason": "ExitCode", "message": str(end.code)}
            text = f"command terminated with non-zero exit code: exit status {end.code}"
        body |= {"status": "Failure", "reason": reason, "message": text}
        body["details"] = {"causes": [cause]}
    return _ERROR + json.dumps(body).encode()


async def serve(
    request: web.Request,
    shell: Shell,
    pod: Obj,
    container: str,
    command: list[str],
    *,
    cut_after: int | None = None,
) -> web.WebSocketResponse:
    """Run one command. `cut_after` closes the connection without a status after that many bytes (a
    fault)."""
    socket = web.WebSocketResponse(protocols=PROTOCOLS, heartbeat=None, autoping=True)
    await socket.prepare(request)
    reader = asyncio.create_task(_drain(socket))
    left = cut_after
    try:
        async for piece in shell.run(pod, container, command):
            if isinstance(piece, Exit):
                await socket.send_bytes(_status(piece))
                continue
            if piece.pause:
                await asyncio.wait({reader}, timeout=piece.pause)
            if reader.done():
                break  # The client left during the pause.
            await _send(socket, piece, left)
            if left is not None:
                left -= len(piece.data)
                if left < 0:
                    if request.transport is not None:
                        request.transport.abort()
                    return socket
    except ConnectionError:
        pass  # The client left.
    finally:
        if not socket.closed:
            await socket.close()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
    return socket


async def _send(socket: web.WebSocketResponse, piece: StreamOutput, limit: int | None) -> None:
    data = piece.data if limit is None else piece.data[: max(0, limit)]
    if data:
        await socket.send_bytes(bytes([piece.stream]) + data)


async def _drain(socket: web.WebSocketResponse) -> None:
    """Read what the client sends (stdin, resize, close of a channel) so that pings are answered;
    ends with the socket."""
    async for message in socket:
        if message.type in {WSMsgType.CLOSE, WSMsgType.ERROR}:
            return
