"""Shared checks of actions: what would revert the change, disruption budgets, the last ready
replica, and access reviews."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from actions.context import ActionContext
from actions.plan import Precondition, Target
from cluster.errors import ClusterError
from cluster.kube.conditions import condition_of, is_true
from cluster.kube.kinds import READABLE
from cluster.kube.objects import (
    HorizontalPodAutoscaler,
    Node,
    Pod,
    PodDisruptionBudget,
    Ref,
)
from cluster.kube.owners import controller_of, top_owner
from cluster.kube.selectors import matches

LOST_S = 360.0
"""Seconds after which a node that is not Ready counts as lost, as for the attach-detach controller
(maxWaitForUnmountDuration)."""

# ---- what would revert it


def reverted_by(ref: Ref, found: Mapping[str, Any]) -> list[str]:
    """Warnings about GitOps tools and controllers that would revert a change of this object, each
    with how to pause them.

    Recognised by their labels and annotations: Argo CD (resource tracking), Flux
    (kustomize-controller, helm-controller), Helm 3.
    """
    meta = found["metadata"]
    labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
    managers = {str(each.get("manager", "")) for each in meta.get("managedFields") or ()}
    warnings = []
    application = notes.get("argocd.argoproj.io/tracking-id", "").partition(":")[0]
    application = application or labels.get("argocd.argoproj.io/instance", "")
    if application or any(each.startswith("argocd") for each in managers):
        name = application or labels.get("app.kubernetes.io/instance", "APPLICATION")
        warnings.append(
            f"Argo CD manages {ref} (application {name}) and reverts the change if it syncs by "
            f"itself; to pause it: argocd app set {name} --sync-policy none"
        )
    for tool, command in (("kustomize", "kustomization"), ("helm", "helmrelease")):
        prefix = f"{tool}.toolkit.fluxcd.io"
        if name := labels.get(f"{prefix}/name", ""):
            namespace = labels.get(f"{prefix}/namespace", "flux-system")
            warnings.append(
                f"Flux manages {ref} ({command} {namespace}/{name}) and reverts the change; to "
                f"pause it: flux suspend {command} {name} -n {namespace}"
            )
    release = notes.get("meta.helm.sh/release-name", "")
    if release and not any("Flux" in each for each in warnings):
        namespace = notes.get("meta.helm.sh/release-namespace", ref.namespace)
        warnings.append(
            f"Helm installed {ref} (release {namespace}/{release}): the next upgrade reverts the "
            "change; put it into the values as well"
        )
    owner = next(
        (each for each in meta.get("ownerReferences") or () if each.get("controller")), None
    )
    if owner is not None:
        warnings.append(
            f"{owner['kind']} {owner['name']} controls {ref} and may revert the change: consider "
            f"changing {owner['kind']} {owner['name']} instead"
        )
    return warnings


def autoscaler_of(context: ActionContext, workload: Ref) -> HorizontalPodAutoscaler | None:
    """The HorizontalPodAutoscaler that sets the replicas of a workload."""
    rows = context.store.in_namespace("HorizontalPodAutoscaler", workload.namespace)
    row: HorizontalPodAutoscaler
    for row in rows.values():
        target = row.spec.scale_target_ref
        if (target.kind, target.name) == (workload.kind, workload.name):
            return row
    return None


# ---- what could not be read

_PLURALS = {
    "Pod": "pods",
    "PersistentVolume": "volumes",
    "VolumeAttachment": "volume attachments",
    "NetworkPolicy": "network policies",
    "PodDisruptionBudget": "disruption budgets",
}


def unread(context: ActionContext, *kinds: str) -> str:
    """`pods cannot be read (forbidden)` for the first of these kinds of which nothing is known,
    "" when all were read: none of a kind that was not read is not none."""
    return next(
        (
            f"{_PLURALS[kind]} cannot be read ({context.unavailable[kind].rstrip('.')})"
            for kind in kinds
            if kind in context.unavailable
        ),
        "",
    )


# ---- pods


def budgets_of(context: ActionContext, pod: Pod) -> list[PodDisruptionBudget]:
    """The PodDisruptionBudgets that select a pod."""
    rows = context.store.in_namespace("PodDisruptionBudget", pod.metadata.namespace)
    return [row for row in rows.values() if matches(row.spec.selector, pod.metadata.labels)]


def budget_words(budget: PodDisruptionBudget) -> str:
    name = f"PodDisruptionBudget {budget.metadata.namespace}/{budget.metadata.name}"
    return f"{name} allows {budget.status.disruptions_allowed} disruptions now"


def is_serving(pod: Pod) -> bool:
    """Whether it is Ready and not ending."""
    return pod.metadata.deletion_timestamp is None and is_true(pod.status.conditions, "Ready")


@dataclass(frozen=True, slots=True)
class Replicas:
    """A pod among those of its owner. `ready`: other ready pods of the same owner."""

    owner: Ref
    ready: int
    total: int


def siblings(context: ActionContext, pod: Pod) -> Replicas:
    """The number of other ready pods of the pod's owner."""
    owner = top_owner(pod, context.store)
    others = [
        other
        for other in context.store.in_namespace("Pod", pod.metadata.namespace).values()
        if other.metadata.name != pod.metadata.name and top_owner(other, context.store) == owner
    ]
    return Replicas(owner, sum(1 for other in others if is_serving(other)), len(others))


def left_without_ready(context: ActionContext, pods: Collection[Pod]) -> list[str]:
    """Owners of these pods without another ready pod, except DaemonSets and Jobs."""
    going = {(pod.metadata.namespace, pod.metadata.name) for pod in pods}
    owners = {top_owner(pod, context.store) for pod in pods if is_serving(pod)}
    owners = {owner for owner in owners if owner.kind not in ("DaemonSet", "Job", "CronJob")}
    staying = {
        top_owner(pod, context.store)
        for namespace in {owner.namespace for owner in owners}
        for pod in context.store.in_namespace("Pod", namespace).values()
        if (pod.metadata.namespace, pod.metadata.name) not in going and is_serving(pod)
    }
    return sorted(map(str, owners - staying))


def all_come_back(pods: Iterable[Pod], what: str) -> Precondition:
    """Pods without a controller are not replaced. `what` happens to them: "evicted"."""
    lost = [pod for pod in pods if controller_of(pod.metadata) is None]
    names = ", ".join(f"{p.metadata.namespace}/{p.metadata.name}" for p in lost[:3])
    seen = f"{names}: no controller creates them again" if lost else "all have a controller"
    return Precondition(f"Do controllers create the {what} pods again?", not lost, seen)


def counted(number: int, one: str, many: str) -> str:
    """`1 pod ends`, `1,240 pods end`."""
    return f"{number:,} {one if number == 1 else many}"


def some(names: Sequence[str], most: int = 5) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def not_last_replica(context: ActionContext, pod: Pod) -> Precondition:
    """A ready pod may go only while another ready one of its owner stays. A pod that is not ready
    receives no traffic and may always go."""
    question = "Does another ready replica stay?"
    if not is_serving(pod):
        return Precondition(question, True, "this pod is not ready itself")
    replicas = siblings(context, pod)
    if replicas.owner.kind in ("DaemonSet", "Job", "CronJob"):
        return Precondition(question, True, f"{replicas.owner} runs one on its own")
    seen = f"{replicas.ready} other ready pods of {replicas.owner}"
    return Precondition(question, replicas.ready > 0, seen)


def controlled(pod: Pod) -> Precondition:
    """A pod without a controller is not replaced."""
    owner = controller_of(pod.metadata)
    seen = f"{owner} creates it again" if owner else "no controller owns it: it would be lost"
    return Precondition("Does a controller create it again?", owner is not None, seen)


def node_lost(context: ActionContext, node_name: str) -> Precondition:
    """The node is gone from the cluster, or not Ready for longer than the attach-detach controller
    waits."""
    question = "Is the node gone or lost?"
    if "Node" in context.unavailable:
        return Precondition(question, None, "nodes cannot be read")
    node: Node | None = context.store.get("Node", "", node_name)
    if node is None:
        return Precondition(question, True, f"there is no node {node_name}")
    ready = condition_of(node.status.conditions, "Ready")
    if ready is None or ready.status == "True":
        return Precondition(question, False, f"{node_name} is Ready: let its kubelet do it")
    since = ready.last_transition_time
    age = (context.clock() - since).total_seconds() if since else 0.0
    seen = f"Ready of {node_name} is {ready.status} for {age:.0f} s, {LOST_S:g} s are asked"
    return Precondition(question, age >= LOST_S, seen)


# ---- permission


@dataclass(frozen=True, slots=True, order=True)
class AccessReview:
    """One access review."""

    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str

    def __str__(self) -> str:
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        where = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {resource}{where}"


def right_of(target: Target) -> AccessReview:
    """The permission that a target's request needs."""
    kind = READABLE[target.ref.kind]
    request = target.request
    verb = {"PATCH": "patch", "DELETE": "delete", "POST": "create"}[request.verb]
    extra = request.path.removeprefix(target.path)[1:] if request.path != target.path else ""
    subresource = extra if request.path.startswith(f"{target.path}/") else ""
    name = "" if request.verb == "POST" and not subresource else target.ref.name
    return AccessReview(verb, kind.group, kind.plural, subresource, target.ref.namespace, name)


async def review(
    context: ActionContext, targets: Iterable[Target]
) -> dict[AccessReview, tuple[bool | None, str]]:
    """The server's answer to each needed right; of several objects in a namespace one is named.
    None: the review could not be sent."""
    by_scope: dict[tuple[str, ...], set[AccessReview]] = {}
    for right in map(right_of, targets):
        scope = (right.verb, right.group, right.resource, right.subresource, right.namespace)
        by_scope.setdefault(scope, set()).add(right)
    asked = [
        next(iter(rights)) if len(rights) == 1 else replace(next(iter(rights)), name="")
        for rights in by_scope.values()
    ]

    async def ask(right: AccessReview) -> tuple[bool | None, str]:
        try:
            return await context.writer.review(
                right.verb,
                right.resource,
                group=right.group,
                subresource=right.subresource,
                namespace=right.namespace,
                name=right.name,
            )
        except ClusterError as error:
            return None, str(error)

    answers = await asyncio.gather(*map(ask, asked))
    return dict(zip(asked, answers, strict=True))
