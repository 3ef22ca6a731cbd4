"""Reads lines of input without blocking the event loop: background tasks continue, and the first
Ctrl-C ends the prompt."""

from __future__ import annotations

import asyncio
import os
import sys


class Prompt:
    """Asks on standard output and reads from a file descriptor (a terminal, a pipe or a file)."""

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._read = b""
        self._ended = False

    async def __call__(self, question: str) -> str:
        """The next line, without its line end. Raises EOFError at the end of the input."""
        sys.stdout.write(question)
        sys.stdout.flush()
        while b"\n" not in self._read and not self._ended:
            await self._readable()
            read = os.read(self._descriptor, 65_536)
            self._ended = not read
            self._read += read
        if not self._read:
            raise EOFError
        line, _, self._read = self._read.partition(b"\n")
        return line.decode("utf-8", "replace").rstrip("\r")

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        try:
            loop.add_reader(self._descriptor, ready.set)
        except PermissionError:  # A regular file is always readable.
            return
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._descriptor)
