"""Cordon and uncordon a node: whether new pods may be placed there. No running pod is affected.

Refuses a cordon when too few nodes would take new pods: what is safe for one node is an outage on
the fifth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from actions.checks import counted, unread
from actions.context import ActionContext
from actions.definition import Action, CannotPlan, Proposal, by_name, offered
from actions.parameters import Parameter, name
from actions.plan import Precondition
from actions.targets import patched, read, set_field, typed
from cluster.kube.conditions import condition_of, is_true
from cluster.kube.managed_fields import last_write
from cluster.kube.objects import Node, Pod, Ref
from cluster.kube.owners import top_owner
from cluster.kube.pods import is_finished

LEAST_SHARE = 0.5
"""At least this share of the worker nodes must still take new pods."""


async def _cordon(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    return await propose(context, values["node"], unschedulable=True)


async def _uncordon(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    return await propose(context, values["node"], unschedulable=False)


async def propose(context: ActionContext, node_name: str, *, unschedulable: bool) -> Proposal:
    """The change of one node, also for drain. Raises `CannotPlan`."""
    if reason := context.unavailable.get("Node"):
        raise CannotPlan(f"The nodes cannot be read ({reason}), so the effect is not known.")
    ref = Ref("Node", "", node_name)
    found = await read(context, ref)
    node: Node = typed(found, ref)
    word = "cordon" if unschedulable else "uncordon"
    change = set_field(found, ("spec", "unschedulable"), unschedulable)
    if bool(change.before) is unschedulable:
        state = "cordoned" if unschedulable else "schedulable"
        raise CannotPlan(f"Node {node_name} is {state} already; there is nothing to change.")
    target = patched(ref, found, [change], f"kubectl {word} {node_name}")
    checks, warnings = enough_left(context, node) if unschedulable else ((), _fit_for_pods(node))
    others = sorted(
        each.metadata.name
        for each in context.store.all("Node", Node)
        if takes_pods(each) and each.metadata.name != node_name
    )
    return Proposal(
        ref,
        (target,),
        preconditions=checks,
        touches=_touches(context, node, unschedulable=unschedulable),
        warnings=warnings,
        undo=f"kubectl {'uncordon' if unschedulable else 'cordon'} {node_name}",
        facts=(
            ("other nodes that take pods", ", ".join(others) or "none"),
            ("taints", _other_taints(node)),
        ),
    )


def _other_taints(node: Node) -> str:
    """Taints without the one that follows the field: the node controller sets and removes it a
    moment later, which must not refuse a plan."""
    taints = (t for t in node.spec.taints if t.key != "node.kubernetes.io/unschedulable")
    return ", ".join(f"{t.key}:{t.effect}" for t in taints) or "none"


def takes_pods(node: Node) -> bool:
    """Whether ordinary pods can be placed there: Ready, not cordoned, no taint that excludes
    them."""
    ready = is_true(node.status.conditions, "Ready")
    return (
        ready
        and not node.spec.unschedulable
        and not any(t.effect in ("NoSchedule", "NoExecute") for t in node.spec.taints)
    )


def enough_left(
    context: ActionContext, node: Node
) -> tuple[tuple[Precondition, ...], tuple[str, ...]]:
    """Whether enough nodes take new pods without this one, and how many pods wait for one."""
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
    waiting = _waiting(context)
    said = counted(
        waiting, "pod waits for a node already; it", "pods wait for a node already; they"
    )
    warning = f"{said} will have one node less"
    check = Precondition("Do enough nodes remain for new pods?", enough, seen)
    return (check,), (warning,) if waiting else ()


def _fit_for_pods(node: Node) -> tuple[str, ...]:
    ready = condition_of(node.status.conditions, "Ready")
    warnings: list[str] = []
    if ready is None or ready.status != "True":
        reason = f" ({ready.reason})" if ready and ready.reason else ""
        state = f"Ready is {ready.status}{reason}" if ready else "it has no Ready condition"
        warnings.append(f"{node.metadata.name}: {state}; new pods will not start until it is Ready")
    warnings.append(f"{cordoned_by(node)}: make sure that the reason is gone")
    warnings += [
        f"{condition.type} is True: {condition.message or condition.reason}"
        for condition in node.status.conditions
        if condition.type in ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
        and condition.status == "True"
    ]
    return tuple(warnings)


def _touches(context: ActionContext, node: Node, *, unschedulable: bool) -> tuple[str, ...]:
    where = node.metadata.name
    if why := unread(context, "Pod"):
        effect = "No running pod is affected" if unschedulable else "New pods may be placed there"
        return (f"{effect}; the {why}, so how many run there is not known.",)
    pods = [p for p in context.store.pods_on(where).values() if not is_finished(p)]
    if not unschedulable:
        staying = counted(len(pods), "pod there stays", "pods there stay")
        lines = [f"New pods may be placed on {where} again; {staying}."]
        if waiting := _waiting(context):
            lines.append(
                f"{counted(waiting, 'pod waits', 'pods wait')} for a node and may start there at "
                "once, pulling images together."
            )
        return tuple(lines)
    daemons = sum(
        1 for p in pods if any(o.kind == "DaemonSet" for o in p.metadata.owner_references)
    )
    lines = [
        f"No running pod is affected: {counted(len(pods), 'pod stays', 'pods stay')} on {where}, "
        f"{daemons} of them from DaemonSets (which are still placed there)."
    ]
    if single := _single_replicas(context, pods):
        shown = ", ".join(str(ref) for ref in single[:5])
        more = f" and {len(single) - 5} more" if len(single) > 5 else ""
        lines.append(
            f"Only replica there: {shown}{more}. If such a pod ends it must find another node."
        )
    bound = sum(1 for p in pods if p.spec.claims)
    if bound:
        lines.append(
            f"Volumes of {counted(bound, 'pod', 'pods')} there may be bound to that node "
            "or its zone."
        )
    return tuple(lines)


def _single_replicas(context: ActionContext, pods: list[Pod]) -> list[Ref]:
    """Owners whose only pod runs on this node."""
    owners = [top_owner(pod, context.store) for pod in pods]
    there = {owner for owner in owners if owner.kind not in ("Pod", "DaemonSet", "Node")}
    counts = Counter(
        owner
        for namespace in {owner.namespace for owner in there}
        for pod in context.store.in_namespace("Pod", namespace).values()
        if (owner := top_owner(pod, context.store)) in there
    )
    return sorted(owner for owner in there if counts[owner] == 1)


def _waiting(context: ActionContext) -> int:
    return sum(
        1
        for pod in context.store.all("Pod", Pod)
        if pod.status.phase == "Pending" and not pod.spec.node_name
    )


def _may_be_cordoned(node: Node) -> str | None:
    if node.spec.unschedulable:
        return None
    ready = condition_of(node.status.conditions, "Ready")
    return "" if ready is not None and ready.status == "True" else "it is not Ready"


def _may_be_uncordoned(node: Node) -> str | None:
    return cordoned_by(node) if node.spec.unschedulable else None


def cordoned_by(node: Node) -> str:
    """The field manager that cordoned a node and the time, by managedFields."""
    write = last_write(node.metadata, "f:spec", "f:unschedulable")
    if write is None or write.time is None:
        return "it is cordoned; by whom is not known"
    return f"it was cordoned by {write.manager} at {write.time:%Y-%m-%d %H:%M} UTC"


_NODE = (Parameter("node", "name of the node", name),)
ACTIONS = (
    Action(
        "cordon",
        "Let no new pods onto a node.",
        _NODE,
        "No running pod is affected. One node less for new pods.",
        "uncordon",
        _cordon,
        harmless=True,
        fits=offered("Node", by_name("node"), _may_be_cordoned),
    ),
    Action(
        "uncordon",
        "Let new pods onto a node again.",
        _NODE,
        "New pods may be placed there at once.",
        "cordon",
        _uncordon,
        harmless=True,
        fits=offered("Node", by_name("node"), _may_be_uncordoned),
    ),
)
