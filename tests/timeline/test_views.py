"""What is computed from entries: draft lane, metrics, factors, the list of incidents, the
hand-off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from cluster.kube.text import clean_uncut
from tests.timeline.conftest import START, Clock
from tests.timeline.story import tell
from timeline.entry import EntryKind, NewEntry, ObjectRef, Phase
from timeline.export import to_markdown
from timeline.factors import factors
from timeline.handoff import handoff
from timeline.intents import unknown_changes
from timeline.journal.index import find_incident, find_resumable, list_incidents
from timeline.journal.journal import Journal, JournalError
from timeline.metrics import duration, metrics, milestones, phases
from timeline.revisions import draft_entries
from timeline.story import read_story, standing
from timeline.summary import ClusterId, summarize


def _metric(journal: Journal, name: str) -> str:
    return next(metric.text for metric in metrics(journal.latest()) if metric.name == name)


def _milestone(journal: Journal, name: str, at: datetime, **fields: Any) -> None:
    journal.append(
        NewEntry(kind="milestone", text=name, occurred_at=at, data={"name": name}, **fields)
    )


def test_a_long_session_gives_a_short_draft(journal: Journal) -> None:
    for number in range(500):
        journal.append(
            NewEntry(
                kind="observation",
                text=f"pod {number}",
                data={"severity": "critical" if number % 3 == 0 else "warning"},
            )
        )
    before = journal.entries()
    chosen = draft_entries(journal.latest())
    assert 1 < len(chosen) <= 40
    ordinary = next(line for line in journal.latest() if line.entry.text == "pod 100")
    assert not ordinary.in_draft
    journal.revise(ordinary.entry.id, "pin")
    journal.revise(chosen[0].entry.id, "unpin")
    texts = [line.entry.text for line in draft_entries(journal.latest())]
    assert "pod 100" in texts
    assert chosen[0].entry.text not in texts
    assert tuple(entry for entry in journal.entries() if entry.kind != "revision") == before


def test_fifty_nine_minutes_are_fifty_nine_minutes(journal: Journal) -> None:
    _milestone(journal, "started", START)
    _milestone(journal, "mitigated", START + timedelta(minutes=59))
    assert _metric(journal, "TTM") == "00:59:00"
    assert _metric(journal, "TTR") == "n/a — no *resolved* entry"
    assert _metric(journal, "TTD") == "n/a — no *detected* entry"


def test_backdating_the_start_changes_the_metric_and_what_it_cites(journal: Journal) -> None:
    _milestone(journal, "started", START)
    _milestone(journal, "detected", START + timedelta(minutes=10))
    assert _metric(journal, "TTD") == "00:10:00"
    _milestone(journal, "started", START - timedelta(minutes=5))
    found = next(metric for metric in metrics(journal.latest()) if metric.name == "TTD")
    assert (found.text, found.since, found.until) == ("00:15:00", 4, 3)


def test_without_a_stated_start_the_first_observation_counts(journal: Journal) -> None:
    journal.append(
        NewEntry(kind="observation", text="first", occurred_at=START - timedelta(minutes=4))
    )
    _milestone(journal, "detected", START)
    found = next(metric for metric in metrics(journal.latest()) if metric.name == "TTD")
    assert (found.text, found.since) == ("00:04:00", 2)


def test_milestones_out_of_order_are_warned_about(journal: Journal) -> None:
    _milestone(journal, "detected", START)
    _milestone(journal, "mitigated", START - timedelta(minutes=1))
    assert milestones(journal.latest()).warnings == (
        "mitigated (03:01:11, seq 3) lies before detected (03:02:11, seq 2)",
    )


@pytest.mark.parametrize(
    ("name", "since", "until"),
    [
        ("TTD", "started", "detected"),
        ("TTA", "detected", "acknowledged"),
        ("TTM", "started", "mitigated"),
        ("TTR", "started", "resolved"),
    ],
)
def test_a_duration_is_never_negative(journal: Journal, name: str, since: str, until: str) -> None:
    _milestone(journal, since, START)
    _milestone(journal, until, START - timedelta(minutes=1))
    found = next(metric for metric in metrics(journal.latest()) if metric.name == name)
    assert found.seconds is None
    assert found.text == f"n/a — *{until}* lies 00:01:00 before *{since}*"
    _milestone(journal, until, START - timedelta(milliseconds=600))
    assert _metric(journal, name) == "00:00:00"


def test_time_in_each_phase(journal: Journal) -> None:
    for minutes, phase in (
        (0, "detect"),
        (2, "diagnose"),
        (3, "diagnose"),
        (10, "mitigate"),
        (15, "diagnose"),
        (16, "verify"),
    ):
        journal.append(
            NewEntry(
                kind="note",
                text=phase,
                occurred_at=START + timedelta(minutes=minutes),
                phase=cast("Phase", phase),
            )
        )
    assert phases(journal.latest()) == {
        "detect": 120,
        "diagnose": 540,
        "mitigate": 300,
        "verify": 0,
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "00:00:00"), (59.6, "00:01:00"), (90061, "1d 01:01:01"), (-61, "-00:01:01")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_story_four_gives_candidates_each_with_an_entry(journal: Journal) -> None:
    """Story 004: pods without limits, SystemOOM, nodes lost one after another, monitoring on the
    same nodes, no alert."""
    for text in (
        "9 containers have no memory limit",
        "SystemOOM on node-3",
        "prometheus-0 was evicted from node-3",
        "Deployment shop/cart has a single replica",
        "container report-api runs image registry.example/report:latest",
        "readiness probe failed 14 times",
        "no alert fired for node-3",
    ):
        journal.append(NewEntry(kind="observation", text=text))
    found = [
        factor
        for factor in factors(journal.latest(), read_story(journal.latest()))
        if factor.candidate
    ]
    assert len(found) >= 5
    assert {"trigger", "latent", "detection", "observability"} <= {factor.kind for factor in found}
    assert all(factor.seqs for factor in found)
    assert "root cause" not in str(found).lower()


def test_what_changed_before_is_a_candidate_for_a_trigger(journal: Journal) -> None:
    change = {
        "at": "2026-11-21T02:58:00Z",
        "what": "created, image tag latest pulled",
        "object": "Pod kube-system/kube-router-x7",
    }
    data = {
        "findings": [{"claim": "container kube-router has no memory limit"}],
        "changes": [change],
    }
    entry = journal.append(NewEntry(kind="observation", text="connections refused", data=data))
    found = factors(journal.latest(), read_story(journal.latest()))
    assert [(factor.kind, factor.seqs) for factor in found] == [
        ("trigger", (entry.seq,)),
        ("latent", (entry.seq,)),
    ]
    assert "kube-router-x7 created" in found[0].title


def test_the_impact_begins_with_the_first_critical_thing(journal: Journal) -> None:
    journal.append(
        NewEntry(
            kind="observation",
            text="an old warning",
            occurred_at=START - timedelta(hours=5),
            data={"severity": "warning"},
        )
    )
    journal.append(
        NewEntry(
            kind="observation",
            text="refused",
            occurred_at=START - timedelta(minutes=5),
            data={"severity": "critical"},
        )
    )
    assert milestones(journal.latest()).entries["started"].text == "refused"


def test_what_a_change_of_ours_made_fail_is_not_the_first_sign(
    journal: Journal, clock: Clock
) -> None:
    def saw(text: str, severity: str) -> None:
        clock.forward(seconds=1)
        journal.append(NewEntry(kind="observation", text=text, data={"severity": severity}))

    saw("two images", "warning")
    clock.forward(seconds=1)
    journal.append(NewEntry(kind="action-intent", text="drain node-2", data={"intent_id": "a"}))
    saw("no endpoint", "critical")
    assert milestones(journal.latest()).entries["started"].text == "two images"


def test_no_observation_no_candidate(journal: Journal) -> None:
    journal.append(NewEntry(kind="note", text="no memory limit, single replica, SystemOOM"))
    journal.append(NewEntry(kind="observation", text="12 pods are healthy with limits"))
    assert factors(journal.latest(), read_story(journal.latest())) == []


def test_the_list_of_incidents(
    new_journal: Callable[..., Journal], tmp_path: Path, clock: Clock
) -> None:
    directory = tmp_path / "incidents"
    assert list_incidents(directory, clean=clean_uncut) == []
    first = new_journal("first")
    opened = first.entries()[0]
    first.revise(opened.id, "edit", text="first, renamed")
    first.append(NewEntry(kind="incident-closed"))
    clock.forward(hours=1)
    second = new_journal("second")
    _milestone(second, "resolved", START)
    (directory / "2026-11-19-x.db").write_bytes(b"rubbish" * 100)
    listed = list_incidents(directory, clean=clean_uncut)
    assert [
        (incident.id, incident.title, incident.state, incident.entries) for incident in listed
    ] == [
        ("2026-11-21-b", "second", "resolved", 2),
        ("2026-11-21-a", "first, renamed", "closed", 3),
        ("2026-11-19-x", "", "damaged", 0),
    ]
    assert listed[2].problem
    assert find_incident(directory, "2026-11-21-a", clean=clean_uncut).path == first.path
    with pytest.raises(JournalError, match="name one of them"):
        find_incident(directory, "2026-11-21", clean=clean_uncut)
    with pytest.raises(JournalError, match="no incident"):
        find_incident(directory, "1999", clean=clean_uncut)


def test_which_incident_to_go_on_with(
    new_journal: Callable[..., Journal], tmp_path: Path, clock: Clock
) -> None:
    first = new_journal("first")

    def found(cluster: ClusterId, hours: int = 0, *states: str) -> str:
        incident = find_resumable(
            tmp_path / "incidents",
            now=clock.now + timedelta(hours=hours),
            cluster=cluster,
            states=states or ("open",),
            clean=clean_uncut,
        )
        return incident.id if incident is not None else ""

    assert found(ClusterId("prod-eu1")) == first.id
    assert found(ClusterId("staging")) == ""
    assert found(ClusterId(), 13) == ""
    _milestone(first, "resolved", START)
    assert found(ClusterId("prod-eu1")) == ""
    assert found(ClusterId(), 0, "open", "resolved") == first.id
    first.append(NewEntry(kind="incident-closed"))
    assert found(ClusterId(), 0, "open", "resolved") == ""
    first.append(NewEntry(kind="incident-reopened"))
    assert found(ClusterId("prod-eu1")) == first.id


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (ClusterId("prod", "https://a", "uid-1"), True),
        (ClusterId("other", "https://b", "uid-1"), True),
        (ClusterId("prod", "https://a", "uid-2"), False),
        (ClusterId("prod", "https://a"), True),
        (ClusterId("prod", "https://b"), False),
        (ClusterId("other"), False),
        (ClusterId(), True),
    ],
)
def test_which_cluster_is_told_by_the_surest_sign_that_both_know(
    other: ClusterId, same: bool
) -> None:
    assert ClusterId("prod", "https://a", "uid-1").may_be(other) is same


def test_title_and_severity_are_what_was_said_last(journal: Journal) -> None:
    opened = journal.entries()[0]
    first = journal.revise(opened.id, "edit", text="renamed")
    journal.append(
        NewEntry(
            kind="revision", supersedes=opened.id, data={"action": "edit", "severity": "SEV 2"}
        )
    )
    assert summarize(journal.entries()).title == "renamed"
    assert summarize(journal.entries()).severity == "SEV 2"
    journal.revise(first.id, "undo")
    assert (journal.title, summarize(journal.entries()).severity) == (opened.text, "SEV 2")


def test_a_change_of_before_is_unknown_until_its_outcome_is_recorded(journal: Journal) -> None:
    node = ObjectRef(kind="Node", name="node-1")
    own = journal.append(NewEntry(kind="action-intent", object=node, data={"action": "cordon"}))

    def unknown(*own: str) -> list[str]:
        return [entry.id for entry in unknown_changes(journal.entries(), own)]

    assert unknown() == [own.id]
    assert unknown(own.id) == []
    again = journal.append(NewEntry(kind="action-intent", object=node, data={"action": "cordon"}))
    assert unknown(again.id) == [own.id]
    journal.append(
        NewEntry(
            kind="action-result",
            object=node,
            data={"action": "cordon", "intent_id": again.intent_id},
        )
    )
    assert unknown() == []


def test_the_hand_off_says_what_is_open(journal: Journal) -> None:
    tell(journal)
    journal.append(
        NewEntry(kind="hypothesis", text="node-2 rejects by policy", data={"status": "supported"})
    )
    text = handoff(journal, START + timedelta(hours=1))
    lines = text.splitlines()
    assert lines[0] == "2026-11-21-a  marketplace refuses connections"
    assert lines[1] == "opened 2026-11-21 03:02 UTC, 1 h ago; 15 entries"
    assert lines[2] == "state: started 02:42:11, detected 02:52:11; not mitigated and not resolved"
    assert lines[3] == "believed: network-policy-cni-version-skew"
    for row in (
        "  03:02:11 object-intent: Pod stanch-probe-1 in gateway",
        "  03:02:11 action-intent: cordon node-2",
        "  node-2 rejects by policy (supported)",
        "  DNS is broken (all names resolve)",
        "  who pushed the image?",
    ):
        assert row in lines
    assert "\x1b" not in text


def test_only_changes_near_the_first_sign_are_triggers_and_own_fixes_are_none(
    journal: Journal,
) -> None:
    def change(at: datetime, what: str, manager: str = "helm") -> dict[str, str]:
        return {"at": at.isoformat(), "what": what, "object": "Deployment a/b", "manager": manager}

    first = START - timedelta(minutes=30)
    changes = [
        change(first - timedelta(days=11), "rollout of old"),
        change(first - timedelta(hours=4), "Deployment b created"),
        change(first - timedelta(minutes=11), "rollout of b: 1 -> 2"),
        change(first - timedelta(minutes=11), "Deployment b: template written"),
        change(START + timedelta(minutes=5), "scaled to 0", "stanch"),
    ]
    data = {"severity": "critical", "changes": changes}
    for text in ("nodes fail", "more nodes fail"):
        journal.append(NewEntry(kind="observation", text=text, occurred_at=first, data=data))
    journal.append(NewEntry(kind="action-intent", text="scale b to 0"))
    story = read_story(journal.latest())
    found = factors(journal.latest(), story)
    assert [(factor.kind, factor.title) for factor in found] == [
        (
            "trigger",
            "Changed 11 min before the first sign: Deployment a/b rollout of b: 1 -> 2 by helm",
        )
    ]
    assert [change.what for change in story.before(timedelta(hours=6))] == [
        "Deployment a/b created",
        "rollout of b: 1 -> 2",
    ], "an object is named in full, and once"


def test_a_check_and_a_late_detection_are_candidates(journal: Journal) -> None:
    journal.append(
        NewEntry(kind="observation", text="nodes fail", occurred_at=START - timedelta(minutes=36))
    )
    journal.append(NewEntry(kind="milestone", text="paged", data={"name": "detected"}))
    asked = journal.append(NewEntry(kind="step-intent", text="Has each container a limit?"))
    said = "no memory limit on logging/elastalert"
    data = {"intent_id": asked.intent_id, "state": "failed", "answer": "fail"}
    journal.append(NewEntry(kind="step-result", text=said, data=data))
    found = factors(journal.latest(), read_story(journal.latest()))
    assert [(factor.kind, factor.why) for factor in found] == [("latent", said), ("detection", "")]


def test_what_was_done_by_hand_is_a_deed(journal: Journal) -> None:
    command = "kubectl -n logging scale deployment/elastalert --replicas=0"
    asked = journal.append(
        NewEntry(kind="step-intent", text="Scale it to 0?", data={"command": command})
    )
    data = {"intent_id": asked.intent_id, "state": "done", "answer": "done"}
    journal.append(NewEntry(kind="step-result", text="done", time_source="human", data=data))
    looked = journal.append(
        NewEntry(kind="step-intent", text="Look at it?", data={"command": "kubectl get nodes"})
    )
    data = {"intent_id": looked.intent_id, "state": "done", "answer": "done"}
    journal.append(NewEntry(kind="step-result", text="done", time_source="human", data=data))
    interventions = read_story(journal.latest()).interventions
    assert [act.by_hand for act in interventions] == [command]


def test_the_belief_is_that_of_the_followed_runbook_else_of_the_first_symptom(
    journal: Journal,
) -> None:
    """One report records the matches of all its symptoms at one moment, the worst symptom first."""

    def match(runbook: str, at: datetime) -> None:
        text = f"looks like {runbook}"
        journal.append(NewEntry(kind="match", text=text, occurred_at=at, data={"runbook": runbook}))

    match("volume-attach-stuck", START)
    match("node-not-ready", START)
    assert "believed: looks like volume-attach-stuck\n" in handoff(journal, START)
    match("quota-used-up", START + timedelta(minutes=1))
    assert "believed: looks like quota-used-up\n" in handoff(journal, START)
    begun = {"runbook": "node-not-ready"}
    journal.append(NewEntry(kind="run-started", text="opened", run_id="run-1", data=begun))
    assert "believed: looks like node-not-ready\n" in handoff(journal, START)


def test_a_step_that_was_run_again_is_answered_once_and_a_skipped_one_is_not(
    journal: Journal,
) -> None:
    begun = {"runbook": "node-not-ready"}
    journal.append(NewEntry(kind="run-started", text="opened", run_id="r", data=begun))

    def enter(kind: str, step: str, intent: str) -> None:
        journal.append(
            NewEntry(
                kind=cast("EntryKind", kind),
                text=step,
                run_id="r",
                step_id=step,
                data={"intent_id": intent},
            )
        )

    enter("step-skipped", "lease", "")
    assert "runbook: node-not-ready, last at" in handoff(journal, START)
    for intent in ("a", "b"):
        enter("step-intent", "kubelet", intent)
        enter("step-result", "kubelet", intent)
    assert "runbook: node-not-ready, 1 step answered, last at kubelet" in handoff(journal, START)
    assert "Runbook followed: node-not-ready, 1 step answered" in to_markdown(journal)


def test_a_change_that_was_undone_does_not_stand(journal: Journal) -> None:
    def change(intent: str, step: str, *, undoes: bool = False, **arguments: str) -> None:
        intended = {"intent_id": intent, "arguments": arguments}
        result = {"intent_id": intent, "outcome": "done", "undoes": undoes}
        run = "run-1" if step else ""
        for kind, data in (("action-intent", intended), ("action-result", result)):
            journal.append(
                NewEntry(
                    kind=cast("EntryKind", kind), text=intent, data=data, run_id=run, step_id=step
                )
            )

    change("scale", "")
    change("cordon", "cordon")
    change("pause", "freeze")
    change("undo", "", undoes=True, change="scale")
    change("uncordon", "cordon", undoes=True, node="node-1")
    story = read_story(journal.latest())
    assert len(story.interventions) == 5
    assert [act.intent.text for act in standing(story.interventions)] == ["pause"]
