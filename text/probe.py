"""The plan of a probe, and its result."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.kube.objects import Ref
from probes.result import Conclusion, PlannedObject, ProbePlan, ProbeResult, Right, Row
from text.lines import BLANK, Line, field, fields, line, prose
from text.matrix import matrix_lines
from text.words import plural

ACCEPTED = {True: "the server would accept it", None: "not tried"}
NORMAL = {
    True: ("normal", "good"),
    False: ("abnormal", "critical"),
    None: ("not known", "unknown"),
}
BLAMELESS = ("none", "not-measured")
"""Kinds of the component of a conclusion that blames nothing."""
EPHEMERAL = "EphemeralContainer"
"""Kind of the objects that the API cannot remove from a pod."""


def plan_lines(plan: ProbePlan) -> list[Line]:
    """The plan before a person agrees: what, where, rights, image, duration, and what ends it."""
    lines = prose(plan.question or plan.probe, "strong")
    if plan.refused:
        return [*lines, BLANK, field("refused", (plan.refused, "critical"))]
    lines += fields("how", [plan.method] if plan.method else [])
    lines += fields("creates", [_created(each) for each in plan.creates], "warning", limit=8)
    if not plan.needs_agreement:
        lines.append(field("creates", ("nothing; it only reads", "good")))
    lines += fields("runs", plan.executes, limit=4)
    lines += fields("reads", plan.reads, limit=4)
    lines += _rights(plan.rights)
    lines += fields("selected", plan.selected_by, "warning", limit=4)
    lines += fields("warning", plan.warnings, "warning")
    takes = f"about {plan.seconds:.0f} s" if plan.seconds else "a moment"
    if plan.deadline_s and plan.creates:
        minutes = f"{plan.deadline_s / 60:.0f} min"
        takes += f"; what it creates ends by itself after {minutes}, also without this program"
    return [*lines, field("takes", takes)]


def _created(each: PlannedObject) -> str:
    answer = ACCEPTED.get(each.accepted, f"the server refuses: {each.dry_run}")
    image = f", image {each.image}" if each.image else ""
    return f"{each.ref} on {each.node or 'any node'}{image}; {answer}"


def _rights(rights: Sequence[Right]) -> list[Line]:
    denied = [
        f"{'not allowed' if right.allowed is False else 'not known whether allowed'}: "
        f"{right.verb} {right.resource}{f' in {right.namespace}' if right.namespace else ''}. "
        f"{right.reason}".strip()
        for right in rights
        if right.allowed is not True
    ]
    if denied or not rights:
        return fields("rights", denied, "critical")
    return [field("rights", (f"all {len(rights)} that it needs are there", "good"))]


def result_lines(result: ProbeResult, width: int) -> list[Line]:
    """Conclusions first, then the matrix or rows, then what was not measured and what was left
    behind. The matrix is drawn for `width` cells."""
    lines = [row for each in result.conclusions[:4] for row in _conclusion(each)]
    if not result.conclusions:
        lines.append(line((f" No conclusion: {result.silence}.", "unknown"), hang=1))
    if result.cells:
        lines += [BLANK, *matrix_lines(result.cells, width)]
    lines += [_row(row) for row in result.rows[:40]]
    if len(result.rows) > 40:
        lines.append(line((f" and {len(result.rows) - 40} more", "muted")))
    lines += [
        line(" ", ("not measured  ", "unknown"), problem, hang=3) for problem in result.problems
    ]
    return [*lines, *_left(result), _effort(result)]


def _conclusion(conclusion: Conclusion) -> list[Line]:
    blamed = f"{conclusion.component}, " if conclusion.component.kind not in BLAMELESS else ""
    sure = (f"  {blamed}{conclusion.confidence:.2f}" if conclusion.confidence else "", "muted")
    return [
        line(" ", (conclusion.claim, "strong"), sure, hang=3),
        *fields("because", conclusion.evidence[:3]),
        *fields("next", [conclusion.next] if conclusion.next else [], style="key"),
    ]


def _row(row: Row) -> Line:
    word, style = NORMAL[row.normal]
    expected = f"  expected {row.expected}" if row.expected else ""
    subject = (str(row.subject), "strong")
    seen = (f"  {row.seen}", (expected, "muted"))
    return line(" ", (f"{word:<10}", style), subject, *seen, hang=12)


def _left(result: ProbeResult) -> list[Line]:
    """What remains in the cluster. An ephemeral container cannot be removed and ends by itself."""
    stays = [ref for ref in result.left_behind if ref.kind == EPHEMERAL]
    left = [ref for ref in result.left_behind if ref.kind != EPHEMERAL]
    lines = []
    if stays:
        text = f"{_names(stays)}; it cannot be removed, its process ends by itself"
        lines.append(field("stays", (text, "warning")))
    if left:
        text = f"{_names(left)}; remove with `stanch probe sweep`"
        lines.append(line(" ", ("LEFT BEHIND  ", "critical"), text, hang=3))
    removed = len(result.created) - len(result.left_behind)
    if removed > 0:
        text = f"{plural(removed, 'object')} created and removed again"
        lines.append(field("created", (text, "good")))
    return lines


def _names(refs: Sequence[Ref]) -> str:
    return ", ".join(map(str, refs))


def _effort(result: ProbeResult) -> Line:
    took = (result.finished - result.started).total_seconds()
    effort = f"{took:.0f} s, {plural(result.requests, 'request')}"
    return field("measured", f"{result.method}  " if result.method else "", (effort, "muted"))
