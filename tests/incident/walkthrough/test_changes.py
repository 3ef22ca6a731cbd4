"""Changes in a walkthrough: what they are made with, confirmed on, undone by, and those done by hand."""

from __future__ import annotations

import msgspec
import pytest

from incident.walkthrough.answers import InvalidAnswer
from incident.walkthrough.live_values import StoreValues
from incident.walkthrough.run import OpenParameter, StepState
from incident.walkthrough.walkthrough import NothingToUndo
from runbooks.model import Step
from tests.incident.build import match, symptom, view
from tests.incident.face import Agreeing
from tests.incident.walkthrough.scripted import Scripted
from tests.incident.walkthrough.test_runs import Values
from tests.probes import cells


async def test_what_follows_a_change_is_about_the_changed_object(scripted: Scripted) -> None:
    """The change heals what named its object; what is left names others."""
    run = scripted.engine.open("book", "nodes")
    run = await scripted.engine.do(run.id, "cordon", Agreeing())
    changed = run.values("cordon")["node"]
    left = symptom("nodes", count=3)
    left = msgspec.structs.replace(left, objects=left.objects[1:], findings=left.findings[1:])
    scripted.symptoms = view(left, matches=(match("book"),))
    assert scripted.engine.run(run.id).values("look")["node"] == changed
    scripted.engine.set_parameter(run.id, "node", "node-9")
    assert scripted.engine.run(run.id).values("look")["node"] == "node-9"


async def test_a_change_is_confirmed_on_the_state_of_that_moment(scripted: Scripted) -> None:
    scripted.blast = ["one node less", "the last node"]
    run = scripted.engine.open("book", "nodes")
    face = Agreeing()
    run = await scripted.engine.do(run.id, "cordon", face)
    shown = [(given.blast.lines, changed) for given, changed in face.plans]
    assert shown == [(("one node less",), False), (("the last node",), True)]
    assert [given.blast.lines for given in scripted.actions.sent] == [("the last node",)]
    assert run.outcomes["cordon"].state is StepState.DONE


async def test_a_name_that_does_not_exist_is_not_taken(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "There is no Node done; there are node-a."
    monkeypatch.setattr(
        Values, "missing", lambda self, name, value, namespace: told if value == "done" else ""
    )
    scripted.symptoms = ()
    run = scripted.engine.open("book")
    with pytest.raises(InvalidAnswer, match="no Node done"):
        scripted.engine.set_parameter(run.id, "node", "done")
    face = Agreeing(values={"node": "done"})
    run = await scripted.engine.do(run.id, "cordon", face)
    assert (face.asked, face.ran, scripted.actions.sent) == (["node", "node"], [], [])
    assert "node" not in run.values("cordon")


async def test_a_value_that_the_action_cannot_take_is_asked_for_again(scripted: Scripted) -> None:
    scripted.symptoms = ()
    run = scripted.engine.open("book")

    class Correcting(Agreeing):
        async def value(self, step: Step, parameter: OpenParameter) -> str:
            self.asked.append(parameter.origin)
            return ("node 1", "node-1")[len(self.asked) - 1]

    face = Correcting()
    run = await scripted.engine.do(run.id, "cordon", face)
    assert face.asked[1:] == ["it is a name"]
    assert run.values("cordon")["node"] == "node-1"
    assert run.outcomes["cordon"].state is StepState.DONE


@pytest.mark.parametrize(
    ("name", "value", "namespace", "said"),
    [
        ("node", "node-a", "", ""),
        ("node", "done", "shop", "There is no Node done; there are node-a, node-b."),
        ("target_namespace", "shop/web", "", ""),
        ("target_namespace", "nosuch", "", "There is no Namespace nosuch; there are shop."),
        ("pod", "web", "shop", ""),
        ("pod", "yes", "shop", "There is no Pod yes; there are web."),
        ("workload", "deployment/web", "shop", ""),
        ("secret", "gone", "shop", ""),
        ("seconds", "done", "", ""),
    ],
)
def test_what_the_live_state_says_of_a_name(
    name: str, value: str, namespace: str, said: str
) -> None:
    rows = (cells.node("node-a"), cells.node("node-b"), cells.namespace("shop"))
    store = cells.store(*rows, cells.pod("web", "shop", "node-a"))
    assert StoreValues(lambda: store).missing(name, value, namespace) == said
    assert StoreValues(lambda: None).missing(name, value, namespace) == ""


async def test_a_change_is_undone_with_what_it_was_made_with(scripted: Scripted) -> None:
    engine, face = scripted.engine, Agreeing()
    run = engine.open("book", "nodes")
    await engine.do(run.id, "cordon", face)
    engine.set_parameter(run.id, "node", "another-node")
    run = await engine.undo(run.id, "cordon", face)
    intent = next(
        entry.data["intent_id"]
        for entry in scripted.record.by_record()
        if entry.kind == "action-intent"
    )
    undone = scripted.actions.sent[-1]
    assert (undone.action, undone.arguments, undone.undoes) == ("undo", {"change": intent}, True)
    assert run.outcomes["cordon"].state is StepState.NOW, "open again, and to do now"
    with pytest.raises(NothingToUndo):
        await engine.undo(run.id, "cordon", face)


async def test_a_step_without_a_change_has_nothing_to_undo(scripted: Scripted) -> None:
    run = scripted.engine.open("book")
    for step in ("cordon", "first", "look"):
        with pytest.raises(NothingToUndo):
            await scripted.engine.undo(run.id, step, Agreeing())
    assert scripted.actions.sent == []


async def test_a_change_done_by_hand_counts_as_an_action(scripted: Scripted) -> None:
    engine = scripted.engine
    run = engine.open("book", "nodes")
    run = engine.answer(run.id, "cordon", "done", "kubectl cordon node-7, in the other terminal")
    intent, result = (e for e in scripted.record.by_record() if e.kind.startswith("action-"))
    assert (intent.kind, result.kind) == ("action-intent", "action-result")
    assert intent.intent_id == result.intent_id
    assert result.data["by_hand"] is True
    assert result.time_source == "human"
    assert "done by hand: kubectl cordon node-7" in result.text
    assert run.outcomes["cordon"].state is StepState.DONE
    assert run.current == "first"
    with pytest.raises(NothingToUndo, match="by hand"):
        await engine.undo(run.id, "cordon", Agreeing())


async def test_a_change_done_by_hand_without_words_is_the_command_of_the_step(
    scripted: Scripted,
) -> None:
    run = scripted.engine.open("book", "nodes")
    scripted.engine.answer(run.id, "cordon", "done")
    result = next(e for e in scripted.record.by_record() if e.kind == "action-result")
    assert "kubectl cordon" in result.text


@pytest.mark.parametrize(
    ("word", "state", "current"),
    [
        ("failed", StepState.FAILED, "first"),
        ("unknown", StepState.UNKNOWN, "first"),
    ],
)
async def test_other_answers_to_a_change_are_no_action(
    scripted: Scripted, word: str, state: StepState, current: str
) -> None:
    run = scripted.engine.open("book", "nodes")
    run = scripted.engine.answer(run.id, "cordon", word)
    assert not [e for e in scripted.record.by_record() if e.kind.startswith("action-")]
    assert (run.outcomes["cordon"].state, run.current) == (state, current)
