"""Orders and headings of a post-mortem draft. Facts that a template has no place for follow after
it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from timeline.export import appendix, narrative, response
from timeline.export.document import Block, Document, Outside, Para, Section
from timeline.export.people import Names, People
from timeline.export.source import Source
from timeline.export.wording import Wording
from timeline.redaction.redact import Redactor

_Part = tuple[str, str, str]

_SUMMARY: Final[_Part] = (
    "summary",
    "Summary",
    "What happened, in three sentences for someone who was not there.",
)
_IMPACT: Final[_Part] = (
    "impact",
    "Impact",
    "Who could not do what, from when to when, and how many.",
)
_TIMELINE: Final[_Part] = (
    "timeline",
    "Timeline",
    "What was seen and done. Add what the tool could not see.",
)
_DETECTION: Final[_Part] = (
    "detection",
    "Detection",
    "How was it noticed, and how could it have been noticed sooner?",
)
_STEPS: Final[_Part] = (
    "steps",
    "What was tried",
    "What was asked, in which order, and what stood in the way?",
)
_PROBES: Final[_Part] = ("probes", "Probes", "")
_ACTIONS: Final[_Part] = ("actions", "Actions", "What stopped the bleeding, and what mended it?")
_RULED_OUT: Final[_Part] = (
    "ruled-out",
    "Ruled out",
    "What was believed then, and what is known now?",
)
_FACTORS: Final[_Part] = (
    "factors",
    "Contributing factors",
    "What had to come together? People's mistakes are never the answer; what made them possible "
    "is.",
)
_HELPED: Final[_Part] = (
    "helped",
    "What helped, and where we were lucky",
    "What kept it from being worse?",
)
_METRICS: Final[_Part] = ("metrics", "Metrics", "")
_UNKNOWN: Final[_Part] = ("unknown", "Unknown — verify", "")
_UNSUPPORTED: Final[_Part] = (
    "unsupported",
    "Unsupported claims",
    "Key entries without evidence: add some, or say how it is known.",
)
_QUESTIONS: Final[_Part] = ("questions", "Open questions", "")
_FOLLOW_UPS: Final[_Part] = ("follow-ups", "Follow-up tasks", "Each with an owner.")
_UPDATES: Final[_Part] = (
    "updates",
    "Updates",
    "Preliminary until said otherwise. Add dated updates below.",
)
_EVIDENCE: Final[_Part] = ("evidence", "Evidence", "")
_REDACTIONS: Final[_Part] = ("redactions", "Redactions", "")
_RECORD: Final[_Part] = ("record", "Record", "")

_APPENDIX: Final = (
    _METRICS,
    _UNKNOWN,
    _UNSUPPORTED,
    _QUESTIONS,
    _FOLLOW_UPS,
    _EVIDENCE,
    _REDACTIONS,
    _RECORD,
)

TEMPLATES: Final[dict[str, tuple[_Part, ...]]] = {
    "stanch": (
        _SUMMARY,
        _UPDATES,
        _IMPACT,
        _TIMELINE,
        _DETECTION,
        _STEPS,
        _PROBES,
        _ACTIONS,
        _RULED_OUT,
        _FACTORS,
        _HELPED,
        *_APPENDIX,
    ),
    "python-discord": (
        _SUMMARY,
        ("timeline", "Leadup", "List the sequence of events that led to the incident."),
        ("impact", "Impact", "Describe how internal and external users were impacted."),
        ("detection", "Detection", "When was it detected, and how could detection be faster?"),
        ("steps", "Response", "Who responded, and what obstacles did they meet?"),
        (
            "actions",
            "Recovery",
            "How was it resolved, and how could the time to recovery be shorter?",
        ),
        (
            "whys",
            "Five Whys",
            "Ask why until the answer can be acted on; more than one chain is fine.",
        ),
        ("factors", "Blameless root cause", "What came together? Several factors are usual."),
        ("helped", "Lessons learned", "What went well, what could be better, where were we lucky?"),
        ("follow-ups", "Follow-up tasks", "What must be done to prevent a recurrence?"),
        _UPDATES,
        _PROBES,
        _RULED_OUT,
        *(part for part in _APPENDIX if part[0] != "follow-ups"),
    ),
    "sre": (
        _SUMMARY,
        _IMPACT,
        ("factors", "Root causes and contributing factors", "Several are usual."),
        ("trigger", "Trigger", "What set it off?"),
        ("actions", "Resolution", "What ended it?"),
        _DETECTION,
        ("follow-ups", "Action items", "Each with an owner and a kind: prevent, mitigate, detect."),
        ("helped", "Lessons learned", "What went well, what went wrong, where we got lucky."),
        _TIMELINE,
        _STEPS,
        _PROBES,
        _RULED_OUT,
        _UPDATES,
        *(part for part in _APPENDIX if part[0] != "follow-ups"),
    ),
    "cmr": (
        _SUMMARY,
        _UPDATES,
        _IMPACT,
        _TIMELINE,
        ("factors", "Contributors", "What contributed?"),
        ("actions", "Mitigators", "What limited or ended the impact?"),
        ("risks", "Risks", "What remains, and what else could go the same way?"),
        _DETECTION,
        _STEPS,
        _PROBES,
        _RULED_OUT,
        *_APPENDIX,
    ),
}


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


def _blocks(wording: Wording, section: str) -> tuple[Block, ...]:
    """The generated blocks of a section, none for a section that only people write."""
    build = _BUILDERS.get(section)
    return tuple(build(wording)) if build else ()


def build(source: Source, template: str, names: Names, redactor: Redactor) -> Document:
    """The report as a document. Raises ValueError for a template that does not exist."""
    if template not in TEMPLATES:
        raise ValueError(f"there is no template {template!r}; use one of {', '.join(TEMPLATES)}")
    people = People(source.entries, names, redactor)
    wording = Wording(source, people)
    return Document(
        title=("Post-mortem: ", people.text(source.title or source.incident_id)),
        intro=(
            Para(
                (
                    "Preliminary draft of incident ",
                    people.text(source.incident_id),
                    ". What it says is generated; the rest is yours.",
                )
            ),
        ),
        sections=tuple(
            Section(
                id=identifier, heading=heading, prompt=prompt, blocks=_blocks(wording, identifier)
            )
            for identifier, heading, prompt in TEMPLATES[template]
        ),
    )


__all__ = ["TEMPLATES", "Names", "Outside", "build"]
