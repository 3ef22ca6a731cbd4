"""A report is made in slices and is all the same of one moment."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Generator, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.kube.objects import Pod
from cluster.live.freshness import Freshness, WatchState
from cluster.live.input_priority import InputPriority
from cluster.live.store import Store, StoreUpdate
from cluster.live.write_buffer import WriteBuffer
from incident.cadence import Cadence
from incident.report import reporter
from incident.report.reporter import Reporter
from tests.triage import build
from triage.engine import Triage
from triage.facts.finding import Report, Severity
from triage.facts.windows import START_GRACE

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIRST, LATER = (StoreUpdate("Pod", ("shop", name), None, Pod()) for name in ("first", "later"))


async def test_what_comes_between_the_stages_is_in_the_report_or_waits_for_its_end() -> None:
    write_buffer, done = WriteBuffer(), list[Any]()
    batches = [[[FIRST]], [[LATER]]]

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
        next_end=lambda: None,
    )
    observed = list[Any]()

    def observe(*what: object) -> Iterator[None]:
        observed.append(what)
        yield

    loads = iter([False, False, False])  # still being read when the report is made
    workings: Any = SimpleNamespace(
        engine=engine,
        ranks=True,
        limited=lambda report: report,
        measured=lambda: None,
        rank=lambda report: iter(()),
        observed=observe,
    )
    live: Any = SimpleNamespace(
        store=Store(),
        loaded=lambda: next(loads, True),
        write_buffer=write_buffer,
        freshness=lambda: {"Pod": Freshness("Pod", WatchState.LIVE, 1, heard=NOW)},
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


async def test_an_unchanged_cluster_is_reported_seldom_and_when_a_grace_period_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten minutes, a second at a time: a pod that does not start is a warning after three."""
    cluster, passed, made = build.Cluster(), 0.0, list[tuple[float, Severity | None]]()
    starting = cluster.deployment("web")["pods"][0]
    begun = build.ago(seconds=7)
    starting["metadata"]["creationTimestamp"] = build.ts(begun)
    starting["status"] = {
        "phase": "Pending",
        "conditions": [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": build.ts(begun)}
        ],
    }
    store = cluster.store()

    def clock() -> datetime:
        return build.NOW + timedelta(seconds=passed)

    fine = Freshness("Pod", WatchState.LIVE, 1, heard=build.NOW)
    engine = Triage(clock)
    kinds = ("Node", "Deployment", "ReplicaSet", "Pod")
    rows = ((kind, key, row) for kind in kinds for key, row in store.rows(kind).items())
    batches = iter([[[StoreUpdate(kind, key, None, row) for kind, key, row in rows]]])

    def observed(report: Report, *_: object) -> Iterator[None]:
        found = [f.severity for f in report.findings if f.rule == "pod-not-starting"]
        made.append((passed, found[0] if found else None))
        yield

    workings: Any = SimpleNamespace(
        engine=engine,
        ranks=True,
        limited=lambda report: report,
        measured=lambda: None,
        rank=lambda report: iter(()),
        observed=observed,
    )
    live: Any = SimpleNamespace(
        store=store,
        loaded=lambda: True,
        write_buffer=WriteBuffer(),
        freshness=lambda: {"Pod": fine},
    )
    monkeypatch.setattr(
        reporter, "time", SimpleNamespace(monotonic=lambda: passed, thread_time=lambda: 0.0)
    )
    cadence = Cadence().single()
    taking = Reporter(clock, InputPriority(), cadence)
    for second in range(600):
        passed = float(second)
        await taking.take(workings, live, lambda: next(batches, []))
    severe = next(at for at, severity in made if severity is Severity.WARNING)
    ends = (begun + START_GRACE - build.NOW).total_seconds()
    assert ends <= severe <= ends + cadence.report_due
    assert len(made) <= 600 / cadence.report_idle + 4
    fine = Freshness("Pod", WatchState.STALE, 1, heard=build.NOW)
    passed += 1
    await taking.take(workings, live, list)
    assert made[-1][0] == passed, "a kind that is not current any more is news"


async def test_other_tasks_run_between_a_few_changes_that_cost_a_slice() -> None:
    cadence = Cadence(slice=0.0, search_slice=0.0)
    done, over = list[object](), asyncio.Event()

    async def beside() -> None:
        while not over.is_set():
            done.append("beside")
            await asyncio.sleep(0)

    engine = SimpleNamespace(update=lambda changes, store: done.append(len(changes)))
    workings: Any = SimpleNamespace(engine=engine, ranks=True)
    live: Any = SimpleNamespace(store=Store(), loaded=lambda: False, freshness=dict)
    task = asyncio.create_task(beside())
    await Reporter(lambda: NOW, InputPriority(), cadence).take(
        workings, live, lambda: iter([[FIRST] * (2 * cadence.batch + 1), [LATER]])
    )
    over.set()
    await task
    assert [each for each in done if each != "beside"] == [cadence.batch, cadence.batch, 1, 1]
    assert all("beside" in pair for pair in pairwise(done))


@pytest.mark.parametrize(
    ("found", "quiet", "pauses"), [(False, 0.1, 20), (True, 0.1, 200), (True, 2.0, 40)]
)
async def test_changes_are_taken_in_slices_that_are_shorter_while_keys_are_pressed(
    monkeypatch: pytest.MonkeyPatch, found: bool, quiet: float, pauses: int
) -> None:
    """A thousand changes, of which five take 1 ms: the first finding does not wait after each five
    until lists have been read on. `quiet`: seconds since the last key."""
    passed, counted = 0.0, 0

    def update(*_: object) -> None:
        nonlocal passed
        passed += Cadence().slice

    class Pauses(InputPriority):
        async def __call__(self) -> None:
            nonlocal counted
            counted += 1

        def quiet(self) -> float:
            return quiet

    monkeypatch.setattr(reporter, "time", SimpleNamespace(monotonic=lambda: passed))
    taking = Reporter(lambda: NOW, Pauses(), Cadence())
    if found:
        taking.found.set()
    engine: Any = SimpleNamespace(update=update)
    await taking._update(engine, [FIRST] * 1_000, Store())
    assert pauses - 2 <= counted <= pauses + 1


async def test_what_changes_replaced_is_freed_piece_by_piece() -> None:
    class Replaced:
        """Stands for an object as it was."""

    known, alive = list[weakref.ref[Replaced]](), list[int]()

    def drain() -> Iterator[list[StoreUpdate]]:
        for number in range(5):
            old: Any = Replaced()
            known.append(weakref.ref(old))
            alive.append(sum(each() is not None for each in known))
            yield [StoreUpdate("Pod", ("shop", str(number)), old, None)]

    workings: Any = SimpleNamespace(
        engine=SimpleNamespace(update=lambda changes, store: None), ranks=True
    )
    live: Any = SimpleNamespace(store=Store(), loaded=lambda: False, freshness=dict)
    await Reporter(lambda: NOW, InputPriority(), Cadence()).take(workings, live, drain)
    assert max(alive) <= 3  # of 5


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


@pytest.mark.parametrize(("quiet", "passes"), [(0.1, 20), (60.0, 4)])
async def test_a_report_pauses_less_often_while_no_key_is_pressed(
    quiet: float, passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty steps of a millisecond."""
    passed, taken = 0.0, list[float]()

    class Priority(InputPriority):
        def quiet(self) -> float:
            return quiet

        async def __call__(self) -> None:
            taken.append(passed)

    def steps() -> Generator[None, None, None]:
        nonlocal passed
        for _ in range(20):
            passed += 0.00101
            yield

    made = SimpleNamespace(monotonic=lambda: passed, thread_time=lambda: passed / 2)
    monkeypatch.setattr(reporter, "time", made)
    making = Reporter(lambda: NOW, Priority(), Cadence(pause=0.0))
    making.found.set()
    await making._through(steps())
    assert passes - 1 <= len(taken) <= passes
    assert making._worked == pytest.approx(passed / 2), "its CPU, not the time that passed"


async def test_runbooks_rank_the_last_report_while_kinds_are_read_and_no_report_is_made_for_them() -> (
    None
):
    """Each report while kinds are read evaluates nodes and owners again."""
    made, loaded = list[str](), False

    def reporting(*_: object) -> Iterator[None]:
        made.append("report")
        yield

    def rank(_: object) -> Generator[None, None, tuple[str, ...]]:
        made.append("rank")
        yield
        return ("symptom",)

    engine = SimpleNamespace(
        update=lambda *_: None,
        settle=lambda *_: iter(()),
        reporting=reporting,
        next_end=lambda: None,
    )
    workings: Any = SimpleNamespace(
        engine=engine,
        ranks=False,
        limited=lambda _: "a report",
        measured=lambda: None,
        rank=rank,
        observed=lambda *_: iter(()),
    )
    live: Any = SimpleNamespace(
        store=Store(),
        loaded=lambda: loaded,
        write_buffer=WriteBuffer(),
        freshness=lambda: {"Pod": Freshness("Pod", WatchState.LOADING, 1, heard=NOW)},
    )
    one = Reporter(lambda: NOW, InputPriority(), Cadence())
    await one.take(workings, live, lambda: [[FIRST]])
    assert (made, one.ranked, one.whole.is_set()) == (["report", "rank"], False, False)
    workings.ranks = True
    for _ in range(2):
        await one.take(workings, live, list)
    assert (made, one.ranked, one.whole.is_set()) == (["report", "rank", "rank"], True, False)
    loaded = True
    await one.take(workings, live, list)
    assert made == ["report", "rank", "rank", "report", "rank"]
    assert one.whole.is_set()
