"""The other kinds of core/v1: nodes, namespaces, events, Services, claims, volumes and quotas."""

from __future__ import annotations

import msgspec

from cluster.kube.objects.meta import (
    Condition,
    LabelSelector,
    ManagedObject,
    Object,
    ObjectReference,
    Time,
    Wire,
)


class Taint(Wire, frozen=True):
    key: str = ""
    value: str = ""
    effect: str = ""
    time_added: Time | None = None


class NodeAddress(Wire, frozen=True):
    type: str = ""
    address: str = ""


class NodeSystemInfo(Wire, frozen=True):
    boot_id: str = msgspec.field(default="", name="bootID")
    kernel_version: str = ""
    os_image: str = ""
    container_runtime_version: str = ""
    kubelet_version: str = ""
    architecture: str = ""


class NodeImage(Wire, frozen=True):
    names: tuple[str, ...] = ()


class NodeSpec(Wire, frozen=True):
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()
    pod_cidr: str = msgspec.field(default="", name="podCIDR")
    pod_cidrs: tuple[str, ...] = msgspec.field(default=(), name="podCIDRs")
    provider_id: str = msgspec.field(default="", name="providerID")
    """`aws:///eu-west-1a/i-0f`, "" where no cloud provider looks after the node."""


class NodeStatus(Wire, frozen=True):
    capacity: dict[str, str] = {}
    allocatable: dict[str, str] = {}
    conditions: tuple[Condition, ...] = ()
    addresses: tuple[NodeAddress, ...] = ()
    node_info: NodeSystemInfo = NodeSystemInfo()
    images: tuple[NodeImage, ...] = ()


class Node(ManagedObject, frozen=True):
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class EventSource(Wire, frozen=True):
    component: str = ""
    host: str = ""


class EventSeries(Wire, frozen=True):
    count: int = 0
    last_observed_time: Time | None = None


class Event(Object, frozen=True):
    involved_object: ObjectReference = ObjectReference()
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int = 0
    first_timestamp: Time | None = None
    last_timestamp: Time | None = None
    event_time: Time | None = None
    series: EventSeries | None = None
    source: EventSource = EventSource()
    reporting_component: str = ""
    reporting_instance: str = ""


class ServicePort(Wire, frozen=True):
    name: str = ""
    protocol: str = "TCP"
    port: int = 0
    target_port: int | str = 0
    node_port: int = 0


class ServiceSpec(Wire, frozen=True):
    type: str = "ClusterIP"
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    cluster_ips: tuple[str, ...] = msgspec.field(default=(), name="clusterIPs")
    selector: dict[str, str] = {}
    ports: tuple[ServicePort, ...] = ()
    external_name: str = ""
    external_traffic_policy: str = ""
    load_balancer_class: str = ""
    load_balancer_source_ranges: tuple[str, ...] = ()
    publish_not_ready_addresses: bool = False


class LoadBalancerIngress(Wire, frozen=True):
    ip: str = ""
    hostname: str = ""


class LoadBalancerStatus(Wire, frozen=True):
    ingress: tuple[LoadBalancerIngress, ...] = ()


class LoadBalanced(Wire, frozen=True):
    load_balancer: LoadBalancerStatus = LoadBalancerStatus()


class Service(ManagedObject, frozen=True):
    spec: ServiceSpec = ServiceSpec()
    status: LoadBalanced = LoadBalanced()


class ClaimResources(Wire, frozen=True):
    requests: dict[str, str] = {}


class ClaimSpec(Wire, frozen=True):
    volume_name: str = ""
    storage_class_name: str | None = None
    access_modes: tuple[str, ...] = ()
    volume_mode: str = ""
    resources: ClaimResources = ClaimResources()
    selector: LabelSelector | None = None


class ClaimStatus(Wire, frozen=True):
    phase: str = ""
    capacity: dict[str, str] = {}
    conditions: tuple[Condition, ...] = ()


class PersistentVolumeClaim(ManagedObject, frozen=True):
    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()


class CSIVolume(Wire, frozen=True):
    driver: str = ""


class VolumeSpec(Wire, frozen=True):
    claim_ref: ObjectReference | None = None
    storage_class_name: str = ""
    capacity: dict[str, str] = {}
    access_modes: tuple[str, ...] = ()
    volume_mode: str = ""
    csi: CSIVolume | None = None


class VolumeStatus(Wire, frozen=True):
    phase: str = ""
    reason: str = ""
    message: str = ""


class PersistentVolume(ManagedObject, frozen=True):
    spec: VolumeSpec = VolumeSpec()
    status: VolumeStatus = VolumeStatus()


class ResourceQuotaStatus(Wire, frozen=True):
    hard: dict[str, str] = {}
    used: dict[str, str] = {}


class ResourceQuota(ManagedObject, frozen=True):
    status: ResourceQuotaStatus = ResourceQuotaStatus()


class NamespaceStatus(Wire, frozen=True):
    phase: str = ""
    conditions: tuple[Condition, ...] = ()
    """While it is deleted: what keeps it (kubernetes pkg/controller/namespace/deletion)."""


class Namespace(ManagedObject, frozen=True):
    status: NamespaceStatus = NamespaceStatus()
