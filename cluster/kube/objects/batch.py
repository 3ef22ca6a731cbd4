"""batch/v1: Jobs and CronJobs."""

from __future__ import annotations

from cluster.kube.objects.meta import Condition, ManagedObject, Object, ObjectReference, Time, Wire
from cluster.kube.objects.pods import WorkloadTemplate


class JobSpec(Wire, frozen=True):
    parallelism: int = 1
    completions: int | None = None
    backoff_limit: int = 6
    active_deadline_seconds: int | None = None
    suspend: bool = False


class JobStatus(Wire, frozen=True):
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    start_time: Time | None = None
    conditions: tuple[Condition, ...] = ()


class Job(Object, frozen=True):
    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


class JobTemplateSpec(JobSpec, frozen=True):
    template: WorkloadTemplate = WorkloadTemplate()


class JobTemplate(Wire, frozen=True):
    spec: JobTemplateSpec = JobTemplateSpec()


class CronJobSpec(Wire, frozen=True):
    schedule: str = ""
    concurrency_policy: str = ""
    suspend: bool = False
    job_template: JobTemplate = JobTemplate()


class CronJobStatus(Wire, frozen=True):
    active: tuple[ObjectReference, ...] = ()
    last_schedule_time: Time | None = None
    last_successful_time: Time | None = None


class CronJob(ManagedObject, frozen=True):
    spec: CronJobSpec = CronJobSpec()
    status: CronJobStatus = CronJobStatus()
