"""The draft renders to the same words everywhere, with nothing active in it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cluster.kube.text import clean_uncut
from tests.timeline.conftest import START, Clock
from tests.timeline.story import tell
from timeline.entry import (
    NO_HASH,
    Capture,
    Entry,
    EntryKind,
    NewEntry,
    ObjectRef,
    canonical,
    seal,
    stamp,
    to_record,
)
from timeline.export import TEMPLATES, Shape, import_jsonl, to_html, to_markdown
from timeline.export.markdown import inert
from timeline.handoff import handoff
from timeline.journal.journal import Journal

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![pixel](https://evil.example/p.png)",
    "[click](javascript:alert(1))",
    "https://evil.example www.evil.example mail@evil.example evil.io",
    "`tick` ``two`` ```three",
    "```\n<b>out of the fence</b>\n```",
    "~~~\n<i>x</i>",
    "| a | b \\| c",
    "@team #12 !3 GH-4 ABC-5 /close",
    "/close\n/assign @me",
    "# heading\n- item\n1. one\n> quote\n---\n===",
    "*bold* _em_ ~~del~~ **x**",
    "<!-- /auto:timeline -->\n<!-- auto:timeline sha256=" + "0" * 64 + " -->",
    "-->\n<b>",
    "&lt;b&gt; &amp; &#64;team",
    "\\[x\\](y) \\`z",
    "[ref]: https://evil.example\n[ref]",
    "line one\n\n    indented code",
    "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\ \u202e",
    "]]> {{ template }} ${x} %0a",
    "`",
    "``` ",
    "a" * 5000,
    "ends with backslash \\",
    "- [ ] task",
    "$x^2$ :tada: [^1]",
]


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.active: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in (
            "a",
            "img",
            "script",
            "b",
            "i",
            "iframe",
            "link",
            "object",
            "svg",
            "del",
            "s",
        ) or any(name.startswith("on") for name, _ in attrs):
            self.active.append(tag)


def _active(markdown: str) -> list[str]:
    renderer = MarkdownIt("gfm-like", {"html": True})
    elements = _Elements()
    elements.feed(renderer.render(markdown))
    return elements.active


def _fill_with(journal: Journal, texts: list[str]) -> None:
    for text in texts:
        reference = ObjectRef(kind="Pod", namespace="shop", name=text[:40] or "x")
        capture = Capture(content=text.encode(errors="replace"), source=text)
        intent = journal.append(NewEntry(kind="action-intent", text=text))
        for draft in (
            NewEntry(kind="note", text=text, reason=text, actor="jo"),
            NewEntry(
                kind="observation",
                text=text,
                object=reference,
                audit_id=text,
                captures=(capture,),
                context=text,
                data={"severity": "critical"},
            ),
            NewEntry(kind="milestone", text=text, data={"name": "detected"}),
            NewEntry(kind="match", text=text, data={"runbook": text}),
            NewEntry(kind="hypothesis", text=text, reason=text, data={"status": "ruled-out"}),
            NewEntry(
                kind="action-result",
                text=text,
                reason=text,
                data={"intent_id": intent.intent_id, "state": text},
            ),
            NewEntry(kind="action-declined", text=text, reason=text),
            NewEntry(kind="step-skipped", text=text, reason=text),
            NewEntry(kind="run-started", text=text),
            NewEntry(
                kind="contributing-factor",
                text=text,
                data={"resolution": text, "status": text, "factor_kind": text},
            ),
            NewEntry(kind="question", text=text, data={"owner": text}),
            NewEntry(kind="follow-up", text=text, data={"owner": text}),
            NewEntry(kind="step-intent", text=text),
            NewEntry(
                kind="observation",
                text=text,
                data={
                    "title": text,
                    "severity": "critical",
                    "shared": [text],
                    "findings": [{"claim": text + " no memory limit"}],
                    "changes": [{"at": text, "what": text, "object": text}],
                },
            ),
        ):
            journal.append(draft)


@pytest.mark.parametrize("template", TEMPLATES)
def test_nothing_in_a_draft_is_active(new_journal: Callable[..., Journal], template: str) -> None:
    for hostile in HOSTILE:
        journal = new_journal(hostile)
        _fill_with(journal, [hostile])
        text = to_markdown(journal, Shape(template=template))
        assert _active(text) == [], hostile
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
        outside_code = re.sub(r"(`+)[\s\S]*?\1", "", text)
        assert not re.search(r"@team|#12|\bGH-4|https?://", outside_code)


def test_a_record_that_others_wrote_is_no_way_in(journal: Journal, tmp_path: Path) -> None:
    """Hand-made entries with a valid chain: words where ours would be, control characters where
    ours are cleaned."""
    first = journal.entries()[0]
    entries: list[Entry] = []
    for number, hostile in enumerate(HOSTILE):
        text = hostile + "\x1b]52;c;eA==\x07\u202e"
        for kind in (
            text,
            "observation",
            "probe-intent",
            "hypothesis",
            "contributing-factor",
            "step-result",
            "note",
        ):
            forged = dict.fromkeys(
                (
                    "text",
                    "phase",
                    "confidence",
                    "occurred_precision",
                    "audit_id",
                    "actor",
                    "context",
                    "reason",
                ),
                text,
            )
            data = {
                "title": text,
                "intent_id": text,
                "status": "open",
                "factor_kind": text,
                "state": text,
            }
            reference = ObjectRef(kind=text, name=text)
            entry = msgspec.structs.replace(
                first, id=f"id{number}{kind}", kind=kind, object=reference, data=data, **forged
            )
            entries.append(seal(entry, len(entries) + 1, entries[-1].hash if entries else NO_HASH))
    header = {
        "schema": "stanch.timeline/1",
        "type": "incident",
        "incident": HOSTILE[3],
        "title": "",
        "created_at": stamp(START),
    }
    end = {"type": "end", "entries": len(entries), "head": entries[-1].hash, "evidence": 0}
    records = [header, *({"type": "entry", "entry": to_record(entry)} for entry in entries), end]
    with import_jsonl(
        [canonical(record) for record in records], tmp_path / "hostile.db", clean=clean_uncut
    ) as copy:
        assert copy.verify().ok
        assert not any(
            re.search(r"[\x00-\x08\x0b-\x1f\u202e]", repr(entry).encode().decode("unicode_escape"))
            for entry in copy.entries()
        )
        assert _active(to_markdown(copy)) == []
        elements = _Elements()
        elements.feed(to_html(copy))
        assert elements.active == []
        brief = handoff(copy, START)
        assert not re.search(
            r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", to_markdown(copy) + to_html(copy) + brief
        )


@given(st.text(st.characters() | st.sampled_from("`|<>[]()!\\*_~#@/-\n\r\x1b&"), max_size=60))
def test_any_text_in_a_line_is_inert(text: str) -> None:
    line = inert(text)
    assert "\n" not in line
    assert (
        _active(
            f"before {line} after\n\n| a |\n| --- |\n| {line.replace('|', chr(92) + '|')} |\n\n- "
            f"{line}\n"
        )
        == []
    )


def test_words_stay_prose_and_the_rest_is_code() -> None:
    assert (
        inert("connections refused to marketplace, 7 of 7 (since 02:58)")
        == "connections refused to marketplace, 7 of 7 (since 02:58)"
    )
    assert inert("image market:1.4.2") == "image market:1.4.2"
    assert inert("has not run (schedule */15 * * * *): no why") == (
        "has not run (schedule `*/15 * * * *`): no why"
    )
    assert inert("see https://x.example") == "see `https://x.example`"
    assert inert("a `b` c") == "a `` `b` `` c"
    assert inert("`") == "`` ` ``"


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


def test_names_by_option(journal: Journal) -> None:
    journal.append(
        NewEntry(kind="note", text="jo.banks called from laptop-17, asked jo.banks-team")
    )
    assert "jo.banks called from laptop-17" in inert_free(to_markdown(journal, Shape(names="name")))
    assert "JB called from workstation" in inert_free(to_markdown(journal, Shape(names="initials")))
    by_role = inert_free(to_markdown(journal))
    assert "responder 1 called from workstation, asked jo.banks-team" in by_role


def inert_free(text: str) -> str:
    return text.replace("`", "")


def test_a_template_of_ones_own(journal: Journal, tmp_path: Path) -> None:
    tell(journal)
    template = tmp_path / "ours.md"
    template.write_text("## For the board\n\nOur words.\n\n<!-- auto:summary -->\n\n## Signed\n")
    shape = Shape(template=str(template), zone="Europe/Berlin")
    text = to_markdown(journal, shape)
    assert "## For the board\n\nOur words.\n\n<!-- auto:summary -->\n- " in text
    assert "Head of the chain" in text
    assert "<p>Our words.</p>" in to_html(journal, shape)
    template.write_text("<!-- auto:nonsense -->\n")
    with pytest.raises(ValueError, match="names the part 'nonsense'"):
        to_markdown(journal, shape)
    with pytest.raises(ValueError, match="there is no template 'x'"):
        to_markdown(journal, Shape(template="x"))
    with pytest.raises(ValueError, match="no time zone 'Mars'"):
        to_markdown(journal, Shape(zone="Mars"))
    timeline = to_markdown(journal, Shape(zone="Europe/Berlin"))
    assert "| Happened | Europe/Berlin | Recorded |" in timeline.replace("`", "")
    assert "| 2026-11-21 02:42:11 | 11-21 03:42:11 |" in timeline


def test_html_is_one_inert_file(new_journal: Callable[..., Journal]) -> None:
    journal = new_journal(HOSTILE[0])
    _fill_with(journal, HOSTILE)
    page = to_html(journal)
    elements = _Elements()
    elements.feed(page)
    assert elements.active == []
    assert "default-src 'none'" in page
    assert not re.search(
        r"(?:src|href)\s*=",
        re.sub(r"&[a-z#0-9]+;| title=\"[^\"]*\"", "", re.sub(r">[^<]*<", "><", page)),
    )
    assert "&lt;script&gt;" in page


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


def test_the_page_draws_the_time_axis_and_keeps_its_width(journal: Journal) -> None:
    tell(journal)
    journal.append(NewEntry(kind="note", text="x" * 1_000_000))
    page = to_html(journal)
    assert '<div class="lane symptoms">' in page
    assert re.search(r'class="dot" style="left:\d+\.\d\d%" title="02:42:11 connections', page)
    assert re.search(r"x … \(65,\d+ characters\)", page)
    assert len(page) < 200_000


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
