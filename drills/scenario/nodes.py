"""Nodes as a kubelet 1.34 and the cloud's controllers describe them, with their leases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from drills.api.objects import Obj, digest, rfc3339, rfc3339_micro, stable_uid
from drills.api.world import World, Writer

KUBELET = "v1.34.4"
RUNTIME = "containerd://2.1.5"
KERNEL = "6.8.0-1031-aws"
OS_IMAGE = "Ubuntu 24.04.3 LTS"

_HEALTHY = (
    (
        "MemoryPressure",
        "False",
        "KubeletHasSufficientMemory",
        "kubelet has sufficient memory available",
    ),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)


def add_node(world: World, name: str, data: dict[str, Any]) -> Obj:
    """data: index (gives addresses), zone, age, role (control-plane), cpu, memory, pods,
    instanceType, kubelet, runtime, kernel, osImage, labels, taints, bootAge; fresh: so new that
    only DaemonSets and pods that name it run there."""
    index = int(data["index"])
    if data.get("fresh"):
        world.fresh.add(name)
    created = world.ago(data.get("age", "34d"))
    zone = str(data.get("zone", "a"))
    control = data.get("role") == "control-plane"
    cpu, memory = (
        str(data.get("cpu", "4" if control else "8")),
        str(data.get("memory", "16Gi" if control else "32Gi")),
    )
    labels = {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": str(
            data.get("instanceType", "m6i.xlarge" if control else "m6i.2xlarge")
        ),
        "topology.kubernetes.io/region": "eu-west-1",
        "topology.kubernetes.io/zone": f"eu-west-1{zone}",
        "example.com/pool": "control-plane" if control else str(data.get("pool", "general")),
        **({"node-role.kubernetes.io/control-plane": ""} if control else {}),
        **data.get("labels", {}),
    }
    taints = list(data.get("taints", []))
    if control:
        taints.append({"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"})
    kib = _kib(memory)
    capacity = {
        "cpu": cpu,
        "ephemeral-storage": "101430960Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": f"{kib}Ki",
        "pods": str(data.get("pods", 110)),
    }
    allocatable = {
        **capacity,
        "cpu": f"{int(cpu) * 1000 - 80}m",
        "ephemeral-storage": "93478772582",
        "memory": f"{kib - 1_048_576}Ki",
    }
    ip = f"10.99.1.{10 + index}"
    boot = stable_uid("boot", world.seed, name, data.get("bootAge", ""))
    beat = world.now - timedelta(seconds=index * 7 % 50)
    ready_since = created + timedelta(seconds=34)
    spec: Obj = {
        "podCIDR": f"10.244.{index}.0/24",
        "podCIDRs": [f"10.244.{index}.0/24"],
        "providerID": f"aws:///eu-west-1{zone}/i-0{digest('instance', world.seed, name, size=16)}",
    }
    if taints:
        spec["taints"] = taints
    obj: Obj = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {
                "csi.volume.kubernetes.io/nodeid": f'{{"ebs.csi.aws.com":"i-0{digest("instance", world.seed, name, size=16)}"}}',
                "node.alpha.kubernetes.io/ttl": "0",
                "volumes.kubernetes.io/controller-managed-attach-detach": "true",
            },
            "creationTimestamp": rfc3339(created),
        },
        "spec": spec,
        "status": {
            "capacity": capacity,
            "allocatable": allocatable,
            "conditions": [
                {
                    "type": t,
                    "status": s,
                    "reason": r,
                    "message": m,
                    "lastHeartbeatTime": rfc3339(beat),
                    "lastTransitionTime": rfc3339(ready_since if t == "Ready" else created),
                }
                for t, s, r, m in _HEALTHY
            ],
            "addresses": [
                {"type": "InternalIP", "address": ip},
                {"type": "Hostname", "address": name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "machineID": digest("machine", name),
                "systemUUID": stable_uid("system", name),
                "bootID": boot,
                "kernelVersion": str(data.get("kernel", KERNEL)),
                "osImage": str(data.get("osImage", OS_IMAGE)),
                "containerRuntimeVersion": str(data.get("runtime", RUNTIME)),
                "kubeletVersion": str(data.get("kubelet", KUBELET)),
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": "amd64",
            },
            "images": [],
        },
    }
    world.add(
        obj,
        Writer(
            "kubelet",
            created,
            (
                "metadata.labels",
                "metadata.annotations.csi.volume.kubernetes.io/nodeid",
                "metadata.annotations.volumes.kubernetes.io/controller-managed-attach-detach",
                "spec.providerID",
            ),
        ),
        Writer("kubelet", beat, ("status",), "status"),
        Writer("kube-controller-manager", created, ("spec", "metadata.annotations")),
    )
    lease(world, name)
    csi_node(world, name)
    return obj


def _kib(memory: str) -> int:
    number, unit = int(memory[:-2]), memory[-2:]
    return number * {"Gi": 1024 * 1024, "Mi": 1024, "Ki": 1}[unit]


def lease(world: World, name: str) -> Obj:
    """kube-node-lease: the freshest sign of life of a node."""
    node = world.objects[("Node", "", name)]
    renewed = world.now - timedelta(seconds=int(digest("lease", name, size=4), 16) % 9)
    return world.add(
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": name,
                "namespace": "kube-node-lease",
                "creationTimestamp": node["metadata"]["creationTimestamp"],
                "ownerReferences": [
                    {
                        "apiVersion": "v1",
                        "kind": "Node",
                        "name": name,
                        "uid": node["metadata"]["uid"],
                    }
                ],
            },
            "spec": {
                "holderIdentity": name,
                "leaseDurationSeconds": 40,
                "renewTime": rfc3339_micro(renewed),
            },
        },
        Writer("kubelet", renewed),
    )


def csi_node(world: World, name: str) -> Obj:
    node = world.objects[("Node", "", name)]
    instance = node["spec"]["providerID"].rsplit("/", 1)[1]
    return world.add(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "CSINode",
            "metadata": {
                "name": name,
                "creationTimestamp": node["metadata"]["creationTimestamp"],
                "ownerReferences": [
                    {
                        "apiVersion": "v1",
                        "kind": "Node",
                        "name": name,
                        "uid": node["metadata"]["uid"],
                    }
                ],
            },
            "spec": {
                "drivers": [
                    {
                        "name": "ebs.csi.aws.com",
                        "nodeID": instance,
                        "topologyKeys": ["topology.kubernetes.io/zone"],
                        "allocatable": {"count": 25},
                    }
                ]
            },
        },
        Writer("kubelet", world.ago("34d")),
    )


def list_images(world: World) -> None:
    """node.status.images from the containers that run or ran there."""
    have: dict[str, dict[str, str]] = {}
    for pod in world.of("Pod"):
        node = pod["spec"].get("nodeName")
        for status in pod.get("status", {}).get("containerStatuses") or []:
            if node and status.get("imageID"):
                have.setdefault(node, {})[status["imageID"]] = status["image"]
    for node in world.of("Node"):
        names = have.get(node["metadata"]["name"], {})
        node["status"]["images"] = [
            {
                "names": [digest_name, tag],
                "sizeBytes": 20_000_000 + int(digest("size", tag, size=6), 16) * 9,
            }
            for digest_name, tag in sorted(names.items())
        ][:50]
