"""Ranks runbooks for a text, for a symptom's evidence, or for both in one explained score. "Nothing
fits" is an answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cluster.kube.objects import Ref
from runbooks.loader import Library
from runbooks.match import Match
from runbooks.ranking.evidence import LISTED, EvidenceRanking
from runbooks.ranking.order import BELOW, ordered
from runbooks.ranking.words import SHOWN, WordRanking
from triage.facts.finding import Report, Symptom

if TYPE_CHECKING:
    from runbooks.word_index import WordIndex

TOLD = 2
"""Words of a symptom's title in a text that tells that symptom."""
ALONE, APART = 0.35, 0.6
"""Factors of the evidence's score when the words are sure of another page, and when the text names
other objects. Words that are sure of none leave the score that the evidence has without them."""


class Matcher:
    """Ranks the runbooks of a library."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._words = WordRanking(library)
        self._evidence = EvidenceRanking(library)

    @property
    def index(self) -> WordIndex:
        return self._words.index

    def match_words(self, text: str) -> list[Match]:
        """Runbooks for one text, typed or pasted."""
        return self._words.match_words(text)

    def match_symptom(self, symptom: Symptom, report: Report | None = None) -> Sequence[Match]:
        """Runbooks for one symptom, best first; only those with evidence of their own mechanism."""
        return self._evidence.match_symptom(symptom, report)

    def match(self, text: str, report: Report | None) -> list[Match]:
        """Runbooks for a text and a report together, in one score. Evidence about the objects that
        the text names counts in full."""
        from runbooks.paste import read_paste

        paste = read_paste(text)
        words: Mapping[str, Match] = (
            {match.id: match for match in self._words.match_paste(paste)} if text.strip() else {}
        )
        live: dict[str, Match] = {}
        listed: set[str] = set()
        told: set[str] = set()
        said = _telling(text)
        for symptom, match in self._evidence.matches_of(report):
            if match.score >= LISTED:
                listed.add(match.id)
            if not _concerns(symptom, paste.objects):
                match = replace(match, score=round(match.score * APART, 4), confident=False)
            elif match.confident and len(said & _telling(symptom.title)) >= TOLD:
                told.add(match.id)
            known = live.get(match.id)
            if known is None or (match.score, match.id) > (known.score, known.id):
                live[match.id] = match
        if not text.strip():
            return ordered(live[key] for key in listed)[:SHOWN]
        words = _beside(words, live)
        named = {*words, *listed}
        sure = any(match.confident for match in words.values())
        found = [_combine(words.get(key), live.get(key), sure and key not in told) for key in named]
        # The symptom that the text tells has shown its page: other pages have only words.
        found = [replace(one, confident=True) if one.id in told else one for one in found]
        return ordered(found, told)[:SHOWN]


@lru_cache(1024)
def _telling(text: str) -> frozenset[str]:
    """The words of a text that can tell one symptom from another, kept for the titles."""
    return frozenset(word for word in _WORD.findall(text.casefold()) if word not in _COMMON)


_WORD = re.compile(r"[a-z0-9][a-z0-9.-]{2,}[a-z0-9]")
_COMMON = frozenset(
    ("does", "from", "have", "more", "node", "nodes", "pods", "that", "with", "your")
)


def _concerns(symptom: Symptom, objects: Sequence[Ref]) -> bool:
    """Whether a symptom involves an object that the text names, or the text names none."""
    if not objects:
        return True
    narrow = [ref for ref in objects if ref.kind != "Namespace"] or objects
    seen = {ref for finding in symptom.findings for ref in (finding.object, *finding.related)}
    seen.update(symptom.objects)
    return any(
        (ref.kind == other.kind and ref.name == other.name)
        or (ref.kind == "Namespace" and ref.name == other.namespace)
        for ref in narrow
        for other in seen
    )


def _beside(words: Mapping[str, Match], live: Mapping[str, Match]) -> Mapping[str, Match]:
    """The pages for words, beside those of the evidence: where evidence is sure of a page, words
    alone are sure of no other one, nor do they lift it above, unless the text names it
    and none that is shown."""
    sure = [one.score for one in live.values() if one.confident]
    if not sure:
        return words
    most = round(max(sure) * BELOW, 4)
    shown = any(one.named and key in live and live[key].confident for key, one in words.items())
    return {
        key: one
        if one.certain or (one.named and not shown) or (key in live and live[key].own)
        else replace(one, confident=False, score=min(one.score, most))
        for key, one in words.items()
    }


def _combine(words: Match | None, live: Match | None, sure: bool) -> Match:
    """`sure`: the words are sure of a page."""
    other = sure and not (words is not None and words.confident)
    least = live.score * (ALONE if other else 1.0) if live is not None else 0.0
    if words is None and live is not None:
        return replace(live, score=round(least, 4), confident=False)
    assert words is not None
    if live is None:
        return words
    refuted = 0.75 if live.against and not words.certain else 1.0
    score = max(least, (words.score + (1 - words.score) * 0.6 * live.score) * refuted)
    return replace(
        words,
        score=round(score, 4),
        confident=(words.certain and words.confident)
        or (words.confident and not live.against)
        or (live.confident and words.score >= 0.15),
        for_=(*live.for_, *words.for_),
        missing=live.missing,
        # What the text reads more like says nothing against evidence that is sure.
        against=live.against if live.confident else (*live.against, *words.against),
        own=live.own,
    )
