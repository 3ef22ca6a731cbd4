"""Drain a node: cordon it, then evict its pods one after another, within disruption budgets.

As `kubectl drain --ignore-daemonsets`: pods of DaemonSets, static pods and finished pods stay. A
pod without a controller would be lost, so it is a reason to refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote
from typing import Any

import msgspec

from actions.changes import cordon
from actions.checks import (
    all_come_back,
    budget_words,
    budgets_of,
    counted,
    left_without_ready,
    some,
    unread,
)
from actions.context import ActionContext
from actions.definition import Action, CannotPlan, Proposal, by_name, offered
from actions.parameters import Parameter, name
from actions.plan import Target
from actions.targets import evicted, read
from cluster.kube.objects import Pod, Ref
from cluster.kube.owners import MIRROR
from cluster.kube.pods import is_finished

DEADLINE_S = 600.0


async def _build(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    node_name = values["node"]
    if why := unread(context, "Pod"):
        raise CannotPlan(f"The {why}, so what would be evicted is unknown.")
    ref = Ref("Node", "", node_name)
    found = await read(context, ref)
    if (found.get("spec") or {}).get("unschedulable"):
        proposal = Proposal(ref, ())
    else:
        proposal = await cordon.propose(context, node_name, unschedulable=True)
    pods = evictable(context, node_name)
    targets = (*proposal.targets, *(_eviction(pod) for pod in pods))
    if not targets:
        raise CannotPlan(f"Node {node_name} is cordoned and has no pod that can be evicted.")
    cordoned = f"Node {node_name} is cordoned and " if proposal.targets else ""
    return Proposal(
        ref,
        targets,
        f"{cordoned}{counted(len(pods), 'pod', 'pods')} of {node_name} "
        f"{'is evicted' if len(pods) == 1 else 'are evicted, one after another'}",
        preconditions=(*proposal.preconditions, all_come_back(pods, "evicted")),
        touches=_touches(context, node_name, pods),
        warnings=(*proposal.warnings, *_warnings(context, pods)),
        facts=proposal.facts,
        kubectl=f"kubectl drain {node_name} --ignore-daemonsets --delete-emptydir-data",
        undo=f"kubectl uncordon {node_name}   # evicted pods do not come back",
    )


def evictable(context: ActionContext, node_name: str) -> list[Pod]:
    """The pods of a node that a drain evicts, sorted by name, without those that are being
    deleted."""
    return [
        pod
        for _, pod in sorted(context.store.pods_on(node_name).items())
        if not is_finished(pod)
        and pod.metadata.deletion_timestamp is None
        and MIRROR not in pod.metadata.annotations
        and not any(owner.kind == "DaemonSet" for owner in pod.metadata.owner_references)
    ]


def _eviction(pod: Pod) -> Target:
    meta = pod.metadata
    ref = Ref("Pod", meta.namespace, meta.name)
    return evicted(ref, msgspec.to_builtins(pod), f"kubectl drain {quote(pod.spec.node_name)}")


def _touches(context: ActionContext, node_name: str, pods: list[Pod]) -> tuple[str, ...]:
    running = sum(
        not is_finished(pod) and pod.metadata.deletion_timestamp is None
        for pod in context.store.pods_on(node_name).values()
    )
    staying = running - len(pods)
    ending = counted(len(pods), "pod ends and starts elsewhere", "pods end and start elsewhere")
    lines = [f"{ending}; {counted(staying, 'stays', 'stay')} (DaemonSets, static pods)."]
    if single := left_without_ready(context, pods):
        lines.append(f"Without any ready replica for a time: {some(single)}.")
    return tuple(lines)


def _warnings(context: ActionContext, pods: list[Pod]) -> list[str]:
    warnings = (
        [f"{why}; the drain waits for each"]
        if (why := unread(context, "PodDisruptionBudget"))
        else []
    )
    budgets = {
        (budget.metadata.namespace, budget.metadata.name): budget
        for pod in pods
        for budget in budgets_of(context, pod)
    }
    for budget in budgets.values():
        if budget.status.disruptions_allowed == 0:
            warnings.append(
                f"{budget_words(budget)}: the drain waits for it, at most {DEADLINE_S:g} s"
            )
    data = sum(1 for pod in pods if any(v.empty_dir is not None for v in pod.spec.volumes))
    if data:
        having = counted(data, "pod has", "pods have")
        warnings.append(f"{having} emptyDir volumes; their data is lost")
    return warnings


ACTIONS = (
    Action(
        "drain",
        "Cordon a node and evict its pods within their disruption budgets.",
        (Parameter("node", "name of the node", name),),
        "All pods of the node but those of DaemonSets end and start elsewhere.",
        "uncordon; evicted pods do not come back",
        _build,
        deadline_s=DEADLINE_S,
        fits=offered("Node", by_name("node")),
    ),
)
