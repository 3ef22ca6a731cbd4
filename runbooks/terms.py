"""Splits texts (log lines, alert names, sentences) into terms that can be compared.

A term has a stem ("restarting" and "restarts" have one) and perhaps a concept ("docker",
"containerd" and "CRI" share one: the runtime).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from runbooks.positions import read

TEXT_LIMIT = 4_000
"""Characters of a pasted text that are read: the beginning and the end, since logs say the cause at
either."""
TERM_LIMIT = 120

CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Between the words of `KubePodNotReady`."""
_NOISE = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"  # UUIDs
    # digests, container ids
    r"|\bsha256:[0-9a-f]{6,}|\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{12,64}\b"
    r"|\b\d{4}-\d\d-\d\d[t ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:z|[+-]\d\d:?\d\d)?"  # timestamps
    r"|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+|/\d+)?\b"  # IPv4
    r"|\bip(?:-\d{1,3}){4}[\w.-]*"  # node names of AWS
    r"|\b[ewif]\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+\b",  # klog
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+(?:'[a-z]+)?", re.UNICODE)
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`vocabulary.yaml`, compiled: phrases in order, the concept of a word, and words that say
    nothing."""

    phrases: tuple[tuple[re.Pattern[str], str], ...]
    concepts: Mapping[str, str]
    ignored: frozenset[str]
    failure: re.Pattern[str]
    """Found in a folded text that tells of something wrong."""
    cluster: re.Pattern[str]
    """Found in a folded text that names a thing of a cluster."""
    healthy: re.Pattern[str]
    """What a healthy cluster says, in a folded text."""
    told: Mapping[str, str]
    """Expressions that pages name in `tells`."""


@cache
def vocabulary() -> Vocabulary:
    data, _ = read(Path(__file__).with_name("vocabulary.yaml").read_text("utf-8"))
    return Vocabulary(
        phrases=tuple(
            (re.compile(item["pattern"], re.IGNORECASE), f" {item['is']} ")
            for item in data["phrases"]
        ),
        concepts=MappingProxyType(
            {word: concept for concept, words in data["concepts"].items() for word in words.split()}
        ),
        ignored=frozenset(data["ignored"].split()),
        failure=re.compile(data["failure"].replace("| ", "|")),
        cluster=re.compile(data["cluster"].replace("| ", "|")),
        healthy=re.compile(data["healthy"].replace("| ", "|")),
        told=MappingProxyType({key: one.replace("| ", "|") for key, one in data["told"].items()}),
    )


@dataclass(frozen=True, slots=True)
class Term:
    stem: str
    concept: str = ""
    shown: str = ""
    """The word, or the vocabulary's name for the phrase in its place (`samenode`)."""


def stem(word: str) -> str:
    """Cut plural and verb endings; short words and words with digits stay."""
    if len(word) < 4 or not word.isascii() or any(letter.isdigit() for letter in word):
        return word
    for ending, keep in (
        ("ies", "y"),
        ("sses", "ss"),
        ("ness", ""),
        ("ments", "ment"),
        ("ings", ""),
        ("ing", ""),
        ("edly", ""),
        ("ied", "y"),
        ("ed", ""),
        ("es", "e"),
        ("s", ""),
    ):
        if (
            word.endswith(ending)
            and len(word) - len(ending) >= 3
            and not (ending == "s" and word.endswith(("ss", "us", "is")))
        ):
            word = word[: -len(ending)] + keep
            break
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


def fold(text: str) -> str:
    """Lower case, one kind of quotes and spaces, compatibility forms unified; patterns are matched
    on this."""
    if len(text) > TEXT_LIMIT:
        text = text[: TEXT_LIMIT // 2] + "\n" + text[-TEXT_LIMIT // 2 :]
    folded = (
        unicodedata.normalize("NFKC", text)
        .replace("’", "'")
        .replace("“", '"')
        .replace("”", '"')
        .replace("，", ", ")
    )
    return " ".join(folded.split()).lower()


def without_healthy(folded: str) -> str:
    """A folded text without what a healthy cluster says."""
    return vocabulary().healthy.sub(" ", folded)


def terms(text: str) -> tuple[Term, ...]:
    """The distinct terms of a text, in order, at most TERM_LIMIT."""
    return terms_of_lines([text])[0]


def terms_of_lines(texts: Sequence[str]) -> list[tuple[Term, ...]]:
    """The terms of many texts in one pass: building an index this way costs a tenth of asking for
    each."""
    plain = "\n".join(_prepared(text) for text in texts)
    for pattern, replacement in vocabulary().phrases:
        plain = pattern.sub(replacement, plain)
    return [_distinct(line) for line in plain.split("\n")]


class WordsAsWritten:
    """Finds terms in one folded text again: the vocabulary's own names are not shown."""

    def __init__(self, folded: str) -> None:
        self._folded = folded
        self._known: dict[str, tuple[int, int]] = {}

    def of(self, found: Iterable[Term]) -> str:
        """The parts of the text that hold the terms, in its own order, with `…` between those that
        are more than two words apart; a term that the text does not hold is left out."""
        spans = sorted({span for term in found if (span := self._span(term.shown))[1]})
        parts: list[tuple[int, int]] = []
        for start, end in spans:
            if parts and len(self._folded[parts[-1][1] : start].split()) <= 2:
                parts[-1] = parts[-1][0], max(end, parts[-1][1])
            else:
                parts.append((start, end))
        return " … ".join(self._folded[start:end] for start, end in parts)

    def _span(self, name: str) -> tuple[int, int]:
        """Where a term first stands, (0, 0) for nowhere."""
        if name not in self._known:
            whole = re.search(rf"\b{re.escape(name)}\b", self._folded)
            at = self._folded.find(name)
            plain = (at, at + len(name)) if at >= 0 else self._phrase(name)
            self._known[name] = whole.span() if whole is not None else plain
        return self._known[name]

    def _phrase(self, name: str) -> tuple[int, int]:
        for pattern, replacement in vocabulary().phrases:
            match = pattern.search(self._folded) if name in replacement.split() else None
            if match is not None:
                return match.span()
        return 0, 0


def _prepared(text: str) -> str:
    """One line, lower case, without ids and times, alert names split into their words and kept
    whole beside."""
    if len(text) > TEXT_LIMIT:
        text = text[: TEXT_LIMIT // 2] + " " + text[-TEXT_LIMIT // 2 :]
    plain = " ".join(unicodedata.normalize("NFKC", text).replace("’", "'").split())
    plain = _NOISE.sub(" ", plain)
    parts = CAMEL.sub(" ", plain)
    if parts != plain:
        whole = " ".join(
            word for word in re.findall(r"\b[A-Z][A-Za-z0-9]{5,}\b", plain) if CAMEL.search(word)
        )
        parts = f"{parts} {whole}"
    return parts.lower()


def _distinct(line: str) -> tuple[Term, ...]:
    found: dict[str, Term] = {}
    for word in _WORD.findall(line):
        for term in _terms_of(word):
            found.setdefault(term.stem, term)
            if len(found) >= TERM_LIMIT:
                return tuple(found.values())
    return tuple(found.values())


def _terms_of(word: str) -> list[Term]:
    if _CJK.search(word):
        return [Term(word[index : index + 2], "", word) for index in range(max(1, len(word) - 1))]
    if (
        word in vocabulary().ignored
        or (word.isdigit() and len(word) > 3)
        or (len(word) == 1 and not word.isdigit())
    ):
        return []
    if word.isdigit():
        return []
    root = stem(word)
    return [Term(root, vocabulary().concepts.get(word, ""), word)]
