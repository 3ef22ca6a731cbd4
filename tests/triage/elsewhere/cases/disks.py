"""Situations of disks: full, or not attached."""

from __future__ import annotations

from datetime import datetime

from tests.triage.elsewhere import flavours
from tests.triage.elsewhere.case import Truth, case
from tests.triage.elsewhere.objects import container, pod_spec, text
from tests.triage.elsewhere.trouble import (
    moved,
    name_of,
    ordinary,
    pressure,
)
from tests.triage.elsewhere.world import World


@case("node-disk-full-container-logs", ranked_only=True)
def logs_fill_the_disk(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=10, minor=25, docker=True, pods=140)
    spec = pod_spec(container("gateway", "registry.corp.example/lab/mqtt-gateway:1.0", limit="1Gi"))
    chatty = w.workload("Deployment", "lab", "mqtt-gateway", 2, template=spec, rolled=w.ago(days=9))
    node = next(n for n in w.nodes if name_of(n) == chatty.pods[0]["spec"]["nodeName"])
    if fault:
        pressure(w, node, "DiskPressure", w.ago(17))
        w.event(
            node,
            "NodeHasDiskPressure",
            f"Node {name_of(node)} status is now: NodeHasDiskPressure",
            w.ago(17),
            type_="Normal",
        )
        w.event(
            node,
            "EvictionThresholdMet",
            "Attempting to reclaim ephemeral-storage",
            w.ago(1),
            first=w.ago(17.2),
            count=70,
        )
        w.event(
            node,
            "FreeDiskSpaceFailed",
            "Failed to garbage collect required amount of images. Attempted to free 9663676416 "
            "bytes, but only found 0 bytes "
            "eligible to free.",
            w.ago(2),
            first=w.ago(21),
            count=4,
        )
        w.event(
            node,
            "ImageGCFailed",
            "Failed to garbage collect required amount of images. Attempted to free 9663676416 "
            "bytes, but only found 0 bytes eligible "
            "to free.",
            w.ago(2),
            first=w.ago(21),
            count=4,
        )
        for number, pod in enumerate(ordinary(w, node)):
            own = pod in chatty.pods
            used = "51239816Ki" if own else "48Ki"
            w.evicted(
                pod,
                w.ago(16 - number * 1.2),
                "The node was low on resource: ephemeral-storage. Threshold quantity: 4293918720, "
                "available: 3122004Ki. "
                f"Container {pod['spec']['containers'][0]['name']} was using {used}, request is "
                "0, has larger consumption of ephemeral-storage. ",
            )
            moved(w, pod, w.ago(16 - number * 1.2))
            del pod["metadata"]["deletionTimestamp"], pod["metadata"]["deletionGracePeriodSeconds"]
    return w, Truth(w.ago(18), (("node", name_of(node)),))


@case("node-disk-full-container-logs", ranked_only=True)
def two_nodes_of_a_batch_full(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=12, pods=150)
    spec = pod_spec(container("trace", "registry.corp.example/data/tracer:0.2", limit=""))
    loud = w.workload("DaemonSet", "data", "tracer", template=spec, nodes=w.nodes[:2])
    if fault:
        for number, node in enumerate(w.nodes[:2]):
            at = 25 - 9 * number
            pressure(w, node, "DiskPressure", w.ago(at))
            w.event(
                node,
                "NodeHasDiskPressure",
                f"Node {name_of(node)} status is now: NodeHasDiskPressure",
                w.ago(at),
                type_="Normal",
            )
            w.event(
                node,
                "EvictionThresholdMet",
                "Attempting to reclaim ephemeral-storage",
                w.ago(1),
                first=w.ago(at),
                count=90,
            )
            w.event(
                node,
                "FreeDiskSpaceFailed",
                "Failed to garbage collect required amount of images. Attempted to free "
                "5368709120 bytes, but only found 0 bytes eligible to "
                "free.",
                w.ago(3),
                first=w.ago(at + 4),
                count=5,
            )
            for pod in ordinary(w, node)[:4]:
                w.evicted(
                    pod,
                    w.ago(at - 1),
                    "The node was low on resource: ephemeral-storage. Threshold quantity: "
                    "8581786410, available: 8310084Ki. Container "
                    f"{pod['spec']['containers'][0]['name']} was using 112Ki, request is 0, has "
                    "larger consumption of ephemeral-storage. ",
                )
            w.evicted(
                loud.pods[number],
                w.ago(at - 0.5),
                "The node was low on resource: ephemeral-storage. Threshold quantity: 8581786410, "
                "available: 8310084Ki. Container trace "
                "was using 61811340Ki, request is 0, has larger consumption of ephemeral-storage. ",
            )
    return w, Truth(w.ago(27))


@case("volume-attach-stuck")
def azure_disk_attached_to_a_lost_node(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.aks(now, n=9, pods=120)
    node = w.workers()[2]
    spec = pod_spec(container("pg", "docker.io/library/postgres:15.6", memory="1Gi", limit="2Gi"))
    ones = [
        w.workload(
            "StatefulSet",
            "reporting",
            f"warehouse-{k}",
            1,
            template=spec,
            claims="managed-premium",
            nodes=[node],
        )
        for k in "abc"
    ]
    if fault:
        w.ready(node, "Unknown", w.ago(24))
        w.objects = [
            o
            for o in w.objects
            if not (
                o["kind"] == "Pod"
                and o["spec"].get("nodeName") == name_of(node)
                and o["metadata"]["ownerReferences"][0]["kind"] != "DaemonSet"
            )
        ]
        for one in ones:
            claim = f"data-{one.name}-0"
            pod = w.pod(one, w.workers()[4], w.ago(18), index=0)
            volume = next(
                o
                for o in w.objects
                if o["kind"] == "PersistentVolumeClaim" and o["metadata"]["name"] == claim
            )["spec"]["volumeName"]
            w.waiting(pod, w.ago(18), "ContainerCreating", sandbox=False)
            w.event(
                pod,
                "FailedAttachVolume",
                f'Multi-Attach error for volume "{volume}" Volume is already exclusively attached '
                "to one node and can't be attached "
                "to another",
                w.ago(17.9),
                component="attachdetach-controller",
            )
            w.event(
                pod,
                "FailedAttachVolume",
                f'AttachVolume.Attach failed for volume "{volume}" : rpc error: code = Internal '
                "desc = Attach volume "
                f"/subscriptions/5f/disks/{volume} to instance failed with disk already attached "
                f"to node({name_of(node)}), could not be attached to "
                f"node({pod['spec']['nodeName']})",
                w.ago(0.8),
                first=w.ago(11.8),
                count=13,
                component="attachdetach-controller",
            )
            w.event(
                pod,
                "FailedMount",
                "Unable to attach or mount volumes: unmounted volumes=[data], unattached "
                "volumes=[], failed to process volumes=[]: timed out "
                "waiting for the condition",
                w.ago(2),
                first=w.ago(16),
                count=7,
            )
            for o in w.objects:
                if (
                    o["kind"] == "VolumeAttachment"
                    and o["spec"]["source"]["persistentVolumeName"] == volume
                ):
                    o["metadata"]["deletionTimestamp"] = text(w.ago(12))
                    o["metadata"]["finalizers"] = ["external-attacher/disk-csi"]
                    o["status"]["detachError"] = {
                        "time": text(w.ago(1)),
                        "message": "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
                    }
    return w, Truth(w.ago(18))


@case("volume-attach-stuck")
def ceph_image_still_in_use(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.rke2(now, n=9, pods=130)
    spec = pod_spec(container("mongo", "docker.io/library/mongo:7", memory="1Gi", limit="2Gi"))
    for k in range(4):
        one = w.workload(
            "StatefulSet",
            "plm",
            f"store{k}",
            1,
            template=spec,
            claims="rook-ceph-block",
            rolled=w.ago(21 - k) if fault else None,
            nodes=[w.workers()[k]],
        )
        if fault:
            pod = one.pods[0]
            volume = next(
                o
                for o in w.objects
                if o["kind"] == "PersistentVolumeClaim"
                and o["metadata"]["name"] == f"data-store{k}-0"
            )["spec"]["volumeName"]
            w.waiting(pod, w.ago(21 - k), "ContainerCreating", sandbox=False)
            w.event(
                pod,
                "FailedMount",
                f'MountVolume.MountDevice failed for volume "{volume}" : rpc error: code = '
                "Internal desc = rbd image "
                "replicapool/csi-vol-77 is still being used",
                w.ago(1),
                first=w.ago(20 - k),
                count=12,
            )
            w.event(
                pod,
                "FailedMount",
                f'MountVolume.MountDevice failed for volume "{volume}" : rpc error: code = '
                "Aborted desc = an operation with the given Volume ID "
                "0001-0009-rook-ceph-77 already exists",
                w.ago(0.5),
                first=w.ago(18 - k),
                count=9,
            )
    return w, Truth(w.ago(21))


@case("volume-attach-stuck")
def no_attachment_comes_about(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.openshift(now, n=9, pods=140)
    spec = pod_spec(
        container("db", "registry.redhat.io/rhel9/postgresql-15:1", memory="1Gi", limit="2Gi")
    )
    for k in range(3):
        one = w.workload(
            "StatefulSet",
            "kyc",
            f"docs{k}",
            1,
            template=spec,
            claims="cinder",
            nodes=[w.workers()[k]],
            rolled=w.ago(22 - k) if fault else None,
        )
        if fault:
            pod = one.pods[0]
            claim = next(
                o
                for o in w.objects
                if o["kind"] == "PersistentVolumeClaim"
                and o["metadata"]["name"] == f"data-docs{k}-0"
            )
            volume = claim["spec"]["volumeName"]
            w.waiting(pod, w.ago(22 - k), "ContainerCreating", sandbox=False)
            w.event(
                pod,
                "FailedAttachVolume",
                f'AttachVolume.Attach failed for volume "{volume}" : timed out waiting for '
                "external-attacher of cinder.csi.openstack.org CSI "
                "driver to attach volume 8d3",
                w.ago(1),
                first=w.ago(20 - k),
                count=8,
                component="attachdetach-controller",
            )
            for o in w.objects:
                if (
                    o["kind"] == "VolumeAttachment"
                    and o["spec"]["source"]["persistentVolumeName"] == volume
                ):
                    o["status"] = {
                        "attached": False,
                        "attachError": {
                            "time": text(w.ago(1)),
                            "message": "rpc error: code = DeadlineExceeded desc = context deadline exceeded",
                        },
                    }
    return w, Truth(w.ago(22))
