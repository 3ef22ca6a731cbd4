"""What each section of a post-mortem draft says, from the record alone. Every generated statement cites its entries (row T25)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from timeline.entry import CLOSED_BY, Entry
from timeline.export.document import Block, Cell, Fence, Items, Outside, Para, Table
from timeline.export.people import People
from timeline.export.source import Source
from timeline.factors import factors
from timeline.metrics import duration, metrics, milestones, phases
from timeline.view import Line, draft_lines

_SHOWN_LINES: Final = 40
_CLAIMS: Final = frozenset({"observation", "note", "hypothesis", "milestone", "contributing-factor", "probe-result", "action-result"})


class Sections:
    """Builds the blocks of a section by its id; an id without a method here is written by people."""

    def __init__(self, source: Source, people: People) -> None:
        self._source = source
        self._people = people
        self._lines = [line for line in source.lines if not line.hidden]
        self._names = source.evidence_names
        self._builders: dict[str, Callable[[], list[Block]]] = {
            "summary": self._summary,
            "impact": self._impact,
            "timeline": self._timeline,
            "detection": self._detection,
            "steps": self._steps,
            "probes": self._probes,
            "actions": self._actions,
            "ruled-out": self._ruled_out,
            "factors": self._factors,
            "metrics": self._metrics,
            "unknown": self._unknown,
            "unsupported": self._unsupported,
            "questions": self._questions,
            "follow-ups": self._follow_ups,
            "evidence": self._evidence,
            "redactions": self._redactions,
            "record": self._record,
        }

    def blocks(self, section: str) -> tuple[Block, ...]:
        """The blocks of one section, none for a section that only people write."""
        build = self._builders.get(section)
        return tuple(build()) if build else ()

    # -- sections

    def _summary(self) -> list[Block]:
        source, lines = self._source, self._lines
        items: list[Cell] = []
        opened = next((line.entry for line in lines if line.entry.kind == "incident-opened"), None)
        if opened:
            where: Cell = (" on context ", self._out(opened.context)) if opened.context else ()
            items.append((f"Recorded from {_moment(opened)} UTC", *where, _seqs(opened)))
        observed = [line.entry for line in lines if line.entry.kind == "observation"]
        if observed:
            first = observed[0]
            items.append((f"First seen at {_moment(first)} UTC: ", self._text(first), _seqs(first)))
        matches = [line.entry for line in lines if line.entry.kind == "match"]
        if matches:
            last = matches[-1]
            items.append(("It looked like: ", self._text(last), f" (believed at {_moment(last)} UTC)", _seqs(last)))
        done = [line.entry for line in lines if line.entry.kind == "action-result"]
        if done:
            items.append((f"{len(done)} change{'s' if len(done) != 1 else ''} made to the cluster", _seqs(*done)))
        marks = milestones(source.lines).entries
        for name in ("mitigated", "resolved"):
            if name in marks:
                items.append((f"{name.capitalize()} at {_moment(marks[name])} UTC", _seqs(marks[name])))
            else:
                items.append((f"Not recorded as {name}.",))
        return [Items(tuple(items))]

    def _impact(self) -> list[Block]:
        marks = milestones(self._source.lines).entries
        start, mitigated, resolved = (marks.get(name) for name in ("started", "mitigated", "resolved"))
        items: list[Cell] = [
            _window("Impact", start, mitigated, "mitigated"),
            _window("Response", marks.get("detected") or start, resolved, "resolved"),
        ]
        seen: dict[tuple[str, str, str], Entry] = {}
        for line in self._lines:
            reference = line.entry.object
            if line.entry.kind == "observation" and reference is not None:
                seen.setdefault((reference.kind, reference.namespace, reference.name), line.entry)
        for kind, count in sorted(Counter(kind for kind, _, _ in seen).items()):
            cited = [entry for (seen_kind, _, _), entry in seen.items() if seen_kind == kind]
            items.append((self._out(kind), f": {count} seen failing", _seqs(*cited)))
        return [Items(tuple(items))]

    def _timeline(self) -> list[Block]:
        rows = [self._row(line) for line in draft_lines(self._source.lines)]
        hidden = sum(1 for line in self._source.lines if line.hidden)
        rest = len(self._source.lines) - hidden - len(rows)
        note = f"All times are UTC. {rest} more entries are in the log" + (f", {hidden} are hidden." if hidden else ".")
        return [Table(("Happened", "Recorded", "What", "Who", "Phase", "Evidence", "seq", "audit"), tuple(rows)), Para((note,))]

    def _row(self, line: Line) -> tuple[Cell, ...]:
        entry = line.entry
        what: list[str | Outside] = [f"{entry.kind}: "]
        if entry.object is not None and str(entry.object) not in entry.text:
            what += [self._out(str(entry.object)), " "]
        what.append(self._text(entry))
        if entry.reason:
            what += [" — ", self._out(entry.reason)]
        if line.edited:
            what.append(f" (edited; as recorded: seq {entry.seq})")
        if entry.confidence != "observed":
            what.append(f" ({entry.confidence})")
        return (
            (_happened(entry),),
            (_recorded(entry),),
            tuple(what),
            (self._people.who(entry),),
            (entry.phase,),
            (self._cited(entry),),
            (str(entry.seq),),
            (self._out(entry.audit_id) if entry.audit_id else "",),
        )

    def _detection(self) -> list[Block]:
        marks = milestones(self._source.lines)
        items: list[Cell] = []
        detected = marks.entries.get("detected")
        if detected:
            items.append((f"Detected at {_moment(detected)} UTC: ", self._text(detected), _seqs(detected)))
        else:
            items.append(("No *detected* entry: how and when it was noticed is not recorded.",))
        observed = next((line.entry for line in self._lines if line.entry.kind == "observation"), None)
        if observed:
            items.append(
                (
                    f"The first abnormal fact dates from {_moment(observed)} UTC, recorded {_recorded(observed)}: ",
                    self._text(observed),
                    _seqs(observed),
                )
            )
        return [Items(tuple(items))]

    def _steps(self) -> list[Block]:
        blocks: list[Block] = []
        for line in self._lines:
            if line.entry.kind == "run-started":
                blocks.append(Para((f"{_moment(line.entry)} UTC, runbook ", self._text(line.entry), _seqs(line.entry))))
        blocks.append(self._pairs("step-intent", ("step-skipped",)))
        return blocks

    def _probes(self) -> list[Block]:
        return [self._pairs("probe-intent"), self._created()]

    def _actions(self) -> list[Block]:
        return [self._pairs("action-intent", ("action-declined",))]

    def _pairs(self, intent_kind: str, alone: tuple[str, ...] = ()) -> Block:
        """Each intent beside its result, and what happened without an intent (skipped, declined)."""
        entries = [line.entry for line in self._lines]
        results = {entry.intent_id: entry for entry in entries if entry.kind in CLOSED_BY[intent_kind] and entry.intent_id}
        intents = [entry for entry in entries if entry.kind == intent_kind]
        paired = {entry.intent_id for entry in intents}
        rows: list[tuple[Cell, ...]] = []
        for entry in entries:
            if entry.kind == intent_kind:
                result = results.get(entry.intent_id)
                outcome: Cell = self._outcome(result) if result else ("**unknown — verify**: no result was recorded",)
                rows.append(((_happened(entry),), (self._text(entry),), outcome, (self._people.who(entry),), self._refs(entry, result)))
            elif entry.kind in alone and entry.intent_id not in paired:
                rows.append(
                    ((_happened(entry),), (self._text(entry),), self._outcome(entry), (self._people.who(entry),), self._refs(entry))
                )
        if not rows:
            return Para(("Nothing recorded.",))
        return Table(("Happened (UTC)", "What", "Result", "Who", "Entries"), tuple(rows))

    def _outcome(self, entry: Entry) -> Cell:
        state = str(entry.data.get("state") or entry.data.get("outcome") or "")
        lead = {"action-declined": "declined", "step-skipped": "skipped"}.get(entry.kind, "")
        parts: list[str | Outside] = []
        if lead:
            parts.append(f"{lead} ")
        elif state:
            parts += [self._out(state), ": "]
        if not lead:
            parts.append(self._text(entry))
        if entry.reason:
            parts += ["— " if lead else " — ", self._out(entry.reason)]
        return tuple(parts)

    def _created(self) -> Block:
        entries = [line.entry for line in self._lines]
        removed = {entry.intent_id for entry in entries if entry.kind == "object-removed"}
        rows = tuple(
            (
                (_happened(entry),),
                (self._text(entry),),
                ("removed",) if entry.intent_id in removed else ("**not known to be removed — verify**",),
                _refs_cell(entry),
            )
            for entry in entries
            if entry.kind == "object-intent"
        )
        return (
            Table(("Happened (UTC)", "Created in the cluster", "Now", "Entries"), rows)
            if rows
            else Para(("No object was created in the cluster.",))
        )

    def _ruled_out(self) -> list[Block]:
        items: list[Cell] = []
        for line in self._lines:
            entry = line.entry
            status = str(entry.data.get("status", ""))
            if entry.kind == "hypothesis" and status in ("ruled-out", "refuted", "rejected"):
                items.append((self._text(entry), *self._because(entry), _seqs(entry)))
            elif entry.kind == "probe-result" and entry.data.get("found") is False:
                items.append(("Probe found nothing: ", self._text(entry), _seqs(entry)))
            elif entry.kind == "step-skipped":
                items.append(("Skipped, so not ruled out: ", self._text(entry), *self._because(entry), _seqs(entry)))
            elif entry.kind == "action-declined":
                items.append(("Declined: ", self._text(entry), *self._because(entry), _seqs(entry)))
        opened = [
            line.entry
            for line in self._lines
            if line.entry.kind == "hypothesis" and line.entry.data.get("status", "open") in ("open", "supported")
        ]
        items += [(f"Hypothesis, {entry.data.get('status', 'open')}: ", self._text(entry), _seqs(entry)) for entry in opened]
        return [Items(tuple(items))] if items else [Para(("Nothing recorded as ruled out.",))]

    def _because(self, entry: Entry) -> Cell:
        return (" — ", self._out(entry.reason)) if entry.reason else ()

    def _factors(self) -> list[Block]:
        found = factors(self._source.lines)
        recorded = [factor for factor in found if not factor.candidate]
        candidates = [factor for factor in found if factor.candidate]
        blocks: list[Block] = []
        if recorded:
            rows = tuple(
                (
                    (self._out(f.title),),
                    (f.kind,),
                    (self._out(f.resolution) if f.resolution else "",),
                    (self._out(f.status),),
                    (_numbers(f.seqs),),
                )
                for f in recorded
            )
            blocks.append(Table(("Factor", "Kind", "Resolution", "Status", "Entries"), rows))
        else:
            blocks.append(Para(("None recorded yet. There is rarely one cause: list what had to come together.",)))
        if candidates:
            blocks.append(Para(("Candidates that the observations suggest; nothing is asserted. Confirm or delete each:",)))
            blocks.append(Items(tuple((f.title, f" ({f.kind}; seq {_numbers(f.seqs)})") for f in candidates), tasks=True))
        return blocks

    def _metrics(self) -> list[Block]:
        rows = tuple(
            ((metric.name,), (metric.meaning,), (metric.text,), (f"seq {metric.since} to {metric.until}" if metric.since else "",))
            for metric in metrics(self._source.lines)
        )
        blocks: list[Block] = [Table(("Metric", "Meaning", "Value (HH:MM:SS)", "From"), rows)]
        spent = phases(self._source.lines)
        if spent:
            blocks.append(Items(tuple((f"{phase}: {duration(seconds)}",) for phase, seconds in spent.items())))
        blocks += [Para((f"Check the order: {warning}.",)) for warning in milestones(self._source.lines).warnings]
        return blocks

    def _unknown(self) -> list[Block]:
        if not self._source.unfinished:
            return [Para(("None: every intent has a result.",))]
        return [
            Items(
                tuple(
                    (f"{_moment(entry)} UTC, {entry.kind} without a result: ", self._text(entry), _seqs(entry))
                    for entry in self._source.unfinished
                ),
                tasks=True,
            )
        ]

    def _unsupported(self) -> list[Block]:
        bare = [line.entry for line in draft_lines(self._source.lines) if line.entry.kind in _CLAIMS and not line.entry.evidence]
        if not bare:
            return [Para(("None: every key entry has evidence.",))]
        items: list[Cell] = [
            (f"{_moment(entry)} UTC, {entry.kind} ({entry.confidence}): ", self._text(entry), _seqs(entry)) for entry in bare
        ]
        return [Items(tuple(items))]

    def _questions(self) -> list[Block]:
        found = [line.entry for line in self._lines if line.entry.kind == "question" and line.entry.data.get("status") != "answered"]
        items: list[Cell] = [(self._text(entry), *self._owner(entry), _seqs(entry)) for entry in found]
        return [Items(tuple(items), tasks=True)] if items else [Para(("None recorded.",))]

    def _follow_ups(self) -> list[Block]:
        found = [line.entry for line in self._lines if line.entry.kind == "follow-up"]
        items: list[Cell] = [(self._text(entry), *self._owner(entry), _seqs(entry)) for entry in found]
        items += [
            (self._out(factor.resolution), f" (for factor seq {factor.seqs[0]}, ", self._out(factor.status), ")")
            for factor in factors(self._source.lines)
            if factor.resolution and not factor.candidate
        ]
        return [Items(tuple(items), tasks=True)] if items else [Para(("None recorded.",))]

    def _owner(self, entry: Entry) -> Cell:
        owner = str(entry.data.get("owner", ""))
        return (" (owner: ", self._people.text(owner), ")") if owner else ()

    def _evidence(self) -> list[Block]:
        if not self._source.evidence:
            return [Para(("None stored.",))]
        facts: dict[str, tuple[Entry, str]] = {}
        for entry in self._source.entries:
            for capture in entry.data.get("captures", ()):
                facts.setdefault(str(capture.get("sha256")), (entry, str(capture.get("source", ""))))
        blocks: list[Block] = []
        for blob in self._source.evidence:
            name = self._names[blob.sha256]
            seen_in = facts.get(blob.sha256)
            size = f"{blob.size} bytes" + (f", cut from {blob.original_size}" if blob.truncated else "")
            seen: Cell = (f", seen {seen_in[0].recorded_at:%Y-%m-%d %H:%M:%S} UTC", _seqs(seen_in[0])) if seen_in else ()
            command: Cell = (" from ", self._out(seen_in[1])) if seen_in and seen_in[1] else ()
            blocks.append(Para((f"**{name}** {size}", *command, *seen, f", sha256 {blob.sha256}")))
            if blob.content is None:
                blocks.append(Para(("Purged; the hash above is what was stored.",)))
            else:
                blocks.append(Fence(_excerpt(self._people.text(blob.text).text)))
        return blocks

    def _redactions(self) -> list[Block]:
        counts: Counter[str] = Counter()
        for entry in self._source.entries:
            counts.update(entry.redactions)
        items: list[Cell] = [(f"{rule}: {count}",) for rule, count in sorted(counts.items())] or [("Nothing was redacted.",)]
        return [
            Items(tuple(items)),
            Para(
                (
                    "Secrets were replaced at capture by typed tokens; the same token is the same secret. "
                    "This is not a guarantee: read before you share.",
                )
            ),
        ]

    def _record(self) -> list[Block]:
        source = self._source
        return [
            Items(
                (
                    ("Incident ", self._out(source.incident_id), f", {source.head[0]} entries"),
                    (f"Head of the chain: seq {source.head[0]}, sha256 {source.head[1] or 'none'}",),
                    ("Check with `stanch timeline verify`; a record that was cut or changed since then does not have this head.",),
                )
            )
        ]

    # -- parts

    def _out(self, text: str) -> Outside:
        return self._people.text(text)

    def _text(self, entry: Entry) -> Outside:
        return self._people.text(entry.text)

    def _cited(self, entry: Entry) -> str:
        return ", ".join(self._names[sha256] for sha256 in entry.evidence if sha256 in self._names)

    def _refs(self, *entries: Entry | None) -> Cell:
        present = [entry for entry in entries if entry is not None]
        cited = ", ".join(filter(None, (self._cited(entry) for entry in present)))
        return (f"seq {_numbers(tuple(entry.seq for entry in present))}" + (f"; {cited}" if cited else ""),)


def _refs_cell(entry: Entry) -> Cell:
    return (f"seq {entry.seq}",)


def _excerpt(text: str) -> str:
    """The first lines of evidence; all of it is in the record and in the JSON Lines export."""
    lines = text.splitlines()
    shown = [line if len(line) <= 400 else line[:400] + " …" for line in lines[:_SHOWN_LINES]]
    if len(lines) > _SHOWN_LINES:
        shown.append(f"… {len(lines) - _SHOWN_LINES} more lines in the record")
    return "\n".join(shown)


def _window(name: str, start: Entry | None, end: Entry | None, missing: str) -> Cell:
    if start is None:
        return (f"{name}: when it began is not recorded.",)
    if end is None:
        return (f"{name}: from {_moment(start)} UTC, end n/a — no *{missing}* entry", _seqs(start))
    seconds = (end.occurred_at - start.occurred_at).total_seconds()
    return (f"{name}: from {_moment(start)} to {_moment(end)} UTC, {duration(seconds)}", _seqs(start, end))


def _seqs(*entries: Entry) -> str:
    return f" (seq {_numbers(tuple(entry.seq for entry in entries))})"


def _numbers(seqs: Sequence[int]) -> str:
    shown = [str(seq) for seq in dict.fromkeys(seqs)]
    return ", ".join(shown[:6]) + (f" and {len(shown) - 6} more" if len(shown) > 6 else "")


def _moment(entry: Entry) -> str:
    return f"{entry.occurred_at:%Y-%m-%d %H:%M:%S}"


def _happened(entry: Entry) -> str:
    """Absolute, no more precise than it is known."""
    moment = entry.occurred_at
    if entry.occurred_precision == "minute":
        return f"{moment:%Y-%m-%d %H:%M}"
    if entry.occurred_precision == "approx":
        return f"about {moment:%Y-%m-%d %H:%M}"
    if entry.occurred_precision == "range" and entry.occurred_end is not None:
        return f"{moment:%Y-%m-%d %H:%M} to {entry.occurred_end:%H:%M}"
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _recorded(entry: Entry) -> str:
    same_day = entry.recorded_at.date() == entry.occurred_at.date()
    return f"{entry.recorded_at:%H:%M:%S}" if same_day else f"{entry.recorded_at:%Y-%m-%d %H:%M:%S}"
