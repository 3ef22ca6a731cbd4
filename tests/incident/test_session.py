"""Whole flows on the embedded cluster: from the first look to the post-mortem draft, and through
the loss of the API server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from actions.plan import Outcome
from cluster.kube.objects import Node, Ref
from cluster.kube.text import clean_uncut
from cluster.live.freshness import WatchState
from cluster.live.store import Key, StoreUpdate
from drills.server.faults import FaultRule
from incident.record import Record
from incident.session import LiveInvestigation
from incident.view import Connection, View
from incident.walkthrough.run import StepState
from runbooks.model import StepKind
from tests.incident.drill import investigating, is_read, served, until
from tests.incident.face import Agreeing
from timeline.journal.journal import Journal

STORIES = {
    "network-policy-cni-version-skew": ("node", "node-b2"),
    "nodes-notready-system-oom": ("owner", "Deployment logging/elastalert"),
    "secrets-emptied-by-controller": None,
}


@pytest.mark.parametrize("story", STORIES)
async def test_the_story_is_seen_and_its_runbook_ranks_first(story: str, tmp_path: Path) -> None:
    with served(story, tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path, record=False) as investigation:
            view = await until(investigation, is_read)
    ranked = [match.id for symptom in view.symptoms for match in symptom.matches if match.confident]
    assert ranked[:1] == [story]
    expected = STORIES[story]
    if expected is not None:
        assert expected in {
            (shared.what, shared.value)
            for symptom in view.symptoms
            for shared in symptom.symptom.shared
        }
    assert all(symptom.symptom.since is not None for symptom in view.symptoms)


async def test_many_changes_are_taken_in_pieces_and_none_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("incident.session.views.DRAINED", 3)
    taken, sizes = set[tuple[str, Key]](), list[int]()

    def take(changes: Sequence[StoreUpdate]) -> None:
        sizes.append(len(changes))
        taken.update((change.kind, change.key) for change in changes)

    def all_taken(view: View) -> bool:
        store = investigation.store
        return all(
            (kind.kind, key) in taken for kind in view.kinds for key in store.rows(kind.kind)
        )

    with served("network-policy-cni-version-skew", tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path, record=False) as investigation:
            investigation.watch_changes(take)
            await until(investigation, is_read)
            await until(investigation, all_taken)
    assert max(sizes) == 3


async def test_from_the_first_look_to_the_draft(tmp_path: Path) -> None:
    story = "network-policy-cni-version-skew"
    with served(story, tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path) as investigation:
            view = await until(investigation, is_read)
            symptom = view.symptoms[0].symptom
            run = investigation.walkthrough.open(story, symptom.id)
            checks = [step for step in run.runbook.steps() if step.kind is StepKind.CHECK]
            for step in checks:
                run = await investigation.walkthrough.do(run.id, step.id, Agreeing())
            assert {run.outcomes[step.id].state for step in checks} <= {
                StepState.PASSED,
                StepState.FAILED,
            }
            assert run.outcomes["same-image"].state is StepState.FAILED
            assert "node-b2" in run.outcomes["same-image"].seen
            investigation.note("-5m users report 502s")
            draft = await investigation.draft()
            path = Path((await investigation.export()).partition(": ")[0])
    assert "users report 502s" in path.read_text()  # noqa: ASYNC240  # the loop has nothing to do
    assert "same image" in draft
    with Journal.open_read_only(
        next((tmp_path / "state" / "incidents").glob("*.db")), clean=clean_uncut
    ) as journal:
        assert journal.verify().ok
        kinds = [entry.kind for entry in journal.entries()]
        assert not [entry for entry in journal.unfinished() if entry.kind != "object-intent"]
    assert {"observation", "match", "run-started", "step-intent", "step-result", "note"} <= set(
        kinds
    )


async def test_what_a_record_holds_is_not_recorded_again_because_it_opens_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report that came before the record recorded all it found once more: the page of a drill
    was how it was detected, and so was its first symptom."""
    story = "network-policy-cni-version-skew"
    reported = threading.Event()
    opens = Record.open

    def open_late(record: Record, *given: Any, **more: Any) -> None:
        assert reported.wait(60)
        opens(record, *given, **more)

    def is_recorded(view: View) -> bool:
        return view.record.state == "ok" and any(
            entry.kind == "observation" for entry in investigation.entries()
        )

    monkeypatch.setattr(Record, "open", open_late)
    with served(story, tmp_path) as (_, kubeconfig):
        for page in ("Refused: one node in nine", ""):  # the second session goes on with it
            reported.clear()
            async with investigating(kubeconfig, tmp_path, page=page) as investigation:
                await until(investigation, is_read)
                reported.set()
                await until(investigation, is_recorded)
                entries = investigation.entries()
                seen = [each.text for each in entries if each.kind == "observation"]
                assert len(seen) == len(set(seen))
                marks = [each.text for each in entries if each.kind == "milestone"]
                assert marks == ["Refused: one node in nine"]


async def test_a_run_goes_on_after_a_restart(tmp_path: Path) -> None:
    story = "network-policy-cni-version-skew"
    with served(story, tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path) as investigation:
            view = await until(investigation, is_read)
            symptom = view.symptoms[0].symptom.id
            run = investigation.walkthrough.open(story, symptom)
            investigation.walkthrough.set_parameter(run.id, "target_namespace", "billing")
            investigation.walkthrough.set_parameter(run.id, "node", "node-b2")
            investigation.walkthrough.skip(run.id, "cordon-node", "a rehearsal")
            first = await investigation.walkthrough.do(run.id, "same-image", Agreeing())
            skipped = [
                entry.text for entry in investigation.entries() if entry.kind == "step-skipped"
            ]
            assert skipped == ["skipped: Cordon node-b2?"]
        async with investigating(kubeconfig, tmp_path) as again:
            await until(again, is_read)
            resumed = again.walkthrough.open(story, symptom)
    assert resumed.id == first.id
    assert resumed.current == first.current
    assert resumed.outcomes["same-image"].state is StepState.FAILED
    assert ("target_namespace", "billing") in {
        (each.name, each.value) for each in resumed.parameters["matrix"]
    }


async def test_an_action_needs_write_and_the_typed_name_and_can_be_undone(tmp_path: Path) -> None:
    with served("network-policy-cni-version-skew", tmp_path) as (server, kubeconfig):
        async with investigating(kubeconfig, tmp_path) as reader:
            await until(reader, is_read)
            plan = await reader.plan_action("cordon", {"node": "node-b2"})
            refused = await reader.run_action(plan, plan.confirmation)
            assert refused.outcome is Outcome.REFUSED
        async with investigating(kubeconfig, tmp_path, write=True) as writer:
            await until(writer, is_read)
            plan = await writer.plan_action("cordon", {"node": "node-b2"})
            assert (await writer.run_action(plan, "node-b3")).outcome is Outcome.REFUSED
            assert (await writer.run_action(plan, plan.confirmation)).outcome is Outcome.DONE
            await until(
                writer,
                lambda view: any(
                    node.spec.unschedulable
                    for node in writer.store.all("Node", Node)
                    if node.metadata.name == "node-b2"
                ),
            )
            intent = next(e for e in writer.entries() if e.kind == "action-intent")
            assert intent.evidence, "the object before the change is kept"
            undo = await writer.plan_action(
                intent.data["undo_action"], dict(intent.data["undo_arguments"])
            )
            assert undo.refused == ""
            assert (await writer.run_action(undo, undo.confirmation)).outcome is Outcome.DONE
            kinds = [entry.kind for entry in writer.entries()]
        changed = [key for key in server.state.requests if key[0] == "PATCH"]
    assert kinds.count("action-intent") == 2
    assert kinds.count("action-result") == 2
    assert kinds.count("action-declined") == 2
    assert changed


async def test_an_action_that_was_cut_short_is_unknown_after_a_restart(tmp_path: Path) -> None:
    story = "network-policy-cni-version-skew"
    with served(story, tmp_path) as (server, kubeconfig):
        async with investigating(kubeconfig, tmp_path, write=True) as writer:
            view = await until(writer, is_read)
            run = writer.walkthrough.open(story, view.symptoms[0].symptom.id)
            server.faults.add(FaultRule("silent", resource="nodes", verbs=("patch",), lasting=True))
            acting = asyncio.create_task(writer.walkthrough.do(run.id, "cordon-node", Agreeing()))
            await until(
                writer, lambda _: any(entry.kind == "action-intent" for entry in writer.entries())
            )
            acting.cancel()
            await asyncio.gather(acting, return_exceptions=True)
            results = [entry for entry in writer.entries() if entry.kind == "action-result"]
            assert [entry.data["outcome"] for entry in results] == ["unknown"]
            assert "stopped by a human" in results[0].text
        server.faults.clear()
        async with investigating(kubeconfig, tmp_path) as again:
            view = await until(again, is_read)
            resumed = again.walkthrough.open(story, view.symptoms[0].symptom.id)
    assert resumed.outcomes["cordon-node"].state is StepState.UNKNOWN


async def test_a_frozen_api_server_is_said_to_be_lost_and_comes_back_by_itself(
    tmp_path: Path,
) -> None:
    with served("network-policy-cni-version-skew", tmp_path) as (server, kubeconfig):
        async with investigating(kubeconfig, tmp_path) as investigation:
            before = await until(investigation, is_read)
            server.faults.freeze()
            lost = await until(investigation, lambda view: view.api.reach is Connection.LOST)
            assert all(kind.state in (WatchState.STALE, WatchState.ABSENT) for kind in lost.kinds)
            assert {symptom.symptom.id for symptom in before.symptoms} <= {
                symptom.symptom.id for symptom in lost.symptoms
            }
            assert lost.api.reason
            investigation.note("the API server does not answer")
            hops = await until(investigation, lambda view: bool(view.api.hops))
            failing = [hop.name for hop in hops.api.hops if hop.ok is False]
            assert failing
            assert "TCP" not in failing
            server.faults.clear()
            back = await until(investigation, is_live)
            texts = [entry.text for entry in investigation.entries()]
    assert back.report is not None
    assert any("does not answer" in text for text in texts)
    assert "API server answers again" in texts


def is_live(view: View) -> bool:
    return view.api.reach is Connection.LIVE and all(
        kind.state in (WatchState.LIVE, WatchState.ABSENT) for kind in view.kinds
    )


async def test_what_is_forbidden_is_named_and_the_rest_works(tmp_path: Path) -> None:
    with served("network-policy-cni-version-skew", tmp_path) as (server, kubeconfig):
        server.faults.forbid("secrets")
        async with investigating(kubeconfig, tmp_path, record=False) as investigation:
            view = await until(investigation, is_read)
    assert view.report is not None
    assert not view.report.complete
    assert [gap.what for gap in view.report.unavailable] == ["Secret"]
    assert view.symptoms[0].matches[0].id == "network-policy-cni-version-skew"


async def test_a_part_that_breaks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ImportError("no such thing")

    monkeypatch.setattr("incident.components.Components.watch", broken)
    with served("network-policy-cni-version-skew", tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path) as investigation:
            view = await until(investigation, lambda view: bool(view.problem))
            assert "'connect' failed (ImportError: no such thing)" in view.problem


async def test_notes_are_kept_without_any_kubeconfig(tmp_path: Path) -> None:
    async with investigating(tmp_path / "absent", tmp_path) as investigation:
        view = await until(investigation, lambda view: bool(view.problem))
        assert str(tmp_path / "absent") in view.problem
        await until(investigation, lambda view: view.record.state == "ok")
        investigation.note("paged, and no way to the cluster")
        texts = [entry.text for entry in investigation.entries()]
    assert "paged, and no way to the cluster" in texts


async def test_secret_values_never_reach_the_screen_or_the_record(tmp_path: Path) -> None:
    with served("secrets-emptied-by-controller", tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path) as investigation:
            await until(investigation, is_read)
            secret = next(iter(investigation.store.rows("Secret")))
            text = await investigation.object_yaml(Ref("Secret", *secret))
    assert "never read" in text
    assert "\ndata:" not in text


async def test_all_of_it_as_one_json_document(tmp_path: Path) -> None:
    from cli.documents import triage_document

    with served("nodes-notready-system-oom", tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path, record=False) as investigation:
            view = await until(investigation, is_read)
    document = json.loads(json.dumps(triage_document(view)))
    assert document["schema"] == "stanch.triage/1"
    assert document["complete"] is True
    assert document["runbooks"][0]["id"] == "nodes-notready-system-oom"
    first = document["symptoms"][0]
    assert {
        "title",
        "severity",
        "since",
        "count",
        "objects",
        "shared",
        "changes",
        "findings",
        "runbooks",
    } <= first.keys()
    assert first["severity"] == "critical"


def test_the_class_is_what_the_faces_were_promised() -> None:
    from incident.api import Investigation

    promised: type[Investigation] = LiveInvestigation
    assert promised is LiveInvestigation
