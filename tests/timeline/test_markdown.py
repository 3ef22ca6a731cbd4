"""The draft renders to the same words everywhere, with nothing active in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cluster.kube.text import clean_uncut
from tests.timeline.conftest import START
from tests.timeline.story import tell
from timeline.entry import (
    NO_HASH,
    Capture,
    Entry,
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


def test_the_page_draws_the_time_axis_and_keeps_its_width(journal: Journal) -> None:
    tell(journal)
    journal.append(NewEntry(kind="note", text="x" * 1_000_000))
    page = to_html(journal)
    assert '<div class="lane symptoms">' in page
    assert re.search(r'class="dot" style="left:\d+\.\d\d%" title="02:42:11 connections', page)
    assert re.search(r"x … \(65,\d+ characters\)", page)
    assert len(page) < 200_000
