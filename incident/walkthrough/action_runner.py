"""Runs actions through the gate, with intent and result in the record."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from actions import catalogue
from actions.context import ActionContext, action_writer
from actions.parameters import read_values
from actions.plan import FORBIDS, ActionPlan, ActionResult, Outcome, Target, TargetResult
from actions.targets import value_at
from cluster.api.audit import audit_trail
from cluster.api.mode import Mode
from cluster.kube.objects import Ref
from cluster.live.live_cluster import LiveCluster
from incident.provenance import audit_ids
from incident.record import Record, object_ref
from incident.view import unavailable
from incident.walkthrough.run import NO_STEP, Asker, StepState
from incident.walkthrough.runners import UnderWay
from incident.walkthrough.runs import Runs
from runbooks.model import Runbook
from timeline.entry import CHANGED, Capture, EntryKind, NewEntry, ObjectRef

_ANSWER = {
    Outcome.DONE: ("done", StepState.DONE),
    Outcome.PART: ("unknown", StepState.UNKNOWN),
    Outcome.SENT_NOT_SEEN: ("unknown", StepState.UNKNOWN),
    Outcome.UNKNOWN: ("unknown", StepState.UNKNOWN),
    Outcome.FAILED: ("failed", StepState.FAILED),
    Outcome.REFUSED: ("failed", StepState.FAILED),
}
_UNDONE = {StepState.DONE: StepState.TODO}
"""State of a step after its undo: open again, unknown, or (the undo failed) unchanged."""


def prohibitions(runbook: Runbook) -> tuple[str, ...]:
    """The first sentence of each point under "Do not" of a runbook."""
    section = runbook.section("do-not")
    points = section.text.splitlines() if section is not None else []
    return tuple(
        f"{point[2:].partition('. ')[0].rstrip('.')}." for point in points if point[:2] == "- "
    )


class ActionRunner:
    """Plans and runs actions. `mode` returns the current one."""

    def __init__(
        self,
        live: LiveCluster,
        record: Record,
        runs: Runs,
        clock: Callable[[], datetime],
        under_way: UnderWay,
        mode: Callable[[], Mode],
    ) -> None:
        self._live, self._record, self._runs = live, record, runs
        self._clock, self._under_way, self._mode = clock, under_way, mode

    def context(self, run_id: str = "") -> ActionContext:
        """What an action may use now, with what the run's runbook forbids."""
        live, record = self._live, self._record.view()
        return ActionContext(
            store=live.store,
            api=live.api,
            writer=action_writer(live.api, self._mode()),
            context=live.access.context,
            server=live.access.server,
            unavailable=unavailable(live.freshness().values()),
            recorded=self._recorded,
            beside=(record.reason or "not known why") if record.state == "sidecar" else "",
            prohibitions=self._prohibitions(run_id),
            clock=self._clock,
        )

    def _recorded(self, change: str) -> Mapping[str, Any] | None:
        """The recorded data of a change, by the id of its intent."""
        for entry in reversed(self._record.by_record()):
            if entry.kind == "action-intent" and entry.data.get("intent_id") == change:
                return entry.data
        return None

    def refuses(self, action: str, argument: str, text: str) -> str:
        known = catalogue.ACTIONS[action].parameters if action in catalogue.ACTIONS else ()
        taken = [each for each in known if each.name == argument]
        return read_values(taken, {argument: text})[1].removeprefix(f"{argument} ")

    async def plan(
        self,
        name: str,
        arguments: Mapping[str, str],
        asker: Asker = NO_STEP,
        *,
        undoes: bool = False,
    ) -> ActionPlan:
        """The exact change, its blast radius and its undo, for the step that asks. Raises
        ValueError for an unknown action."""
        plan = await catalogue.plan(name, self.context(asker.run_id), arguments)
        return self._warned(replace(plan, **asker._asdict(), undoes=undoes))

    def _warned(self, plan: ActionPlan) -> ActionPlan:
        """A plan that no step asked for, with what the runbooks about its object say not to do."""
        if plan.run_id:
            return plan
        pages = self._runs.about(plan.object)
        told = (f"{FORBIDS}{each}" for page in pages for each in prohibitions(page))
        return replace(plan, warnings=tuple(dict.fromkeys((*plan.warnings, *told))))

    def _prohibitions(self, run_id: str) -> tuple[str, ...]:
        return prohibitions(self._runs.run(run_id).runbook) if run_id else ()

    async def run(
        self,
        plan: ActionPlan,
        typed: str,
        progress: Callable[[str], None] = lambda _: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> ActionResult:
        """Run a plan through the gate; never raises. `progress` and `stopped`: see
        `actions.catalogue.run`."""
        async with self._under_way(f"action/{plan.action}", plan.change.summary) as detail:

            def tell(line: str) -> None:
                detail(line)
                progress(line)

            context = self.context(plan.run_id)
            result = await catalogue.run(plan, typed, context, self._journal(), tell, stopped)
        if result.again is None:
            return result
        again = replace(result.again, run_id=plan.run_id, step_id=plan.step_id, undoes=plan.undoes)
        return replace(result, again=self._warned(again))

    def decline(self, plan: ActionPlan, reason: str) -> ActionResult:
        return catalogue.decline(plan, self.context(), self._journal(), reason)

    def _journal(self) -> GateJournal:
        return GateJournal(self._record, self._runs, audit_trail())


class GateJournal:
    """The record for the gate: an intent is on disk before anything is sent, and a result follows
    in any case. Both name the step that the plan was made for."""

    def __init__(self, record: Record, runs: Runs, trail: Sequence[str] = ()) -> None:
        """`trail` collects the Audit-Ids of the responses."""
        self._record = record
        self._runs = runs
        self._trail = trail
        self._intent = ""
        self._parts: dict[Ref, str] = {}

    async def intend(self, plan: ActionPlan) -> None:
        """Raises `RecordUnavailable`: then nothing is sent."""
        self._intent = f"action/{plan.action}/{secrets.token_hex(4)}"
        data = {
            "intent_id": self._intent,
            **plan.document,
            "undo_arguments": {"change": self._intent},
            **({} if plan.undoes else self._runs.asked(plan.run_id, plan.step_id)),
        }
        draft = _draft(plan, "action-intent", plan.change.summary, data)
        captures = tuple(_before(target) for target in plan.targets if target.before)
        about = tuple(_ref(each) for each in plan.targets)
        draft = msgspec.structs.replace(self._proven(draft, captures), about=about)
        self._runs.take(await self._record.append_durably(draft))

    async def begin(self, plan: ActionPlan, target: Target) -> None:
        """Record the intent for one of several targets. Raises `RecordUnavailable`: then it is not
        sent."""
        part = f"{self._intent}/{len(self._parts) + 1}"
        text = f"{plan.action}: {target.request.summary}"
        draft = self._part("action-intent", text, target.ref, part)
        draft = msgspec.structs.replace(self._proven(draft, ()), object=_ref(target))
        await self._record.append_durably(draft)
        self._parts[target.ref] = part

    def finish(self, plan: ActionPlan, result: TargetResult) -> None:
        """Record the result of one of several targets."""
        if part := self._parts.get(result.ref):
            text = f"{plan.action} {result.ref}: {result.sentence}"
            draft = self._part("action-result", text, result.ref, part, result.document)
            self._record.append(self._proven(draft, _after(result, plan)))

    def _part(
        self, kind: EntryKind, text: str, ref: Ref, part: str, more: Mapping[str, Any] | None = None
    ) -> NewEntry:
        data = {"intent_id": part, "part_of": self._intent, **(more or {})}
        return NewEntry(kind=kind, text=text, phase="mitigate", object=object_ref(ref), data=data)

    def conclude(self, result: ActionResult) -> None:
        plan = result.plan
        refused = result.outcome in (Outcome.DECLINED, Outcome.REFUSED) and not self._intent
        data = {
            "intent_id": self._intent,
            **result.document,
            "undoes": plan.undoes,
            **({} if refused else self._answer(result)),
        }
        kind: EntryKind = "action-declined" if refused else "action-result"
        draft = _draft(plan, kind, result.sentence, data)
        source = "human" if result.outcome is Outcome.DECLINED else "tool"
        after = (
            () if self._parts else tuple(c for each in result.targets for c in _after(each, plan))
        )
        draft = msgspec.structs.replace(draft, time_source=source)
        self._runs.write(self._proven(draft, after))

    def _proven(self, draft: NewEntry, captures: Sequence[Capture]) -> NewEntry:
        """Adds the objects before or after the change, and the Audit-Ids of the responses so
        far."""
        trail = audit_ids(self._trail)
        return msgspec.structs.replace(draft, captures=tuple(captures), audit_id=trail)

    def _answer(self, result: ActionResult) -> dict[str, str]:
        plan = result.plan
        answer, state = _ANSWER[result.outcome]
        if plan.undoes:
            return {"answer": "", "state": _UNDONE.get(state, state).value}
        return self._runs.answered(plan.run_id, plan.step_id, answer, state)


def _draft(plan: ActionPlan, kind: EntryKind, text: str, data: Mapping[str, Any]) -> NewEntry:
    """An entry about a plan, for the step that asked. Names the object once."""
    about = plan.action if str(plan.object) in text else plan.title
    return NewEntry(
        kind=kind,
        text=f"{about}: {text}",
        phase="mitigate",
        object=object_ref(plan.object),
        run_id=plan.run_id,
        step_id=plan.step_id,
        data=data,
    )


def _ref(target: Target) -> ObjectRef:
    """The object at the time of the plan."""
    return ObjectRef(
        kind=target.ref.kind,
        namespace=target.ref.namespace,
        name=target.ref.name,
        uid=target.uid,
        resource_version=target.resource_version,
    )


def _after(result: TargetResult, plan: ActionPlan) -> tuple[Capture, ...]:
    """The object as the server returned it, as evidence."""
    if result.after is None:
        return ()
    target = next((each for each in plan.targets if each.ref == result.ref), None)
    return (_object(result.after, target, f"{result.ref} after the change"),)


def _before(target: Target) -> Capture:
    """The object before the change, as evidence."""
    return _object(target.before or {}, target, f"GET {target.path} before the change")


def _object(found: Mapping[str, Any], target: Target | None, source: str) -> Capture:
    """An object, with the changed fields first."""
    fields = target.fields if target is not None else ()
    values = {each.pointer: value_at(found, each.pointer)[1] for each in fields}
    document = {CHANGED: values, **found} if values else found
    content = msgspec.json.format(msgspec.json.encode(document), indent=1)
    return Capture(content=content, source=source, media_type="application/json")
