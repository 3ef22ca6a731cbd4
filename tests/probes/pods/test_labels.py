"""A probe pod takes the labels of another pod only where that touches no other work, and the plan
says what else selects them."""

from __future__ import annotations

from typing import Any

import pytest

from probes.select.labels import cloned, guard, representative
from tests.probes.cells import meta, namespace, pod, policy, service, store

LABELS = {
    "app": "nginx",
    "pod-template-hash": "abc",
    "batch.kubernetes.io/job-name": "x",
    "app.kubernetes.io/managed-by": "Helm",
}
SELECTOR = {"matchLabels": {"app": "nginx"}}


def budget(**spec: int | str) -> dict[str, Any]:
    return {
        "kind": "PodDisruptionBudget",
        "metadata": meta("pdb", "nginx"),
        "spec": {"selector": SELECTOR, **spec},
    }


def test_labels_of_controllers_are_dropped() -> None:
    assert cloned(LABELS) == {"app": "nginx"}


@pytest.mark.parametrize(
    ("document", "word"),
    [
        (
            service("web", "nginx", selector={"app": "nginx"}, publishNotReadyAddresses=True),
            "publishes pods that are not ready",
        ),
        (budget(minAvailable="50%"), "drains"),
        (budget(maxUnavailable=1), "drains"),
        (
            {
                "kind": "StatefulSet",
                "metadata": meta("db", "nginx"),
                "spec": {"selector": SELECTOR},
            },
            "adopt",
        ),
        (
            {
                "kind": "DaemonSet",
                "metadata": meta("agent", "nginx"),
                "spec": {"selector": SELECTOR},
            },
            "delete",
        ),
        (
            {
                "kind": "ReplicaSet",
                "metadata": meta("bare", "nginx"),
                "spec": {"selector": SELECTOR},
            },
            "delete",
        ),
    ],
)
def test_labels_that_other_work_selects_are_refused(document: dict[str, Any], word: str) -> None:
    assert word in guard(store(document), "nginx", LABELS).refused


@pytest.mark.parametrize(
    "document",
    [
        service("web", "nginx", selector={"app": "nginx"}),
        budget(minAvailable=1),
        policy("deny", "nginx", {"podSelector": SELECTOR}),
    ],
)
def test_harmless_selectors_are_shown(document: dict[str, Any]) -> None:
    found = guard(store(document), "nginx", LABELS)
    assert found.refused == ""
    assert len(found.selected_by) == 1


def test_selectors_with_a_hash_or_of_another_namespace_do_not_matter() -> None:
    hashed = {"matchLabels": {"app": "nginx", "pod-template-hash": "abc"}}
    rows = store(
        {
            "kind": "ReplicaSet",
            "metadata": meta("nginx-abc", "nginx"),
            "spec": {"selector": hashed},
        },
        {"kind": "StatefulSet", "metadata": meta("db", "other"), "spec": {"selector": SELECTOR}},
    )
    assert guard(rows, "nginx", LABELS) == guard(store(), "nginx", LABELS)


def test_the_representative_has_the_most_frequent_labels_and_runs_on_the_node_if_one_does() -> None:
    rows = store(
        namespace("nginx"),
        pod("odd", "nginx", "node-1", labels={"app": "odd"}, ip="10.0.0.1"),
        pod("web-1", "nginx", "node-1", labels=LABELS, ip="10.0.0.2"),
        pod(
            "web-2",
            "nginx",
            "node-2",
            labels={"app": "nginx", "pod-template-hash": "other"},
            ip="10.0.0.3",
        ),
        pod(
            "host", "nginx", "node-3", labels={"app": "nginx"}, ip="192.168.0.3", host_network=True
        ),
    )
    first, there = representative(rows, "nginx"), representative(rows, "nginx", "node-2")
    assert first is not None
    assert there is not None
    assert (first.metadata.name, there.metadata.name) == ("web-1", "web-2")
    assert representative(rows, "empty") is None
