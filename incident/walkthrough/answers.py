"""The answers of a step and the state that each gives it: done, abnormal, unknown or open."""

from __future__ import annotations

from incident.walkthrough.run import StepState
from runbooks.model import Step, StepKind

_MEASURED = {
    "pass": StepState.PASSED,
    "reached": StepState.PASSED,
    "clear": StepState.PASSED,
    "unknown": StepState.UNKNOWN,
}
_SAID = {
    "done": StepState.DONE,
    **dict.fromkeys(("later", "not now", "not tonight"), StepState.TODO),
    **dict.fromkeys(
        (
            "cannot ask",
            "cannot look",
            "no access",
            "no metrics",
            "nobody knows",
            "not known",
            "not known which",
            "not sure which snapshot",
            "unknown",
        ),
        StepState.UNKNOWN,
    ),
}


class InvalidAnswer(ValueError):
    """The step does not offer this answer; the message names those that it offers."""


def offered(step: Step) -> tuple[str, ...]:
    """The answers of a step, in the runbook's order. A step that declares none offers `done`."""
    return tuple(answer.when for answer in step.answers) or ("done",)


def accepted(step: Step, typed: str) -> str:
    """The offered answer that was typed (in upper or lower case) or chosen by its number from 1. A
    step that declares `other` takes any text. Raises `InvalidAnswer`."""
    answers = offered(step)
    wanted = " ".join(typed.split()).casefold()
    for number, answer in enumerate(answers, 1):
        if wanted in (answer.casefold(), str(number)):
            return answer
    if wanted and "other" in answers:
        return typed.strip()
    raise InvalidAnswer(
        f"“{typed.strip()}” is not an answer to this step; it takes: {', '.join(answers)}"
    )


def state_of(step: Step, answer: str) -> StepState:
    """The state of a step after `answer`. An answer of a person counts as done only when it is
    `done`; an answer such as "later" leaves the step open."""
    word = answer.casefold()
    if step.kind is StepKind.ACTION and word == "failed":
        return StepState.FAILED
    if step.kind in (StepKind.ASK, StepKind.ACTION):
        return _SAID.get(word, StepState.ANSWERED)
    return _MEASURED.get(word, StepState.FAILED)
