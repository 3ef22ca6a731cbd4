"""When words alone are enough to name a page with confidence."""

from __future__ import annotations

from runbooks.terms import vocabulary
from runbooks.word_index import WordMatch

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


def tells(found: WordMatch) -> bool:
    """Whether a text reports the failure of that page, and not another with similar words.
    Indications that agree are enough. Fewer are enough only where the page has most words of the
    text and the text names a thing of a cluster: other machines have the same errors."""
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
