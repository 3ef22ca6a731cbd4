"""Runbooks ranked for a human's words, each with what speaks for it and against it."""

from __future__ import annotations

from collections.abc import Sequence

from runbooks.match import Match
from runbooks.model import Runbook
from text.lines import BLANK, Line, columns, line, paragraphs, wrap
from text.symptoms import reason_lines


def match_lines(text: str, matches: Sequence[Match], reach: str, width: int) -> list[Line]:
    """The ranking for what was typed so far. `reach` says what stands behind it when the cluster
    does not answer."""
    if not text.strip():
        return [
            BLANK,
            *paragraphs(
                "Type what you see, or paste an alert, a log line or an error. The ranking "
                "follows each key, "
                "and takes the live findings with it.",
                width - 2,
                "muted",
                1,
            ),
            *([BLANK, *paragraphs(reach, width - 2, "warning", 1)] if reach else []),
        ]
    if not matches:
        return [
            BLANK,
            *paragraphs(
                "No runbook fits these words. Try the error itself, an alert's name, or what "
                "users see.",
                width - 2,
                "unknown",
                1,
            ),
        ]
    lines: list[Line] = []
    if not any(match.confident for match in matches):
        lines += paragraphs("Nothing fits well; the nearest:", width - 2, "unknown", 1)
    if reach:
        lines += paragraphs(reach, width - 2, "warning", 1)
    for match in matches[:12]:
        style = "strong" if match.confident else "plain"
        lines.append(
            columns(
                ("", 0),
                (f"{match.score:.2f}", 4, "key" if match.confident else "muted"),
                (match.title, max(10, width - 8), style),
                gap=1,
                target=match.id,
            )
        )
        reasons = "; ".join(reason.text for reason in match.for_[:2]) or "the words alone"
        against = f"  against: {match.against[0].text}" if match.against else ""
        lines += [
            Line(row.spans, match.id)
            for row in wrap(line("      ", (reasons, "muted"), (against, "critical")), width, 6)
        ]
    return lines


def chosen_lines(match: Match | None, runbook: Runbook | None, width: int) -> list[Line]:
    """Why the chosen one stands where it stands."""
    if match is None:
        return []
    lines = [*wrap(line(" ", (match.title, "strong")), width, 1), *reason_lines(match, width)]
    if runbook is not None and runbook.impact:
        lines += wrap(line((" impact   ", "muted"), runbook.impact), width, 10)
    if runbook is not None and runbook.symptoms:
        lines.append(line((" people say", "muted")))
        lines += [
            row
            for words in runbook.symptoms[:6]
            for row in wrap(line("          ", words), width, 10)
        ]
    return lines


def catalogue_lines(runbooks: Sequence[Runbook], words: str, width: int) -> list[Line]:
    """All runbooks whose id or title holds the words."""
    wanted = words.lower().split()
    found = [r for r in runbooks if all(word in f"{r.id} {r.title}".lower() for word in wanted)]
    if not runbooks:
        return [line(" ", ("No runbooks are loaded.", "warning"))]
    if not found:
        return [line(" ", ("No runbook has these words in its name.", "unknown"))]
    return [
        columns(("", 0), (r.title, max(10, width - 43)), (r.id, 40, "muted"), gap=1, target=r.id)
        for r in found
    ]
