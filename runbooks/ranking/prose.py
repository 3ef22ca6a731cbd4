"""Who wrote a text: a person, or a program whose lines were pasted."""

from __future__ import annotations

import re

REPORT = 30
"""Words from which two sentences or more are a report, and no complaint in chat. Measured on
tests/runbooks/*.jsonl and on public reports of incidents outside of clusters."""

_LINE = re.compile(
    r"^\s*(?:Warning|Normal)\b|^\s*[A-Z][a-z]+(?:[A-Z][a-z]+)+\b|\d\d:\d\d:\d\d|\brpc error\b"
    r"|\bdesc = |\b[EWIF]\d{4} |\blevel=|\"level\"|\b\w+\.go:\d+|\b(?:kernel|watchdog): "
    r"|\bfailed for \w+ \"|\bError: |: [^:]{3,60}: |=\"[^\"]*\"|\[(?:error|warn|emerg|fatal)\]"
    r"|^\s*(?:Reason|Status|Events|Last State):"
)
_PERSON = re.compile(
    r"\b(?:we|our|us|i|my|since|after|when|whenever|while|again|each|every|all|both|because|but"
    r"|late|suddenly|keeps?|new|fresh\w*|only|same|stuck (?:at|in|on)|wir|seit|nach"
    r"|neue\w*)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_MARKS = re.compile(r"[{}=]|\bat [\w.$]+\(|\b[\w.]+(?:Exception|Error)\b")
"""What stands in lines of programs and not in a report."""


def is_of_programs(text: str) -> bool:
    """Whether each line of a text is one that a program prints, with no word of a person about
    when, since when, or how often."""
    lines = [line for line in text.splitlines() if line.strip()]
    return bool(lines) and all(_LINE.search(line) and not _PERSON.search(line) for line in lines)


def is_report(text: str) -> bool:
    """Whether a text is a report in prose: several sentences, and no line of a program."""
    if _MARKS.search(text):
        return False
    sentences = [one for one in _SENTENCE.split(text) if len(one.split()) >= 4]
    return len(sentences) > 1 and len(text.split()) >= REPORT
