"""Add a taint to a node or remove it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from actions.changes.cordon import enough_left, takes_pods
from actions.checks import all_come_back, counted, left_without_ready, some, unread
from actions.context import ActionContext
from actions.definition import Action, CannotPlan, Proposal, by_name, offered
from actions.parameters import Parameter, label_key, label_value, name
from actions.plan import FieldChange, Precondition
from actions.targets import patched, read, remove_field, set_field, typed
from cluster.kube.objects import Node, Pod, Ref, Taint, Toleration
from cluster.kube.pods import is_finished

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_TAINT = re.compile(r"(?P<key>[^=:]+)(?:=(?P<value>[^:]*))?(?::(?P<effect>\w+))?")


def _parse(given: str) -> dict[str, str]:
    """KEY[=VALUE]:EFFECT in kubectl's syntax."""
    found = _TAINT.fullmatch(given)
    if found is None or found["effect"] not in EFFECTS:
        raise ValueError(f"a taint is KEY[=VALUE]:EFFECT, EFFECT one of {', '.join(EFFECTS)}")
    taint = {"key": label_key(found["key"]), "effect": found["effect"]}
    return taint | ({"value": label_value(found["value"])} if found["value"] else {})


async def _add(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    ref, taint = Ref("Node", "", values["node"]), values["taint"]
    found = await read(context, ref)
    taints = found["spec"].get("taints") or []
    rest = [each for each in taints if not _same(each, taint)]
    change = set_field(found, ("spec", "taints"), [*rest, taint])
    target = patched(ref, found, [change], f"kubectl taint node {ref.name} {words(taint)}")
    node: Node = typed(found, ref)
    checks: tuple[Precondition, ...] = ()
    warnings: tuple[str, ...] = ()
    if taint["effect"] != "PreferNoSchedule" and takes_pods(node):
        checks, warnings = enough_left(context, node)
    if taint["effect"] == "NoExecute" and (why := unread(context, "Pod")):
        raise CannotPlan(f"The {why}, so which would end is not known.")
    ending = _ending(context, ref.name, taint)
    if ending:
        checks = (*checks, all_come_back(ending, "ended"))
    if single := left_without_ready(context, ending):
        warnings = (*warnings, f"without any ready replica for a time: {some(single)}")
    return Proposal(
        ref,
        (target,),
        f"{ref} gets the taint {words(taint)}",
        preconditions=checks,
        touches=_touches(ending, taint),
        warnings=warnings,
        undo=f"kubectl taint node {ref.name} {words(taint)}-",
    )


async def _remove(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    ref, taint = Ref("Node", "", values["node"]), values["taint"]
    found = await read(context, ref)
    taints = found["spec"].get("taints") or []
    rest = [each for each in taints if not _same(each, taint)]
    if len(rest) == len(taints):
        known = ", ".join(words(each) for each in taints) or "none"
        raise CannotPlan(f"{ref} has no taint {words(taint)}; it has {known}.")
    tokens = ("spec", "taints")
    change: FieldChange = set_field(found, tokens, rest) if rest else remove_field(found, tokens)
    target = patched(ref, found, [change], f"kubectl taint node {ref.name} {words(taint)}-")
    warnings = []
    if taint["key"].startswith("node.kubernetes.io/"):
        warnings.append("the node controller sets this taint from the node's state, and again")
    return Proposal(
        ref,
        (target,),
        f"{ref} loses the taint {words(taint)}",
        touches=("New pods may be placed there.",),
        warnings=tuple(warnings),
        undo=f"kubectl taint node {ref.name} {words(taint)}",
    )


def words(taint: Mapping[str, str]) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint['effect']}"


def _same(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    return (one["key"], one["effect"]) == (other["key"], other["effect"])


def _tainted(taints: Sequence[Taint]) -> str | None:
    """None for a node that has only the node controller's own taints."""
    own = [each for each in taints if not each.key.startswith("node.kubernetes.io/")]
    return f"it has the taint {own[0].key}:{own[0].effect}" if own else None


def tolerates(pod: Pod, taint: Mapping[str, str]) -> bool:
    """Whether a pod tolerates a taint (core/v1 Toleration)."""

    def matches(toleration: Toleration) -> bool:
        if toleration.effect not in ("", taint["effect"]):
            return False
        if toleration.operator == "Exists":
            return toleration.key in ("", taint["key"])
        return (toleration.key, toleration.value) == (taint["key"], taint.get("value", ""))

    return any(matches(each) for each in pod.spec.tolerations)


def _ending(context: ActionContext, node: str, taint: Mapping[str, str]) -> list[Pod]:
    """The pods that a taint ends."""
    return [
        pod
        for pod in context.store.pods_on(node).values()
        if taint["effect"] == "NoExecute" and not is_finished(pod) and not tolerates(pod, taint)
    ]


def _touches(ending: Sequence[Pod], taint: Mapping[str, str]) -> tuple[str, ...]:
    if taint["effect"] != "NoExecute":
        return ("No running pod is affected; new pods need a toleration.",)
    names = sorted(f"{pod.metadata.namespace}/{pod.metadata.name}" for pod in ending)
    effect = counted(
        len(names),
        "pod without a toleration ends at once",
        "pods without a toleration end at once",
    )
    return (f"{effect}: {some(names, 4)}. Disruption budgets do not hold this back.",)


_PARAMETERS = (
    Parameter("node", "name of the node", name),
    Parameter("taint", "KEY[=VALUE]:EFFECT", _parse),
)
ACTIONS = (
    Action(
        "add-taint",
        "Add a taint to a node.",
        _PARAMETERS,
        "NoSchedule: no running pod is affected. NoExecute: pods without a toleration end.",
        "remove-taint",
        _add,
        fits=offered("Node", by_name("node")),
    ),
    Action(
        "remove-taint",
        "Remove a taint from a node.",
        _PARAMETERS,
        "New pods may be placed there.",
        "add-taint",
        _remove,
        fits=offered("Node", by_name("node"), lambda o: _tainted(o.spec.taints)),
    ),
)
