"""The incidents on this machine: real ones first, those of drills apart and named so."""

from __future__ import annotations

from pathlib import Path

import pytest

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
