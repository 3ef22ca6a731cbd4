"""An open runbook: the steps at the left, the chosen step at the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from actions.plan import ActionResult, Outcome
from incident.walkthrough.run import Parameter, RunView, StepOutcome, StepState
from probes.result import ProbeResult
from runbooks.model import Runbook, Section, Step, StepKind
from runbooks.steps import command, fill
from text.lines import BLANK, Line, columns, line, paragraphs, rule, shorten, wrap
from text.probe import result_lines
from text.words import STEP, clock

KINDS: Mapping[StepKind, tuple[str, str]] = {
    StepKind.CHECK: ("read", "muted"),
    StepKind.PROBE: ("probe", "info"),
    StepKind.ACTION: ("CHANGE", "change"),
    StepKind.ASK: ("you", "muted"),
    StepKind.WAIT: ("wait", "muted"),
}

EXPLAINED: Mapping[StepKind, str] = {
    StepKind.CHECK: "only reads",
    StepKind.PROBE: "measures; its plan is shown before anything is created",
    StepKind.ACTION: "CHANGES the cluster; shows the exact change first and asks",
    StepKind.ASK: "you look or decide, and answer",
    StepKind.WAIT: "waits until it holds, or the time is up",
}


def steps_lines(run: RunView, running: str, width: int) -> list[Line]:
    """The steps by section: state, kind, question. Sections without steps are named, so that
    nothing is skipped unseen."""
    lines: list[Line] = []
    for section in run.runbook.sections:
        if not section.steps and not section.text.strip():
            continue
        lines.append(
            line(
                (f" {section.title}", "heading"),
                target="" if section.steps else f"section:{section.slug}",
            )
        )
        for step in section.steps:
            lines.append(_step_line(run, step, running, width))
    return lines


def state_of(run: RunView, step_id: str, running: str) -> StepState:
    if step_id == running:
        return StepState.RUNNING
    outcome = run.outcomes.get(step_id)
    if outcome is not None and outcome.state is not StepState.TODO:
        return outcome.state
    return StepState.NOW if step_id == run.current else StepState.TODO


def _step_line(run: RunView, step: Step, running: str, width: int) -> Line:
    state = state_of(run, step.id, running)
    word, style = STEP[state]
    if state is StepState.ANSWERED:
        word = shorten(run.outcomes[step.id].answer, 12)
    kind, kind_style = KINDS[step.kind]
    again = (
        "now" if step.id == run.current and state not in (StepState.NOW, StepState.RUNNING) else ""
    )
    word = f"{word}, {again}" if again else word
    look = "strong" if step.id == run.current else "plain"
    values = run.values(step.id)
    return columns(
        ("", 1),
        (kind, 6, kind_style),
        (fill(step.question, values), max(8, width - 24), look),
        (word, 12, style),
        target=step.id,
        gap=1,
    )


def progress_text(run: RunView) -> str:
    steps = list(run.runbook.steps())
    done = sum(
        1
        for step in steps
        if step.id in run.outcomes
        and run.outcomes[step.id].state not in (StepState.TODO, StepState.NOW)
    )
    return f"{done} of {len(steps)} steps"


def step_lines(
    run: RunView,
    step: Step,
    now: datetime,
    width: int,
    running: bool = False,
    progress: Sequence[str] = (),
    result: ProbeResult | ActionResult | None = None,
) -> list[Line]:
    """The chosen step: question, expected, seen, what each answer means, and the command that does
    the same by hand."""
    values = run.values(step.id)
    outcome = run.outcomes.get(step.id)
    lines = paragraphs(fill(step.question, values), width - 2, "strong", 1)
    lines += wrap(
        line((f" {EXPLAINED[step.kind]}", "change" if step.mutates else "muted")), width, 1
    )
    if step.why:
        lines += paragraphs(fill(step.why, values), width - 2, "muted", 1)
    lines.append(BLANK)
    lines += _field("expected", fill(step.expected, values) or "not said", "plain", width)
    lines += _seen(outcome, now, width, running, progress)
    if result is not None:
        lines += [
            BLANK,
            rule("measured" if isinstance(result, ProbeResult) else "changed", width),
            *_result(result, width),
        ]
    lines.append(BLANK)
    lines += _answers(step, outcome, values, width)
    if step.mutates:
        lines += _field("touches", fill(step.blast, values) or "not said", "warning", width)
        lines += _field("undo", fill(step.undo, values) or "none is known", "plain", width)
    lines += _parameters(run.parameters.get(step.id, ()), width)
    if step.kubectl:
        lines += [
            BLANK,
            rule("the same by hand", width),
            *wrap(line(" ", command(step, values)), width, 3),
        ]
    if run.changed_text:
        lines += [
            BLANK,
            rule("this runbook was changed since the run began", width),
            *diff_lines(run.changed_text, width),
        ]
    return lines


def _field(label: str, text: str, style: str, width: int) -> list[Line]:
    lines: list[Line] = []
    for index, row in enumerate(text.strip().split("\n") or [""]):
        lines += wrap(
            line(
                (f" {label if index == 0 else '':<9}", "muted"), (row.replace("\t", "    "), style)
            ),
            width,
            10,
        )
    return lines


def _seen(
    outcome: StepOutcome | None, now: datetime, width: int, running: bool, progress: Sequence[str]
) -> list[Line]:
    if running:
        tail = list(progress[-4:]) or ["asking …"]
        return _field("seen", "\n".join(["running; x stops it", *tail]), "info", width)
    if outcome is None or outcome.state in (StepState.TODO, StepState.NOW):
        lines = _field("seen", "not run yet; enter runs it", "unknown", width)
        return [
            *lines,
            *(_field("", outcome.seen, "plain", width) if outcome and outcome.seen else ()),
        ]
    word, style = STEP[outcome.state]
    if outcome.state is StepState.ANSWERED:
        word = outcome.answer
    when = f", {clock(outcome.at, now)} UTC" if outcome.at else ""
    took = f", took {outcome.seconds:.1f} s" if outcome.seconds else ""
    lines = _field("seen", f"{word}{when}{took}", style, width)
    if outcome.seen:
        seen = outcome.seen.split("\n")
        shown = (
            seen
            if len(seen) <= 30
            else [*seen[:29], f"… {len(seen) - 29} more lines; the whole is in the record"]
        )
        lines += _field("", "\n".join(shown), "plain", width)
    if outcome.meaning:
        leads = f"  → {_lead(outcome.goto)}" if outcome.goto else ""
        lines += _field("means", outcome.meaning + leads, "strong", width)
    return lines


def _answers(
    step: Step, outcome: StepOutcome | None, values: Mapping[str, str], width: int
) -> list[Line]:
    if not step.answers:
        return []
    lines: list[Line] = []
    for index, answer in enumerate(step.answers):
        label = "answers" if index == 0 else ""
        taken = bool(outcome and outcome.meaning and outcome.meaning == answer.means)
        lines += wrap(
            line(
                (f" {label:<9}", "muted"),
                (answer.when, "strong" if taken else "key"),
                f"  {fill(answer.means, values)}",
                (f"  → {_lead(answer.goto)}", "muted"),
            ),
            width,
            12,
        )
    return lines


def _lead(goto: str) -> str:
    """Where an answer leads, in words."""
    if goto.startswith("section:"):
        return goto.removeprefix("section:").replace("-", " ")
    if goto.startswith("runbook:"):
        return f"runbook {goto.removeprefix('runbook:')}"
    return {"next": "next step", "done": "done", "escalate": "call for help"}.get(
        goto, f"step {goto}"
    )


def _parameters(parameters: Sequence[Parameter], width: int) -> list[Line]:
    if not parameters:
        return []
    lines = [BLANK, rule("run with (e changes)", width)]
    for parameter in parameters:
        value = (parameter.value, "strong") if parameter.value else ("press e", "warning")
        lines += wrap(
            line(f" {parameter.name} = ", value, (f"   {parameter.origin}", "muted")), width, 3
        )
    return lines


def _result(result: ProbeResult | ActionResult, width: int) -> list[Line]:
    if isinstance(result, ProbeResult):
        return result_lines(result, width)
    style = "good" if result.outcome is Outcome.DONE else "warning"
    lines = wrap(line(" ", (result.outcome.value, style), f"  {result.sentence}"), width, 3)
    if result.observed:
        lines += paragraphs(result.observed, width - 2, "plain", 1)
    if result.undo is not None:
        lines += wrap(
            line((" undo  ", "muted"), result.undo.kubectl, ("  u", "key"), " takes it back"),
            width,
            7,
        )
    return lines


def diff_lines(diff: str, width: int) -> list[Line]:
    """A unified diff; the signs stay, so that it reads without colour."""
    styles = {"+": "added", "-": "removed", "@": "muted"}
    return [
        line(" ", (shorten(row, width - 2), styles.get(row[:1], "plain")))
        for row in diff.split("\n")
    ]


def section_lines(section: Section, width: int) -> list[Line]:
    """The prose of a section."""
    return [rule(section.title.lower(), width), BLANK, *markdown_lines(section.text, width)]


def runbook_lines(runbook: Runbook, width: int) -> list[Line]:
    """The whole runbook to read: prose, and the questions of its steps in their places."""
    lines = [*wrap(line(" ", (runbook.title, "strong")), width, 1)]
    about = [
        ("severity", runbook.severity),
        ("impact", runbook.impact),
        ("story", runbook.story),
        ("reviewed", runbook.last_reviewed),
    ]
    for label, text in about:
        if text:
            lines += _field(label, text, "plain", width)
    for section in runbook.sections:
        lines += [BLANK, *section_lines(section, width)]
        for step in section.steps:
            kind, style = KINDS[step.kind]
            lines += wrap(
                line(
                    " ",
                    (f"{kind:<7}", style),
                    step.question,
                    (f"  expected: {step.expected}", "muted"),
                ),
                width,
                9,
            )
    return lines


def markdown_lines(text: str, width: int) -> list[Line]:
    """Markdown as it stands, with headings, lists and code told apart, without comments. It is only
    ever shown, never interpreted."""
    lines: list[Line] = []
    fenced = comment = False
    for row in text.strip("\n").split("\n"):
        bare = row.strip()
        if comment or (bare.startswith("<!--") and not fenced):
            comment = not bare.endswith("-->")
        elif bare.startswith(("```", "~~~")):
            fenced = not fenced
            lines.append(line(" ", (bare, "muted")))
        elif fenced:
            lines += wrap(line("   ", (row.replace("\t", "    "), "plain")), width, 5)
        elif bare.startswith("#"):
            lines += wrap(line(" ", (bare.lstrip("# "), "heading")), width, 1)
        else:
            indent = len(row) - len(row.lstrip())
            hang = indent + 3 if bare[:2] in ("- ", "* ") or bare[:1].isdigit() else indent + 1
            lines += wrap(line(" " * (indent + 1), bare.replace("**", "")), width, hang)
    return lines
