"""What a single answer says stands in its record."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.connection import LATE, UNREAD
from cluster.kube.text import clean_uncut
from drills.server.faults import FaultRule
from incident.components import Components
from incident.options import Options
from incident.own_time import late
from incident.record import Record
from incident.report.observer import Observer
from incident.session import LiveInvestigation
from incident.view import View
from tests.incident.build import NOW, report, symptom, view
from tests.incident.drill import is_read, served, until
from timeline.journal.index import list_incidents
from timeline.journal.journal import Journal
from triage.facts.cooperative import Cooperative

STORY = "nodes-notready-system-oom"


@asynccontextmanager
async def answering(kubeconfig: Path, folder: Path) -> AsyncIterator[LiveInvestigation]:
    options = Options(
        kubeconfig=str(kubeconfig),
        state=folder / "state",
        config=folder / "config",
        incident="new",
        once=True,
    )
    investigation = LiveInvestigation(options)
    await investigation.start()
    try:
        yield investigation
    finally:
        await investigation.stop()


def recorded(folder: Path) -> set[str]:
    """Ids of the symptoms in the only record."""
    (incident,) = list_incidents(folder / "state" / "incidents", clean=clean_uncut)
    with Journal.open_read_only(incident.path, clean=clean_uncut) as journal:
        return {
            str(entry.data["symptom"]) for entry in journal.entries() if "symptom" in entry.data
        }


def told(view: View) -> set[str]:
    return {each.symptom.id for each in view.symptoms}


async def test_an_answer_that_is_ready_before_its_record_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy disk it was printed and not recorded."""
    opens, may_open, open_record = threading.Event(), threading.Event(), Record.open

    def late(*arguments: Any, **more: Any) -> None:
        opens.set()
        assert may_open.wait(60)
        open_record(*arguments, **more)

    monkeypatch.setattr(Record, "open", late)
    with served(STORY, tmp_path) as (_, kubeconfig):
        async with answering(kubeconfig, tmp_path) as investigation:
            await until(investigation, lambda view: is_read(view) and opens.is_set())
            assert investigation.view.record.state == "none"
            may_open.set()
            answer = await investigation.keep_answer()
    assert (answer.record.state, answer.record.waiting) == ("ok", 0)
    assert told(answer)
    assert recorded(tmp_path) == told(answer)


async def test_an_answer_that_is_given_before_everything_was_read(tmp_path: Path) -> None:
    with served(STORY, tmp_path) as (server, kubeconfig):
        server.faults.add(FaultRule("slow", resource="leases", seconds=60.0))
        async with answering(kubeconfig, tmp_path) as investigation:
            await until(
                investigation,
                lambda view: (
                    {"Lease"} == {kind.kind for kind in view.kinds if kind.state in UNREAD}
                ),
            )
            await investigation.answer_now(LATE)
            answer = await investigation.keep_answer()
    assert answer.report is not None
    assert not answer.report.complete
    assert told(answer)
    assert recorded(tmp_path) == told(answer)


def _other_observer(recording: SimpleNamespace) -> None:
    """The record was opened meanwhile: it has the entries that were given before."""
    recording.observer = Observer(recording.record.by_record())


def _other_incident(recording: SimpleNamespace) -> None:
    """Another incident began: it has none."""
    recording.record, recording.observer = Record(), Observer()


@pytest.mark.parametrize("change", [_other_observer, _other_incident])
def test_another_observer_in_the_middle_of_a_report_goes_on_with_it(
    change: Callable[[SimpleNamespace], None],
) -> None:
    """Opening a record gives another observer, from a thread: the rest of the report was lost."""
    recording: Any = SimpleNamespace(
        options=Options(),
        record=Record(),
        record_known=True,
        observer=Observer(),
        _observe_clock=lambda: None,
    )
    seen = [symptom(f"s{number}") for number in range(3)]

    def observing() -> Cooperative[None]:
        return Components.observed(recording, report(*seen), view(*seen), NOW)

    steps = observing()
    next(steps)
    change(recording)
    assert list(steps)
    assert list(observing()) == [], "all of it is known"
    entries = [entry for entry in recording.record.by_record() if entry.kind == "observation"]
    assert sorted(entry.data["symptom"] for entry in entries) == ["s0", "s1", "s2"]


async def test_a_machine_that_was_suspended_makes_no_answer_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The clock went on for a minute while the process did not run, as on a machine that is busy:
    the answers were there, and were said to be late."""
    loop = asyncio.get_running_loop()

    async def read() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def hang() -> None:
        await asyncio.Event().wait()

    task, never = asyncio.create_task(read()), asyncio.create_task(hang())
    waiting = asyncio.create_task(late([task, never], 0.3))
    await asyncio.sleep(0)
    now = loop.time
    monkeypatch.setattr(loop, "time", lambda: now() + 60.0)
    assert await waiting == {never}
    never.cancel()
