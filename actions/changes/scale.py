"""Set the number of replicas of a workload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actions.checks import autoscaler_of, counted
from actions.context import ActionContext
from actions.definition import Action, Proposal, by_kind, offered
from actions.parameters import Parameter, whole, workload
from actions.plan import ActionPlan, Precondition
from actions.targets import kubectl_name, patched, path_of, read, set_field
from cluster.errors import ClusterError
from cluster.kube.objects import Ref


async def _build(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    ref: Ref = values["workload"]
    count: int = values["replicas"]
    found = await read(context, ref)
    now = int(found["spec"].get("replicas", 1))
    change = set_field(found, ("spec", "replicas"), count)
    target = patched(ref, found, [change], f"kubectl scale {kubectl_name(ref)} --replicas={count}")
    autoscaler = autoscaler_of(context, ref)
    checks: tuple[Precondition, ...] = ()
    warnings = []
    if autoscaler is not None:
        idle = any(
            each.type == "ScalingActive" and each.status == "False"
            for each in autoscaler.status.conditions
        )
        low, high = autoscaler.spec.min_replicas, autoscaler.spec.max_replicas
        name = f"HorizontalPodAutoscaler {ref.namespace}/{autoscaler.metadata.name}"
        seen = f"{name} sets {low} to {high} replicas itself; change its bounds instead"
        if count == 0:
            seen = "0 switches it off"
            warnings.append(f"{name} does nothing at 0 replicas and starts again above")
        elif idle:
            seen = f"{name} does not scale now"
            warnings.append(f"{name} sets {low} to {high} replicas again once it can measure")
        checks = (Precondition("Does the new number stay?", count == 0 or idle, seen),)
    if count == 0:
        warnings.append(f"{ref} serves nothing while it has no replicas")
    more = (
        counted(count - now, "more pod starts", "more pods start")
        if count > now
        else counted(now - count, "pod ends", "pods end")
    )
    return Proposal(
        ref,
        (target,),
        preconditions=checks,
        touches=(f"{more}; {counted(now, 'is', 'are')} wanted now.",),
        warnings=tuple(warnings),
        undo=f"kubectl scale {kubectl_name(ref)} --replicas={now}",
    )


async def _scaled(context: ActionContext, plan: ActionPlan) -> tuple[bool, str]:
    wanted = int(plan.arguments["replicas"])
    try:
        found = await context.api.get_json(path_of(plan.object), timeout=5)
    except ClusterError as error:
        return False, str(error)
    status = found.get("status") or {}
    ready, total = status.get("readyReplicas", 0), status.get("replicas", 0)
    return ready == total == wanted, f"{ready} of {wanted} pods are ready, {total} exist"


def _at_zero(row: Any) -> str:
    return "it is scaled to zero" if row.spec.replicas == 0 else ""


ACTIONS = (
    Action(
        "scale",
        "Set the number of replicas of a workload.",
        (
            workload("Deployment", "StatefulSet", "ReplicaSet"),
            Parameter("replicas", "the new number", whole(0, 1000)),
        ),
        "Pods start or end.",
        "scale back to the previous number",
        _build,
        _scaled,
        120.0,
        fits=offered("Deployment StatefulSet ReplicaSet", by_kind("workload"), _at_zero),
    ),
)
