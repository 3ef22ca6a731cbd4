"""Cordon and uncordon a node: the mildest changes there are. Nothing that runs is touched, only
where new pods may go.

Refused when too few nodes would be left for new pods: a cordon that looks safe for one node becomes
an outage on the fifth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from actions.context import ActionContext
from actions.gate import VALID_S, confirmation, looks_like_production
from actions.plan import ActionPlan, Blast, Change, Expected, Precondition
from cluster.api.mode import Purpose
from cluster.errors import ApiError, ClusterError
from cluster.kube.managed_fields import writes
from cluster.kube.objects import Node, Pod, Ref
from cluster.kube.owners import top_owner

MERGE_PATCH = "application/merge-patch+json"
LEAST_SHARE = 0.5
"""At least this share of the nodes that could take ordinary pods must still be able to
afterwards."""


async def plan_cordon(context: ActionContext, arguments: Mapping[str, str]) -> ActionPlan:
    """`node`: the node that shall take no new pods."""
    return await _plan(context, "cordon", arguments, unschedulable=True)


async def plan_uncordon(context: ActionContext, arguments: Mapping[str, str]) -> ActionPlan:
    """`node`: the node that shall take new pods again."""
    return await _plan(context, "uncordon", arguments, unschedulable=False)


async def _plan(
    context: ActionContext, action: str, arguments: Mapping[str, str], *, unschedulable: bool
) -> ActionPlan:
    name = arguments.get("node", "").strip()
    node: Node | None = context.store.get("Node", "", name) if name else None
    now = context.clock()
    change = _change(action, name, unschedulable)
    word, reason = confirmation(name, context.context)
    refused = ""
    if not name:
        refused = f"Which node? {action} needs node=NAME."
    elif node is None:
        refused = f"There is no node {name} in the live state; look at `kubectl get nodes`."
    elif context.unavailable.get("Node"):
        refused = (
            f"The nodes cannot be read ({context.unavailable['Node']}), so what this would do is "
            "not known."
        )
    elif node.spec.unschedulable is unschedulable:
        refused = (
            f"Node {name} is {'cordoned' if unschedulable else 'schedulable'} already; there is "
            "nothing to change."
        )
    preconditions: tuple[Precondition, ...] = ()
    warnings: tuple[str, ...] = ()
    blast = Blast()
    if node is not None and not refused:
        if unschedulable:
            preconditions, warnings = _enough_left(context, node)
        else:
            preconditions, warnings = _fit_for_pods(context, node)
        blast = _blast(context, node, unschedulable)
        failing = next((p for p in preconditions if p.held is not True), None)
        refused = f"{failing.question} {failing.seen}" if failing else ""
    dry_run, accepted = ("not asked", None) if refused else await _dry_run(context, change)
    return ActionPlan(
        action=action,
        arguments=dict(arguments),
        object=Ref("Node", "", name),
        change=change,
        context=context.context,
        server=context.server,
        confirmation=word,
        confirmation_reason=reason,
        made=now,
        expires=now + timedelta(seconds=VALID_S),
        resource_version=node.metadata.resource_version if node is not None else "",
        preconditions=preconditions,
        blast=blast,
        undo=_change("uncordon" if unschedulable else "cordon", name, not unschedulable),
        undo_action="uncordon" if unschedulable else "cordon",
        dry_run=dry_run,
        dry_run_ok=accepted,
        expected=Expected(("spec", "unschedulable"), unschedulable),
        warnings=warnings,
        refused=refused or (f"the server would refuse it: {dry_run}" if accepted is False else ""),
        production=looks_like_production(context.context),
    )


def _change(action: str, name: str, unschedulable: bool) -> Change:
    before, after = str(not unschedulable).lower(), str(unschedulable).lower()
    return Change(
        verb="PATCH",
        path=f"/api/v1/nodes/{name}",
        body={"spec": {"unschedulable": unschedulable}},
        content_type=MERGE_PATCH,
        kubectl=f"kubectl {action} {name}",
        summary=f"Node {name} spec.unschedulable: {before} -> {after}",
    )


async def _dry_run(context: ActionContext, change: Change) -> tuple[str, bool | None]:
    try:
        answer = await context.writer.patch(
            change.path,
            change.body,
            content_type=change.content_type,
            dry_run=True,
            purpose=Purpose.ACTION,
        )
    except ApiError as error:
        return str(error), False if 400 <= error.status < 500 and error.status not in (
            408,
            429,
        ) else None
    except ClusterError as error:
        return str(error), None
    value: Any = (answer.get("spec") or {}).get("unschedulable", False)
    return (
        f"the server would accept it; spec.unschedulable would be {str(bool(value)).lower()}",
        True,
    )


def takes_pods(node: Node) -> bool:
    """Whether ordinary pods can be placed there: Ready, not cordoned, no taint that keeps ordinary
    pods away."""
    ready = any(c.type == "Ready" and c.status == "True" for c in node.status.conditions)
    return (
        ready
        and not node.spec.unschedulable
        and not any(t.effect in ("NoSchedule", "NoExecute") for t in node.spec.taints)
    )


def _enough_left(
    context: ActionContext, node: Node
) -> tuple[tuple[Precondition, ...], tuple[str, ...]]:
    nodes = list(context.store.all("Node", Node))
    workers = [
        n
        for n in nodes
        if not any("control-plane" in t.key or "master" in t.key for t in n.spec.taints)
    ]
    left = [n for n in nodes if takes_pods(n) and n.metadata.name != node.metadata.name]
    enough = len(left) >= 1 and len(left) >= len(workers) * LEAST_SHARE
    seen = f"{len(left)} of {len(workers)} nodes would still take new pods"
    if not enough:
        seen += "; that is too few, first bring nodes back"
    conditions = (Precondition("Do enough nodes remain for new pods?", enough, seen),)
    pending = sum(
        1
        for pod in context.store.all("Pod", Pod)
        if pod.status.phase == "Pending" and not pod.spec.node_name
    )
    warnings = (
        (f"{pending} pods wait for a node already; they will have one node less to go to",)
        if pending
        else ()
    )
    return conditions, warnings


def _fit_for_pods(
    context: ActionContext, node: Node
) -> tuple[tuple[Precondition, ...], tuple[str, ...]]:
    ready = next((c for c in node.status.conditions if c.type == "Ready"), None)
    status = (
        f"Ready is {ready.status}" + (f" ({ready.reason})" if ready.reason else "")
        if ready
        else "it has no Ready condition"
    )
    warnings: list[str] = []
    if ready is None or ready.status != "True":
        warnings.append(
            f"{node.metadata.name}: {status}; new pods will not start there until it is Ready"
        )
    for write in writes(node.metadata, "f:spec", "f:unschedulable"):
        warnings.append(
            f"it was cordoned by {write.manager} at {write.time:%Y-%m-%d %H:%M} UTC: make sure "
            "that the reason is gone"
        )
    for condition in node.status.conditions:
        if (
            condition.type
            in ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
            and condition.status == "True"
        ):
            warnings.append(f"{condition.type} is True: {condition.message or condition.reason}")
    return (), tuple(warnings)


def _blast(context: ActionContext, node: Node, unschedulable: bool) -> Blast:
    pods = [
        p
        for p in context.store.pods_on(node.metadata.name).values()
        if p.status.phase not in ("Succeeded", "Failed")
    ]
    daemons = [p for p in pods if any(o.kind == "DaemonSet" for o in p.metadata.owner_references)]
    if not unschedulable:
        lines = [
            f"New pods may be placed on {node.metadata.name} again; the {len(pods)} pods there "
            "are not touched."
        ]
        waiting = sum(
            1
            for pod in context.store.all("Pod", Pod)
            if pod.status.phase == "Pending" and not pod.spec.node_name
        )
        if waiting:
            lines.append(
                f"{waiting} pods wait for a node and may start there at once, pulling their "
                "images together."
            )
        return Blast(tuple(lines), (Ref("Node", "", node.metadata.name),))
    lines = [
        f"No running pod is touched: {len(pods)} pods stay on {node.metadata.name}, "
        f"{len(daemons)} of them from DaemonSets "
        "(which are still placed there)."
    ]
    single = _single_replicas(context, pods)
    if single:
        shown = ", ".join(f"{ref.kind} {ref.namespace}/{ref.name}" for ref in single[:5])
        more = f" and {len(single) - 5} more" if len(single) > 5 else ""
        lines.append(
            f"Only replica there: {shown}{more}. If such a pod ends it must find another node."
        )
    bound = sum(1 for p in pods if any(v.persistent_volume_claim for v in p.spec.volumes))
    if bound:
        lines.append(
            f"{bound} pods there use claims; a volume that cannot follow keeps its pod from "
            "starting elsewhere."
        )
    return Blast(tuple(lines), (Ref("Node", "", node.metadata.name), *single))


def _single_replicas(context: ActionContext, pods: list[Pod]) -> tuple[Ref, ...]:
    """Owners (seen through ReplicaSets) that run exactly one pod, and that pod is here."""
    found: dict[Ref, None] = {}
    for pod in pods:
        owner = next((o for o in pod.metadata.owner_references if o.controller), None)
        if owner is None or owner.kind not in ("ReplicaSet", "StatefulSet"):
            continue
        siblings = Counter(
            type(each).__name__ for each in context.store.owned_by(owner.uid).values()
        )
        if siblings["Pod"] != 1:
            continue
        found[top_owner(pod, context.store)] = None
    return tuple(sorted(found))
