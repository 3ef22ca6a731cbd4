"""The gate: what it shows, what it asks, and that an error at any step leaves it shut."""

from __future__ import annotations

import inspect
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from actions import catalogue, gate
from actions.context import ActionContext
from actions.plan import ActionPlan, Change, Outcome
from actions.planning import VALID_S, confirmation, looks_like_production
from cluster.api.mode import Mode
from cluster.errors import ApiError, Forbidden, OutcomeUnknown, Refused, ServerError, Unreachable
from tests.actions.fake import FakeApi, FakeJournal
from tests.probes.cells import node

NODE = "/api/v1/nodes/node-2"


def api(**settings: Any) -> FakeApi:
    return FakeApi([node("node-1"), node("node-2"), node("node-3")], **settings)


async def planned(
    fake: FakeApi, context: str = "lab", name: str = "node-2", action: str = "cordon"
) -> tuple[ActionPlan, ActionContext]:
    there = fake.context(context)
    return await catalogue.plan(action, there, {"node": name}), there


async def test_confirmed_done_recorded_and_undo_offered() -> None:
    fake, journal = api(), FakeJournal()
    plan, context = await planned(fake)
    result = await catalogue.run(plan, "node-2", context, journal)
    assert result.outcome is Outcome.DONE
    assert fake.paths[NODE]["spec"]["unschedulable"] is True
    assert journal.intents == [plan]
    assert journal.results == [result]
    assert result.undo is not None
    assert result.undo.kubectl == "kubectl uncordon node-2"


async def test_the_intent_is_recorded_before_anything_is_sent() -> None:
    fake, journal = api(), FakeJournal()
    seen: list[int] = []
    fake.on_write = lambda: seen.append(len(journal.intents))
    plan, context = await planned(fake)
    await catalogue.run(plan, "node-2", context, journal)
    assert seen == [1]


@pytest.mark.parametrize(
    "typed", ["", " ", "y", "yes", "node-1", "NODE-2", "node-2 ", "node-2 lab"]
)
async def test_anything_but_the_exact_word_changes_nothing(typed: str) -> None:
    fake, journal = api(), FakeJournal()
    plan, context = await planned(fake)
    result = await catalogue.run(plan, typed, context, journal)
    assert result.outcome in (Outcome.REFUSED, Outcome.DECLINED)
    assert fake.sent == []
    assert journal.results == [result], "a declined change is recorded as well"
    assert journal.intents == []


async def test_read_only_refuses_even_when_confirmed() -> None:
    for mode in (Mode.READ_ONLY, None):
        fake, journal = api(mode=mode), FakeJournal()
        plan, context = await planned(fake)
        result = await catalogue.run(plan, "node-2", context, journal)
        assert (result.outcome, fake.sent) == (Outcome.REFUSED, [])
        assert "--write" in result.sentence


async def test_without_a_record_of_the_intent_nothing_is_sent() -> None:
    fake = api()
    plan, context = await planned(fake)
    result = await catalogue.run(plan, "node-2", context, FakeJournal(fails=True))
    assert (result.outcome, fake.sent) == (Outcome.REFUSED, [])
    assert "No space left" in result.sentence


async def test_an_old_plan_is_refused() -> None:
    fake = api()
    plan, context = await planned(fake)
    fake.now += timedelta(seconds=VALID_S + 1)
    result = await catalogue.run(plan, "node-2", context, FakeJournal())
    assert (result.outcome, fake.sent) == (Outcome.REFUSED, [])
    assert "too old" in result.sentence


async def test_the_state_is_looked_at_again() -> None:
    fake = api()
    plan, context = await planned(fake)
    fake.put(node("node-1", unschedulable=True))
    fake.put(node("node-3", ready=False))
    result = await catalogue.run(plan, "node-2", context, FakeJournal())
    assert (result.outcome, fake.sent) == (Outcome.REFUSED, [])
    assert "the state has changed" in result.sentence


async def test_a_tampered_plan_is_refused() -> None:
    fake = api()
    plan, context = await planned(fake)
    target = plan.targets[0]
    other = replace(target, request=replace(target.request, path="/api/v1/nodes/node-1"))
    drained = replace(plan, targets=(other,))
    result = await catalogue.run(drained, "node-2", context, FakeJournal())
    assert (result.outcome, fake.sent) == (Outcome.REFUSED, [])


async def test_a_check_that_breaks_leaves_it_shut() -> None:
    fake, journal = api(), FakeJournal()
    plan, context = await planned(fake)

    async def broken() -> ActionPlan:
        raise RuntimeError("boom")

    result = await gate.run(plan, "node-2", gate.GateRun(context, journal, broken))
    assert (result.outcome, fake.sent) == (Outcome.REFUSED, [])
    assert "boom" in result.sentence


@pytest.mark.parametrize(
    ("error", "applies", "outcome"),
    [
        (Forbidden("patch: HTTP 403", status=403), False, Outcome.FAILED),
        (Refused("shut"), False, Outcome.REFUSED),
        (Unreachable("not connected"), False, Outcome.FAILED),
        (OutcomeUnknown("no answer"), True, Outcome.DONE),
        (OutcomeUnknown("no answer"), False, Outcome.UNKNOWN),
        (ServerError("patch: HTTP 504", status=504), False, Outcome.UNKNOWN),
        (RuntimeError("boom"), False, Outcome.UNKNOWN),
    ],
)
async def test_what_goes_wrong_while_sending(
    error: Exception, applies: bool, outcome: Outcome
) -> None:
    fake, journal = api(error=error, applies=applies), FakeJournal()
    plan, context = await planned(fake)
    result = await catalogue.run(plan, "node-2", context, journal)
    assert result.outcome is outcome
    assert len(fake.sent) == 1, "never sent twice"
    assert journal.results == [result]
    assert (result.undo is not None) == (outcome in (Outcome.DONE, Outcome.UNKNOWN))


async def test_accepted_but_not_seen_is_said_so() -> None:
    fake = api(applies=False)
    plan, context = await planned(fake)
    result = await catalogue.run(plan, "node-2", context, FakeJournal())
    assert result.outcome is Outcome.SENT_NOT_SEEN
    assert "unschedulable" in result.observed


async def test_a_result_that_cannot_be_recorded_is_still_told() -> None:
    class Later(FakeJournal):
        def conclude(self, result: Any) -> None:
            raise OSError("disk gone")

    fake = api()
    plan, context = await planned(fake)
    result = await catalogue.run(plan, "node-2", context, Later())
    assert result.outcome is Outcome.DONE
    assert "disk gone" in result.sentence


async def test_declining_is_recorded() -> None:
    fake, journal = api(), FakeJournal()
    plan, context = await planned(fake)
    result = catalogue.decline(plan, context, journal, "not now")
    assert journal.results == [result]
    assert result.outcome is Outcome.DECLINED
    assert "not now" in result.sentence


async def test_production_asks_for_the_context_as_well() -> None:
    plan, _ = await planned(api(), "prod-eu1")
    assert plan.production
    assert plan.confirmation == "node-2 prod-eu1"


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ("prod-eu1", True),
        ("eu.production", True),
        ("gke_acme_prd", True),
        ("live", True),
        ("PROD", True),
        ("arn:aws:x:cluster/prod", True),
        ("staging", False),
        ("product-team", False),
        ("olive", False),
        ("reproduce", False),
    ],
)
def test_which_contexts_look_like_production(context: str, expected: bool) -> None:
    assert looks_like_production(context) is expected
    assert (context in confirmation("x", context)[0].split()) is expected


async def test_a_server_that_would_refuse_is_told_before() -> None:
    plan, _ = await planned(api(dry_run_error=Forbidden("patch: HTTP 403 Forbidden", status=403)))
    assert "would refuse" in plan.refused
    plan, _ = await planned(api(dry_run_error=Unreachable("no answer")))
    assert plan.refused == "", "a dry run without an answer does not forbid what reviews allow"
    assert plan.dry_run_ok is None
    assert any("access reviews allow it" in warning for warning in plan.warnings)
    silent = {"dry_run_error": Unreachable("no answer"), "review_error": Unreachable("no answer")}
    plan, _ = await planned(api(**silent))
    assert "Neither a dry run nor an access review" in plan.refused


def test_no_parameter_answers_the_confirmation() -> None:
    for function in (gate.run, catalogue.run, catalogue.plan):
        assert not {"yes", "force", "confirm", "confirmed", "assume_yes"} & set(
            inspect.signature(function).parameters
        )
    assert "yes" not in Change.__dataclass_fields__


async def test_an_unknown_action_names_those_that_exist() -> None:
    with pytest.raises(catalogue.UnknownAction, match=r"cordon.*uncordon"):
        await planned(api(), action="explode")


# ---- the set of targets


@pytest.mark.parametrize(
    ("meanwhile", "word"),
    [
        (lambda fake: relabel(fake, "zone", "b"), "label zone: not set, now b"),
        (
            lambda fake: fake.put(node("node-3", unschedulable=True)),
            "node-1, node-3, node-4, now node-1, node-4",
        ),
        (lambda fake: recreate(fake), "deleted and created again"),
        (lambda fake: taint(fake), "taints: none, now spare:PreferNoSchedule"),
    ],
)
async def test_what_changed_since_it_was_shown_is_shown_again(meanwhile: Any, word: str) -> None:
    fake = FakeApi([node(f"node-{n}") for n in range(1, 5)])
    plan, context = await planned(fake)
    meanwhile(fake)
    result = await catalogue.run(plan, "node-2", context, FakeJournal())
    assert (result.outcome, fake.sent) == (Outcome.REFUSED, [])
    assert word in result.sentence
    assert result.again is not None
    assert (await catalogue.run(result.again, "node-2", context, FakeJournal())).outcome in (
        Outcome.DONE,
        Outcome.REFUSED,
    )


def relabel(fake: FakeApi, key: str, value: str) -> None:
    found = fake.paths[NODE]
    found["metadata"].setdefault("labels", {})[key] = value
    fake.put(found)


def recreate(fake: FakeApi) -> None:
    fake.drop(NODE)
    document = node("node-2")
    document["metadata"]["uid"] = "another"
    fake.put(document)


def taint(fake: FakeApi) -> None:
    found = fake.paths[NODE]
    found["spec"]["taints"] = [{"key": "spare", "effect": "PreferNoSchedule"}]
    fake.put(found)


async def test_what_changes_between_the_comparison_and_the_request_is_refused_by_the_server() -> (
    None
):
    fake = api()
    plan, context = await planned(fake)
    fake.on_write = lambda: recreate(fake)
    result = await catalogue.run(plan, "node-2", context, FakeJournal())
    assert result.outcome is Outcome.FAILED
    assert not fake.paths[NODE]["spec"].get("unschedulable")


# ---- rights and dry runs


async def test_a_denied_review_refuses_and_sends_no_dry_run() -> None:
    fake = api(denied=frozenset({"patch nodes"}))
    plan, _ = await planned(fake)
    assert "patch nodes is not allowed" in plan.refused
    assert fake.dry_runs == []


async def test_read_only_sends_no_dry_run_unless_the_review_allows_it() -> None:
    fake = api(mode=Mode.READ_ONLY, review_error=Unreachable("no answer"))
    plan, _ = await planned(fake)
    assert plan.refused
    assert fake.dry_runs == []
    fake = api(mode=Mode.READ_ONLY)
    plan, _ = await planned(fake)
    assert plan.refused == ""
    assert fake.dry_runs == [NODE]


async def test_a_webhook_without_dry_run_is_no_refusal() -> None:
    message = 'admission webhook "w" does not support dry run'
    fake = api(dry_run_error=ApiError(message, status=400, detail=message))
    plan, _ = await planned(fake)
    assert plan.refused == ""
    assert plan.dry_run_ok is None


# ---- while the record stands beside its file


async def test_a_record_beside_its_file_is_acknowledged_before_anything_changes() -> None:
    fake, journal = api(), FakeJournal()
    whole = fake.context()
    beside = replace(whole, beside="the database is locked")
    plan = await catalogue.plan("cordon", beside, {"node": "node-2"})
    assert plan.confirmation == "node-2 beside"
    assert "the database is locked" in plan.confirmation_reason
    assert not plan.is_simple, "--yes does not answer it"
    result = await catalogue.run(plan, "node-2", beside, journal)
    assert (result.outcome, fake.sent) == (Outcome.REFUSED, [])
    result = await catalogue.run(plan, "node-2 beside", beside, journal)
    assert result.outcome is Outcome.DONE


@pytest.mark.parametrize("first", ["", "the database is locked"])
async def test_a_record_that_moves_after_the_plan_was_shown_is_shown_again(first: str) -> None:
    fake, journal = api(), FakeJournal()
    then = replace(fake.context(), beside=first)
    now = replace(fake.context(), beside="" if first else "no space left on device")
    plan = await catalogue.plan("cordon", then, {"node": "node-2"})
    result = await catalogue.run(plan, plan.confirmation, now, journal)
    assert (result.outcome, fake.sent) == (Outcome.REFUSED, [])
    assert "record: " in result.sentence
    assert result.again is not None
    assert ("beside" in result.again.confirmation) is not bool(first)
