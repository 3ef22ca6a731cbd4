"""Which images a node has, as its pods tell."""

from __future__ import annotations

from typing import Any

import pytest

from probes.select.image import images_on
from tests.triage.build import Cluster

RUNNING = {"running": {"startedAt": "2026-03-14T09:26:00Z"}}
ENDED = {"terminated": {"exitCode": 1, "startedAt": "2026-03-14T09:26:00Z"}}
WAITING = {"waiting": {"reason": "CrashLoopBackOff"}}


@pytest.mark.parametrize(
    ("status", "present"),
    [
        ({"state": RUNNING}, True),
        ({"state": ENDED}, True),
        ({"state": WAITING, "lastState": ENDED}, True),
        ({"state": WAITING}, False),
        ({"state": {"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}}}, False),
    ],
)
def test_a_node_has_the_images_of_containers_that_have_run(
    status: dict[str, Any], present: bool
) -> None:
    cluster = Cluster(nodes=1)
    pod = cluster.pod(cluster.deployment("n", "app", replicas=0))
    (container,) = pod["spec"]["containers"]
    pod["status"]["containerStatuses"] = [{"name": container["name"], **status}]
    found = images_on(cluster.store(), pod["spec"]["nodeName"])
    assert (container["image"] in found) is present
