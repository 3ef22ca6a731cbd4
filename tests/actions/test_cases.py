"""One table of cases, run against every action through the gate: what goes wrong at each step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from actions import catalogue
from actions.context import ActionContext
from actions.plan import ActionPlan, ActionResult, Outcome
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
from incident.offline.doctor import ACTION_RIGHTS
from tests.actions.fake import FakeApi, FakeJournal
from tests.actions.scenarios import SCENARIOS, Scenario

PASSWORD = "correct-horse-battery"


@dataclass
class Bench:
    """One action in its cluster, planned."""

    scenario: Scenario
    api: FakeApi
    journal: FakeJournal
    context: ActionContext
    plan: ActionPlan

    async def confirm(self, typed: str | None = None) -> ActionResult:
        word = self.plan.confirmation if typed is None else typed
        return await catalogue.run(self.plan, word, self.context, self.journal)

    @property
    def changed(self) -> bool:
        return self.scenario.done(self.api)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "login.env"
    path.write_text(f"password={PASSWORD}\n")
    return path


async def bench(name: str, keys: Path, **settings: Any) -> Bench:
    scenario = SCENARIOS[name]
    api, journal = FakeApi(scenario.objects, **settings), FakeJournal()
    api.on_sleep = lambda: scenario.effect(api)
    arguments = {k: str(keys) if v == "FILE" else v for k, v in scenario.arguments.items()}
    context = api.context()
    return Bench(scenario, api, journal, context, await catalogue.plan(name, context, arguments))


every_action = pytest.mark.parametrize("name", [n for n in catalogue.names() if n != "undo"])


def test_every_action_has_a_scenario() -> None:
    assert set(SCENARIOS) == set(catalogue.names()) - {"undo"}


@every_action
async def test_confirmed_it_is_done_seen_and_recorded(name: str, keys: Path) -> None:
    here = await bench(name, keys)
    assert here.plan.refused == ""
    assert not here.changed
    assert here.api.sent == [], "a plan changes nothing"
    result = await here.confirm()
    assert result.outcome is Outcome.DONE, result.sentence
    assert here.changed, "the change is there"
    assert [each.action for each in here.journal.intents] == [name]
    assert here.journal.results == [result]
    assert len(here.api.sent) == len(here.plan.targets), "each target once"
    assert PASSWORD not in repr(here.plan) + repr(here.plan.document) + repr(result)
    if len(here.plan.targets) > 1:
        assert len(here.journal.begun) == len(here.journal.finished) == len(here.plan.targets)


@every_action
async def test_a_live_state_that_catches_up_after_the_plan_refuses_nothing(
    name: str, keys: Path
) -> None:
    """What was read describes the object; the live state follows a moment later."""
    scenario = SCENARIOS[name]
    api, journal = FakeApi(scenario.objects), FakeJournal()
    api.on_sleep = lambda: scenario.effect(api)
    arguments = {k: str(keys) if v == "FILE" else v for k, v in scenario.arguments.items()}
    context = api.context()
    ref = (await catalogue.plan(name, context, arguments)).object
    row = api.store.get(*ref)
    api.store.apply(ref.kind, (), [(ref.namespace, ref.name)])
    plan = await catalogue.plan(name, context, arguments)
    assert plan.refused == ""
    if row is not None:
        api.store.apply(ref.kind, [row])
    result = await catalogue.run(plan, plan.confirmation, context, journal)
    assert result.outcome is Outcome.DONE, result.sentence


@every_action
async def test_the_record_undoes_it(name: str, keys: Path) -> None:
    here = await bench(name, keys)
    here.api.recorded = here.journal.recorded
    await here.confirm()
    assert (here.plan.undo_action == "undo") is here.scenario.undoable
    undo = await catalogue.plan("undo", here.context, {"change": "any"})
    if not here.scenario.undoable:
        assert here.plan.undo is None
        return
    assert undo.refused == ""
    result = await catalogue.run(undo, undo.confirmation, here.context, FakeJournal())
    assert result.outcome is Outcome.DONE, result.sentence
    if name != "drain":  # evicted pods do not come back
        assert not here.changed


@every_action
@pytest.mark.parametrize("typed", ["", " ", "y", "yes", "node-2 lab", "NODE-2"])
async def test_another_word_changes_nothing(name: str, typed: str, keys: Path) -> None:
    here = await bench(name, keys)
    result = await here.confirm(typed)
    assert result.outcome in (Outcome.DECLINED, Outcome.REFUSED)
    assert here.api.sent == []
    assert here.journal.results == [result]
    assert here.journal.intents == []


@every_action
async def test_a_doubled_confirmation_acts_once(name: str, keys: Path) -> None:
    here = await bench(name, keys)
    await here.confirm()
    sent = len(here.api.sent)
    again = await here.confirm()
    assert again.outcome is Outcome.REFUSED, again.sentence
    assert len(here.api.sent) == sent


@every_action
async def test_read_only_refuses(name: str, keys: Path) -> None:
    here = await bench(name, keys, mode=Mode.READ_ONLY)
    result = await here.confirm()
    assert result.outcome is Outcome.REFUSED
    assert "--write" in result.sentence
    assert not here.changed


REFUSALS: list[ApiError] = [
    Unauthorized("HTTP 401 Unauthorized", status=401),
    Forbidden("HTTP 403 Forbidden", status=403),
    Forbidden('admission webhook "policy.test" denied the request', status=403),
    NotFound("HTTP 404 NotFound", status=404),
    Conflict("HTTP 409 Conflict", status=409),
    Invalid("HTTP 422 Invalid", status=422),
]


@every_action
@pytest.mark.parametrize("error", REFUSALS, ids=str)
async def test_a_refusal_of_the_server_changes_nothing(
    name: str, error: ApiError, keys: Path
) -> None:
    here = await bench(name, keys)
    here.api.error = error
    result = await here.confirm()
    assert result.outcome is Outcome.FAILED, result.sentence
    assert not here.changed
    assert "nothing was changed" in result.sentence.lower()
    assert len(here.api.sent) == len(here.plan.targets), "never sent twice"


@every_action
async def test_429_is_told_and_only_an_eviction_waits(name: str, keys: Path) -> None:
    here = await bench(name, keys)
    here.api.error = TooManyRequests("HTTP 429 TooManyRequests", status=429)
    result = await here.confirm()
    assert result.outcome is Outcome.FAILED, result.sentence
    assert not here.changed
    evictions = [target for target in here.plan.targets if target.request.blocked_by_budget]
    assert (len(here.api.sent) > len(here.plan.targets)) is bool(evictions)


@every_action
@pytest.mark.parametrize(
    ("error", "applies"),
    [
        (ServerError("HTTP 500", status=500), False),
        (ServerError("HTTP 504", status=504), False),
        (OutcomeUnknown("no answer within 30 s"), False),
        (OutcomeUnknown("the answer was cut"), True),
    ],
    ids=["500", "504", "silent", "cut answer"],
)
async def test_without_an_answer_the_object_decides(
    name: str, error: Exception, applies: bool, keys: Path
) -> None:
    here = await bench(name, keys)
    here.api.error, here.api.applies = error, applies
    result = await here.confirm()
    if applies and len(here.plan.targets) == 1 and name != "restore-secret-keys":
        assert result.outcome is Outcome.DONE, result.sentence
        assert "the answer was lost" in result.sentence
    else:
        assert result.outcome in (Outcome.UNKNOWN, Outcome.PART), result.sentence
    assert len(here.api.sent) == 1, "nothing more is sent after an unclear answer"
    assert here.journal.results == [result]


@every_action
async def test_not_connected_is_not_sent(name: str, keys: Path) -> None:
    here = await bench(name, keys)
    here.api.error, here.api.applies = Unreachable("not connected"), False
    result = await here.confirm()
    assert result.outcome is Outcome.FAILED
    assert not here.changed


@every_action
async def test_frozen_before(name: str, keys: Path) -> None:
    here = await bench(name, keys)
    here.api.read_error = Unreachable("no answer")
    here.api.dry_run_error = Unreachable("no answer")
    here.api.review_error = Unreachable("no answer")
    here.api.sent.append(("GET", "frozen", None))
    result = await here.confirm()
    assert result.outcome is Outcome.REFUSED, result.sentence
    assert not here.changed


@every_action
async def test_frozen_after(name: str, keys: Path) -> None:
    here = await bench(name, keys)
    here.api.read_error = Unreachable("no answer")
    result = await here.confirm()
    secret = name == "restore-secret-keys"  # its values are not read back
    assert result.outcome is (Outcome.DONE if secret else Outcome.SENT_NOT_SEEN), result.sentence
    assert here.changed


@every_action
async def test_a_changed_target_is_shown_again(name: str, keys: Path) -> None:
    here = await bench(name, keys)
    target = here.plan.targets[-1]
    found = here.api.paths[target.path]
    found["metadata"].setdefault("labels", {})["zone"] = "b"
    here.api.put(found)
    result = await here.confirm()
    assert result.outcome is Outcome.REFUSED
    assert "zone" in result.sentence
    assert here.api.sent == []
    assert result.again is not None
    here.plan = result.again
    assert (await here.confirm()).outcome is Outcome.DONE


@every_action
async def test_another_object_of_that_name_is_not_touched(name: str, keys: Path) -> None:
    here = await bench(name, keys)
    target = here.plan.targets[-1]
    found = here.api.paths[target.path]
    here.api.put({**found, "metadata": {**found["metadata"], "uid": "another"}})
    result = await here.confirm()
    assert result.outcome is Outcome.REFUSED, result.sentence
    assert here.api.sent == []


def swap(api: FakeApi, path: str) -> Callable[[], None]:
    """Replaces the object while the request is on its way."""

    def now() -> None:
        if path in api.paths:
            found = api.paths[path]
            api.put({**found, "metadata": {**found["metadata"], "uid": "another"}})

    return now


@every_action
async def test_what_is_replaced_while_the_request_is_sent_is_not_touched(
    name: str, keys: Path
) -> None:
    here = await bench(name, keys)
    path = here.plan.targets[0].path
    here.api.on_write = swap(here.api, path)
    result = await here.confirm()
    assert result.targets[0].outcome is Outcome.FAILED, result.sentence
    assert here.api.paths[path]["metadata"]["uid"] == "another"


@every_action
async def test_stopped_in_flight_is_unknown_and_recorded(name: str, keys: Path) -> None:
    here = await bench(name, keys)
    here.api.error, here.api.applies = asyncio.CancelledError(), False
    with pytest.raises(asyncio.CancelledError):
        await here.confirm()
    (result,) = here.journal.results
    assert result.outcome is Outcome.UNKNOWN
    assert "stopped by a human" in result.sentence
    left = [each for each in result.targets if each.outcome is Outcome.NOT_SENT]
    assert len(left) == len(here.plan.targets) - 1


@every_action
async def test_without_a_record_nothing_is_sent(name: str, keys: Path) -> None:
    here = await bench(name, keys)
    here.journal.fails = True
    result = await here.confirm()
    assert result.outcome is Outcome.REFUSED
    assert here.api.sent == []


@every_action
async def test_a_denied_right_is_told_before(name: str, keys: Path) -> None:
    asked = (await bench(name, keys)).api.reviews
    here = await bench(name, keys, denied=frozenset(asked[:1]))
    assert "may not do it" in here.plan.refused
    assert here.api.dry_runs == []


@every_action
async def test_arguments_are_typed(name: str, keys: Path) -> None:
    here = await bench(name, keys)
    arguments = dict(here.plan.arguments)
    for wanted in catalogue.ACTIONS[name].parameters:
        without = {k: v for k, v in arguments.items() if k != wanted.name}
        plan = await catalogue.plan(name, here.context, without)
        assert (wanted.name in plan.refused) is wanted.required
        plan = await catalogue.plan(name, here.context, {**arguments, wanted.name: "\x1b/=,;"})
        assert plan.refused
        assert plan.title == name
        assert "\x1b" not in plan.refused
    plan = await catalogue.plan(name, here.context, {**arguments, "force": "yes"})
    assert "There is no parameter 'force'" in plan.refused


@every_action
async def test_the_plan_holds_the_runbooks_prohibitions_and_who_reverts_it(
    name: str, keys: Path
) -> None:
    here = await bench(name, keys)
    context = replace(here.context, prohibitions=("Do not restart everything.",))
    plan = await catalogue.plan(name, context, here.plan.arguments)
    assert "the runbook says: Do not restart everything." in plan.warnings


@every_action
async def test_the_doctor_asks_for_the_rights_of_every_action(name: str, keys: Path) -> None:
    here = await bench(name, keys)
    asked = {
        f"{verb} {resource}{f'/{sub}' if sub else ''}" for verb, _, resource, sub in ACTION_RIGHTS
    }
    assert set(here.api.reviews) <= asked
