"""Which function writes which section of a post-mortem draft."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from timeline.export import appendix, narrative, response
from timeline.export.document import Block
from timeline.export.wording import Wording

_BUILDERS: Final[Mapping[str, Callable[[Wording], list[Block]]]] = {
    "summary": narrative.summary,
    "impact": narrative.impact,
    "timeline": narrative.timeline,
    "detection": narrative.detection,
    "steps": response.steps,
    "probes": response.probes,
    "actions": response.actions,
    "ruled-out": narrative.ruled_out,
    "factors": narrative.factors,
    "metrics": appendix.metrics,
    "unknown": appendix.unknown,
    "unsupported": appendix.unsupported,
    "questions": narrative.questions,
    "follow-ups": narrative.follow_ups,
    "evidence": appendix.evidence,
    "redactions": appendix.redactions,
    "record": appendix.record,
}


def blocks(wording: Wording, section: str) -> tuple[Block, ...]:
    """The generated blocks of a section, none for a section that only people write."""
    build = _BUILDERS.get(section)
    return tuple(build(wording)) if build else ()
