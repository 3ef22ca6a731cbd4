"""The draft says what the record says, once, and cites its entries."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

import pytest

from tests.timeline.conftest import START, Clock
from tests.timeline.story import tell
from timeline.entry import (
    Capture,
    EntryKind,
    NewEntry,
)
from timeline.export import to_markdown
from timeline.journal.journal import Journal


def test_a_declined_action_is_declined_once(journal: Journal) -> None:
    sentence = "cordon Node node-3: Declined, nothing was changed: too few are left."
    journal.append(NewEntry(kind="action-declined", text=sentence))
    text = to_markdown(journal)
    assert "nothing was changed" not in text.split("## Timeline")[0]
    assert "cordon Node node-3: too few are left." in part(text, "actions")
    assert "cordon" not in part(text, "ruled-out")


def test_a_change_that_is_still_in_force_is_a_risk_until_another_one_takes_it_back(
    journal: Journal,
) -> None:
    def change(action: str, before: str, after: str) -> None:
        undo = {"kubectl": "kubectl rollout resume deployment/cart"}
        summary = f"spec.paused: {before} -> {after}"
        data = {"intent_id": action, "object": {"name": "cart"}, "change": {"summary": summary}}
        more = {"action": f"rollout-{action}", "undo": undo}
        text = f"rollout-{action}: {summary}"
        journal.append(NewEntry(kind="action-intent", text=text, data={**data, **more}))
        done = {"intent_id": action, "outcome": "done"}
        journal.append(NewEntry(kind="action-result", text="done", data=done))

    change("pause", "not set", "true")
    tasks = part(to_markdown(journal), "follow-ups")
    assert "- [ ] Still in force: `spec.paused`: not set → true (rollout-pause)" in tasks
    assert "; undo it (kubectl rollout resume deployment/cart)" in tasks
    change("resume", "true", "false")
    assert "in force" not in part(to_markdown(journal), "follow-ups")


def test_a_draft_says_what_the_record_says(journal: Journal) -> None:
    tell(journal)
    text = to_markdown(journal)
    for expected in (
        "# Post-mortem: marketplace refuses connections",
        "| 2026-11-21 02:42:11 | 03:02:11 | seen: Pod shop/market-7d9f connections "
        "refused, 7 of 7 on node-2 | stanch "
        "| detect | E1 | 2 |",
        "| 2026-11-21 02:50 | 03:02:11 | note: users report errors | responder 1 |",
        "**unknown — verify**: no result was recorded",
        "DNS is broken — all names resolve",
        "drain node-2",
        "| TTD | time to detect | 00:10:00 | seq 2 to 4 |",
        "n/a — no *resolved* entry",
        "| kube-router runs a mutable tag | latent | pin digests | already-planned |",
        "**not known to be removed — verify**",
        f"Head of the chain: seq {journal.head[0]}, sha256 {journal.head[1]}",
        "- PASSWORD: 1",
        "- [ ] Workloads run without resource limits: container market has no memory limit "
        "(latent; seq 3)",
    ):
        assert expected in text
    assert "jo.banks" not in text
    assert "laptop-17" not in text
    assert not re.search(r"\d+[smhd] ago", text)


def test_every_generated_statement_cites_its_entries(journal: Journal) -> None:
    """Row T25, for what the summary, the impact, the detection and the lists claim."""
    tell(journal)
    text = to_markdown(journal)
    for part in ("summary", "impact", "detection", "ruled-out", "unsupported", "unknown"):
        body = text.split(f"<!-- auto:{part} -->\n")[1].split(f"<!-- /auto:{part}")[0]
        for line in body.splitlines():
            assert re.search(r"seq \d+", line) or re.search(r"not recorded|Not recorded", line), (
                line
            )


def test_backdating_is_shown_and_moves_the_line(journal: Journal) -> None:
    journal.append(NewEntry(kind="note", text="later", occurred_at=START))
    journal.append(
        NewEntry(kind="note", text="status page set", occurred_at=START - timedelta(hours=3))
    )
    rows = [line for line in to_markdown(journal).splitlines() if line.startswith("| 2026")]
    assert rows[0].startswith("| 2026-11-21 00:02:11 | 03:02:11 | note: status page set")


def test_a_matrix_is_drawn_and_evidence_opens_with_what_decides(journal: Journal) -> None:
    cells = [
        {
            "from": {"namespace": "shop", "node": "node-2"},
            "to": {"namespace": "db", "port": 5432},
            "expected": "allow",
            "results": {"refused": 5},
        }
    ]
    document = {"conclusions": [{"claim": "node-2 rejects", "confidence": 0.9}], "cells": cells}
    probe = journal.append(NewEntry(kind="probe-intent", text="connectivity"))
    journal.append(
        NewEntry(
            kind="probe-result",
            text="rejected",
            data={"intent_id": probe.intent_id},
            captures=(Capture(content=json.dumps(document).encode()),),
        )
    )
    page = b"---\nid: x\ntitle: y\n---\n## What it looks like\n"
    journal.append(NewEntry(kind="run-started", text="opened", captures=(Capture(content=page),)))
    text = to_markdown(journal)
    assert "|  | db:5432 |" in text
    assert "| shop on node-2 | refused 5 |" in text
    assert "```text\nnode-2 rejects (0.9)\n" in text
    assert "```text\n## What it looks like\n" in text


def part(text: str, name: str) -> str:
    return text.split(f"<!-- auto:{name} -->\n")[1].split(f"<!-- /auto:{name}")[0]


def test_what_began_after_the_end_is_a_question_and_not_impact(journal: Journal) -> None:
    def seen(title: str, minutes: int, event: str = "appeared") -> None:
        journal.append(
            NewEntry(
                kind="observation",
                text=title,
                occurred_at=START + timedelta(minutes=minutes),
                data={"title": title, "event": event, "blast": [{"object": title, "why": "hit"}]},
            )
        )

    def mark(name: str, minutes: int) -> None:
        at = START + timedelta(minutes=minutes)
        journal.append(NewEntry(kind="milestone", text=name, occurred_at=at, data={"name": name}))

    seen("node-1 is not ready", 0)
    mark("mitigated", 5)
    seen("a late side effect", 6)
    text = to_markdown(journal)
    assert "late side" not in part(text, "impact")
    assert "after it was mitigated; is it part of this incident? a late side" in text
    mark("resolved", 10)
    seen("node-1 is not ready", 11, "changed")
    seen("quota of shop is used up", 12)
    text = to_markdown(journal)
    impact, questions = part(text, "impact"), part(text, "questions")
    assert "late side effect" in impact
    assert "quota" not in impact
    assert "after it was resolved; is it part of this incident? quota of shop" in questions
    assert "node-1" not in questions


def test_an_incident_that_was_resolved_at_once_has_an_end_and_the_belief_of_before_it(
    journal: Journal,
) -> None:
    def add(kind: EntryKind, text: str, minutes: int, **data: str) -> None:
        at = START + timedelta(minutes=minutes)
        journal.append(NewEntry(kind=kind, text=text, occurred_at=at, data=data))

    add("observation", "mail cannot start", 0, title="mail cannot start")
    add("match", "looks like config-missing", 0, runbook="config-missing")
    add("milestone", "resolved", 5, name="resolved")
    add("match", "looks like node-pressure", 9, runbook="node-pressure")
    text = to_markdown(journal)
    assert "; when it was mitigated is not recorded" in part(text, "impact")
    assert "end n/a" not in part(text, "impact")
    assert "It looked like: looks like config-missing" in part(text, "summary")


def test_a_check_that_ran_twice_is_said_once_and_verify_rules_nothing_out(
    journal: Journal,
) -> None:
    begun = {"runbook": "volume-attach-stuck"}
    journal.append(NewEntry(kind="run-started", text="opened", run_id="run-1", data=begun))

    def check(step: str, state: str, section: str = "find-out") -> None:
        intent = f"{step}-{len(journal.entries())}"
        for kind, text, more in (
            ("step-intent", f"question {step}?", {}),
            ("step-result", f"answer {step}", {"state": state, "section": section}),
        ):
            data = {"intent_id": intent, **more}
            journal.append(
                NewEntry(
                    kind=cast("EntryKind", kind), text=text, run_id="run-1", step_id=step, data=data
                )
            )

    for step, state in (("driver", "failed"), ("driver", "failed"), ("limits", "passed")):
        check(step, state)
    for step, state in (("limits", "passed"), ("mended", "failed"), ("mended", "passed")):
        check(step, state)
    check("back", "passed", "verify")
    text = to_markdown(journal)
    assert part(text, "summary").count("question driver?") == 1
    ruled_out = part(text, "ruled-out")
    assert ruled_out.count("question limits?") == 1
    assert "mended" not in ruled_out
    assert "back" not in ruled_out


def test_what_is_well_after_a_change_is_said_as_such(journal: Journal) -> None:
    def write(kind: str, intent: str, text: str, **data: Any) -> None:
        entry = NewEntry(
            kind=cast("EntryKind", kind),
            text=text,
            run_id="run-1",
            step_id=intent,
            data={"intent_id": intent, **data},
        )
        journal.append(entry)

    def check(step: str) -> None:
        write("step-intent", step, f"question {step}?")
        write("step-result", step, "well", state="passed", section="find-out")

    check("before")
    write("action-intent", "restart", "by hand: systemctl restart x", by_hand=True)
    check("meanwhile")
    write("action-result", "restart", "done by hand", by_hand=True, outcome="done by hand")
    check("later")
    ruled_out = part(to_markdown(journal), "ruled-out")
    assert "Checked, nothing abnormal: question before?" in ruled_out
    assert "Checked, nothing abnormal: question meanwhile?" in ruled_out
    assert "Checked after a change, nothing abnormal: question later?" in ruled_out


def test_a_change_of_which_more_was_known_is_one_line(journal: Journal) -> None:
    change = {"at": START.isoformat(), "object": "Secret shop/db", "manager": "syncer"}
    whole = "5 Secrets written, 5 left without keys, in one second"
    for what in (
        "5 Secrets written, 5 left without keys",
        whole,
        "5 Secrets written",
        "5 Secrets writ",
    ):
        rows = [{**change, "what": what}]
        journal.append(NewEntry(kind="observation", text="pods fail", data={"changes": rows}))
    leadup = part(to_markdown(journal), "leadup")
    assert leadup.count("5 Secrets written") == 1
    assert "in one second by syncer (seq 2, 3, 4)" in leadup
    assert "5 Secrets writ by syncer (seq 5)" in leadup, "another change"


def test_a_change_that_was_skipped_rules_nothing_out_and_its_writer_is_named_once(
    journal: Journal,
) -> None:
    begun = {"runbook": "volume-attach-stuck"}
    journal.append(NewEntry(kind="run-started", text="opened", run_id="run-1", data=begun))
    for step, mutates in (("restore", True), ("look", False)):
        data = {"state": "skipped", "changes_cluster": mutates}
        text = f"skipped: {step} it?"
        journal.append(
            NewEntry(kind="step-skipped", text=text, run_id="run-1", step_id=step, data=data)
        )
    change = {"at": START.isoformat(), "object": "Secret shop/db", "manager": "syncer"}
    changes = [{**change, "what": "3 Secrets written by syncer"}, {**change, "what": "scaled"}]
    journal.append(NewEntry(kind="observation", text="pods fail", data={"changes": changes}))
    text = to_markdown(journal)
    assert "look it?" in part(text, "ruled-out")
    assert "restore it?" not in part(text, "ruled-out")
    for name in ("leadup", "factors"):
        assert "written by syncer (" in part(text, name)
        assert "scaled by syncer (" in part(text, name)


def test_what_our_own_change_made_fail_is_said_as_such_and_dates_nothing(
    journal: Journal, clock: Clock
) -> None:
    """A drain leaves a Deployment without a replica, and its condition is weeks old."""

    def saw(title: str, days: int = 0) -> None:
        clock.forward(seconds=1)
        at = clock.now - timedelta(days=days)
        data = {"title": title, "blast": [{"object": title, "why": "hit"}]}
        journal.append(
            NewEntry(kind="observation", text=title, phase="detect", occurred_at=at, data=data)
        )

    saw("two images")
    clock.forward(seconds=1)
    journal.append(NewEntry(kind="action-intent", text="drain node-2", data={"intent_id": "a"}))
    saw("two images")
    saw("grafana has no replica", days=50)
    saw("invoices lacks one")
    text = to_markdown(journal)
    impact = part(text, "impact")
    assert "- Seen after our own change, drain node-2 (seq 3): invoices lacks one (seq" in impact
    assert "\n- grafana has no replica (seq" in impact, "it began before the change"
    assert impact.count("our own change") == 1
    assert "\n- two images (seq" in impact
    assert "Also touched: two images: hit" in impact
    assert "Also touched: grafana" not in impact
    assert "The first abnormal fact dates from 2026-11-21" in part(text, "detection")
    assert "d " not in part(text, "metrics").split("- detect:")[1]


@pytest.mark.parametrize(
    ("states", "supported"),
    [(("passed",), True), (("failed", "passed"), True), (("passed", "failed"), False), ((), False)],
)
def test_a_mark_is_supported_by_the_check_of_verify_before_it(
    journal: Journal, states: Sequence[str], supported: bool
) -> None:
    journal.append(NewEntry(kind="run-started", text="opened", run_id="run-1"))
    seq = 0
    for number, state in enumerate(states):
        intent = {"intent_id": f"v{number}"}
        journal.append(
            NewEntry(
                kind="probe-intent",
                text="all open?",
                data=intent,
                run_id="run-1",
                step_id="verify",
            )
        )
        seq = journal.append(
            NewEntry(
                kind="probe-result",
                text="21 of 21 paths answer",
                data={**intent, "state": state, "section": "verify"},
                captures=(Capture(content=b"21 of 21"),),
                run_id="run-1",
                step_id="verify",
            )
        ).seq
    mark = journal.append(NewEntry(kind="milestone", text="paths", data={"name": "resolved"}))
    text = to_markdown(journal)
    assert ("resolved" not in part(text, "unsupported")) is supported
    assert (f"paths (seq {mark.seq}, {seq})" in part(text, "updates")) is supported


def test_a_change_is_supported_by_what_its_intent_saw(journal: Journal) -> None:
    intent = {"intent_id": "a"}
    seen = (Capture(content=b"the pods before"),)
    journal.append(NewEntry(kind="action-intent", text="drain: n", data=intent, captures=seen))
    journal.append(NewEntry(kind="action-result", text="drain: n: Done.", data=intent))
    assert "every key entry has evidence" in part(to_markdown(journal), "unsupported")
