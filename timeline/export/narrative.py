"""Sections that tell the incident. Every generated statement cites its entries (row T25)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from timeline.entry import Entry
from timeline.export.document import (
    Axis,
    AxisPoint,
    Block,
    DraftTable,
    Items,
    Outside,
    Para,
    TableCell,
)
from timeline.export.wording import (
    LEADS,
    Wording,
    happened,
    intervention_text,
    milestone_name,
    moment,
    numbers,
    recorded,
    seqs,
    window,
    without_lead,
    word,
)
from timeline.metrics import seen_before_changes, spoken
from timeline.revisions import RevisedEntry, draft_entries
from timeline.story import (
    LEAD,
    ClusterChange,
    Intervention,
    belief,
    hypotheses,
    is_ruled_out,
    proof,
)

_ABNORMAL: Final = 4
"""Checks that a summary quotes: the last ones."""
_SAID: Final = 200
"""Most characters of a check's result in a summary."""
_AUDITED: Final = 4
"""Most Audit-Ids in a row of the timeline."""


def summary(w: Wording) -> list[Block]:
    """The incident in a few sentences, from the record."""
    story = w.story
    items: list[TableCell] = []
    opened = next((line.entry for line in w.lines if line.entry.kind == "incident-opened"), None)
    if opened:
        where: TableCell = (" on context ", w.out(opened.context)) if opened.context else ()
        items.append((f"Recorded from {moment(opened)} UTC", *where, seqs(opened)))
    if story.first is not None:
        first = story.first
        items.append((f"First sign at {moment(first)} UTC: ", w.text(first), seqs(first)))
        shared = first.data.get("shared")
        if isinstance(shared, list) and shared:
            items.append(("What the failing things share: ", w.out(str(shared[0])), seqs(first)))
    items += _verdict(w)
    for act in story.interventions:
        items.append(("Changed: ", *intervention_text(w, act), seqs(*entries_of(act))))
    for name in ("mitigated", "resolved"):
        if name in w.marks:
            mark = w.marks[name]
            items.append((f"{name.capitalize()} at {moment(mark)} UTC", seqs(mark)))
        else:
            items.append((f"Not recorded as {name}.",))
    return [Items(tuple(items))]


def _verdict(w: Wording) -> Iterator[TableCell]:
    """The runbook that was followed and what decided; without one, the last state of the
    symptoms."""
    followed = w.story.followed
    if followed is not None:
        yield (
            "Runbook followed: ",
            w.out(followed.runbook),
            followed.answered,
            seqs(followed.begun),
        )
    probes = [line.entry for line in w.lines if line.entry.kind == "probe-result"]
    found = [entry for entry in probes if entry.data.get("conclusions")]
    faults = [entry for entry in found if entry.data.get("answer") not in ("clear", "unknown")]
    if faults:
        yield ("Measured: ", w.text(faults[-1]), seqs(faults[-1]))
    if found and found[-1] not in faults:
        yield ("Measured last: ", w.text(found[-1]), seqs(found[-1]))
    abnormal = {  # a step that was run again says the same once
        (entry.step_id, entry.text): entry
        for entry in (followed.results if followed is not None else ())
        if entry.kind == "step-result" and entry.data.get("state") == "failed"
    }
    for entry in list(abnormal.values())[-_ABNORMAL:]:
        asked = w.story.asked.get(entry.id)
        question: TableCell = (w.text(asked), " — ") if asked is not None else ()
        said = w.text(entry).text
        short = Outside(said if len(said) <= _SAID else f"{said[:_SAID]} …")
        yield ("Found by a check: ", *question, short, seqs(entry))
    end = _end(w)
    known = [line for line in w.lines if end is None or line.entry.occurred_at <= end.occurred_at]
    last = belief(known, w.story)
    if last is not None and followed is None:
        yield ("It looked like: ", w.text(last), f" (believed at {moment(last)} UTC)", seqs(last))


def updates(w: Wording) -> list[Block]:
    """Dated statements about the state of the incident."""
    kinds = ("milestone", "incident-opened", "incident-closed", "incident-reopened")
    entries = [line.entry for line in w.lines]
    items: list[TableCell] = [
        (
            f"{moment(entry)} UTC — ",
            word(LEADS.get(entry.kind, milestone_name(entry))),
            *_told(w, entry),
            seqs(*filter(None, (entry, proof(entries, entry)))),
        )
        for entry in entries
        if entry.kind in kinds
    ]
    return [Items(tuple(items))] if items else [Para(("Nothing stated.",))]


def _told(w: Wording, entry: Entry) -> TableCell:
    """The words of an entry without the name that they follow."""
    return (": ", w.text(entry)) if entry.text not in ("", milestone_name(entry)) else ()


def impact(w: Wording) -> list[Block]:
    """Beginning, duration, and what was seen failing."""
    start, mitigated, resolved = (
        w.marks.get(name) for name in ("started", "mitigated", "resolved")
    )
    items: list[TableCell] = [
        (
            *window("Impact", start, mitigated or resolved, "mitigated"),
            "" if mitigated or not resolved else "; when it was mitigated is not recorded",
        ),
        window("Response", w.marks.get("detected") or start, resolved, "resolved"),
    ]
    most: dict[str, tuple[int, Entry]] = {}
    during, _ = observations(w)
    ours, effects = _after_changes(w, during), dict[int, list[TableCell]]()
    for entry in during:
        count = entry.data.get("count", 1)
        count = count if isinstance(count, int) else 1
        title = title_of(entry)
        if title not in most or most[title][0] < count:
            most[title] = (count, entry)
    for title, (count, entry) in most.items():
        most_of: TableCell = (f" (up to {count} objects)",) if count > 1 else ()
        after = effects.setdefault(ours[title], []) if title in ours else items
        after.append((w.out(title), *most_of, seqs(entry)))
    for why, entry in _blast(w).items():
        items.append(("Also touched: ", w.out(why), seqs(entry)))
    for at, seen in effects.items():
        act = w.story.interventions[at]
        listed = [part for each in seen for part in ("; ", *each)][1:]
        change = (*intervention_text(w, act), seqs(*entries_of(act)))
        items.append(("Seen after our own change, ", *change, ": ", *listed))
    return [Items(tuple(items))]


def _end(w: Wording) -> Entry | None:
    """What began after it is no part of the incident."""
    return w.marks.get("resolved") or w.marks.get("mitigated")


def observations(w: Wording) -> tuple[list[Entry], list[Entry]]:
    """Observations of what fails: those from before the incident was resolved (else mitigated), and
    those of symptoms that began after it."""
    end = _end(w)
    seen = [line.entry for line in w.lines if line.entry.kind == "observation"]
    failing = [entry for entry in seen if entry.data.get("event") != "cleared"]
    if end is None:
        return failing, []
    return (
        [entry for entry in failing if entry.occurred_at <= end.occurred_at],
        [
            entry
            for entry in failing
            if entry.occurred_at > end.occurred_at and entry.data.get("event") != "changed"
        ],
    )


def _after_changes(w: Wording, observed: Sequence[Entry]) -> dict[str, int]:
    """The last change that was made here before a symptom began and was first seen, as its index,
    by the title of the symptom: it may be the effect of that change."""
    first: dict[str, datetime] = {}
    for entry in observed:
        begun = min(entry.occurred_at, entry.recorded_at)
        first[title_of(entry)] = min(first.get(title_of(entry), begun), begun)
    acts = [act.intent.recorded_at for act in w.story.interventions]
    before = {title: [at for at in acts if at <= seen] for title, seen in first.items()}
    return {title: acts.index(max(made)) for title, made in before.items() if made}


def title_of(entry: Entry) -> str:
    return str(entry.data.get("title") or entry.object or entry.text)


def _blast(w: Wording) -> dict[str, Entry]:
    """Dependants of the failing objects, each once, the first ten."""
    found: dict[str, Entry] = {}
    for entry in seen_before_changes(observations(w)[0], w.lines):
        blast = entry.data.get("blast", ())
        for each in blast if isinstance(blast, list) else ():
            if isinstance(each, dict) and len(found) < 10:
                found.setdefault(f"{each.get('object', '')}: {each.get('why', '')}", entry)
    return found


def leadup(w: Wording) -> list[Block]:
    """Changes in the hours before the first sign, each with its distance."""
    first = w.story.first
    changes = w.story.before(LEAD)
    if first is None or not changes:
        return [Para((f"No change is on record in the {LEAD.seconds // 3600} hours before it.",))]
    items: list[TableCell] = []
    for change in changes:
        items.append((_before(change, first), *_change(w, change)))
    items.append((f"{moment(first)} UTC, first sign: ", w.text(first), seqs(first)))
    return [Items(tuple(items))]


def _before(change: ClusterChange, first: Entry) -> str:
    ahead = (first.occurred_at - change.at).total_seconds()
    apart = f"{spoken(ahead)} before" if ahead > 0 else "at the first sign"
    return f"{change.at:%Y-%m-%d %H:%M:%S} UTC, {apart}: "


def _change(w: Wording, change: ClusterChange) -> TableCell:
    named: TableCell = (
        ()
        if change.object.rpartition("/")[2].casefold() in change.what.casefold()
        else (w.out(change.object), " ")
    )
    by: TableCell = (" by ", w.out(change.manager)) if change.by else ()
    return (*named, w.out(change.what), *by, f" (seq {numbers(change.seqs)})")


def timeline(w: Wording) -> list[Block]:
    """The draft lane as a table; an intent and its result are one row."""
    by_hand = {
        act.result.id: act
        for act in w.story.interventions
        if act.by_hand and act.result is not None
    }
    in_draft = {line.entry.id for line in draft_entries(w.source.lines)}
    chosen = [
        line
        for line in w.lines
        if (line.entry.id in in_draft or line.entry.id in by_hand)
        and not line.entry.data.get("part_of")
    ]
    shown = {line.entry.id for line in chosen}
    rows = []
    for line in chosen:
        asked = w.story.asked.get(line.entry.id)
        if line.entry.kind != "action-result" or asked is None or asked.id not in shown:
            rows.append(_row(w, line, by_hand.get(line.entry.id)))
    hidden = sum(1 for line in w.source.lines if line.hidden)
    rest = len(w.source.lines) - hidden - len(chosen)
    more = f" More entries in the log: {rest}." if rest else ""
    more += f" Hidden entries: {hidden}." if hidden else ""
    note = f"All times are UTC.{more}"
    zone: TableCell = (Outside(str(w.zone)),) if w.zone else ()
    header: TableCell = (
        "Happened",
        *zone,
        "Recorded",
        "What",
        "Who",
        "Phase",
        "Evidence",
        "seq",
        "audit",
    )
    return [Axis(tuple(_marks(w))), DraftTable(header, tuple(rows)), Para((note,))]


def _row(w: Wording, line: RevisedEntry, by_hand: Intervention | None) -> tuple[TableCell, ...]:
    entry = line.entry
    result = w.story.answered.get(entry.id) if entry.kind == "action-intent" else None
    lead = "changed" if by_hand is not None else LEADS.get(entry.kind, entry.kind)
    what: list[str | Outside] = [word(lead), ": "]
    if entry.kind == "milestone":
        what = ["**", word(milestone_name(entry)), "**", *_told(w, entry)]
    elif by_hand is not None or entry.kind == "action-intent":
        what += intervention_text(w, by_hand or Intervention(intent=entry, result=result))
    else:
        what = [word(_status(w, entry)), ": "] if entry.kind == "hypothesis" else what
        what += [*_about(w, entry), w.text(entry)]
    if result is not None and not result.data.get("by_hand"):  # that says the same again
        what += [" → ", w.out(without_lead(result.text, entry.text))]
    if entry.reason:
        what += [" — ", w.out(entry.reason)]
    if line.edited and entry.kind != "incident-opened":
        what.append(f" (edited; as recorded: seq {entry.seq})")
    if entry.confidence == "guess":
        what += [" (", word(entry.confidence), ")"]
    both = [entry] if result is None else [entry, result]
    return (
        (happened(entry),),
        *(((w.local(entry),),) if w.zone else ()),
        (recorded(entry),),
        tuple(what),
        (w.people.who(entry),),
        (word(entry.phase),),
        (", ".join(filter(None, (w.cited(each) for each in both))),),
        (numbers(tuple(each.seq for each in both)),),
        (w.out(_audit_ids(both)),),
    )


def _audit_ids(entries: Sequence[Entry]) -> str:
    """The first digits of each, which are enough to find it; whole in JSON Lines and CSV."""
    found = " ".join(entry.audit_id for entry in entries).split()
    first = dict.fromkeys(each[:8] for each in found)
    more = f" and {len(first) - _AUDITED} more" if len(first) > _AUDITED else ""
    return " ".join(list(first)[:_AUDITED]) + more


def _status(w: Wording, entry: Entry) -> str:
    """A hypothesis and its outcome."""
    if is_ruled_out(entry):
        return "ruled out"
    standing = {each.id for each in hypotheses(w.lines)[0]}
    return "hypothesis" if entry.id in standing else "hypothesis, later ruled out"


def _about(w: Wording, entry: Entry) -> TableCell:
    """The object, where the text does not name it."""
    named = entry.object is None or str(entry.object) in entry.text or entry.kind == "match"
    return () if named else (w.out(str(entry.object)), " ")


def _marks(w: Wording) -> Iterator[AxisPoint]:
    """Points for the drawn axis."""
    for line in w.lines:
        entry = line.entry
        if entry.kind == "observation":
            yield AxisPoint(entry.occurred_at, "symptoms", w.text(entry))
        elif entry.kind == "milestone":
            yield AxisPoint(entry.occurred_at, "marks", w.text(entry))
    for change in w.story.before(LEAD):
        yield AxisPoint(change.at, "changes", w.out(f"{change.object} {change.what}"))
    for act in w.story.interventions:
        yield AxisPoint(act.intent.occurred_at, "actions", w.text(act.intent))


def detection(w: Wording) -> list[Block]:
    """How and when the incident was detected, with the distance from its beginning."""
    items: list[TableCell] = []
    detected, first = w.marks.get("detected"), w.story.first
    if detected:
        items.append((f"Detected at {moment(detected)} UTC: ", w.text(detected), seqs(detected)))
        if first is not None and detected.occurred_at > first.occurred_at:
            apart = spoken((detected.occurred_at - first.occurred_at).total_seconds())
            items.append((f"{apart} after the first sign", seqs(first, detected)))
    else:
        items.append(("No *detected* entry: how and when it was noticed is not recorded.",))
    seen = [line.entry for line in w.lines if line.entry.kind == "observation"]
    observed = next(iter(seen_before_changes(seen, w.lines)), None)
    if observed:
        items.append(
            (
                f"The first abnormal fact dates from {moment(observed)} UTC, recorded "
                f"{recorded(observed)}: ",
                w.text(observed),
                seqs(observed),
            )
        )
    return [Items(tuple(items))]


def entries_of(act: Intervention) -> list[Entry]:
    if act.result is None or act.result is act.intent:
        return [act.intent]
    return [act.intent, act.result]
