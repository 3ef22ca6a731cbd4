"""Ranks runbooks for a text alone. "Nothing fits" is an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from runbooks.loader import Library
from runbooks.match import Match, Reason
from runbooks.ranking.order import falling
from runbooks.ranking.prose import is_of_programs, is_report

# Imported at first use: RapidFuzz and the vocabulary take 0.1 s, and the first report, which ranks
# evidence alone, does not wait for them.
if TYPE_CHECKING:
    from runbooks.documents import Document
    from runbooks.identity import PageNames
    from runbooks.paste import Paste
    from runbooks.word_index import WordIndex, WordMatch

SHOWN = 10
"""Matches in an answer."""
LOWEST = 0.03
"""Words with a lower score do not list a page."""
RIVAL = 0.7
"""A known failure without a runbook that has this share of the best score removes confidence."""
SAID = 5.5
"""Rarity of the words in common that confidence needs: "pods keep restarting" or "disk" name a
subject, not a failure."""
STORY = 0.93
"""A story with this share of a guide's score stands above it, since it tells more, unless the text
holds an error line of a guide and none of the story. It is sure only when no guide fits better."""
REFUTED = 0.5
"""Factor of the words' score when the text holds a refuting pattern."""
NAMED = 0.75
"""Lowest score of a page whose id or title the text holds word by word."""
OVER = "over"
"""The text about no failure whose pattern says that an alert is over."""


class WordRanking:
    """Ranks the runbooks of a library by words. Builds the word index at first use, and again when
    the library changes."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._outside: tuple[Document, ...] | None = None
        self._index: WordIndex | None = None
        self._names: PageNames | None = None
        self._generation = -1

    @property
    def index(self) -> WordIndex:
        return self._words()[0]

    def _words(self) -> tuple[WordIndex, PageNames]:
        if (
            self._index is None
            or self._names is None
            or self._generation != self.library.generation
        ):
            from runbooks.documents import document, outside
            from runbooks.identity import PageNames
            from runbooks.word_index import WordIndex

            if self._outside is None:
                self._outside = outside()
            runbooks = self.library.runbooks
            documents = [document(runbook) for runbook in runbooks]
            self._index = WordIndex([*documents, *self._outside])
            self._names = PageNames(runbooks, {one.id: one.alerts for one in documents})
            self._generation = self.library.generation
        return self._index, self._names

    def match_words(self, text: str) -> list[Match]:
        """Runbooks for one text, typed or pasted: first the pages that it names, then the rest by
        score. When nothing fits, none is `confident` and `against` says what the text reads
        like."""
        from runbooks.paste import read_paste

        return self.match_paste(read_paste(text)) if text.strip() else []

    def match_paste(self, paste: Paste) -> list[Match]:
        index, names = self._words()
        named = names.find(paste)
        ranked = index.rank(paste.words)
        by_id = {one.id: one for one in ranked}
        elsewhere = next((_reads_like(one) for one in ranked if one.elsewhere), "")
        ended = paste.over or any(one.elsewhere and one.id == OVER for one in ranked)
        over = "the text says that it is over" if ended else ""
        certain = [self._certain(key, name, by_id.get(key), over) for key, name in named.items()]
        ours = [one for one in ranked if not one.outside and one.id not in named]
        printed = is_of_programs(paste.text)
        causes = {one.id for one in ours if printed and index.narrows[one.id]}
        best = max((_weight(one) for one in ours), default=0.0)
        other = next((one for one in ranked if one.outside), None)
        if other is not None and (other.score < best * RIVAL or other.score <= 0.1):
            other = None
        best = max((_weight(one) for one in ours if one.id not in causes), default=0.0)
        guide = max((one for one in ours if one.guide), key=_weight, default=None)
        exact = any(one.guide and one.patterns for one in ours)

        def standing(one: WordMatch) -> float:
            return _weight(one) / (1.0 if one.guide or (exact and not one.patterns) else STORY)

        ours.sort(key=lambda one: (-standing(one), one.id))
        lone = len(paste.words.split()) == 1
        unclear = bool(ours) and not ours[0].cluster and is_report(paste.text)
        found: list[Match] = []
        short: list[Match] = []
        """What would be sure if the text told the fault whole."""
        for one in ours[:SHOWN]:
            rival = other
            if guide is not None and not one.guide and standing(one) < standing(guide):
                rival = other or guide
            if one.score >= LOWEST:
                against = "" if rival is None or one.named else _reads_like(rival)
                match = _from_words(one, best, over or elsewhere or against, lone)
                told = not unclear and index.tells(one.id, paste.words)
                if one.id not in causes and (told or not match.confident):
                    found.append(match)
                else:
                    short.append(replace(match, confident=False))
        # The page whose words fit best decides: where it is untold, no page behind it is sure, but
        # for the guide that it narrows.
        if short and short[0].id == ours[0].id:
            general = index.narrows[short[0].id]
            found = [one if one.id in general else replace(one, confident=False) for one in found]
            found.sort(key=lambda one: not one.confident)
        if certain or (found and not found[0].confident):
            found = [replace(one, confident=False) for one in found]
        if not any(one.confident for one in found):
            shown = [one.id for one in ours]
            found = sorted([*found, *short], key=lambda one: shown.index(one.id))
        else:
            found += short
        return [*certain, *falling(found)][:SHOWN]

    def _certain(self, runbook_id: str, name: str, words: WordMatch | None, over: str) -> Match:
        """A page that the text names. `over`: why the text tells of no failure that stands."""
        runbook = self.library.get(runbook_id)
        assert runbook is not None, "names and library are of one generation"
        reasons = [Reason(f"the text names it: {name}")]
        if words is not None and words.said:
            reasons.append(_said(words.said))
        return Match(
            runbook_id,
            runbook.title,
            1.0,
            not over,
            tuple(reasons),
            against=(Reason(over),) if over else (),
            guide=runbook.guide,
            certain=True,
        )


def _weight(found: WordMatch) -> float:
    """The score of a page's words, lowered when the text refutes the page and does not name it."""
    return found.score * (REFUTED if found.refuted and not found.named else 1.0)


def _from_words(found: WordMatch, best: float, rival: str, lone: bool) -> Match:
    """`best`: the highest weight of all pages. `rival`: why the text fits no page, or another, ""
    without a reason. `lone`: the text is one word; only a pattern makes one word sure."""
    from runbooks.ranking.certainty import tells
    from runbooks.word_index import CONFIDENT, calibrated

    against = [Reason(rival)] if rival else []
    if found.refuted and not found.named:
        against.append(Reason(f"the text says “{found.refuted}”"))
    near_best = _weight(found) >= best * 0.75
    score = calibrated(_weight(found)) * (0.5 if rival else 1.0)
    if found.named and near_best:
        score = max(score, NAMED)
    says_enough = (
        bool(found.patterns)
        or found.named
        or (not lone and found.failing and found.words > 1 and found.common >= SAID)
    )
    sure = not against and says_enough and tells(found)
    reasons = [_said(part) for part in found.patterns[:2] if part]
    if found.said and not any(found.said in part for part in found.patterns[:2]):
        reasons.append(_said(found.said))
    if found.phrases:
        reasons.append(Reason(f"the runbook says “{found.phrases[0]}”"))
    return Match(
        id=found.id,
        title=found.title,
        score=round(score, 4),
        confident=sure and near_best and score >= CONFIDENT,
        for_=tuple(reasons),
        against=tuple(against),
        guide=found.guide,
        named=found.named,
    )


def _said(part: str) -> Reason:
    return Reason(f"the text says “{part}”")


def _reads_like(rival: WordMatch) -> str:
    return f"it reads more like: {rival.title}" + ("" if rival.guide else " (no runbook)")
