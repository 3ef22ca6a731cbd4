"""Change one container of a workload: its image, by digest, or a limit or request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

from actions.changes.rollout import replaced, rolled_out
from actions.context import ActionContext
from actions.definition import Action, CannotPlan, Proposal, by_kind, offered
from actions.parameters import Parameter, amount, image, one_of, text, workload
from actions.plan import Precondition
from actions.targets import kubectl_name, patched, pointer, read, set_field
from cluster.kube import quantity
from cluster.kube.objects import Ref

DEADLINE_S = 180.0


async def _set_image(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    ref: Ref = values["workload"]
    found = await read(context, ref)
    at, container = _container(found, ref, values["container"])
    wanted: str = values["image"]
    command, name = f"kubectl set image {kubectl_name(ref)}", f"{container['name']}="
    now = container.get("image")
    return _proposal(
        ref,
        found,
        at,
        container,
        ((*at, "image"), wanted),
        f"{command} {quote(name + wanted)}",
        f"image {now or 'not set'} -> {wanted}",
        undo=f"{command} {quote(f'{name}{now}')}",
    )


async def _set_resource(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    ref: Ref = values["workload"]
    found = await read(context, ref)
    at, container = _container(found, ref, values["container"])
    resource, kind, wanted = values["resource"], values["kind"], values["amount"]
    group = f"{kind}s"
    now = ((container.get("resources") or {}).get(group) or {}).get(resource, "")
    other = "requests" if kind == "limit" else "limits"
    bound = ((container.get("resources") or {}).get(other) or {}).get(resource, "")
    flag = f"--{group}={resource}={wanted}"
    command = f"kubectl set resources {kubectl_name(ref)} -c {quote(container['name'])} {flag}"
    warnings = []
    if now and _number(wanted) < _number(now):
        warnings.append(f"{resource} {kind} goes down from {now}: what needs more is held back")
        if (resource, kind) == ("memory", "limit"):
            warnings.append("a container that uses more memory than its limit is killed")
    return _proposal(
        ref,
        found,
        at,
        container,
        ((*at, "resources", group, resource), wanted),
        command,
        f"{resource} {kind} {now or 'not set'} -> {wanted}",
        checks=(_fits(kind, wanted, bound),),
        warnings=tuple(warnings),
    )


def _proposal(
    ref: Ref,
    found: Mapping[str, Any],
    at: Sequence[str | int],
    container: Mapping[str, Any],
    field: tuple[Sequence[str | int], str],
    command: str,
    summary: str,
    *,
    undo: str = "",
    checks: tuple[Precondition, ...] = (),
    warnings: tuple[str, ...] = (),
) -> Proposal:
    change = set_field(found, field[0], field[1])
    tests = {pointer(*at, "name"): container["name"]}
    target = patched(ref, found, [change], command, tests=tests)
    touches = replaced(found)
    if ref.kind == "CronJob":
        touches = (f"The next Jobs of {ref} run with it; those that run stay as they are.",)
    return Proposal(
        ref,
        (target,),
        f"{ref}, container {container['name']}: {summary}",
        preconditions=checks,
        touches=touches,
        warnings=warnings,
        undo=undo,
    )


def _container(
    found: Mapping[str, Any], ref: Ref, wanted: str
) -> tuple[tuple[str | int, ...], Mapping[str, Any]]:
    """(tokens of its pointer, the container). Raises `CannotPlan`."""
    base: tuple[str, ...] = ("spec", "template", "spec", "containers")
    if ref.kind == "CronJob":
        base = ("spec", "jobTemplate", *base)
    here: Any = found
    for token in base:
        here = (here or {}).get(token)
    containers = here or []
    for index, each in enumerate(containers):
        if each["name"] == wanted:
            return (*base, index), each
    known = ", ".join(each["name"] for each in containers)
    raise CannotPlan(f"{ref} has no container {wanted}; it has {known}.")


def _fits(kind: str, wanted: str, bound: str) -> Precondition:
    question = "Is the request at most the limit?"
    if not bound:
        return Precondition(question, True, "the other one is not set")
    low, high = (bound, wanted) if kind == "limit" else (wanted, bound)
    return Precondition(question, _number(low) <= _number(high), f"request {low}, limit {high}")


def _number(amount_: str) -> float:
    return quantity.parse(amount_) or 0.0


_WORKLOAD = (
    workload("Deployment", "StatefulSet", "DaemonSet", "CronJob"),
    Parameter("container", "name of the container", text),
)
ACTIONS = (
    Action(
        "set-image",
        "Set the image of a container, by digest.",
        (*_WORKLOAD, Parameter("image", "REPOSITORY@sha256:DIGEST", image)),
        "All pods of the workload are replaced.",
        "set-image with the previous image",
        _set_image,
        rolled_out,
        DEADLINE_S,
        fits=offered("Deployment StatefulSet DaemonSet CronJob", by_kind("workload")),
    ),
    Action(
        "set-resource",
        "Set a limit or request of a container.",
        (
            *_WORKLOAD,
            Parameter("resource", "cpu or memory", one_of("cpu", "memory")),
            Parameter("kind", "limit or request", one_of("limit", "request")),
            Parameter("amount", "quantity such as 500m or 512Mi", amount),
        ),
        "All pods of the workload are replaced.",
        "undo from the record, which replaces them again",
        _set_resource,
        rolled_out,
        DEADLINE_S,
        fits=offered("Deployment StatefulSet DaemonSet CronJob", by_kind("workload")),
    ),
)
