"""Sections that tell the incident. Every generated statement cites its entries (row T25)."""

from __future__ import annotations

from timeline.entry import Entry
from timeline.export.document import Block, Cell, Items, Outside, Para, Table
from timeline.export.wording import Wording, happened, moment, numbers, recorded, seqs, window, word
from timeline.factors import factors as find_factors
from timeline.intents import pair
from timeline.metrics import milestones
from timeline.revisions import RevisedEntry, draft_entries


def summary(w: Wording) -> list[Block]:
    """What happened, as far as the record knows."""
    source, lines = w.source, w.lines
    items: list[Cell] = []
    opened = next((line.entry for line in lines if line.entry.kind == "incident-opened"), None)
    if opened:
        where: Cell = (" on context ", w.out(opened.context)) if opened.context else ()
        items.append((f"Recorded from {moment(opened)} UTC", *where, seqs(opened)))
    observed = [line.entry for line in lines if line.entry.kind == "observation"]
    if observed:
        first = observed[0]
        items.append((f"First seen at {moment(first)} UTC: ", w.text(first), seqs(first)))
        worst = next(
            (entry for entry in observed if entry.data.get("severity") == "critical"), None
        )
        if worst is not None and worst is not first:
            items.append((f"First critical at {moment(worst)} UTC: ", w.text(worst), seqs(worst)))
        shared = (worst or first).data.get("shared")
        if isinstance(shared, list) and shared:
            items.append(
                ("What the failing things share: ", w.out(str(shared[0])), seqs(worst or first))
            )
    matches = [line.entry for line in lines if line.entry.kind == "match"]
    if matches:
        last = matches[-1]
        items.append(
            ("It looked like: ", w.text(last), f" (believed at {moment(last)} UTC)", seqs(last))
        )
    done = [line.entry for line in lines if line.entry.kind == "action-result"]
    if done:
        items.append(
            (f"{len(done)} change{'s' if len(done) != 1 else ''} made to the cluster", seqs(*done))
        )
    marks = milestones(source.lines).entries
    for name in ("mitigated", "resolved"):
        if name in marks:
            items.append((f"{name.capitalize()} at {moment(marks[name])} UTC", seqs(marks[name])))
        else:
            items.append((f"Not recorded as {name}.",))
    return [Items(tuple(items))]


def impact(w: Wording) -> list[Block]:
    """When, how long, and what was seen failing."""
    marks = milestones(w.source.lines).entries
    start, mitigated, resolved = (marks.get(name) for name in ("started", "mitigated", "resolved"))
    items: list[Cell] = [
        window("Impact", start, mitigated, "mitigated"),
        window("Response", marks.get("detected") or start, resolved, "resolved"),
    ]
    most: dict[str, tuple[int, Entry]] = {}
    for line in w.lines:
        entry = line.entry
        if entry.kind != "observation" or entry.data.get("event") == "cleared":
            continue
        count = entry.data.get("count", 1)
        count = count if isinstance(count, int) else 1
        title = str(entry.data.get("title") or entry.object or entry.text)
        if title not in most or most[title][0] < count:
            most[title] = (count, entry)
    for title, (count, entry) in most.items():
        items.append(
            (w.out(title), f": {count} object{'s' if count != 1 else ''} at most", seqs(entry))
        )
    return [Items(tuple(items))]


def timeline(w: Wording) -> list[Block]:
    """The draft lane as a table."""
    rows = [_row(w, line) for line in draft_entries(w.source.lines)]
    hidden = sum(1 for line in w.source.lines if line.hidden)
    rest = len(w.source.lines) - hidden - len(rows)
    note = f"All times are UTC. {rest} more entries are in the log" + (
        f", {hidden} are hidden." if hidden else "."
    )
    return [
        Table(
            ("Happened", "Recorded", "What", "Who", "Phase", "Evidence", "seq", "audit"),
            tuple(rows),
        ),
        Para((note,)),
    ]


def _row(w: Wording, line: RevisedEntry) -> tuple[Cell, ...]:
    entry = line.entry
    what: list[str | Outside] = [word(entry.kind), ": "]
    if entry.object is not None and str(entry.object) not in entry.text:
        what += [w.out(str(entry.object)), " "]
    what.append(w.text(entry))
    if entry.reason:
        what += [" — ", w.out(entry.reason)]
    if line.edited:
        what.append(f" (edited; as recorded: seq {entry.seq})")
    if entry.confidence != "observed":
        what += [" (", word(entry.confidence), ")"]
    return (
        (happened(entry),),
        (recorded(entry),),
        tuple(what),
        (w.people.who(entry),),
        (word(entry.phase),),
        (w.cited(entry),),
        (str(entry.seq),),
        (w.out(entry.audit_id) if entry.audit_id else "",),
    )


def detection(w: Wording) -> list[Block]:
    """How it was noticed, beside when it began."""
    marks = milestones(w.source.lines)
    items: list[Cell] = []
    detected = marks.entries.get("detected")
    if detected:
        items.append((f"Detected at {moment(detected)} UTC: ", w.text(detected), seqs(detected)))
    else:
        items.append(("No *detected* entry: how and when it was noticed is not recorded.",))
    observed = next((line.entry for line in w.lines if line.entry.kind == "observation"), None)
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


def ruled_out(w: Wording) -> list[Block]:
    """Negative knowledge: refuted, found nothing, skipped, declined; then what is still
    believed."""
    items: list[Cell] = []
    asked = {
        result.id: intent
        for intent, result in pair(sorted((line.entry for line in w.lines), key=lambda e: e.seq))
        if result
    }
    for line in w.lines:
        entry = line.entry
        status = str(entry.data.get("status", ""))
        if entry.kind == "hypothesis" and status in ("ruled-out", "refuted", "rejected"):
            items.append((w.text(entry), *_because(w, entry), seqs(entry)))
        elif entry.kind == "probe-result" and entry.data.get("answer") == "clear":
            items.append(("Probed, nothing abnormal: ", w.text(entry), seqs(entry)))
        elif (
            entry.kind == "step-result"
            and entry.data.get("state") == "passed"
            and entry.id in asked
        ):
            items.append(
                (
                    "Checked, nothing abnormal: ",
                    w.text(asked[entry.id]),
                    " — ",
                    w.text(entry),
                    seqs(entry),
                )
            )
        elif entry.kind == "step-skipped":
            items.append(
                ("Skipped, so not ruled out: ", w.text(entry), *_because(w, entry), seqs(entry))
            )
        elif entry.kind == "action-declined":
            items.append(("Declined: ", w.text(entry), *_because(w, entry), seqs(entry)))
    opened = [
        line.entry
        for line in w.lines
        if line.entry.kind == "hypothesis"
        and line.entry.data.get("status", "open") in ("open", "supported")
    ]
    items += [
        (f"Hypothesis, {entry.data.get('status', 'open')}: ", w.text(entry), seqs(entry))
        for entry in opened
    ]
    return [Items(tuple(items))] if items else [Para(("Nothing recorded as ruled out.",))]


def _because(w: Wording, entry: Entry) -> Cell:
    return (" — ", w.out(entry.reason)) if entry.reason else ()


def factors(w: Wording) -> list[Block]:
    """Recorded factors, then candidates to confirm."""
    found = find_factors(w.source.lines)
    recorded = [factor for factor in found if not factor.candidate]
    candidates = [factor for factor in found if factor.candidate]
    blocks: list[Block] = []
    if recorded:
        rows = tuple(
            (
                (w.out(f.title),),
                (f.kind,),
                (w.out(f.resolution) if f.resolution else "",),
                (w.out(f.status),),
                (numbers(f.seqs),),
            )
            for f in recorded
        )
        blocks.append(Table(("Factor", "Kind", "Resolution", "Status", "Entries"), rows))
    else:
        blocks.append(
            Para(("None recorded yet. There is rarely one cause: list what had to come together.",))
        )
    if candidates:
        blocks.append(
            Para(
                (
                    "Candidates that the observations suggest; nothing is asserted. Confirm or "
                    "delete each:",
                )
            )
        )
        blocks.append(
            Items(
                tuple((w.out(f.title), f" ({f.kind}; seq {numbers(f.seqs)})") for f in candidates),
                tasks=True,
            )
        )
    return blocks


def questions(w: Wording) -> list[Block]:
    """Questions without an answer."""
    found = [
        line.entry
        for line in w.lines
        if line.entry.kind == "question" and line.entry.data.get("status") != "answered"
    ]
    items: list[Cell] = [(w.text(entry), *_owner(w, entry), seqs(entry)) for entry in found]
    return [Items(tuple(items), tasks=True)] if items else [Para(("None recorded.",))]


def follow_ups(w: Wording) -> list[Block]:
    """Tasks, and the resolutions of recorded factors."""
    found = [line.entry for line in w.lines if line.entry.kind == "follow-up"]
    items: list[Cell] = [(w.text(entry), *_owner(w, entry), seqs(entry)) for entry in found]
    items += [
        (
            w.out(factor.resolution),
            f" (for factor seq {factor.seqs[0]}, ",
            w.out(factor.status),
            ")",
        )
        for factor in find_factors(w.source.lines)
        if factor.resolution and not factor.candidate
    ]
    return [Items(tuple(items), tasks=True)] if items else [Para(("None recorded.",))]


def _owner(w: Wording, entry: Entry) -> Cell:
    owner = str(entry.data.get("owner", ""))
    return (" (owner: ", w.people.text(owner), ")") if owner else ()
