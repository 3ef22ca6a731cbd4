"""410 Gone: what a client meets when it comes back after the history it stood on was forgotten."""

from __future__ import annotations

import httpx

from tests.contract.wire import assert_status, config_map, create, events, names
from tests.rungs.cluster import Cluster


def test_old_versions_expire(rung: Cluster, namespace: str) -> None:
    """One test for all of it: to forget, the real API server has to be restarted."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    with rung.client() as before:
        for number in range(4):
            create(before, path, config_map(f"c{number}"))
        first = before.get(path, params={"limit": "2"}).json()
        create(before, path, config_map("later"))
    rung.forget_history()
    with rung.client() as http:
        _continue_token_is_gone_but_a_fresh_one_is_given(http, path, first["metadata"]["continue"])
        _watch_from_an_old_version_is_gone(http, path, first["metadata"]["resourceVersion"])
        assert names(http.get(path).json()) == ["c0", "c1", "c2", "c3", "later"], (
            "a new list is all it takes"
        )


def _continue_token_is_gone_but_a_fresh_one_is_given(
    http: httpx.Client, path: str, token: str
) -> None:
    status = assert_status(http.get(path, params={"limit": "2", "continue": token}), 410, "Expired")
    # The way on without starting over, at the price of consistency: the Status itself carries a
    # token.
    rest = http.get(path, params={"limit": "5", "continue": status["metadata"]["continue"]}).json()
    assert names(rest) == ["c2", "c3", "later"]


def _watch_from_an_old_version_is_gone(http: httpx.Client, path: str, version: str) -> None:
    seen = list(events(http, path, {"resourceVersion": version}, seconds=3))
    assert [event["type"] for event in seen] == ["ERROR"], (
        "it answers 200 and says so in its first event"
    )
    status = seen[0]["object"]
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")
    assert "too old resource version" in status["message"]
