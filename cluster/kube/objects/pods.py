"""Pods and pod templates (core/v1)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import force_setattr

from cluster.kube.env_addresses import service_addresses
from cluster.kube.objects.meta import Condition, Object, Time, Wire


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


class EnvVar(Wire, frozen=True):
    """Name and source only: literal values of pods are never decoded, they may be secrets."""

    name: str = ""
    value_from: EnvVarSource | None = None


class TemplateEnvVar(EnvVar, frozen=True):
    """A variable of a workload's template. `value` keeps only what looks like the address of a
    Service (`cluster.kube.env_addresses`); all else of it is dropped as it is decoded."""

    value: str = ""

    def __post_init__(self) -> None:
        if self.value:
            force_setattr(self, "value", service_addresses(self.name, self.value))


class EnvFromSource(Wire, frozen=True):
    secret_ref: NamedSource | None = None


class ProbeTarget(Wire, frozen=True):
    """Where an HTTP, TCP or gRPC probe asks; a command is not decoded."""

    port: int | str = 0
    scheme: str = ""


class ContainerProbe(Wire, frozen=True):
    initial_delay_seconds: int = 0
    period_seconds: int = 0
    timeout_seconds: int = 0
    failure_threshold: int = 0
    http_get: ProbeTarget | None = None
    tcp_socket: ProbeTarget | None = None
    grpc: ProbeTarget | None = None

    @property
    def target(self) -> ProbeTarget | None:
        return self.http_get or self.tcp_socket or self.grpc


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
    liveness_probe: ContainerProbe | None = None
    readiness_probe: ContainerProbe | None = None
    startup_probe: ContainerProbe | None = None
    restart_policy: str = ""
    """`Always` makes an init container a sidecar."""
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


class PodDNSConfig(Wire, frozen=True):
    nameservers: tuple[str, ...] = ()


class PodSpec(Wire, frozen=True):
    node_name: str = ""
    node_selector: dict[str, str] = {}
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    service_account_name: str = ""
    priority_class_name: str = ""
    priority: int = 0
    host_network: bool = False
    dns_policy: str = ""
    dns_config: PodDNSConfig | None = None
    host_pid: bool = msgspec.field(default=False, name="hostPID")
    affinity: Affinity | None = None
    topology_spread_constraints: tuple[TopologySpreadConstraint, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    termination_grace_period_seconds: int = 30
    restart_policy: str = ""

    @property
    def claims(self) -> tuple[str, ...]:
        """Names of the volume claims that the pod mounts, in its namespace."""
        mounted = (volume.persistent_volume_claim for volume in self.volumes)
        return tuple(claim.claim_name for claim in mounted if claim is not None)


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
    """Empty in objects of the store where `pod_ip` is the only address."""
    qos_class: str = ""
    start_time: Time | None = None
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(Object, frozen=True):
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class PodTemplateMeta(Wire, frozen=True):
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class PodTemplate(Wire, frozen=True):
    metadata: PodTemplateMeta = PodTemplateMeta()
    spec: PodSpec = PodSpec()


class TemplateContainer(Container, frozen=True):
    env: tuple[TemplateEnvVar, ...] = ()


class TemplatePodSpec(PodSpec, frozen=True):
    containers: tuple[TemplateContainer, ...] = ()
    init_containers: tuple[TemplateContainer, ...] = ()


class WorkloadTemplate(PodTemplate, frozen=True):
    """The template of a workload that people write: its variables keep the addresses of Services.
    Pods and ReplicaSets, which come in thousands, repeat them and do not."""

    spec: TemplatePodSpec = TemplatePodSpec()
