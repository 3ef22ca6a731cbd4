"""What a refusal on the command line says where the cluster was not read in time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cli import exits
from cli.connection import require_kinds
from cluster.live.freshness import Freshness, WatchState
from incident.view import ApiView, Connection, RecordView, View

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


def view(**states: WatchState) -> View:
    kinds = tuple(Freshness(kind, state) for kind, state in states.items())
    return View(
        version=1,
        as_of=NOW,
        context="prod",
        server="https://127.0.0.1:6443",
        write=False,
        namespaces=(),
        api=ApiView(Connection.LIVE, NOW, heard=NOW),
        kinds=kinds,
        report=None,
        symptoms=(),
        record=RecordView("", 0, "none"),
    )


def test_a_refusal_before_everything_was_read_is_no_wrong_use() -> None:
    late = view(Pod=WatchState.LIVE, Node=WatchState.LOADING, Service=WatchState.WAITING)
    with pytest.raises(exits.Refusal, match="Node, Service did not come in time") as refused:
        require_kinds(late)
    assert refused.value.code == exits.UNREACHED
    require_kinds(view(Pod=WatchState.LIVE, Secret=WatchState.FORBIDDEN))
