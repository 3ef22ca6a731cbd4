"""What an answer says about its step: done, abnormal, not known, or put off."""

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
    """The answers of a step, in the runbook's order; a step that declares none offers `done`."""
    return tuple(answer.when for answer in step.answers) or ("done",)


def accepted(step: Step, typed: str) -> str:
    """The offered answer that was typed (upper and lower case alike), or chosen by its number from
    1. Raises `InvalidAnswer`. A step that declares `other` takes any text."""
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
    """The state of a step after `answer`. A person's word counts as done only when it is `done`;
    what puts the step off leaves it open."""
    word = answer.casefold()
    if step.kind is StepKind.ACTION and word == "failed":
        return StepState.FAILED
    if step.kind in (StepKind.ASK, StepKind.ACTION):
        return _SAID.get(word, StepState.ANSWERED)
    return _MEASURED.get(word, StepState.FAILED)
