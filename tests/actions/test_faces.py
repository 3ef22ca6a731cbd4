"""The table of cases on a record on disk: the command line and the walkthrough of a runbook with every
action, the dialogs of the screens with one action of each shape. What is sent, what is told and
what is recorded must agree. `-s` without `-n` prints the table."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from actions import catalogue
from actions.context import ActionContext
from actions.plan import ActionPlan, Outcome
from cli import act as command
from cluster.api.mode import Mode
from cluster.errors import (
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    OutcomeUnknown,
    ServerError,
    TooManyRequests,
    Unauthorized,
    Unreachable,
)
from cluster.kube.objects import Ref
from cluster.live.live_cluster import LiveCluster
from incident.offers import Offer
from incident.options import Options
from incident.record import Record
from incident.session import LiveInvestigation
from incident.walkthrough.action_runner import ActionRunner
from incident.walkthrough.run import StepState
from incident.walkthrough.runs import Runs
from incident.walkthrough.walkthrough import Walkthrough
from runbooks.parse import parse
from tests.actions.dialogs import Dialogs
from tests.actions.fake import FakeApi
from tests.actions.scenarios import SCENARIOS, Scenario
from tests.incident.face import Agreeing
from tests.incident.walkthrough.test_runs import OneBook, Values
from tests.tui.pilot import until
from timeline.entry import Entry
from timeline.intents import pair, unknown_changes
from timeline.summary import ClusterId
from tui.dialogs.choice import Choice
from tui.dialogs.dialog import Dialog
from tui.dialogs.plans import ChangeDialog, GateDialog
from tui.screens.offers import act_on
from tui.text_input import TypedLine

if TYPE_CHECKING:
    from tui.navigation import Navigation

PAGE = """---
id: book
title: Page
---
## Stop the bleeding

```action
id: change
question: Do it?
action: {name}
args: {args}
blast: It.
undo: Undo it.
expected: Done.
kubectl: kubectl get pods --request-timeout=10s
answers:
  done: Good. -> done
```
"""


class Killed(BaseException):
    """The process ends here: nothing more is recorded."""


@dataclass
class Cluster:
    """One action in its cluster, with what was typed and shown."""

    name: str
    scenario: Scenario
    api: FakeApi
    record: Record
    arguments: dict[str, str]
    at_first_word: Callable[[FakeApi, ActionPlan], None] = lambda api, plan: None
    plans: list[ActionPlan] = field(default_factory=list)
    stopped: bool = False
    """The send is cut by a cancellation."""

    def typed(self, plan: ActionPlan, words: Iterator[str | None]) -> str:
        """The next word; None stands for the right one."""
        self.plans.append(plan)
        if len(self.plans) == 1:
            self.at_first_word(self.api, plan)
        word = next(words, "")
        return plan.confirmation if word is None else word


class Runner(ActionRunner):
    """The runner of an investigation, on a cluster in memory."""

    def __init__(self, cluster: Cluster, runs: Runs) -> None:
        super().__init__(
            cast("LiveCluster", None),
            cluster.record,
            runs,
            lambda: cluster.api.now,
            under_way,
            lambda: Mode.WRITE,
        )
        self._cluster = cluster

    def context(self, run_id: str = "") -> ActionContext:
        return self._cluster.api.context()


@contextlib.asynccontextmanager
async def under_way(key: str, title: str) -> AsyncIterator[Callable[[str], None]]:
    yield lambda _: None


# ---- the two faces


async def by_command(
    cluster: Cluster, words: Sequence[str | None], patch: pytest.MonkeyPatch
) -> None:
    runs = Runs(cluster.record, OneBook(), Values(), lambda: ())
    runner = Runner(cluster, runs)
    given = iter(words)
    investigation = SimpleNamespace(
        view=SimpleNamespace(write=True),
        read_only_reason="",
        plan_action=runner.plan,
        run_action=runner.run,
    )

    async def confirmed(plan: ActionPlan, *, yes: bool) -> str:
        return cluster.typed(plan, given)

    patch.setattr(command, "_confirmed", confirmed)
    arguments = argparse.Namespace(
        name=cluster.name, plan=False, yes=False, write=True, output="text"
    )
    await command.act(cast("LiveInvestigation", investigation), arguments, cluster.arguments)


class Typing(Agreeing):
    def __init__(self, cluster: Cluster, words: Sequence[str | None]) -> None:
        super().__init__()
        self._cluster, self._words = cluster, iter(words)

    async def confirm(self, plan: ActionPlan, changed: str) -> str:
        return "" if plan.refused else self._cluster.typed(plan, self._words)


async def by_walkthrough(
    cluster: Cluster, words: Sequence[str | None], patch: pytest.MonkeyPatch
) -> None:
    text = PAGE.format(name=cluster.name, args=json.dumps(cluster.arguments))
    page, problems = parse(text, Path("page.md"))
    assert page is not None, problems
    book = OneBook()
    book.runbooks = (page,)
    runs = Runs(cluster.record, book, Values(), lambda: ())
    runner = Runner(cluster, runs)

    def nothing() -> Any:
        raise AssertionError("no check and no probe")

    engine = Walkthrough(runs, nothing, nothing, lambda: runner, under_way)
    run = engine.open("book")
    await engine.do(run.id, "change", Typing(cluster, words))
    outcomes = [each for each in new(cluster.record) if each.run_id == run.id]
    told = engine.run(run.id).outcomes.get("change")
    assert outcomes
    assert told is not None
    assert told.state is not StepState.RUNNING


async def by_screen(
    cluster: Cluster, words: Sequence[str | None], patch: pytest.MonkeyPatch
) -> None:
    runner = Runner(cluster, Runs(cluster.record, OneBook(), Values(), lambda: ()))
    offer = Offer(cluster.name, "It.", "It.", Ref("Node", "", "node-2"), cluster.arguments, ())
    investigation = SimpleNamespace(
        plan_action=runner.plan, run_action=runner.run, offers=lambda ref: (offer,)
    )
    app, given, gates = Dialogs(investigation), iter(words), list[object]()
    async with app.run_test(size=(40, 12)) as pilot:
        work = act_on(cast("Navigation", app), [offer.object])
        task = app.run_worker(work, exit_on_error=False)._task
        assert task is not None

        def ready(kind: type[Dialog[Any]]) -> bool:
            here = app.screen
            return isinstance(here, kind) and here not in gates and here.keys_ready.is_set()

        await until(pilot, lambda: ready(Choice))
        await pilot.press("enter")
        while True:
            await until(pilot, lambda: task.done() or ready(GateDialog))
            if task.done():
                break
            gate = cast("GateDialog", app.screen)
            gates.append(gate)
            if gate._plan.refused:
                await pilot.press("escape")
                continue
            word = cluster.typed(gate._plan, given)
            gate.query_one(TypedLine).value = word
            await pilot.press("enter")
            if word not in ("", gate._plan.confirmation):
                assert app.screen is gate, "another word leaves the question open"
                await pilot.press("escape")
        if task.cancelled() or task.exception() is None:
            changed = [each for each in app.screen_stack if isinstance(each, ChangeDialog)]
            assert all(each._outcome for each in changed), "what became of it is on the screen"
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    if cluster.stopped or error is not None:
        raise error or asyncio.CancelledError()


FACES = {"command": by_command, "walkthrough": by_walkthrough, "screen": by_screen}
SHAPES = {
    "cordon": "one field of one object",
    "drain": "several objects, evictions",
    "restore-secret-keys": "a sealed body",
}
"""An action of each shape; the dialogs are the same for all."""
every_action = pytest.mark.parametrize(
    ("face", "name"),
    [(face, name) for face in FACES for name in (SHAPES if face == "screen" else SCENARIOS)],
)


# ---- the record


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Record]:
    folder = tmp_path_factory.mktemp("record")
    record = Record()
    record.open(Options(state=folder, config=folder), ClusterId("lab", "https://lab:6443"))
    yield record
    record.close()


_seen = 0
TABLE: dict[str, dict[str, Counter[str]]] = {}
"""Case -> face -> outcomes that were recorded."""


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    yield
    print(f"\n| case | {' | '.join(FACES)} |")
    for case, faces in TABLE.items():
        cells = (faces.get(face, Counter[str]()).most_common() for face in FACES)
        told_ = ["; ".join(f"{count} x {what}" for what, count in cell) for cell in cells]
        print(f"| {case} | {' | '.join(told_)} |")


@pytest.fixture
def record(shared: Record, request: pytest.FixtureRequest) -> Iterator[Record]:
    """The record, of which `new` gives the entries since the test began."""
    global _seen  # the record is shared, so each test begins where it stands
    _seen = len(shared.by_record())
    yield shared
    case = request.node.name.partition("[")[0].removeprefix("test_").replace("_", " ")
    params = request.node.callspec.params
    case += "".join(f": {params[key] or 'nothing'}" for key in ("word", "answer") if key in params)
    became = ", ".join(outcomes(shared)) or "open in the record"
    TABLE.setdefault(case, {}).setdefault(params["face"], Counter())[became] += 1


def new(record: Record) -> Sequence[Entry]:
    """Entries since the test began."""
    return record.by_record()[_seen:]


def outcomes(record: Record) -> list[str]:
    """Outcome of each plan, in turn."""
    return [
        str(entry.data["outcome"])
        for entry in new(record)
        if entry.kind in ("action-result", "action-declined") and "part_of" not in entry.data
    ]


def balanced(record: Record) -> bool:
    """Whether each intent has its result."""
    return all(result is not None for intent, result in pair(new(record)) if is_action(intent))


def is_action(entry: Entry) -> bool:
    return entry.kind == "action-intent"


@pytest.fixture
def cluster(name: str, record: Record, tmp_path: Path) -> Cluster:
    keys = tmp_path / "login.env"
    keys.write_text("password=correct-horse-battery\n")
    scenario = SCENARIOS[name]
    api = FakeApi(scenario.objects)
    api.on_sleep = lambda: scenario.effect(api)
    arguments = {k: str(keys) if v == "FILE" else v for k, v in scenario.arguments.items()}
    return Cluster(name, scenario, api, record, arguments)


@every_action
async def test_confirmed(cluster: Cluster, face: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await FACES[face](cluster, [None], monkeypatch)
    await cluster.record.settled()
    assert outcomes(cluster.record) == ["done"]
    assert cluster.scenario.done(cluster.api)
    assert len(cluster.api.sent) == len(cluster.plans[0].targets)
    assert balanced(cluster.record)


@every_action
@pytest.mark.parametrize("word", ["", "yes", "NODE-2"])
async def test_another_word(
    cluster: Cluster, face: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await FACES[face](cluster, [word], monkeypatch)
    assert cluster.api.sent == []
    assert [each.kind for each in new(cluster.record) if "action" in each.kind] == [
        "action-declined"
    ]


@every_action
async def test_two_confirmations_at_once_have_one_effect(
    cluster: Cluster, face: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    act = FACES[face]
    await asyncio.gather(
        act(cluster, [None], monkeypatch), act(cluster, [None], monkeypatch), return_exceptions=True
    )
    assert cluster.scenario.done(cluster.api)
    assert outcomes(cluster.record).count(Outcome.DONE.value) <= 1
    assert balanced(cluster.record)


ANSWERS: dict[str, tuple[BaseException, bool, set[str]]] = {
    "401": (Unauthorized("HTTP 401 Unauthorized", status=401), True, {"failed"}),
    "403": (Forbidden("HTTP 403 Forbidden", status=403), True, {"failed"}),
    "404": (NotFound("HTTP 404 NotFound", status=404), True, {"failed"}),
    "409": (Conflict("HTTP 409 Conflict", status=409), True, {"failed"}),
    "422": (Invalid("HTTP 422 Invalid", status=422), True, {"failed"}),
    "429": (TooManyRequests("HTTP 429", status=429), True, {"failed"}),
    "500": (ServerError("HTTP 500", status=500), False, {"unknown", "done in part"}),
    "504": (ServerError("HTTP 504", status=504), False, {"unknown", "done in part"}),
    "webhook refuses": (
        Forbidden('admission webhook "policy.test" denied the request', status=403),
        True,
        {"failed"},
    ),
    "silent": (OutcomeUnknown("no answer within 30 s"), False, {"unknown"}),
    "cut answer": (OutcomeUnknown("the answer was cut"), True, {"done", "unknown", "done in part"}),
    "not connected": (Unreachable("not connected"), False, {"failed"}),
}


@every_action
@pytest.mark.parametrize("answer", ANSWERS)
async def test_answers_of_the_server(
    cluster: Cluster, face: str, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.api.error, cluster.api.applies, expected = ANSWERS[answer]
    await FACES[face](cluster, [None], monkeypatch)
    (outcome,) = outcomes(cluster.record)
    assert outcome in expected
    assert balanced(cluster.record)
    if not cluster.plans[0].targets[0].request.blocked_by_budget and cluster.name != "drain":
        assert len(cluster.api.sent) <= len(cluster.plans[0].targets), "nothing is sent twice"


@every_action
async def test_a_webhook_that_takes_no_dry_run_is_no_refusal(
    cluster: Cluster, face: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = 'admission webhook "w" does not support dry run'
    cluster.api.dry_run_error = ApiError(message, status=400, detail=message)
    await FACES[face](cluster, [None], monkeypatch)
    assert outcomes(cluster.record) == ["done"]
    assert cluster.plans[0].dry_run_ok is None


@every_action
async def test_frozen_before_and_after(
    cluster: Cluster, face: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def freeze(api: FakeApi, plan: ActionPlan) -> None:
        api.read_error = api.dry_run_error = api.review_error = Unreachable("no answer")
        api.sent.append(("GET", "frozen", None))

    cluster.at_first_word = freeze
    await FACES[face](cluster, [None], monkeypatch)
    assert not cluster.scenario.done(cluster.api)
    assert "done" not in outcomes(cluster.record)
    assert balanced(cluster.record)


@every_action
async def test_a_changed_target_is_shown_again_and_confirmed_again(
    cluster: Cluster, face: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def relabel(api: FakeApi, plan: ActionPlan) -> None:
        found = api.paths[plan.targets[-1].path]
        found["metadata"].setdefault("labels", {})["zone"] = "b"
        api.put(found)

    cluster.at_first_word = relabel
    await FACES[face](cluster, [None, None], monkeypatch)
    assert len(cluster.plans) == 2
    assert outcomes(cluster.record) == ["refused", "done"]
    assert cluster.scenario.done(cluster.api)


@every_action
async def test_stopped_in_flight(
    cluster: Cluster, face: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.api.error, cluster.api.applies = asyncio.CancelledError(), False
    cluster.stopped = True
    with pytest.raises(asyncio.CancelledError):
        await FACES[face](cluster, [None], monkeypatch)
    (result,) = [
        each
        for each in new(cluster.record)
        if each.kind == "action-result" and "part_of" not in each.data
    ]
    assert result.data["outcome"] == "unknown"
    assert "stopped by a human" in result.text
    if face == "walkthrough":
        assert result.data["state"] == StepState.UNKNOWN.value, "not open again"
    assert balanced(cluster.record)


@every_action
async def test_killed_in_flight(
    cluster: Cluster, face: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.api.error, cluster.api.applies = Killed(), True
    with pytest.raises(Killed):
        await FACES[face](cluster, [None], monkeypatch)
    assert outcomes(cluster.record) == []
    told = unknown_changes(new(cluster.record), frozenset())
    assert told, "the next session shows it until it is verified"
    assert told[0].data["action"] == cluster.name


def test_every_action_is_in_the_table() -> None:
    assert set(SCENARIOS) == set(catalogue.names()) - {"undo"}
    assert set(SHAPES) <= set(SCENARIOS)
    assert sys.modules["cli.act"] is command
