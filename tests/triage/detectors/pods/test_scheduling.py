"""Pods that wait for a machine which the provider does not have."""

from __future__ import annotations

import pytest

from tests.triage.build import ago
from tests.triage.situation import about, background, look, pending

REFUSED = (
    "NodeClaim gpu-x2vkp event: creating instance, insufficient capacity: We currently do not have "
    "sufficient g5.xlarge capacity in the Availability Zone you requested"
)
NO_NODE = "0/9 nodes are available: 9 node(s) didn't match Pod's node affinity/selector."


@pytest.mark.parametrize(
    ("pool", "nominated", "minutes", "cause"),
    [
        ("gpu", "", 10, "no-machine"),
        ("", "gpu-x2vkp", 10, "no-machine"),
        ("gpu-spot", "", 10, "affinity"),  # of another node pool
        ("gpu", "", 90, "affinity"),  # long ago
    ],
)
def test_a_provider_without_machines_is_the_cause(
    pool: str, nominated: str, minutes: int, cause: str
) -> None:
    cluster = background()
    pod = pending(cluster, "train", since=ago(minutes=30))
    pod["status"]["conditions"][0]["message"] = NO_NODE
    pod["spec"]["nodeSelector"] = {"karpenter.sh/nodepool": pool} if pool else {"gpu": "yes"}
    if nominated:
        said = f"Pod should schedule on: nodeclaim/{nominated}"
        cluster.pod_event(pod, "Nominated", said, ago(minutes=29))
    at = ago(minutes=minutes)
    cluster.event("NodeClaim", "", "gpu-x2vkp", "InsufficientCapacityError", REFUSED, at)
    finding = about(look(cluster), "pod-unschedulable", "train")
    assert finding.facts["cause"] == cause
    assert ("g5.xlarge" in finding.claim) is (cause == "no-machine")
