"""Which runbook fits: a human's words, a symptom's evidence, or both, in one explained score.
"Nothing fits" is an answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from runbooks import evidence
from runbooks.loader import Library
from runbooks.match import Match, Reason
from runbooks.model import Runbook
from triage.facts.finding import Report, Symptom

# evidence is ranked without words: RapidFuzz and the vocabulary take 0.1 s, and the first answer
# does not wait for them
if TYPE_CHECKING:
    from runbooks.documents import Document
    from runbooks.word_index import WordIndex, WordMatch

SHOWN = 10
"""Matches in an answer."""
LOWEST = 0.03
RIVAL = 0.7
"""A known failure outside the catalogue with this part of the best score is reason enough not to be
confident."""
SAID = 5.5
"""Rarity of the words in common without which no text is sure: "pods keep restarting" or "disk"
name a subject, not a failure."""


class Matcher:
    """Ranks the runbooks of a library. The word index is built at the first use and again when the
    library has changed."""

    def __init__(
        self, library: Library, *, known_outside: Sequence[Document] | None = None
    ) -> None:
        self.library = library
        self._outside = None if known_outside is None else tuple(known_outside)
        self._index: WordIndex | None = None
        self._generation = -1
        self._of: Report | None = None
        self._known: evidence.Scope | None = None

    @property
    def index(self) -> WordIndex:
        if self._index is None or self._generation != self.library.generation:
            from runbooks.documents import document, outside
            from runbooks.word_index import WordIndex

            if self._outside is None:
                self._outside = outside()
            self._index = WordIndex([*map(document, self.library.runbooks), *self._outside])
            self._generation = self.library.generation
        return self._index

    def match_words(self, text: str) -> list[Match]:
        """Runbooks for a human's words, best first. When nothing fits none is `confident`, and
        `against` says what it looks like."""
        if not text.strip():
            return []
        ranked = self.index.rank(text)
        other = next((one for one in ranked if one.outside), None)
        ours = [one for one in ranked if not one.outside][:SHOWN]
        best = ours[0].score if ours else 0.0
        rival = other if other and other.score >= best * RIVAL and other.score > 0.1 else None
        return [_from_words(one, best, rival) for one in ours if one.score >= LOWEST]

    def match_symptom(self, symptom: Symptom, report: Report | None = None) -> list[Match]:
        """Runbooks for one symptom, best first; only those for which something speaks."""
        found = evidence.judge_all(self._speaking(symptom, report), symptom, self._scope(report))
        return _ordered(match for match in found if match.for_ and match.score >= LOWEST)

    def _speaking(self, symptom: Symptom, report: Report | None) -> list[Runbook]:
        """Runbooks for which a rule of the symptom or of the report could speak."""
        here = evidence.Scope(symptom.findings, symptom.changes, symptom.shared)
        elsewhere = self._scope(report)
        scopes = [here] if elsewhere is None else [here, elsewhere]
        return [runbook for runbook in self._ours() if evidence.touched(runbook, scopes)]

    def _scope(self, report: Report | None) -> evidence.Scope | None:
        """The scope of the report, kept while its symptoms are matched one after the other."""
        if report is None:
            return None
        if self._of is not report:
            self._of, self._known = report, evidence.scope_of(report)
        return self._known

    def match(self, text: str, report: Report | None) -> list[Match]:
        """Words and evidence together: good words without a cluster, a good match without words,
        and both in one score."""
        words = {match.id: match for match in self.match_words(text)}
        live: dict[str, Match] = {}
        for symptom in report.symptoms if report else ():
            for match in self.match_symptom(symptom, report):
                if match.id not in live or (match.score, match.id) > (
                    live[match.id].score,
                    match.id,
                ):
                    live[match.id] = match
        if not text.strip():
            return _ordered(live.values())[:SHOWN]
        return _ordered(_combine(words.get(key), live.get(key)) for key in {*words, *live})[:SHOWN]

    def _ours(self) -> Iterable[Runbook]:
        return (runbook for runbook in self.library.runbooks if runbook.match)


def _ordered(matches: Iterable[Match]) -> list[Match]:
    return sorted(matches, key=lambda match: (-match.score, match.id))


def _from_words(found: WordMatch, best: float, rival: WordMatch | None) -> Match:
    from runbooks.word_index import CONFIDENT, calibrated

    score = calibrated(found.score) * (1.0 if rival is None else 0.5)
    says_enough = bool(found.patterns) or (len(found.words) > 1 and found.common >= SAID)
    reasons = [Reason(f"the text has the form {pattern}") for pattern in found.patterns[:2]]
    if found.words:
        reasons.append(Reason(f"words in common: {', '.join(found.words[:8])}"))
    if found.phrases:
        reasons.append(Reason(f"like “{found.phrases[0]}”"))
    return Match(
        id=found.id,
        title=found.title,
        score=round(score, 4),
        confident=rival is None
        and says_enough
        and score >= CONFIDENT
        and found.score >= best * 0.75,
        for_=tuple(reasons),
        against=(Reason(f"it reads more like: {rival.title} (no runbook)"),) if rival else (),
    )


def _combine(words: Match | None, live: Match | None) -> Match:
    if words is None and live is not None:
        return replace(live, score=round(live.score * 0.35, 4), confident=False)
    assert words is not None
    if live is None:
        return words
    refuted = 0.75 if live.against else 1.0
    score = (words.score + (1 - words.score) * 0.6 * live.score) * refuted
    return replace(
        words,
        score=round(score, 4),
        confident=(words.confident and not live.against)
        or (live.confident and words.score >= 0.15),
        for_=(*live.for_, *words.for_),
        missing=live.missing,
        against=(*live.against, *words.against),
    )
