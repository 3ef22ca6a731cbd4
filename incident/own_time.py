"""Time limits that count only while this process runs.

On a busy machine, or after a suspension, a limit by the clock ends a reading whose answers wait to
be read: the same cluster then gets another answer, and the server is blamed for it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection
from typing import Any

TURN = 0.1
"""Seconds of one turn of waiting, which counts once, however long it takes."""


async def late(tasks: Collection[asyncio.Task[Any]], limit: float) -> set[asyncio.Task[Any]]:
    """Wait for tasks at most `limit` seconds; returns those that did not end."""
    pending = set(tasks)
    for _ in range(math.ceil(limit / TURN)):
        if pending:
            _, pending = await asyncio.wait(pending, timeout=TURN)
    return pending
