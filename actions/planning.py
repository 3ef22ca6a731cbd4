"""Completes an action's proposal to a plan: typed values, access reviews, dry runs, shared
warnings, and the confirmation."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from actions.checks import reverted_by, review
from actions.context import ActionContext
from actions.definition import MOST_TARGETS, Action, CannotPlan, Proposal
from actions.parameters import read_values
from actions.plan import FORBIDS, ActionPlan, Blast, Change, FieldChange, Target
from actions.sending import send
from actions.targets import value_at, words
from cluster.api.mode import Mode
from cluster.errors import ApiError, ClusterError, Refused
from cluster.kube.objects import Ref

VALID_S = 300
"""Seconds for which a plan can be confirmed, because its state ages."""
DRY_RUNS = 20
"""Targets that are dry-run; of more only the first."""
AT_ONCE = 4
_PRODUCTION = re.compile(r"(?:^|[^a-z])(?:prod|production|prd|live)(?:[^a-z]|$)")


def looks_like_production(context: str) -> bool:
    """Whether a context's name has prod, production, prd or live as a word."""
    return _PRODUCTION.search(context.lower()) is not None


def confirmation(object_name: str, context: str, beside: str = "") -> tuple[str, str]:
    """(the text to type, why): the object's name, in production also the context's name, and the
    word "beside" while entries go to the sidecar."""
    typed, reasons = [object_name], []
    if looks_like_production(context):
        typed.append(context)
        reasons.append("the context, because this looks like production")
    if beside:
        typed.append("beside")
        reasons.append(f"“beside”, because the record stands beside its file: {beside}")
    if not reasons:
        return object_name, "the name of the object"
    return " ".join(typed), f"the object and {'; and '.join(reasons)}"


async def make_plan(
    action: Action, context: ActionContext, arguments: Mapping[str, str]
) -> ActionPlan:
    """The plan of an action for the current state. Does not raise for a bad request or a failing
    cluster: the plan's `refused` says why it is not possible."""
    values, wrong = read_values(action.parameters, arguments)
    if wrong:
        return _refused(action, context, arguments, wrong)
    try:
        proposal = await action.build(context, values)
    except CannotPlan as reason:
        return _refused(action, context, arguments, str(reason))
    targets = proposal.targets
    if not targets:
        return _refused(action, context, arguments, "There is nothing to change.")
    if len(targets) > MOST_TARGETS:
        problem = (
            f"{len(targets)} objects at once are too many, at most {MOST_TARGETS}; name fewer."
        )
        return _refused(action, context, arguments, problem)
    refused = next(
        (
            f"{each.question} {each.seen}"
            for each in proposal.preconditions
            if each.held is not True
        ),
        "",
    )
    server = ServerAnswer() if refused else await _ask_server(context, targets)
    undo = _way_back(proposal, targets) if proposal.restorable else None
    word, words_why = confirmation(proposal.object.name, context.context, context.beside)
    plan = _plan(action, context, arguments, proposal.object, word, words_why)
    return replace(
        plan,
        change=_headline(proposal, targets),
        targets=server.targets or targets,
        preconditions=proposal.preconditions,
        blast=Blast(proposal.touches, tuple(dict.fromkeys(target.ref for target in targets))),
        undo=undo,
        undo_action="undo" if undo is not None else "",
        dry_run=server.dry_run,
        dry_run_ok=server.accepted,
        warnings=(*proposal.warnings, *_shared_warnings(context, targets), *server.warnings),
        facts=(*proposal.facts, *((("record", "beside its file"),) if context.beside else ())),
        refused=refused or server.refused,
    )


def _plan(
    action: Action,
    context: ActionContext,
    arguments: Mapping[str, str],
    object_: Ref,
    word: str,
    reason: str,
) -> ActionPlan:
    now = context.clock()
    return ActionPlan(
        action=action.name,
        arguments=dict(arguments),
        object=object_,
        change=Change("", "", {}, "", "", action.summary),
        context=context.context,
        server=context.server,
        confirmation=word,
        confirmation_reason=reason,
        made=now,
        expires=now + timedelta(seconds=VALID_S),
        production=looks_like_production(context.context),
        deadline_s=action.deadline_s,
    )


def _refused(
    action: Action, context: ActionContext, arguments: Mapping[str, str], why: str
) -> ActionPlan:
    return replace(_plan(action, context, arguments, Ref("", "", ""), "", ""), refused=why)


def _headline(proposal: Proposal, targets: tuple[Target, ...]) -> Change:
    """The only request, or one line for all."""
    first = targets[0].request
    if len(targets) == 1:
        return replace(
            first,
            kubectl=proposal.kubectl or first.kubectl,
            summary=proposal.summary or first.summary,
        )
    commands = list(dict.fromkeys(target.request.kubectl for target in targets))
    more = f"  # and {len(commands) - 1} more" if len(commands) > 1 else ""
    summary = proposal.summary or f"{first.summary}, and {len(targets) - 1} more"
    return Change("", targets[0].path, {}, "", proposal.kubectl or f"{commands[0]}{more}", summary)


def _way_back(proposal: Proposal, targets: tuple[Target, ...]) -> Change | None:
    """The undo as shown: that of the proposal, or what the recorded targets restore."""
    fields = [
        words(FieldChange(each.pointer, each.after, each.before, each.has_after, each.has_before))
        for target in targets
        for each in target.fields
    ]
    again = [f"{target.ref} is created again" for target in targets if target.recreate]
    parts = [*fields, *again]
    if not parts:
        return None
    more = f" and {len(parts) - 3} more" if len(parts) > 3 else ""
    summary = f"{'; '.join(parts[:3])}{more}"
    command = proposal.undo or "undo from the record, which holds the values before"
    return Change("", targets[0].path, {}, "", command, summary)


def _shared_warnings(context: ActionContext, targets: tuple[Target, ...]) -> list[str]:
    """Tools that would revert a change of fields or a deletion, and what the runbook forbids."""
    found = [
        warning
        for target in targets
        if (target.fields or target.recreate) and target.before is not None
        for warning in reverted_by(target.ref, target.before)
    ]
    found += [f"{FORBIDS}{each}" for each in context.prohibitions]
    return list(dict.fromkeys(found))


# ---- the server's answer


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """`accepted` None: not known. `targets`: with field values as the server would store them."""

    dry_run: str = "not asked"
    accepted: bool | None = None
    refused: str = ""
    warnings: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()


async def _ask_server(context: ActionContext, targets: tuple[Target, ...]) -> ServerAnswer:
    """Sends access reviews first, then dry runs.

    A denied review refuses. In read-only mode a dry run is sent only when the reviews allow it. A
    dry run without an answer keeps the gate shut unless the reviews allow the change.
    """
    rights = await review(context, targets)
    denied = [
        f"{right} is not allowed{f' ({reason})' if reason else ''}"
        for right, (allowed, reason) in rights.items()
        if allowed is False
    ]
    if denied:
        return ServerAnswer(refused=f"This account may not do it: {'; '.join(denied[:3])}.")
    permitted = all(allowed is True for allowed, _ in rights.values())
    if context.writer.mode is not Mode.WRITE and not permitted:
        return ServerAnswer(
            refused="Whether this account may do it is not known, and in read-only mode no dry run "
            "is sent without that."
        )
    asked = targets[:DRY_RUNS]
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(target: Target) -> tuple[bool | None, str, Mapping[str, Any] | None]:
        async with limit:
            return await dry_run(context, target)

    answers = await asyncio.gather(*(one(target) for target in asked))
    refusals = [why for accepted, why, _ in answers if accepted is False]
    unknown = [why for accepted, why, _ in answers if accepted is None]
    if refusals:
        return ServerAnswer(
            dry_run=refusals[0],
            accepted=False,
            refused=f"The server would refuse it: {refusals[0]}",
        )
    if unknown:
        if not permitted:
            return ServerAnswer(
                dry_run=unknown[0],
                refused="Neither a dry run nor an access review says that it is allowed: "
                f"{unknown[0]}",
            )
        warning = (
            f"the server could not be asked in a dry run; access reviews allow it: {unknown[0]}"
        )
        return ServerAnswer(dry_run=unknown[0], warnings=(warning,))
    stored = tuple(
        _as_stored(target, answer) for target, (_, _, answer) in zip(asked, answers, strict=True)
    )
    rest = f", the first {len(asked)} of {len(targets)}" if len(targets) > len(asked) else ""
    return ServerAnswer(
        f"the server would accept it{rest}", True, targets=(*stored, *targets[len(asked) :])
    )


async def dry_run(
    context: ActionContext, target: Target
) -> tuple[bool | None, str, Mapping[str, Any] | None]:
    """(accepted, why not, the object as the server would store it)."""
    try:
        return True, "", await send(context, target, dry_run=True)
    except Refused as error:
        return None, str(error), None
    except ApiError as error:
        text = f"{error.detail} {error}".lower()
        if "does not support dry run" in text or "dryrun" in text.replace(" ", ""):
            return None, f"an admission webhook takes no dry run: {error}", None
        if target.request.blocked_by_budget and error.status == 429:
            return True, "", None  # The budget refuses it at this moment.
        if target.request.blocked_by_budget and error.status == 404:
            return True, "", None  # The pod is gone by now.
        if 400 <= error.status < 500 and error.status not in (408, 409, 429):
            return False, str(error), None
        return None, str(error), None
    except ClusterError as error:
        return None, str(error), None


def _as_stored(target: Target, answer: Mapping[str, Any] | None) -> Target:
    """The target with the values as the server stores them ("0.5" becomes "500m")."""
    if answer is None or not target.fields:
        return target
    fields = []
    for each in target.fields:
        exists, value = value_at(answer, each.pointer)
        fields.append(replace(each, after=value, has_after=exists))
    return replace(target, fields=tuple(fields))
