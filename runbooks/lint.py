"""Checks that runbooks are whole: fields, ids, jumps, names, drills, evidence, order, commands and
length. Each problem names file and line.

Names of probes, actions and drills are passed in as sets; None skips that question.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from runbooks.check import compile_problem
from runbooks.documents import read_words
from runbooks.fields import OUTCOMES
from runbooks.loader import OURS, Library
from runbooks.model import (
    DONE,
    ESCALATE,
    GUIDE_SECTIONS,
    NEXT,
    RUNBOOK_PREFIX,
    SECTION_PREFIX,
    SECTIONS,
    Condition,
    Problem,
    Runbook,
    Section,
    Step,
    StepKind,
    Weight,
)
from runbooks.parse import slug
from runbooks.terms import fold
from triage.facts.finding import Severity
from triage.facts.rules.catalogue import CHANGES, COHORTS, FINDINGS

SECTION_WORDS = 250
"""Words of one section beside its steps (the story may have STORY_WORDS): what a tired reader takes
in on one screen."""
STORY_WORDS = 320
STEP_WORDS = 110
GUIDE_WORDS, GUIDE_STEPS = 160, 6
SYMPTOMS = 8
"""Symptoms in the front matter."""
IDS = re.compile(r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")
READS_SECRET = re.compile(
    r"\bsecrets?\b.*(?:-o|--output)[ =]?['\"]?(?:yaml|json\b|jsonpath(?!\S*metadata)|go-template)"
    r"|\{\.data|\.data\.|base64 (?:-d|--decode)|\bprintenv\b|exec\b.*-- ?env\b"
)


@dataclass(frozen=True, slots=True)
class Names:
    """Names of probes and actions, and ids of drills. None: not known, and not checked."""

    probes: Collection[str] | None = None
    actions: Collection[str] | None = None
    drills: Collection[str] | None = None


def lint(library: Library, names: Names | None = None) -> list[Problem]:
    """All problems of a library, those of loading first; ordered by file and line."""
    known = names or Names()
    ids = {runbook.id for runbook in library.runbooks}
    found = list(library.problems)
    for runbook in library.runbooks:
        if not runbook.plain:
            found += _runbook(runbook, ids, known)
        found += _patterns(runbook)
    found += _overlaps(library.runbooks)
    return sorted(
        dict.fromkeys(found), key=lambda problem: (str(problem.path), problem.line, problem.text)
    )


def _runbook(runbook: Runbook, ids: Collection[str], names: Names) -> Iterator[Problem]:
    yield from _front(runbook, names)
    yield from _sections(runbook)
    seen: dict[str, int] = {}
    for step in runbook.steps():
        if step.id in seen:
            yield _at(
                runbook,
                step.line,
                f"step id {step.id!r} is also at line {seen[step.id]}; choose another",
            )
        seen[step.id] = step.line
        yield from _step(runbook, step, ids, names)
    yield from _unreachable(runbook)
    for condition in _flat(runbook.match):
        yield from _condition(runbook, condition)


def _patterns(runbook: Runbook) -> Iterator[Problem]:
    """Each pattern matches the texts that show why it is there, and names a part of each."""
    path = runbook.path.with_name(f"{runbook.path.stem}.words.yaml")
    words, _ = read_words(runbook.words, path)
    for pattern in (*words.patterns, *words.refuting):
        try:
            compiled = re.compile(pattern.expression, re.IGNORECASE)
        except re.error as error:
            yield Problem(path, pattern.line, f"pattern is not a regular expression: {error}")
            continue
        if not pattern.shows:
            yield Problem(path, pattern.line, "pattern lacks shows: a text that it matches")
        for text in pattern.shows:
            folded = fold(text)
            if not compiled.search(folded):
                yield Problem(path, pattern.line, f"pattern does not match its text {text!r}")
            if pattern.needs and not any(part in folded for part in pattern.needs):
                yield Problem(path, pattern.line, f"needs names no part of the text {text!r}")


def _at(runbook: Runbook, line: int, text: str) -> Problem:
    return Problem(runbook.path, line, text)


def _front(runbook: Runbook, names: Names) -> Iterator[Problem]:
    line = runbook.lines.get
    if not IDS.match(runbook.id):
        yield _at(
            runbook, line("id", 1), f"id {runbook.id!r} must be lower-case words joined by hyphens"
        )
    if runbook.path.stem != runbook.id:
        yield _at(
            runbook,
            line("id", 1),
            f"id {runbook.id!r} differs from the file name {runbook.path.name}; rename one of them",
        )
    ours = runbook.origin == OURS and not runbook.guide
    if names.drills is not None and ours and runbook.id not in names.drills:
        yield _at(runbook, line("id", 1), f"there is no drill {runbook.id!r}; add one")
    if not (runbook.story or runbook.source):
        yield _at(runbook, 1, "front matter lacks story, or source for a guide")
    for field in ("severity", "impact", "kubernetes", "last_reviewed"):
        if not getattr(runbook, field):
            yield _at(runbook, 1, f"front matter lacks {field}")
    if runbook.severity and runbook.severity not in {severity.value for severity in Severity}:
        yield _at(
            runbook,
            line("severity", 1),
            f"severity {runbook.severity!r} must be critical, warning or info",
        )
    if runbook.last_reviewed and not re.fullmatch(r"\d{4}-\d\d-\d\d", runbook.last_reviewed):
        yield _at(
            runbook, line("last_reviewed", 1), "last_reviewed must be a date such as 2026-11-21"
        )
    if not 3 <= len(runbook.symptoms) <= SYMPTOMS:
        yield _at(
            runbook,
            line("symptoms", 1),
            f"has {len(runbook.symptoms)} symptoms; write down three to {SYMPTOMS} that a person "
            "would say, and the rest in ID.words.yaml",
        )
    if runbook.match and not runbook.conditions(Weight.STRONG):
        yield _at(
            runbook,
            line("match", 1),
            "match has no strong condition; without one it is never confident",
        )


def _sections(runbook: Runbook) -> Iterator[Problem]:
    wanted = GUIDE_SECTIONS if runbook.guide else SECTIONS
    titles = [section.title for section in runbook.sections]
    for title in wanted:
        if title not in titles:
            yield _at(runbook, 1, f"lacks the section “{title}”")
    if runbook.guide:
        yield from _one_screen(runbook)
    for section in runbook.sections:
        if section.title not in wanted:
            yield _at(
                runbook,
                section.line,
                f"section “{section.title}” is not one of: {', '.join(wanted)}",
            )
        limit = STORY_WORDS if section.title == "The story" else SECTION_WORDS
        words = len(section.text.split())
        if words > limit:
            yield _at(
                runbook,
                section.line,
                f"section “{section.title}” has {words} words; {limit} is the limit for a tired "
                "reader",
            )
        if section.title != "The story" and not section.text and not section.steps:
            yield _at(runbook, section.line, f"section “{section.title}” is empty")
    known = [title for title in titles if title in wanted]
    if known != sorted(known, key=wanted.index):
        yield _at(
            runbook,
            _first_out_of_order(runbook.sections, wanted),
            f"sections must stand in this order: {', '.join(wanted)}",
        )
    if not any(step.section == slug("Verify") for step in runbook.steps()):
        yield _at(runbook, 1, "has no step under “Verify”: add a check that shows that it is over")


def _one_screen(runbook: Runbook) -> Iterator[Problem]:
    words = sum(len(section.text.split()) for section in runbook.sections)
    steps = sum(1 for _ in runbook.steps())
    if words > GUIDE_WORDS or steps > GUIDE_STEPS:
        yield _at(
            runbook,
            1,
            f"has {words} words and {steps} steps; a guide has at most {GUIDE_WORDS} words beside "
            f"its steps, and {GUIDE_STEPS} steps: one screen",
        )


def _first_out_of_order(sections: Sequence[Section], wanted: Sequence[str]) -> int:
    last = -1
    for section in sections:
        index = wanted.index(section.title) if section.title in wanted else last
        if index < last:
            return section.line
        last = index
    return 1


def _step(runbook: Runbook, step: Step, ids: Collection[str], names: Names) -> Iterator[Problem]:
    def problem(field: str, text: str) -> Problem:
        return _at(runbook, step.lines.get(field, step.line), f"step {step.id}: {text}")

    if not IDS.match(step.id):
        yield problem("id", "its id must be lower-case words joined by hyphens")
    if step.question.count("?") != 1:
        yield problem("question", "must ask exactly one question, with a question mark")
    if not step.expected:
        yield problem("expected", "lacks expected: what a good answer looks like")
    words = sum(
        len(text.split())
        for text in (step.question, step.why, step.expected, step.blast, step.undo)
    ) + sum(len(answer.means.split()) for answer in step.answers)
    if words > STEP_WORDS:
        yield problem("id", f"has {words} words; {STEP_WORDS} is the limit for a tired reader")
    yield from _command(step, problem_at=lambda text: problem("kubectl", text))
    if step.mutates and not (step.blast and step.undo):
        yield problem("blast", "changes something and must state blast and undo")
    if step.kind is StepKind.PROBE and names.probes is not None and step.uses not in names.probes:
        yield problem(
            "probe", f"there is no probe {step.uses!r}; known: {', '.join(sorted(names.probes))}"
        )
    if (
        step.kind is StepKind.ACTION
        and names.actions is not None
        and step.uses not in names.actions
    ):
        yield problem(
            "action", f"there is no action {step.uses!r}; known: {', '.join(sorted(names.actions))}"
        )
    if step.kind is StepKind.WAIT and not step.deadline:
        yield problem("deadline", "waits without a deadline")
    if step.query:
        for field in ("where", "each", "expression", "value", "seen"):
            expression = getattr(step.query, field)
            why = compile_problem(expression) if expression else ""
            if why:
                yield problem(field, f"{field} is not valid CEL: {why}")
    yield from _answers(runbook, step, ids)


def _command(step: Step, problem_at: object) -> Iterator[Problem]:
    assert callable(problem_at)
    if not step.kubectl:
        yield problem_at("lacks kubectl: the equivalent command")
        return
    for line in step.kubectl.splitlines():
        for part in re.split(r"[;|]", re.sub(r"'[^']*'", "''", line)):
            if re.match(r"\s*kubectl\b", part) and "--request-timeout" not in part:
                yield problem_at(
                    "its kubectl command has no --request-timeout, and kubectl waits for ever"
                )
    if READS_SECRET.search(step.kubectl):
        yield problem_at("its command would print a Secret; show names, keys and times only")


def _answers(runbook: Runbook, step: Step, ids: Collection[str]) -> Iterator[Problem]:
    def problem(line: int, text: str) -> Problem:
        return _at(runbook, line, f"step {step.id}: {text}")

    if not step.answers:
        yield problem(step.line, "has no answers: what each outcome means and where it leads")
    given = {answer.when for answer in step.answers}
    wanted = OUTCOMES.get(step.kind)
    if wanted is not None:
        for missing in sorted(wanted - given):
            yield problem(
                step.lines.get("answers", step.line), f"does not say what {missing!r} means"
            )
        for strange in sorted(given - wanted) if step.kind is not StepKind.ACTION else ():
            yield problem(
                step.lines.get("answers", step.line),
                f"a {step.kind} cannot answer {strange!r}; it can: {', '.join(sorted(wanted))}",
            )
    for answer in step.answers:
        if not answer.means:
            yield problem(answer.line, f"the answer {answer.when!r} does not say what it means")
        why = _jump(runbook, answer.goto, ids)
        if why:
            yield problem(
                answer.line, f"the answer {answer.when!r} leads to {answer.goto!r}, {why}"
            )


def _jump(runbook: Runbook, goto: str, ids: Collection[str]) -> str:
    if goto in (NEXT, ESCALATE, DONE) or runbook.step(goto):
        return ""
    if goto.startswith(SECTION_PREFIX):
        return (
            ""
            if runbook.section(goto.removeprefix(SECTION_PREFIX))
            else "which is no section of this runbook"
        )
    if goto.startswith(RUNBOOK_PREFIX):
        return "" if goto.removeprefix(RUNBOOK_PREFIX) in ids else "and there is no such runbook"
    return "which is no step of this runbook"


def _unreachable(runbook: Runbook) -> Iterator[Problem]:
    """Steps to which nothing leads: neither an answer nor the step before nor the beginning of a
    section."""
    steps = list(runbook.steps())
    reached = {section.steps[0].id for section in runbook.sections if section.steps}
    for index, step in enumerate(steps):
        reached |= {answer.goto for answer in step.answers}
        if index + 1 < len(steps) and any(answer.goto == NEXT for answer in step.answers):
            reached.add(steps[index + 1].id)
    for step in steps:
        if step.id not in reached:
            yield _at(runbook, step.line, f"step {step.id}: nothing leads to it")


def _flat(conditions: Iterable[Condition]) -> Iterator[Condition]:
    for condition in conditions:
        if condition.any_of or condition.all_of:
            yield from _flat((*condition.any_of, *condition.all_of))
        else:
            yield condition


def _condition(runbook: Runbook, condition: Condition) -> Iterator[Problem]:
    if condition.on == "shared":
        if condition.rule not in COHORTS:
            yield _at(
                runbook,
                condition.line,
                f"there is no shared attribute {condition.rule!r}; known: "
                f"{', '.join(sorted(COHORTS))}",
            )
    else:
        rules = FINDINGS if condition.on == "finding" else CHANGES
        rule = rules.get(condition.rule)
        if rule is None:
            yield _at(
                runbook,
                condition.line,
                f"there is no {condition.on} rule {condition.rule!r}; see triage.rules",
            )
        else:
            facts = rule.fact_names | ({"manager"} if condition.on == "change" else set())
            for fact in (*condition.where, *([condition.same] if condition.same else [])):
                if fact not in facts:
                    yield _at(
                        runbook,
                        condition.line,
                        f"{condition.on} {condition.rule} has no fact {fact!r}; it has: "
                        f"{', '.join(sorted(facts))}",
                    )
    if condition.step and runbook.step(condition.step) is None:
        yield _at(
            runbook,
            condition.line,
            f"the condition names step {condition.step!r}, which is no step of this runbook",
        )


def _overlaps(runbooks: Sequence[Runbook]) -> Iterator[Problem]:
    """Two stories, or two guides, with the same strong condition need a refuting one on either
    side that tells them apart."""
    owners: dict[tuple[bool, str, str, str], list[tuple[Runbook, Condition]]] = {}
    for runbook in runbooks:
        for condition in runbook.conditions(Weight.STRONG):
            key = (
                runbook.guide,
                condition.on,
                condition.rule,
                repr(sorted((name, repr(value)) for name, value in condition.where.items())),
            )
            if condition.rule:
                owners.setdefault(key, []).append((runbook, condition))
    for (_, on, rule, _), pairs in owners.items():
        distinct = {runbook.id: (runbook, condition) for runbook, condition in pairs}
        if len(distinct) < 2:
            continue
        without = [
            (runbook, condition)
            for runbook, condition in distinct.values()
            if not runbook.conditions(Weight.REFUTE)
        ]
        if len(without) > 1 or len(without) == len(distinct):
            for runbook, condition in without:
                others = ", ".join(sorted(set(distinct) - {runbook.id}))
                yield _at(
                    runbook,
                    condition.line,
                    f"matches on the same strong {on} {rule} as {others}, and nothing refutes "
                    "either",
                )
