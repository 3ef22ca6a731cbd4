"""Checks that quote what triage found answer their own question: each names the finding for which
its page was chosen, and no two of a section say the same."""

from __future__ import annotations

import pytest

from drills.scenario.catalogue import guide_ids, load
from runbooks.check import tell
from runbooks.model import CheckSource, Runbook, Step, Weight
from tests.drill_gates.ground import judge_with_logs, matcher

LIBRARY = matcher().library.runbooks


def quoting(runbook: Runbook) -> dict[str, Step]:
    """The steps of a page that quote findings, by id."""
    return {
        step.id: step
        for section in runbook.sections
        for step in section.steps
        if step.query is not None and step.query.source is CheckSource.FINDINGS
    }


@pytest.mark.parametrize("runbook", LIBRARY, ids=lambda runbook: runbook.id)
def test_a_step_quotes_the_evidence_that_names_it(runbook: Runbook) -> None:
    steps = quoting(runbook)
    for criterion in runbook.match:
        step = steps.get(criterion.step)
        if criterion.weight is not Weight.STRONG or step is None or step.query is None:
            continue
        names = {*step.query.names, *(case.rule for _, case in step.query.cases)}
        wanted = {part.rule for part in criterion.parts() if part.on == "finding"}
        assert wanted <= names, step.id


@pytest.mark.parametrize("name", guide_ids())
def test_no_two_checks_of_a_section_say_the_same(name: str) -> None:
    scenario = load(name)
    page = next(one for one in LIBRARY if one.id == scenario.answer.runbook)
    symptom = next(
        (
            view.symptom
            for view in judge_with_logs(scenario).symptoms
            if any(match.id == page.id for match in view.matches)
        ),
        None,
    )
    if symptom is None:
        return  # the state of the cluster does not show it
    said: dict[tuple[str, str], str] = {}
    for step in quoting(page).values():
        assert step.query is not None
        seen = tell(step.query, symptom.findings, symptom.changes).seen
        first = said.setdefault((step.section, seen), step.id)
        assert not seen or first == step.id, (first, step.id, seen)
