"""apps/v1: Deployments, ReplicaSets, StatefulSets, DaemonSets and their revisions."""

from __future__ import annotations

from cluster.kube.objects.meta import Condition, LabelSelector, LeanMeta, Object, ObjectMeta, Wire
from cluster.kube.objects.pods import PodTemplate, PodTemplateMeta


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


class ReplicaSet(Object, frozen=True):
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


class ControllerRevision(Object, frozen=True):
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


class Deployment(Object, frozen=True):
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


class StatefulSet(Object, frozen=True):
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


class DaemonSet(Object, frozen=True):
    metadata: ObjectMeta = ObjectMeta()
    spec: DaemonSetSpec = DaemonSetSpec()
    status: DaemonSetStatus = DaemonSetStatus()
