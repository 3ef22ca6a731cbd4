"""A whole runbook as lines, and the difference between two versions of it."""

from __future__ import annotations

from runbooks.model import Runbook, Section
from text.lines import BLANK, Line, field, line, rule
from text.runbook import KINDS, STORIES, STORY, filled


def section_lines(section: Section) -> list[Line]:
    """The prose of a section."""
    return [rule(section.title.lower()), BLANK, *markdown_lines(section.text)]


def runbook_lines(runbook: Runbook) -> list[Line]:
    """The whole runbook: prose, with the questions of its steps."""
    named = STORY.match(runbook.story)
    name, link = STORIES.get(named[1] if named else "", ("", ""))
    place = runbook.story[named.end() :] if named else runbook.story
    about = (
        ("severity", runbook.severity),
        ("impact", runbook.impact),
        ("story", ", ".join(part for part in (name, place) if part)),
        ("link", link),
        ("reviewed", str(runbook.last_reviewed or "")),
    )
    lines = [line(" ", (runbook.title, "strong"), hang=1)]
    lines += [field(label, text) for label, text in about if text]
    for section in runbook.sections:
        lines += [BLANK, *section_lines(section)]
        for step in section.steps:
            kind, style = KINDS[step.kind]
            expected = (f"  expected: {filled(step.expected, {})}", "muted")
            question = filled(step.question, {})
            lines.append(field(kind, question, expected, style=style, size=7))
    return lines


def markdown_lines(text: str) -> list[Line]:
    """Markdown text with headings, lists and code in different styles, without comments. It is
    shown, never interpreted."""
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
            lines.append(line("   ", row.replace("\t", "    "), hang=5))
        elif bare.startswith("#"):
            lines.append(line(" ", (bare.lstrip("# "), "heading"), hang=1))
        else:
            indent = len(row) - len(row.lstrip()) + 1
            listed = bare[:2] in ("- ", "* ") or bare[:1].isdigit()
            hang = indent + 2 if listed else indent
            lines.append(line(" " * indent, bare.replace("**", ""), hang=hang))
    return lines
