"""The answer of the matcher: a runbook, how well it fits (0 to 1) and why."""

from __future__ import annotations

import msgspec


class Reason(msgspec.Struct, frozen=True):
    """One piece of evidence for or against a runbook, or one that is missing.

    `text`: all of it in one sentence. `evidence`: what was seen, without the criteria; "" for words
    and for what is missing. `step`: id of the runbook step that would tell. `findings`: ids of the
    findings it rests on.
    """

    text: str
    step: str = ""
    findings: tuple[str, ...] = ()
    evidence: str = ""


class Match(msgspec.Struct, frozen=True):
    """One runbook beside a symptom or a text.

    `guide`: it has no story. `own`: evidence of its own mechanism holds, not only what happened
    nearby. `follows`: all that decides follows from other faults. `certain`: the text names the
    page. `named`: it says the title, the id or a phrase of the page word by word.
    """

    id: str
    title: str
    score: float
    confident: bool
    for_: tuple[Reason, ...] = ()
    missing: tuple[Reason, ...] = ()
    against: tuple[Reason, ...] = ()
    guide: bool = False
    own: bool = False
    follows: bool = False
    certain: bool = False
    named: bool = False
