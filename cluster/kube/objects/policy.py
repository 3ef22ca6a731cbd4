"""Small groups: autoscaling/v2, policy/v1, coordination.k8s.io/v1, admissionregistration.k8s.io/v1
and apiregistration.k8s.io/v1."""

from __future__ import annotations

from cluster.kube.objects.meta import Condition, LabelSelector, ManagedObject, Object, Time, Wire


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
    conditions: tuple[Condition, ...] = ()


class HorizontalPodAutoscaler(ManagedObject, frozen=True):
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


class PodDisruptionBudget(ManagedObject, frozen=True):
    spec: PDBSpec = PDBSpec()
    status: PDBStatus = PDBStatus()


class LeaseSpec(Wire, frozen=True):
    holder_identity: str = ""
    lease_duration_seconds: int = 0
    renew_time: Time | None = None


class Lease(Object, frozen=True):
    spec: LeaseSpec = LeaseSpec()


class ServiceReference(Wire, frozen=True):
    namespace: str = ""
    name: str = ""


class WebhookClientConfig(Wire, frozen=True):
    service: ServiceReference | None = None
    url: str = ""


class Webhook(Wire, frozen=True):
    name: str = ""
    failure_policy: str = "Fail"
    timeout_seconds: int = 10
    client_config: WebhookClientConfig = WebhookClientConfig()


class WebhookConfiguration(ManagedObject, frozen=True):
    webhooks: tuple[Webhook, ...] = ()


class APIServiceSpec(Wire, frozen=True):
    service: ServiceReference | None = None
    """None where the API server itself serves the group."""
    group: str = ""
    version: str = ""


class APIServiceStatus(Wire, frozen=True):
    conditions: tuple[Condition, ...] = ()


class APIService(ManagedObject, frozen=True):
    spec: APIServiceSpec = APIServiceSpec()
    status: APIServiceStatus = APIServiceStatus()
