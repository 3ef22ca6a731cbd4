"""pods/exec over WebSocket: subprotocols v5.channel.k8s.io and v4.channel.k8s.io, exit status on
channel 3."""

from __future__ import annotations

import asyncio
import json

from aiohttp import WSMsgType, web

from drills.api.objects import Obj
from drills.pods.shell import Exit, Piece, Shell

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_ERROR = 3


def _status(exit_: Exit) -> bytes:
    if exit_.message:
        body: Obj = {
            "metadata": {},
            "status": "Failure",
            "reason": "InternalError",
            "code": 500,
            "message": exit_.message,
            "details": {"causes": [{"message": exit_.message}]},
        }
    elif exit_.code == 0:
        body = {"metadata": {}, "status": "Success"}
    else:
        body = {
            "metadata": {},
            "status": "Failure",
            "reason": "NonZeroExitCode",
            "message": f"command terminated with non-zero exit code: exit status {exit_.code}",
            "details": {"causes": [{"reason": "ExitCode", "message": str(exit_.code)}]},
        }
    return bytes([_ERROR]) + json.dumps(body).encode()


async def serve(
    request: web.Request,
    shell: Shell,
    pod: Obj,
    container: str,
    command: list[str],
    *,
    cut_after: int | None = None,
) -> web.WebSocketResponse:
    """Runs one command. `cut_after` closes the line without a status after that many bytes (a
    fault)."""
    socket = web.WebSocketResponse(protocols=PROTOCOLS, heartbeat=None, autoping=True)
    await socket.prepare(request)
    reader = asyncio.create_task(_drain(socket))
    sent = 0
    try:
        async for piece in shell.run(pod, container, command):
            if isinstance(piece, Piece):
                if piece.pause:
                    await _pause_or_gone(reader, piece.pause)
                if reader.done():
                    break
                data = piece.data
                if cut_after is not None and sent + len(data) > cut_after:
                    await socket.send_bytes(
                        bytes([piece.stream]) + data[: max(0, cut_after - sent)]
                    )
                    if request.transport is not None:
                        request.transport.abort()
                    return socket
                sent += len(data)
                if data:
                    await socket.send_bytes(bytes([piece.stream]) + data)
            else:
                await socket.send_bytes(_status(piece))
    except ConnectionError:
        pass  # the client went away; there is nobody to tell
    finally:
        if not socket.closed:
            await socket.close()
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
    return socket


async def _pause_or_gone(reader: asyncio.Task[None], seconds: float) -> None:
    await asyncio.wait({reader}, timeout=seconds)


async def _drain(socket: web.WebSocketResponse) -> None:
    """Read what the client sends (stdin, resize, close of a channel) so that pings are answered;
    ends with the socket."""
    async for message in socket:
        if message.type in {WSMsgType.CLOSE, WSMsgType.ERROR}:
            return
