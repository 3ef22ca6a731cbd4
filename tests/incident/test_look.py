"""The look at the cluster gives way to others between its parts; a report must all the same be of one moment."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from cluster.objects import Pod
from cluster.store import Change, Store
from incident.look import Look

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def test_what_comes_between_the_parts_is_in_the_report() -> None:
    first, later = (Change("Pod", ("shop", name), None, Pod()) for name in ("first", "later"))
    batches, done = [[first], [later]], list[Any]()
    engine = SimpleNamespace(
        update=lambda changes, store: done.extend(changes), settle=lambda *_: True, report=lambda *_: done.append("report") or object()
    )
    observed = list[Any]()
    loads = iter([False, False, False])  # still being read when the report is made
    parts: Any = SimpleNamespace(
        engine=engine, ranking=object(), measured=lambda: None, rank=lambda report: (), record=None,
        observer=SimpleNamespace(observe=lambda *what: observed.append(what) or ()),
    )  # fmt: skip
    live: Any = SimpleNamespace(
        store=Store(), loaded=lambda: next(loads, True),
        freshness=lambda: {"Pod": SimpleNamespace(heard=NOW, count=1)},
    )  # fmt: skip
    await Look(lambda: NOW).take(parts, live, lambda: batches.pop(0))
    assert done == [first, later, "report"]
    assert observed == []  # what is missing in it may only not have been read yet
