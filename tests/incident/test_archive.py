"""The incidents on this machine: real ones first, those of drills apart and named so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from cluster.kube.text import clean_uncut
from incident.offline import archive
from incident.options import Options
from timeline.journal.journal import Journal


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(state=tmp_path)


def begun(options: Options, title: str) -> str:
    with Journal.create(archive.directory(options), title, clean=clean_uncut) as journal:
        return journal.id


def test_incidents_of_drills_are_listed_after_the_real_ones(options: Options) -> None:
    rehearsed = begun(archive.drill_options(options), "rehearsed")
    real = begun(options, "real")
    assert real == rehearsed
    assert [(each.id, each.title) for each in archive.incidents(options)] == [
        (real, "real"),
        (f"drills/{rehearsed}", "rehearsed"),
    ]


def test_each_is_found_by_the_name_in_the_list(options: Options) -> None:
    begun(archive.drill_options(options), "rehearsed")
    begun(options, "real")
    for listed in archive.incidents(options):
        assert archive.find(options, listed.id).title == listed.title
    assert archive.find(options, "").title == "real"


def test_without_a_real_one_the_newest_drill_is_meant(options: Options) -> None:
    begun(archive.drill_options(options), "rehearsed")
    assert archive.read(options, "").entries[0].text == "rehearsed"


def test_a_note_never_goes_into_a_drill(options: Options) -> None:
    rehearsed = begun(archive.drill_options(options), "rehearsed")
    archive.note(options, "in earnest")
    texts = [entry.text for entry in archive.read(options, f"drills/{rehearsed}").entries]
    assert "in earnest" not in texts


def test_a_record_is_compared_with_an_export_or_a_hash(options: Options, tmp_path: Path) -> None:
    incident, _ = archive.note(options, "users report 502s")
    exported = tmp_path / "export.jsonl"
    exported.write_text(archive.export(options, incident, "jsonl"))
    assert archive.verify(options, incident, str(exported))[1].ok
    head = archive.verify(options, incident)[1].head[1]
    assert archive.verify(options, incident, head[:12])[1].ok
    assert not archive.verify(options, incident, "0123456789")[1].ok
    with pytest.raises(archive.Error, match="names no head"):
        archive.verify(options, incident, str(Path(__file__)))
    with pytest.raises(OSError, match="No such file"):
        archive.verify(options, incident, "nowhere")


def test_an_import_beside_the_original_is_an_incident_of_its_own(options: Options) -> None:
    incident, _ = archive.note(options, "users report 502s")
    lines = archive.export(options, incident, "jsonl").splitlines()
    imported, count, path = archive.import_file(options, lines, None)
    assert imported == path.stem == f"{incident}-imported"
    saved = archive.save_what_is_left(options, incident, None)
    assert {each.id for each in archive.incidents(options)} == {
        incident,
        imported,
        f"{incident}-salvaged",
    }
    assert saved.entries == count
    assert archive.find(options, incident).path.stem == incident
    assert archive.note(options, "more")[0] in (incident, imported, saved.path.stem)


def test_a_copy_does_not_go_on_while_its_original_can_be_read(options: Options) -> None:
    incident, _ = archive.note(options, "users report 502s")
    saved = archive.save_what_is_left(options, incident, None)
    assert archive.note(options, "more")[0] == incident
    archive.find(options, incident).path.write_bytes(b"no database")
    assert archive.find(options, "").id == saved.path.stem


def test_an_incident_is_begun_renamed_rated_closed_and_reopened_by_command(
    options: Options,
) -> None:
    first, _ = archive.note(options, "users report 502s")
    second = archive.change(options, "new", "DNS is slow")
    assert second != first
    assert archive.change(options, "severity", "SEV 2") == second
    assert archive.change(options, "close", "over") == second
    listed = archive.find(options, second)
    assert (listed.title, listed.summary.severity, listed.state) == (
        "DNS is slow",
        "SEV 2",
        "closed",
    )
    named = replace(options, incident=second)
    assert archive.change(named, "reopen", "not over") == second
    assert archive.change(named, "rename", "DNS was slow") == second
    assert archive.find(options, second).title == "DNS was slow"
    with pytest.raises(ValueError, match="empty"):
        archive.change(named, "rename", "")


def test_the_record_of_a_second_responder_is_merged_once(options: Options, tmp_path: Path) -> None:
    incident, ours = archive.note(options, "seen by us")
    theirs = Options(state=tmp_path / "theirs")
    archive.note(theirs, "seen by them")
    lines = archive.export(theirs, "", "jsonl").splitlines()
    assert archive.merge_file(options, lines, incident) == (incident, 1, 1)
    assert archive.merge_file(options, lines, incident) == (incident, 0, 2)
    found = archive.read(options, incident).entries
    assert [entry.text for entry in found if entry.kind == "note"] == [ours.text, "seen by them"]
    assert archive.verify(options, incident)[1].ok


def test_what_is_named_to_be_redacted_later_is_redacted_in_exports(
    options: Options, tmp_path: Path
) -> None:
    incident, entry = archive.note(options, "the door code is swordfish")
    settings = replace(options, config=tmp_path)
    (tmp_path / "config.toml").write_text('redact = ["swordfish"]\n')
    for form in ("markdown", "json", "csv", "html"):
        assert "swordfish" in archive.export(options, incident, form)
        assert "swordfish" not in archive.export(settings, incident, form)
    with pytest.raises(archive.Error, match=f"timeline purge {entry.seq}"):
        archive.export(settings, incident, "jsonl")
    assert archive.purge(options, str(entry.seq), "a code")[0] == incident
    assert "swordfish" not in archive.export(settings, incident, "jsonl")
    assert archive.verify(options, incident)[1].ok
    with pytest.raises(ValueError, match="no entry '99'"):
        archive.purge(options, "99", "")


def test_only_incidents_that_are_over_and_old_are_pruned(options: Options) -> None:
    over = begun(options, "over")
    archive.change(replace(options, incident=over), "close", "done")
    begun(options, "still open")
    draft = archive.write_draft(options, over, None, archive.Shape()).path
    later = datetime.now(UTC) + timedelta(days=100)
    assert archive.prunable(options, timedelta(days=101), later) == []
    found = archive.prunable(options, timedelta(days=90), later)
    assert [each.incident.id for each in found] == [over]
    assert found[0].size > 0
    archive.remove(found[0].files)
    assert [each.title for each in archive.incidents(options)] == ["still open"]
    assert list(archive.directory(options).glob(f"{over}.*")) == [draft]  # people edit it


def test_what_a_killed_creation_left_is_pruned_and_nothing_that_may_hold_an_entry(
    options: Options,
) -> None:
    kept = begun(options, "still open")
    folder = archive.directory(options)
    left = {"x.db": b"", "x.db.new": b"SQLite", "x.db.new-journal": b"", "y.lock": b""}
    entry = {"z.db": b"", "z.pending.jsonl": b"{}", "z.md": b"# mine"}
    for name, content in {**left, **entry, f"{kept}.db.new": b""}.items():
        (folder / name).write_bytes(content)
    now = datetime.now(UTC)
    assert archive.abandoned(options, now) == [], "a process may be at work on it"
    later = now + timedelta(days=2)
    found = [path.name for path in archive.abandoned(options, later)]
    assert found == ["x.db", "x.db.new", "x.db.new-journal", "y.lock"]
    archive.remove(archive.abandoned(options, later))
    assert (folder / "z.pending.jsonl").exists()
    assert [each.id for each in archive.incidents(options)] == [kept]
    assert archive.verify(options, kept)[1].ok


def test_an_entry_is_edited_hidden_and_pinned_and_the_original_stays(options: Options) -> None:
    incident, entry = archive.note(options, "users report 502")
    archive.revise(options, "edit", str(entry.seq), "users report 502 on the shop")
    assert "502 on the shop" in archive.export(options, incident, "markdown")
    archive.revise(options, "hide", str(entry.seq), "not ours")
    assert "502 on the shop" not in archive.export(options, incident, "markdown")
    texts = [each.text for each in archive.read(options, incident).entries]
    assert "users report 502" in texts
    with pytest.raises(ValueError, match="has no entry '77'"):
        archive.revise(options, "pin", "77", "")
    with pytest.raises(ValueError, match="needs the new text"):
        archive.revise(options, "edit", str(entry.seq), "")
