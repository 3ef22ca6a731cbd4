"""How rare each word is among the documents, by the fields in which it stands."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from runbooks.documents import Document
from runbooks.terms import Term, terms_of_lines

FIELD_WEIGHTS: Mapping[str, float] = {
    "symptom": 1.0,
    "title": 0.9,
    "id": 0.8,
    "heading": 0.55,
    "body": 0.4,
}


PAGES = 122
"""Documents of the library with which the rarities in this file were chosen. A larger one makes
each word rarer, and no answer surer for that."""


def split_phrases(documents: Sequence[Document]) -> list[list[tuple[str, str, tuple[Term, ...]]]]:
    texts = [text for document in documents for _, text in document.phrases]
    found = iter(terms_of_lines(texts))
    return [
        [(field, text, next(found)) for field, text in document.phrases] for document in documents
    ]


def rarity_of_stems(split: Sequence[Sequence[tuple[str, str, Sequence[Term]]]]) -> dict[str, float]:
    """Rarity of each stem: in how few documents it stands (their symptoms and titles count, bodies
    only a little)."""
    spread: dict[str, float] = defaultdict(float)
    for phrases in split:
        own: dict[str, float] = {}
        for field, _, found in phrases:
            weight = FIELD_WEIGHTS[field]
            for term in found:
                own[term.stem] = max(own.get(term.stem, 0.0), weight)
        for stem, weight in own.items():
            spread[stem] += weight
    count = max(len(split), 2)
    scale = min(1.0, math.log(PAGES) / math.log(count))
    return {
        stem: 0.35 + scale * math.log(1 + (count - number + 0.5) / (number + 0.5))
        if number < count
        else 0.35
        for stem, number in spread.items()
    }
