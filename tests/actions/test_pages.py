"""Action blocks of our runbooks: each names parameters that its action has, with values that fit."""

from __future__ import annotations

import re

import pytest

from actions.catalogue import ACTIONS
from actions.parameters import read_values
from runbooks import steps
from runbooks.model import Step, StepKind
from tests import shipped

VALUES = {
    "amount": "1Gi",
    **dict.fromkeys(("image", "pinned_image"), f"registry.test/web@sha256:{'a' * 64}"),
    "keys": "password",
    "replicas": "3",
    "resource": "memory",
    "selector": "app=web",
    "size": "20Gi",
    "workload": "deployment/web",
    "other_workload": "deployment/web",
    "writer": "deployment/web",
}
"""Examples of what parameters stand for; a name else."""
CHANGES = re.compile(
    r"(kubectl|systemctl)( -n \S+| debug \S+)?\b.*\b(apply|create|delete|patch|scale|cordon|uncordon"
    r"|drain|taint|label|annotate|set|edit|replace|autoscale|approve|cp|restart"
    r"|rollout (undo|pause|resume))\b"
)
BY_HAND = {
    "a field of the pod template that only its owner can choose": (
        "anti-affinity-or-spread-unmet/relax",
        "crash-permission/owner",
        "daemonset-misses-nodes/correct",
        "dns-latency-ndots/final-dot",
        "ephemeral-storage-limit/raise",
        "errors-during-rollout/add-prestop",
        "host-port-taken/order",
        "image-wrong-architecture/place",
        "limit-range-refuses-pods/change",
        "liveness-probe-kills/relax",
        "mesh-control-plane-away/back",
        "node-selector-unmet/correct",
        "pod-class-missing/correct",
        "pod-security-refuses-pods/level-or-pod",
        "pod-template-invalid/correct",
        "provider-refuses-pod/place",
        "reference-to-missing-service/correct",
        "taint-not-tolerated/tolerate",
    ),
    "a field of another object that only its owner can choose": (
        "admission-webhook-fails/open-up",
        "autoscaler-at-maximum/raise",
        "cryptomining-exposed-dashboard/close-door",
        "egress-snat-misconfigured/change-snat",
        "ingress-backend-missing/correct",
        "load-balancer-backends-flapping/resync",
        "network-policy-blocks/allow",
        "quota-used-up/raise",
        "service-port-mismatch/correct",
        "service-selector-mismatch/correct",
        "stateful-operator-data-loss/hold-rollout",
    ),
    "a new object, whose text a person writes or has": (
        "cryptomining-exposed-dashboard/cut-egress",
        "custom-resource-type-missing/install",
        "forbidden-by-rbac/give",
        "job-failed/again",
        "service-account-missing/create",
    ),
    "which object is not needed is for a person to know": ("quota-used-up/free",),
    "on a machine, where no API reaches": (
        "container-runtime-hung/restart-runtime",
        "coredns-loop/mend",
        "etcd-connectivity-api-latency/restart-member",
        "kubelet-memory-leak/restart-kubelet",
    ),
    "the node is replaced in the provider's console at the same time": (
        "container-runtime-hung/replace",
    ),
    "it measures while it restarts": ("errors-during-rollout/next-rollout",),
    "it reads: a copy of data, a pod that looks once": (
        "log-shipper-stalled-on-node/canary",
        "stateful-operator-data-loss/save-copy",
    ),
}
"""Reason -> steps whose command changes something and that stay with a person."""


def every_step() -> list[tuple[str, Step]]:
    return [
        (f"{book.id}/{step.id}", step)
        for book in shipped.library().runbooks
        for step in book.steps()
    ]


@pytest.mark.parametrize(
    ("name", "step"), [each for each in every_step() if each[1].kind is StepKind.ACTION]
)
def test_the_arguments_fit_the_action(name: str, step: Step) -> None:
    action = ACTIONS[step.uses]
    places = {
        place: VALUES.get(place, "name") for text in step.args.values() for place in places_of(text)
    }
    values, wrong = read_values(action.parameters, steps.arguments(step, places))
    assert wrong == ""
    assert values
    assert step.blast, "what it affects"
    assert step.undo, "how it is undone"


def places_of(text: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", text)


def test_what_an_action_can_do_is_an_action() -> None:
    left = {
        name
        for name, step in every_step()
        if step.kind is StepKind.ASK and CHANGES.search(step.kubectl)
    }
    assert left == {name for names in BY_HAND.values() for name in names}


def test_no_number_and_no_placeholder_stands_in_a_change() -> None:
    for name, step in every_step():
        if step.kind is StepKind.ACTION:
            literals = re.sub(r"\{\w+\}|--\S+=\{?\w+", "", step.kubectl)
            assert not re.search(r"\b[A-Z]{3,}\b", literals), f"{name}: {step.kubectl}"


FIGURES = {"amount", "replicas", "image", "pinned_image", "keys", "file", "resource", "size"}


def test_no_figure_that_is_asked_serves_two_steps_of_a_page() -> None:
    """What is typed for one step must not fill in another."""
    asked: dict[tuple[str, str], list[str]] = {}
    for name, step in every_step():
        page = name.partition("/")[0]
        for place in {p for text in step.args.values() for p in places_of(text)} & FIGURES:
            asked.setdefault((page, place), []).append(step.id)
    assert {key: steps_ for key, steps_ in asked.items() if len(steps_) > 1} == {}
