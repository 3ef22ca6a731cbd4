"""What the parameters of a step stand for: the evidence that selected the runbook, or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cluster.kube.objects import Ref
from runbooks.parameters import (
    PLACE,
    Candidates,
    ParamValue,
    SelectingSymptom,
    names,
    needed,
    resolve,
)
from runbooks.parse import parse
from runbooks.steps import command, fill
from tests import shipped
from tests.runbooks.test_steps import AT, RUNBOOK, symptom
from triage.facts.finding import (
    ChangeFact,
    Finding,
    Severity,
    SharedAttribute,
    SinceSource,
    Symptom,
)

TEXT = """---
id: book
title: Book
---
## Stop the bleeding

```ask
id: scale
question: Scale {workload} in {namespace} to 0?
blast: All its pods end.
undo: scale {workload} back
expected: none left
params: {namespace: kube-system}
kubectl: kubectl -n {namespace} scale {workload} --replicas=0 --request-timeout=10s
answers:
  done: Good. -> done
```

```check
id: look
question: Is {deployment} healthy in {namespace}?
kind: Deployment
namespace: "{namespace}"
name: "{deployment}"
params: {namespace: kube-system}
each: "true"
expected: yes
answers:
  pass: Good, {node}. -> done
  fail: Bad. -> escalate
```
"""


def finding(rule: str, ref: Ref, *related: Ref, **facts: str) -> Finding:
    return Finding(
        f"{rule}:{ref}",
        rule,
        ref,
        f"{rule} {ref.name}",
        Severity.WARNING,
        "rule",
        AT,
        SinceSource.STATUS,
        facts=facts,
        related=related,
    )


def evidence(*findings: Finding, selected: tuple[Finding, ...] = (), **more: Any) -> Candidates:
    about = Symptom(
        "s",
        "title",
        Severity.WARNING,
        AT,
        tuple(found.object for found in findings),
        findings,
        **more,
    )
    return Candidates([SelectingSymptom(about, frozenset(found.id for found in selected))])


def values(
    step_id: str, candidates: Candidates, typed: dict[str, str] | None = None
) -> dict[str, ParamValue]:
    book, problems = parse(TEXT, Path("book.md"))
    assert book is not None, problems
    step = book.step(step_id)
    assert step is not None
    return {value.name: value for value in resolve(step, candidates, typed)}


VICTIM = finding("crash", Ref("Deployment", "shop", "cart"))
CULPRIT = finding("hog", Ref("Deployment", "logging", "elastalert"), Ref("Node", "", "n1"))


def test_the_finding_that_selected_the_runbook_decides_and_gives_its_reason() -> None:
    found = values("scale", evidence(VICTIM, CULPRIT, selected=(CULPRIT,)))
    assert (found["workload"].value, found["workload"].origin) == (
        "deployment/elastalert",
        "hog elastalert",
    )
    assert (found["namespace"].value, found["namespace"].origin) == (
        "logging",
        "that of deployment/elastalert",
    )


def test_where_two_fit_nothing_is_filled_in_and_the_namespace_follows_the_choice() -> None:
    candidates = evidence(VICTIM, CULPRIT)
    found = values("scale", candidates)
    assert (found["workload"].value, found["workload"].choices) == (
        "",
        ("deployment/cart", "deployment/elastalert"),
    )
    assert found["namespace"].value == "", "not the one of another object, and no default"
    chosen = values("scale", candidates, {"workload": "deployment/elastalert"})
    assert chosen["namespace"].value == "logging"


def test_all_that_fit_are_offered_and_a_sentence_names_ten_of_them() -> None:
    crashes = [finding(f"crash{n}", Ref("Deployment", "shop", f"cart{n}")) for n in range(15)]
    workload = values("scale", evidence(*crashes))["workload"]
    assert len(workload.choices) == len(workload.reasons) == 15
    assert workload.origin.startswith("15 fit: ")
    assert workload.origin.endswith(", deployment/cart9 and 5 more")


def test_what_the_failing_objects_share_stands_beside_what_selected_the_runbook() -> None:
    shared = (SharedAttribute("owner", "Deployment logging/elastalert", (4, 4), (2, 12), 0.001),)
    agreed = values("scale", evidence(VICTIM, CULPRIT, selected=(CULPRIT,), shared=shared))
    assert agreed["workload"].value == "deployment/elastalert"
    disagreed = values("scale", evidence(VICTIM, CULPRIT, selected=(VICTIM,), shared=shared))
    assert disagreed["workload"].value == ""


def test_a_default_is_used_to_read_only() -> None:
    nothing = Candidates()
    look, scale = values("look", nothing), values("scale", nothing)
    assert (look["namespace"].value, look["namespace"].origin) == (
        "kube-system",
        "default of the runbook",
    )
    assert (scale["namespace"].value, scale["namespace"].choices) == ("", ("kube-system",))
    assert (scale["workload"].value, scale["workload"].origin) == ("", "not known")


def test_what_was_typed_stands_also_when_it_is_nothing() -> None:
    found = values("look", evidence(VICTIM), {"namespace": "", "deployment": "other"})
    assert (found["namespace"].value, found["namespace"].origin) == ("", "typed")
    assert found["deployment"].value == "other"


def test_a_fact_that_only_names_an_object_stands_behind_one_that_refers_to_it() -> None:
    named = finding("oom", Ref("Pod", "nginx", "p"), Ref("Deployment", "nginx", "web"), owner="web")
    assert values("scale", evidence(named, selected=(named,)))["workload"].value == "deployment/web"


def test_a_change_gives_what_no_finding_does() -> None:
    change = ChangeFact(AT, "edited", Ref("Deployment", "shop", "cart"), "policy", "kubectl")
    about = symptom(Ref("Node", "", "n1"))
    about = Symptom(
        about.id,
        about.title,
        about.severity,
        about.since,
        about.objects,
        about.findings,
        changes=(change,),
    )
    found = values("look", Candidates([SelectingSymptom(about)]))
    assert found["deployment"].value == "cart"


def test_shared_attributes_come_before_objects() -> None:
    assert RUNBOOK is not None
    look = RUNBOOK.step("look")
    assert look is not None
    shared = (SharedAttribute("namespace", "shared-ns", (7, 7), (0, 41), 0.001),)
    about = symptom(Ref("Pod", "shop", "cart-1"), shared=shared)
    found = {value.name: value for value in resolve(look, Candidates([SelectingSymptom(about)]))}
    assert (found["namespace"].value, found["namespace"].origin) == (
        "shared-ns",
        "7 of 7 failing objects share it",
    )


def test_texts_of_answers_have_places_too_and_needed_are_those_that_decide() -> None:
    book, _ = parse(TEXT, Path("book.md"))
    assert book is not None
    look = book.step("look")
    assert look is not None
    assert "node" in names(look)
    assert needed(look) == {"namespace", "deployment"}


def test_no_text_of_our_library_keeps_its_braces() -> None:
    for runbook in shipped.library().runbooks:
        for step in runbook.steps():
            unknown = dict.fromkeys(names(step), "")
            for text in (step.question, step.why, step.expected, step.blast, step.undo):
                assert not PLACE.search(fill(text, unknown)), f"{runbook.id}/{step.id}: {text}"
            shown = command(step, unknown)
            for name in names(step):
                assert f"{{{name}}}" not in shown


def test_the_ingress_is_found_where_triage_saw_it() -> None:
    """Namespace and labels of an installation differ: the default is for none that was seen."""
    facts = {"ingress_selector": "app=edge"}
    sick = finding("ingress-degraded", Ref("Deployment", "edge", "traefik"), **facts)
    for book_id, step_id in (
        ("ingress-controller-oom", "oom-killed"),
        ("ingress-controller-oom", "quiet"),
        ("ingress-routes-lost-api-server-down", "ingress-young"),
    ):
        book = shipped.library().get(book_id)
        step = book.step(step_id) if book is not None else None
        assert step is not None
        seen = {one.name: one.value for one in resolve(step, evidence(sick, selected=(sick,)))}
        assert (seen["namespace"], seen["ingress_selector"]) == ("edge", "app=edge")
        unseen = {one.name: one.origin for one in resolve(step, evidence())}
        assert unseen["ingress_selector"] == "default of the runbook"
