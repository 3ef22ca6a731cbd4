"""The order of the answers, in which scores fall."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from msgspec.structs import replace

from runbooks.match import Match

BELOW = 0.9
"""Highest share of a story's score for a guide that stands below it."""


def ordered(matches: Iterable[Match], told: Collection[str] = ()) -> list[Match]:
    """Orders pages that the text names first, then those that the symptom that it tells has shown
    (`told`, ids), then stories with undisputed evidence of their own,
    then what is sure, then the rest, each by score."""
    return falling(
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


def falling(matches: Sequence[Match]) -> list[Match]:
    """Lowers scores so that they fall in the given order, and a guide below a story scores less."""
    found: list[Match] = []
    for match in matches:
        score = match.score
        if found:
            below = BELOW if match.guide and not found[-1].guide else 1.0
            score = min(score, round(found[-1].score * below, 4))
        found.append(match if score == match.score else replace(match, score=score))
    return found
