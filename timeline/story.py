"""The course of an incident, read from its entries: the runbook that was followed, the results of
probes, earlier changes, and actions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
from msgspec.structs import replace

from timeline.entry import Entry
from timeline.intents import pair
from timeline.metrics import milestones
from timeline.revisions import RevisedEntry

LEAD: Final = timedelta(hours=6)
"""A change at most this long before the first sign is part of the lead-up."""
NEAR: Final = timedelta(hours=2)
"""A change at most this long before the first sign may have caused it."""
LATE: Final = timedelta(minutes=1)
"""A change dated at most this long after the first sign may have caused it."""
ENDS: Final = ("mitigated", "resolved")
"""Marks of the end of an incident, for users and then for good."""
RULED_OUT: Final = ("ruled-out", "refuted", "rejected")
_STANDING: Final = ("open", "supported")
_CHANGING: Final = re.compile(
    r"\bkubectl\b.*\b(?:scale|cordon|uncordon|drain|delete|patch|rollout|set|apply|label|taint"
    r"|annotate|edit|create|replace|evict)\b"
)


class Intervention(msgspec.Struct, frozen=True, kw_only=True):
    """A change to the cluster: an action with its result, or one made by hand. `parts`: how many
    objects it changed."""

    intent: Entry
    result: Entry | None
    by_hand: str = ""
    parts: int = 0


class ClusterChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change in the cluster, and the entries that report it."""

    at: datetime
    object: str
    what: str
    manager: str
    seqs: tuple[int, ...]

    @property
    def by(self) -> str:
        """` by MANAGER`, "" when it is not known or `what` names it."""
        return "" if not self.manager or self.manager in self.what else f" by {self.manager}"


class FollowedRunbook(msgspec.Struct, frozen=True, kw_only=True):
    """A runbook that was followed: its beginning, and the results of its steps."""

    begun: Entry
    results: tuple[Entry, ...]

    @property
    def runbook(self) -> str:
        return str(self.begun.data.get("runbook", ""))

    @property
    def answered(self) -> str:
        """`, 3 steps answered`, "" for none: a step that was run again counts once, one that was
        skipped does not."""
        count = len({each.step_id for each in self.results if each.kind.endswith("-result")})
        return f", {count} step{'s' if count != 1 else ''} answered" if count else ""


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """Read once for all sections. `asked` is the intent of each result, by the result's id."""

    first: Entry | None
    runs: Sequence[FollowedRunbook]
    interventions: Sequence[Intervention]
    changes: Sequence[ClusterChange]
    asked: Mapping[str, Entry]
    answered: Mapping[str, Entry | None]

    @property
    def followed(self) -> FollowedRunbook | None:
        """The runbook with the most answers; the last one among equals."""
        return max(self.runs, key=lambda run: len(run.results), default=None)

    def before(self, window: timedelta) -> list[ClusterChange]:
        """Changes within `window` before the first sign. Later ones cannot be the cause."""
        if self.first is None:
            return []
        start = self.first.occurred_at
        ours = min((act.intent.occurred_at for act in self.interventions), default=None)
        return [
            change
            for change in self.changes
            if start - window <= change.at <= start + LATE and (ours is None or change.at < ours)
        ]


def read_story(lines: Sequence[RevisedEntry]) -> Story:
    """`lines` are in order of time. The first sign is the stated start, else the first critical
    observation, else the first."""
    entries = [line.entry for line in lines if not line.hidden]
    pairs = pair(sorted(entries, key=lambda entry: entry.seq))
    answered = {intent.id: result for intent, result in pairs}
    asked = {result.id: intent for intent, result in pairs if result is not None}
    return Story(
        first=milestones(lines).entries.get("started"),
        runs=[
            FollowedRunbook(
                begun=entry,
                results=tuple(
                    each
                    for each in entries
                    if each.run_id == entry.run_id and each.kind.endswith(("-result", "-skipped"))
                ),
            )
            for entry in entries
            if entry.kind == "run-started" and entry.run_id
        ],
        interventions=list(_interventions(entries, answered, asked)),
        changes=_changes(entries),
        asked=asked,
        answered=answered,
    )


def standing(interventions: Sequence[Intervention]) -> list[Intervention]:
    """The changes that were not undone, without the undoing itself. An undo names its change, or is
    of the same step; a change that gives a field back what it had before is one as well (pause and
    resume)."""
    left: list[Intervention] = []
    for act in interventions:
        result = act.result.data if act.result is not None else {}
        if not result.get("undoes"):
            field = _field(act) if result.get("outcome") == "done" else None
            back = (*field[:2], field[3], field[2]) if field is not None else None
            opposite = next(
                (each for each in reversed(left) if back and _field(each) == back), None
            )
            if opposite is None:
                left.append(act)
            left = [each for each in left if each is not opposite]
        elif result.get("outcome") == "done":
            given = act.intent.data.get("arguments")
            change = given.get("change") if isinstance(given, Mapping) else None
            step = (act.intent.run_id, act.intent.step_id)
            undone = next(
                (
                    each
                    for each in reversed(left)
                    if each.intent.intent_id == change
                    or (step[0] and (each.intent.run_id, each.intent.step_id) == step)
                ),
                None,
            )
            left = [each for each in left if each is not undone]
    return left


def _field(act: Intervention) -> tuple[str, str, str, str] | None:
    """(object, field, value before, value after) of a change of one field."""
    change = act.intent.data.get("change")
    summary = str(change.get("summary", "")) if isinstance(change, Mapping) else ""
    name, _, values = summary.partition(": ")
    before, arrow, after = values.partition(" -> ")
    if not arrow or ", " in values:
        return None
    before, after = ("" if value in _ABSENT else value for value in (before, after))
    return str(act.intent.data.get("object")), name, before, after


_ABSENT = frozenset({"not set", "removed", "false", "0", '""', "null"})
"""Values that are equal to the API."""


def belief(lines: Sequence[RevisedEntry], story: Story) -> Entry | None:
    """The last match of the runbook that is followed, else of the first symptom (one report records
    the matches of all symptoms, the most severe first)."""
    found = [line.entry for line in lines if line.entry.kind == "match" and not line.hidden]
    followed = story.followed.runbook if story.followed is not None else ""
    of_it = [entry for entry in found if entry.data.get("runbook") == followed]
    if of_it:
        return of_it[-1]
    last = found[-1] if found else None
    return next((each for each in found if last and each.occurred_at == last.occurred_at), None)


def hypotheses(lines: Sequence[RevisedEntry]) -> tuple[list[Entry], list[Entry]]:
    """Open hypotheses, and those that were ruled out. A hypothesis whose words all occur in a later
    entry that rules one out is no longer open."""
    stated = [line.entry for line in lines if line.entry.kind == "hypothesis" and not line.hidden]
    out = [entry for entry in stated if is_ruled_out(entry)]
    standing = [
        entry
        for entry in stated
        if entry.data.get("status", "open") in _STANDING
        and not any(_words(entry) <= _words(each) for each in out)
    ]
    return standing, out


def is_ruled_out(entry: Entry) -> bool:
    return entry.data.get("status") in RULED_OUT


def _words(entry: Entry) -> set[str]:
    return set(re.findall(r"[\w.-]*\w", entry.text.casefold()))


def doubt(entries: Iterable[Entry], mark: object) -> str:
    """What contradicts a mark of mitigated or resolved: a check of Verify that last failed; "" for
    nothing, and for other marks. `entries` are in the order of the record or of time."""
    if mark not in ENDS:
        return ""
    last = {
        (entry.run_id, entry.step_id): entry
        for entry in entries
        if entry.kind.endswith("-result") and entry.data.get("section") == "verify"
    }
    failed = [entry.text for entry in last.values() if entry.data.get("state") == "failed"]
    return f"the last check of Verify was not as expected: {failed[-1]}" if failed else ""


def proof(entries: Iterable[Entry], mark: Entry) -> Entry | None:
    """The last result of Verify before a mark of mitigated or resolved. None for other marks, and
    where a step of Verify was last not as expected or unknown."""
    if mark.data.get("name") not in ENDS:
        return None
    last = {
        (entry.run_id, entry.step_id): entry
        for entry in sorted(entries, key=lambda entry: entry.seq)
        if entry.kind.endswith("-result")
        and entry.data.get("section") == "verify"
        and entry.recorded_at <= mark.recorded_at
    }
    if any(entry.data.get("state") in ("failed", "unknown") for entry in last.values()):
        return None
    return max(last.values(), key=lambda entry: entry.seq, default=None)


def next_mark(entries: Iterable[Entry]) -> str:
    """The mark to set after Verify passed: mitigated, then resolved, then none."""
    marked = {entry.data.get("name") for entry in entries if entry.kind == "milestone"}
    return next((mark for mark in ENDS if mark not in marked), "")


def _interventions(
    entries: Sequence[Entry], answered: Mapping[str, Entry | None], asked: Mapping[str, Entry]
) -> Iterator[Intervention]:
    parts: dict[str, int] = {}
    for entry in entries:
        whole = entry.data.get("part_of")
        if entry.kind == "action-intent" and whole:
            parts[str(whole)] = parts.get(str(whole), 0) + 1
    for entry in entries:
        if entry.kind == "action-intent" and not entry.data.get("part_of"):
            count = parts.get(entry.intent_id, 0)
            yield Intervention(intent=entry, result=answered.get(entry.id), parts=count)
        elif entry.kind == "action-result" and entry.id not in asked:
            yield Intervention(
                intent=entry, result=entry, by_hand=str(entry.data.get("by_hand", ""))
            )
        elif entry.kind == "step-result" and entry.time_source == "human":
            intent = asked.get(entry.id)
            command = str(intent.data.get("command", "")) if intent is not None else ""
            changing = _CHANGING.search(command) is not None
            if intent is not None and changing and entry.data.get("answer") == "done":
                yield Intervention(intent=intent, result=entry, by_hand=command)


def _changes(entries: Sequence[Entry]) -> list[ClusterChange]:
    """Each change once, by time. A rollout is one line, without its template and its release."""
    found: dict[tuple[str, str, str], ClusterChange] = {}
    for entry in entries:
        changes = entry.data.get("changes", ())
        for each in changes if isinstance(changes, (list, tuple)) else ():
            at = _moment(each.get("at")) if isinstance(each, Mapping) else None
            if at is None:
                continue
            object_ = str(each.get("object", ""))
            key = (str(each.get("at")), object_, _in_full(object_, str(each.get("what", ""))))
            before = found.get(key)
            found[key] = ClusterChange(
                at=at,
                object=key[1],
                what=key[2],
                manager=str(each.get("manager", "")),
                seqs=(*before.seqs, entry.seq) if before else (entry.seq,),
            )
    places: dict[tuple[str, str], list[str]] = {}
    for key in found:
        places.setdefault(key[:2], []).append(key[2])
    for key in list(found):
        longer = (what for what in places[key[:2]] if what.startswith(f"{key[2]}, "))
        if most := max(longer, key=len, default=""):  # the same change, of which more was known
            whole = found[*key[:2], most]
            seqs = sorted({*found.pop(key).seqs, *whole.seqs})
            found[*key[:2], most] = replace(whole, seqs=tuple(seqs))
    rollouts = {(each.at, each.manager) for each in found.values() if "rollout of" in each.what}
    changes = (
        each
        for each in found.values()
        if (each.at, each.manager) not in rollouts
        or not ("template written" in each.what or "Helm release" in each.what)
    )
    return sorted(changes, key=lambda each: each.at)


def _in_full(object_: str, what: str) -> str:
    """What changed; an object that leads it without its namespace is named in full."""
    kind, _, path = object_.partition(" ")
    short = f"{kind} {path.rpartition('/')[2]} "
    return f"{object_} {what.removeprefix(short)}" if path and what.startswith(short) else what


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo is not None else None
