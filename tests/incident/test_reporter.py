"""A report is made in slices and is all the same of one moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

from cluster.kube.objects import Pod
from cluster.live.input_priority import InputPriority
from cluster.live.store import Store, StoreUpdate
from cluster.live.write_buffer import WriteBuffer
from incident.cadence import Cadence
from incident.report.reporter import Reporter

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIRST, LATER = (StoreUpdate("Pod", ("shop", name), None, Pod()) for name in ("first", "later"))


async def test_what_comes_between_the_stages_is_in_the_report_or_waits_for_its_end() -> None:
    write_buffer, done = WriteBuffer(), list[Any]()
    batches = [[FIRST], [LATER]]

    def stages(name: str) -> Iterator[None]:
        done.append(f"{name} begins")
        write_buffer.do(lambda: done.append(f"written during {name}"))
        for _ in range(3):
            yield
        done.append(f"{name} ends")

    engine = SimpleNamespace(
        update=lambda changes, store: done.extend(changes),
        settle=lambda *_: stages("settle"),
        reporting=lambda *_: stages("report"),
    )
    observed = list[Any]()
    loads = iter([False, False, False])  # still being read when the report is made
    workings: Any = SimpleNamespace(
        engine=engine,
        ranks=True,
        limited=lambda report: report,
        measured=lambda: None,
        rank=lambda report: iter(()),
        observed=lambda *what: observed.append(what),
    )
    live: Any = SimpleNamespace(
        store=Store(),
        loaded=lambda: next(loads, True),
        write_buffer=write_buffer,
        freshness=lambda: {"Pod": SimpleNamespace(heard=NOW, count=1)},
    )
    await Reporter(lambda: NOW, InputPriority(), Cadence()).take(
        workings, live, lambda: batches.pop(0)
    )
    assert done == [
        FIRST,
        "settle begins",
        "written during settle",
        "settle ends",
        LATER,
        "report begins",
        "report ends",
        "written during report",
    ]
    assert observed == []  # what is missing in it may only not have been read yet


async def test_what_has_waited_is_written_in_its_order_also_when_the_reader_is_cut() -> None:
    write_buffer, done = WriteBuffer(), list[int]()
    write_buffer.do(lambda: done.append(0))

    async def read() -> None:
        async with write_buffer:
            for number in (1, 2, 3):
                write_buffer.do(partial(done.append, number))
            assert done == [0]
            await asyncio.Event().wait()

    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    reader.cancel()
    await asyncio.wait([reader])
    write_buffer.do(lambda: done.append(4))
    assert done == [0, 1, 2, 3, 4]
