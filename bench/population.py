"""Pods of a broken cluster as an API server sends them, and what belongs to them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

NOW = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
BROKEN = 25
"""Each pod of so many is broken: 4 %."""
_RUNNING: dict[str, Any] = {"state": {"running": {"startedAt": "2026-11-21T01:00:00Z"}}}
_ENDED = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-21T03:05:00Z"}
_STATES: tuple[tuple[dict[str, Any], str], ...] = (
    (
        {
            "restartCount": 14,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
            "lastState": {"terminated": _ENDED},
        },
        "Running",
    ),
    (
        {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "manifest unknown"}}},
        "Pending",
    ),
    (
        {"state": {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "a"'}}},
        "Pending",
    ),
    (_RUNNING, "Running"),
    ({}, "Pending"),
)


def pod(number: int, broken_each: int = BROKEN, *, now: datetime = NOW, nodes: int = 50) -> Any:
    """One pod. Ten pods have one owner; each broken pod has its own and is broken in one of five
    ways."""
    broken = number % broken_each == 0
    owner = f"broken-{number}" if broken else f"app-{number // 10}"
    born = _stamp(now - timedelta(hours=2, seconds=number % 3_000))
    state, phase = (
        _STATES[number // broken_each % len(_STATES)] if broken else (_RUNNING, "Running")
    )
    ready = "True" if state is _RUNNING and not broken else "False"
    return {
        "metadata": {
            "name": f"{owner}-{number:06d}",
            "namespace": f"team-{number // 10 % 40}",
            "uid": f"uid-{number}",
            "resourceVersion": str(number + 1),
            "creationTimestamp": born,
            "labels": {"app": owner, "pod-template-hash": "abc"},
            "ownerReferences": [
                {"kind": "ReplicaSet", "name": f"{owner}-abc", "uid": owner, "controller": True}
            ],
        },
        "spec": {
            "nodeName": "" if phase == "Pending" and not state else f"node-{number % nodes}",
            "containers": [{"name": "main", "image": f"registry.example/{owner}:1"}],
        },
        "status": {
            "phase": phase,
            "startTime": born,
            "podIP": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
            "conditions": [
                {"type": "Ready", "status": ready, "lastTransitionTime": born},
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": born},
            ],
            "containerStatuses": [
                {"name": "main", "ready": ready == "True", "image": f"{owner}:1", **state}
            ],
        },
    }


def breaking(number: int, now: datetime) -> Any:
    """The pod as one that has begun to crash just now."""
    one = pod(number, 1, now=now)
    status = one["status"]
    status["phase"] = "Running"
    for condition in status["conditions"][:1]:
        condition |= {"status": "False", "lastTransitionTime": _stamp(now)}
    ended = {"terminated": {**_ENDED, "finishedAt": _stamp(now)}}
    status["containerStatuses"][0] |= {**_STATES[0][0], "lastState": ended, "ready": False}
    return one


def _crashing(number: int, now: datetime) -> dict[str, Any]:
    """A container that began to crash at a time of its own, long enough ago that what begins now
    stands above it."""
    ended = {**_ENDED, "exitCode": 1, "reason": "Error"}
    ended["finishedAt"] = _stamp(now - timedelta(minutes=35 + number % 1_000))
    state = {**_STATES[0][0], "lastState": {"terminated": ended}}
    return {"name": "main", "ready": False, "image": f"broken-{number}:1", **state}


def pod_list(count: int) -> dict[str, Any]:
    items = [pod(number) for number in range(count)]
    return {"kind": "PodList", "metadata": {"resourceVersion": "1"}, "items": items}


def rendered_pods(
    count: int, broken_each: int, nodes: int, now: datetime, *, apart: bool = False
) -> Iterator[bytes]:
    """Pods as JSON of about the size that real ones have (7.5 kB, most of it managedFields). Each
    broken one is broken in one of five ways, or (`apart`) by a cause of its own."""
    for number in range(count):
        one = pod(number, broken_each, now=now, nodes=nodes)
        if apart and number % broken_each == 0:
            one["status"] |= {"phase": "Running", "containerStatuses": [_crashing(number, now)]}
        one["metadata"]["managedFields"] = _MANAGED
        one["spec"] |= _SPEC
        one["spec"]["containers"][0] |= _CONTAINER
        yield msgspec.json.encode(one)


def rendered_owners(count: int, broken_each: int, now: datetime) -> Iterator[bytes]:
    """The ReplicaSets of the pods."""
    stamp, known = _stamp(now - timedelta(days=3)), set()
    for number in range(count):
        meta = pod(number, broken_each, now=now)["metadata"]
        owner = meta["ownerReferences"][0]
        if owner["uid"] in known:
            continue
        known.add(owner["uid"])
        status = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1}
        yield msgspec.json.encode(
            {
                "metadata": {
                    "name": owner["name"],
                    "namespace": meta["namespace"],
                    "uid": owner["uid"],
                    "resourceVersion": str(number + 1),
                    "creationTimestamp": stamp,
                },
                "spec": {"replicas": 1},
                "status": status,
            }
        )


def rendered_nodes(count: int, now: datetime) -> Iterator[bytes]:
    stamp = _stamp(now - timedelta(days=30))
    heard = _stamp(now)
    for number in range(count):
        name = f"node-{number}"
        yield msgspec.json.encode(
            {
                "metadata": {
                    "name": name,
                    "uid": f"uid-{name}",
                    "resourceVersion": str(number + 1),
                    "creationTimestamp": stamp,
                    "labels": {"kubernetes.io/hostname": name},
                },
                "spec": {},
                "status": {
                    "capacity": {"cpu": "16", "memory": "64981500Ki", "pods": "110"},
                    "allocatable": {"cpu": "15890m", "memory": "61896188Ki", "pods": "110"},
                    "conditions": [
                        {
                            "type": "Ready",
                            "status": "True",
                            "lastHeartbeatTime": heard,
                            "lastTransitionTime": stamp,
                        }
                    ],
                    "nodeInfo": {"kubeletVersion": "v1.34.4", "bootID": f"boot-{number}"},
                },
            }
        )


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _fields(*names: str) -> dict[str, Any]:
    return {f"f:{name}": {} for name in names}


_MANAGED = msgspec.Raw(
    msgspec.json.encode(
        [
            {
                "manager": manager,
                "operation": "Update",
                "apiVersion": "v1",
                "time": _stamp(NOW),
                "fieldsType": "FieldsV1",
                "fieldsV1": {
                    f'k:{{"name":"{part}-{number}"}}': _fields(
                        "image", "imagePullPolicy", "livenessProbe", "ports", "resources", "env"
                    )
                    for number in range(17)
                },
            }
            for manager, part in (("kube-controller-manager", "container"), ("kubelet", "status"))
        ]
    )
)
_SPEC = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "serviceAccountName": "default",
    "schedulerName": "default-scheduler",
    "tolerations": [
        {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute"}
        for key in ("not-ready", "unreachable")
    ],
    "volumes": [{"name": "config", "configMap": {"name": "settings", "defaultMode": 420}}],
}
_CONTAINER = {
    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
    "env": [{"name": f"SETTING_{number}", "value": "x" * 40} for number in range(10)],
    "resources": {"limits": {"memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "512Mi"}},
    "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10},
    "terminationMessagePath": "/dev/termination-log",
}
