"""Runs actions through the gate, with intent and result in the record."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from actions import catalogue
from actions.context import ActionContext, action_writer
from actions.plan import ActionPlan, ActionResult, Outcome, Target, TargetResult
from cluster.api.mode import Mode
from cluster.kube.objects import Ref
from cluster.live.live_cluster import LiveCluster
from incident.record import Record, object_ref
from incident.view import unavailable
from incident.walkthrough.run import StepState
from incident.walkthrough.runs import Runs
from incident.walkthrough.walkthrough import UnderWay
from timeline.entry import Capture, Draft, Kind

_ANSWER = {
    Outcome.DONE: ("done", StepState.DONE),
    Outcome.PART: ("unknown", StepState.UNKNOWN),
    Outcome.SENT_NOT_SEEN: ("unknown", StepState.UNKNOWN),
    Outcome.UNKNOWN: ("unknown", StepState.UNKNOWN),
    Outcome.FAILED: ("failed", StepState.FAILED),
    Outcome.REFUSED: ("failed", StepState.FAILED),
}
_UNDONE = {StepState.DONE: StepState.TODO}
"""State of a step after its undo: open again, unknown, or (the undo failed) as before."""


class ActionRunner:
    def __init__(
        self,
        live: LiveCluster,
        record: Record,
        runs: Runs,
        clock: Callable[[], datetime],
        under_way: UnderWay,
        *,
        write: bool,
    ) -> None:
        self._live = live
        self._record = record
        self._runs = runs
        self._clock = clock
        self._under_way = under_way
        self._mode = Mode.WRITE if write else Mode.READ_ONLY

    def context(self) -> ActionContext:
        live = self._live
        return ActionContext(
            store=live.store,
            api=live.api,
            writer=action_writer(live.api, self._mode),
            context=live.access.context,
            server=live.access.server,
            unavailable=unavailable(live.freshness().values()),
            recorded=self._recorded,
            clock=self._clock,
        )

    def _recorded(self, change: str) -> Mapping[str, Any] | None:
        """What the record holds of a change, by the id of its intent."""
        return next(
            (
                entry.data
                for entry in reversed(self._record.by_record())
                if entry.kind == "action-intent" and entry.data.get("intent_id") == change
            ),
            None,
        )

    async def plan(
        self,
        name: str,
        arguments: Mapping[str, str],
        run_id: str = "",
        step_id: str = "",
        *,
        undoes: bool = False,
    ) -> ActionPlan:
        """The exact change, its blast radius and its undo, for the step that asks. Raises
        ValueError for an action that does not exist."""
        context = replace(self.context(), prohibitions=self._prohibitions(run_id))
        plan = await catalogue.plan(name, context, arguments)
        return replace(plan, run_id=run_id, step_id=step_id, undoes=undoes)

    def _prohibitions(self, run_id: str) -> tuple[str, ...]:
        """The first sentence of each point under "Do not" of the runbook that asks."""
        section = self._runs.run(run_id).runbook.section("do-not") if run_id else None
        points = section.text.splitlines() if section is not None else []
        return tuple(
            f"{point[2:].partition('. ')[0].rstrip('.')}." for point in points if point[:2] == "- "
        )

    async def run(
        self,
        plan: ActionPlan,
        typed: str,
        progress: Callable[[str], None] = lambda _: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> ActionResult:
        """Through the gate; never raises. `progress` and `stopped`: see `actions.catalogue.run`."""
        async with self._under_way(f"action/{plan.action}", plan.change.summary):
            journal = GateJournal(self._record, self._runs)
            result = await catalogue.run(plan, typed, self.context(), journal, progress, stopped)
        if result.again is None:
            return result
        again = replace(result.again, run_id=plan.run_id, step_id=plan.step_id, undoes=plan.undoes)
        return replace(result, again=again)

    def decline(self, plan: ActionPlan, reason: str) -> ActionResult:
        return catalogue.decline(
            plan, self.context(), GateJournal(self._record, self._runs), reason
        )


class GateJournal:
    """The record as the gate needs it: an intent that is certainly on disk, and a result for
    whatever became of it. Both name the step that the plan was made for."""

    def __init__(self, record: Record, runs: Runs) -> None:
        self._record = record
        self._runs = runs
        self._intent = ""
        self._parts: dict[Ref, str] = {}

    async def intend(self, plan: ActionPlan) -> None:
        """Raises `RecordUnavailable`: then nothing is sent."""
        self._intent = f"action/{plan.action}/{secrets.token_hex(4)}"
        self._runs.take(
            await self._record.append_durably(
                Draft(
                    kind="action-intent",
                    text=f"{plan.action} {plan.object}: {plan.change.summary}",
                    phase="mitigate",
                    object=object_ref(plan.object),
                    run_id=plan.run_id,
                    step_id=plan.step_id,
                    captures=tuple(_capture(target) for target in plan.targets if target.before),
                    data={
                        "intent_id": self._intent,
                        **plan.document,
                        "undo_arguments": {"change": self._intent},
                        **({} if plan.undoes else self._runs.asked(plan.run_id, plan.step_id)),
                    },
                )
            )
        )

    async def begin(self, plan: ActionPlan, target: Target) -> None:
        """One of several targets. Raises `RecordUnavailable`: then it is not sent."""
        part = f"{self._intent}/{len(self._parts) + 1}"
        await self._record.append_durably(
            Draft(
                kind="action-intent",
                text=f"{plan.action}: {target.request.summary}",
                phase="mitigate",
                object=object_ref(target.ref),
                data={"intent_id": part, "part_of": self._intent},
            )
        )
        self._parts[target.ref] = part

    def finish(self, plan: ActionPlan, result: TargetResult) -> None:
        """What became of it."""
        if result.ref not in self._parts:
            return
        self._record.append(
            Draft(
                kind="action-result",
                text=f"{plan.action} {result.ref}: {result.sentence}",
                phase="mitigate",
                object=object_ref(result.ref),
                data={
                    "intent_id": self._parts[result.ref],
                    "part_of": self._intent,
                    **result.document,
                },
            )
        )

    def conclude(self, result: ActionResult) -> None:
        refused = result.outcome in (Outcome.DECLINED, Outcome.REFUSED) and not self._intent
        kind: Kind = "action-declined" if refused else "action-result"
        plan = result.plan
        answer = {} if refused else self._answer(result)
        self._runs.write(
            Draft(
                kind=kind,
                text=f"{plan.action} {plan.object}: {result.sentence}",
                phase="mitigate",
                object=object_ref(plan.object),
                run_id=plan.run_id,
                step_id=plan.step_id,
                time_source="human" if result.outcome is Outcome.DECLINED else "tool",
                data={
                    "intent_id": self._intent,
                    **result.document,
                    "undoes": plan.undoes,
                    **answer,
                },
            )
        )

    def _answer(self, result: ActionResult) -> dict[str, str]:
        plan = result.plan
        answer, state = _ANSWER[result.outcome]
        if plan.undoes:
            return {"answer": "", "state": _UNDONE.get(state, state).value}
        return self._runs.answered(plan.run_id, plan.step_id, answer, state)


def _capture(target: Target) -> Capture:
    """The object before the change, as evidence."""
    content = msgspec.json.format(msgspec.json.encode(target.before), indent=1)
    return Capture(
        content=content,
        source=f"GET {target.path} before the change",
        media_type="application/json",
    )
