"""Takes actions through the gate for an investigation, with intent and result in the record."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime

from actions import catalogue
from actions.context import ActionContext, action_writer
from actions.plan import ActionPlan, ActionResult, Outcome
from cluster.api.mode import Mode
from cluster.live.freshness import State
from cluster.live.live_cluster import LiveCluster
from incident.record import Record, object_ref
from incident.walkthrough.run import StepState
from incident.walkthrough.step_runner import Walking
from timeline.entry import Draft, Kind

_ANSWER = {
    Outcome.DONE: ("done", StepState.DONE),
    Outcome.SENT_NOT_SEEN: ("unknown", StepState.UNKNOWN),
    Outcome.UNKNOWN: ("unknown", StepState.UNKNOWN),
    Outcome.FAILED: ("failed", StepState.FAILED),
    Outcome.REFUSED: ("failed", StepState.FAILED),
    Outcome.DECLINED: ("declined", StepState.SKIPPED),
}


class Acting:
    def __init__(
        self,
        live: LiveCluster,
        record: Record,
        walking: Walking,
        clock: Callable[[], datetime],
        *,
        write: bool,
    ) -> None:
        self._live = live
        self._record = record
        self._walking = walking
        self._clock = clock
        self._mode = Mode.WRITE if write else Mode.READ_ONLY
        self._steps: dict[int, tuple[str, str]] = {}

    def context(self) -> ActionContext:
        live = self._live
        unavailable = {
            kind.kind: kind.reason or kind.state.value
            for kind in live.freshness().values()
            if kind.state in (State.FORBIDDEN, State.ABSENT) or kind.heard is None
        }
        return ActionContext(
            store=live.store,
            api=live.api,
            writer=action_writer(live.api, self._mode),
            context=live.access.context,
            server=live.access.server,
            unavailable=unavailable,
            clock=self._clock,
        )

    async def plan(
        self, name: str, arguments: Mapping[str, str], run_id: str = "", step_id: str = ""
    ) -> ActionPlan:
        """The exact change, its blast radius and its undo. Raises ValueError for an action that
        does not exist."""
        plan = await catalogue.plan(name, self.context(), arguments)
        if run_id:
            self._steps[id(plan)] = (run_id, step_id)
        return plan

    async def run(self, plan: ActionPlan, typed: str) -> ActionResult:
        """Through the gate; never raises. The step that asked for it gets its answer."""
        journal = GateJournal(self._record, *self._steps.get(id(plan), ("", "")))
        result = await catalogue.run(plan, typed, self.context(), journal)
        self._conclude(plan, result)
        return result

    def decline(self, plan: ActionPlan, reason: str) -> None:
        self._conclude(
            plan, catalogue.decline(plan, self.context(), GateJournal(self._record), reason)
        )

    def _conclude(self, plan: ActionPlan, result: ActionResult) -> None:
        run_id, step_id = self._steps.get(id(plan), ("", ""))
        if run_id:
            answer, state = _ANSWER[result.outcome]
            self._walking.conclude(run_id, step_id, answer, state, result.sentence)


class GateJournal:
    """The record as the gate needs it: an intent that is certainly on disk, and a result for
    whatever became of it."""

    def __init__(self, record: Record, run_id: str = "", step_id: str = "") -> None:
        """`run_id` and `step_id`: the step that asked for it; without a result, that step is shown
        as unknown after a restart."""
        self._record = record
        self._run_id, self._step_id = run_id, step_id
        self._intent = ""

    def intend(self, plan: ActionPlan) -> None:
        """Raises `RecordUnavailable`: then nothing is sent."""
        self._intent = f"action/{plan.action}/{secrets.token_hex(4)}"
        self._record.append_durably(
            Draft(
                kind="action-intent",
                text=f"{plan.action} {plan.object}: {plan.change.summary}",
                phase="mitigate",
                object=object_ref(plan.object),
                run_id=self._run_id,
                step_id=self._step_id,
                data={"intent_id": self._intent, **plan.document},
            )
        )

    def conclude(self, result: ActionResult) -> None:
        refused = result.outcome in (Outcome.DECLINED, Outcome.REFUSED) and not self._intent
        kind: Kind = "action-declined" if refused else "action-result"
        self._record.append(
            Draft(
                kind=kind,
                text=f"{result.plan.action} {result.plan.object}: {result.sentence}",
                phase="mitigate",
                object=object_ref(result.plan.object),
                time_source="human" if result.outcome is Outcome.DECLINED else "tool",
                data={"intent_id": self._intent, **result.document},
            )
        )
