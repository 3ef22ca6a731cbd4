"""Who made a change that is listed beside a symptom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cluster.kube.objects import Ref
from text.symptoms.changes import change_lines
from triage.facts.finding import ChangeFact

NOW = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
WEB = Ref("Deployment", "shop", "web")


def said(manager: str, minutes_ago: int) -> str:
    """The line of one change, where this incident changed the Deployment five minutes ago."""
    change = ChangeFact(
        NOW - timedelta(minutes=minutes_ago), "scaled 3 -> 4", WEB, "scaled", manager
    )
    own = {("Deployment", "shop", "web"): NOW - timedelta(minutes=5)}
    return "".join(text for line in change_lines([change], NOW, own=own) for text, _ in line.spans)


def test_a_change_of_this_incident_is_marked_as_such() -> None:
    assert said("stanch", 4).endswith("made in this incident")
    assert said("stanch", 60).endswith("made with stanch, not in this incident")
    assert said("kubectl-scale", 4).endswith("by kubectl-scale")
