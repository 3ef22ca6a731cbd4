"""What an action would change, in full, before it is confirmed."""

from __future__ import annotations

from actions.plan import ActionPlan
from incident.view import View
from text.lines import BLANK, Line, line, paragraphs, wrap


def shut(plan: ActionPlan, view: View) -> str:
    """Why this cannot be done now, one sentence; "" when it can be confirmed."""
    if plan.refused:
        return plan.refused
    if not view.write:
        return (
            "This session is read-only. Start it with --write to make changes, or run the command "
            "by hand."
        )
    return ""


def gate_lines(plan: ActionPlan, view: View, width: int) -> list[Line]:
    """Object and cluster first, then the change, what it touches, what must hold, the server's own
    answer, and the way back."""
    lines = wrap(line(" ", (plan.action, "strong"), " ", (str(plan.object), "strong")), width, 3)
    lines += _part(
        "cluster",
        f"{plan.context}  {plan.server}",
        "warning" if plan.production else "plain",
        width,
    )
    lines += _part("change", plan.change.summary, "strong", width)
    lines += _part("", plan.change.kubectl, "plain", width)
    lines.append(BLANK)
    for index, text in enumerate(plan.blast.lines):
        lines += _part("touches" if index == 0 else "", text, "warning", width)
    if not plan.blast.lines:
        lines += _part("touches", "nothing else that is known", "plain", width)
    for condition in plan.preconditions:
        word, style = {
            True: ("holds", "good"),
            False: ("does NOT hold", "critical"),
            None: ("not known", "unknown"),
        }[condition.held]
        lines += wrap(
            line(
                (f" {'must hold':<10}", "muted"),
                f"{condition.question} ",
                (word, style),
                (f"  {condition.seen}", "muted"),
            ),
            width,
            11,
        )
    if plan.dry_run:
        word, style = {
            True: ("accepted", "good"),
            False: ("refused", "critical"),
            None: ("not known", "unknown"),
        }[plan.dry_run_ok]
        lines += wrap(
            line((f" {'dry run':<10}", "muted"), (word, style), f"  {plan.dry_run}"), width, 11
        )
    for text in plan.warnings:
        lines += _part("warning", text, "warning", width)
    lines += _part(
        "undo",
        plan.undo.kubectl if plan.undo else "there is none",
        "plain" if plan.undo else "critical",
        width,
    )
    lines.append(BLANK)
    reason = shut(plan, view)
    if reason:
        return lines + paragraphs(reason, width - 2, "critical", 1)
    lines += wrap(
        line(
            " To do it, type exactly  ",
            (plan.confirmation, "change"),
            (f"  {plan.confirmation_reason}", "muted"),
        ),
        width,
        1,
    )
    return lines


def _part(label: str, text: str, style: str, width: int) -> list[Line]:
    return wrap(line((f" {label:<10}", "muted"), (text, style)), width, 11)
