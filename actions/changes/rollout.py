"""Rollouts of workloads: restart, pause, resume, and back to an earlier revision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from actions.context import ActionContext
from actions.definition import Action, CannotPlan, Proposal, by_kind, offered
from actions.parameters import Parameter, whole, workload
from actions.plan import ActionPlan, Precondition
from actions.targets import kubectl_name, patched, path_of, read, remove_field, set_field
from cluster.errors import ClusterError
from cluster.kube.objects import Ref, ReplicaSet

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"
DEADLINE_S = 180.0


async def _restart(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    ref: Ref = values["workload"]
    found = await read(context, ref)
    now = context.clock().strftime("%Y-%m-%dT%H:%M:%SZ")
    tokens = ("spec", "template", "metadata", "annotations", RESTARTED_AT)
    change = replace(set_field(found, tokens, now), is_stamp=True)
    target = patched(ref, found, [change], f"kubectl rollout restart {kubectl_name(ref)}")
    return Proposal(
        ref,
        (target,),
        f"{ref}: all its pods are replaced",
        preconditions=(_not_paused(found),),
        touches=(*_replaced(found), "Old logs are gone with the old pods."),
        warnings=tuple(_in_progress(found)),
        restorable=False,
    )


async def _pause(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    ref: Ref = values["workload"]
    found = await read(context, ref)
    change = set_field(found, ("spec", "paused"), True)
    target = patched(ref, found, [change], f"kubectl rollout pause {kubectl_name(ref)}")
    told = "Running pods stay; further changes of the template wait until it is resumed."
    undo = f"kubectl rollout resume {kubectl_name(ref)}"
    return Proposal(ref, (target,), touches=(told,), undo=undo)


async def _resume(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    ref: Ref = values["workload"]
    found = await read(context, ref)
    if not found["spec"].get("paused"):
        raise CannotPlan(f"{ref} is not paused; there is nothing to change.")
    change = remove_field(found, ("spec", "paused"))
    target = patched(ref, found, [change], f"kubectl rollout resume {kubectl_name(ref)}")
    told = "Changes of the template that were made meanwhile are rolled out at once."
    undo = f"kubectl rollout pause {kubectl_name(ref)}"
    return Proposal(ref, (target,), touches=(told, *_replaced(found)), undo=undo)


async def _back(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    ref: Ref = values["workload"]
    found = await read(context, ref)
    observed = (found.get("status") or {}).get("observedGeneration", 0)
    if observed < found["metadata"].get("generation", 0):
        # Its revision numbers are those of before: "the one before" would be the one that runs.
        raise CannotPlan(f"{ref} was changed a moment ago and has no revision yet; try again.")
    revisions = _revisions(context, ref, str(found["metadata"]["uid"]))
    current = _revision(found["metadata"].get("annotations") or {})
    wanted = values.get("revision") or max((r for r in revisions if r < current), default=0)
    if wanted not in revisions or wanted == current:
        known = ", ".join(str(each) for each in sorted(revisions)) or "none"
        raise CannotPlan(f"{ref} has no other revision {wanted or ''}; it has {known}.")
    old = await read(context, Ref("ReplicaSet", ref.namespace, revisions[wanted]))
    template = _without_hash(old["spec"]["template"])
    change = set_field(found, ("spec", "template"), template)
    flag = f"--to-revision={wanted}"
    target = patched(ref, found, [change], f"kubectl rollout undo {kubectl_name(ref)} {flag}")
    differences = "; ".join(template_differences(found["spec"]["template"], template))
    return Proposal(
        ref,
        (target,),
        f"{ref}: the pod template of revision {wanted} replaces that of {current}: {differences}",
        preconditions=(_not_paused(found),),
        touches=_replaced(found),
        warnings=tuple(_in_progress(found)),
        facts=(("template", differences),),
    )


def template_differences(now: Mapping[str, Any], then: Mapping[str, Any]) -> list[str]:
    """Differences between pod templates, by container; values of variables are not shown."""
    before, after = _containers(now), _containers(then)
    told = [f"container {name} is removed" for name in before if name not in after]
    told += [f"container {name} is added" for name in after if name not in before]
    for name in before:
        if name not in after or before[name] == after[name]:
            continue
        old, new = before[name], after[name]
        if old.get("image") != new.get("image"):
            told.append(f"{name} image {old.get('image')} -> {new.get('image')}")
        told += [
            f"{name} {field} differs"
            for field in sorted(old.keys() | new.keys())
            if field != "image" and old.get(field) != new.get(field)
        ]
    return told or ["other fields of the template differ"]


def _containers(template: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    spec = template.get("spec") or {}
    return {
        each["name"]: each
        for each in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()))
    }


def _without_hash(template: Mapping[str, Any]) -> dict[str, Any]:
    """A ReplicaSet's template as the Deployment had it."""
    meta = dict(template.get("metadata") or {})
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != HASH}
    return {**template, "metadata": {**meta, "labels": labels}}


def _revisions(context: ActionContext, ref: Ref, uid: str) -> dict[int, str]:
    """Revision -> name of the ReplicaSet of a Deployment."""
    found = {}
    for row in context.store.owned_by(uid).values():
        if isinstance(row, ReplicaSet) and (number := _revision(row.metadata.annotations)):
            found[number] = row.metadata.name
    return found


def _revision(annotations: Mapping[str, str]) -> int:
    text = annotations.get(REVISION, "")
    return int(text) if text.isdecimal() else 0


def _not_paused(found: Mapping[str, Any]) -> Precondition:
    paused = bool(found["spec"].get("paused"))
    seen = "it is paused: nothing would be rolled out" if paused else "it is not paused"
    return Precondition("Can it roll out?", not paused, seen)


def _replaced(found: Mapping[str, Any]) -> tuple[str, ...]:
    spec = found["spec"]
    strategy = (spec.get("strategy") or spec.get("updateStrategy") or {}).get(
        "type", "its strategy"
    )
    count = spec.get("replicas", (found.get("status") or {}).get("desiredNumberScheduled", 0))
    return (f"{count} pods are replaced ({strategy}); disruption budgets do not hold this back.",)


def _in_progress(found: Mapping[str, Any]) -> list[str]:
    done, told = rollout_state(found)
    return [] if done else [f"a rollout is in progress already: {told}"]


def rollout_state(found: Mapping[str, Any]) -> tuple[bool, str]:
    """(finished, what is missing) of a Deployment, StatefulSet or DaemonSet, as `kubectl rollout
    status` reads it."""
    meta, spec, status = found["metadata"], found["spec"], found.get("status") or {}
    if status.get("observedGeneration", 0) < meta.get("generation", 0):
        return False, "the controller has not seen the change yet"
    wanted = spec.get("replicas", status.get("desiredNumberScheduled", 1))
    updated = status.get("updatedReplicas", status.get("updatedNumberScheduled", 0))
    ready = status.get("readyReplicas", status.get("numberReady", 0))
    total = status.get("replicas", status.get("currentNumberScheduled", 0))
    if updated < wanted or total > updated:
        return False, f"{updated} of {wanted} pods are updated"
    return ready >= wanted, f"{ready} of {wanted} pods are ready"


async def rolled_out(context: ActionContext, plan: ActionPlan) -> tuple[bool, str]:
    """Whether the rollout that a plan caused is finished."""
    try:
        return rollout_state(await context.api.get_json(path_of(plan.object), timeout=5))
    except ClusterError as error:
        return False, str(error)


def _running(row: Any) -> str | None:
    return None if row.spec.paused else ""


def _held(row: Any) -> str | None:
    return "its rollout is paused" if row.spec.paused else None


_DEPLOYMENT = workload("Deployment")
_ANY = workload("Deployment", "StatefulSet", "DaemonSet")
ACTIONS = (
    Action(
        "rollout-restart",
        "Replace all pods of a workload, by its own update strategy.",
        (_ANY,),
        "Every pod of the workload is replaced.",
        "none: the old pods are gone",
        _restart,
        rolled_out,
        DEADLINE_S,
        fits=offered("Deployment StatefulSet DaemonSet", by_kind("workload")),
    ),
    Action(
        "rollout-pause",
        "Hold further rollouts of a Deployment.",
        (_DEPLOYMENT,),
        "Running pods stay.",
        "rollout-resume",
        _pause,
        harmless=True,
        fits=offered("Deployment", by_kind("workload"), _running),
    ),
    Action(
        "rollout-resume",
        "Let a paused Deployment roll out again.",
        (_DEPLOYMENT,),
        "Changes of the template that were made meanwhile are rolled out.",
        "rollout-pause",
        _resume,
        fits=offered("Deployment", by_kind("workload"), _held),
    ),
    Action(
        "rollout-undo",
        "Return a Deployment to an earlier revision.",
        (
            _DEPLOYMENT,
            Parameter("revision", "number; default: the one before", whole(1, 10**9), False),
        ),
        "Every pod of the Deployment is replaced.",
        "undo from the record, which rolls out again",
        _back,
        rolled_out,
        DEADLINE_S,
        fits=offered("Deployment", by_kind("workload"), _running),
    ),
)
