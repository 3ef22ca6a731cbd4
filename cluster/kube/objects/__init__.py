"""Kubernetes objects as the product reads them: typed, frozen, and only the fields that are used.

One file for each API group or two; callers import from here.

Typed msgspec Structs decode at over 1 GB/s, dictionaries at a tenth of that, so fields that nothing
reads are not named: they are skipped on the wire. Names are the API's own in snake case. A missing
field has its zero value. `null` where a list or an object is expected is repaired by
`cluster.kube.decode`, never an error. Objects of kinds with metadata only (Secret, ConfigMap and
the kinds watched just for "what changed") are `PartialObject`.
"""

from __future__ import annotations

from cluster.kube.objects.apps import (
    ControllerRevision,
    DaemonSet,
    DaemonSetStatus,
    Deployment,
    DeploymentSpec,
    ReplicaSet,
    ReplicaSetSpec,
    StatefulSet,
    WorkloadStatus,
)
from cluster.kube.objects.batch import (
    CronJob,
    Job,
)
from cluster.kube.objects.core import (
    Event,
    EventSeries,
    EventSource,
    Namespace,
    Node,
    NodeAddress,
    NodeSpec,
    NodeStatus,
    NodeSystemInfo,
    PersistentVolume,
    PersistentVolumeClaim,
    ResourceQuota,
    Service,
    ServicePort,
    ServiceSpec,
)
from cluster.kube.objects.meta import (
    Condition,
    LabelSelector,
    LabelSelectorRequirement,
    LeanMeta,
    ManagedFields,
    ObjectMeta,
    ObjectReference,
    OwnerReference,
    PartialObject,
    Ref,
    Time,
)
from cluster.kube.objects.networking import (
    EndpointSlice,
    Ingress,
    IPBlock,
    NetworkPolicy,
    NetworkPolicyIngressRule,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    NetworkPolicySpec,
)
from cluster.kube.objects.pods import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    Pod,
    PodSpec,
    PodStatus,
    Toleration,
)
from cluster.kube.objects.policy import (
    HorizontalPodAutoscaler,
    Lease,
    PodDisruptionBudget,
    WebhookConfiguration,
)
from cluster.kube.objects.storage import (
    VolumeAttachment,
    VolumeError,
)

__all__ = [
    "Condition",
    "Container",
    "ContainerState",
    "ContainerStateRunning",
    "ContainerStateTerminated",
    "ContainerStateWaiting",
    "ContainerStatus",
    "ControllerRevision",
    "CronJob",
    "DaemonSet",
    "DaemonSetStatus",
    "Deployment",
    "DeploymentSpec",
    "EndpointSlice",
    "Event",
    "EventSeries",
    "EventSource",
    "HorizontalPodAutoscaler",
    "IPBlock",
    "Ingress",
    "Job",
    "LabelSelector",
    "LabelSelectorRequirement",
    "LeanMeta",
    "Lease",
    "ManagedFields",
    "Namespace",
    "NetworkPolicy",
    "NetworkPolicyIngressRule",
    "NetworkPolicyPeer",
    "NetworkPolicyPort",
    "NetworkPolicySpec",
    "Node",
    "NodeAddress",
    "NodeSpec",
    "NodeStatus",
    "NodeSystemInfo",
    "Object",
    "ObjectMeta",
    "ObjectReference",
    "OwnerReference",
    "PartialObject",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "PodDisruptionBudget",
    "PodSpec",
    "PodStatus",
    "Ref",
    "ReplicaSet",
    "ReplicaSetSpec",
    "ResourceQuota",
    "Service",
    "ServicePort",
    "ServiceSpec",
    "StatefulSet",
    "Time",
    "Toleration",
    "VolumeAttachment",
    "VolumeError",
    "WebhookConfiguration",
    "WorkloadStatus",
]

Object = (
    Node
    | Pod
    | Event
    | Namespace
    | Deployment
    | ReplicaSet
    | DaemonSet
    | StatefulSet
    | ControllerRevision
    | Job
    | CronJob
    | Service
    | EndpointSlice
    | Ingress
    | NetworkPolicy
    | PersistentVolumeClaim
    | PersistentVolume
    | VolumeAttachment
    | HorizontalPodAutoscaler
    | PodDisruptionBudget
    | Lease
    | ResourceQuota
    | WebhookConfiguration
    | PartialObject
)
