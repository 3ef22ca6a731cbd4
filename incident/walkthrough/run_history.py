"""Walks through runbooks, read back from the record: after a restart a walk goes on where it was.

A step with an intent and no result was interrupted: it is shown as unknown and never repeated by
itself.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from incident.walkthrough.run import Parameter, RunView, StepOutcome, StepState
from runbooks import steps
from runbooks.model import Runbook, Step
from timeline.entry import Entry
from triage.facts.finding import Symptom


@dataclass(slots=True)
class Walk:
    """One walk while the program runs. `began_text` is the runbook's text at its start, for showing
    what was edited since."""

    id: str
    runbook: Runbook
    symptom_id: str
    symptom: Symptom | None
    began_digest: str
    began_text: str = ""
    typed: dict[str, str] = field(default_factory=dict)
    suggested: dict[str, str] = field(default_factory=dict)
    """Values that the live state suggests for parameters of which neither the symptom nor a human
    says anything."""
    answers: dict[str, str] = field(default_factory=dict)
    """Step id to answer, in the order in which they were given."""
    outcomes: dict[str, StepOutcome] = field(default_factory=dict)
    current: str = ""

    def take(self, entry: Entry) -> None:
        """Fold one entry of the record into the walk; entries of other walks are ignored."""
        if entry.run_id != self.id:
            return
        data, step = entry.data, entry.step_id
        if entry.kind == "note" and data.get("event") == "parameter":
            self.typed[str(data["name"])] = str(data["value"])
        elif entry.kind == "note" and data.get("event") == "go-to":
            self.current = step
        elif entry.kind in ("step-intent", "probe-intent", "action-intent"):
            self.outcomes[step] = StepOutcome(
                StepState.UNKNOWN,
                meaning="started, and no result was recorded: look before you repeat it",
                at=entry.occurred_at,
                entry=entry.seq,
            )
        elif entry.kind in (
            "step-result",
            "probe-result",
            "action-result",
            "step-skipped",
            "action-declined",
        ):
            self._finish(entry, step)

    def _finish(self, entry: Entry, step_id: str) -> None:
        data = entry.data
        answer = str(data.get("answer", ""))
        seconds = data.get("seconds")
        self.outcomes[step_id] = StepOutcome(
            state=StepState(str(data.get("state", StepState.DONE))),
            seen=entry.text,
            meaning=str(data.get("meaning", "")),
            goto=str(data.get("goto", "")),
            at=entry.occurred_at,
            seconds=float(seconds) if isinstance(seconds, int | float) else None,
            entry=entry.seq,
        )
        self.answers.pop(step_id, None)
        self.answers[step_id] = answer
        step = self.runbook.step(step_id)
        if step is not None:
            lead = steps.next_step(self.runbook, step, answer)
            self.current = lead.target if lead.lead is steps.Lead.STEP else ""

    def values(self, step: Step) -> Mapping[str, str]:
        """What the step's parameters stand for now."""
        return {value.name: value.value for value in self._resolve(step)}

    def _resolve(self, step: Step) -> Iterator[steps.ParamValue]:
        for value in steps.resolve(step, self.symptom, self.typed):
            offered = self.suggested.get(value.name, "")
            if not value.value and offered:
                yield steps.ParamValue(
                    value.name, offered, "suggested by the policies and Ingresses"
                )
            else:
                yield value

    def view(self) -> RunView:
        parameters: dict[str, Parameter] = {}
        for step in self.runbook.steps():
            for value in self._resolve(step):
                if value.name not in parameters or not parameters[value.name].value:
                    parameters[value.name] = Parameter(value.name, value.value, value.origin)
        outcomes = dict(self.outcomes)
        if (
            self.current
            and outcomes.get(self.current, StepOutcome(StepState.TODO)).state is StepState.TODO
        ):
            outcomes[self.current] = StepOutcome(StepState.NOW)
        return RunView(
            id=self.id,
            runbook=self.runbook,
            symptom_id=self.symptom_id,
            parameters=tuple(parameters.values()),
            outcomes=MappingProxyType(outcomes),
            current=self.current,
            changed_text=self.drift(),
        )

    def drift(self) -> str:
        """A unified diff from the runbook that the walk began with to the one that is there now, ""
        when they are the same."""
        if self.runbook.digest == self.began_digest or not self.began_text:
            return ""
        lines = difflib.unified_diff(
            self.began_text.splitlines(),
            self.runbook.text.splitlines(),
            "when the walk began",
            "now",
            lineterm="",
        )
        return "\n".join(lines)


def begin(walk_id: str, runbook: Runbook, symptom: Symptom | None) -> Walk:
    """A new walk, standing before its first step."""
    first = steps.first(runbook)
    return Walk(
        walk_id,
        runbook,
        symptom.id if symptom else "",
        symptom,
        runbook.digest,
        runbook.text,
        current=first.id if first else "",
    )


def restore(
    entries: Sequence[Entry],
    runbooks: Mapping[str, Runbook],
    symptoms: Iterable[Symptom],
    texts: Mapping[str, str],
) -> dict[str, Walk]:
    """All walks of the record whose runbook is still known, by id. `texts` holds the runbooks'
    texts at the start by walk id."""
    by_id = {symptom.id: symptom for symptom in symptoms}
    walks: dict[str, Walk] = {}
    for entry in entries:
        if entry.kind == "run-started":
            runbook = runbooks.get(str(entry.data.get("runbook", "")))
            if runbook is None:
                continue
            symptom_id = str(entry.data.get("symptom", ""))
            first = steps.first(runbook)
            walks[entry.run_id] = Walk(
                entry.run_id,
                runbook,
                symptom_id,
                by_id.get(symptom_id),
                str(entry.data.get("digest", "")),
                texts.get(entry.run_id, ""),
                typed={str(k): str(v) for k, v in dict(entry.data.get("parameters", {})).items()},
                current=first.id if first else "",
            )
        elif entry.run_id in walks:
            walks[entry.run_id].take(entry)
    return walks


def interrupted(walk: Walk) -> list[tuple[str, datetime | None]]:
    """Steps that were started and have no result, with the time of their start."""
    return [
        (step, outcome.at)
        for step, outcome in walk.outcomes.items()
        if outcome.state is StepState.UNKNOWN and not outcome.goto
    ]
