"""Ranks runbooks for a text by an index over phrases, built once and queried at each key.

A runbook is a set of phrases (symptoms, title, headings, sentences of the body), each with the
weight of its field. The score of a phrase is the share of its rarity that the query covers;
RapidFuzz adds order and spelling, and exact patterns add to the document's score. Known failures
without a runbook (`outside.yaml`) compete in the same index: when one of them wins, nothing fits.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rapidfuzz import fuzz, process

from runbooks.documents import Document
from runbooks.patterns import PatternIndex, compiled
from runbooks.rarity import FIELD_WEIGHTS, rarity_of_stems, split_phrases
from runbooks.terms import (
    Term,
    WordsAsWritten,
    fold,
    terms,
    vocabulary,
    without_healthy,
)

CONCEPT = 0.7
"""How much of a term a word with the same concept covers."""
TYPO = 0.85
PATTERN = 0.5
"""Weight of one exact pattern; three close most of the rest."""
MASS = 5.0
"""Rarity that a phrase must share with the query to count for a half."""
PARTS = (0.7, 0.45, 0.35, 0.25, 0.2)
"""How much of what is left to 1 each of a document's best phrases closes: several that half fit are
worth more than one by chance."""
WHOLE = 0.5
"""How much of what is left to 1 the query's words close that stand anywhere in a document's own
phrases."""
ENOUGH = 2.0
"""Rarity that a document must share with the query for that part to count for a half: a text of one
or two plain words says little."""
UNKNOWN = 3.0
"""Rarity of a word that stands nowhere."""
_SMALL = frozenset({"a", "an", "the", "is", "are", "of", "by", "its"})
SHOWN = 8
CLOSE, PHRASES = 400, 60
"""Phrases that are kept at all, and those that are looked at closely with RapidFuzz."""
CONFIDENT = 0.7
CENTRE, STEEPNESS = 0.38, 9.0
"""Calibration, measured on tests/runbooks/*.jsonl: below CENTRE what fits nothing outweighs what
fits."""


@dataclass(frozen=True, slots=True)
class WordMatch:
    id: str
    title: str
    score: float
    outside: bool
    phrases: tuple[str, ...]
    """The best phrases, as they are written in the runbook."""
    words: int
    """How many words of the query counted."""
    said: str
    """The parts of the text with the rarest of those words, at most SHOWN."""
    patterns: tuple[str, ...]
    """The parts of the text that its patterns match."""
    common: float
    """Rarity of what the query and the document share: one plain word has 1 to 2, a word that one
    runbook alone has 3.5 to 4."""
    guide: bool
    named: bool
    """The text holds its id or title word by word, or is one of its phrases."""
    refuted: str
    """The part of the text that speaks against it, "" without one."""
    failing: bool
    """The text has a word of failure."""
    cluster: bool
    """The text names a thing of a cluster."""
    share: float
    """The part of the text's rarity (0 to 1) that the page's symptoms, title and id have."""
    quoted: float
    """The part of the text (0 to 1) that its first two patterns show."""
    titled: float
    """The part of its title or id (0 to 1) that the text says."""
    elsewhere: bool
    """The text is about no cluster, or no failure, at all, so no page is sure."""


@dataclass(frozen=True, slots=True)
class _Phrase:
    document: int
    text: str
    folded: str
    weight: float
    mass: float
    terms: tuple[Term, ...]


class WordIndex:
    """Immutable once built; `rank` is pure and deterministic."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = tuple(documents)
        self._groups = {one.id: one.tells for one in documents if one.tells}
        self.narrows = {one.id: one.narrows for one in documents}
        """The guides that each story narrows."""
        self._phrases: list[_Phrase] = []
        self._stems: dict[str, list[tuple[int, float]]] = defaultdict(list)
        self._concepts: dict[str, list[tuple[int, float]]] = defaultdict(list)
        numbered = list(enumerate(documents))
        self._patterns = PatternIndex((n, one) for n, item in numbered for one in item.patterns)
        self._refuting = PatternIndex((n, one) for n, item in numbered for one in item.refuting)
        split = split_phrases(documents)
        self.rarity_of_stems = rarity_of_stems(
            [each for one, each in zip(documents, split, strict=True) if not one.elsewhere]
        )
        for number, phrases in enumerate(split):
            for field, text, found in phrases:
                self._add(number, field, text, found)
        self._named: list[tuple[str, int]] = []
        """Id and title of each page, as stems; of names of one word nothing follows, nor of what is
        left of longer ones: `database connections used up` says more than its two stems."""
        self._exact: dict[tuple[str, ...], set[int]] = defaultdict(set)
        """The documents that have exactly these words as a phrase."""
        for number, phrases in enumerate(split):
            for field, text, found in phrases:
                stems = tuple(term.stem for term in found)
                if len(stems) < 2 or documents[number].outside:
                    continue
                said = {*text.lower().split()} - _SMALL
                whole = len(stems) > 2 or len(said) <= len(stems) + 1
                if field in ("id", "title") and whole:
                    self._named.append((f" {' '.join(stems)} ", number))
                if field in ("id", "title", "symptom"):
                    self._exact[tuple(sorted(stems))].add(number)
        titles = (FIELD_WEIGHTS["title"], FIELD_WEIGHTS["id"])
        self._titles: dict[int, list[int]] = defaultdict(list)
        """The phrases that are the title and the id of a document."""
        for number, phrase in enumerate(self._phrases):
            if phrase.weight in titles:
                self._titles[phrase.document].append(number)
        self._masses = [phrase.mass for phrase in self._phrases]
        self._weights = [phrase.weight for phrase in self._phrases]
        self._known = self._owners(self._stems)
        self._near = self._owners(self._concepts)
        self._vocabulary = sorted(self._stems)
        self._typo = lru_cache(maxsize=4096)(self._closest)

    def _add(self, document: int, field: str, text: str, found: Sequence[Term]) -> None:
        if not found:
            return
        number = len(self._phrases)
        weights = [self.rarity_of_stems.get(term.stem, 1.0) for term in found]
        self._phrases.append(
            _Phrase(document, text, fold(text), FIELD_WEIGHTS[field], sum(weights), tuple(found))
        )
        for term, weight in zip(found, weights, strict=True):
            self._stems[term.stem].append((number, weight))
            if term.concept:
                self._concepts[term.concept].append((number, weight))

    def _owners(
        self, where: Mapping[str, Sequence[tuple[int, float]]]
    ) -> dict[str, frozenset[int]]:
        """The documents that have a stem or concept in their symptoms, title or id."""
        well = FIELD_WEIGHTS["id"]
        return {
            word: frozenset(
                self._phrases[number].document
                for number, _ in found
                if self._phrases[number].weight >= well
            )
            for word, found in where.items()
        }

    def _closest(self, word: str) -> str:
        """The stem of the vocabulary that a misspelt word means, "" when none is near."""
        if len(word) < 5 or not word.isascii():
            return ""
        found = process.extractOne(word, self._vocabulary, scorer=fuzz.ratio, score_cutoff=84)
        return str(found[0]) if found and found[0][:1] == word[:1] else ""

    def _meant(self, stem: str) -> tuple[str, float]:
        """The stem of the vocabulary that is meant, and how much it counts: 1, TYPO when misspelt,
        0 when it is unknown."""
        if stem in self._stems:
            return stem, 1.0
        near = self._typo(stem)
        return (near, TYPO) if near else (stem, 0.0)

    def rank(self, text: str, limit: int = 24) -> list[WordMatch]:
        """The documents with most in common, best first (ties by id)."""
        query = terms(text)
        folded = fold(text)
        hits, refuted = self._patterns.find(folded), self._refuting.find(folded)
        for number in refuted:
            if self.documents[number].outside:
                hits.pop(number, None)
        covered = self._cover(query)
        found = self._best_phrases(folded, covered)
        total, common = self._in_common(query)
        named = self._named_in(text, query)
        scores = [
            (
                self._score(
                    found.get(number, ()),
                    len(hits.get(number, ())),
                    _share(common.get(number, 0.0), total),
                ),
                number,
            )
            for number in {*found, *hits, *named}
        ]
        best = sorted(scores, key=lambda item: (-item[0], self.documents[item[1]].id))[:limit]
        as_written = WordsAsWritten(folded)
        failing = vocabulary().failure.search(without_healthy(folded)) is not None
        cluster = vocabulary().cluster.search(folded) is not None
        return [
            self._match(
                number,
                score,
                found.get(number, ()),
                query,
                as_written,
                patterns=tuple(hits.get(number, ())),
                common=common.get(number, 0.0),
                named=number in named,
                refuted=next(iter(refuted.get(number, ())), ""),
                failing=failing,
                cluster=cluster,
                share=common.get(number, 0.0) / total if total else 0.0,
                quoted=sum(map(len, hits.get(number, ())[:2])) / max(len(folded), 1),
                titled=max(
                    (
                        covered.get(each, 0.0) / self._masses[each]
                        for each in self._titles.get(number, ())
                    ),
                    default=0.0,
                ),
                elsewhere=self.documents[number].elsewhere and number in hits,
            )
            for score, number in best
            if score > 0.02
        ]

    def tells(self, runbook_id: str, text: str) -> bool:
        """Whether a text has something of each group that the page must be told; a page without
        groups is told by any."""
        groups = self._groups.get(runbook_id, ())
        said = without_healthy(fold(text)) if groups else ""
        expressions = (compiled(group) for group in groups)
        return all(one is not None and one.search(said) for one in expressions)

    def _named_in(self, text: str, query: Sequence[Term]) -> set[int]:
        """The documents whose name stands in the text, or one of whose phrases the text is."""
        stems = [term.stem for term in query]
        if len(text.split()) == 1:
            return set()  # `CrashLoopBackOff` is a word of Kubernetes, not the name of a page
        said = f" {' '.join(stems)} "
        found = {number for name, number in self._named if name in said}
        return found | self._exact.get(tuple(sorted(stems)), set())

    def _best_phrases(
        self, folded: str, covered: Mapping[int, float]
    ) -> dict[int, list[tuple[float, int]]]:
        """At most len(PARTS) (score, phrase) of each document, best first. RapidFuzz looks closely
        at the best PHRASES of all."""
        scored = []
        masses, weights = self._masses, self._weights
        for number, mass in covered.items():
            whole = masses[number]
            mass = mass if mass < whole else whole
            if mass > 0.8:
                share = mass / whole
                scored.append(
                    (-weights[number] * share * math.sqrt(share) * mass / (mass + MASS), number)
                )
        scored.sort()
        start = folded[:400]
        found: dict[int, list[tuple[float, int]]] = defaultdict(list)
        for index, (negative, number) in enumerate(scored[:CLOSE]):
            phrase, score = self._phrases[number], -negative
            if index < PHRASES:
                ratio = (
                    fuzz.token_set_ratio(start, phrase.folded) / 100
                    if len(phrase.terms) > 1
                    else 0.0
                )
                score *= 0.8 + 0.35 * ratio * ratio
            found[phrase.document].append((min(score, 1.0), number))
        return {
            document: sorted(items, key=lambda item: (-item[0], item[1]))[: len(PARTS)]
            for document, items in found.items()
        }

    def _in_common(self, query: Iterable[Term]) -> tuple[float, dict[int, float]]:
        """The query's rarity, and by document what of it stands anywhere in its symptoms, title and
        id."""
        common: dict[int, float] = defaultdict(float)
        total = 0.0
        for term in query:
            stem, part = self._meant(term.stem)
            weight = self.rarity_of_stems.get(stem, UNKNOWN)
            total += weight
            exact = self._known.get(stem, frozenset())
            for number in exact:
                common[number] += weight * part
            for number in self._near.get(term.concept, frozenset()) - exact:
                common[number] += weight * CONCEPT
        return total, common

    def _score(self, found: Sequence[tuple[float, int]], patterns: int, share: float) -> float:
        """Each of the best phrases, each pattern and the share of all words close a part of what is
        left to 1."""
        rest = 1.0 - WHOLE * share
        for (score, _), part in zip(found, PARTS, strict=False):
            rest *= 1 - score * part
        for index in range(min(patterns, 3)):
            rest *= 1 - PATTERN / (1 + 0.5 * index)
        return 1 - rest

    def _cover(self, query: Iterable[Term]) -> dict[int, float]:
        """Rarity of each phrase's terms that the query covers, by phrase."""
        covered: dict[int, float] = defaultdict(float)
        concepts: set[str] = set()
        for term in query:
            stem, share = self._meant(term.stem)
            if share:
                for number, weight in self._stems[stem]:
                    covered[number] += weight * share
            if term.concept and term.concept not in concepts:
                concepts.add(term.concept)
                same = {number for number, _ in self._stems.get(stem, ())} if share else set()
                for number, weight in self._concepts.get(term.concept, ()):
                    if number not in same:
                        covered[number] += weight * CONCEPT
        return covered

    def _match(
        self,
        number: int,
        score: float,
        found: Sequence[tuple[float, int]],
        query: Sequence[Term],
        as_written: WordsAsWritten,
        **facts: Any,
    ) -> WordMatch:
        """`facts`: fields of the match that are passed on."""
        document = self.documents[number]
        shown = [self._phrases[phrase] for _, phrase in found[:3]]
        known = {term.stem for phrase in shown for term in phrase.terms}
        known |= {term.concept for phrase in shown for term in phrase.terms if term.concept}
        words = [term for term in query if not known.isdisjoint((term.stem, term.concept or ""))]
        words.sort(key=lambda term: -self.rarity_of_stems.get(term.stem, 0))
        well = FIELD_WEIGHTS["heading"]
        return WordMatch(
            id=document.id,
            title=document.title,
            score=score,
            outside=document.outside,
            phrases=tuple(phrase.text for phrase in shown if phrase.weight >= well),
            words=len({term.shown for term in words}),
            said=as_written.of(words[:SHOWN]),
            guide=document.guide,
            **facts,
        )


def _share(common: float, total: float) -> float:
    """The part of the query that a document has, 0 to 1; less when that is little."""
    return common / total * common / (common + ENOUGH) if common else 0.0


def calibrated(score: float) -> float:
    """A raw score as a probability that the runbook fits."""
    return 1 / (1 + math.exp(-STEEPNESS * (score - CENTRE))) if score > 0 else 0.0
