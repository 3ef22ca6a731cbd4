"""A second export keeps what people wrote in the first."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.timeline.story import tell
from timeline.entry import (
    NewEntry,
)
from timeline.export import write_draft
from timeline.export.regions import Merged, Region, base_comments, merge, merge_lines, wrap
from timeline.export.regions import _hash as line_hash
from timeline.journal.journal import Journal, JournalError


def test_writing_again_keeps_what_people_wrote(journal: Journal, tmp_path: Path) -> None:
    tell(journal)
    path = tmp_path / "post-mortem.md"
    assert write_draft(journal, path).created
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_text()
    assert write_draft(journal, path).updated == ()
    assert path.read_text() == before
    edited = before.replace("## Impact\n", "## Impact\n\nShoppers could not pay.\n").replace(
        "## Open questions", "## What we still ask"
    )
    path.write_text(edited + "\nAn appendix of our own.\n")
    journal.append(NewEntry(kind="milestone", text="back to normal", data={"name": "resolved"}))
    written = write_draft(journal, path)
    assert "timeline" in written.updated
    assert written.kept == {}
    after = path.read_text()
    for kept in (
        "Shoppers could not pay.",
        "## What we still ask",
        "An appendix of our own.",
        "back to normal",
    ):
        assert kept in after
    assert not (tmp_path / "post-mortem.md.new").exists()


def test_each_line_that_a_person_changed_stays_and_new_ones_come(
    journal: Journal, tmp_path: Path
) -> None:
    tell(journal)
    task = journal.append(NewEntry(kind="follow-up", text="pin the image"))
    path = tmp_path / "post-mortem.md"
    write_draft(journal, path)
    text = path.read_text()
    text = text.replace("- Not recorded as resolved.", "- Resolved by lunch.")
    text = text.replace("- [ ] pin the image", "- [x] pin the image, Ada until Friday")
    text = text.replace("- [ ] Workloads run without", "- [x] All workloads run without")
    text = text.replace(
        "<!-- /auto:follow-ups -->", "- [ ] our own task\n<!-- /auto:follow-ups -->"
    )
    path.write_text(text)
    journal.append(NewEntry(kind="milestone", text="back to normal", data={"name": "resolved"}))
    journal.append(NewEntry(kind="follow-up", text="alert on image drift"))
    written = write_draft(journal, path)
    assert written.kept == {"summary": 1, "follow-ups": 2, "factors": 1}
    assert {"metrics", "follow-ups", "summary"} <= set(written.updated)
    after = path.read_text()
    for kept in (
        "- Resolved by lunch.",
        f"- [x] pin the image, Ada until Friday (seq {task.seq})",
        "- [x] All workloads run without",
        "- [ ] our own task",
        "- [ ] alert on image drift",
    ):
        assert after.count(kept) == 1, kept
    assert "- [ ] pin the image" not in after
    again = write_draft(journal, path)
    assert again.kept == written.kept
    assert path.read_text() == after
    assert "your lines stay: summary 1" in again.text


def test_a_part_that_was_deleted_stays_deleted_and_a_strange_file_is_not_touched(
    journal: Journal, tmp_path: Path
) -> None:
    tell(journal)
    path = tmp_path / "post-mortem.md"
    write_draft(journal, path)
    path.write_text(
        re.sub(r"## Redactions\n[\s\S]*?<!-- /auto:redactions -->\n", "", path.read_text())
    )
    assert write_draft(journal, path).removed == ("redactions",)
    assert "Redactions" not in path.read_text()
    strange = tmp_path / "notes.md"
    strange.write_text("my notes\n")
    with pytest.raises(JournalError, match="is no draft and stays as it is"):
        write_draft(journal, strange)
    assert strange.read_text() == "my notes\n"


def test_merging_edge_cases() -> None:
    old = Region(id="summary", content="- a\n")
    new = Region(id="summary", content="- b\n")
    head = "<!-- stanch:draft/2 parts=summary -->\n"
    base, fresh = base_comments([old]), base_comments([new])

    def merged(text: str, *regions: Region) -> Merged:
        found = merge(text, regions or [new], {"record": "## Record\n"})
        assert found is not None
        return found

    assert merge("no draft", [new], {}) is None
    windows = (head + wrap(old) + base).replace("\n", "\r\n")
    assert "- b" in merged(windows).text
    unclosed = head + wrap(old).replace("<!-- /auto:summary -->\n", "")
    assert merged(unclosed + base).text == unclosed
    twice = head + wrap(old) + wrap(old)
    assert merged(twice + base).text == head + wrap(new) + wrap(old) + fresh
    more = Region(id="record", content="x\n")
    added = merged(head + wrap(old) + base, new, more)
    assert added.added == ("record",)
    assert added.text.startswith("<!-- stanch:draft/2 parts=summary,record -->")
    assert "\n## Record\n" in added.text
    bare = merged(head + wrap(old))
    assert bare.kept == {"summary": 1}
    assert "- a" in bare.text


def test_a_draft_of_the_version_before_is_brought_up_to_date() -> None:
    sha256 = hashlib.sha256(b"- a\n").hexdigest()
    text = (
        "<!-- stanch:draft/1 parts=summary -->\n"
        f"<!-- auto:summary sha256={sha256} -->\n- a\n<!-- /auto:summary -->\n"
    )
    found = merge(text, [Region(id="summary", content="- b\n")], {})
    assert found is not None
    assert (found.updated, found.kept) == (("summary",), {})
    edited = merge(text.replace("- a", "- mine"), [Region(id="summary", content="- b\n")], {})
    assert edited is not None
    assert "- mine" in edited.text


lines = st.lists(st.sampled_from(["a", "b", "c", "d", "e", ""]), max_size=8)


@given(lines, lines, lines)
def test_no_line_of_a_person_is_lost(base: list[str], mine: list[str], new: list[str]) -> None:
    hashes = [line_hash(line) for line in base]
    merged, edits = merge_lines(hashes, mine, new)
    own = Counter(mine) - Counter(base)
    assert not own - Counter(merged)
    assert merge_lines(hashes, base, new)[0] == new
    assert merge_lines(hashes, mine, base)[0] == mine
    assert bool(edits) == (mine != base)
