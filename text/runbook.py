"""A runbook in progress: its steps, the chosen step, and the whole page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from actions.plan import ActionResult
from incident.walkthrough.answers import offered
from incident.walkthrough.run import OpenParameter, RunView, StepOutcome, StepState
from probes.result import ProbeResult
from runbooks.model import Section, Step, StepKind
from runbooks.parameters import PLACE
from runbooks.steps import command, fill
from text import action_plan, probe
from text.keys import NO_KEYS, Keys, named
from text.lines import BLANK, HINT, Line, field, fields, fit, line, one_line, prose, rule, shorten
from text.words import STEP, ago, clock
from timeline.metrics import spoken

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
    StepKind.ASK: "you check this yourself, then answer",
    StepKind.WAIT: "waits until it holds, or the time is up",
}
OPEN: Mapping[StepKind, tuple[str, str]] = {
    StepKind.CHECK: ("not run yet", "; enter runs it"),
    StepKind.PROBE: ("not run yet", "; enter shows its plan"),
    StepKind.ACTION: ("not done yet", "; enter shows its plan"),
    StepKind.ASK: ("not answered yet", "; enter answers it"),
    StepKind.WAIT: ("not run yet", "; enter runs it"),
}
"""The outcome of a step that is open, and what enter does."""
LEADS = {"next": "next step", "done": "done", "escalate": "call for help"}
STORY = re.compile(r"^(\d+)_\S+\.txt(?: \([^)]*\))?,? ?")
"""File of a story by its number, and the place in it."""
STORIES: Mapping[str, tuple[str, str]] = {
    "000": (
        "Manifold's first outage (Manifold, 2018)",
        "https://www.manifold.co/blog/manifolds-first-outage-df113576206",
    ),
    "001": (
        "NodeBalancer networking faults due to memory pressure (Python Discord, 2021)",
        "https://docs.pydis.wtf/post-mortems/index.html",
    ),
    "002": ("Kubernetes Failure Stories at Scale (H. Mehndiratta, 2021)", "https://k8s.af"),
    "003": (
        "Kubernetes Failure Stories (H. Jacobs, Zalando, KubeCon Europe 2019)",
        "https://www.slideshare.net/try_except_/kubernetes-failure-stories-kubecon-europe-barcelona",
    ),
    "004": (
        "Maximize learnings from a Kubernetes cluster failure (T. Beijen, NU.nl, 2019)",
        "https://k8s.af",
    ),
}
"""Name and link of each story; k8s.af is the collection that lists it."""
SENTENCE = re.compile(r"(?<=[.;])\s")
SEEN = 30
"""Lines of an answer that are shown; the record holds all."""

ANSWER = 11
"""Cells of an answer beside a step; a longer one stands at the step."""
Values = Mapping[str, str]


def filled(text: str, values: Values) -> str:
    """The text with known values filled in; an unknown one reads `<node>`."""
    return PLACE.sub(lambda place: f"<{place[1]}>", fill(text, values))


def steps_lines(run: RunView, running: str) -> list[Line]:
    """The steps by section: kind, question, state. A section without steps is named too."""
    lines: list[Line] = []
    for section in run.runbook.sections:
        if section.steps or section.text.strip():
            target = "" if section.steps else f"section:{section.slug}"
            lines.append(line((f" {section.title}", "heading"), target=target, hang=1))
            lines += [_step_line(run, step, running) for step in section.steps]
    return lines


def state_of(run: RunView, step_id: str, running: str) -> StepState:
    """The state of a step; `running` is the id of the one that runs."""
    if step_id == running:
        return StepState.RUNNING
    outcome = run.outcomes.get(step_id)
    if outcome is not None and outcome.state is not StepState.TODO:
        return outcome.state
    return StepState.NOW if step_id == run.current else StepState.TODO


def _step_line(run: RunView, step: Step, running: str) -> Line:
    state = state_of(run, step.id, running)
    word, style = STEP[state]
    if state is StepState.ANSWERED and len(run.outcomes[step.id].answer) <= ANSWER:
        word = run.outcomes[step.id].answer
    current = step.id == run.current
    if current and state not in (StepState.NOW, StepState.RUNNING):
        word += ", now"
    kind, kind_style = KINDS[step.kind]
    question = (filled(step.question, run.values(step.id)), "strong" if current else "plain")
    edge = (("  ", "plain"), (fit(word, 16 if ", " in word else ANSWER), style))
    return line("  ", (f"{kind:<6} ", kind_style), question, target=step.id, hang=9, right=edge)


def first_lines(run: RunView, symptom_id: str) -> list[Line]:
    """The first thing to do and what not to do, for a symptom: mitigation comes before
    diagnosis."""
    stop, avoid = run.runbook.section("stop-the-bleeding"), run.runbook.section("do-not")
    steps = list(stop.steps) if stop and stop.steps else list(run.runbook.steps())
    lines: list[Line] = []
    if steps:
        step = next((each for each in steps if each.id == run.current), steps[0])
        label = "stop the bleeding" if stop and step in stop.steps else "first"
        question = filled(step.question, run.values(step.id))
        lines.append(_below(symptom_id, (f"{label}: ", "key"), question, ("  enter", HINT)))
    if avoid and (sentence := avoided(avoid)):
        lines.append(_below(symptom_id, ("do not: ", "warning"), sentence))
    return lines


def avoided(section: Section) -> str:
    """The first sentence of what not to do, without "Do not"."""
    words = one_line(section.text).strip().lstrip("-* ").replace("**", "")
    return SENTENCE.split(words)[0].removeprefix("Do not ")


def _below(target: str, *spans: str | tuple[str, str]) -> Line:
    return line("      ", *spans, target=target, hang=8)


def runs_lines(runs: Sequence[RunView], now: datetime) -> list[Line]:
    """The open runbooks of this incident, the last opened first: progress, symptom, last and next
    step."""
    lines: list[Line] = []
    for run in runs:
        title, edge = (run.runbook.title, "strong"), ((progress_text(run), "key"),)
        lines.append(line(" ", title, target=run.id, hang=3, right=edge))
        for text in (run.symptom_title, *_last_and_next(run, now)):
            lines += [line("   ", (text, "muted"), target=run.id, hang=5)] if text else []
    return lines


def _last_and_next(run: RunView, now: datetime) -> Iterator[str]:
    made = [
        (outcome.at, step, outcome)
        for step in run.runbook.steps()
        if (outcome := run.outcomes.get(step.id)) and outcome.at is not None
    ]
    if made:
        _, step, outcome = max(made, key=lambda each: each[0])
        word = outcome.answer if outcome.state is StepState.ANSWERED else STEP[outcome.state][0]
        question = filled(step.question, run.values(step.id))
        yield f"last: {question} {word}, {clock(outcome.at, now)} UTC"
    if step_now := run.runbook.step(run.current):
        yield f"next: {filled(step_now.question, run.values(step_now.id))}"
    elif run.end:
        yield f"ended: {lead_text(run.end)}"


def verified_text(run: RunView, step: Step) -> str:
    """What a mark says after a check of Verify that passed: the question and what was seen."""
    seen, _, _ = run.outcomes[step.id].seen.partition("\n")
    question = filled(step.question, run.values(step.id))
    seen = seen.removeprefix(f"{question} ")  # of a person's answer
    return f"Verify passed: {question}" + (f" ({seen})" if seen and seen != question else "")


def progress_text(run: RunView) -> str:
    """`3 of 12 steps`."""
    steps = list(run.runbook.steps())
    answered = {
        step
        for step, outcome in run.outcomes.items()
        if outcome.state not in (StepState.TODO, StepState.NOW, StepState.UNKNOWN)
    }
    return f"{sum(step.id in answered for step in steps)} of {len(steps)} steps"


PLANNING = {
    StepKind.ACTION: "the plan is being made; nothing is changed yet",
    StepKind.PROBE: "the plan is being made; nothing is started yet",
}


def step_lines(
    run: RunView,
    step: Step,
    now: datetime,
    width: int,
    running: bool = False,
    progress: Sequence[str] = (),
    result: ProbeResult | ActionResult | None = None,
    keys: Keys = NO_KEYS,
) -> list[Line]:
    """The chosen step: question, expected, seen, the meaning of each answer, and the command to do
    it by hand."""
    values = run.values(step.id)
    outcome = run.outcomes.get(step.id)
    lines = prose(filled(step.question, values), "strong")
    lines.append(line((f" {explained(step)}", "change" if step.mutates else "muted"), hang=1))
    if step.why:
        lines += prose(filled(step.why, values), "muted")
    lines += [BLANK, *_text("expected", filled(step.expected, values) or "not said")]
    lines += _seen(step, outcome, values, now, running, progress, keys)
    if isinstance(result, ProbeResult):
        lines += [BLANK, rule("measured"), *probe.result_lines(result, width)]
    elif result is not None:
        undone = outcome is None or not outcome.undo
        undo = "" if undone else named("  {runbook.undo_step} takes it back", keys)
        lines += [BLANK, rule("changed"), *action_plan.result_lines(result, undo)]
    lines += [BLANK, *_answers(step, outcome, values)]
    if step.mutates:
        avoid = run.runbook.section("do-not")
        changes = (each.id for each in run.runbook.steps() if each.mutates)
        if avoid and avoid.text.strip() and next(changes, "") == step.id:
            lines += _text("do not", avoid.text.replace("**", ""), "warning")
        lines += _text("touches", filled(step.blast, values) or "not said", "warning")
        lines += _text("undo", filled(step.undo, values) or "none is known")
    lines += _parameters(run.parameters.get(step.id, ()), keys)
    if step.kubectl:
        by_hand = line(" ", filled(command(step, values), {}), hang=3)
        copies = named("{runbook.copy} copies it", keys)
        lines += [BLANK, rule("the same by hand", copies), by_hand]
    return lines + changed_lines(run, width)


def explained(step: Step) -> str:
    """What running the step does."""
    by_hand = step.mutates and step.kind is StepKind.ASK
    return "you make this change yourself, then answer" if by_hand else EXPLAINED[step.kind]


def _text(label: str, text: str, look: str = "plain") -> list[Line]:
    return fields(label, text.strip().replace("\t", "    ").split("\n"), look)


def _seen(
    step: Step,
    outcome: StepOutcome | None,
    values: Values,
    now: datetime,
    running: bool,
    progress: Sequence[str],
    keys: Keys,
) -> list[Line]:
    if running:
        asked = outcome is not None and outcome.state is StepState.UNKNOWN  # its intent is written
        at = outcome.at if outcome is not None and asked else None
        since = f" since {clock(at, now)} UTC ({ago(at, now)})" if at is not None else ""
        stop = (named("; {.stop} stops it", keys), HINT)
        if step.kind in PLANNING and not asked and not progress:
            return [field("seen", (PLANNING[step.kind], "info"), stop)]
        head = field("seen", ("running", "info"), since, stop)
        return [head, *fields("", list(progress[-4:]) or ["asking …"], "info")]
    return outcome_lines(step, outcome or StepOutcome(StepState.TODO), values, now, keys)


def outcome_lines(
    step: Step, outcome: StepOutcome, values: Values, now: datetime, keys: Keys = NO_KEYS
) -> list[Line]:
    """The outcome of a step: what was seen, what it means, where it leads."""
    word, style = STEP[outcome.state]
    if outcome.state in (StepState.TODO, StepState.NOW):
        word, hint = OPEN[step.kind]
        word = "open again" if outcome.seen else word
        head = field("seen", (word, "unknown"), (hint, HINT))
    else:
        word = outcome.answer if outcome.state is StepState.ANSWERED else word
        when = f", {clock(outcome.at, now)} UTC" if outcome.at else ""
        took = _took(outcome.seconds or 0.0)
        undo = named("; {runbook.undo_step} undoes it", keys) if outcome.undo else ""
        head = field("seen", (f"{word}{when}{took}", style), (undo, HINT))
    # A person's answer repeats the question for the record.
    said = "" if outcome.seen == f"{fill(step.question, values)} {outcome.answer}" else outcome.seen
    seen = said.split("\n") if said else []
    if len(seen) > SEEN:
        rest = f"… {len(seen) - SEEN + 1} more lines; the whole is in the record"
        seen = [*seen[: SEEN - 1], rest]
    lines = [head, *fields("", seen)]
    if outcome.meaning:
        leads = f"  → {lead_text(outcome.goto)}" if outcome.goto else ""
        lines.append(field("means", (outcome.meaning + leads, "strong")))
    return lines


def _answers(step: Step, outcome: StepOutcome | None, values: Values) -> list[Line]:
    """The numbered answers, the meaning of each and where it leads."""
    declared = {answer.when: answer for answer in step.answers}
    lines: list[Line] = []
    for number, when in enumerate(offered(step), 1):
        answer = declared.get(when)
        taken = bool(outcome and answer and outcome.meaning and outcome.meaning == answer.means)
        word = (f"{number} {when}", "strong" if taken else "key")
        means = f"  {filled(answer.means, values)}" if answer else ""
        leads = (f"  → {lead_text(answer.goto)}", "muted") if answer else ""
        lines.append(field("answers" if number == 1 else "", word, means, leads))
    return lines


def question_lines(step: Step, values: Values) -> list[Line]:
    """The question of a step, and the answers to choose from."""
    lines = prose(filled(step.question, values), "strong")
    if step.expected:
        lines.append(field("expected", filled(step.expected, values)))
    lines.append(BLANK)
    means = {answer.when: answer.means for answer in step.answers}
    for number, when in enumerate(offered(step), 1):
        meaning = f"  {filled(means.get(when, ''), values)}"
        lines.append(line("   ", (f"{number} {when}", "key"), meaning, target=when, hang=5))
    return lines


def _took(seconds: float) -> str:
    """How long a step took; "" for no time to speak of."""
    if seconds < 0.05:
        return ""
    return f", took {f'{seconds:.1f} s' if seconds < 60 else spoken(seconds)}"


def lead_text(goto: str) -> str:
    """Where an answer leads, in words."""
    if goto.startswith("section:"):
        return goto.removeprefix("section:").replace("-", " ")
    if goto.startswith("runbook:"):
        return f"runbook {goto.removeprefix('runbook:')}"
    return LEADS.get(goto, f"step {goto}")


def _parameters(parameters: Sequence[OpenParameter], keys: Keys) -> list[Line]:
    lines: list[Line] = []
    for parameter in parameters:
        known = (parameter.value, "strong") if parameter.value else ("not known", "warning")
        hint = "" if parameter.value else (named("; press {runbook.parameters}", keys), HINT)
        told = parameter.origin
        if not parameter.value:
            told = told.removeprefix("not known").removeprefix("; ")
        origin = (f"   {told}" if told else "", "muted")
        lines.append(line(f" {parameter.name} = ", known, hint, origin, hang=3))
    changes = named("{runbook.parameters} changes", keys)
    return [BLANK, rule("run with", changes), *lines] if lines else []


def changed_lines(run: RunView, width: int) -> list[Line]:
    """How the runbook differs from the one at the start of the run."""
    if not run.changed_text:
        return []
    title = "this runbook was changed since the run began"
    return [BLANK, rule(title), *diff_lines(run.changed_text, width)]


def diff_lines(diff: str, width: int) -> list[Line]:
    """A unified diff. Its signs stay, so that it reads without colour."""
    styles = {"+": "added", "-": "removed", "@": "muted"}
    return [
        line(" ", (shorten(row, width - 2), styles.get(row[:1], "plain")))
        for row in diff.split("\n")
    ]
