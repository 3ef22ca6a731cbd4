"""Delete a NetworkPolicy. The record keeps its manifest, from which the undo creates it again."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote
from typing import Any

from actions.checks import counted, unread
from actions.context import ActionContext
from actions.definition import Action, CannotPlan, Proposal, by_name, offered
from actions.parameters import Parameter, namespaced
from actions.targets import deleted, read, typed
from cluster.kube.objects import NetworkPolicy, Ref
from cluster.kube.selectors import matches


async def _build(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    ref = Ref("NetworkPolicy", *values["policy"])
    if why := unread(context, "Pod", "NetworkPolicy"):
        raise CannotPlan(f"The {why}, so what would be open is not known.")
    found = await read(context, ref)
    command = f"kubectl delete networkpolicy -n {quote(ref.namespace)} {quote(ref.name)}"
    target = deleted(ref, found, command, recreate=True)
    policy: NetworkPolicy = typed(found, ref)
    pods = [
        pod
        for pod in context.store.in_namespace("Pod", ref.namespace).values()
        if matches(policy.spec.pod_selector, pod.metadata.labels)
    ]
    others = [
        each
        for each in context.store.in_namespace("NetworkPolicy", ref.namespace).values()
        if each.metadata.name != ref.name
    ]
    free = [
        pod
        for pod in pods
        if not any(matches(each.spec.pod_selector, pod.metadata.labels) for each in others)
    ]
    return Proposal(
        ref,
        (target,),
        touches=(
            f"It selects {counted(len(pods), 'pod', 'pods')}; {len(free)} of them by no other "
            "policy, so that everything is allowed to and from them.",
        ),
        warnings=("connections that this policy kept out are let in until it is there again",),
        undo=f"kubectl create -n {ref.namespace} -f the manifest in the record",
    )


ACTIONS = (
    Action(
        "delete-network-policy",
        "Delete a NetworkPolicy; the record keeps its manifest.",
        (Parameter("policy", "NAMESPACE/NAME of the NetworkPolicy", namespaced),),
        "Pods that only this policy selects are open to every connection.",
        "undo from the record, which creates it again",
        _build,
        fits=offered("NetworkPolicy", by_name("policy")),
    ),
)
