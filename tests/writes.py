"""Watches the wire of this process: whatever is no GET must come through `cluster.api.write`, from
`actions`, from the code of debug pods, as an access review, or from a test itself.

Installed for the whole suite (`tests/conftest.py`); a request of another origin fails the test that
caused it.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cluster.api.http import HttpClient

ROOT = Path(__file__).parents[1]
DOOR = "cluster/api/write.py"
WRITERS = ("actions/sending.py", "probes/pods/", "tests/", "bench/")
ASKERS = ("actions/checks.py", "probes/", "incident/offline/doctor.py")
"""Callers of access reviews, and of dry runs of probes."""
REVIEWS = (
    "selfsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "selfsubjectreviews",
)
seen: Counter[tuple[str, str]] = Counter()
"""(method, file that asked the door) -> requests of this process."""


class Unguarded(AssertionError):
    """A request that changes something did not come from where it may."""


def watch() -> None:
    """Checks each request of `HttpClient` from now on."""
    send = HttpClient.send

    async def checked(
        self: HttpClient, method: str, url: str, params: Any = None, *rest: Any, **more: Any
    ) -> Any:
        if method != "GET":
            check(method, url, dict(params or {}))
        return await send(self, method, url, params, *rest, **more)

    HttpClient.send = checked  # type: ignore[method-assign]  # the point of this module


def check(method: str, url: str, params: dict[str, Any]) -> None:
    """Raises `Unguarded` for a request that changes something and has another origin."""
    files = _callers()
    if DOOR not in files:
        raise Unguarded(f"{method} {url} was not sent through {DOOR}: {files}")
    origin = files[files.index(DOOR) + 1 :]
    caller = next((each for each in origin if each != DOOR), "")
    seen[method, caller] += 1
    question = urlsplit(url).path.endswith(REVIEWS) or "dryRun" in params
    if not caller.startswith((*WRITERS, *ASKERS) if question else WRITERS):
        raise Unguarded(f"{method} {url} was sent by {caller}")


def _callers() -> list[str]:
    """Files of this project on the stack, the innermost first."""
    found: list[str] = []
    frame = sys._getframe(1)
    here: Any = frame
    while here is not None:
        path = Path(here.f_code.co_filename)
        if path.is_relative_to(ROOT) and ".venv" not in path.parts and path != Path(__file__):
            found.append(str(path.relative_to(ROOT)))
        here = here.f_back
    return found
