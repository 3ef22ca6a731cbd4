"""Runbooks ranked for words, each with its evidence for and against; and the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from runbooks.match import Match
from runbooks.model import Runbook
from runbooks.paste import Paste
from text.lines import BLANK, Line, field, fields, line, prose, rule, shorten
from text.symptoms.why import match_lines
from text.words import clock

SHOWN_TEXT = 160
"""Cells of a text printed above its answer."""
INVITATION = (
    "Type what you see, or paste an alert, a log line or an error. The ranking changes with each "
    "key and includes the live findings."
)
NO_MATCH = "No runbook fits these words. Try the error itself, an alert's name, or what users see."


def ranking_lines(
    text: str, matches: Sequence[Match], without: str = "", limit: int = 12
) -> list[Line]:
    """The ranking for a text. `without`: the inputs that are missing when the cluster does not
    answer."""
    note = prose(without, "warning") if without else []
    if not text.strip():
        return [BLANK, *prose(INVITATION, "muted"), *([BLANK, *note] if note else [])]
    if not matches:
        return [BLANK, *prose(NO_MATCH, "unknown")]
    confident = any(match.confident for match in matches)
    lines = [] if confident else prose("Nothing fits well; the nearest:", "unknown")
    lines += note
    for match in matches[:limit]:
        score = (f"{match.score:.2f}", "key" if match.confident else "muted")
        title = (match.title, "strong" if match.confident else "plain")
        name = ((match.id, "muted"),)
        lines.append(line(" ", score, " ", title, target=match.id, hang=6, right=name))
        reasons = "; ".join(reason.text for reason in match.for_[:2]) or "the words alone"
        against = f"  against: {match.against[0].text}" if match.against else ""
        why = ((f"      {reasons}", "muted"), (against, "critical"))
        lines.append(line(*why, target=match.id, hang=6))
    return lines


def paste_lines(text: str, paste: Paste, matches: Sequence[Match]) -> list[Line]:
    """What a text names, and the matching runbooks with their reasons. A text without a match is
    one line."""
    lines = [line((shorten(text, SHOWN_TEXT), "strong"))]
    if paste.objects:
        lines.append(field("names", ", ".join(map(str, paste.objects[:6]))))
    lines += [field("at", f"{clock(mark.at)} UTC  {mark.text}") for mark in paste.marks[:4]]
    fitting = [match for match in matches if match.confident]
    others = ", ".join(f"{each.id} {each.score:.2f}" for each in matches if not each.confident)
    for match in fitting:
        lines += [rule(match.id), *match_lines(match)]
    if not fitting:
        nearest = f"; nearest: {others}" if others else ""
        return [*lines, line((f" No runbook fits{nearest}", "unknown"), hang=1)]
    return [*lines, *fields("or", [others] if others else [])]


def chosen_lines(match: Match | None, runbook: Runbook | None) -> list[Line]:
    """Why the chosen runbook has its rank."""
    if match is None:
        return []
    lines = match_lines(match)
    if runbook is not None and runbook.impact:
        lines.append(field("impact", runbook.impact))
    if runbook is not None:
        lines += fields("people say", runbook.symptoms[:6], size=11)
    return lines


def catalogue_lines(
    runbooks: Sequence[Runbook], words: str, opened: Mapping[str, str] = MappingProxyType({})
) -> list[Line]:
    """Runbooks whose id or title contains the words. Those that are open in the incident come
    first, with their progress (`opened`, by id). Ours are always there: none is read yet."""
    if not runbooks:
        return [line((" reading runbooks …", "muted"))]
    wanted = words.lower().split()
    found = [r for r in runbooks if all(word in f"{r.id} {r.title}".lower() for word in wanted)]
    found.sort(key=lambda runbook: runbook.id not in opened)
    return [
        line(
            " ",
            runbook.title,
            *([(f"  open, {opened[runbook.id]}", "key")] if runbook.id in opened else []),
            target=runbook.id,
            hang=3,
            right=((runbook.id, "muted"),),
        )
        for runbook in found
    ] or [line(" ", ("No runbook has these words in its name.", "unknown"))]
