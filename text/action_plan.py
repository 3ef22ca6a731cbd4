"""The full plan of an action before it is confirmed, and its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from actions.plan import FORBIDS, ActionPlan, ActionResult, Outcome
from text.lines import HINT, Line, field, fields, layout, line, prose

if TYPE_CHECKING:  # It imports every action, which the first screen does not need.
    from incident.offers import Offer

SIZE = 10
HELD = {
    True: ("holds", "good"),
    False: ("does NOT hold", "critical"),
    None: ("not known", "unknown"),
}
DRY_RUN = {
    True: ("accepted", "good"),
    False: ("refused", "critical"),
    None: ("not known", "unknown"),
}
NOTHING_ELSE = "nothing else that is known"
READ_ONLY = "This session is read-only. W allows changes, or run the command by hand."


def refusal(plan: ActionPlan, write: bool) -> str:
    """Why this cannot be done now, one sentence; "" when it can be confirmed."""
    return plan.refused or ("" if write else READ_ONLY)


def plan_lines(plan: ActionPlan) -> list[Line]:
    """The whole plan, and why it is refused."""
    refused = [field("refused", (plan.refused, "critical"), size=SIZE)] if plan.refused else []
    return effect_lines(plan) + refused


def fitting_lines(plan: ActionPlan, width: int, height: int) -> list[Line]:
    """The plan in as much detail as `height` rows allow; at least the change, its undo and the
    warnings."""
    for brief in (False, True):
        lines = effect_lines(plan, brief=brief)
        if len(layout(lines, width)) <= height:
            break
    return lines


def effect_lines(plan: ActionPlan, *, brief: bool = False) -> list[Line]:
    """Object and cluster first, then the change, its undo, the warnings, its effects, its
    conditions, the server's answer and the command. `brief`: conditions that hold are only counted,
    and sentences share lines."""
    undo = (plan.undo.kubectl, "plain") if plan.undo else ("there is none", "critical")
    where = (f"{plan.context}  {plan.server}", "warning" if plan.production else "plain")
    forbidden = [each.removeprefix(FORBIDS) for each in plan.warnings if each.startswith(FORBIDS)]
    warnings = [each for each in plan.warnings if not each.startswith(FORBIDS)]
    lines = [
        line(" ", (plan.title, "strong"), hang=3),
        field("cluster", where, size=SIZE),
        field("change", (plan.change.summary, "strong"), size=SIZE),
    ]
    if plan.refused and not plan.targets:
        return lines
    if len(plan.targets) > 1:
        objects = [each.request.summary for each in plan.targets]
        lines += fields("objects", objects, size=SIZE, limit=1 if brief else 0)
    lines.append(field("undo", undo, size=SIZE))
    touches = list(plan.blast.lines) or [NOTHING_ELSE]
    if brief:
        forbidden, touches = [" ".join(forbidden)] if forbidden else [], [" ".join(touches)]
    lines += fields("do not", forbidden, "critical", size=SIZE)
    lines += fields("warning", warnings, "warning", size=SIZE)
    lines += fields("touches", touches, "warning", size=SIZE)
    lines += _checks(plan, brief)
    return [*lines, field("by hand", plan.change.kubectl, size=SIZE)]


def _checks(plan: ActionPlan, brief: bool) -> list[Line]:
    """The conditions, and the server's answer to a dry run."""
    lines = []
    good = [each for each in plan.preconditions if brief and each.held]
    for condition in plan.preconditions:
        if condition not in good:
            seen = (f"  {condition.seen}", "muted") if condition.seen else ""
            asked = (f"{condition.question} ", HELD[condition.held], seen)
            lines.append(field("must hold", *asked, size=SIZE))
    accepted = brief and plan.dry_run_ok is True
    if good or accepted:
        told = [f"{len(good)} of {len(plan.preconditions)} checks hold"] if good else []
        told += [plan.dry_run] if accepted else []
        lines.append(field("checked", ("; ".join(told), "good"), size=SIZE))
    if plan.dry_run and not accepted:
        warned = any(plan.dry_run in each for each in plan.warnings)
        why = "the warning says why" if warned else plan.dry_run
        lines.append(field("dry run", DRY_RUN[plan.dry_run_ok], f"  {why}", size=SIZE))
    return lines


def confirmation_lines(plan: ActionPlan, write: bool) -> list[Line]:
    """The text to type to confirm, or why this is not possible."""
    if shut := refusal(plan, write):
        return prose(shut, "critical")
    asked = (f"To do it, type exactly  {plan.confirmation}", "change")
    return [line(" ", asked, (f"  {plan.confirmation_reason}", "muted"), hang=1)]


def result_lines(result: ActionResult, undo: str = "") -> list[Line]:
    """The outcome of the change, what was observed, and how to undo it; `undo` names the key."""
    style = "good" if result.outcome is Outcome.DONE else "warning"
    said = result.sentence.removeprefix(f"{result.outcome.value.capitalize()}: ")
    lines = [line(" ", (result.outcome.value, style), f"  {said}", hang=3)]
    if result.observed:
        lines += prose(result.observed)
    if result.undo is not None:
        lines.append(field("undo", result.undo.kubectl, (undo, HINT)))
    return lines


def offer_lines(offers: Sequence[tuple[str, Offer]], words: str, several: int = 0) -> list[Line]:
    """Actions to choose from, by key: what each does to which object, why now, and what it touches.
    `several`: the number of objects, where it is done to each of them."""
    lines: list[Line] = []
    for key, offer in offers:
        text = f"{offer.action} {offer.object} {offer.summary}".lower()
        if all(word in text for word in words.lower().split()):
            why = (f"  {offer.why}", "warning") if offer.why and not several else ""
            name = (f"{offer.action} ", "change" if offer.likely else "strong")
            of = f"each of {several} objects" if several else str(offer.object)
            lines.append(line(" ", name, of, why, target=key, hang=3))
            lines.append(
                line("   ", (f"{offer.summary} {offer.blast}", "muted"), target=key, hang=3)
            )
    return lines or [line((" No action has these words in its name.", "unknown"))]
