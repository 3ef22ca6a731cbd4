"""What was changed before a symptom began, when and by whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from text.lines import Line, field
from text.words import minute, plural
from triage.facts.finding import ChangeFact, Symptom

NEAR, SAME_ROLLOUT = timedelta(days=1), timedelta(minutes=2)
"""How long before a symptom a change is listed, and how far apart the edit of a template and its
rollout are."""
OWN_MANAGER = "stanch"
"""Field manager of the changes that this tool makes (`cluster.api.write`)."""
Own = Mapping[tuple[str, str, str], datetime]
"""The objects that this incident changed (`RecordView.changed`)."""
NO_OWN: Own = MappingProxyType({})
OWN_LAG = timedelta(seconds=5)
"""How much earlier than its intent a change may seem to be, by another clock."""


def near_changes(symptom: Symptom) -> list[ChangeFact]:
    """The changes of the day before a symptom began."""
    since = symptom.since
    near = [one for one in symptom.changes if since is None or since - one.at <= NEAR]
    return distinct(near, symptom.changes)


def distinct(changes: Sequence[ChangeFact], known: Sequence[ChangeFact]) -> list[ChangeFact]:
    """Leaves out edits of a template beside the rollouts that they caused, of all that is known."""
    rollouts = [one for one in known if one.rule == "rollout"]
    return [
        one
        for one in changes
        if not (
            one.what.endswith("template written")
            and any(
                one.object == other.object and abs(one.at - other.at) <= SAME_ROLLOUT
                for other in rollouts
            )
        )
    ]


def change_lines(
    changes: Sequence[ChangeFact], now: datetime, limit: int = 6, own: Own = NO_OWN
) -> list[Line]:
    """What was changed, newest evidence first, with the time and who did it. Changes of this
    incident are marked."""
    lines: list[Line] = []
    for index, change in enumerate(changes[:limit]):
        by = (f", {_by(change, own)}", "strong" if _is_own(change, own) else "muted")
        named = change.object.name in change.what
        what = change.what if named else f"{change.object}: {change.what}"
        at = (f"{minute(change.at, now)} ", "strong")
        known = change.manager and change.manager not in change.what
        said = by if known or _is_own(change, own) else ""
        lines.append(field("" if index else "changed", at, what, said))
    if len(changes) > limit:
        lines.append(field("", (f"and {plural(len(changes) - limit, 'more change')}", "muted")))
    return lines


def _is_own(change: ChangeFact, own: Own) -> bool:
    if change.manager != OWN_MANAGER:
        return False
    began = own.get((change.object.kind, change.object.namespace, change.object.name))
    return began is not None and change.at >= began - OWN_LAG


def _by(change: ChangeFact, own: Own) -> str:
    """Who made a change: in this incident, with this tool elsewhere, or another manager."""
    if _is_own(change, own):
        return "made in this incident"
    if change.manager == OWN_MANAGER:
        return "made with stanch, not in this incident"
    return f"by {change.manager}"
