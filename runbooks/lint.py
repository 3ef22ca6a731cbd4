"""Checks that runbooks are whole: fields, ids, jumps, names, drills, evidence, order, commands and
length. Each problem names its file and line.

The caller passes the names of probes, actions and drills as sets; None skips that question.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from cluster.kube.kinds import NEVER_WHOLE
from runbooks.documents import read_words
from runbooks.expressions import compile_problem
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
    CheckSource,
    Criterion,
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
"""Words of one section beside its steps (the story may have STORY_WORDS): what fits on one screen.
"""
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
_NOT_METADATA = re.compile(r"""["'.](?:spec|status|data|rules|subjects|roleRef)\b""")

_DOUBLED = re.compile(r"\b([a-z]+) \{\1\}")
"""A kind before its place: `the node {node}`."""


@dataclass(frozen=True, slots=True)
class KnownNames:
    """Names of probes, actions, drills and other runbooks. None: not known, and not checked."""

    probes: Collection[str] | None = None
    actions: Collection[str] | None = None
    drills: Collection[str] | None = None
    runbooks: Collection[str] = ()
    """Ids of runbooks outside the library, to which an answer may lead as well."""


LintFault = tuple[int, str]
"""A line of the file and what is wrong there."""


def lint(library: Library, names: KnownNames | None = None) -> list[Problem]:
    """All problems of a library, those of loading first; ordered by file and line."""
    known = names or KnownNames()
    ids = {runbook.id for runbook in library.runbooks} | set(known.runbooks)
    guides = {one.id for one in library.runbooks if one.guide} | set(known.runbooks)
    found = list(library.problems)
    for runbook in library.runbooks:
        if not runbook.plain:
            found += [Problem(runbook.path, *fault) for fault in _runbook(runbook, ids, known)]
        found += _patterns(runbook, guides)
    found += _overlaps(library.runbooks)
    return sorted(
        dict.fromkeys(found), key=lambda problem: (str(problem.path), problem.line, problem.text)
    )


def _runbook(runbook: Runbook, ids: Collection[str], names: KnownNames) -> Iterator[LintFault]:
    yield from _front(runbook, names)
    yield from _sections(runbook)
    seen: dict[str, int] = {}
    for step in runbook.steps():
        if step.id in seen:
            at = seen[step.id]
            yield step.line, f"step id {step.id!r} is also at line {at}; choose another"
        seen[step.id] = step.line
        for line, text in _step(runbook, step, ids, names):
            yield line, f"step {step.id}: {text}"
    yield from _unreachable(runbook)
    for part in (part for condition in runbook.match for part in condition.parts()):
        for text in _condition(runbook, part):
            yield part.line, text


def _patterns(runbook: Runbook, guides: Collection[str]) -> Iterator[Problem]:
    """Each pattern matches the texts that show why it is there, and names a part of each.
    `guides`: ids of the pages that a story can narrow."""
    path = runbook.path.with_name(f"{runbook.path.stem}.words.yaml")
    words, _ = read_words(runbook.words, path)
    if runbook.origin == OURS and not words.tells:
        yield Problem(path, 1, "lacks tells: what a text must say for words alone to be sure")
    for name in sorted({*words.narrows} - {*guides}):
        yield Problem(path, 1, f"narrows {name!r}, which is no guide")
    for group in words.tells:
        try:
            empty = re.compile(group).search("") is not None
        except re.error as error:
            yield Problem(path, 1, f"tells is not a regular expression: {error}")
            continue
        if empty:
            yield Problem(path, 1, f"tells has an empty group {group!r}; every text has it")
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


def _front(runbook: Runbook, names: KnownNames) -> Iterator[LintFault]:
    line = runbook.lines.get
    at_id = line("id", 1)
    if runbook.path.stem != runbook.id:
        file = runbook.path.name
        yield at_id, f"id {runbook.id!r} differs from the file name {file}; rename one of them"
    ours = runbook.origin == OURS and not runbook.guide
    if names.drills is not None and ours and runbook.id not in names.drills:
        yield at_id, f"there is no drill {runbook.id!r}; add one"
    if not (runbook.story or runbook.source):
        yield 1, "front matter lacks story, or source for a guide"
    for field in ("severity", "impact", "kubernetes", "last_reviewed"):
        if not getattr(runbook, field):
            yield 1, f"front matter lacks {field}"
    if runbook.severity and runbook.severity not in {severity.value for severity in Severity}:
        said = f"severity {runbook.severity!r} must be critical, warning or info"
        yield line("severity", 1), said
    if runbook.last_reviewed and not re.fullmatch(r"\d{4}-\d\d-\d\d", runbook.last_reviewed):
        yield line("last_reviewed", 1), "last_reviewed must be a date such as 2026-11-21"
    if not 3 <= len(runbook.symptoms) <= SYMPTOMS:
        yield (
            line("symptoms", 1),
            f"has {len(runbook.symptoms)} symptoms; write down three to {SYMPTOMS} that a person "
            "would say, and the rest in ID.words.yaml",
        )
    if runbook.match and not runbook.conditions(Weight.STRONG):
        yield line("match", 1), "match has no strong condition; without one it is never confident"


def _sections(runbook: Runbook) -> Iterator[LintFault]:
    wanted = GUIDE_SECTIONS if runbook.guide else SECTIONS
    titles = [section.title for section in runbook.sections]
    for title in wanted:
        if title not in titles:
            yield 1, f"lacks the section “{title}”"
    if runbook.guide:
        yield from _one_screen(runbook)
    for section in runbook.sections:
        name = f"section “{section.title}”"
        if section.title not in wanted:
            yield section.line, f"{name} is not one of: {', '.join(wanted)}"
        limit = STORY_WORDS if section.title == "The story" else SECTION_WORDS
        words = len(section.text.split())
        if words > limit:
            yield section.line, f"{name} has {words} words; {limit} is the limit for a tired reader"
        if section.title != "The story" and not section.text and not section.steps:
            yield section.line, f"{name} is empty"
    known = [title for title in titles if title in wanted]
    if known != sorted(known, key=wanted.index):
        said = f"sections must stand in this order: {', '.join(wanted)}"
        yield _first_out_of_order(runbook.sections, wanted), said
    if not any(step.section == slug("Verify") for step in runbook.steps()):
        yield 1, "has no step under “Verify”: add a check that shows that it is over"


def _one_screen(runbook: Runbook) -> Iterator[LintFault]:
    words = sum(len(section.text.split()) for section in runbook.sections)
    steps = sum(1 for _ in runbook.steps())
    if words > GUIDE_WORDS or steps > GUIDE_STEPS:
        yield (
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


def _step(
    runbook: Runbook, step: Step, ids: Collection[str], names: KnownNames
) -> Iterator[LintFault]:
    def at(field: str) -> int:
        return step.lines.get(field, step.line)

    if not IDS.match(step.id):
        yield at("id"), "its id must be lower-case words joined by hyphens"
    if step.question.count("?") != 1:
        yield at("question"), "must ask exactly one question, with a question mark"
    if doubled := _DOUBLED.search(step.question):
        said = f"reads “the {doubled[1]} the {doubled[1]}” while {{{doubled[1]}}} is not known"
        yield at("question"), said
    if not step.expected:
        yield at("expected"), "lacks expected: what a good answer looks like"
    texts = (step.question, step.why, step.expected, step.blast, step.undo)
    words = sum(len(text.split()) for text in (*texts, *(one.means for one in step.answers)))
    if words > STEP_WORDS:
        yield at("id"), f"has {words} words; {STEP_WORDS} is the limit for a tired reader"
    for text in _command(step):
        yield at("kubectl"), text
    if step.mutates and not (step.blast and step.undo):
        yield at("blast"), "changes something and must state blast and undo"
    by_hand = step.kind is StepKind.ASK and step.mutates and step.answers
    if by_hand and not any(answer.when == "done" for answer in step.answers):
        yield at("answers"), "asks for a change by hand: only the answer `done` records it"
    known = {StepKind.PROBE: names.probes, StepKind.ACTION: names.actions}.get(step.kind)
    if known is not None and step.uses not in known:
        said = f"there is no {step.kind} {step.uses!r}; known: {', '.join(sorted(known))}"
        yield at(step.kind.value), said
    if step.kind is StepKind.WAIT and not step.deadline:
        yield at("deadline"), "waits without a deadline"
    for field in ("where", "each", "expression", "value", "seen") if step.query else ():
        expression = getattr(step.query, field)
        why = compile_problem(expression) if expression else ""
        if why:
            yield at(field), f"{field} is not valid CEL: {why}"
    if step.query and step.query.kind in NEVER_WHOLE:
        read = " ".join(getattr(step.query, field) for field in ("where", "each", "expression"))
        if _NOT_METADATA.search(read):
            yield at("kind"), f"of a {step.query.kind} only metadata is read, no values"
    if step.query and step.query.source is CheckSource.FINDINGS:
        for rule in sorted({*step.query.names} - FINDINGS.keys() - CHANGES.keys()):
            yield at("findings"), f"there is no rule {rule!r}; see triage/facts/rules"
        for _, case in step.query.cases:
            yield from ((case.line, text) for text in _condition(runbook, case))
    yield from _answers(runbook, step, ids)


def _command(step: Step) -> Iterator[str]:
    if not step.kubectl:
        yield "lacks kubectl: the equivalent command"
        return
    for line in step.kubectl.splitlines():
        for part in re.split(r"[;|]", re.sub(r"'[^']*'", "''", line)):
            if re.match(r"\s*kubectl\b", part) and "--request-timeout" not in part:
                yield "its kubectl command has no --request-timeout, and kubectl waits for ever"
    if READS_SECRET.search(step.kubectl):
        yield "its command would print a Secret; show names, keys and times only"


def _answers(runbook: Runbook, step: Step, ids: Collection[str]) -> Iterator[LintFault]:
    line = step.lines.get("answers", step.line)
    if not step.answers:
        yield step.line, "has no answers: what each outcome means and where it leads"
    given = {answer.when for answer in step.answers}
    wanted = OUTCOMES.get(step.kind, given)
    if step.query and step.query.source is CheckSource.FINDINGS:
        wanted = {"found", "unknown", *(when for when, _ in step.query.cases)}
    for missing in sorted(wanted - given):
        yield line, f"does not say what {missing!r} means"
    for strange in sorted(given - wanted) if step.kind is not StepKind.ACTION else ():
        can = ", ".join(sorted(wanted))
        yield line, f"a {step.kind} cannot answer {strange!r}; it can: {can}"
    for answer in step.answers:
        name = f"the answer {answer.when!r}"
        if not answer.means:
            yield answer.line, f"{name} does not say what it means"
        why = _jump(runbook, answer.goto, ids)
        if why:
            yield answer.line, f"{name} leads to {answer.goto!r}, {why}"


def _jump(runbook: Runbook, goto: str, ids: Collection[str]) -> str:
    """Why an answer cannot lead there, "" when it can."""
    if goto in (NEXT, ESCALATE, DONE) or runbook.step(goto):
        return ""
    if goto.startswith(SECTION_PREFIX):
        known = runbook.section(goto.removeprefix(SECTION_PREFIX))
        return "" if known else "which is no section of this runbook"
    if goto.startswith(RUNBOOK_PREFIX):
        return "" if goto.removeprefix(RUNBOOK_PREFIX) in ids else "and there is no such runbook"
    return "which is no step of this runbook"


def _unreachable(runbook: Runbook) -> Iterator[LintFault]:
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
            yield step.line, f"step {step.id}: nothing leads to it"


def _condition(runbook: Runbook, condition: Criterion) -> Iterator[str]:
    on, name = condition.on, condition.rule
    rule = (FINDINGS if on == "finding" else CHANGES).get(name)
    if on == "shared":
        if name not in COHORTS:
            known = ", ".join(sorted(COHORTS))
            yield f"there is no shared attribute {name!r}; known: {known}"
    elif rule is None:
        yield f"there is no {on} rule {name!r}; see triage/facts/rules"
    else:
        facts = rule.fact_names | ({"manager"} if on == "change" else set())
        for fact in filter(None, (*condition.where, condition.same, condition.follows)):
            if fact not in facts:
                yield f"{on} {name} has no fact {fact!r}; it has: {', '.join(sorted(facts))}"
    if condition.step and runbook.step(condition.step) is None:
        yield f"the condition names step {condition.step!r}, which is no step of this runbook"


def _overlaps(runbooks: Sequence[Runbook]) -> Iterator[Problem]:
    """Two stories, or two guides, with the same strong condition need a refuting one on either
    side that tells them apart."""
    owners: dict[tuple[bool, str, str, str], dict[str, tuple[Runbook, Criterion]]] = {}
    for runbook in runbooks:
        for condition in runbook.conditions(Weight.STRONG):
            where = repr(sorted((name, repr(value)) for name, value in condition.where.items()))
            key = (runbook.guide, condition.on, condition.rule, where)
            if condition.rule:
                owners.setdefault(key, {})[runbook.id] = (runbook, condition)
    for (_, on, rule, _), pairs in owners.items():
        without = [pair for pair in pairs.values() if not pair[0].conditions(Weight.REFUTE)]
        if len(pairs) > 1 and (len(without) > 1 or len(without) == len(pairs)):
            for runbook, condition in without:
                others = ", ".join(sorted(pairs.keys() - {runbook.id}))
                said = f"matches on the same strong {on} {rule} as {others}"
                yield Problem(runbook.path, condition.line, f"{said}, and nothing refutes either")
