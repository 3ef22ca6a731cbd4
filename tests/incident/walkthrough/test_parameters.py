"""What fills the parameters of a step, and where a human is asked."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cluster.kube.objects import Ref
from incident.view import SymptomView
from incident.walkthrough.run import StepState
from runbooks.parse import parse
from tests.incident.build import match, symptom, view
from tests.incident.face import Agreeing
from tests.incident.walkthrough.scripted import Scripted


async def test_a_default_is_used_to_read_and_never_to_change(scripted: Scripted) -> None:
    scripted.symptoms = ()
    run = scripted.engine.open("book")
    face = Agreeing()
    await scripted.engine.do(run.id, "third", face)
    assert scripted.queries[-1].namespace == "kube-system"
    run = await scripted.engine.do(run.id, "cordon", face)
    assert face.asked == ["node"]
    assert scripted.actions.sent == []
    assert "not used to change" in run.parameters["cordon"][0].origin


async def test_a_symptom_that_did_not_select_the_runbook_fills_no_change(
    scripted: Scripted,
) -> None:
    scripted.symptoms = view(symptom("nodes"), matches=(match("another"),))
    run = scripted.engine.open("book", "nodes")
    node = next(one for one in run.parameters["cordon"] if one.name == "node")
    assert (node.value, node.choices) == ("", ("nodes-0",)), "offered, not filled in"


async def test_a_runbook_opened_from_another_symptom_takes_what_the_one_that_it_fits_names(
    scripted: Scripted,
) -> None:
    fits = SymptomView(symptom("nodes"), (match("book"),))
    scripted.symptoms = (SymptomView(symptom("innocent"), ()), fits)
    run = scripted.engine.open("book", "innocent")
    node = next(one for one in run.parameters["cordon"] if one.name == "node")
    assert (node.value, node.choices) == ("", ("nodes-0",)), "a change is asked for"
    assert "of another one, which did" in node.origin
    look = next(one for one in run.parameters["look"] if one.name == "node")
    assert look.value == "nodes-0", "a step that only reads has it"


async def test_a_check_without_a_value_that_its_question_names_says_so(
    scripted: Scripted,
) -> None:
    run = scripted.engine.open("book")
    scripted.engine.set_parameter(run.id, "namespace", "")
    run = await scripted.engine.do(run.id, "third", Agreeing())
    assert run.outcomes["third"].seen == "seen (the namespace was not given: all were read)"


async def test_where_two_fit_it_asks(scripted: Scripted) -> None:
    both = tuple(f"node-not-ready:Node//nodes-{number}" for number in range(2))
    found = match("book", rests_on=both)
    scripted.symptoms = view(symptom("nodes", count=2), matches=(found,))
    run = scripted.engine.open("book", "nodes")
    assert run.parameters["cordon"][0].choices == ("nodes-0", "nodes-1")
    face = Agreeing(values={"node": "nodes-1"})
    run = await scripted.engine.do(run.id, "cordon", face)
    assert face.asked == ["node"]
    assert scripted.actions.sent[0].arguments == {"node": "nodes-1"}
    assert run.outcomes["cordon"].state is StepState.DONE


async def test_no_text_shows_a_place_in_braces(scripted: Scripted) -> None:
    scripted.symptoms = ()
    run = scripted.engine.open("book")
    scripted.engine.answer(run.id, "look", "yes")
    texts = [entry.text for entry in scripted.record.by_record() if entry.run_id == run.id]
    assert "Is the node quiet?" in texts
    assert not [text for text in texts if "{" in text]


ROLLOUT = """---
id: book
title: Book
---
## Stop the bleeding

```action
id: freeze
question: Pause {deployment} in {namespace}?
action: rollout-pause
args: {workload: "{namespace}/deployment/{deployment}"}
blast: No rollout.
undo: Resume it.
expected: Paused.
kubectl: kubectl get pods --request-timeout=10s
params: {namespace: "", deployment: ""}
answers: {done: Good. -> done}
```
"""


async def test_a_chosen_object_gives_its_namespace(scripted: Scripted) -> None:
    refs = (Ref("Deployment", "shop", "cart"), Ref("Deployment", "identity", "tokens"))
    both = msgspec.structs.replace(symptom("secrets"), objects=refs, findings=())
    scripted.symptoms = view(both, matches=(match("book"),))
    book, problems = parse(ROLLOUT, Path("book.md"))
    assert book is not None, problems
    scripted.book.runbooks = (book,)
    run = scripted.engine.open("book", "secrets")
    deployment = next(one for one in run.parameters["freeze"] if one.name == "deployment")
    assert deployment.reasons == ("in namespace shop", "in namespace identity")
    face = Agreeing(values={"deployment": "tokens"})
    await scripted.engine.do(run.id, "freeze", face)
    assert face.asked == ["deployment"]
    assert scripted.actions.sent[0].arguments == {"workload": "identity/deployment/tokens"}
