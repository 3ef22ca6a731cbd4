"""What an earlier incident says to a later one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from cluster.kube.text import clean_uncut
from tests.timeline.conftest import START, Clock
from timeline.entry import NewEntry
from timeline.journal.earlier import last_picture, read_earlier
from timeline.journal.journal import Journal
from timeline.journal.preparation import EntryOrigin
from timeline.seen_before import seen_before


def test_the_same_symptom_is_found_with_what_ended_it(
    new_journal: Callable[..., Journal], clock: Clock
) -> None:
    old = new_journal()
    old.append(
        NewEntry(
            kind="observation",
            text="nodes fail",
            occurred_at=START - timedelta(minutes=5),
            data={"symptom": "node:a", "severity": "critical"},
        )
    )
    old.append(NewEntry(kind="match", text="oom", data={"runbook": "system-oom"}))
    old.append(
        NewEntry(kind="run-started", text="opened", run_id="r", data={"runbook": "system-oom"})
    )
    act = old.append(NewEntry(kind="action-intent", text="scale report to 0"))
    old.append(NewEntry(kind="action-result", text="done", data={"intent_id": act.intent_id}))
    clock.forward(minutes=10)
    old.append(NewEntry(kind="milestone", text="", data={"name": "mitigated"}))
    clock.forward(days=1)
    now = new_journal()
    earlier = read_earlier(now.path.parent, clean=clean_uncut, own=now.path)
    found = seen_before(earlier, "node:a", [])
    assert found is not None
    assert (found.incident, found.followed, found.ended_by) == (
        old.id,
        "system-oom",
        "scale report to 0",
    )
    assert found.seconds is not None
    assert 900 <= found.seconds < 901
    assert seen_before(earlier, "node:b", ["system-oom"]) is found
    assert seen_before(earlier, "node:b", ["other"]) is None


def test_the_last_picture_of_a_context_is_that_of_its_newest_other_incident(
    new_journal: Callable[..., Journal],
) -> None:
    for context in ("prod", "staging", "prod"):
        journal = new_journal(origin=EntryOrigin(context=context))
        journal.append(NewEntry(kind="session", text="opened", data={"event": "opened"}))
        journal.append(NewEntry(kind="observation", text=f"{context} fails", data={"symptom": "a"}))
    now = new_journal()
    now.bind(context="prod")
    folder = now.path.parent
    picture = last_picture(folder, "prod", clean=clean_uncut, own=now.path)
    assert [entry.text for entry in picture] == ["prod fails"]
    assert last_picture(folder, "elsewhere", clean=clean_uncut, own=now.path) == ()


def test_a_server_that_did_not_answer_is_no_picture_of_its_cluster(
    new_journal: Callable[..., Journal], clock: Clock
) -> None:
    """An incident that began while the server was lost took the place of the last picture."""
    seen = {"symptom": "node:a", "event": "appeared", "count": 3}
    lost = {"symptom": "api", "event": "appeared", "count": 0}
    for data in (seen, lost):
        journal = new_journal(origin=EntryOrigin(context="prod"))
        journal.append(NewEntry(kind="session", text="opened", data={"event": "opened"}))
        journal.append(NewEntry(kind="observation", text=str(data["symptom"]), data=data))
        clock.forward(minutes=5)
    picture = last_picture(journal.path.parent, "prod", clean=clean_uncut, own=None)
    assert [entry.text for entry in picture] == ["node:a"]
