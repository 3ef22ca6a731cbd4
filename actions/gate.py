"""The one gate: every change to the cluster takes these steps in this order, and an error at any of
them keeps it shut.

Plan still valid, typed confirmation, write mode, planned again and compared, intent on disk, each
target sent once, seen in the cluster, result on disk. No option answers the confirmation. A change
is not repeated: when its outcome is unknown, the gate reads the object and reports what it found.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from actions.context import ActionContext, ActionJournal, Progress
from actions.definition import Verify
from actions.execution import Execution, say
from actions.plan import CHANGED, ActionPlan, ActionResult, Outcome, Target
from actions.targets import SPEC
from cluster.api.mode import Mode
from cluster.kube.text import clean_line

STOPPED = "Nothing was changed: it was stopped before it was sent."
Replan = Callable[[], Awaitable[ActionPlan]]


@dataclass(frozen=True, slots=True)
class GateRun:
    """What one run needs beside the plan. `stopped` is called before each target."""

    context: ActionContext
    journal: ActionJournal
    replan: Replan
    verify: Verify | None = None
    progress: Progress = lambda _: None
    stopped: Callable[[], bool] = lambda: False


async def run(plan: ActionPlan, typed: str, run_: GateRun) -> ActionResult:
    """Takes a plan through the gate. `typed` is what the person typed.

    Does not raise, apart from CancelledError after the result is recorded: an error before the
    change is sent gives `REFUSED`, after it `UNKNOWN` with what was seen.
    """
    context, journal = run_.context, run_.journal
    try:
        refused, again = await _refusal(plan, typed, run_)
    except asyncio.CancelledError:
        _close(journal, _result(plan, context, Outcome.REFUSED, STOPPED))
        raise
    except Exception as error:  # Any error keeps the gate shut.
        refused, again = f"the check itself failed ({say(error)})", None
    if refused:
        outcome = Outcome.DECLINED if not typed.strip() else Outcome.REFUSED
        result = _result(plan, context, outcome, f"Nothing was changed: {refused}.")
        return _close(journal, replace(result, again=again))
    try:
        await journal.intend(plan)
    except asyncio.CancelledError:
        _close(journal, _result(plan, context, Outcome.REFUSED, STOPPED))
        raise
    except Exception as error:  # Without a record of the intent nothing may be sent.
        sentence = f"Nothing was changed: the intent could not be recorded ({say(error)})."
        return _result(plan, context, Outcome.REFUSED, sentence)
    work = Execution(plan, context, journal, run_.verify, run_.progress, run_.stopped)
    try:
        await work.send_all()
        await work.verify_all()
    except asyncio.CancelledError:
        work.cancelled()
        _close(journal, _finished(plan, context, work))
        raise
    except Exception as error:  # Sent or not: unknown here.
        work.broken(say(error))
    return _close(journal, _finished(plan, context, work))


def decline(
    plan: ActionPlan, context: ActionContext, journal: ActionJournal, reason: str
) -> ActionResult:
    """Records that a person said no."""
    said = f": {clean_line(reason, 300)}" if reason else ""
    sentence = f"Declined, nothing was changed{said}."
    return _close(journal, _result(plan, context, Outcome.DECLINED, sentence))


# ---- before


async def _refusal(plan: ActionPlan, typed: str, run_: GateRun) -> tuple[str, ActionPlan | None]:
    """Why the gate stays shut, "" when it opens; with the current plan when the state has
    changed."""
    if plan.refused:
        return plan.refused.rstrip("."), None
    if not plan.targets:
        return "the plan changes nothing", None
    failing = _failing(plan)
    if failing:
        return failing, None
    if not plan.confirmation or typed != plan.confirmation:
        said = f"{clean_line(typed, 80)!r} was typed, not {plan.confirmation!r}"
        return said if typed.strip() else "it was not confirmed", None
    if run_.context.writer.mode is not Mode.WRITE:
        return "this session is read-only; start with --write to allow changes", None
    now = run_.context.clock()
    if not plan.made <= now <= plan.expires:
        return "the plan is too old, its state may have changed; look at it again", None
    again = await run_.replan()
    if again.refused:
        return f"the state has changed: {again.refused.rstrip('.')}", again
    if failing := _failing(again):
        return f"the state has changed: {failing}", again
    if differences := compare(plan, again):
        return f"the state has changed: {'; '.join(differences[:4])}; look at it again", again
    return "", None


def _failing(plan: ActionPlan) -> str:
    failing = next((each for each in plan.preconditions if each.held is not True), None)
    return f"{failing.question} {failing.seen}".rstrip(".") if failing else ""


def compare(plan: ActionPlan, again: ActionPlan) -> list[str]:
    """Differences between the plan that was shown and the same plan now, in words; empty when a
    person would see the same."""
    differences = []
    where = (plan.server, plan.context, plan.action)
    if where != (again.server, again.context, again.action):
        differences.append("it would go to another cluster")
    before = {target.path: target for target in plan.targets}
    after = {target.path: target for target in again.targets}
    differences += [f"{target.ref} is new" for path, target in after.items() if path not in before]
    # A pod that left by itself needs no eviction.
    differences += [
        f"{target.ref} is gone"
        for path, target in before.items()
        if path not in after and not (after and target.request.blocked_by_budget)
    ]
    for path, target in before.items():
        if path in after and target.shown != after[path].shown:
            differences += _target_differences(target, after[path])
    facts, now = dict(plan.facts), dict(again.facts)
    differences += [
        f"{name}: {facts.get(name, 'none')}, now {now.get(name, 'none')}"
        for name in sorted(facts.keys() | now.keys())
        if facts.get(name) != now.get(name)
    ]
    known = {_without_figures(each) for each in plan.warnings}
    differences += [each for each in again.warnings if _without_figures(each) not in known]
    if not differences and [path for path in before if path in after] != list(after):
        differences.append("the order of the objects is another")
    return differences


def _without_figures(warning: str) -> str:
    """Makes warnings that differ only in a number equal."""
    return re.sub(r"\d+", "#", warning)


def _target_differences(target: Target, now: Target) -> list[str]:
    if target.uid != now.uid:
        return [f"{target.ref} was deleted and created again"]
    before, after = dict(target.state), dict(now.state)
    different = [
        name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)
    ]
    differences = [
        f"{target.ref} {name}: {before.get(name, 'not set')}, now {after.get(name, 'not set')}"
        for name in different
        if name != SPEC
    ]
    if SPEC in different:
        differences.append(f"another field of the spec of {target.ref} was changed")
    return differences or [f"{target.ref} would be changed in another way"]


def _finished(plan: ActionPlan, context: ActionContext, work: Execution) -> ActionResult:
    work.close()
    outcome = work.outcome
    return replace(
        _result(plan, context, outcome, work.sentence),
        seconds=work.seconds,
        observed=work.observed,
        targets=tuple(work.results.values()),
    )


def _result(
    plan: ActionPlan, context: ActionContext, outcome: Outcome, sentence: str
) -> ActionResult:
    undo = plan.undo if outcome in CHANGED else None
    return ActionResult(plan, outcome, sentence, context.clock(), undo=undo)


def _close(journal: ActionJournal, result: ActionResult) -> ActionResult:
    try:
        journal.conclude(result)
    except Exception as error:  # The change may have been made: report it, even unrecorded.
        sentence = f"{result.sentence} This could not be recorded ({say(error)})."
        return replace(result, sentence=sentence)
    return result
