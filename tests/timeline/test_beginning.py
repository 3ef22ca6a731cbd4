"""An incident begins with its first entry: what a process leaves that is killed before it, and a file
that lost all entries."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cluster.kube.text import clean_uncut
from timeline.entry import NewEntry
from timeline.journal.earlier import read_earlier
from timeline.journal.index import find_unreadable, list_incidents
from timeline.journal.journal import Journal

_BEGIN = """
    import os, signal, sys
    from pathlib import Path
    from cluster.kube.text import clean_uncut
    from timeline.journal import journal, storage

    def die(*_, **__):
        os.kill(os.getpid(), signal.SIGKILL)

    place = {"storage": storage, "Path": storage.Path, "Journal": journal.Journal}[sys.argv[2]]
    setattr(place, sys.argv[3], die)
    journal.Journal.create(Path(sys.argv[1]), clean=clean_uncut)
"""


@pytest.mark.parametrize(
    ("place", "call"),
    [
        ("storage", "_create_tables"),
        ("storage", "create_triggers"),
        ("Path", "replace"),
        ("storage", "sync_directory"),
        ("Journal", "append"),
    ],
)
def test_a_process_killed_before_its_first_entry_leaves_no_incident(
    new_journal: Callable[..., Journal], place: str, call: str
) -> None:
    """It left one that looked damaged: the next session could not go on with the real one, and
    notes were refused."""
    journal = new_journal()
    journal.append(NewEntry(kind="session", text="opened", data={"event": "opened"}))
    journal.close()
    directory = journal.path.parent
    command = [sys.executable, "-c", textwrap.dedent(_BEGIN), str(directory), place, call]
    killed = subprocess.run(command, cwd=Path(__file__).parents[2], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(directory.glob("*.db"))) == 2, "it had taken a name"
    assert [each.path for each in list_incidents(directory, clean=clean_uncut)] == [journal.path]
    now = datetime.now(UTC)
    assert find_unreadable(directory, clean=clean_uncut, now=now) is None
    assert read_earlier(directory, clean=clean_uncut, own=None) == []
    with new_journal() as another:
        assert another.path != journal.path


def test_a_file_that_lost_its_entries_is_not_left_out(journal: Journal) -> None:
    journal.append(NewEntry(kind="note", text="recorded"))
    journal.close()
    journal.path.write_bytes(b"")
    (found,) = list_incidents(journal.path.parent, clean=clean_uncut)
    assert found.state == "damaged"
