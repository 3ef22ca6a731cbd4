"""Logs of failing containers are read after the first report, and a report without them says so."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from cli.triage import triage
from cluster.errors import from_response
from cluster.kube.objects import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    ObjectMeta,
    Pod,
    PodSpec,
    PodStatus,
    Ref,
)
from drills.server.faults import FaultRule
from incident.cadence import Cadence
from incident.metrics import last_words
from incident.metrics.last_words import KEPT, RETRY, EndedLog, LastWordsReader, logs_of
from incident.options import Options
from incident.view import View
from tests.incident.drill import investigating, served, until
from tests.triage import build

STORY = "crash-credentials-refused"
TITLE = 'api exits 1: cannot open the database: pq: password authentication failed for user "shop"'


def answered(kubeconfig: Path, folder: Path) -> View:
    options = Options(
        kubeconfig=str(kubeconfig), state=folder / "s", config=folder / "c", record=False
    )
    return asyncio.run(triage(options, 30.0)).view


def titles(view: View) -> list[str]:
    return [item.symptom.title for item in view.symptoms]


def gaps(view: View) -> dict[str, str]:
    assert view.report is not None
    return {gap.what: gap.why for gap in view.report.unavailable}


@pytest.mark.parametrize(("policy", "read"), [("", ["wait"]), ("Always", [])])
def test_an_init_container_that_runs_is_read_a_sidecar_that_started_is_not(
    policy: str, read: list[str]
) -> None:
    """The kubelet says `started` of any init container that runs."""
    pod = Pod(
        metadata=ObjectMeta(name="web-0", namespace="shop"),
        spec=PodSpec(init_containers=(Container(name="wait", restart_policy=policy),)),
        status=PodStatus(
            init_container_statuses=(
                ContainerStatus(
                    name="wait", started=True, state=ContainerState(running=ContainerStateRunning())
                ),
            )
        ),
    )
    assert [log.container for log in logs_of(pod)] == read


@pytest.mark.parametrize(("status", "requests"), [(404, 1), (400, 2)])
async def test_the_log_of_another_run_is_asked_for_unless_the_pod_is_gone(
    status: int, requests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kubelet answers 400 where that run is not there, 404 where the pod or container is not
    (kubelet `getContainerLogs`)."""
    asked = list[bool]()

    async def refused(*_: object, previous: bool, **__: object) -> None:
        asked.append(previous)
        raise from_response(status, {}, b"", "read the log")

    monkeypatch.setattr(last_words, "read_logs", refused)
    live: Any = SimpleNamespace(api=None)
    reader = LastWordsReader(live, lambda: build.NOW, str, Cadence())
    source = EndedLog(Ref("Pod", "shop", "web-0"), "web", previous=True, run="1", running=False)
    assert not await reader.read((source,))
    assert len(asked) == requests


def test_one_answer_has_the_sentence_that_decides_and_its_guide(tmp_path: Path) -> None:
    with served(STORY, tmp_path) as (_, kubeconfig):
        view = answered(kubeconfig, tmp_path)
    assert titles(view)[0] == TITLE
    assert view.symptoms[0].matches[0].id == STORY


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (FaultRule("error", resource="pods/log", code=403, message="no logs here"), "forbidden"),
        (FaultRule("slow", resource="pods/log", seconds=20.0), "not read within 2 s"),
    ],
    ids=["forbidden", "late"],
)
def test_without_logs_the_rest_is_told_and_one_line_says_why(
    fault: FaultRule, why: str, tmp_path: Path
) -> None:
    with served(STORY, tmp_path) as (server, kubeconfig):
        server.faults.add(fault)
        view = answered(kubeconfig, tmp_path)
    assert titles(view)[0] == "2 pods of api are in a crash loop (exit 1)"
    assert why in gaps(view)["last words of containers"]
    assert view.report is not None
    assert view.report.complete


async def test_the_screens_get_the_first_report_before_the_logs(tmp_path: Path) -> None:
    with served(STORY, tmp_path) as (server, kubeconfig):
        server.faults.add(FaultRule("slow", resource="pods/log", seconds=1.0))
        async with investigating(kubeconfig, tmp_path, record=False) as investigation:
            before = await until(investigation, lambda view: bool(view.symptoms))
            await until(investigation, lambda view: titles(view)[:1] == [TITLE])
    assert TITLE not in titles(before)


def crash(run: int) -> Pod:
    """A pod in a crash loop, after this run."""
    ended = ContainerStateTerminated(exit_code=1, finished_at=build.ago(minutes=30 - run))
    waiting = ContainerState(waiting=ContainerStateWaiting(reason="CrashLoopBackOff"))
    status = ContainerStatus(
        name="web",
        restart_count=run,
        state=waiting,
        last_state=ContainerState(terminated=ended),
    )
    return Pod(
        metadata=ObjectMeta(name="web-0", namespace="shop", uid="u1"),
        status=PodStatus(phase="Running", container_statuses=(status,)),
    )


async def test_what_was_said_before_stands_while_the_newest_log_is_not_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A busy server does not turn a told crash into a bare crash loop, and is asked again."""
    now, busy = build.NOW, False

    async def logs(*_: object, **__: object) -> object:
        if busy:
            raise from_response(429, {}, b"", "read the log")
        return SimpleNamespace(lines=(SimpleNamespace(text="panic: nil map"),))

    monkeypatch.setattr(last_words, "read_logs", logs)
    reader = LastWordsReader(Mock(), lambda: now, str, Cadence())

    def wanted(run: int) -> tuple[EndedLog, ...]:
        pod = crash(run)
        monkeypatch.setattr(reader, "_sources", lambda _: logs_of(pod))
        return reader.unread(Mock())

    assert await reader.read(wanted(1))
    assert reader.sample is not None
    assert [(w.last_line, w.read) for w in reader.sample.values] == [("panic: nil map", None)]
    busy = True
    await reader.read(wanted(2))
    assert reader.sample is not None
    assert [(w.last_line, w.read) for w in reader.sample.values] == [("panic: nil map", now)]
    assert "1 log was not read" in reader.gaps()[0].why
    assert wanted(2) == ()  # not at once
    now += RETRY
    again = wanted(2)
    assert len(again) == 1
    busy = False
    assert await reader.read(again)
    assert reader.sample is not None
    assert [w.read for w in reader.sample.values] == [None]
    assert reader.gaps() == ()
    busy = True
    await reader.read(wanted(3))
    now += KEPT + RETRY
    assert reader.sample is None  # too old to stand for what goes on
