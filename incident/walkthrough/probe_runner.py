"""Runs probes: records one intent before and one result after, and removes what they create."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from cluster.api.audit import audit_trail
from cluster.api.exec import Executor
from cluster.api.mode import Mode
from cluster.api.port_forward import Forwarder
from cluster.kube.objects import Ref
from cluster.live.live_cluster import LiveCluster
from incident.cadence import Cadence
from incident.ledger import JournalLedger
from incident.provenance import audit_ids, object_refs
from incident.record import Record
from incident.view import unavailable
from incident.walkthrough.run import NO_STEP, Asker, StepState
from incident.walkthrough.runners import Progress, UnderWay
from incident.walkthrough.runs import Runs
from probes import catalogue
from probes.context import ProbeContext, operator_name, probe_writer
from probes.pods.sweep import SweepReport, SweepScope, sweep
from probes.result import Expectation, ProbePlan, ProbeResult, ResultClass
from runbooks.model import Step
from timeline.entry import Capture, EntryKind, NewEntry

_STATE = {"unknown": StepState.UNKNOWN, "clear": StepState.PASSED}


class ProbeRunner:
    def __init__(
        self,
        live: LiveCluster,
        record: Record,
        ledger: JournalLedger,
        runs: Runs,
        clock: Callable[[], datetime],
        under_way: UnderWay,
        cadence: Cadence,
        mode: Callable[[], Mode],
    ) -> None:
        self._live, self._record, self._ledger, self._runs = live, record, ledger, runs
        self._clock, self._under_way = clock, under_way
        self._cadence, self._mode = cadence, mode
        self._session = str(uuid.uuid4())
        self._created = False

    def context(self) -> ProbeContext:
        """What a probe may use now."""
        live = self._live
        return ProbeContext(
            store=live.store,
            api=live.api,
            writer=probe_writer(live.api, self._mode()),
            execute=Executor(live.api),
            forward=Forwarder(live.api),
            ledger=self._ledger,
            session=self._session,
            operator=operator_name(),
            incident=self._record.journal.id if self._record.journal is not None else "",
            context=live.access.context,
            server=live.access.server,
            unavailable=unavailable(live.freshness().values()),
            clock=self._clock,
        )

    async def plan(
        self, name: str, arguments: Mapping[str, str], asker: Asker = NO_STEP
    ) -> ProbePlan:
        """What the probe would do, for the step that asks. Never raises for a bad request:
        `refused` of the plan says why."""
        plan = await catalogue.plan(name, self.context(), arguments)
        return replace(plan, **asker._asdict())

    async def run(self, plan: ProbePlan, progress: Progress | None = None) -> ProbeResult:
        """Record the intent, measure, record the result. Raises `RecordUnavailable` when something
        would be created without a record."""
        intent = f"probe/{plan.probe}/{secrets.token_hex(4)}"
        draft = _draft(
            plan,
            "probe-intent",
            f"probe {plan.probe}: {plan.question}",
            intent_id=intent,
            probe=plan.probe,
            arguments=dict(plan.arguments),
            creates=[str(each.ref) for each in plan.creates],
            **self._runs.asked(plan.run_id, plan.step_id),
        )
        if plan.creates:
            self._created = True
            self._runs.take(await self._record.append_durably(draft))
        else:
            self._runs.write(draft)
        trail = audit_trail()
        try:
            async with self._under_way(f"probe/{plan.probe}", plan.question) as detail:

                def tell(line: str) -> None:
                    detail(line)
                    if progress is not None:
                        progress(line)

                result = await catalogue.run(plan, self.context(), tell)
        except asyncio.CancelledError:
            text, state = f"probe {plan.probe} was stopped", StepState.UNKNOWN.value
            self._runs.write(
                _draft(plan, "probe-result", text, intent_id=intent, stopped=True, state=state)
            )
            raise
        self._conclude(plan, result, intent, trail)
        return result

    def _conclude(
        self, plan: ProbePlan, result: ProbeResult, intent: str, trail: Sequence[str]
    ) -> None:
        asked_by = self._runs.step(plan.run_id, plan.step_id) if plan.run_id else None
        answer = step_answer(asked_by, result)
        state = _STATE.get(answer, StepState.FAILED)
        content = msgspec.json.format(msgspec.json.encode(result.document), indent=1)
        source = f"stanch probe {plan.probe}"
        given = {
            "answer": answer,
            **self._runs.answered(plan.run_id, plan.step_id, answer, state),
        }
        draft = _draft(
            plan,
            "probe-result",
            summary(result),
            intent_id=intent,
            probe=plan.probe,
            conclusions=[
                {
                    "claim": each.claim,
                    "component": str(each.component),
                    "confidence": round(each.confidence, 3),
                }
                for each in result.conclusions
            ],
            complete=result.complete,
            left_behind=[str(ref) for ref in result.left_behind],
            seconds=round((result.finished - result.started).total_seconds(), 1),
            **given,
        )
        evidence = Capture(content=content, source=source, media_type="application/json")
        self._runs.write(
            msgspec.structs.replace(
                draft,
                occurred_at=result.finished,
                captures=(evidence,),
                about=object_refs(_measured(result)),
                audit_id=audit_ids(trail),
            )
        )

    # -- sweeping

    async def sweep_at_start(self) -> list[str]:
        """Remove what an earlier run of this program left. Returns sentences for the record; none
        when nothing was found."""
        for _ in range(int(self._cadence.sweep * 2)):
            if self._live.health.reachable:
                break
            await asyncio.sleep(0.5)
        if not self._live.health.reachable:
            return [
                "not known whether an earlier run left something in the cluster: the "
                "API server does not answer"
            ]
        audit_trail()
        report = await sweep(self.context(), SweepScope.RECORD)
        return [report.sentence] if report.removed or report.left else []

    async def sweep_all(self) -> SweepReport:
        """On demand: remove all objects with this program's label that are overdue, and all that
        the records name."""
        return await sweep(self.context(), SweepScope.RECORD)

    async def close(self) -> None:
        """At exit and on signals: remove what this run created."""
        if self._created:
            audit_trail()
            report = await sweep(self.context(), SweepScope.SESSION)
            if report.removed or report.left:
                self._record.append(
                    NewEntry(kind="session", text=report.sentence, data={"event": "sweep"})
                )


def _draft(plan: ProbePlan, kind: EntryKind, text: str, **data: Any) -> NewEntry:
    """An entry about a probe, for the step that asked."""
    run_id, step_id = plan.run_id, plan.step_id
    return NewEntry(
        kind=kind, text=text, phase="diagnose", run_id=run_id, step_id=step_id, data=data
    )


def _measured(result: ProbeResult) -> Iterator[Ref]:
    """The objects of a result: those of its rows, and both ends of its cells."""
    for row in result.rows:
        yield row.subject
    for cell in result.cells:
        if cell.target.service:
            yield Ref("Service", cell.target.namespace, cell.target.service)
        for place in (cell.target, cell.source):
            if place.pod:
                yield Ref("Pod", place.namespace, place.pod)
            elif place.node:
                yield Ref("Node", "", place.node)


def step_answer(step: Step | None, result: ProbeResult) -> str:
    """The answer of a runbook's step: the one that the first conclusion gives, where the step
    declares it, else the word of `answer_of`."""
    answer = answer_of(result)
    if step is None or answer in ("clear", "unknown") or not result.conclusions:
        return answer
    special = result.conclusions[0].answer
    return special if special in [each.when for each in step.answers] else answer


def answer_of(result: ProbeResult) -> str:
    """The word that a runbook's step branches on: found, refused, timeout, clear or unknown."""
    if result.cells:
        counted = [cell for cell in result.cells if cell.counted]
        bad = [cell for cell in counted if cell.failed and cell.expected is not Expectation.DENY]
        surprising = [
            cell for cell in counted if not cell.failed and cell.expected is Expectation.DENY
        ]
        if not counted:
            return "unknown"
        accused = result.conclusions[0].component.kind if result.conclusions else ""
        if not bad and not surprising:
            # Nothing failed, and yet a delay can accuse: answers that came after five seconds.
            if accused not in ("", "none", "not-measured", "unknown"):
                return "found"
            return "clear" if result.complete else "unknown"
        if accused and accused not in ("pod", "unknown"):
            return "found"
        classes = {cell.main for cell in bad}
        if classes <= {ResultClass.REFUSED}:
            return "refused"
        timeouts = {ResultClass.TIMEOUT_CONNECT, ResultClass.TIMEOUT_FIRST_BYTE}
        return "timeout" if classes <= timeouts else "found"
    if any(row.normal is False for row in result.rows):
        return "found"
    judged = [row for row in result.rows if row.normal is not None]
    return "clear" if judged and result.complete else "unknown"


def summary(result: ProbeResult) -> str:
    """One line for the record."""
    if result.conclusions:
        best = result.conclusions[0]
        sure = f" ({best.confidence:.2f})" if best.confidence else ""  # 0: nothing is claimed
        return f"probe {result.probe}: {best.claim}{sure}"
    if result.problems and not result.complete:
        return f"probe {result.probe}: not measured: {result.problems[0]}"
    return f"probe {result.probe}: nothing abnormal measured"
