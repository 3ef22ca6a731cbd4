"""What a text is compared with: phrases and patterns of the runbooks, of known failures that no
runbook covers (`outside.yaml`), and of texts about no failure of a cluster (`elsewhere.yaml`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from runbooks.fields import FieldError, Lines, strings
from runbooks.model import Problem, Runbook
from runbooks.positions import YamlError, read
from runbooks.terms import vocabulary

INTRODUCTION = frozenset({"what-it-looks-like", "what-it-means"})
"""Sections whose sentences describe the failure."""
OUTSIDE = Path(__file__).with_name("outside.yaml")
ELSEWHERE = Path(__file__).with_name("elsewhere.yaml")


class Pattern(msgspec.Struct, frozen=True):
    """A regular expression over the folded text (`terms.fold`) that is near to proof by itself: an
    error line, an alert's name.

    `needs`: parts of a text, in lower case, one of which every match contains; looking for them
    first makes hundreds of patterns affordable at each key. Empty: the pattern is always tried.
    `shows`: texts that it matches, the reason why it is there.
    """

    expression: str
    needs: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()
    line: int = 1


class Words(msgspec.Struct, frozen=True):
    """What stands in `ID.words.yaml`: what the matcher needs and a reader of the runbook does
    not."""

    phrases: tuple[str, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    refuting: tuple[Pattern, ...] = ()
    """What shows that a text is about something else, though its words are alike."""
    alerts: tuple[str, ...] = ()
    """Names of alerts for which the page is written: such an alert is certain."""
    tells: tuple[str, ...] = ()
    """Expressions over the folded text; words alone are sure only of a text that has each. `{name}`
    stands for one of the vocabulary (`told`)."""
    narrows: tuple[str, ...] = ()
    """The guides of the same fault that a story tells one cause of. A line of a program shows the
    fault and not the cause."""


_PATTERN_FIELDS = frozenset({"shows", "needs", "pattern"})


def read_words(text: str, path: Path) -> tuple[Words, tuple[Problem, ...]]:
    """The words of one file, and what is wrong with it. A file that cannot be read gives none."""
    try:
        data, lines = read(text)
        if data is None:
            return Words(), ()
        return _words(data, lines, ()), ()
    except (YamlError, FieldError) as error:
        return Words(), (Problem(path, error.line, str(error)),)


def _words(data: Any, lines: Lines, at: tuple[str, ...]) -> Words:
    """`at`: where the mapping stands in its file. Raises FieldError."""
    line = lines.get(at, 1)
    if not isinstance(data, dict):
        raise FieldError(line, "must be a mapping with phrases and patterns")
    unknown = sorted(
        {*map(str, data)}
        - {"id", "title", "phrases", "patterns", "refuting", "alerts", "tells", "narrows"}
    )
    if unknown:
        raise FieldError(
            lines.get((*at, unknown[0]), line),
            f"has an unknown field {unknown[0]!r}; known: phrases, patterns, refuting, "
            "alerts, tells, narrows",
        )
    return Words(
        phrases=strings(data.get("phrases"), lines.get((*at, "phrases"), line), "phrases"),
        alerts=strings(data.get("alerts"), lines.get((*at, "alerts"), line), "alerts"),
        tells=_groups(data, lines.get((*at, "tells"), line)),
        narrows=strings(data.get("narrows"), lines.get((*at, "narrows"), line), "narrows"),
        patterns=_patterns(data, lines, (*at, "patterns"), line),
        refuting=_patterns(data, lines, (*at, "refuting"), line),
    )


def _groups(data: Mapping[str, Any], line: int) -> tuple[str, ...]:
    """The groups of `tells` with the expressions that they name. Raises FieldError."""
    groups = strings(data.get("tells"), line, "tells")
    if not all(group.strip() for group in groups):
        raise FieldError(line, "tells has an empty group; every text has it")
    return tuple(
        _NAME.sub(lambda name: vocabulary().told.get(name[1], name[0]), group) for group in groups
    )


_NAME = re.compile(r"\{([a-z]+)\}")


def _patterns(
    data: Mapping[str, Any], lines: Lines, at: tuple[str, ...], line: int
) -> tuple[Pattern, ...]:
    given = data.get(at[-1]) or ()
    if not isinstance(given, list | tuple):
        raise FieldError(lines.get(at, line), f"field {at[-1]} must be a list")
    return tuple(
        _pattern(item, lines.get((*at, str(number)), line)) for number, item in enumerate(given)
    )


def _pattern(data: Any, line: int) -> Pattern:
    if not isinstance(data, dict) or not set(map(str, data)) <= _PATTERN_FIELDS:
        raise FieldError(line, "a pattern is a mapping of pattern, needs and shows")
    alternatives = strings(data.get("pattern"), line, "pattern")
    if not alternatives:
        raise FieldError(line, "lacks pattern: a regular expression, or a list of alternatives")
    return Pattern(
        "|".join(alternatives),
        strings(data.get("needs"), line, "needs"),
        strings(data.get("shows"), line, "shows"),
        line,
    )


@dataclass(frozen=True, slots=True)
class Document:
    """A runbook, or (`outside`) a known failure that no runbook covers.

    `elsewhere`: a text that one of its patterns matches, and no refuting one, is about no failure
    of a cluster at all.
    """

    id: str
    title: str
    phrases: tuple[tuple[str, str], ...]
    """(field, text)."""
    patterns: tuple[Pattern, ...]
    outside: bool = False
    guide: bool = False
    alerts: tuple[str, ...] = ()
    refuting: tuple[Pattern, ...] = ()
    elsewhere: bool = False
    tells: tuple[str, ...] = ()
    narrows: tuple[str, ...] = ()


def document(runbook: Runbook) -> Document:
    """The phrases of a runbook: symptoms, words, title, id; headings and sentences of a plain one,
    the first section of ours."""
    words, _ = read_words(runbook.words, runbook.path)
    phrases = [("symptom", text) for text in (*runbook.symptoms, *words.phrases, *words.alerts)]
    phrases += [("title", runbook.title), ("id", runbook.id.replace("-", " "))]
    if runbook.impact:
        phrases.append(("body", runbook.impact))
    sections = (
        runbook.sections
        if runbook.plain
        else [section for section in runbook.sections if section.slug in INTRODUCTION]
    )
    for section in sections:
        if runbook.plain:
            phrases.append(("heading", section.title))
        phrases += [("body", sentence) for sentence in _sentences(section.text)]
    return Document(
        id=runbook.id,
        title=runbook.title,
        phrases=tuple(phrases),
        patterns=words.patterns,
        guide=runbook.guide,
        alerts=words.alerts,
        refuting=words.refuting,
        tells=words.tells,
        narrows=words.narrows,
    )


def _sentences(text: str) -> list[str]:
    plain = re.sub(r"```.*?```", " ", text, flags=re.DOTALL)
    return [
        part.strip(" -*#>|")
        for part in re.split(r"(?<=[.!?;])\s+|\n\s*\n|\n[-*] ", plain)
        if len(part.strip()) > 12
    ][:40]


def outside() -> tuple[Document, ...]:
    """Known failures without a runbook of ours, and texts about no failure of a cluster: id, title
    and words of each."""
    found = []
    for path in (OUTSIDE, ELSEWHERE):
        data, lines = read(path.read_text("utf-8"))
        for number, item in enumerate(data):
            words = _words(item, lines, (str(number),))
            title = str(item["title"])
            phrases = (("title", title), *(("symptom", text) for text in words.phrases))
            found.append(
                Document(
                    str(item["id"]),
                    title,
                    phrases,
                    words.patterns,
                    outside=True,
                    refuting=words.refuting,
                    elsewhere=path == ELSEWHERE,
                )
            )
    return tuple(found)
