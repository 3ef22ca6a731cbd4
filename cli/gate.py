"""What an action would change, as plain lines: the same facts as on the screen of the gate, in the
order in which they are read out."""

from __future__ import annotations

from collections.abc import Iterator

from actions.plan import ActionPlan

_HELD = {True: "holds", False: "does NOT hold", None: "not known"}
_ACCEPTED = {True: "accepted", False: "refused", None: "not known"}


def action_lines(plan: ActionPlan) -> Iterator[str]:
    """Object and cluster first, then the change, what it touches, what must hold, the server's own
    answer, and the way back."""
    yield f"{plan.action} {plan.object}, on {plan.context} {plan.server}"
    yield f"change: {plan.change.summary}"
    yield f"  {plan.change.kubectl}"
    for text in plan.blast.lines or ("nothing else that is known",):
        yield f"touches: {text}"
    for condition in plan.preconditions:
        seen = f", {condition.seen}" if condition.seen else ""
        yield f"must hold: {condition.question} {_HELD[condition.held]}{seen}"
    if plan.dry_run:
        yield f"dry run: {_ACCEPTED[plan.dry_run_ok]}, {plan.dry_run}"
    for text in plan.warnings:
        yield f"warning: {text}"
    yield f"undo: {plan.undo.kubectl if plan.undo else 'there is none'}"
    if plan.refused:
        yield f"refused: {plan.refused}"
