"""Rollouts of workloads: restart, pause, resume, and back to an earlier revision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from actions.checks import counted
from actions.context import ActionContext
from actions.definition import Action, CannotPlan, Proposal, by_kind, offered
from actions.parameters import Parameter, whole, workload
from actions.plan import ActionPlan, Precondition
from actions.targets import (
    READ_S,
    kubectl_name,
    patched,
    path_of,
    read,
    remove_field,
    set_field,
)
from cluster.errors import ClusterError
from cluster.kube.kinds import BY_NAME
from cluster.kube.objects import LabelSelector, Ref
from cluster.kube.selectors import selector_text

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"
ON_DELETE = "its strategy is OnDelete, each takes the template when it is deleted"
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
        preconditions=(_not_paused(found), _by_itself(found)),
        touches=(*replaced(found), "Old logs are gone with the old pods."),
        warnings=tuple(_in_progress(found)),
        restorable=False,
    )


async def _pause(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    ref: Ref = values["workload"]
    found = await read(context, ref)
    change = set_field(found, ("spec", "paused"), True)
    target = patched(ref, found, [change], f"kubectl rollout pause {kubectl_name(ref)}")
    effect = "Running pods stay; further changes of the template wait until it is resumed."
    undo = f"kubectl rollout resume {kubectl_name(ref)}"
    return Proposal(ref, (target,), touches=(effect,), undo=undo)


async def _resume(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    ref: Ref = values["workload"]
    found = await read(context, ref)
    if not found["spec"].get("paused"):
        raise CannotPlan(f"{ref} is not paused; there is nothing to change.")
    change = remove_field(found, ("spec", "paused"))
    target = patched(ref, found, [change], f"kubectl rollout resume {kubectl_name(ref)}")
    effect = "Changes of the template that were made meanwhile are rolled out at once."
    undo = f"kubectl rollout pause {kubectl_name(ref)}"
    resumed = {**found, "spec": {**found["spec"], "paused": False}}
    return Proposal(ref, (target,), touches=(effect, *replaced(resumed)), undo=undo)


async def _back(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    ref: Ref = values["workload"]
    found = await read(context, ref)
    observed = (found.get("status") or {}).get("observedGeneration", 0)
    if observed < found["metadata"].get("generation", 0):
        # Its revision numbers are outdated: "the previous one" would be the running one.
        raise CannotPlan(f"{ref} was changed a moment ago and has no revision yet; try again.")
    revisions = await _revisions(context, ref, found)
    current = _revision(found) or max(revisions, default=0)
    wanted = values.get("revision") or max((r for r in revisions if r < current), default=0)
    if wanted not in revisions or wanted == current:
        known = ", ".join(str(each) for each in sorted(revisions)) or "none"
        if not wanted:
            raise CannotPlan(f"{ref} has no earlier revision; revisions: {known}.")
        raise CannotPlan(f"{ref} has no other revision {wanted}; revisions: {known}.")
    template = revisions[wanted]
    change = set_field(found, ("spec", "template"), template)
    flag = f"--to-revision={wanted}"
    target = patched(ref, found, [change], f"kubectl rollout undo {kubectl_name(ref)} {flag}")
    differences = "; ".join(template_differences(found["spec"]["template"], template))
    return Proposal(
        ref,
        (target,),
        f"{ref}: the pod template of revision {wanted} replaces that of {current}: {differences}",
        preconditions=(_not_paused(found),),
        touches=replaced(found),
        warnings=(*_in_progress(found), *_stuck(ref, found)),
        facts=(("template", differences),),
    )


def template_differences(now: Mapping[str, Any], then: Mapping[str, Any]) -> list[str]:
    """Differences between pod templates, by container; values of variables are not shown."""
    before, after = _containers(now), _containers(then)
    differences = [f"container {name} is removed" for name in before if name not in after]
    differences += [f"container {name} is added" for name in after if name not in before]
    for name in before:
        if name not in after or before[name] == after[name]:
            continue
        old, new = before[name], after[name]
        if old.get("image") != new.get("image"):
            differences.append(f"{name} image {old.get('image')} -> {new.get('image')}")
        differences += [
            f"{name} {field} differs"
            for field in sorted(old.keys() | new.keys())
            if field != "image" and old.get(field) != new.get(field)
        ]
    return differences or ["other fields of the template differ"]


def _containers(template: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    spec = template.get("spec") or {}
    return {
        each["name"]: each
        for each in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ()))
    }


async def _revisions(
    context: ActionContext, ref: Ref, found: Mapping[str, Any]
) -> dict[int, dict[str, Any]]:
    """Revision -> pod template, as the server has them now: of a Deployment from its ReplicaSets,
    of other workloads from their ControllerRevisions. Raises `CannotPlan`."""
    kind = BY_NAME["ReplicaSet" if ref.kind == "Deployment" else "ControllerRevision"]
    selector = selector_text(msgspec.convert(found["spec"]["selector"], LabelSelector))
    try:
        answer = await context.api.get_json(
            kind.path(ref.namespace), {"labelSelector": selector}, timeout=READ_S
        )
    except ClusterError as error:
        raise CannotPlan(f"The {kind.plural} of {ref} cannot be read: {error}") from None
    revisions = {}
    for each in answer.get("items") or ():
        owners = each["metadata"].get("ownerReferences") or ()
        if any(owner.get("uid") == found["metadata"]["uid"] for owner in owners):
            holder = each if ref.kind == "Deployment" else each.get("data") or {}
            number = _revision(each)
            if number and (template := (holder.get("spec") or {}).get("template")):
                revisions[number] = _own_template(template)
    return revisions


def _own_template(template: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded template as the workload had it: without the hash that its ReplicaSet added and
    the directive of a ControllerRevision, which is a strategic merge patch."""
    meta = dict(template.get("metadata") or {})
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != HASH}
    kept = {key: value for key, value in template.items() if key != "$patch"}
    return {**kept, "metadata": {**meta, "labels": labels}}


def _revision(found: Mapping[str, Any]) -> int:
    """The number of a Deployment, ReplicaSet or ControllerRevision; 0 for a workload that does not
    bear it."""
    if "revision" in found:
        return int(found["revision"])
    text = str((found["metadata"].get("annotations") or {}).get(REVISION, ""))
    return int(text) if text.isdecimal() else 0


def _strategy(found: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = found["spec"]
    return spec.get("strategy") or spec.get("updateStrategy") or {}


def _not_paused(found: Mapping[str, Any]) -> Precondition:
    paused = bool(found["spec"].get("paused"))
    seen = "it is paused: nothing would be rolled out" if paused else "it is not paused"
    return Precondition("Can it roll out?", not paused, seen)


def _by_itself(found: Mapping[str, Any]) -> Precondition:
    on_delete = _strategy(found).get("type") == "OnDelete"
    seen = ON_DELETE if on_delete else "its strategy does it"
    return Precondition("Does it replace its pods by itself?", not on_delete, seen)


def _partition(found: Mapping[str, Any]) -> int:
    """Pods of a StatefulSet with a number below it keep the template that they have."""
    return int((_strategy(found).get("rollingUpdate") or {}).get("partition") or 0)


def replaced(found: Mapping[str, Any]) -> tuple[str, ...]:
    """The effect of a new pod template on the pods of a workload."""
    spec, kind = found["spec"], _strategy(found).get("type", "its strategy")
    if spec.get("paused"):
        return ("Its rollout is paused: no pod is replaced until it is resumed.",)
    if kind == "OnDelete":
        return (f"No pod is replaced by itself: {ON_DELETE}.",)
    count = spec.get("replicas", (found.get("status") or {}).get("desiredNumberScheduled", 0))
    kept = min(_partition(found), count)
    replaced_now = counted(count - kept, "pod is", "pods are")
    lines = [f"{replaced_now} replaced ({kind}); disruption budgets do not hold this back."]
    if kept:
        first = counted(kept, "pod keeps its template", "pods keep their template")
        lines.append(f"The first {first}: partition={kept}.")
    return tuple(lines)


def _in_progress(found: Mapping[str, Any]) -> list[str]:
    done, missing = rollout_state(found)
    return [] if done else [f"a rollout is in progress already: {missing}"]


def _stuck(ref: Ref, found: Mapping[str, Any]) -> list[str]:
    """A StatefulSet whose pods start in order waits for a bad pod also after the template is right
    again (kubernetes.io, StatefulSet, "Forced rollback")."""
    ordered = found["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady"
    if ref.kind != "StatefulSet" or not ordered or rollout_state(found)[0]:
        return []
    return [
        "a pod that never became Ready with the present template is not replaced: delete it "
        "afterwards (delete-pod)"
    ]


def rollout_state(found: Mapping[str, Any]) -> tuple[bool, str]:
    """(finished, what is missing) of a Deployment, StatefulSet or DaemonSet, as `kubectl rollout
    status` reads it."""
    meta, spec, status = found["metadata"], found["spec"], found.get("status") or {}
    if status.get("observedGeneration", 0) < meta.get("generation", 0):
        return False, "the controller has not seen the change yet"
    wanted = spec.get("replicas", status.get("desiredNumberScheduled", 1))
    kept = min(_partition(found), wanted)
    updated = status.get("updatedReplicas", status.get("updatedNumberScheduled", 0))
    ready = status.get("readyReplicas", status.get("numberReady", 0))
    total = status.get("replicas", status.get("currentNumberScheduled", 0))
    if spec.get("paused") or _strategy(found).get("type") == "OnDelete":
        return True, "it replaces no pod by itself now"
    if updated < wanted - kept:
        return False, f"{updated} of {wanted - kept} pods are updated"
    missing = f"{ready} of {wanted} pods are ready"
    if (old := total - updated - kept) > 0:
        stay = "pod of the old template stays" if old == 1 else "pods of the old template stay"
        return False, f"{old} {stay}, {missing}"
    return ready >= wanted, missing


async def rolled_out(context: ActionContext, plan: ActionPlan) -> tuple[bool, str]:
    """Whether the rollout that a plan caused is finished."""
    try:
        return rollout_state(await context.api.get_json(path_of(plan.object), timeout=5))
    except ClusterError as error:
        return False, str(error)


def _running(row: Any) -> str | None:
    return None if getattr(row.spec, "paused", False) else ""


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
        "Return a workload to an earlier revision.",
        (
            _ANY,
            Parameter("revision", "number; default: the previous one", whole(1, 10**9), False),
        ),
        "Every pod of the workload is replaced.",
        "undo from the record, which rolls out again",
        _back,
        rolled_out,
        DEADLINE_S,
        fits=offered("Deployment StatefulSet DaemonSet", by_kind("workload"), _running),
    ),
)
