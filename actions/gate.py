"""The one gate: every change to the cluster passes these steps in this order, and an error at any
of them leaves it shut.

plan still valid -> typed confirmation -> write mode -> looked at again -> intent on disk -> sent
once -> seen in the cluster -> result on disk -> undo offered. There is no flag that answers the
confirmation. A change is never repeated by itself: when its fate is not known the gate looks, and
says what it saw.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from actions.context import ActionContext, Journal
from actions.plan import ActionPlan, ActionResult, Expected, Outcome
from cluster.api.mode import Mode, Purpose
from cluster.errors import ApiError, ClusterError, OutcomeUnknown, Refused, ServerError
from cluster.kube.text import clean_line

VALID_S = 300
"""Seconds for which a plan may be confirmed: what it shows grows old."""
VERIFY_S = 15.0
POLL_S = 0.5
_PRODUCTION = re.compile(r"(?:^|[^a-z])(?:prod|production|prd|live)(?:[^a-z]|$)")


def looks_like_production(context: str) -> bool:
    """Whether a context's name has one of the usual marks (prod, production, prd, live) as a word
    of its own."""
    return _PRODUCTION.search(context.lower()) is not None


def confirmation(object_name: str, context: str) -> tuple[str, str]:
    """(what must be typed, why): the object's name; on a context that looks like production its
    name too."""
    if looks_like_production(context):
        return (
            f"{object_name} {context}",
            "the object and the context, because this looks like production",
        )
    return object_name, "the name of the object"


async def run(
    plan: ActionPlan,
    typed: str,
    context: ActionContext,
    journal: Journal,
    replan: Callable[[], Awaitable[ActionPlan]],
) -> ActionResult:
    """Take a plan through the gate. `typed` is what the human typed; `replan` makes the same plan
    anew from the state of now.

    Never raises: whatever goes wrong before the change is sent is `REFUSED`, after it `UNKNOWN`
    with what was seen.
    """
    try:
        refused = await _refusal(plan, typed, context, replan)
    except Exception as error:  # the gate must stay shut whatever breaks in it
        refused = f"the check itself failed ({_say(error)})"
    if refused:
        outcome = Outcome.DECLINED if not typed.strip() else Outcome.REFUSED
        return _close(journal, _result(plan, context, outcome, f"Nothing was changed: {refused}."))
    try:
        await journal.intend(plan)
    except asyncio.CancelledError:
        sentence = "Nothing was changed: it was stopped before it was sent."
        _close(journal, _result(plan, context, Outcome.REFUSED, sentence))
        raise
    except (
        Exception
    ) as error:  # without a record of the intent nothing may be sent, for whatever reason
        sentence = f"Nothing was changed: the intent could not be recorded ({_say(error)})."
        return _result(plan, context, Outcome.REFUSED, sentence)
    started = context.clock()
    try:
        result = await _act(plan, context)
    except Exception as error:  # sent or not: that is not known here
        sentence = (
            f"Something failed while it was sent ({_say(error)}); look at {plan.object} before "
            "you repeat it."
        )
        result = _result(plan, context, Outcome.UNKNOWN, sentence)
    result = replace(result, seconds=(context.clock() - started).total_seconds())
    return _close(journal, result)


def decline(
    plan: ActionPlan, context: ActionContext, journal: Journal, reason: str
) -> ActionResult:
    """A human said no; recorded as such."""
    said = f": {clean_line(reason, 300)}" if reason else ""
    return _close(
        journal, _result(plan, context, Outcome.DECLINED, f"Declined, nothing was changed{said}.")
    )


async def _refusal(
    plan: ActionPlan,
    typed: str,
    context: ActionContext,
    replan: Callable[[], Awaitable[ActionPlan]],
) -> str:
    """Why the gate stays shut, or ""."""
    if plan.refused:
        return plan.refused.rstrip(".")
    failing = [p for p in plan.preconditions if p.held is not True]
    if failing:
        return f"{failing[0].question} {failing[0].seen}".rstrip(".")
    if not plan.confirmation or typed != plan.confirmation:
        return (
            "it was not confirmed"
            if not typed.strip()
            else f"{clean_line(typed, 80)!r} was typed, not {plan.confirmation!r}"
        )
    if context.writer.mode is not Mode.WRITE:
        return "this session is read-only; start with --write to allow changes"
    now = context.clock()
    if not plan.made <= now <= plan.expires:
        return "the plan is too old, what it shows may no longer be so; look at it again"
    again = await replan()
    if again.refused:
        return f"the state has changed: {again.refused.rstrip('.')}"
    if (again.change, again.object, again.server, again.context) != (
        plan.change,
        plan.object,
        plan.server,
        plan.context,
    ):
        return (
            "the state has changed, the same action would now be another change; look at it again"
        )
    failing = [p for p in again.preconditions if p.held is not True]
    if failing:
        return f"the state has changed: {failing[0].question} {failing[0].seen}".rstrip(".")
    return ""


async def _act(plan: ActionPlan, context: ActionContext) -> ActionResult:
    change = plan.change
    try:
        if change.verb == "PATCH":
            await context.writer.patch(
                change.path, change.body, content_type=change.content_type, purpose=Purpose.ACTION
            )
        elif change.verb == "POST":
            await context.writer.create(change.path, change.body, purpose=Purpose.ACTION)
        elif change.verb == "DELETE":
            await context.writer.delete(change.path, purpose=Purpose.ACTION)
        else:
            return _result(
                plan,
                context,
                Outcome.REFUSED,
                f"Nothing was changed: the gate does not know the verb {change.verb}.",
            )
    except Refused as error:
        return _result(plan, context, Outcome.REFUSED, f"Nothing was changed: {error}")
    except (OutcomeUnknown, ServerError) as error:
        seen, observed = await _observe(plan, context)
        if seen:
            return _result(
                plan,
                context,
                Outcome.DONE,
                f"The answer was lost ({error}), but the change is there.",
                observed,
            )
        sentence = f"It is not known whether it took effect: {error} Look before you repeat it."
        return _result(plan, context, Outcome.UNKNOWN, sentence, observed)
    except ApiError as error:
        return _result(
            plan, context, Outcome.FAILED, f"The server refused, nothing was changed: {error}"
        )
    except ClusterError as error:
        return _result(plan, context, Outcome.FAILED, f"It was not sent: {error}")
    seen, observed = await _observe(plan, context)
    if seen:
        return _result(plan, context, Outcome.DONE, f"Done: {change.summary}.", observed)
    return _result(
        plan,
        context,
        Outcome.SENT_NOT_SEEN,
        f"The server accepted it, but it was not seen within {VERIFY_S:g} s.",
        observed,
    )


async def _observe(plan: ActionPlan, context: ActionContext) -> tuple[bool, str]:
    """Read the object until it shows the change or `VERIFY_S` is over: (seen, what was seen
    last)."""
    if plan.expected is None:
        return True, "this action has no state to look at"
    end = context.clock() + timedelta(seconds=VERIFY_S)
    last = "not read yet"
    while True:
        try:
            found = await context.api.get_json(plan.change.path, timeout=5)
            value = _dig(found, plan.expected)
            last = f"{'.'.join(plan.expected.path)} = {value!r}"
            if value == plan.expected.value or (not plan.expected.value and not value):
                return True, last
        except ClusterError as error:
            last = str(error)
        if context.clock() >= end:
            return False, last
        await context.sleep(POLL_S)


def _dig(found: Any, expected: Expected) -> Any:
    here = found
    for step in expected.path:
        here = here.get(step) if isinstance(here, dict) else None
    return here


def _result(
    plan: ActionPlan, context: ActionContext, outcome: Outcome, sentence: str, observed: str = ""
) -> ActionResult:
    changed = outcome in (Outcome.DONE, Outcome.SENT_NOT_SEEN, Outcome.UNKNOWN)
    return ActionResult(
        plan,
        outcome,
        sentence,
        context.clock(),
        observed=observed,
        undo=plan.undo if changed else None,
    )


def _close(journal: Journal, result: ActionResult) -> ActionResult:
    try:
        journal.conclude(result)
    except Exception as error:  # the change may have been made: say so, whatever the record does
        return replace(
            result, sentence=f"{result.sentence} This could not be recorded ({_say(error)})."
        )
    return result


def _say(error: BaseException) -> str:
    return clean_line(str(error) or type(error).__name__, 300)
