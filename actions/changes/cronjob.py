"""Suspend and resume a CronJob. Running Jobs continue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actions.context import ActionContext
from actions.definition import Action, CannotPlan, Proposal, by_name, offered
from actions.parameters import Parameter, namespaced
from actions.targets import kubectl_name, patched, read, set_field
from cluster.kube.objects import Ref


async def _suspend(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    return await _set(context, Ref("CronJob", *values["cronjob"]), suspend=True)


async def _resume(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    return await _set(context, Ref("CronJob", *values["cronjob"]), suspend=False)


async def _set(context: ActionContext, ref: Ref, *, suspend: bool) -> Proposal:
    found = await read(context, ref)
    if bool(found["spec"].get("suspend")) is suspend:
        state = "suspended already" if suspend else "not suspended"
        raise CannotPlan(f"{ref} is {state}; there is nothing to change.")
    change = set_field(found, ("spec", "suspend"), suspend)
    target = patched(ref, found, [change], _command(ref, suspend=suspend))
    active = len((found.get("status") or {}).get("active") or ())
    schedule = found["spec"].get("schedule", "")
    if suspend:
        effect = f"No new Jobs ({schedule}); {active} that run go on."
        warnings: tuple[str, ...] = ()
    else:
        effect = f"New Jobs start by the schedule ({schedule}); {active} run now."
        limit = found["spec"].get("startingDeadlineSeconds")
        late = f"within {limit} s" if limit else "however late, once"
        warnings = (f"a start that was missed meanwhile is made up for {late}",)
    undo = _command(ref, suspend=not suspend)
    return Proposal(ref, (target,), touches=(effect,), warnings=warnings, undo=undo)


def _command(ref: Ref, *, suspend: bool) -> str:
    body = '{"spec":{"suspend":' + str(suspend).lower() + "}}"
    return f"kubectl patch {kubectl_name(ref)} -p '{body}'"


_CRONJOB = (Parameter("cronjob", "NAMESPACE/NAME of the CronJob", namespaced),)
ACTIONS = (
    Action(
        "suspend-cronjob",
        "Let a CronJob start no new Jobs.",
        _CRONJOB,
        "Running Jobs go on.",
        "resume-cronjob",
        _suspend,
        harmless=True,
        fits=offered("CronJob", by_name("cronjob"), lambda o: None if o.spec.suspend else ""),
    ),
    Action(
        "resume-cronjob",
        "Let a CronJob start Jobs again.",
        _CRONJOB,
        "New Jobs start by its schedule; one missed start is made up for.",
        "suspend-cronjob",
        _resume,
        fits=offered(
            "CronJob", by_name("cronjob"), lambda o: "it is suspended" if o.spec.suspend else None
        ),
    ),
)
