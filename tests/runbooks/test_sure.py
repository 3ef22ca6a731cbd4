"""What makes a story sure: each smallest set of evidence that does shows what its title says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runbooks.evidence import BESIDE, CONFIDENT, STRONG, SUPPORT
from runbooks.loader import Library
from runbooks.model import Criterion, Runbook, Weight

TITLES = {
    "cni-not-ready-on-new-node": {"new_node"},
    "cluster-upgrade-breaks-cluster": {"version_differs", "skew_minor", "daemonset-update-failing"},
    "container-runtime-crash-memory-leak": {
        "memory-growing",
        "node-eviction-threshold",
        "node-system-oom",
    },
    "coredns-oom": {"oom_killed", "pod-oom-killed"},
    "cpu-hot-node-kernel-panic": {"node-cpu-hot", "suspect_no_limits"},
    "errors-during-rollout": {"rollout-not-graceful"},
    "ingress-controller-oom": {"oom_killed", "pod-oom-killed"},
    "ingress-routes-lost-api-server-down": {"ingress-degraded", "api-server-unreachable"},
    "kubelet-memory-leak": {"kubelet-memory-high", "victim_kubelet"},
    "network-policy-cni-version-skew": {"daemonset-image-drift"},
    "nodes-notready-system-oom": {"node-system-oom", "oom", "suspect_no_limits"},
}
"""The rules or facts without which the title of a story is a guess: a node that is *new*, a leak of
*memory*, the routes of an *ingress*."""


def _shows(condition: Criterion) -> frozenset[str]:
    return frozenset(name for part in condition.parts() for name in (part.rule, *dict(part.where)))


def smallest(runbook: Runbook) -> Iterator[frozenset[str]]:
    """Rules and facts of each smallest set of conditions that makes a page sure."""
    strong = runbook.conditions(Weight.STRONG)
    beside = [
        one
        for one in runbook.conditions(Weight.SUPPORT)
        if one.on == "finding" and (one.value or SUPPORT) >= BESIDE
    ]
    for condition in strong:
        if (condition.value or STRONG) >= CONFIDENT:
            yield _shows(condition)
        else:
            yield from (_shows(condition) | _shows(other) for other in beside)


@pytest.mark.parametrize("id_", sorted(TITLES))
def test_no_story_is_sure_without_what_its_title_says(id_: str) -> None:
    page = next(one for one in Library().runbooks if one.id == id_)
    found = list(smallest(page))
    assert found
    assert [sorted(one) for one in found if one.isdisjoint(TITLES[id_])] == []
