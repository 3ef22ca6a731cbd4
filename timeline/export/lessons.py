"""Sections of a draft for the review: ruled out, factors, risks, questions, follow-ups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from timeline.entry import Entry
from timeline.export.document import Block, DraftTable, Items, Para, TableCell
from timeline.export.narrative import entries_of, observations, title_of
from timeline.export.wording import Wording, intervention_text, moment, numbers, seqs
from timeline.factors import factors as find_factors
from timeline.story import Intervention, hypotheses, is_ruled_out, standing

_PROPOSED: Final = 8
"""Runbook sections that propose follow-ups."""


def ruled_out(w: Wording) -> list[Block]:
    """Negative results: refuted, found nothing, skipped; then open hypotheses. A declined action
    rules nothing out: it stands among the actions."""
    items: list[TableCell] = []
    done = {
        (line.entry.run_id, line.entry.step_id)
        for line in w.lines
        if line.entry.kind.endswith("-result") and line.entry.data.get("state") != "unknown"
    }
    checked = [line.entry for line in w.lines if line.entry.kind == "step-result"]
    last = {(entry.run_id, entry.step_id): entry.id for entry in checked}
    abnormal = {
        (entry.run_id, entry.step_id) for entry in checked if entry.data.get("state") == "failed"
    }
    made = [act.result.seq for act in standing(w.story.interventions) if act.result is not None]
    for line in w.lines:
        entry = line.entry
        step = (entry.run_id, entry.step_id)
        asked = w.story.asked.get(entry.id)
        # Then it may be well because of the change.
        when = " after a change" if any(seq < entry.seq for seq in made) else ""
        if entry.kind == "hypothesis" and is_ruled_out(entry):
            items.append(("Ruled out: ", w.text(entry), *_because(w, entry), seqs(entry)))
        elif entry.kind == "probe-result" and entry.data.get("answer") == "clear":
            items.append((f"Probed{when}, nothing abnormal: ", w.text(entry), seqs(entry)))
        elif entry.kind == "step-result" and entry.data.get("state") == "passed" and asked:
            # What was abnormal before, and what was verified at the end, rules nothing out.
            repeated = step in abnormal or last[step] != entry.id
            if repeated or entry.data.get("section") == "verify":
                continue
            items.append(
                (
                    f"Checked{when}, nothing abnormal: ",
                    w.text(asked),
                    " — ",
                    w.text(entry),
                    seqs(entry),
                )
            )
        elif (
            entry.kind == "step-skipped"
            and step not in done
            and not entry.data.get("changes_cluster")
        ):
            items.append(
                (
                    "Skipped, so not ruled out: ",
                    w.text(entry),
                    *_because(w, entry),
                    seqs(entry),
                )
            )
    items += [
        (f"Hypothesis, {entry.data.get('status', 'open')}: ", w.text(entry), seqs(entry))
        for entry in hypotheses(w.lines)[0]
    ]
    return [Items(tuple(items))] if items else [Para(("Nothing recorded as ruled out.",))]


def _because(w: Wording, entry: Entry) -> TableCell:
    return (" — ", w.out(entry.reason)) if entry.reason else ()


def factors(w: Wording) -> list[Block]:
    """Recorded factors, then candidates to confirm."""
    found = find_factors(w.source.lines, w.story)
    recorded_ = [factor for factor in found if not factor.candidate]
    candidates = [factor for factor in found if factor.candidate]
    blocks: list[Block] = []
    if recorded_:
        rows = tuple(
            (
                (w.out(f.title),),
                (f.kind,),
                (w.out(f.resolution) if f.resolution else "",),
                (w.out(f.status),),
                (numbers(f.seqs),),
            )
            for f in recorded_
        )
        blocks.append(DraftTable(("Factor", "Kind", "Resolution", "Status", "Entries"), rows))
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
        items: list[TableCell] = []
        for f in candidates:
            why: TableCell = (": ", w.out(f.why)) if f.why else ()
            items.append((w.out(f.title), *why, f" ({f.kind}; seq {numbers(f.seqs)})"))
        blocks.append(Items(tuple(items), tasks=True))
    return blocks


def risks(w: Wording) -> list[Block]:
    """Remaining risks: open questions, unknowns, and what a runbook would still change."""
    items: list[TableCell] = [
        ("Not known to be done: ", w.text(entry), seqs(entry)) for entry in w.source.unfinished
    ]
    items += [_in_force(w, act) for act in standing(w.story.interventions)]
    return [Items(tuple(items))] if items else [Para(("None recorded.",))]


def _in_force(w: Wording, act: Intervention) -> TableCell:
    """A change that was not undone, and the command that undoes it."""
    undo = act.intent.data.get("undo")
    command = str(undo.get("kubectl", "")) if isinstance(undo, Mapping) else ""
    return (
        "Still in force: ",
        *intervention_text(w, act),
        "; undo it",
        *((" (", w.out(command), ")") if command else ()),
        ", or put it into the source of truth",
        seqs(*entries_of(act)),
    )


def questions(w: Wording) -> list[Block]:
    """Questions without an answer, and symptoms that began after the end."""
    found = [
        line.entry
        for line in w.lines
        if line.entry.kind == "question" and line.entry.data.get("status") != "answered"
    ]
    items: list[TableCell] = [(w.text(entry), *_owner(w, entry), seqs(entry)) for entry in found]
    mark = "resolved" if "resolved" in w.marks else "mitigated"
    later = {title_of(entry): entry for entry in reversed(observations(w)[1])}
    items += [
        (
            f"Began at {moment(entry)} UTC, after it was {mark}; is it part of this incident? ",
            w.out(title),
            seqs(entry),
        )
        for title, entry in reversed(later.items())
    ]
    return [Items(tuple(items), tasks=True)] if items else [Para(("None recorded.",))]


def follow_ups(w: Wording) -> list[Block]:
    """Changes that were not undone (a paused rollout), tasks, the resolutions of recorded factors,
    and what the runbook proposes."""
    found = [line.entry for line in w.lines if line.entry.kind == "follow-up"]
    items = [
        _in_force(w, act) for act in standing(w.story.interventions) if act.intent.data.get("undo")
    ]
    items += [(w.text(entry), *_owner(w, entry), seqs(entry)) for entry in found]
    items += [
        (
            w.out(factor.resolution),
            f" (for factor seq {factor.seqs[0]}, ",
            w.out(factor.status),
            ")",
        )
        for factor in find_factors(w.source.lines, w.story)
        if factor.resolution and not factor.candidate
    ]
    followed = w.story.followed
    if followed is not None:
        for what in _proposals(w.runbook(followed))[:_PROPOSED]:
            items.append(
                (
                    "Proposed: ",
                    w.out(what.replace("`", "")),
                    " (runbook ",
                    w.out(followed.runbook),
                    ")",
                    seqs(followed.begun),
                )
            )
    return [Items(tuple(items), tasks=True)] if items else [Para(("None recorded.",))]


def _proposals(text: str) -> list[str]:
    """The first sentence of each point under "Fix for good" and "Prevent" of a runbook."""
    found, inside = [], False
    for line in text.splitlines():
        if line.startswith("## "):
            inside = line[3:].strip().casefold() in ("fix for good", "prevent")
        elif inside and line.startswith("- "):
            sentence, stop, _ = line[2:].partition(". ")
            found.append(sentence + stop.strip())
    return found


def _owner(w: Wording, entry: Entry) -> TableCell:
    owner = str(entry.data.get("owner", ""))
    return (" (owner: ", w.people.text(owner), ")") if owner else ()
