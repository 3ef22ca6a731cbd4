"""Runs commands in containers over WebSocket (channel protocols v5 and v4). Tells the result of a
command from a failure of the connection.

Channels: 1 standard output, 2 standard error, 3 a metav1.Status at the end, 255 (v5) the end of one
channel. Success is exit code 0; a Failure with reason NonZeroExitCode carries the code; every other
Status is a failure of the connection (client-go tools/remotecommand, v4.go errorDecoderV4). A
failed upgrade is tried once more, a command never.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from cluster.api.transport import Api
from cluster.errors import ClusterError, ServerError, Unauthorized
from cluster.kube.text import NOT_JSON, clean, clean_line

if TYPE_CHECKING:
    from cluster.api.websocket import Channels

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
OUTPUT_CAP = 1 << 20
"""Bytes kept of each of standard output and standard error."""
_STDOUT, _STDERR, _STATUS, _CLOSE = 1, 2, 3, 255


class ExecResult(msgspec.Struct, frozen=True):
    """The result of one command. Texts are cleaned; `truncated`: output was left out.

    With `error` the `exit_code` is None: the command did not run, or how it ended is not known.
    """

    stdout: str = ""
    stderr: str = ""
    exit_code: int | None = None
    error: str = ""
    truncated: bool = False

    @property
    def ran(self) -> bool:
        return self.exit_code is not None


class Executor:
    """Runs commands in the containers of one cluster. Raises no error of server or network."""

    def __init__(self, api: Api, cap: int = OUTPUT_CAP) -> None:
        self._api = api
        self._cap = cap

    async def __call__(
        self,
        namespace: str,
        pod: str,
        container: str,
        command: Sequence[str],
        deadline_s: float = 30.0,
    ) -> ExecResult:
        """Run `command` (argv, no shell) in a container ("" for the only one), for at most
        `deadline_s` seconds."""
        what = f"exec in {namespace}/{pod}"
        query = [("command", part) for part in command]
        query += [("stdout", "true"), ("stderr", "true")]
        query += [("container", container)] if container else []
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
        output = _Output(self._cap)
        try:
            async with asyncio.timeout(deadline_s):
                return await self._run(path, query, what, output)
        except TimeoutError:
            why = f"not finished within {deadline_s:g} s; the command may still run there"
            return output.result(error=f"{what}: {why}.")
        except ClusterError as error:
            return output.result(error=str(error))

    async def _run(
        self, path: str, query: list[tuple[str, str]], what: str, output: _Output
    ) -> ExecResult:
        from cluster.api.websocket import open_channels

        for attempt in (1, 2):
            credential = await self._api.credentials.current()
            try:
                async with open_channels(
                    self._api, credential, path, query, PROTOCOLS, what
                ) as channels:
                    return await self._talk(channels, what, output)
            except Unauthorized:
                if attempt == 2 or not await self._api.credentials.renew(credential):
                    raise
            except ServerError:  # the upgrade failed ("error dialing backend"): nothing has run
                if attempt == 2:
                    raise
                await asyncio.sleep(0.5)
        raise AssertionError("unreachable")

    async def _talk(self, channels: Channels, what: str, output: _Output) -> ExecResult:
        if channels.protocol not in PROTOCOLS:
            why = (
                f"the server speaks none of {', '.join(PROTOCOLS)}; it is too old or behind a proxy"
            )
            return output.result(error=f"{what}: {why}.")
        status = bytearray()
        while (message := await channels.receive()) is not None:
            channel, payload = message
            if channel == _STATUS:
                status += payload[: 65_536 - len(status)]
                if _complete(status):
                    break
            elif channel in (_STDOUT, _STDERR):
                output.add(channel, payload)
        if not status:
            why = "the connection ended before the exit status; how the command ended is not known"
            return output.result(error=f"{what}: {why}.")
        return _judge_status(bytes(status), what, output)


class _Output:
    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._kept = {_STDOUT: bytearray(), _STDERR: bytearray()}
        self._truncated = False

    def add(self, channel: int, payload: bytes) -> None:
        kept = self._kept[channel]
        room = self._cap - len(kept)
        self._truncated |= len(payload) > room
        kept += payload[: max(0, room)]

    def result(self, exit_code: int | None = None, error: str = "") -> ExecResult:
        """Decodes at the end: a frame may end within a character."""
        texts = [
            clean(bytes(self._kept[channel]).decode("utf-8", "replace"), self._cap)
            for channel in (_STDOUT, _STDERR)
        ]
        return ExecResult(texts[0], texts[1], exit_code, error, self._truncated)


def _exit_code(status: dict[str, Any]) -> int | None:
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    for cause in causes if isinstance(causes, list) else ():
        if isinstance(cause, dict) and cause.get("reason") == "ExitCode":
            text = str(cause.get("message", ""))
            if text.isdecimal() and len(text) < 10:
                return int(text)
    return None


def _complete(status: bytearray) -> bool:
    try:
        msgspec.json.decode(status)
    except NOT_JSON:
        return False
    return True


def _judge_status(data: bytes, what: str, output: _Output) -> ExecResult:
    try:
        status = msgspec.json.decode(data)
    except NOT_JSON:
        status = None
    if not isinstance(status, dict):
        return output.result(
            error=f"{what}: the exit status cannot be read; how the command ended is not known."
        )
    if status.get("status") == "Success":
        return output.result(exit_code=0)
    if status.get("reason") == "NonZeroExitCode" and (code := _exit_code(status)) is not None:
        return output.result(exit_code=code)
    said = clean_line(str(status.get("message") or "no reason given"), 400)
    return output.result(error=f"{what}: the command did not run or its end is unknown: {said}")
