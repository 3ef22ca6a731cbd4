"""Images that are not pulled, and containers that do not start."""

from __future__ import annotations

from tests.triage.build import Cluster, ago, ts
from tests.triage.members.member import member
from tests.triage.situation import pending, running_init


def unpulled(cluster: Cluster, message: str) -> None:
    pod = pending(cluster, "web-1", node="n1", since=ago(minutes=20))
    pod["status"]["containerStatuses"][0]["state"]["waiting"] = {
        "reason": "ImagePullBackOff",
        "message": f'Back-off pulling image "reg.io/app:9": ErrImagePull: {message}',
    }
    cluster.pod_event(
        pod,
        "Failed",
        f'Failed to pull image "reg.io/app:9": {message}',
        ago(minutes=1),
        ago(minutes=20),
        count=9,
    )


def waits(cluster: Cluster, reason: str, message: str) -> None:
    pod = pending(cluster, "web-1", node="n1", since=ago(minutes=20))
    pod["status"]["containerStatuses"][0]["state"]["waiting"] = {
        "reason": reason,
        "message": message,
    }


@member("start", "unknown reason", "FailedCreatePodContainer", guide="container-cannot-start")
def _(cluster: Cluster) -> None:
    pod = pending(cluster, "web-1", node="n1", since=ago(minutes=20))
    cluster.pod_event(
        pod,
        "FailedCreatePodContainer",
        "unable to ensure pod container exists: failed to create container for [kubepods]: no space",
        ago(minutes=1),
        ago(minutes=20),
        count=40,
    )


@member(
    "start", "init container never ends", "init container wait", guide="init-container-not-finished"
)
def _(cluster: Cluster) -> None:
    pending(
        cluster,
        "web-1",
        node="n1",
        since=ago(minutes=40),
        init=[{"name": "wait", "image": "a:1"}],
        init_states=[running_init("wait", ago(minutes=39))],
    )


@member("start", "sidecar never started", "sidecar proxy", guide="init-container-not-finished")
def _(cluster: Cluster) -> None:
    pending(
        cluster,
        "web-1",
        node="n1",
        since=ago(minutes=40),
        init=[
            {
                "name": "proxy",
                "image": "a:1",
                "restartPolicy": "Always",
                "startupProbe": {"tcpSocket": {"port": 1}},
            }
        ],
        init_states=[running_init("proxy", ago(minutes=39), started=False)],
    )


@member("start", "resize infeasible", "resize cannot be done", "64000", guide="not-enough-capacity")
def _(cluster: Cluster) -> None:
    pod = cluster.deployment("web", "shop", replicas=1)["pods"][0]
    pod["status"]["conditions"].append(
        {
            "type": "PodResizePending",
            "status": "True",
            "reason": "Infeasible",
            "message": "Node didn't have enough capacity: cpu, requested: 64000, capacity: 2000",
            "lastTransitionTime": ts(ago(minutes=9)),
        }
    )


@member(
    "start",
    "no address for pods of several nodes",
    "pods of db-0, files-0 and web-0",
    "no pod addresses left",
    guide="pod-ip-exhaustion",
)
def _(cluster: Cluster) -> None:
    said = 'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "1f": plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP address to container'
    for name, node in (("db-0", "n1"), ("files-0", "n2"), ("web-0", "n3")):
        pod = pending(cluster, name, node=node, since=ago(minutes=20))
        cluster.pod_event(
            pod, "FailedCreatePodSandBox", said, ago(minutes=1), ago(minutes=20), count=9
        )
