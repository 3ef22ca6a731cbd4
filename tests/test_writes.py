"""Nothing but `actions` and the code of debug pods can send a write: the source says so, and the
watch on the wire (`tests/writes.py`) finds what does not keep to it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.api import transport
from cluster.api.transport import Api
from cluster.connect.kubeconfig import load_access
from tests import writes
from tests.rungs.cluster import Cluster

ROOT = Path(__file__).parents[1]
PRODUCT = ("actions", "cli", "cluster", "incident", "probes", "runbooks", "text", "timeline", "tui")
INNER = {"_exchange", "_clients", "_client"}
"""What sends any request, below the two functions that are checked."""


def names(path: Path) -> Iterator[tuple[int, str]]:
    """(line, what) of every use of `transport.send` or of the client itself."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "cluster.api.transport":
            yield from ((node.lineno, each.name) for each in node.names if each.name == "send")
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (node.value.id, node.attr) == ("transport", "send"):
                yield node.lineno, "transport.send"
            if node.attr in INNER and node.value.id != "self":
                yield node.lineno, node.attr


def test_only_the_door_for_writing_names_what_sends() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{line} {what}"
        for folder in PRODUCT
        for path in (ROOT / folder).rglob("*.py")
        for line, what in names(path)
        if str(path.relative_to(ROOT)) not in (writes.DOOR, "cluster/api/transport.py")
    }
    assert found == set()


async def test_a_write_past_the_door_is_found_on_the_wire(drill_cluster: Cluster) -> None:
    api = Api(load_access(explicit=str(drill_cluster.kubeconfig)))
    path = "/api/v1/namespaces/default/configmaps"
    try:
        with pytest.raises(writes.Unguarded, match="not sent through"):
            await transport.send(
                api, "POST", path, {}, b"{}", "application/json", 5.0, "create past the door"
            )
    finally:
        await api.aclose()


def test_a_caller_that_may_not_write_is_found() -> None:
    with pytest.raises(writes.Unguarded, match="not sent through"):
        writes.check("DELETE", "https://lab/api/v1/nodes/node-1", {})
