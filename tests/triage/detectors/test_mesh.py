"""A mesh without its control plane: the cause stands above the sidecars that wait for it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.triage.build import Cluster, ago, ts
from tests.triage.situation import background, look
from triage.facts.finding import Severity

MESHES = (
    ("istio-system", "istiod", "docker.io/istio/pilot:1.24", "istio-proxy"),
    ("linkerd", "linkerd-destination", "cr.l5d.io/linkerd/controller:2.14", "linkerd-proxy"),
)


def unready(pod: dict[str, Any], minutes: float, container: str, ready: bool) -> None:
    """A pod that had been ready, and whose sidecar or own container is not."""
    at = ts(ago(minutes=minutes))
    for condition in pod["status"]["conditions"]:
        if condition["type"] in ("Ready", "ContainersReady"):
            condition.update(status="False", reason="ContainersNotReady", lastTransitionTime=at)
    state = {"running": {"startedAt": ts(ago(days=1))}}
    own = pod["status"]["containerStatuses"]
    own[0]["ready"] = ready
    own.append({"name": container, "ready": not ready, "restartCount": 0, "state": state})


def trouble(
    cluster: Cluster, mesh: tuple[str, str, str, str], minutes: float, sidecar: bool = True
) -> None:
    """The control plane is down, and pods of four owners on as many nodes become unready."""
    namespace, name, image, container = mesh
    plane = cluster.deployment(name, namespace, replicas=2, image=image)
    plane["status"].update(
        readyReplicas=0,
        availableReplicas=0,
        conditions=[
            {
                "type": "Available",
                "status": "False",
                "lastTransitionTime": ts(ago(minutes=minutes)),
            }
        ],
    )
    for pod in plane["pods"]:
        cluster.waiting(pod, "CrashLoopBackOff", restarts=6, phase="Running")
    for number in range(4):
        space = ("shop", "billing")[number % 2]
        work = cluster.deployment(f"app{number}", space, replicas=1)
        work["pods"][0]["spec"]["nodeName"] = f"n{number + 1}"
        unready(work["pods"][0], 12, container, ready=sidecar)


@pytest.mark.parametrize("mesh", MESHES)
def test_the_control_plane_of_the_mesh_stands_above_its_sidecars(
    mesh: tuple[str, str, str, str],
) -> None:
    cluster = background()
    trouble(cluster, mesh, 15)
    report = look(cluster)
    loud = [s for s in report.symptoms if s.severity is not Severity.INFO]
    assert loud[0].title.startswith(f"{mesh[1]}, the control plane of the mesh ")
    assert len(loud) == 1, [s.title for s in loud]
    assert {"mesh-degraded", "not-ready-together"} <= {f.rule for f in loud[0].findings}


@pytest.mark.parametrize(
    ("minutes", "sidecar"),
    [(15, False), (2, True)],  # their own containers are not ready; it went down after them
)
def test_what_does_not_follow_from_the_mesh_stands_alone(minutes: float, sidecar: bool) -> None:
    cluster = background()
    trouble(cluster, MESHES[0], minutes, sidecar)
    report = look(cluster)
    assert "mesh-degraded" not in {f.rule for f in report.findings}
    assert len([s for s in report.symptoms if s.severity is not Severity.INFO]) > 1
