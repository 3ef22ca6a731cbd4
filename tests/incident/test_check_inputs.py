"""What a check is given, apart from the cluster."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from cluster.live.store import Store
from incident.walkthrough.check_inputs import Checks, readyz_checks
from runbooks.check import Result
from runbooks.model import CheckSource, Query

if TYPE_CHECKING:
    from cluster.api.transport import Api

NOW = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)

LINES = "[+]ping ok\n[-]informer-sync failed: reason withheld\nreadyz check failed\n"


@pytest.mark.parametrize("text", [LINES, LINES.replace("\n", " "), f"HTTP 500 of /readyz: {LINES}"])
def test_the_checks_of_a_failing_readyz_are_read_also_from_one_line(text: str) -> None:
    found = {check["name"]: check["ok"] for check in readyz_checks(text)}
    assert found == {"ping": True, "informer-sync": False}
    failing = next(check for check in readyz_checks(text) if not check["ok"])
    assert failing["reason"].startswith("failed: reason withheld")


def test_an_answer_without_checks_has_none() -> None:
    assert readyz_checks("no answer from 10.0.0.1:6443 within 3 s") == []


class Answering:
    """An API that answers each GET with the same document, and keeps the paths."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def get_json(self, path: str, *_: Any, **__: Any) -> dict[str, Any]:
        self.asked.append(path)
        return {"node": {"nodeName": "n1"}}


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("/api/v1/nodes/n1/proxy/stats/summary", True),
        ("/api/v1/namespaces/logging/pods/fluent-bit-1:2020/proxy/api/v1/metrics", True),
        ("/api/v1/namespaces/shop/secrets/db", False),
        ("/api/v1/nodes/n1/proxy/../../../namespaces/shop/secrets/db", False),
        ("/api/v1/nodes/n1/proxy/%2e%2e/secrets", False),
    ],
)
async def test_a_document_is_read_through_a_proxy_alone(path: str, read: bool) -> None:
    """No page reads a Secret in this way."""
    api = Answering()
    checks = Checks(cast("Api", api), Store(), lambda: NOW, lambda _: None, 5.0)
    query = Query(CheckSource.DOCUMENT, path=path, expression="objects.size() == 1")
    outcome = await checks.run(query, {})
    assert (outcome.result is Result.PASS, bool(api.asked)) == (read, read), outcome
