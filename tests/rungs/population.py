"""A large cluster as data: nodes, workloads and pods with a past, to be written into etcd before
the API server starts.

Creating 10,000 pods through the API takes minutes; writing them takes seconds. kwok keeps the
nodes' leases, the controllers find every owner in order and leave the pods as they are.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.rungs.programs.kwok import ANNOTATION

Json = dict[str, Any]
PODS_A_DEPLOYMENT = 20
DEPLOYMENTS_A_NAMESPACE = 10
CRASHING = "payments-0000"
SYSTEM_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


def population(
    *, nodes: int, pods: int, crashing: int = 12, now: datetime | None = None
) -> Iterator[Json]:
    """Namespaces, nodes and Deployments with their ReplicaSets and Running pods, spread over the
    nodes.

    The first Deployment is at fault: its first `crashing` pods are in CrashLoopBackOff, so there is
    something to find. Names, uids and times are the same for the same arguments.
    """
    now = (now or datetime.now(UTC)).replace(microsecond=0)
    born = now - timedelta(days=3)
    deployments = -(-pods // PODS_A_DEPLOYMENT)
    for name in (
        SYSTEM_NAMESPACES
    ):  # else the API server makes them, younger than all that is in the cluster
        yield _namespace(name, born)
    for number in range(-(-deployments // DEPLOYMENTS_A_NAMESPACE)):
        yield _namespace(f"team-{number:03d}", born)
    for number in range(nodes):
        yield _node(number, born, now)
    left = pods
    for number in range(deployments):
        size = min(PODS_A_DEPLOYMENT, left)
        left -= size
        name = CRASHING if number == 0 else f"service-{number:04d}"
        failing = min(crashing, size) if number == 0 else 0
        yield from _workload(
            f"team-{number // DEPLOYMENTS_A_NAMESPACE:03d}",
            name,
            number,
            size,
            failing,
            nodes,
            born,
            now,
        )


def _workload(
    namespace: str,
    name: str,
    number: int,
    size: int,
    failing: int,
    nodes: int,
    born: datetime,
    now: datetime,
) -> Iterator[Json]:
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": namespace}
    template_hash = f"{number:04x}c7d9f8"
    template: Json = {"metadata": {"labels": labels}, "spec": _pod_spec(name)}
    deployment = _meta(
        namespace, name, born, "kubectl-client-side-apply", labels=labels, version="apps/v1"
    )
    deployment["annotations"] = {"deployment.kubernetes.io/revision": "1"}
    counts = {
        "replicas": size,
        "readyReplicas": size - failing,
        "availableReplicas": size - failing,
    }
    yield {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {**deployment, "generation": 1},
        "spec": {"replicas": size, "selector": {"matchLabels": labels}, "template": template},
        "status": {
            **counts,
            "observedGeneration": 1,
            "updatedReplicas": size,
            "unavailableReplicas": failing,
        },
    }
    own = {**labels, "pod-template-hash": template_hash}
    set_name = f"{name}-{template_hash}"
    above = ("apps/v1", "Deployment", deployment)
    replica_set = _meta(
        namespace,
        set_name,
        born,
        "kube-controller-manager",
        labels=own,
        owner=above,
        version="apps/v1",
    )
    replica_set["annotations"] = {
        "deployment.kubernetes.io/revision": "1",
        "deployment.kubernetes.io/desired-replicas": str(size),
    }
    yield {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {**replica_set, "generation": 1},
        "spec": {
            "replicas": size,
            "selector": {"matchLabels": own},
            "template": {"metadata": {"labels": own}, "spec": template["spec"]},
        },
        "status": {**counts, "observedGeneration": 1, "fullyLabeledReplicas": size},
    }
    for index in range(size):
        pod = _meta(
            namespace,
            f"{set_name}-{index:05d}",
            born,
            "kube-controller-manager",
            labels=own,
            owner=("apps/v1", "ReplicaSet", replica_set),
        )
        place = (number * PODS_A_DEPLOYMENT + index) % nodes
        address = f"10.{128 + place // 250}.{place % 250}.{1 + (number * PODS_A_DEPLOYMENT + index) // nodes % 254}"
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**pod, "generateName": f"{set_name}-"},
            "spec": {**template["spec"], "nodeName": _node_name(place)},
            "status": _pod_status(name, place, address, born, now if index < failing else None),
        }


def _pod_spec(name: str) -> Json:
    container: Json = {
        "name": "app",
        "image": f"registry.example/{name}:1.{len(name)}.0",
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [
            {"name": key, "value": f"value-of-{key.lower()}"}
            for key in ("LOG_LEVEL", "REGION", "CACHE_URL", "QUEUE_URL")
        ],
        "resources": {
            "requests": {"cpu": "100m", "memory": "128Mi"},
            "limits": {"memory": "256Mi"},
        },
        "readinessProbe": {
            "httpGet": {"path": "/ready", "port": "http", "scheme": "HTTP"},
            "periodSeconds": 10,
            "timeoutSeconds": 1,
        },
        "livenessProbe": {
            "httpGet": {"path": "/live", "port": "http", "scheme": "HTTP"},
            "periodSeconds": 10,
            "timeoutSeconds": 1,
        },
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}],
    }
    return {
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": f"{name}-config", "optional": True}}],
        "restartPolicy": "Always",
        "serviceAccountName": "default",
        "terminationGracePeriodSeconds": 30,
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{key}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            }
            for key in ("not-ready", "unreachable")
        ],
    }


def _pod_status(
    name: str, place: int, address: str, born: datetime, crashed: datetime | None
) -> Json:
    up, began = crashed is None, _time(born + timedelta(seconds=4))
    changed = began if crashed is None else _time(crashed - timedelta(minutes=9))
    ready = "True" if up else "False"
    reason = (
        {}
        if up
        else {"reason": "ContainersNotReady", "message": "containers with unready status: [app]"}
    )
    conditions: list[Json] = [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": _time(born)},
        {"type": "Initialized", "status": "True", "lastTransitionTime": _time(born)},
        {"type": "ContainersReady", "status": ready, "lastTransitionTime": changed, **reason},
        {"type": "Ready", "status": ready, "lastTransitionTime": changed, **reason},
    ]
    container: Json = {
        "name": "app",
        "image": f"registry.example/{name}:1.{len(name)}.0",
        "imageID": f"registry.example/{name}@sha256:{uuid.uuid5(uuid.NAMESPACE_URL, name).hex * 2}",
        "containerID": f"containerd://{uuid.uuid5(uuid.NAMESPACE_URL, name + address).hex * 2}",
        "ready": up,
        "started": up,
        "restartCount": 0,
        "state": {"running": {"startedAt": began}},
    }
    if crashed is not None:
        container["restartCount"] = 6
        container["state"] = {
            "waiting": {
                "reason": "CrashLoopBackOff",
                "message": "back-off 2m40s restarting failed container=app",
            },
        }
        container["lastState"] = {
            "terminated": {
                "exitCode": 1,
                "reason": "Error",
                "startedAt": _time(crashed - timedelta(minutes=2)),
                "finishedAt": _time(crashed - timedelta(minutes=1, seconds=58)),
            },
        }
    return {
        "phase": "Running",
        "conditions": conditions,
        "hostIP": _node_address(place),
        "hostIPs": [{"ip": _node_address(place)}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": _time(born),
        "qosClass": "Burstable",
        "containerStatuses": [container],
    }


def _namespace(name: str, born: datetime) -> Json:
    meta = _meta("", name, born, "kubectl-create", labels={"kubernetes.io/metadata.name": name})
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": meta,
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def _node(number: int, born: datetime, now: datetime) -> Json:
    name = _node_name(number)
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": "m5.xlarge",
        "topology.kubernetes.io/zone": f"zone-{'abc'[number % 3]}",
    }
    meta = _meta("", name, born, "kubelet", labels=labels)
    meta["annotations"] = {ANNOTATION: "fake", "node.alpha.kubernetes.io/ttl": "0"}
    conditions = [
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
        (
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
        ),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("NetworkUnavailable", "False", "RouteCreated", "RouteController created a route"),
    ]
    amount = {"cpu": "32", "memory": "128Gi", "pods": "250", "ephemeral-storage": "200Gi"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": meta,
        "spec": {"podCIDR": f"10.{128 + number // 250}.{number % 250}.0/24"},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": _node_address(number)},
                {"type": "Hostname", "address": name},
            ],
            "allocatable": amount,
            "capacity": amount,
            "phase": "Running",
            "conditions": [
                {
                    "type": kind,
                    "status": status,
                    "reason": reason,
                    "message": message,
                    "lastHeartbeatTime": _time(now),
                    "lastTransitionTime": _time(born),
                }
                for kind, status, reason, message in conditions
            ],
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": str(uuid.uuid5(uuid.NAMESPACE_URL, name + "boot")),
                "containerRuntimeVersion": "containerd://1.7.27",
                "kernelVersion": "6.1.0",
                "kubeProxyVersion": "",
                "kubeletVersion": "v1.34.4",
                "machineID": uuid.uuid5(uuid.NAMESPACE_URL, name).hex,
                "operatingSystem": "linux",
                "osImage": "Debian GNU/Linux 12 (bookworm)",
                "systemUUID": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
            },
        },
    }


def _meta(
    namespace: str,
    name: str,
    born: datetime,
    manager: str,
    *,
    labels: Json,
    owner: tuple[str, str, Json] | None = None,
    version: str = "v1",
) -> Json:
    """`version`: apiVersion of the object. At the next write the API server forgets all managers
    when one names another group's version."""
    meta: Json = {
        "name": name,
        "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{namespace}/{name}/{manager}")),
        "creationTimestamp": _time(born),
        "labels": labels,
        "managedFields": [_managed(manager, born, labels, version)],
    }
    if namespace:
        meta["namespace"] = namespace
    if owner is not None:
        version, kind, above = owner
        reference = {
            "apiVersion": version,
            "kind": kind,
            "name": above["name"],
            "uid": above["uid"],
        }
        meta["ownerReferences"] = [{**reference, "controller": True, "blockOwnerDeletion": True}]
    return meta


def _managed(manager: str, at: datetime, labels: Json, version: str) -> Json:
    fields: Json = {"f:metadata": {"f:labels": {".": {}, **{f"f:{key}": {} for key in labels}}}}
    return {
        "manager": manager,
        "operation": "Update",
        "apiVersion": version,
        "time": _time(at),
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }


def _node_name(number: int) -> str:
    return f"worker-{number:03d}"


def _node_address(number: int) -> str:
    return f"172.20.{number // 250}.{1 + number % 250}"


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
