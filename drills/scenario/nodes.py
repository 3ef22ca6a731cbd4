"""Nodes as a kubelet 1.34 and the cloud's controllers describe them, with their leases."""

from __future__ import annotations

from datetime import timedelta

from drills.api.managed_fields import FieldManager
from drills.api.objects import (
    Obj,
    digest,
    new_condition,
    owner_reference,
    rfc3339,
    rfc3339_micro,
    stable_uid,
)
from drills.scenario.world import Data, World

KUBELET = "v1.34.4"
RUNTIME = "containerd://2.1.5"
KERNEL = "6.8.0-1031-aws"
OS_IMAGE = "Ubuntu 24.04.3 LTS"
_DRIVER = "ebs.csi.aws.com"
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
_KIB = {"Gi": 1024 * 1024, "Mi": 1024, "Ki": 1}

_HEALTHY = (
    ("MemoryPressure", "SufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "NoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "SufficientPID", "kubelet has sufficient PID available"),
)


def is_control_plane(node: Obj) -> bool:
    return CONTROL_PLANE in node["metadata"]["labels"]


def add_node(world: World, name: str, data: Data) -> None:
    """data: index (gives addresses), zone, age, role (control-plane), cpu, memory, pods,
    instanceType, kubelet, runtime, kernel, osImage, labels, taints; fresh: so new that
    only DaemonSets and pods that name it run there."""
    index, control = int(data["index"]), data.get("role") == "control-plane"
    if data.get("fresh"):
        world.fresh.add(name)
    created, zone = world.ago(data.get("age", "34d")), f"eu-west-1{data.get('zone', 'a')}"
    cpu = str(data.get("cpu", "4" if control else "8"))
    memory = str(data.get("memory", "16Gi" if control else "32Gi"))
    kib = int(memory[:-2]) * _KIB[memory[-2:]]
    instance = data.get("instanceType", "m6i.xlarge" if control else "m6i.2xlarge")
    taints = list(data.get("taints", []))
    if control:
        taints.append({"key": CONTROL_PLANE, "effect": "NoSchedule"})
    capacity = {
        "cpu": cpu,
        "ephemeral-storage": "101430960Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": f"{kib}Ki",
        "pods": str(data.get("pods", 110)),
    }
    machine = f"i-0{digest('instance', world.seed, name, size=16)}"
    beat = world.now - timedelta(seconds=index * 7 % 50)
    ready = rfc3339(created + timedelta(seconds=34))
    conditions = [
        new_condition(kind, False, rfc3339(created), f"KubeletHas{reason}", message)
        for kind, reason, message in _HEALTHY
    ]
    text = "kubelet is posting ready status"
    conditions.append(new_condition("Ready", True, ready, "KubeletReady", text))
    node = world.make(
        "Node",
        name,
        "",
        created,
        FieldManager(
            "kubelet",
            created,
            (
                "metadata.labels",
                "metadata.annotations.csi.volume.kubernetes.io/nodeid",
                "metadata.annotations.volumes.kubernetes.io/controller-managed-attach-detach",
                "spec.providerID",
            ),
        ),
        FieldManager("kubelet", beat, ("status",), "status"),
        FieldManager("kube-controller-manager", created, ("spec", "metadata.annotations")),
        meta={
            "labels": {
                "beta.kubernetes.io/arch": "amd64",
                "beta.kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "node.kubernetes.io/instance-type": str(instance),
                "topology.kubernetes.io/region": "eu-west-1",
                "topology.kubernetes.io/zone": zone,
                "example.com/pool": "control-plane" if control else data.get("pool", "general"),
                **({CONTROL_PLANE: ""} if control else {}),
                **data.get("labels", {}),
            },
            "annotations": {
                "csi.volume.kubernetes.io/nodeid": f'{{"{_DRIVER}":"{machine}"}}',
                "node.alpha.kubernetes.io/ttl": "0",
                "volumes.kubernetes.io/controller-managed-attach-detach": "true",
            },
        },
        spec={
            "podCIDR": f"10.244.{index}.0/24",
            "podCIDRs": [f"10.244.{index}.0/24"],
            "providerID": f"aws:///{zone}/{machine}",
            **({"taints": taints} if taints else {}),
        },
        status={
            "capacity": capacity,
            "allocatable": {
                **capacity,
                "cpu": f"{int(cpu) * 1000 - 80}m",
                "ephemeral-storage": "93478772582",
                "memory": f"{kib - 1_048_576}Ki",
            },
            "conditions": [{**c, "lastHeartbeatTime": rfc3339(beat)} for c in conditions],
            "addresses": [
                {"type": "InternalIP", "address": f"10.99.1.{10 + index}"},
                {"type": "Hostname", "address": name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "machineID": digest("machine", name),
                "systemUUID": stable_uid("system", name),
                "bootID": stable_uid("boot", world.seed, name, ""),
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
    )
    owned = {"ownerReferences": [owner_reference(node)]}
    renewed = world.now - timedelta(seconds=int(digest("lease", name, size=4), 16) % 9)
    lease = {
        "holderIdentity": name,
        "leaseDurationSeconds": 40,
        "renewTime": rfc3339_micro(renewed),
    }
    kubelet = FieldManager("kubelet", renewed)
    world.make("Lease", name, "kube-node-lease", created, kubelet, meta=owned, spec=lease)
    driver = {
        "name": _DRIVER,
        "nodeID": machine,
        "topologyKeys": ["topology.kubernetes.io/zone"],
        "allocatable": {"count": 25},
    }
    kubelet, spec = FieldManager("kubelet", world.ago("34d")), {"drivers": [driver]}
    world.make("CSINode", name, "", created, kubelet, meta=owned, spec=spec)


def list_images(world: World) -> None:
    """node.status.images from the containers that run or ran there."""
    have: dict[str, dict[str, str]] = {}
    for pod in world.of("Pod"):
        node = pod["spec"].get("nodeName")
        for status in pod.get("status", {}).get("containerStatuses") or []:
            if node and status.get("imageID"):
                have.setdefault(node, {})[status["imageID"]] = status["image"]
    for node in world.of("Node"):
        names = sorted(have.get(node["metadata"]["name"], {}).items())
        node["status"]["images"] = [
            {
                "names": [digest_name, tag],
                "sizeBytes": 20_000_000 + int(digest("size", tag, size=6), 16) * 9,
            }
            for digest_name, tag in names[:50]
        ]
