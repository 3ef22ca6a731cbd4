"""apps/v1: Deployments, ReplicaSets, StatefulSets, DaemonSets and their revisions."""

from __future__ import annotations

from cluster.kube.objects.meta import Condition, LabelSelector, ManagedObject, Object, Wire
from cluster.kube.objects.pods import PodTemplate, PodTemplateMeta, WorkloadTemplate


class ReplicaSetSpec(Wire, frozen=True):
    selector: LabelSelector = LabelSelector()
    template: PodTemplate = PodTemplate()
    replicas: int = 1


class WorkloadStatus(Wire, frozen=True):
    """The status of Deployment, ReplicaSet and StatefulSet together."""

    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    updated_replicas: int = 0
    observed_generation: int = 0
    current_revision: str = ""
    update_revision: str = ""
    conditions: tuple[Condition, ...] = ()


class ReplicaSet(Object, frozen=True):
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


class ControllerRevision(ManagedObject, frozen=True):
    """A revision of a DaemonSet or StatefulSet; of the template that it holds only the images are
    kept.

    `revision` grows with every rollout; a rollback gives an older revision the highest number
    again.
    """

    data: RevisionData = RevisionData()
    revision: int = 0


class DeploymentSpec(ReplicaSetSpec, frozen=True):
    template: WorkloadTemplate = WorkloadTemplate()
    paused: bool = False


class Deployment(ManagedObject, frozen=True):
    spec: DeploymentSpec = DeploymentSpec()
    status: WorkloadStatus = WorkloadStatus()


class VolumeClaimTemplate(Wire, frozen=True):
    metadata: PodTemplateMeta = PodTemplateMeta()


class StatefulSetSpec(ReplicaSetSpec, frozen=True):
    template: WorkloadTemplate = WorkloadTemplate()
    service_name: str = ""
    pod_management_policy: str = ""
    volume_claim_templates: tuple[VolumeClaimTemplate, ...] = ()


class StatefulSet(ManagedObject, frozen=True):
    spec: StatefulSetSpec = StatefulSetSpec()
    status: WorkloadStatus = WorkloadStatus()


class DaemonSetSpec(Wire, frozen=True):
    selector: LabelSelector = LabelSelector()
    template: WorkloadTemplate = WorkloadTemplate()


class DaemonSetStatus(Wire, frozen=True):
    desired_number_scheduled: int = 0
    number_ready: int = 0
    number_misscheduled: int = 0
    updated_number_scheduled: int = 0
    observed_generation: int = 0


class DaemonSet(ManagedObject, frozen=True):
    spec: DaemonSetSpec = DaemonSetSpec()
    status: DaemonSetStatus = DaemonSetStatus()
