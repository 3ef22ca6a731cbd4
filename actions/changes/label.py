"""Set or remove one label of an object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actions.context import ActionContext
from actions.definition import Action, CannotPlan, Proposal, by_kind, offered
from actions.parameters import OBJECT, Parameter, assignment
from actions.targets import kubectl_name, patched, read, remove_field, set_field
from cluster.kube.objects import Ref
from cluster.kube.selectors import matches, service_selects


async def _build(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    ref: Ref = values["object"]
    key, value = values["label"]
    found = await read(context, ref)
    tokens = ("metadata", "labels", key)
    change = remove_field(found, tokens) if value is None else set_field(found, tokens, value)
    form = f"{key}-" if value is None else f"{key}={value} --overwrite"
    made = patched(ref, found, [change], f"kubectl label {kubectl_name(ref)} {form}")
    labels = {str(k): str(v) for k, v in (found["metadata"].get("labels") or {}).items()}
    after = {k: v for k, v in labels.items() if k != key} | ({} if value is None else {key: value})
    if labels == after:
        raise CannotPlan(f"{ref} is already so; there is nothing to change.")
    return Proposal(ref, (made,), touches=_touches(context, ref, labels, after))


def _touches(
    context: ActionContext, ref: Ref, before: Mapping[str, str], after: Mapping[str, str]
) -> tuple[str, ...]:
    """Objects that select it either before or after the change."""
    if ref.kind == "Node":
        return ("Pods that run stay; node selectors and affinities see the new label.",)
    if ref.kind == "Namespace":
        return ("NetworkPolicies and webhooks that select namespaces see the new label.",)
    effects = []
    for name, selects in _selectors(context, ref):
        was, will = selects(before), selects(after)
        if was and not will:
            effects.append(f"{name} no longer selects it.")
        elif will and not was:
            effects.append(f"{name} selects it from then on.")
    return tuple(effects) or ("Nothing that is known here selects by that label.",)


def _selectors(context: ActionContext, ref: Ref) -> list[tuple[str, Any]]:
    """(name, function on labels) of everything that selects pods in the pod's namespace."""
    if ref.kind != "Pod":
        return []
    found: list[tuple[str, Any]] = []
    for kind in ("ReplicaSet", "StatefulSet", "DaemonSet", "PodDisruptionBudget", "NetworkPolicy"):
        for row in context.store.in_namespace(kind, ref.namespace).values():
            selector = row.spec.pod_selector if kind == "NetworkPolicy" else row.spec.selector
            found.append(
                (f"{kind} {row.metadata.name}", lambda labels, s=selector: matches(s, labels))
            )
    for row in context.store.in_namespace("Service", ref.namespace).values():
        pairs = row.spec.selector
        found.append(
            (f"Service {row.metadata.name}", lambda labels, s=pairs: service_selects(s, labels))
        )
    return found


ACTIONS = (
    Action(
        "label",
        "Set or remove a label of an object.",
        (OBJECT, Parameter("label", "KEY=VALUE, or KEY- to remove it", assignment)),
        "Selectors that name the label pick other objects.",
        "label with the previous value",
        _build,
        fits=offered("Pod Node Namespace Deployment Service", by_kind("object")),
    ),
)
