"""Steps that only read: checks, and waits until a check passes."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from cluster.api.audit import audit_trail
from cluster.kube import durations
from incident.cadence import Cadence
from incident.provenance import audit_ids, read_refs
from incident.walkthrough.check_evidence import deciding, evidence
from incident.walkthrough.face import Face
from incident.walkthrough.folded_run import Run
from incident.walkthrough.runners import CheckRunner, Progress, UnderWay
from incident.walkthrough.runs import Runs
from incident.walkthrough.step_record import StepRecord
from runbooks import steps
from runbooks.check import CheckOutcome, Result, tell
from runbooks.model import CheckSource, Query, Step, StepKind

_WAITED = {Result.PASS: "reached", Result.FAIL: "deadline", Result.UNKNOWN: "unknown"}


class CheckSteps:
    """Runs the checks of one incident. Asks for the runner each time, because the connection may
    come later than the run."""

    def __init__(
        self,
        runs: Runs,
        record: StepRecord,
        runner: Callable[[], CheckRunner],
        under_way: UnderWay,
        cadence: Cadence,
    ) -> None:
        self._runs = runs
        self._record = record
        self._runner = runner
        self._under_way = under_way
        self._cadence = cadence

    async def do(self, run: Run, step: Step, face: Face) -> None:
        """Ask the step's question, or wait for its answer, and record what was seen."""
        assert step.query is not None
        values = run.values(step)
        intent = self._record.intend(run, step, values)
        began = time.monotonic()
        face.began(step)
        trail = audit_trail()
        try:
            question = steps.fill(step.question, values)
            async with self._under_way(f"{run.id}/{step.id}", question) as detail:
                if step.kind is StepKind.WAIT:
                    outcome = await self._wait(step, values, face.progress, detail)
                elif step.query.source is CheckSource.FINDINGS:
                    outcome = tell(step.query, *self._runs.found(run))
                else:
                    outcome = await self._read(step.query, values)
        except asyncio.CancelledError:
            said, asked = "stopped before an answer came", audit_ids(trail)
            self._record.finish(run, step, "", said, intent, stopped=True, audit_id=asked)
            raise
        except BaseException as error:
            self._record.finish(
                run, step, "unknown", f"the check ended with an error: {error}", intent
            )
            raise
        seen = ": ".join(part for part in (outcome.seen, outcome.why) if part)
        answer = outcome.answer or outcome.result.value
        if step.kind is StepKind.WAIT:
            answer = _WAITED[outcome.result]
        seconds = time.monotonic() - began
        capture = await asyncio.to_thread(evidence, step, values, outcome, seconds)
        self._record.finish(
            run,
            step,
            answer,
            seen,
            intent,
            seconds=seconds,
            capture=capture,
            about=read_refs(deciding(outcome)),
            audit_id=audit_ids(trail),
        )
        face.finished(run.view(), step)

    async def _read(self, query: Query, values: Mapping[str, str]) -> CheckOutcome:
        """Ask the cluster. Says so when a value that the question names was not given."""
        outcome = await self._runner().run(steps.query_for(query, values), values)
        if outcome.result is Result.UNKNOWN or not (left_out := steps.not_given(query, values)):
            return outcome
        names = " and ".join(f"the {name.replace('_', ' ')}" for name in left_out)
        was = "were" if len(left_out) > 1 else "was"
        seen = f"{outcome.seen} ({names} {was} not given: all were read)"
        return dataclasses.replace(outcome, seen=seen)

    async def _wait(
        self, step: Step, values: Mapping[str, str], progress: Progress, detail: Progress
    ) -> CheckOutcome:
        """Check until it passes or the time is up. `progress` and `detail` get the current state
        after each change."""
        assert step.query is not None
        most = step.deadline or 300.0
        until, said = time.monotonic() + most, ""
        limit = durations.words(timedelta(seconds=most))
        while True:
            outcome = await self._read(step.query, values)
            left = until - time.monotonic()
            if outcome.result is Result.PASS or left <= 0:
                return outcome
            found = outcome.seen or outcome.why or "not known"
            if found != said:
                said = found
                progress(f"now: {found}; waits at most {limit}")
                detail(found)
            await asyncio.sleep(min(self._cadence.wait, left))
