from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from cluster.kube.objects import Ref
from runbooks import steps
from runbooks.expressions import of_each
from runbooks.model import StepKind
from runbooks.parameters import names
from runbooks.parse import parse
from runbooks.steps import Lead
from tests import shipped
from triage.facts.finding import Evidence, Finding, Severity, SharedAttribute, SinceSource, Symptom

TEXT = """---
id: walk
title: Walk
---
## Stop the bleeding

```ask
id: first
question: First?
expected: yes
kubectl: kubectl -n {namespace} delete pod {pod} --request-timeout=5s
answers:
  yes: Good. -> section:verify
  no: Look. -> look
  other-book: Elsewhere. -> runbook:other
```

## Find out

```check
id: look
question: Look?
kind: Pod
namespace: "{namespace}"
params: {namespace: kube-system, limit: "5"}
each: "true"
expected: yes
answers:
  pass: Fine.
  fail: Bad. -> escalate
```

## Verify

```wait
id: calm
question: Calm?
kind: Node
until: "true"
deadline: 5m
expected: calm
answers:
  reached: Done. -> done
```
"""
RUNBOOK, PROBLEMS = parse(TEXT, Path("walk.md"))
AT = datetime(2026, 11, 21, tzinfo=UTC)


def symptom(*objects: Ref, shared: tuple[SharedAttribute, ...] = (), **facts: str) -> Symptom:
    finding = Finding(
        "f:1",
        "f",
        objects[0],
        "claim",
        Severity.WARNING,
        "rule",
        AT,
        SinceSource.STATUS,
        (Evidence("x", "y"),),
        facts,
        related=objects[1:],
    )
    return Symptom("s", "title", Severity.WARNING, AT, objects[:1], (finding,), shared)


def test_answers_lead_on() -> None:
    assert RUNBOOK is not None
    assert PROBLEMS == ()
    first = steps.first(RUNBOOK)
    assert first is not None
    assert steps.next_step(RUNBOOK, first, "YES").target == "calm", (
        "a section leads to its first step, in any case of letters"
    )
    assert steps.next_step(RUNBOOK, first, "no").target == "look"
    other = steps.next_step(RUNBOOK, first, "other-book")
    assert (other.lead, other.target) == (Lead.RUNBOOK, "other")
    look = RUNBOOK.step("look")
    assert look is not None
    assert steps.next_step(RUNBOOK, look, "pass").target == "calm", "without an arrow it goes on"
    assert steps.next_step(RUNBOOK, look, "fail").lead is Lead.ESCALATE
    assert steps.next_step(RUNBOOK, look, "unknown").target == "calm", (
        "an answer that is not declared goes on"
    )
    calm = RUNBOOK.step("calm")
    assert calm is not None
    assert (calm.kind, calm.deadline) == (StepKind.WAIT, 300.0)
    assert steps.next_step(RUNBOOK, calm, "reached").lead is Lead.DONE
    assert steps.next_step(RUNBOOK, calm, "deadline").lead is Lead.DONE, (
        "the last step without a declared answer ends"
    )


@pytest.mark.parametrize("hostile", ["x; rm -rf /", "$(id)", "`id`", "a b", "'"])
def test_commands_are_quoted_and_unknown_places_stay_visible(hostile: str) -> None:
    assert RUNBOOK is not None
    first = RUNBOOK.step("first")
    assert first is not None
    shown = steps.command(first, {"namespace": hostile})
    assert "delete pod POD " in shown
    import shlex

    assert shlex.split(shown)[2] == hostile


def test_every_step_of_our_library_is_walkable() -> None:
    for runbook in shipped.library().runbooks:
        first = steps.first(runbook)
        assert first is not None, runbook.id
        for step in runbook.steps():
            for answer in step.answers:
                lead = steps.next_step(runbook, step, answer.when)
                if lead.lead is Lead.STEP:
                    assert runbook.step(lead.target), (runbook.id, step.id, answer.when)


def test_no_walk_of_our_library_runs_in_a_circle_only() -> None:
    """From every step some answers lead to an end: done, escalate or another runbook."""
    for runbook in shipped.library().runbooks:
        for start in runbook.steps():
            seen, todo, ends = {start.id}, [start], False
            while todo and not ends:
                step = todo.pop()
                for answer in step.answers:
                    lead = steps.next_step(runbook, step, answer.when)
                    ends = ends or lead.lead is not Lead.STEP
                    if lead.target not in seen and (found := runbook.step(lead.target)):
                        seen.add(found.id)
                        todo.append(found)
            assert ends, (runbook.id, start.id)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("kubectl -n {namespace} scale deployment/x --replicas=0", True),
        ("sudo systemctl restart containerd", True),
        ("kubectl get nodes -L kubernetes.io/os", False),
        ("kubectl -n {namespace} rollout history daemonset/x", False),
        ("kubectl -n {namespace} rollout undo daemonset/x", True),
        ("sudo etcdutl snapshot restore SNAPSHOT.db --data-dir /var/lib/etcd", False),
        ("kubectl -n {namespace} create job RETRY --from=cronjob/x", False),
        ("kubectl -n {namespace} set env deployment/x LEVEL=debug", True),
    ],
)
def test_only_a_command_that_changes_says_what_was_done(command: str, says: bool) -> None:
    assert RUNBOOK is not None
    step = replace(next(RUNBOOK.steps()), kubectl=command)
    known = steps.known_change(step, {"namespace": "shop"})
    assert known == (command.replace("{namespace}", "shop") if says else "")
    assert steps.known_change(replace(step, kubectl="kubectl -n {pod} delete pod x"), {}) == ""


def test_no_change_by_hand_of_a_runbook_is_recorded_as_a_command_that_only_looks() -> None:
    looks = {"get", "describe", "logs", "top", "ps"}
    for runbook in shipped.library().runbooks:
        for step in runbook.steps():
            known = steps.known_change(step, dict.fromkeys(names(step), "x"))
            if step.kind is StepKind.ASK and step.mutates and known:
                assert not looks & set(known.split()[:4]), f"{runbook.id} {step.id}: {known}"


def test_a_wait_on_objects_counts_those_that_it_waits_for() -> None:
    """Its condition is one on each object, so that it can say `fault: 2 of 16`."""
    waits = [
        (book.id, step.id, step.query)
        for book in shipped.library().runbooks
        for step in book.steps()
        if step.kind is StepKind.WAIT and step.query
    ]
    assert waits
    counts = {(book, step): bool(q.each or of_each(q.expression)[0]) for book, step, q in waits}
    assert all(counts.values()), counts


def test_a_change_by_hand_is_asked_for_as_done() -> None:
    """Its answer is `done`: a question whether it can be done would be answered yes."""
    asked = {
        (book.id, step.id): step.question
        for book in shipped.library().runbooks
        for step in book.steps()
        if step.kind is StepKind.ASK and step.mutates
    }
    assert asked
    wrong = {at: text for at, text in asked.items() if not re.search(r"\bha(ve|s)\b", text, re.I)}
    assert not wrong
