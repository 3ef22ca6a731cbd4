"""The values of a runbook, frozen, each with the line it stands on. docs/runbooks.md describes the
form; `runbooks.lint` checks it."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

SECTIONS = (
    "What it looks like",
    "Do not",
    "Stop the bleeding",
    "Find out",
    "Verify",
    "Fix for good",
    "Prevent",
    "The story",
)
"""Titles of the sections in their order: mitigation stands before diagnosis."""

GUIDE_SECTIONS = ("What it means", "Find out", "What to do", "Verify")
"""Titles of the sections of a guide: a family of everyday faults, on one screen."""

ESCALATE, NEXT, DONE = "escalate", "next", "done"
SECTION_PREFIX, RUNBOOK_PREFIX = "section:", "runbook:"

EMPTY: Mapping[str, Any] = MappingProxyType({})


class StepKind(enum.StrEnum):
    CHECK = "check"
    """A read-only question to the live state or the API."""
    PROBE = "probe"
    """An active measurement; may create a debug pod."""
    ACTION = "action"
    """A change that the tool can make, through the gate."""
    ASK = "ask"
    """The human looks, decides or types a command outside the tool."""
    WAIT = "wait"
    """Until an expression holds or a deadline passes."""


class CheckSource(enum.StrEnum):
    """What a check reads. Each gives a list of plain dictionaries to the expression:

    objects: Kubernetes objects as the API writes them (camelCase; fields with zero values may be
    absent). logs: `{pod, namespace, node, container, lines: [str], previous: bool}`, one for each
    container read. metrics: `{name, labels: {str: str}, value: double, delta: double}`; `delta` is
    the change over `interval` where two samples were taken. readyz: `{name, ok: bool, reason}`, one
    for each line of `/readyz?verbose`. document: the JSON document at `path`, through the proxy of
    a node, pod or Service. compare: objects, reduced to one value each and compared with their
    peers. findings: what triage has found about the symptom from which the runbook was opened; no
    expression, the findings are quoted.
    """

    OBJECTS = "objects"
    LOGS = "logs"
    METRICS = "metrics"
    READYZ = "readyz"
    DOCUMENT = "document"
    COMPARE = "compare"
    FINDINGS = "findings"


class Weight(enum.StrEnum):
    STRONG = "strong"
    SUPPORT = "support"
    REFUTE = "refute"


class Criterion(msgspec.Struct, frozen=True):
    """One line of `match`. `on` is finding, change or shared; `rule` the id of the triage rule (or
    the name of the shared attribute).

    `where`: facts that must hold, each `value`, `[a, b]` (one of), `">=3"`, `"~regex"` or
    `"!value"`.
    `count`: at least so many such findings (or changes). `same`: the fact or object attribute that
    they must share (node, namespace).
    `within`: seconds between the change and the first finding. `step`: the step that would tell
    when it is missing.
    `any_of`: alternatives, one is enough. `all_of`: all are needed, at least one of them in the
    symptom.
    """

    weight: Weight
    on: str
    rule: str
    text: str
    line: int
    where: Mapping[str, Any] = msgspec.field(default_factory=lambda: EMPTY)
    count: int = 1
    same: str = ""
    within: float = 0.0
    step: str = ""
    value: float = 0.0
    """Own weight between 0 and 1; 0 = the default of its kind."""
    follows: str = ""
    """A fact of findings outside the symptom: they count like its own where it names a node of the
    symptom. A volume that a dead node holds belongs to the dead node."""
    any_of: tuple[Criterion, ...] = ()
    all_of: tuple[Criterion, ...] = ()

    def parts(self) -> Iterator[Criterion]:
        """The conditions that name a rule: itself, or those within `any_of` and `all_of`."""
        inner = (*self.any_of, *self.all_of)
        for part in inner:
            yield from part.parts()
        if not inner:
            yield self

    @property
    def rules(self) -> frozenset[str]:
        return frozenset(part.rule for part in self.parts())


class Query(msgspec.Struct, frozen=True):
    """What to fetch for a check or a wait, and the CEL expression that decides. Strings may hold
    `{param}`.

    `kind, namespace, selector, name, field_selector`: which objects (or, for logs, which pods).
    `where`: CEL over one object `self`; only objects for which it is true count. Exactly one of:
    `each`: CEL over `self`: must hold for every counted object;
    `expression`: CEL over the list `objects`.
    `value`, `by`: for compare: CEL over `self` giving the value to compare, and the name of what
    tells peers apart.
    `fault`: what is wrong with an object for which `each` does not hold ("not ready"), for the
    sentence that says what was found.
    `seen`: CEL over `objects` giving one string to show; without it a summary is written.
    `interval`: seconds between two samples (metrics); 0 = one sample. `since`: seconds of log to
    read.
    `minimum`: fewer objects than that are unknown.
    `names`: of metrics, of checks of readyz, or rules of findings. `cases`: for findings, an answer
    and the finding that gives it; the first that is there decides.
    """

    source: CheckSource
    kind: str = ""
    namespace: str = ""
    selector: str = ""
    field_selector: str = ""
    name: str = ""
    where: str = ""
    each: str = ""
    expression: str = ""
    value: str = ""
    by: str = ""
    seen: str = ""
    fault: str = ""
    path: str = ""
    names: tuple[str, ...] = ()
    container: str = ""
    previous: bool = False
    since: float = 0.0
    interval: float = 0.0
    minimum: int = 0
    cases: tuple[tuple[str, Criterion], ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """One outcome of a step: `when` (pass, fail, unknown; a result class; a word of the human),
    what it means and where it leads.

    `goto`: id of a step, `section:SLUG`, `runbook:ID`, `escalate`, `done` or `next` (the following
    step).
    """

    when: str
    means: str
    goto: str
    line: int = 0


class Step(msgspec.Struct, frozen=True):
    """One question. `kubectl` is the equivalent command for another terminal, with `{param}`
    places; `args` of a probe or action."""

    id: str
    kind: StepKind
    question: str
    expected: str
    answers: tuple[Answer, ...]
    section: str
    line: int
    why: str = ""
    kubectl: str = ""
    params: Mapping[str, str] = msgspec.field(default_factory=lambda: EMPTY)
    """Default value for each parameter, used where the symptom says nothing. Names that occur in
    the step's texts are parameters too."""
    query: Query | None = None
    uses: str = ""
    """Name of the probe or action."""
    args: Mapping[str, str] = msgspec.field(default_factory=lambda: EMPTY)
    blast: str = ""
    undo: str = ""
    deadline: float = 0.0
    """Seconds (wait)."""
    lines: Mapping[str, int] = msgspec.field(default_factory=lambda: MappingProxyType({}))
    """Line of each field, for messages."""

    @property
    def mutates(self) -> bool:
        return self.kind is StepKind.ACTION or (self.kind is StepKind.ASK and bool(self.blast))


class Section(msgspec.Struct, frozen=True):
    """`text` is the Markdown of the section without its step blocks; `slug` is what `section:SLUG`
    names."""

    title: str
    slug: str
    text: str
    line: int
    steps: tuple[Step, ...] = ()


class Runbook(msgspec.Struct, frozen=True):
    """One file. `digest` is the SHA-256 of its text at load: the identity that the record keeps.
    `plain`: no front matter of ours."""

    id: str
    title: str
    path: Path
    digest: str
    sections: Sequence[Section]
    story: str = ""
    """File and place of the failure story; "" for a guide."""
    source: str = ""
    """Where a guide's facts are from; "" for a story."""
    severity: str = ""
    impact: str = ""
    symptoms: tuple[str, ...] = ()
    words: str = ""
    """Text of `ID.words.yaml` beside it, "" without one; `documents.read_words` reads it."""
    match: tuple[Criterion, ...] = ()
    kubernetes: str = ""
    last_reviewed: str = ""
    plain: bool = False
    names: tuple[str, ...] = ()
    """Further names that the front matter of another tool gives: alert, aliases, slug."""
    origin: str = ""
    """Which folder it came from: "stanch" for our own library, otherwise the folder's path."""
    text: str = ""
    lines: Mapping[str, int] = msgspec.field(default_factory=lambda: MappingProxyType({}))

    @property
    def guide(self) -> bool:
        """A short page for a family of everyday faults, without a story."""
        return bool(self.source) and not self.story

    def steps(self) -> Iterator[Step]:
        for section in self.sections:
            yield from section.steps

    def step(self, step_id: str) -> Step | None:
        return next((step for step in self.steps() if step.id == step_id), None)

    def section(self, slug: str) -> Section | None:
        return next((section for section in self.sections if section.slug == slug), None)

    def conditions(self, weight: Weight) -> tuple[Criterion, ...]:
        return tuple(condition for condition in self.match if condition.weight is weight)


class Problem(msgspec.Struct, frozen=True):
    """Something wrong in a runbook file: where, what, and what to do. Printed as `path:line:
    text`."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"
