"""Ranks runbooks for a text, for a symptom's evidence, or for both in one explained score. "Nothing
fits" is an answer."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from cluster.kube.objects import Ref
from runbooks import evidence
from runbooks.loader import Library
from runbooks.match import Match, Reason
from runbooks.model import Runbook
from triage.facts.finding import Report, Severity, Symptom
from triage.symptoms.order import rises

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
LISTED = 0.2
"""Evidence with a lower score does not list a runbook."""
RIVAL = 0.7
"""A known failure without a runbook that has this share of the best score removes confidence."""
SAID = 5.5
"""Rarity of the words in common that confidence needs: "pods keep restarting" or "disk" name a
subject, not a failure."""
AGREED, FAILED = 0.85, 0.8
"""Raw score from which the indications for a page agree, and the same where one of them is a
pattern that tells a failure: 97 % of texts that no words were tuned for are right from here."""
PLAIN, SUBJECT = 0.6, 0.8
"""Raw score that a page needs below that in a text that names a thing of a cluster: without a
pattern, and with one that only names a subject (`hpa`, `quota`)."""
KNOWN = 0.4
"""Part of such a text that the page must know: the rest is about something else."""
ALL = 0.9
"""Part from which a page knows a text whole, so that a lower score (BRIEF) is enough."""
BRIEF = 0.5
LINE, QUOTED = 4, 0.4
"""Words of an error line that tells a failure, and the part of the text that it is, when the text
is that line: it needs no thing of a cluster beside it."""
TITLED = 0.5
"""Part of its title or id that a text must say of a story below AGREED: a story tells one
mechanism, and its surroundings alone are those of many."""
STORY = 0.93
"""A story with this share of a guide's score stands above it, since it tells more, unless the text
holds an error line of a guide and none of the story. It is sure only when no guide fits better."""
BELOW = 0.9
"""Highest share of a story's score for a guide that stands below it."""
REFUTED = 0.5
"""Factor of the words' score when the text holds a refuting pattern."""
NAMED = 0.75
"""Lowest score of a page whose id or title the text holds word by word."""
TOLD = 2
"""Words of a symptom's title in a text that tells that symptom."""
OVER = "over"
"""The text about no failure whose pattern says that an alert is over."""
ALONE, APART = 0.35, 0.6
"""Factors of the evidence's score when the words are sure of another page, and when the text names
other objects. Words that are sure of none leave the score that the evidence has without them."""


class _Judged(NamedTuple):
    """What the evidence of one symptom says of runbooks."""

    listed: Sequence[Match]
    refuted: Sequence[Match]
    """Not listed, because evidence speaks against them, as it does when words name them."""


class _Page(NamedTuple):
    """The answer of one runbook for a symptom, and what it rests on."""

    runbook: Runbook
    turn: int
    """The report for which it was made."""
    asked: Mapping[int, bool]
    """The conditions that were asked about other symptoms (`Elsewhere.asked`)."""
    match: Match | None
    """None without evidence of its own mechanism."""


class _Matched(NamedTuple):
    """The answer for one symptom, and what it rests on."""

    basis: tuple[object, ...]
    pages: Sequence[_Page]
    judged: _Judged
    asked: Sequence[tuple[int, Mapping[int, bool]]]
    """What its pages asked about other symptoms and for which report, each once."""


class Matcher:
    """Ranks the runbooks of a library. Builds the word index at first use, and again when the
    library changes."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._outside: tuple[Document, ...] | None = None
        self._index: WordIndex | None = None
        self._names: PageNames | None = None
        self._generation = -1
        self._elsewhere = evidence.Elsewhere()
        self._matched: dict[str, _Matched] = {}
        self._naming: tuple[int, dict[tuple[str, str], Sequence[Runbook]]] = (-1, {})
        self._live: tuple[Report, int, Sequence[tuple[Symptom, Match]]] | None = None

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

        return self._match_paste(read_paste(text)) if text.strip() else []

    def _match_paste(self, paste: Paste) -> list[Match]:
        index, names = self._words()
        named = names.find(paste)
        ranked = index.rank(paste.words)
        by_id = {one.id: one for one in ranked}
        elsewhere = next((_reads_like(one) for one in ranked if one.elsewhere), "")
        ended = paste.over or any(one.elsewhere and one.id == OVER for one in ranked)
        over = "the text says that it is over" if ended else ""
        certain = [self._certain(key, name, by_id.get(key), over) for key, name in named.items()]
        ours = [one for one in ranked if not one.outside and one.id not in named]
        best = max((_weight(one) for one in ours), default=0.0)
        other = next((one for one in ranked if one.outside), None)
        if other is not None and (other.score < best * RIVAL or other.score <= 0.1):
            other = None
        guide = max((one for one in ours if one.guide), key=_weight, default=None)
        exact = any(one.guide and one.patterns for one in ours)

        def standing(one: WordMatch) -> float:
            return _weight(one) / (1.0 if one.guide or (exact and not one.patterns) else STORY)

        ours.sort(key=lambda one: (-standing(one), one.id))
        lone = len(paste.words.split()) == 1
        found = []
        for one in ours[:SHOWN]:
            rival = other
            if guide is not None and not one.guide and standing(one) < standing(guide):
                rival = other or guide
            if one.score >= LOWEST:
                against = "" if rival is None or one.named else _reads_like(rival)
                found.append(_from_words(one, best, over or elsewhere or against, lone))
        if certain or (found and not found[0].confident):
            found = [replace(one, confident=False) for one in found]
        return [*certain, *_falling(found)][:SHOWN]

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

    def match_symptom(self, symptom: Symptom, report: Report | None = None) -> Sequence[Match]:
        """Runbooks for one symptom, best first; only those with evidence of their own mechanism. A
        story with evidence stands above a guide.

        With a report, the same answer as for the report before comes from a cache, unless the
        symptom, or what its runbooks ask about other symptoms, has changed.
        """
        if report is not None:
            return self._known(symptom, report).listed
        here = evidence.index_of(symptom)
        found = (evidence.judge_within(one, symptom, here, None) for one in self._near(here))
        return _judged((one if one.own else None for one in found), note=False).listed

    def _known(self, symptom: Symptom, report: Report) -> _Judged:
        self._take_library()
        elsewhere = self._elsewhere
        if elsewhere.take(report):
            present = {one.id for one in report.symptoms}
            self._matched = {key: one for key, one in self._matched.items() if key in present}
        note = _is_note(symptom, report.as_of)
        basis = (symptom, report.as_of.date(), note)  # the text of a change says its day
        known = self._matched.get(symptom.id)
        kept: dict[str, _Page] = {}
        if known is not None and known.basis == basis:
            if not any(elsewhere.changed_since(turn, asked) for turn, asked in known.asked):
                return known.judged
            kept = {
                page.runbook.id: page
                for page in known.pages
                if not elsewhere.changed_since(page.turn, page.asked)
            }
        here = evidence.index_of(symptom)
        pages = [
            kept.get(runbook.id) or self._judge(runbook, symptom, here, elsewhere)
            for runbook in self._near(here)
        ]
        asked = {(page.turn, id(page.asked)): (page.turn, page.asked) for page in pages}
        judged = _judged((page.match for page in pages), note=note)
        known = _Matched(basis, pages, judged, tuple(asked.values()))
        self._matched[symptom.id] = known
        return known.judged

    def _near(self, here: evidence.SymptomIndex) -> Iterable[Runbook]:
        """The runbooks that name a rule of the symptom."""
        self._take_library()
        return {each.id: each for rule in here.rules() for each in self._by_rule(rule)}.values()

    def _judge(
        self,
        runbook: Runbook,
        symptom: Symptom,
        here: evidence.SymptomIndex,
        elsewhere: evidence.Elsewhere,
    ) -> _Page:
        match = evidence.judge_within(runbook, symptom, here, elsewhere)
        return _Page(runbook, elsewhere.turn, elsewhere.asked(), match if match.own else None)

    def match(self, text: str, report: Report | None) -> list[Match]:
        """Runbooks for a text and a report together, in one score. Evidence about the objects that
        the text names counts in full."""
        from runbooks.paste import read_paste

        paste = read_paste(text)
        words = {match.id: match for match in self._match_paste(paste)} if text.strip() else {}
        live: dict[str, Match] = {}
        listed: set[str] = set()
        told: set[str] = set()
        said = _telling(text)
        for symptom, match in self._matches_of(report):
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
            return _ordered(live[key] for key in listed)[:SHOWN]
        named = {*words, *listed}
        sure = any(match.confident for match in words.values())
        found = [_combine(words.get(key), live.get(key), sure and key not in told) for key in named]
        # The symptom that the text tells has shown its page: other pages have only words.
        found = [replace(one, confident=True) if one.id in told else one for one in found]
        return _ordered(found, told)[:SHOWN]

    def _matches_of(self, report: Report | None) -> Sequence[tuple[Symptom, Match]]:
        """The matches of all symptoms of a report, cached: typing asks for them at each key."""
        if report is None:
            return ()
        generation = self.library.generation
        if self._live is None or self._live[0] is not report or self._live[1] != generation:
            found = [
                (symptom, match)
                for symptom in report.symptoms
                for match in chain(*self._known(symptom, report))
            ]
            self._live = (report, generation, found)
        return self._live[2]

    def _take_library(self) -> None:
        """Forget what was made from a library that has changed since."""
        if self._naming[0] != self.library.generation:
            self._naming = (self.library.generation, {})
            self._elsewhere, self._matched = evidence.Elsewhere(), {}

    def _by_rule(self, rule: tuple[str, str]) -> Sequence[Runbook]:
        """The runbooks that name a rule: a symptom asks these alone."""
        known = self._naming[1].get(rule)
        if known is None:
            near = self.library.naming(*rule)
            known = [runbook for runbook in near if rule in evidence.named_rules(runbook)]
            self._naming[1][rule] = known
        return known


def _is_note(symptom: Symptom, now: datetime) -> bool:
    """Whether a symptom tells of no fault: a note that does not rise, as what a schedule, a release
    or a drain does every day."""
    return symptom.severity is Severity.INFO and not any(
        rises(one, now) or one.rule in _HELD for one in symptom.findings
    )


_HELD = frozenset({"cpu-throttled-at-limit", "hpa-maxed", "job-suspended", "pod-unschedulable"})
"""Rules whose notes say what holds something back now."""


def _judged(matches: Iterable[Match | None], *, note: bool) -> _Judged:
    """`note`: of a symptom that tells of no fault, for which no page is sure."""
    found = _one_cause([one for one in matches if one is not None])
    if note:
        top = evidence.GENERAL
        found = [replace(one, score=min(one.score, top), confident=False) for one in found]
    return _Judged(
        _ordered(one for one in found if one.score >= LISTED),
        [one for one in found if one.score < LISTED and one.against],
    )


def _one_cause(matches: Sequence[Match]) -> Sequence[Match]:
    """A symptom has one cause. Where a story is sure, it tells the whole, and a guide is sure of a
    part; what only follows from other faults makes no page sure beside a cause."""
    sure = [one for one in matches if one.confident]
    story = max((one.score for one in sure if not one.guide and not one.against), default=0.0)
    cause = any(not one.follows for one in sure)
    return [
        replace(one, confident=False)
        if one.confident and ((one.guide and one.score < story) or (one.follows and cause))
        else one
        for one in matches
    ]


@lru_cache(1024)
def _telling(text: str) -> frozenset[str]:
    """The words of a text that can tell one symptom from another, kept for the titles."""
    return frozenset(word for word in _WORD.findall(text.casefold()) if word not in _COMMON)


_WORD = re.compile(r"[a-z0-9][a-z0-9.-]{2,}[a-z0-9]")
_COMMON = frozenset(
    ("does", "from", "have", "more", "node", "nodes", "pods", "that", "with", "your")
)


def _ordered(matches: Iterable[Match], told: Collection[str] = ()) -> list[Match]:
    """Orders pages that the text names first, then those that the symptom that it tells has shown
    (`told`, ids), then stories with undisputed evidence of their own,
    then what is sure, then the rest, each by score."""
    return _falling(
        sorted(
            matches,
            key=lambda match: (
                not match.certain,
                match.id not in told,
                not (match.own and match.confident and not match.guide and not match.against),
                not match.confident,
                -match.score,
                match.guide,
                match.id,
            ),
        )
    )


def _falling(matches: Sequence[Match]) -> list[Match]:
    """Lowers scores so that they fall in the given order, and a guide below a story scores less."""
    found: list[Match] = []
    for match in matches:
        score = match.score
        if found:
            below = BELOW if match.guide and not found[-1].guide else 1.0
            score = min(score, round(found[-1].score * below, 4))
        found.append(match if score == match.score else replace(match, score=score))
    return found


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


def _weight(found: WordMatch) -> float:
    """The score of a page's words, lowered when the text refutes the page and does not name it."""
    return found.score * (REFUTED if found.refuted and not found.named else 1.0)


def _from_words(found: WordMatch, best: float, rival: str, lone: bool) -> Match:
    """`best`: the highest weight of all pages. `rival`: why the text fits no page, or another, ""
    without a reason. `lone`: the text is one word; only a pattern makes one word sure."""
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
    sure = not against and says_enough and _tells(found)
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
    )


def _tells(found: WordMatch) -> bool:
    """Whether words tell a failure of that page, and not one that is worded like it. Indications
    that agree do. Fewer do only in a text of which the page knows enough, and that names a thing of
    a cluster: other machines have the same errors."""
    from runbooks.terms import vocabulary

    failed = any(vocabulary().failure.search(part) for part in found.patterns)
    mechanism = found.guide or found.titled >= TITLED
    told = failed and mechanism and len(found.patterns) == 1
    long = any(len(part.split()) >= LINE for part in found.patterns)
    line = long and failed and mechanism and found.quoted >= QUOTED
    if found.named or line or found.score >= (FAILED if told else AGREED):
        return True
    if not found.cluster or not mechanism:
        return False
    least = SUBJECT if found.patterns else BRIEF if found.share >= ALL else PLAIN
    known = found.share >= KNOWN and (failed or found.score >= least)
    return known or len(found.patterns) > 1


def _said(part: str) -> Reason:
    return Reason(f"the text says “{part}”")


def _reads_like(rival: WordMatch) -> str:
    return f"it reads more like: {rival.title}" + ("" if rival.guide else " (no runbook)")


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
