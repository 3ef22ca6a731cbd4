"""Delete or evict one pod of a controller, which then creates another."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote
from typing import Any

from actions.checks import (
    budget_words,
    budgets_of,
    controlled,
    is_serving,
    node_lost,
    not_last_replica,
    unread,
)
from actions.context import ActionContext
from actions.definition import Action, CannotPlan, Proposal, by_name, offered
from actions.parameters import Parameter, namespaced, whole
from actions.plan import Precondition, Target
from actions.targets import deleted, evicted, read, typed
from cluster.kube.objects import Pod, Ref
from cluster.kube.owners import controller_of

DEADLINE_S = 90.0


async def _delete(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    ref, pod, found = await _pod(context, values["pod"])
    grace = values.get("grace")
    flag = "" if grace is None else f" --grace-period={grace}"
    command = f"kubectl delete pod -n {quote(ref.namespace)} {quote(ref.name)}{flag}"
    target = deleted(ref, found, command, grace_seconds=grace)
    warnings = [
        f"{budget_words(budget)}; a deletion does not ask it, an eviction does"
        for budget in budgets_of(context, pod)
    ]
    if why := unread(context, "PodDisruptionBudget"):
        warnings.append(f"{why}; a deletion does not ask them, an eviction does")
    if grace == 0:
        warnings.append(
            "with a grace period of 0 the API forgets the pod before the node has ended it: its "
            "processes may go on, and a StatefulSet may run two of one name"
        )
    if pod.metadata.deletion_timestamp is not None and grace == 0:
        checks = (controlled(pod), node_lost(context, pod.spec.node_name))
        return Proposal(ref, (target,), preconditions=checks, warnings=tuple(warnings))
    return _proposal(context, ref, pod, target, (), warnings)


async def _evict(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    ref, pod, found = await _pod(context, values["pod"])
    target = evicted(ref, found, f"kubectl drain {quote(pod.spec.node_name)} --pod-selector=…")
    budgets = budgets_of(context, pod)
    short = [budget for budget in budgets if budget.status.disruptions_allowed == 0]
    none = unread(context, "PodDisruptionBudget")
    none = f"{none}; the server asks them" if none else "it has none"
    seen = "; ".join(budget_words(budget) for budget in short or budgets) or none
    allowed = Precondition("Do the disruption budgets allow it?", not short, seen)
    return _proposal(context, ref, pod, target, (allowed,), [])


def _proposal(
    context: ActionContext,
    ref: Ref,
    pod: Pod,
    target: Target,
    more: tuple[Precondition, ...],
    warnings: list[str],
) -> Proposal:
    if pod.metadata.deletion_timestamp is not None:
        hint = "grace=0 forces it when its node is gone or lost"
        raise CannotPlan(f"{ref} is being deleted already; {hint}.")
    touches = [f"The containers of {ref} end; its logs are gone with it, so read them first."]
    if pod.spec.claims:
        touches.append("Its volumes must be detached before the next pod can start elsewhere.")
    return Proposal(
        ref,
        (target,),
        preconditions=(controlled(pod), not_last_replica(context, pod), *more),
        touches=tuple(touches),
        warnings=tuple(warnings),
    )


async def _pod(context: ActionContext, which: tuple[str, str]) -> tuple[Ref, Pod, dict[str, Any]]:
    ref = Ref("Pod", *which)
    found = await read(context, ref)
    return ref, typed(found, ref), found


def _comes_back(pod: Pod) -> str | None:
    if controller_of(pod.metadata) is None:
        return None
    return "" if is_serving(pod) else "it is not ready"


_POD = Parameter("pod", "NAMESPACE/NAME of the pod", namespaced)
ACTIONS = (
    Action(
        "delete-pod",
        "Delete a pod, so that its controller creates another.",
        (_POD, Parameter("grace", "seconds to end, default: the pod's own", whole(0, 3600), False)),
        "That pod ends; budgets are not asked.",
        "none: the controller's new pod has another name",
        _delete,
        deadline_s=DEADLINE_S,
        fits=offered("Pod", by_name("pod"), _comes_back),
    ),
    Action(
        "evict-pod",
        "Evict a pod, if its disruption budgets allow it.",
        (_POD,),
        "That pod ends.",
        "none: the controller's new pod has another name",
        _evict,
        deadline_s=DEADLINE_S,
        fits=offered("Pod", by_name("pod"), _comes_back),
    ),
)
