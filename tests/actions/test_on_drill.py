"""Whole flows on the embedded cluster, through an investigation with --write: what the server or the
wire does to a change, what is told and recorded, and what the step of a runbook shows after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from actions.plan import Outcome
from cluster.kube.objects import Ref
from drills.server.faults import FaultRule
from drills.server.http import DrillServer
from incident.session import LiveInvestigation
from incident.walkthrough.run import StepState
from tests.drills.gate import Gate
from tests.incident.drill import investigating, is_read, served, until
from tests.incident.face import Agreeing
from timeline.entry import Entry
from timeline.intents import pair

DRILL, NODE, STEP = "network-policy-cni-version-skew", "node-b2", "cordon-node"
RULES = {
    "401": (FaultRule("unauthorized"), Outcome.FAILED),
    "403": (FaultRule("forbidden"), Outcome.REFUSED),
    "404": (FaultRule("error", code=404), Outcome.FAILED),
    "409": (FaultRule("error", code=409), Outcome.FAILED),
    "422": (FaultRule("error", code=422), Outcome.FAILED),
    "429": (FaultRule("too-many", seconds=1), Outcome.FAILED),
    "500": (FaultRule("error", code=500), Outcome.UNKNOWN),
    "503": (FaultRule("error", code=503), Outcome.UNKNOWN),
    "cut answer": (FaultRule("cut", after_bytes=20), Outcome.DONE),
}
"""Faults of the lasting request; the dry run before it passes."""


@dataclass
class Flow:
    server: DrillServer
    investigation: LiveInvestigation

    async def cordoned(self) -> bool:
        """As the server has it."""
        return "unschedulable: true" in await self.investigation.object_yaml(Ref("Node", "", NODE))

    def actions(self) -> list[tuple[Entry, Entry | None]]:
        entries = sorted(self.investigation.entries(), key=lambda entry: entry.recorded_at)
        return [each for each in pair(entries) if each[0].kind == "action-intent"]


@pytest.fixture
async def flow(tmp_path: Path) -> AsyncIterator[Flow]:
    with served(DRILL, tmp_path) as (server, kubeconfig):
        async with investigating(kubeconfig, tmp_path, write=True) as investigation:
            await until(investigation, is_read)
            await until(investigation, lambda view: view.record.state == "ok")
            yield Flow(server, investigation)


def is_change(request: web.Request) -> bool:
    return request.method == "PATCH" and "dryRun" not in request.query


async def test_each_answer_is_told_and_recorded(flow: Flow) -> None:
    here = flow.investigation
    for case, (rule, expected) in RULES.items():
        plan = await here.plan_action("cordon", {"node": NODE})
        assert plan.refused == "", case
        rule.resource, rule.verbs, rule.lasting = "nodes", ("patch",), True
        number = flow.server.faults.add(rule)
        result = await here.run_action(plan, plan.confirmation)
        flow.server.faults.remove(number)
        assert result.outcome is expected, f"{case}: {result.sentence}"
        assert await flow.cordoned() is (expected is Outcome.DONE), case
        if expected is Outcome.DONE:
            undo = await here.plan_action("uncordon", {"node": NODE})
            assert (await here.run_action(undo, NODE)).outcome is Outcome.DONE
    assert all(result is not None for _, result in flow.actions())


async def test_a_step_that_is_stopped_in_flight_is_unknown_not_open(flow: Flow) -> None:
    engine = flow.investigation.walkthrough
    gate = Gate(flow.server, lambda request, _: is_change(request))
    gate.close(1, "before")
    run = engine.open(DRILL)
    run = engine.set_parameter(run.id, "node", NODE)
    work = asyncio.create_task(engine.do(run.id, STEP, Agreeing()))
    assert await asyncio.to_thread(gate.reached)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    gate.open()
    ((_, result),) = flow.actions()
    assert result is not None
    assert "stopped by a human" in result.text
    assert engine.run(run.id).outcomes[STEP].state is StepState.UNKNOWN


async def test_read_only_is_entered_and_left_and_shows_in_the_record(flow: Flow) -> None:
    here = flow.investigation
    assert here.set_write(False) == ""
    plan = await here.plan_action("cordon", {"node": NODE})
    result = await here.run_action(plan, plan.confirmation)
    assert (result.outcome, await flow.cordoned()) == (Outcome.REFUSED, False)
    assert here.set_write(True) == ""
    await until(here, lambda view: view.write)
    plan = await here.plan_action("cordon", {"node": NODE})
    assert (await here.run_action(plan, plan.confirmation)).outcome is Outcome.DONE
    texts = [entry.text for entry in here.entries() if entry.kind == "session"]
    assert "read-only from now on" in texts
    assert "changes are allowed from now on" in texts


async def test_a_context_that_the_settings_fix_stays_read_only(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text("[contexts.drill]\nread_only = true\n")
    with served(DRILL, tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path, write=True) as here:
            view = await until(here, is_read)
            assert not view.write
            assert "read-only by the settings" in here.set_write(True)
            assert not here.view.write


async def done(flow: Flow, name: str, **arguments: str) -> str:
    """Plans and confirms, again while the state moves; returns the id of the change."""
    here = flow.investigation
    plan = await here.plan_action(name, arguments)
    for _ in range(5):
        assert plan.refused == "", f"{name}: {plan.refused}"
        result = await here.run_action(plan, plan.confirmation)
        if result.again is None:
            break
        plan = result.again
    assert result.outcome is Outcome.DONE, f"{name}: {result.sentence}"
    newest = [intent for intent, _ in flow.actions() if "part_of" not in intent.data][-1]
    return newest.intent_id


async def test_actions_act_and_are_undone(flow: Flow) -> None:
    store = flow.investigation.store
    scaled = {
        row.spec.scale_target_ref.name for row in store.rows("HorizontalPodAutoscaler").values()
    }
    namespace, name = next(
        key
        for key, row in store.rows("Deployment").items()
        if row.spec.replicas > 1 and key[1] not in scaled
    )
    row = store.rows("Deployment")[namespace, name]
    container = row.spec.template.spec.containers[0].name
    workload = {"workload": f"deployment/{namespace}/{name}"}
    image = f"registry.example.com/web@sha256:{'a' * 64}"
    policy = "/".join(next(iter(store.rows("NetworkPolicy"))))
    cronjob = "/".join(next(iter(store.rows("CronJob"))))
    resource = {"container": container, "resource": "memory", "kind": "limit", "amount": "900Mi"}
    for action, arguments in (
        ("scale", {**workload, "replicas": str(row.spec.replicas + 1)}),
        ("set-image", {**workload, "container": container, "image": image}),
        ("set-resource", {**workload, **resource}),
        ("label", {"object": f"node/{NODE}", "label": "zone=b"}),
        ("add-taint", {"node": NODE, "taint": "broken=yes:NoSchedule"}),
        ("suspend-cronjob", {"cronjob": cronjob}),
        ("delete-network-policy", {"policy": policy}),
        ("rollout-pause", workload),
    ):
        await done(flow, "undo", change=await done(flow, action, **arguments))
    await done(flow, "rollout-restart", **workload)
    drained = await done(flow, "drain", node=NODE)
    assert await flow.cordoned()
    parts = [intent for intent, _ in flow.actions() if intent.data.get("part_of") == drained]
    assert len(parts) > 1, "one intent for each object"
    await done(flow, "undo", change=drained)
    assert not await flow.cordoned()
    assert all(result is not None for _, result in flow.actions())


async def test_what_the_runbook_of_a_symptom_forbids_is_told_without_its_step(flow: Flow) -> None:
    """`a` on the agent offers to restart it: exactly what its runbook says not to do."""
    await until(flow.investigation, lambda view: any(each.matches for each in view.symptoms))
    agent = {"workload": "daemonset/kube-system/kube-router"}
    plan = await flow.investigation.plan_action("rollout-restart", agent)
    assert plan.refused == ""
    assert any("Do not restart the network agent on every node" in each for each in plan.warnings)
    other = {"workload": "deployment/monitoring/grafana"}
    plan = await flow.investigation.plan_action("rollout-restart", other)
    assert not any("network agent" in each for each in plan.warnings)
