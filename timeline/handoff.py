"""The hand-off summary: state, open questions, unknowns, the last key events. Row T31."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from timeline.entry import MILESTONES, Entry
from timeline.export.wording import DECLINED, LEADS
from timeline.journal.journal import Journal
from timeline.metrics import milestones, spoken
from timeline.revisions import draft_entries
from timeline.story import belief, hypotheses, is_ruled_out, read_story

_LAST: Final = 10


def handoff(journal: Journal, now: datetime) -> str:
    """Plain text for a terminal, a chat or a ticket. Times are UTC; ages are counted from `now`."""
    entries, lines, health = journal.entries(), journal.latest(), journal.health
    marks = milestones(lines).entries
    opened = datetime.fromisoformat(journal.meta["created_at"]).astimezone(UTC)
    out = [f"{journal.id}  {_folded(journal.title)}".rstrip()]
    out.append(
        f"opened {opened:%Y-%m-%d %H:%M} UTC, {spoken((now - opened).total_seconds())} ago; "
        f"{len(entries)} entries"
    )
    if health.pending:
        out.append(
            f"the record is not whole: {health.pending} entries wait beside the database "
            f"({health.reason})"
        )
    stated = [f"{name} {marks[name].occurred_at:%H:%M:%S}" for name in MILESTONES if name in marks]
    missing = [name for name in ("mitigated", "resolved") if name not in marks]
    out.append(
        "state: "
        + (", ".join(stated) or "nothing stated")
        + (f"; not {' and not '.join(missing)}" if missing else "")
    )
    story = read_story(lines)
    believed = belief(lines, story)
    if believed is not None:
        out.append(f"believed: {_text(believed)}")
    followed = story.followed
    if followed is not None:
        at = next((each.step_id for each in reversed(entries) if each.step_id), "")
        asked = next(
            (
                each
                for each in reversed(entries)
                if each.step_id == at and each.kind == "step-intent"
            ),
            None,
        )
        where = f"{at} ({_text(asked)})" if asked is not None else at or "its start"
        out.append(f"runbook: {followed.runbook}{followed.answered}, last at {where}")
    out += _part(
        "changed in the cluster",
        [f"{_at(act.intent)} {act.by_hand or _text(act.intent)}" for act in story.interventions],
    )
    checks = [each for run in story.runs for each in run.results if each.kind == "step-result"]
    out += _part(
        "checked",
        [
            f"{_at(each)} {_text(story.asked[each.id])} "
            + _text(each).removeprefix(_text(story.asked[each.id])).strip()
            for each in checks[-_LAST:]
            if each.id in story.asked
        ],
    )
    out += _part(
        "unknown, verify first",
        [f"{_at(entry)} {entry.kind}: {_text(entry)}" for entry in journal.unfinished()],
    )
    still, ruled_out = hypotheses(lines)
    out += _part(
        "open hypotheses",
        [f"{_text(entry)} ({entry.data.get('status', 'open')})" for entry in still],
    )
    out += _part(
        "ruled out",
        [
            _text(entry) + (f" ({_folded(entry.reason)})" if entry.reason else "")
            for entry in ruled_out
        ],
    )
    questions = [line.entry for line in lines if line.entry.kind == "question" and not line.hidden]
    out += _part(
        "open questions",
        [_text(entry) for entry in questions if entry.data.get("status") != "answered"],
    )
    answered = {entry.id for entry in story.answered.values() if entry is not None}
    key = [line.entry for line in draft_entries(lines) if line.entry.id not in answered][-_LAST:]
    out += _part("last key events (UTC)", [f"{_at(entry)} {_lead(entry)}" for entry in key])
    return "\n".join(out) + "\n"


def _part(title: str, rows: list[str]) -> list[str]:
    return ["", f"{title}:", *(f"  {row}" for row in rows)] if rows else []


def _text(entry: Entry) -> str:
    about = (
        f"{entry.object} "
        if entry.object is not None
        and str(entry.object).partition(" ")[2] not in entry.text
        and entry.kind not in ("match", "milestone")
        else ""
    )
    name = str(entry.data.get("name", "")) if entry.kind == "milestone" else ""
    named = f"{name}: " if name and not entry.text.startswith(name) else ""
    text = entry.text.replace(DECLINED, "") if entry.kind == "action-declined" else entry.words
    return _folded(about + named + text)


def _lead(entry: Entry) -> str:
    if entry.kind == "milestone":
        return _text(entry)
    lead = "ruled out" if is_ruled_out(entry) else LEADS.get(entry.kind, entry.kind)
    return f"{lead}: {_text(entry)}"


def _folded(text: str) -> str:
    return " ".join(text.split())


def _at(entry: Entry) -> str:
    return f"{entry.occurred_at:%H:%M:%S}"
