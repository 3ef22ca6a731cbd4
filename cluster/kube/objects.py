"""Kubernetes objects as the product reads them: typed, frozen, and only the fields that are used.

The decoder decides the speed (typed msgspec Structs decode at over 1 GB/s, dictionaries at a tenth
of that), so fields that nobody reads are not named here: they are skipped on the wire. Names are
the API's own in snake case. A missing field has its zero value.
`null` where a list or an object is expected is repaired by `cluster.kube.decode`, never an error.
Objects of kinds with metadata only (Secret, ConfigMap and the kinds watched just for "what
changed") are `PartialObject`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, NamedTuple

import msgspec

Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""An aware time: one without a zone is a fault of the server and is dropped by
`cluster.kube.decode`: it could not be compared."""


class Ref(NamedTuple):
    """Which object: kind, namespace ("" for cluster-scoped), name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return (
            f"{self.kind} {self.namespace}/{self.name}"
            if self.namespace
            else f"{self.kind} {self.name}"
        )


class Wire(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """Common settings: camelCase on the wire, immutable, not tracked by the garbage collector (no
    cycles)."""


class OwnerReference(Wire, frozen=True):
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class ManagedFields(Wire, frozen=True):
    """One field manager: who wrote which fields, when. `fields_v1` is the tree of `f:` keys, names
    only, never values."""

    manager: str = ""
    operation: str = ""
    subresource: str = ""
    time: Time | None = None
    fields_v1: dict[str, Any] = msgspec.field(default_factory=dict, name="fieldsV1")


class LeanMeta(Wire, frozen=True):
    """Metadata without managedFields, for the kinds that come in tens of thousands."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()


class ObjectMeta(LeanMeta, frozen=True):
    managed_fields: tuple[ManagedFields, ...] = ()


class Condition(Wire, frozen=True):
    """A condition of any kind. `status` is "True", "False" or "Unknown"."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: Time | None = None
    last_heartbeat_time: Time | None = None
    last_update_time: Time | None = None
    last_probe_time: Time | None = None


class LabelSelectorRequirement(Wire, frozen=True):
    key: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()


class LabelSelector(Wire, frozen=True):
    match_labels: dict[str, str] = {}
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


# ---- Node


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
    operating_system: str = ""


class NodeImage(Wire, frozen=True):
    names: tuple[str, ...] = ()
    size_bytes: int = 0


class NodeSpec(Wire, frozen=True):
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()
    pod_cidr: str = msgspec.field(default="", name="podCIDR")
    pod_cidrs: tuple[str, ...] = msgspec.field(default=(), name="podCIDRs")
    provider_id: str = msgspec.field(default="", name="providerID")


class NodeStatus(Wire, frozen=True):
    capacity: dict[str, str] = {}
    allocatable: dict[str, str] = {}
    conditions: tuple[Condition, ...] = ()
    addresses: tuple[NodeAddress, ...] = ()
    node_info: NodeSystemInfo = NodeSystemInfo()
    images: tuple[NodeImage, ...] = ()


class Node(Wire, frozen=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


# ---- Pod


class ResourceRequirements(Wire, frozen=True):
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}


class ContainerPort(Wire, frozen=True):
    name: str = ""
    container_port: int = 0
    host_port: int = 0
    protocol: str = "TCP"


class SecurityContext(Wire, frozen=True):
    privileged: bool = False


class NamedSource(Wire, frozen=True):
    """A reference to a Secret or ConfigMap by name (and key, where one is named)."""

    name: str = ""
    key: str = ""
    optional: bool = False


class EnvVarSource(Wire, frozen=True):
    secret_key_ref: NamedSource | None = None
    config_map_key_ref: NamedSource | None = None


class EnvVar(Wire, frozen=True):
    """Name and source only: literal values are never decoded, they may be secrets."""

    name: str = ""
    value_from: EnvVarSource | None = None


class EnvFromSource(Wire, frozen=True):
    secret_ref: NamedSource | None = None
    config_map_ref: NamedSource | None = None


class Probe(Wire, frozen=True):
    period_seconds: int = 0
    timeout_seconds: int = 0
    failure_threshold: int = 0


class LifecycleHandler(Wire, frozen=True):
    exec: dict[str, Any] | None = None
    sleep: dict[str, Any] | None = None
    http_get: dict[str, Any] | None = None


class Lifecycle(Wire, frozen=True):
    pre_stop: LifecycleHandler | None = None


class Container(Wire, frozen=True):
    name: str = ""
    image: str = ""
    image_pull_policy: str = ""
    resources: ResourceRequirements = ResourceRequirements()
    ports: tuple[ContainerPort, ...] = ()
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFromSource, ...] = ()
    security_context: SecurityContext | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    lifecycle: Lifecycle | None = None


class HostPath(Wire, frozen=True):
    path: str = ""


class SecretVolume(Wire, frozen=True):
    secret_name: str = ""
    optional: bool = False


class ClaimVolume(Wire, frozen=True):
    claim_name: str = ""


class EmptyDir(Wire, frozen=True):
    medium: str = ""


class Volume(Wire, frozen=True):
    name: str = ""
    secret: SecretVolume | None = None
    config_map: NamedSource | None = None
    persistent_volume_claim: ClaimVolume | None = None
    empty_dir: EmptyDir | None = None
    host_path: HostPath | None = None


class PodAffinityTerms(Wire, frozen=True):
    """Only whether rules exist is read."""

    required: tuple[dict[str, Any], ...] = msgspec.field(
        default=(), name="requiredDuringSchedulingIgnoredDuringExecution"
    )
    preferred: tuple[dict[str, Any], ...] = msgspec.field(
        default=(), name="preferredDuringSchedulingIgnoredDuringExecution"
    )


class NodeAffinity(Wire, frozen=True):
    """Only whether a rule exists is read."""

    required: dict[str, Any] | None = msgspec.field(
        default=None, name="requiredDuringSchedulingIgnoredDuringExecution"
    )


class Affinity(Wire, frozen=True):
    node_affinity: NodeAffinity | None = None
    pod_anti_affinity: PodAffinityTerms | None = None


class TopologySpreadConstraint(Wire, frozen=True):
    topology_key: str = ""
    when_unsatisfiable: str = ""
    max_skew: int = 0


class Toleration(Wire, frozen=True):
    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""


class DNSConfigOption(Wire, frozen=True):
    name: str = ""
    value: str = ""


class DNSConfig(Wire, frozen=True):
    options: tuple[DNSConfigOption, ...] = ()


class PodSpec(Wire, frozen=True):
    node_name: str = ""
    node_selector: dict[str, str] = {}
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    service_account_name: str = ""
    priority_class_name: str = ""
    host_network: bool = False
    host_pid: bool = msgspec.field(default=False, name="hostPID")
    affinity: Affinity | None = None
    topology_spread_constraints: tuple[TopologySpreadConstraint, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    termination_grace_period_seconds: int = 30
    restart_policy: str = ""
    dns_policy: str = ""
    dns_config: DNSConfig | None = None


class ContainerStateWaiting(Wire, frozen=True):
    reason: str = ""
    message: str = ""


class ContainerStateRunning(Wire, frozen=True):
    started_at: Time | None = None


class ContainerStateTerminated(Wire, frozen=True):
    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: Time | None = None
    finished_at: Time | None = None


class ContainerState(Wire, frozen=True):
    waiting: ContainerStateWaiting | None = None
    running: ContainerStateRunning | None = None
    terminated: ContainerStateTerminated | None = None


class ContainerStatus(Wire, frozen=True):
    name: str = ""
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    image: str = ""
    image_id: str = msgspec.field(default="", name="imageID")
    container_id: str = msgspec.field(default="", name="containerID")
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class PodIP(Wire, frozen=True):
    ip: str = ""


class PodStatus(Wire, frozen=True):
    phase: str = ""
    reason: str = ""
    message: str = ""
    pod_ip: str = msgspec.field(default="", name="podIP")
    pod_ips: tuple[PodIP, ...] = msgspec.field(default=(), name="podIPs")
    host_ip: str = msgspec.field(default="", name="hostIP")
    qos_class: str = ""
    start_time: Time | None = None
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(Wire, frozen=True):
    metadata: LeanMeta = LeanMeta()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class PodTemplateMeta(Wire, frozen=True):
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class PodTemplate(Wire, frozen=True):
    metadata: PodTemplateMeta = PodTemplateMeta()
    spec: PodSpec = PodSpec()


# ---- Event (core/v1; the fields of events.k8s.io are there as well)


class ObjectReference(Wire, frozen=True):
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    field_path: str = ""


class EventSource(Wire, frozen=True):
    component: str = ""
    host: str = ""


class EventSeries(Wire, frozen=True):
    count: int = 0
    last_observed_time: Time | None = None


class Event(Wire, frozen=True):
    metadata: LeanMeta = LeanMeta()
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


# ---- Workloads


class ReplicaSetSpec(Wire, frozen=True):
    replicas: int = 1
    selector: LabelSelector = LabelSelector()
    template: PodTemplate = PodTemplate()


class WorkloadStatus(Wire, frozen=True):
    """The status of Deployment, ReplicaSet and StatefulSet together."""

    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    updated_replicas: int = 0
    unavailable_replicas: int = 0
    observed_generation: int = 0
    current_revision: str = ""
    update_revision: str = ""
    conditions: tuple[Condition, ...] = ()


class ReplicaSet(Wire, frozen=True):
    metadata: LeanMeta = LeanMeta()
    spec: ReplicaSetSpec = ReplicaSetSpec()
    status: WorkloadStatus = WorkloadStatus()


class RevisionContainer(Wire, frozen=True):
    name: str = ""
    image: str = ""


class RevisionPodSpec(Wire, frozen=True):
    containers: tuple[RevisionContainer, ...] = ()
    init_containers: tuple[RevisionContainer, ...] = ()


class RevisionTemplate(Wire, frozen=True):
    spec: RevisionPodSpec = RevisionPodSpec()


class RevisionSpec(Wire, frozen=True):
    template: RevisionTemplate = RevisionTemplate()


class RevisionData(Wire, frozen=True):
    spec: RevisionSpec = RevisionSpec()


class ControllerRevision(Wire, frozen=True):
    """A revision of a DaemonSet or StatefulSet; of the template that it holds only the images are
    kept.

    `revision` grows with every rollout; a rollback gives an older revision the highest number
    again.
    """

    metadata: ObjectMeta = ObjectMeta()
    data: RevisionData = RevisionData()
    revision: int = 0


class DeploymentSpec(Wire, frozen=True):
    replicas: int = 1
    paused: bool = False
    selector: LabelSelector = LabelSelector()
    template: PodTemplate = PodTemplate()
    min_ready_seconds: int = 0


class Deployment(Wire, frozen=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: DeploymentSpec = DeploymentSpec()
    status: WorkloadStatus = WorkloadStatus()


class VolumeClaimTemplate(Wire, frozen=True):
    metadata: PodTemplateMeta = PodTemplateMeta()


class StatefulSetSpec(Wire, frozen=True):
    replicas: int = 1
    service_name: str = ""
    selector: LabelSelector = LabelSelector()
    template: PodTemplate = PodTemplate()
    volume_claim_templates: tuple[VolumeClaimTemplate, ...] = ()


class StatefulSet(Wire, frozen=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: StatefulSetSpec = StatefulSetSpec()
    status: WorkloadStatus = WorkloadStatus()


class DaemonSetSpec(Wire, frozen=True):
    selector: LabelSelector = LabelSelector()
    template: PodTemplate = PodTemplate()


class DaemonSetStatus(Wire, frozen=True):
    desired_number_scheduled: int = 0
    current_number_scheduled: int = 0
    number_ready: int = 0
    number_available: int = 0
    number_misscheduled: int = 0
    number_unavailable: int = 0
    updated_number_scheduled: int = 0
    observed_generation: int = 0


class DaemonSet(Wire, frozen=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: DaemonSetSpec = DaemonSetSpec()
    status: DaemonSetStatus = DaemonSetStatus()


class JobSpec(Wire, frozen=True):
    parallelism: int = 1
    completions: int | None = None
    backoff_limit: int = 6
    active_deadline_seconds: int | None = None
    ttl_seconds_after_finished: int | None = None
    suspend: bool = False


class JobStatus(Wire, frozen=True):
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    start_time: Time | None = None
    completion_time: Time | None = None
    conditions: tuple[Condition, ...] = ()


class Job(Wire, frozen=True):
    metadata: LeanMeta = LeanMeta()
    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


class JobTemplate(Wire, frozen=True):
    spec: JobSpec = JobSpec()


class CronJobSpec(Wire, frozen=True):
    schedule: str = ""
    concurrency_policy: str = ""
    suspend: bool = False
    starting_deadline_seconds: int | None = None
    successful_jobs_history_limit: int | None = None
    failed_jobs_history_limit: int | None = None
    job_template: JobTemplate = JobTemplate()


class CronJobStatus(Wire, frozen=True):
    active: tuple[ObjectReference, ...] = ()
    last_schedule_time: Time | None = None
    last_successful_time: Time | None = None


class CronJob(Wire, frozen=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: CronJobSpec = CronJobSpec()
    status: CronJobStatus = CronJobStatus()


# ---- Network


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
    internal_traffic_policy: str = ""
    health_check_node_port: int = 0
    load_balancer_source_ranges: tuple[str, ...] = ()
    publish_not_ready_addresses: bool = False


class LoadBalancerIngress(Wire, frozen=True):
    ip: str = ""
    hostname: str = ""


class LoadBalancerStatus(Wire, frozen=True):
    ingress: tuple[LoadBalancerIngress, ...] = ()


class LoadBalanced(Wire, frozen=True):
    load_balancer: LoadBalancerStatus = LoadBalancerStatus()


class Service(Wire, frozen=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: ServiceSpec = ServiceSpec()
    status: LoadBalanced = LoadBalanced()


class EndpointConditions(Wire, frozen=True):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Endpoint(Wire, frozen=True):
    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions = EndpointConditions()
    node_name: str = ""
    zone: str = ""
    target_ref: ObjectReference | None = None


class EndpointPort(Wire, frozen=True):
    name: str | None = None
    port: int | None = None
    protocol: str = "TCP"


class EndpointSlice(Wire, frozen=True):
    metadata: LeanMeta = LeanMeta()
    address_type: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class IngressServiceBackend(Wire, frozen=True):
    name: str = ""


class IngressBackend(Wire, frozen=True):
    service: IngressServiceBackend | None = None


class IngressPath(Wire, frozen=True):
    path: str = ""
    backend: IngressBackend = IngressBackend()


class IngressHTTP(Wire, frozen=True):
    paths: tuple[IngressPath, ...] = ()


class IngressRule(Wire, frozen=True):
    host: str = ""
    http: IngressHTTP | None = None


class IngressTLS(Wire, frozen=True):
    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class IngressSpec(Wire, frozen=True):
    ingress_class_name: str = ""
    default_backend: IngressBackend | None = None
    rules: tuple[IngressRule, ...] = ()
    tls: tuple[IngressTLS, ...] = ()


class Ingress(Wire, frozen=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: IngressSpec = IngressSpec()
    status: LoadBalanced = LoadBalanced()


class IPBlock(Wire, frozen=True):
    cidr: str = ""
    except_: tuple[str, ...] = msgspec.field(default=(), name="except")


class NetworkPolicyPeer(Wire, frozen=True):
    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IPBlock | None = None


class NetworkPolicyPort(Wire, frozen=True):
    protocol: str = "TCP"
    port: int | str | None = None
    end_port: int | None = None


class NetworkPolicyIngressRule(Wire, frozen=True):
    from_: tuple[NetworkPolicyPeer, ...] = msgspec.field(default=(), name="from")
    ports: tuple[NetworkPolicyPort, ...] = ()


class NetworkPolicyEgressRule(Wire, frozen=True):
    to: tuple[NetworkPolicyPeer, ...] = ()
    ports: tuple[NetworkPolicyPort, ...] = ()


class NetworkPolicySpec(Wire, frozen=True):
    pod_selector: LabelSelector = LabelSelector()
    ingress: tuple[NetworkPolicyIngressRule, ...] = ()
    egress: tuple[NetworkPolicyEgressRule, ...] = ()
    policy_types: tuple[str, ...] = ()


class NetworkPolicy(Wire, frozen=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: NetworkPolicySpec = NetworkPolicySpec()


# ---- Storage


class ClaimSpec(Wire, frozen=True):
    volume_name: str = ""
    storage_class_name: str | None = None
    access_modes: tuple[str, ...] = ()


class ClaimStatus(Wire, frozen=True):
    phase: str = ""
    conditions: tuple[Condition, ...] = ()


class PersistentVolumeClaim(Wire, frozen=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()


class CSIVolume(Wire, frozen=True):
    driver: str = ""
    volume_handle: str = ""


class VolumeSpec(Wire, frozen=True):
    claim_ref: ObjectReference | None = None
    storage_class_name: str = ""
    persistent_volume_reclaim_policy: str = ""
    csi: CSIVolume | None = None


class VolumeStatus(Wire, frozen=True):
    phase: str = ""
    reason: str = ""
    message: str = ""


class PersistentVolume(Wire, frozen=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: VolumeSpec = VolumeSpec()
    status: VolumeStatus = VolumeStatus()


class AttachmentSource(Wire, frozen=True):
    persistent_volume_name: str = ""


class AttachmentSpec(Wire, frozen=True):
    attacher: str = ""
    node_name: str = ""
    source: AttachmentSource = AttachmentSource()


class VolumeError(Wire, frozen=True):
    time: Time | None = None
    message: str = ""


class AttachmentStatus(Wire, frozen=True):
    attached: bool = False
    attach_error: VolumeError | None = None
    detach_error: VolumeError | None = None


class VolumeAttachment(Wire, frozen=True):
    metadata: LeanMeta = LeanMeta()
    spec: AttachmentSpec = AttachmentSpec()
    status: AttachmentStatus = AttachmentStatus()


# ---- Policy, autoscaling, leases, admission


class TargetRef(Wire, frozen=True):
    kind: str = ""
    name: str = ""


class HPASpec(Wire, frozen=True):
    scale_target_ref: TargetRef = TargetRef()
    min_replicas: int = 1
    max_replicas: int = 0


class HPAStatus(Wire, frozen=True):
    current_replicas: int = 0
    desired_replicas: int = 0
    last_scale_time: Time | None = None
    conditions: tuple[Condition, ...] = ()


class HorizontalPodAutoscaler(Wire, frozen=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: HPASpec = HPASpec()
    status: HPAStatus = HPAStatus()


class PDBSpec(Wire, frozen=True):
    min_available: int | str | None = None
    max_unavailable: int | str | None = None
    selector: LabelSelector | None = None


class PDBStatus(Wire, frozen=True):
    current_healthy: int = 0
    desired_healthy: int = 0
    disruptions_allowed: int = 0
    expected_pods: int = 0
    conditions: tuple[Condition, ...] = ()


class PodDisruptionBudget(Wire, frozen=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: PDBSpec = PDBSpec()
    status: PDBStatus = PDBStatus()


class LeaseSpec(Wire, frozen=True):
    holder_identity: str = ""
    lease_duration_seconds: int = 0
    renew_time: Time | None = None


class Lease(Wire, frozen=True):
    metadata: LeanMeta = LeanMeta()
    spec: LeaseSpec = LeaseSpec()


class ResourceQuotaStatus(Wire, frozen=True):
    hard: dict[str, str] = {}
    used: dict[str, str] = {}


class ResourceQuota(Wire, frozen=True):
    metadata: ObjectMeta = ObjectMeta()
    status: ResourceQuotaStatus = ResourceQuotaStatus()


class WebhookServiceRef(Wire, frozen=True):
    namespace: str = ""
    name: str = ""


class WebhookClientConfig(Wire, frozen=True):
    service: WebhookServiceRef | None = None
    url: str = ""


class Webhook(Wire, frozen=True):
    name: str = ""
    failure_policy: str = "Fail"
    timeout_seconds: int = 10
    client_config: WebhookClientConfig = WebhookClientConfig()


class WebhookConfiguration(Wire, frozen=True):
    metadata: ObjectMeta = ObjectMeta()
    webhooks: tuple[Webhook, ...] = ()


class NamespaceStatus(Wire, frozen=True):
    phase: str = ""


class Namespace(Wire, frozen=True):
    metadata: ObjectMeta = ObjectMeta()
    status: NamespaceStatus = NamespaceStatus()


class PartialObject(Wire, frozen=True):
    """An object of which only the metadata is read: key names are in managed_fields, values never
    leave the server."""

    metadata: ObjectMeta = ObjectMeta()


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
